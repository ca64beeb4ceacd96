"""Changes to marks as a figure desk makes them: placed, dragged by their tip or handle, turned, removed."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuraxis.domain.geometry import Vector3
from neuraxis.errors import UsageError
from neuraxis.figures.editing import AnyPanel, panel_of, revalidated, volume_panel_of
from neuraxis.figures.figure import Figure
from neuraxis.figures.recipe import Mark, PicturePanel, PlaceholderPanel, Recipe
from neuraxis.figures.sampling import PixelGrid

PagePoint = tuple[float, float]
_LENGTHS_MM = (1.5, 60.0)
_NEW_SIZE_MM = 6.0
"""On the page, of a circle or box as it is first placed."""


def place_on_page(figure: Figure, letter: str, point_lps_mm: Vector3) -> PagePoint:
    """Where a point of the patient lies on the page, in mm from the page's top left corner."""
    panel, box = volume_panel_of(figure.recipe, letter), figure.page.boxes[letter]
    across, down = PixelGrid(panel.plane, box.width_px, box.height_px).mm_from_lps(point_lps_mm)
    per_mm = box.width_mm / panel.plane.field_of_view_mm[0]
    return box.x_mm + across * per_mm, box.y_mm + down * per_mm


def point_from_page(figure: Figure, letter: str, x_mm: float, y_mm: float) -> Vector3:
    """The point of the patient under a place of the page, on the panel's plane."""
    panel, box = volume_panel_of(figure.recipe, letter), figure.page.boxes[letter]
    per_page = panel.plane.field_of_view_mm[0] / box.width_mm
    grid = PixelGrid(panel.plane, box.width_px, box.height_px)
    return grid.lps_from_mm((x_mm - box.x_mm) * per_page, (y_mm - box.y_mm) * per_page)


def marks_of(recipe: Recipe, letter: str) -> tuple[Mark, ...]:
    """The marks of a panel; a placeholder has none."""
    panel = panel_of(recipe, letter)
    return () if isinstance(panel, PlaceholderPanel) else panel.marks


def anchor_on_page(figure: Figure, letter: str, mark: Mark) -> PagePoint:
    """Where a mark's anchor lies on the page, in mm."""
    return _on_page(figure, letter, mark.anchor_lps_mm, mark.anchor_px)


def handle_on_page(figure: Figure, letter: str, mark: Mark) -> PagePoint | None:
    """Where a mark is gripped to turn or resize it: an arrow's tail, a line's end, a box's corner, a circle's rim."""
    x, y = anchor_on_page(figure, letter, mark)
    if mark.kind in ("arrow", "arrowhead"):
        angle = np.radians(mark.direction_deg)
        return x - mark.length_mm * float(np.cos(angle)), y + mark.length_mm * float(np.sin(angle))
    if mark.kind == "line":
        return _on_page(figure, letter, mark.end_lps_mm, mark.end_px)
    scale = _page_per_unit(figure, letter)
    if mark.kind == "circle":
        return x + (mark.radius_mm or mark.radius_px or 0.0) * scale, y
    if mark.kind == "box":
        across, down = mark.sides_mm or mark.sides_px or (0.0, 0.0)
        return x + across * scale / 2, y + down * scale / 2
    return None


def with_new_mark(figure: Figure, letter: str, kind: str, x_mm: float, y_mm: float, text: str = "") -> Recipe:
    """A mark added to a panel at a place of the page; arrows point to the upper left until they are turned."""
    fields: dict[str, Any] = {"kind": kind, **_anchor(figure, letter, "anchor", x_mm, y_mm)}
    in_patient = "anchor_lps_mm" in fields
    size = _NEW_SIZE_MM / _page_per_unit(figure, letter)
    if kind in ("arrow", "arrowhead"):
        fields |= {"direction_deg": 135.0, "length_mm": 5.0 if kind == "arrow" else 3.0}
    elif kind == "circle":
        fields["radius_mm" if in_patient else "radius_px"] = round(size / 2, 2)
    elif kind == "box":
        fields["sides_mm" if in_patient else "sides_px"] = (round(size, 2), round(size, 2))
    elif kind == "line":
        fields |= _anchor(figure, letter, "end", x_mm + _NEW_SIZE_MM, y_mm)
    elif kind == "text":
        fields["text"] = text or "A"
    return _with_marks(figure.recipe, letter, (*marks_of(figure.recipe, letter), fields))


def without_mark(recipe: Recipe, letter: str, index: int) -> Recipe:
    """A panel without one of its marks."""
    _mark_of(recipe, letter, index)
    return _with_marks(recipe, letter, tuple(m for i, m in enumerate(marks_of(recipe, letter)) if i != index))


def with_mark_changed(recipe: Recipe, letter: str, index: int, **changes: Any) -> Recipe:
    """A mark with other values of its fields."""
    changed = {**_mark_of(recipe, letter, index).model_dump(), **changes}
    return _with_marks(recipe, letter, tuple(changed if i == index else m for i, m in enumerate(marks_of(recipe, letter))))


def with_mark_at(figure: Figure, letter: str, index: int, x_mm: float, y_mm: float) -> Recipe:
    """A mark dragged to a place of the page: its anchor follows in the patient, and the end of a line with it."""
    mark = _mark_of(figure.recipe, letter, index)
    changes = _anchor(figure, letter, "anchor", x_mm, y_mm)
    if mark.kind == "line":
        old, end = anchor_on_page(figure, letter, mark), handle_on_page(figure, letter, mark)
        assert end is not None
        changes |= _anchor(figure, letter, "end", end[0] + x_mm - old[0], end[1] + y_mm - old[1])
    return with_mark_changed(figure.recipe, letter, index, **changes)


def with_handle_at(figure: Figure, letter: str, index: int, x_mm: float, y_mm: float) -> Recipe:
    """A mark whose handle was dragged to a place of the page: the anchor stays, direction and size follow."""
    mark = _mark_of(figure.recipe, letter, index)
    x, y = anchor_on_page(figure, letter, mark)
    across, down = x - x_mm, y - y_mm
    scale = _page_per_unit(figure, letter)
    in_patient = mark.anchor_lps_mm is not None
    changes: dict[str, Any] = {}
    if mark.kind in ("arrow", "arrowhead"):
        length = float(np.clip(np.hypot(across, down), *_LENGTHS_MM))
        angle = float(np.degrees(np.arctan2(-down, across))) % 360
        changes = {"direction_deg": round(angle, 1), "length_mm": round(length, 1)}
    elif mark.kind == "circle":
        changes = {"radius_mm" if in_patient else "radius_px": max(0.1, round(float(np.hypot(across, down)) / scale, 2))}
    elif mark.kind == "box":
        sides = tuple(max(0.1, round(2 * abs(v) / scale, 2)) for v in (across, down))
        changes = {"sides_mm" if in_patient else "sides_px": sides}
    elif mark.kind == "line":
        changes = _anchor(figure, letter, "end", x_mm, y_mm)
    return with_mark_changed(figure.recipe, letter, index, **changes)


def with_mark_turned(recipe: Recipe, letter: str, index: int, degrees: float, longer_mm: float = 0.0) -> Recipe:
    """An arrow turned counter-clockwise about its tip, and made longer; other marks stay as they are."""
    mark = _mark_of(recipe, letter, index)
    if mark.kind not in ("arrow", "arrowhead"):
        return recipe
    length = float(np.clip(mark.length_mm + longer_mm, *_LENGTHS_MM))
    return with_mark_changed(
        recipe, letter, index, direction_deg=round((mark.direction_deg + degrees) % 360, 1), length_mm=round(length, 1)
    )


def _mark_of(recipe: Recipe, letter: str, index: int) -> Mark:
    marks = marks_of(recipe, letter)
    if not 0 <= index < len(marks):
        raise UsageError(f"panel {letter!r} has no mark {index}", expected=f"0 to {len(marks) - 1}")
    return marks[index]


def _with_marks(recipe: Recipe, letter: str, marks: tuple[Mark | dict[str, Any], ...]) -> Recipe:
    def dumped(panel: AnyPanel) -> dict[str, Any]:
        data = panel.model_dump()
        if panel.letter == letter:
            data["marks"] = [m.model_dump() if isinstance(m, Mark) else m for m in marks]
        return data

    return revalidated(recipe, panels=[dumped(p) for p in recipe.panels])


def _page_per_unit(figure: Figure, letter: str) -> float:
    """Page mm for a millimetre of the patient, or for a pixel of a picture."""
    panel, box = panel_of(figure.recipe, letter), figure.page.boxes[letter]
    if isinstance(panel, PicturePanel):
        return box.width_mm / int(figure.pictures[letter].shape[1])
    return box.width_mm / volume_panel_of(figure.recipe, letter).plane.field_of_view_mm[0]


def _on_page(figure: Figure, letter: str, point: Vector3 | None, pixel: tuple[float, float] | None) -> PagePoint:
    if point is not None:
        return place_on_page(figure, letter, point)
    assert pixel is not None
    panel, box, scale = panel_of(figure.recipe, letter), figure.page.boxes[letter], _page_per_unit(figure, letter)
    left, top = (panel.crop_px or (0, 0))[:2] if isinstance(panel, PicturePanel) else (0, 0)
    return box.x_mm + (pixel[0] - left) * scale, box.y_mm + (pixel[1] - top) * scale


def _anchor(figure: Figure, letter: str, name: str, x_mm: float, y_mm: float) -> dict[str, Any]:
    """`anchor` or `end` at a place of the page: in the patient, or in the pixels of a picture panel."""
    panel = panel_of(figure.recipe, letter)
    if isinstance(panel, PicturePanel):
        box, scale = figure.page.boxes[letter], _page_per_unit(figure, letter)
        left, top = (panel.crop_px or (0, 0))[:2]
        return {f"{name}_px": (round(left + (x_mm - box.x_mm) / scale, 1), round(top + (y_mm - box.y_mm) / scale, 1))}
    return {f"{name}_lps_mm": tuple(round(v, 2) for v in point_from_page(figure, letter, x_mm, y_mm))}
