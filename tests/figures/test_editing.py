"""Edits of a figure desk: each gives a valid new recipe, and dragging on the page is dragging in the patient."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.figures.figure_cases import AXIAL, LESION, arrow, panel, plane
from tests.figures.phantom_head import FRAME_CT, head, series_of, study_of

from neuraxis.domain.study import Role
from neuraxis.domain.window import window_preset
from neuraxis.errors import NeuraxisError, UsageError
from neuraxis.figures import Figure, Recipe, draw_figure
from neuraxis.figures import editing as edit
from neuraxis.figures import mark_editing as marks
from neuraxis.figures.recipe import Layout, PicturePanel, PlaceholderPanel
from neuraxis.figures.scene import Polygon


@pytest.fixture
def figure() -> Figure:
    ct = head()
    panels = (
        panel(ct, "a", marks=(arrow(),)), panel(ct, "b", plane=plane(field=(80.0, 60.0))),
        PlaceholderPanel(letter="c", reason="none"),
    )
    recipe = Recipe(panels=panels, layout=Layout(rows=(("a", "b"), ("c",))))
    return draw_figure(recipe, study_of(series_of(ct, Role.CT)))


def redrawn(figure: Figure, recipe: Recipe) -> Figure:
    return draw_figure(recipe, study_of(series_of(head(), Role.CT)))


def test_page_and_patient_are_each_others_inverse(figure: Figure) -> None:
    for letter in "ab":
        at = marks.place_on_page(figure, letter, (-25.0, 3.0, LESION[2]))
        assert marks.point_from_page(figure, letter, *at) == pytest.approx((-25.0, 3.0, LESION[2]), abs=1e-9)


def test_a_dragged_mark_stands_where_it_was_dropped(figure: Figure) -> None:
    box = figure.page.boxes["a"]
    drop = (box.x_mm + 20.0, box.y_mm + 33.0)
    moved = redrawn(figure, marks.with_mark_at(figure, "a", 0, *drop))
    shape = next(i for i in moved.scene.of_panel("a") if isinstance(i, Polygon) and i.name == "arrow")
    assert shape.points_mm[0] == pytest.approx(drop, abs=0.01)


def test_a_dragged_tail_turns_the_arrow_and_keeps_its_tip(figure: Figure) -> None:
    tip = marks.place_on_page(figure, "a", LESION)
    recipe = marks.with_handle_at(figure, "a", 0, tip[0] + 3.0, tip[1] + 4.0)
    mark = edit.volume_panel_of(recipe, "a").marks[0]
    assert mark.anchor_lps_mm == LESION
    assert mark.length_mm == pytest.approx(5.0)
    # the tail is below and to the right, so the arrow points up and to the left
    assert np.cos(np.radians(mark.direction_deg)) == pytest.approx(-0.6, abs=0.01)
    assert np.sin(np.radians(mark.direction_deg)) == pytest.approx(0.8, abs=0.01)


def test_a_crop_shows_the_rectangle_and_nothing_else(figure: Figure) -> None:
    box = figure.page.boxes["a"]
    recipe = edit.cropped_to(figure, "a", 10.0, 20.0, box.width_mm / 4, box.height_mm / 4)
    spec = edit.volume_panel_of(recipe, "a").plane
    assert spec.field_of_view_mm == pytest.approx((50.0, 50.0), rel=2e-3)
    corner = marks.point_from_page(figure, "a", box.x_mm + 10.0, box.y_mm + 20.0)
    assert np.subtract(spec.centre_lps_mm, corner) == pytest.approx((25.0, 25.0, 0.0), abs=0.1)


def test_windows_and_fields_of_view_are_equalised(figure: Figure) -> None:
    bone = edit.volume_panel_of(figure.recipe, "a").window.of(window_preset("bone"))
    recipe = edit.with_panel(figure.recipe, edit.volume_panel_of(figure.recipe, "a").model_copy(update={"window": bone}))
    recipe = edit.equal_windows(recipe, "a", ["b"])
    recipe = edit.equal_fields_of_view(recipe, "b", ["a"])
    assert edit.volume_panel_of(recipe, "b").window.name == "bone"
    assert edit.volume_panel_of(recipe, "a").plane.field_of_view_mm == (80.0, 60.0)
    with pytest.raises(UsageError, match="'c' shows no volume"):
        edit.equal_windows(recipe, "a", ["c"])


def test_panels_are_added_removed_arranged_and_lettered_anew(figure: Figure) -> None:
    recipe = edit.with_panel(figure.recipe, PlaceholderPanel(letter="d", reason="later"))
    assert recipe.layout.rows == (("a", "b"), ("c", "d"))
    recipe = edit.without_panel(recipe, "c")
    assert recipe.layout.rows == (("a", "b"), ("d",))
    recipe = edit.arranged(recipe, [["d"], ["b", "a"]], reletter=True)
    assert [p.kind for p in recipe.panels] == ["placeholder", "volume", "volume"]
    assert recipe.layout.rows == (("a",), ("b", "c"))
    assert edit.volume_panel_of(recipe, "b").plane.field_of_view_mm == (80.0, 60.0)
    with pytest.raises(NeuraxisError, match=r"no panel 'x'.*a, b, c"):
        edit.without_panel(recipe, "x")


def test_a_view_is_captured_as_a_panel() -> None:
    ct = head()
    made = edit.captured_panel(
        "a", series_of(ct, Role.CT), ct, centre_lps_mm=LESION, right=AXIAL[0], down=AXIAL[1], field_of_view_mm=(90.0, 70.0),
        window=window_preset("subdural"), name="axial",
    )
    assert made.plane.frame_of_reference_uid == FRAME_CT
    assert made.window.name == "subdural"
    figure = draw_figure(Recipe(panels=(made,)), study_of(series_of(ct, Role.CT)))
    assert figure.page.boxes["a"].width_px / figure.page.boxes["a"].height_px == pytest.approx(90 / 70, rel=1e-3)


@pytest.mark.parametrize("kind", ["arrow", "arrowhead", "asterisk", "circle", "box", "line", "text"])
def test_every_kind_of_mark_is_placed_moved_and_removed_where_the_page_says(figure: Figure, kind: str) -> None:
    box = figure.page.boxes["b"]
    at = (box.x_mm + 12.0, box.y_mm + 9.0)
    placed = redrawn(figure, marks.with_new_mark(figure, "b", kind, *at))
    (mark,) = marks.marks_of(placed.recipe, "b")
    assert mark.kind == kind
    assert marks.anchor_on_page(placed, "b", mark) == pytest.approx(at, abs=0.01)
    handle = marks.handle_on_page(placed, "b", mark)
    moved = redrawn(figure, marks.with_mark_at(placed, "b", 0, at[0] + 5.0, at[1] + 2.0))
    (after,) = marks.marks_of(moved.recipe, "b")
    assert marks.anchor_on_page(moved, "b", after) == pytest.approx((at[0] + 5.0, at[1] + 2.0), abs=0.01)
    if handle is not None:
        # the handle goes along, and where it is dragged to it stays
        assert marks.handle_on_page(moved, "b", after) == pytest.approx((handle[0] + 5.0, handle[1] + 2.0), abs=0.1)
        wanted = (at[0] + 9.0, at[1] + (2.0 if kind == "circle" else 6.0))
        resized = redrawn(figure, marks.with_handle_at(moved, "b", 0, *wanted))
        (grown,) = marks.marks_of(resized.recipe, "b")
        assert marks.handle_on_page(resized, "b", grown) == pytest.approx(wanted, abs=0.1)
    assert marks.marks_of(marks.without_mark(moved.recipe, "b", 0), "b") == ()


def test_marks_on_a_picture_are_anchored_in_its_pixels(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((300, 400, 3), np.uint8)).save(tmp_path / "h.png")
    recipe = Recipe(panels=(PicturePanel(letter="a", file="h.png", crop_px=(100, 50, 200, 100)),), width_mm=84)
    figure = draw_figure(recipe, study_of(), folder=tmp_path)
    box = figure.page.boxes["a"]
    made = marks.with_new_mark(figure, "a", "circle", box.x_mm + box.width_mm / 2, box.y_mm + box.height_mm / 2)
    (mark,) = marks.marks_of(made, "a")
    assert mark.anchor_px == (200.0, 100.0)
    assert mark.radius_px == pytest.approx(3.0 * 200 / box.width_mm, abs=0.01)
    assert draw_figure(made, study_of(), folder=tmp_path).scene.items


def test_zoom_keeps_the_point_under_the_pointer_and_pan_follows_it(figure: Figure) -> None:
    box = figure.page.boxes["b"]
    at = (box.x_mm + 7.0, box.y_mm + 5.0)
    before = marks.point_from_page(figure, "b", *at)
    zoomed = redrawn(figure, edit.zoomed(figure, "b", 2.0, *at))
    assert edit.volume_panel_of(zoomed.recipe, "b").plane.field_of_view_mm == (40.0, 30.0)
    assert marks.point_from_page(zoomed, "b", *at) == pytest.approx(before, abs=0.02)
    panned = redrawn(figure, edit.panned(figure, "b", 3.0, -2.0))
    assert marks.point_from_page(panned, "b", at[0] + 3.0, at[1] - 2.0) == pytest.approx(before, abs=0.02)
    # a scale bar that no longer fits gets shorter, and longer again where the field allows
    tiny = redrawn(figure, edit.zoomed(figure, "b", 8.0, *at))
    assert edit.volume_panel_of(tiny.recipe, "b").scale_bar_mm == 2.0
    assert edit.fitting_bar_mm(2.0, 200.0) == 50.0


def test_panels_move_to_where_they_are_dropped_and_are_lettered_in_order(figure: Figure) -> None:
    assert edit.rows_of(figure) == [["a", "b"], ["c"]]
    assert edit.moved_panel(figure, "c", 0, 0).layout.rows == (("c", "a", "b"),)
    assert edit.moved_panel(figure, "b", 1, 0).layout.rows == (("a",), ("b", "c"))
    assert edit.moved_panel(figure, "a", 0, 5).layout.rows == (("b", "a"), ("c",))
    assert edit.moved_panel(figure, "b", 0, 0, own_row=True).layout.rows == (("b",), ("a",), ("c",))
    assert edit.moved_panel(figure, "a", 2, 0).layout.rows == (("b",), ("c",), ("a",))
    assert edit.moved_panel(figure, "a", 0, 0) == figure.recipe
    turned = redrawn(figure, edit.moved_panel(figure, "b", 0, 0))
    again = edit.relettered(turned)
    assert again.layout.rows == (("a", "b"), ("c",))
    assert edit.volume_panel_of(again, "a").plane.field_of_view_mm == (80.0, 60.0)
