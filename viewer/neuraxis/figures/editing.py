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
from neuraxis.figures.from_legend import panel_heading
from neuraxis.figures.recipe import (
    Layout,
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
        letter=letter, series=reference, plane=plane, window=WindowSpec.of(window), text=panel_heading(series, window.name),
        scale_bar_mm=fitting_bar_mm(10.0, field_of_view_mm[0]),
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
    for letter in letters:
        recipe = _with_plane(recipe, letter, volume_panel_of(recipe, letter).plane.centre_lps_mm, field)
    return recipe


def cropped_to(figure: Figure, letter: str, left_mm: float, top_mm: float, width_mm: float, height_mm: float) -> Recipe:
    """A panel cropped to a rectangle of the page (mm from the panel's top left corner)."""
    recipe, panel = figure.recipe, volume_panel_of(figure.recipe, letter)
    box = figure.page.boxes[letter]
    grid = PixelGrid(panel.plane, box.width_px, box.height_px)
    per_page = panel.plane.field_of_view_mm[0] / box.width_mm
    centre = grid.lps_from_mm((left_mm + width_mm / 2) * per_page, (top_mm + height_mm / 2) * per_page)
    return _with_plane(recipe, letter, centre, (width_mm * per_page, height_mm * per_page))


def zoomed(figure: Figure, letter: str, factor: float, x_mm: float, y_mm: float) -> Recipe:
    """A panel enlarged so that what lies at a place of the page stays there; the scale bar is kept where it fits."""
    panel, box = volume_panel_of(figure.recipe, letter), figure.page.boxes[letter]
    grid = PixelGrid(panel.plane, box.width_px, box.height_px)
    per_page = panel.plane.field_of_view_mm[0] / box.width_mm
    field = tuple(float(np.clip(round(v / factor, 2), 2.0, 1000.0)) for v in panel.plane.field_of_view_mm)
    anchor = np.asarray(grid.lps_from_mm((x_mm - box.x_mm) * per_page, (y_mm - box.y_mm) * per_page))
    share = field[0] / panel.plane.field_of_view_mm[0]
    centre = anchor + (np.asarray(panel.plane.centre_lps_mm) - anchor) * share
    return _with_plane(figure.recipe, letter, centre, field)


def panned(figure: Figure, letter: str, right_mm: float, down_mm: float) -> Recipe:
    """A panel whose picture moved by millimetres of the page to the right and down."""
    panel, box = volume_panel_of(figure.recipe, letter), figure.page.boxes[letter]
    per_page = panel.plane.field_of_view_mm[0] / box.width_mm
    shift = right_mm * per_page * np.asarray(panel.plane.right) + down_mm * per_page * np.asarray(panel.plane.down)
    return _with_plane(figure.recipe, letter, np.asarray(panel.plane.centre_lps_mm) - shift, panel.plane.field_of_view_mm)


def _with_plane(recipe: Recipe, letter: str, centre: Any, field: tuple[float, ...]) -> Recipe:
    def change(panel: VolumePanel) -> VolumePanel:
        moved = panel.plane.model_copy(
            update={"centre_lps_mm": tuple(round(float(v), 3) for v in centre), "field_of_view_mm": field}
        )
        bar = fitting_bar_mm(panel.scale_bar_mm, field[0])
        return panel.model_copy(update={"plane": moved, "scale_bar_mm": bar})

    return _each(recipe, [letter], change)


def fitting_bar_mm(bar_mm: float | None, field_mm: float) -> float | None:
    """The length of a scale bar in a field of view: its own while it takes 3 to 60 % of it, else 50, 10, 5, 2 or 1 mm."""
    if bar_mm is None or 0.03 * field_mm <= bar_mm <= 0.6 * field_mm:
        return bar_mm
    return next((v for v in (50.0, 10.0, 5.0, 2.0) if v <= 0.4 * field_mm), 1.0 if field_mm > 2 else None)


def rows_of(figure: Figure) -> list[list[str]]:
    """Letters of the panels as they stand on the page, row by row from the left."""
    boxes = figure.page.boxes
    tops = sorted({box.y_px for box in boxes.values()})
    return [sorted((x for x, box in boxes.items() if box.y_px == top), key=lambda x: boxes[x].x_px) for top in tops]


def moved_panel(figure: Figure, letter: str, row: int, column: int, *, own_row: bool = False) -> Recipe:
    """A panel at another place: before the panel that stands at (row, column) now, or in a new row above `row`."""
    panel_of(figure.recipe, letter)
    rows: list[list[str]] = [list(r) for r in rows_of(figure)]
    target = rows[row] if 0 <= row < len(rows) else []
    before = target[column] if not own_row and column < len(target) else None
    if before == letter:
        return figure.recipe
    marked: list[list[str]] = [[x for x in r if x != letter] for r in rows]
    if own_row or row >= len(rows):
        marked.insert(min(max(row, 0), len(rows)), [letter])
    else:
        place = marked[row].index(before) if before is not None else len(marked[row])
        marked[row].insert(place, letter)
    return arranged(figure.recipe, [r for r in marked if r])


def relettered(figure: Figure) -> Recipe:
    """Panels named a, b, c, ... in the order in which they stand on the page."""
    return arranged(figure.recipe, rows_of(figure), reletter=True)
