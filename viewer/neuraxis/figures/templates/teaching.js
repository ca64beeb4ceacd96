"use strict";
// Values of a window as grey, DICOM PS3.3 C.11.2.1.2.
function greyTable(settings, window) {
  const table = new Uint8ClampedArray(65536);
  const c = window.center, w = window.width;
  const low = window.function === "LINEAR" ? c - 0.5 - (w - 1) / 2 : c - w / 2;
  const high = window.function === "LINEAR" ? c - 0.5 + (w - 1) / 2 : c + w / 2;
  for (let stored = -32767; stored < 32768; stored += 1) {
    const value = stored * settings.slope + settings.intercept;
    let grey;
    if (window.function === "SIGMOID") grey = 255 / (1 + Math.exp(-4 * (value - c) / w));
    else grey = high > low ? (value - low) * 255 / (high - low) : (value > low ? 255 : 0);
    grey = Math.round(Math.min(255, Math.max(0, grey)));
    table[stored + 32768] = settings.inverted ? 255 - grey : grey;
  }
  table[0] = 0;
  return table;
}

function slicePixels(settings, values, index, table) {
  const count = settings.rows * settings.columns;
  const pixels = new Uint8ClampedArray(4 * count);
  for (let i = 0; i < count; i += 1) {
    const grey = table[values[index * count + i] + 32768];
    pixels[4 * i] = pixels[4 * i + 1] = pixels[4 * i + 2] = grey;
    pixels[4 * i + 3] = 255;
  }
  return pixels;
}

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  return bytes;
}

async function inflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const buffer = await new Response(stream).arrayBuffer();
  const packed = new Uint8Array(buffer);
  const values = new Int16Array(packed.length / 2);
  for (let i = 0; i < values.length; i += 1) values[i] = packed[i] | (packed[values.length + i] << 8);
  return values;
}

function describe(settings, index, windowIndex) {
  const offset = settings.offsets[index];
  const where = index === settings.home ? "slice of the figure" : Math.abs(offset).toFixed(1) + " mm toward the " + settings.toward[offset > 0 ? 1 : 0];
  return "slice " + (index + 1) + " of " + settings.offsets.length + ", " + where + ", window " + settings.windows[windowIndex].name;
}

function startPanel(section, say) {
  const letter = section.dataset.panel;
  const settings = JSON.parse(section.querySelector(".settings").textContent);
  const canvas = section.querySelector("canvas");
  const slider = section.querySelector("input[type=range]");
  const choice = section.querySelector("select");
  const home = section.querySelector("button.home");
  const marks = section.querySelector("g.marks");
  const output = section.querySelector(".offset");
  canvas.width = settings.columns;
  canvas.height = settings.rows;
  const context = canvas.getContext("2d");
  let values = null;
  let table = greyTable(settings, settings.windows[0]);
  function draw(speak) {
    const index = Number(slider.value);
    const text = describe(settings, index, choice.selectedIndex);
    output.textContent = settings.offsets[index].toFixed(1) + " mm";
    slider.setAttribute("aria-valuetext", text);
    canvas.setAttribute("aria-label", "Panel " + letter + ", " + section.dataset.title + ", " + text);
    // marks belong to the plane of the figure
    if (marks) marks.style.display = index === settings.home ? "" : "none";
    if (values) context.putImageData(new ImageData(slicePixels(settings, values, index, table), settings.columns, settings.rows), 0, 0);
    if (speak) say("Panel " + letter + ": " + text);
  }
  function step(by) {
    const next = Math.min(settings.offsets.length - 1, Math.max(0, Number(slider.value) + by));
    slider.value = String(next);
    draw(true);
  }
  function nextWindow(by) {
    const count = settings.windows.length;
    choice.selectedIndex = (choice.selectedIndex + by + count) % count;
    table = greyTable(settings, settings.windows[choice.selectedIndex]);
    draw(true);
  }
  slider.addEventListener("input", function () { draw(false); });
  slider.addEventListener("change", function () { draw(true); });
  choice.addEventListener("change", function () { nextWindow(0); });
  home.addEventListener("click", function () {
    slider.value = String(settings.home);
    choice.selectedIndex = 0;
    nextWindow(0);
  });
  canvas.addEventListener("wheel", function (event) {
    event.preventDefault();
    step(event.deltaY > 0 ? 1 : -1);
  }, { passive: false });
  canvas.addEventListener("keydown", function (event) {
    const moves = { ArrowUp: -1, ArrowDown: 1, ArrowLeft: -1, ArrowRight: 1, PageUp: -5, PageDown: 5 };
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key in moves) step(moves[event.key]);
    else if (event.key === "Home") step(settings.home - Number(slider.value));
    else if (event.key === "w") nextWindow(1);
    else if (event.key === "W") nextWindow(-1);
    else return;
    event.preventDefault();
  });
  draw(false);
  return inflated(bytesOf(section.querySelector(".stack").textContent)).then(function (read) {
    values = read;
    draw(false);
    section.dataset.ready = "true";
  });
}

function startToggle(button, target, words, say) {
  button.addEventListener("click", function () {
    const shown = button.getAttribute("aria-pressed") === "true";
    button.setAttribute("aria-pressed", String(!shown));
    target(!shown);
    say(words + (shown ? " hidden" : " shown"));
  });
}

function startPage() {
  const live = document.getElementById("live");
  const say = function (text) { live.textContent = text; };
  startToggle(document.getElementById("toggle-marks"), function (shown) { document.body.classList.toggle("no-marks", !shown); }, "Marks", say);
  startToggle(document.getElementById("toggle-letters"), function (shown) { document.body.classList.toggle("no-letters", !shown); }, "Letters and scale bars", say);
  const legend = document.getElementById("legend");
  if (legend) startToggle(document.getElementById("toggle-legend"), function (shown) { legend.hidden = !shown; }, "Legend", say);
  document.getElementById("quiz").addEventListener("click", function () {
    ["toggle-marks", "toggle-legend"].forEach(function (id) {
      const button = document.getElementById(id);
      if (button && button.getAttribute("aria-pressed") === "true") button.click();
    });
    say("Quiz: marks and legend are hidden. Find the lesion, then show them.");
  });
  document.querySelectorAll("section.panel[data-stack]").forEach(function (section) {
    startPanel(section, say).catch(function () {
      section.querySelector(".failed").hidden = false;
    });
  });
}

startPage();
