"""The teaching page: one HTML file in which panels scroll through their stack, windows change and marks are revealed."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import orientation_letters
from neuraxis.domain.transform import RegistrationSet
from neuraxis.domain.volume import ValueKind
from neuraxis.domain.window import WindowFunction, window_presets
from neuraxis.figures.figure import Figure
from neuraxis.figures.panels import PanelSource
from neuraxis.figures.privacy import check_privacy
from neuraxis.figures.provenance import PURPOSE
from neuraxis.figures.recipe import VolumePanel, WindowSpec
from neuraxis.figures.sampling import PixelGrid, sample_grid
from neuraxis.figures.scene import Picture
from neuraxis.figures.svg_backend import png_data_uri, svg_item

REACH_MM = 15.0
"""How far a stack reaches to either side of the panel's plane: enough to look around, too little to rebuild a face."""
LARGEST_SIDE = 320
"""Pixels along a panel's side in the page."""
OUTSIDE = -32768
"""Stored value of pixels outside the scanned field."""


def teaching_page(figure: Figure) -> str:
    """The page as HTML text: no file beside it, no network, the same bytes for the same figure.

    Voxels of the stacks are embedded as 16-bit numbers resampled on each panel's plane and its parallels, so that the
    window can be changed in the browser.

    Raises
    ------
    PrivacyError
        When a slice of a stack would show what `check_privacy` refuses.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("neuraxis.figures"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    script = (files("neuraxis.figures") / "templates" / "teaching.js").read_text(encoding="utf-8")
    panels = [_panel(figure, panel.letter) for panel in figure.recipe.panels]
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    return str(
        environment.get_template("teaching.html.j2").render(
            panels=panels, script=script, script_hash=digest, purpose=PURPOSE, caption=figure.recipe.caption_text(),
            software=figure.metadata["Software"], provenance=figure.metadata["Provenance"], rows=_rows(figure),
        )
    )


def _rows(figure: Figure) -> list[list[str]]:
    """Panel letters by row of the figure, top to bottom."""
    rows: dict[int, list[str]] = {}
    for letter, box in figure.page.boxes.items():
        rows.setdefault(box.y_px, []).append(letter)
    return [rows[top] for top in sorted(rows)]


def _panel(figure: Figure, letter: str) -> dict[str, Any]:
    """Everything the template needs of one panel."""
    panel = next(p for p in figure.recipe.panels if p.letter == letter)
    box = figure.page.boxes[letter]
    items = figure.scene.of_panel(letter)
    overlay = [i for i in items if not (isinstance(i, Picture) and i.role == "image")]
    image = next((i for i in items if isinstance(i, Picture) and i.role == "image"), None)
    entry: dict[str, Any] = {
        "letter": letter, "key": figure.recipe.panels.index(panel) + 1, "view_box": f"{box.x_mm:.4f} {box.y_mm:.4f} {box.width_mm:.4f} {box.height_mm:.4f}",
        "share": round(box.width_mm / figure.scene.width_mm, 4), "ratio": f"{box.width_px} / {box.height_px}",
        "overlay": "\n".join(svg_item(i) for i in overlay if i.role not in ("mark", "window")),
        "marks": "\n".join(svg_item(i) for i in overlay if i.role == "mark"), "image": "", "stack": None, "settings": "",
    }
    if isinstance(panel, VolumePanel):
        stack = panel_stack(panel, figure.sources[letter], figure.recipe.privacy_overrides, figure.registrations)
        entry |= {
            "stack": base64.b64encode(zlib.compress(stack.packed(), 9)).decode("ascii"),
            "title": panel.text or panel.series.role, "view": panel.plane.name, "slices": len(stack.offsets_mm),
            "home": stack.home, "windows": [w["name"] for w in stack.windows],
            "settings": _json(
                {
                    "rows": stack.stored.shape[1], "columns": stack.stored.shape[2], "slope": stack.slope,
                    "intercept": stack.intercept, "offsets": [round(v, 2) for v in stack.offsets_mm],
                    "toward": _ways(panel), "home": stack.home, "windows": stack.windows, "inverted": stack.inverted,
                }
            ),
        }
    elif image is not None:
        entry |= {"image": png_data_uri(image.pixels), "title": getattr(panel, "text", "") or "picture", "view": ""}
    else:
        entry |= {"title": getattr(panel, "reason", "empty"), "view": ""}
    return entry


_SIDES = {"L": "left", "R": "right", "A": "front", "P": "back", "H": "head", "F": "feet"}


def _ways(panel: VolumePanel) -> list[str]:
    """Where lower and higher slices of a stack lie: ['feet', 'head'] for an axial panel."""
    normal = np.cross(panel.plane.right, panel.plane.down)
    return [" ".join(_SIDES[c] for c in orientation_letters(v)) for v in (-normal, normal)]


def _json(value: dict[str, Any]) -> str:
    """JSON that cannot end the script element it stands in."""
    return json.dumps(value, sort_keys=True).replace("<", "\\u003c").replace("&", "\\u0026")


class Stack:
    """A panel's plane and its parallels as 16-bit numbers.

    `stored` is (slices, rows, columns) int16; value = stored * slope + intercept; `OUTSIDE` where there is none.
    `offsets_mm` is the distance of each slice from the panel's plane, `home` the index of that plane.
    """

    def __init__(
        self, values: NDArray[np.float32], offsets_mm: list[float], home: int, windows: list[dict[str, Any]],
        *, inverted: bool, exact: bool,
    ) -> None:
        finite = values[np.isfinite(values)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        fits = exact and low > OUTSIDE and high < -OUTSIDE
        # finer steps than a 500th of the figure's window only store noise
        step = max(windows[0]["width"] / 500.0, (high - low) / 65000.0, 1e-12)
        self.slope = 1.0 if fits else step
        self.intercept = 0.0 if fits else low + 32500.0 * step
        scaled = np.rint((np.nan_to_num(values, nan=low) - self.intercept) / self.slope)
        self.stored = np.where(np.isfinite(values), scaled, OUTSIDE).astype(np.int16)
        self.offsets_mm, self.home, self.windows, self.inverted = offsets_mm, home, windows, inverted

    def packed(self) -> bytes:
        """All low bytes, then all high bytes: noise and shape apart, which deflates better."""
        return self.stored.astype("<i2").reshape(-1, 1).view(np.uint8).T.tobytes()


def panel_stack(
    panel: VolumePanel, source: PanelSource, allowed: tuple[str, ...], registrations: RegistrationSet
) -> Stack:
    """Slices parallel to a panel, `REACH_MM` to either side, one native slice apart but at least 1 mm."""
    normal = np.cross(panel.plane.right, panel.plane.down)
    geometry = source.volume.geometry
    steps = np.array([geometry.step_x_mm, geometry.step_y_mm, geometry.step_z_mm])
    step = max(1.0, float(np.abs(steps @ normal).max()))
    reach = int(REACH_MM // step)
    width, height = panel.plane.field_of_view_mm
    finest = min(geometry.spacing_xyz_mm)
    columns = int(np.clip(round(width / finest), 32, LARGEST_SIDE))
    rows = max(8, round(columns * height / width))
    layers, offsets = [], []
    for index in range(-reach, reach + 1):
        centre = np.asarray(panel.plane.centre_lps_mm) + index * step * normal
        moved = panel.model_copy(
            update={
                "plane": panel.plane.model_copy(update={"centre_lps_mm": tuple(float(v) for v in centre)})
            }
        )
        values = sample_grid(source.volume, PixelGrid(moved.plane, columns, rows), panel.interpolation, registrations)
        if index == 0 or np.isfinite(values).any():
            check_privacy(moved, source.series, source.volume, set(allowed), registrations)
            layers.append(values)
            offsets.append(index * step)
    home = int(np.argmin(np.abs(offsets)))
    exact = np.issubdtype(source.volume.array.dtype, np.integer) and panel.interpolation == "nearest"
    hu = source.volume.kind is ValueKind.HU
    return Stack(
        np.stack(layers), offsets, home, _windows(panel.window, hu=hu), inverted=source.series.inverted, exact=exact or hu
    )


def _windows(own: WindowSpec, *, hu: bool) -> list[dict[str, Any]]:
    """The figure's window first, then the CT presets, or wider and narrower ones where values have no scale."""
    def entry(name: str, center: float, width: float, function: str) -> dict[str, Any]:
        return {"name": name, "center": center, "width": width, "function": function}

    label = f"figure: W {own.width:.4g} L {own.center:.4g}"
    windows = [entry(label, own.center, own.width, own.function)]
    if hu:
        for preset in window_presets():
            w = preset.window
            windows.append(entry(w.label, w.center, w.width, w.function.value))
    else:
        low = own.center - own.width / 2
        exact = WindowFunction.LINEAR_EXACT.value
        for name, factor in (("brighter", 0.6), ("darker", 1.6), ("much darker", 2.5)):
            windows.append(entry(name, low + own.width * factor / 2, own.width * factor, exact))
    return windows
