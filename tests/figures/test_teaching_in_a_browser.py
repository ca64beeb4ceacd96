"""The teaching page in a real browser: scrolled, windowed, quizzed and read aloud, with no request to anywhere."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.figures.figure_cases import arrow, panel, plane, reference
from tests.figures.phantom_head import FRAME_MR, head, series_of, study_of
from tests.figures.test_teaching_page import stacks

from neuraxis.domain.study import Role
from neuraxis.figures import Recipe, draw_figure
from neuraxis.figures.recipe import Mark, PlaceholderPanel

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="module")
def html() -> str:
    ct, mr = head(), head(hu=False, frame=FRAME_MR, series_id="t2", lesion_value=60.0)
    small = plane(field=(60.0, 60.0))
    marks = (arrow(), Mark(kind="box", anchor_lps_mm=(-20.0, 10.0, 5.0), sides_mm=(10, 8)))
    recipe = Recipe(
        panels=(
            panel(ct, "a", plane=small, marks=marks),
            panel(mr, "b", plane=plane(field=(60.0, 60.0), frame=FRAME_MR), series=reference(mr, "T2")),
            PlaceholderPanel(letter="c", reason="</script><script>document.title='owned'</script>"),
        ),
        caption="A calcified lesion <img src='http://example.invalid/x.png' onerror='document.title=1'>", width_mm=174,
    )
    study = study_of(series_of(ct, Role.CT), series_of(mr, Role.T2, modality="MR"))
    return draw_figure(recipe, study).to_bytes(".html").decode("utf-8")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip("no Chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


class Reader:
    """The page as a reader has it open; every request but that for the page itself is stopped and noted."""

    def __init__(self, browser: Any, html: str, folder: Path) -> None:
        file = folder / "teaching.html"
        file.write_text(html, encoding="utf-8")
        self.context = browser.new_context(viewport={"width": 1200, "height": 900}, offline=True)
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.faults: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda m: self.faults.append(m.text) if m.type == "error" else None)

        def answer(route: Any) -> None:
            if route.request.url == file.as_uri():
                route.continue_()
            else:
                self.requests.append(route.request.url)
                route.abort()

        self.page.route("**/*", answer)
        self.page.goto(file.as_uri())
        self.page.wait_for_function("document.querySelectorAll('section[data-ready=true]').length === 2")

    def canvas(self, letter: str) -> Any:
        return self.page.locator(f"section[data-panel='{letter}'] canvas")

    def pixels(self, letter: str) -> NDArray[np.uint8]:
        """Grey of the panel's canvas, read back from the browser."""
        uri = self.canvas(letter).evaluate("c => c.toDataURL('image/png')")
        with Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))) as picture:
            return np.asarray(picture.convert("L"))

    def said(self) -> str:
        return str(self.page.locator("#live").text_content())

    def label(self, letter: str) -> str:
        return str(self.canvas(letter).get_attribute("aria-label"))

    def marks_shown(self, letter: str) -> bool:
        return bool(self.page.locator(f"section[data-panel='{letter}'] g.marks").is_visible())


@pytest.fixture
def reader(browser: Any, html: str, tmp_path: Path) -> Iterator[Reader]:
    opened = Reader(browser, html, tmp_path)
    yield opened
    assert opened.requests == []
    assert opened.faults == []
    opened.context.close()


def expected(html: str, panel_index: int, slice_index: int, window_index: int) -> NDArray[np.float64]:
    """What a slice looks like in a window, computed here from the voxels in the page."""
    settings, stored = stacks(html)[panel_index]
    window = settings["windows"][window_index]
    values = stored[slice_index].astype(float) * settings["slope"] + settings["intercept"]
    centre, width = window["center"], window["width"]
    if window["function"] == "LINEAR":
        grey = ((values - (centre - 0.5)) / (width - 1) + 0.5) * 255
    else:
        grey = ((values - centre) / width + 0.5) * 255
    return np.asarray(np.clip(grey, 0, 255))


def test_the_wheel_and_the_keys_scroll_through_the_voxels(reader: Reader, html: str) -> None:
    settings, _ = stacks(html)[0]
    home = settings["home"]
    assert np.abs(reader.pixels("a") - expected(html, 0, home, 0)).max() <= 1
    reader.canvas("a").hover()
    reader.page.mouse.wheel(0, 120)
    reader.page.wait_for_function(f"document.querySelector('section[data-panel=a] input').value === '{home + 1}'")
    assert np.abs(reader.pixels("a") - expected(html, 0, home + 1, 0)).max() <= 1
    assert "1.0 mm toward the head" in reader.label("a")
    reader.canvas("a").focus()
    for key, slice_index in (("ArrowDown", home + 2), ("PageUp", home - 3), ("ArrowLeft", home - 4), ("Home", home)):
        reader.page.keyboard.press(key)
        assert np.abs(reader.pixels("a") - expected(html, 0, slice_index, 0)).max() <= 1
    assert "slice of the figure" in reader.said()
    # the slider does the same, and says so to a screen reader
    slider = reader.page.get_by_role("slider").first
    slider.focus()
    reader.page.keyboard.press("ArrowRight")
    assert "toward the head" in str(slider.get_attribute("aria-valuetext"))
    assert np.abs(reader.pixels("a") - expected(html, 0, home + 1, 0)).max() <= 1


def test_marks_belong_to_the_slice_of_the_figure(reader: Reader) -> None:
    assert reader.marks_shown("a")
    names = reader.page.eval_on_selector_all("g.marks [data-name]", "all => all.map(e => e.dataset.name)")
    assert {"arrow", "box"} <= set(names)
    reader.canvas("a").focus()
    reader.page.keyboard.press("ArrowDown")
    assert not reader.marks_shown("a")
    reader.page.get_by_role("button", name="Back to the figure's slice and window").first.click()
    assert reader.marks_shown("a")


def test_window_presets_change_the_grey_and_w_goes_through_them(reader: Reader, html: str) -> None:
    settings, _ = stacks(html)[0]
    bone = next(i for i, w in enumerate(settings["windows"]) if w["name"].startswith("bone"))
    reader.page.get_by_role("combobox").first.select_option(index=bone)
    assert np.abs(reader.pixels("a") - expected(html, 0, settings["home"], bone)).max() <= 1
    assert "window bone W 2000 L 500" in reader.label("a")
    before = reader.pixels("b")
    reader.canvas("b").focus()
    reader.page.keyboard.press("w")
    assert np.abs(reader.pixels("b") - expected(html, 1, settings["home"], 1)).max() <= 1
    assert (reader.pixels("b") != before).any()
    reader.page.keyboard.press("Shift+W")
    assert np.array_equal(reader.pixels("b"), before)


def test_the_quiz_hides_marks_and_legend_until_they_are_asked_for(reader: Reader) -> None:
    legend = reader.page.locator("#legend")
    assert legend.is_visible()
    reader.page.get_by_role("button", name="Quiz").focus()
    reader.page.keyboard.press("Enter")
    assert not legend.is_visible()
    assert not reader.marks_shown("a")
    assert "Find the lesion" in reader.said()
    marks = reader.page.get_by_role("button", name="Marks", exact=True)
    assert marks.get_attribute("aria-pressed") == "false"
    marks.click()
    assert reader.marks_shown("a")
    reader.page.get_by_role("button", name="Legend", exact=True).press("Space")
    assert legend.is_visible()
    reader.page.get_by_role("button", name="Letters and scale bars").click()
    assert not reader.page.locator("section[data-panel=a] g.letters").is_visible()


def test_everything_is_reached_by_tab_and_has_a_role_and_a_name(reader: Reader) -> None:
    page = reader.page
    page.keyboard.press("Tab")
    reached = []
    for _ in range(40):
        element = page.evaluate(
            "(() => { const e = document.activeElement; return [e.tagName, e.id || e.className,"
            " e.getAttribute('aria-label') || (e.labels && e.labels.length ? e.labels[0].textContent : e.textContent)]; })()"
        )
        if element[0] == "BODY":
            break
        reached.append(element)
        page.keyboard.press("Tab")
    tags = [tag for tag, _, _ in reached]
    assert tags.count("CANVAS") == 2
    assert tags.count("INPUT") == 2
    assert tags.count("SELECT") == 2
    assert tags.count("BUTTON") == 4 + 2
    assert all(name.strip() for _, _, name in reached)
    assert page.get_by_role("img", name=re.compile("^Panel a, ")).count() == 1
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.get_by_role("main").count() == 1
    assert page.get_by_role("group", name="Show and hide").count() == 1
    assert page.get_by_role("status").count() == 1


def test_hostile_words_are_shown_and_nothing_of_them_runs(reader: Reader) -> None:
    assert reader.page.title() == "Teaching figure"
    assert "<img src='http://example.invalid/x.png'" in str(reader.page.locator("#legend").text_content())
    assert reader.page.locator("#legend img").count() == 0
    policy = reader.page.evaluate("fetch('http://example.invalid/').then(() => 'let through', e => e.name)")
    assert policy == "TypeError"
    # the attempt above is this test's own: the page's policy stops it before it becomes a request
    assert reader.requests == []
    reader.faults = [f for f in reader.faults if "example.invalid" not in f]
    assert json.loads(reader.page.evaluate("JSON.stringify([localStorage.length, document.cookie])")) == [0, ""]
