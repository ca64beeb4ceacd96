"""Changes to a recipe as a figure desk makes them: every one gives a new recipe, so undo is keeping the old."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from neuraxis.domain.geometry import Vector3
from neuraxis.domain.study import Series
from neuraxis.domain.volume import ValueKind, Volume
from neuraxis.domain.window import Window
from neuraxis.errors import UsageError
from neuraxis.figures.figure import Figure
from neuraxis.figures.recipe import (
    Layout,
    Mark,
    PicturePanel,
    PlaceholderPanel,
    PlaneSpec,
    Recipe,
    SeriesReference,
    VolumePanel,
    WindowSpec,
)
from neuraxis.figures.sampling import PixelGrid
from neuraxis.figures.source import pixel_sha256

AnyPanel = VolumePanel | PicturePanel | PlaceholderPanel


def panel_of(recipe: Recipe, letter: str) -> AnyPanel:
    """The panel with a letter; UsageError that lists the letters there are."""
    for panel in recipe.panels:
        if panel.letter == letter:
            return panel
    raise UsageError(
        f"the figure has no panel {letter!r}", expected="one of: " + ", ".join(p.letter for p in recipe.panels)
    )


def volume_panel_of(recipe: Recipe, letter: str) -> VolumePanel:
    """The panel with a letter, which must show a volume."""
    panel = panel_of(recipe, letter)
    if not isinstance(panel, VolumePanel):
        raise UsageError(f"panel {letter!r} shows no volume", expected="a panel drawn from a series")
    return panel


def revalidated(recipe: Recipe, **changes: Any) -> Recipe:
    """The recipe with other values, checked as a whole; RecipeError where they do not fit."""
    from neuraxis.figures.recipe_file import recipe_from_data

    return recipe_from_data({**recipe.model_dump(), **changes})


def with_panel(recipe: Recipe, panel: AnyPanel) -> Recipe:
    """The recipe with the panel of the same letter replaced, or the panel appended."""
    panels = [panel if p.letter == panel.letter else p for p in recipe.panels]
    if panel.letter not in [p.letter for p in recipe.panels]:
        panels.append(panel)
        rows = recipe.layout.rows
        if rows is not None:
            layout = recipe.layout.model_copy(update={"rows": (*rows[:-1], (*rows[-1], panel.letter))})
            return revalidated(recipe, panels=[p.model_dump() for p in panels], layout=layout.model_dump())
    return revalidated(recipe, panels=[p.model_dump() for p in panels])


def without_panel(recipe: Recipe, letter: str) -> Recipe:
    """The recipe without a panel; the last one stays."""
    panel_of(recipe, letter)
    kept = [p.model_dump() for p in recipe.panels if p.letter != letter]
    if not kept:
        raise UsageError("a figure needs at least one panel", remedy="add another panel first")
    rows = recipe.layout.rows
    layout = recipe.layout
    if rows is not None:
        left = tuple(tuple(x for x in row if x != letter) for row in rows)
        layout = layout.model_copy(update={"rows": tuple(row for row in left if row)})
    return revalidated(recipe, panels=kept, layout=layout.model_dump())


def arranged(recipe: Recipe, rows: Sequence[Sequence[str]], *, reletter: bool = False) -> Recipe:
    """The panels in new rows; with `reletter` they are named a, b, c, ... in their new order."""
    order = [letter for row in rows for letter in row]
    panels = [panel_of(recipe, letter) for letter in order]
    names = [chr(ord("a") + i) if i < 26 else f"a{i}" for i in range(len(order))] if reletter else order
    renamed = dict(zip(order, names, strict=True))
    layout = Layout(rows=tuple(tuple(renamed[x] for x in row) for row in rows), gap_mm=recipe.layout.gap_mm)
    changed = [p.model_copy(update={"letter": renamed[p.letter]}).model_dump() for p in panels]
    return revalidated(recipe, panels=changed, layout=layout.model_dump())


def captured_panel(
    letter: str, series: Series, volume: Volume, *, centre_lps_mm: Vector3, right: Vector3, down: Vector3,
    field_of_view_mm: tuple[float, float], window: Window, name: str = "oblique", slab_mm: float = 0.0,
    projection: str = "mean",
) -> VolumePanel:
    """A panel that shows what a view shows now: its plane, field of view and window."""
    plane = PlaneSpec.model_validate(
        {
            "name": name, "frame_of_reference_uid": series.frame_of_reference_uid, "centre_lps_mm": centre_lps_mm,
            "right": right, "down": down, "field_of_view_mm": field_of_view_mm, "slab_mm": slab_mm,
            "projection": projection,
        }
    )
    reference = SeriesReference(
        series_uid=series.series_uid, series_id=series.id, role=series.role.role.value,
        pixel_sha256=pixel_sha256(volume),
    )
    return VolumePanel(
        letter=letter, series=reference, plane=plane, window=WindowSpec.of(window), text=series.role.role.value,
        scale_bar_mm=10.0 if 20 < field_of_view_mm[0] < 170 else round(field_of_view_mm[0] / 4, 1),
        show_window=volume.kind is ValueKind.HU,
    )


def _each(recipe: Recipe, letters: Iterable[str], change: Callable[[VolumePanel], VolumePanel]) -> Recipe:
    changed = {letter: change(volume_panel_of(recipe, letter)) for letter in letters}
    return revalidated(recipe, panels=[changed.get(p.letter, p).model_dump() for p in recipe.panels])


def equal_windows(recipe: Recipe, model: str, letters: Iterable[str]) -> Recipe:
    """Panels take the window of the model panel (sensible for series whose values have the same meaning)."""
    window = volume_panel_of(recipe, model).window
    return _each(recipe, letters, lambda p: p.model_copy(update={"window": window}))


def equal_fields_of_view(recipe: Recipe, model: str, letters: Iterable[str]) -> Recipe:
    """Panels take the field of view of the model panel and keep their centre."""
    field = volume_panel_of(recipe, model).plane.field_of_view_mm
    return _each(
        recipe, letters,
        lambda p: p.model_copy(update={"plane": p.plane.model_copy(update={"field_of_view_mm": field})}),
    )


def cropped_to(figure: Figure, letter: str, left_mm: float, top_mm: float, width_mm: float, height_mm: float) -> Recipe:
    """A panel cropped to a rectangle of the page (mm from the panel's top left corner)."""
    recipe, panel = figure.recipe, volume_panel_of(figure.recipe, letter)
    box = figure.page.boxes[letter]
    grid = PixelGrid(panel.plane, box.width_px, box.height_px)
    per_page = panel.plane.field_of_view_mm[0] / box.width_mm
    centre = grid.lps_from_mm((left_mm + width_mm / 2) * per_page, (top_mm + height_mm / 2) * per_page)
    plane = panel.plane.model_copy(
        update={"centre_lps_mm": centre, "field_of_view_mm": (width_mm * per_page, height_mm * per_page)}
    )
    return _each(recipe, [letter], lambda p: p.model_copy(update={"plane": plane}))


def place_on_page(figure: Figure, letter: str, point_lps_mm: Vector3) -> tuple[float, float]:
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


def with_mark_at(figure: Figure, letter: str, index: int, x_mm: float, y_mm: float) -> Recipe:
    """A mark dragged to a place of the page: its anchor follows in patient space."""
    mark = _mark_of(figure.recipe, letter, index)
    anchor = tuple(round(v, 2) for v in point_from_page(figure, letter, x_mm, y_mm))
    return _with_mark(figure.recipe, letter, index, mark.model_copy(update={"anchor_lps_mm": anchor}))


def with_arrow_from(figure: Figure, letter: str, index: int, x_mm: float, y_mm: float) -> Recipe:
    """An arrow whose tail was dragged to a place of the page: tip stays, direction and length follow."""
    mark = _mark_of(figure.recipe, letter, index)
    assert mark.anchor_lps_mm is not None
    tip = place_on_page(figure, letter, mark.anchor_lps_mm)
    across, down = tip[0] - x_mm, tip[1] - y_mm
    length = float(np.clip(np.hypot(across, down), 1.5, 60.0))
    changes = {"direction_deg": round(float(np.degrees(np.arctan2(-down, across))) % 360, 1), "length_mm": round(length, 1)}
    return _with_mark(figure.recipe, letter, index, mark.model_copy(update=changes))


def _mark_of(recipe: Recipe, letter: str, index: int) -> Mark:
    marks = volume_panel_of(recipe, letter).marks
    if not 0 <= index < len(marks):
        raise UsageError(f"panel {letter!r} has no mark {index}", expected=f"0 to {len(marks) - 1}")
    return marks[index]


def _with_mark(recipe: Recipe, letter: str, index: int, mark: Mark) -> Recipe:
    def change(panel: VolumePanel) -> VolumePanel:
        marks = tuple(mark if i == index else m for i, m in enumerate(panel.marks))
        return panel.model_copy(update={"marks": marks})

    return _each(recipe, [letter], change)
