"""Edits of a figure desk: each gives a valid new recipe, and dragging on the page is dragging in the patient."""

from __future__ import annotations

import numpy as np
import pytest
from tests.figures.figure_cases import AXIAL, LESION, arrow, panel, plane
from tests.figures.phantom_head import FRAME_CT, head, series_of, study_of

from neuraxis.domain.study import Role
from neuraxis.domain.window import window_preset
from neuraxis.errors import NeuraxisError, UsageError
from neuraxis.figures import Figure, Recipe, draw_figure
from neuraxis.figures import editing as edit
from neuraxis.figures.recipe import Layout, PlaceholderPanel
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
        at = edit.place_on_page(figure, letter, (-25.0, 3.0, LESION[2]))
        assert edit.point_from_page(figure, letter, *at) == pytest.approx((-25.0, 3.0, LESION[2]), abs=1e-9)


def test_a_dragged_mark_stands_where_it_was_dropped(figure: Figure) -> None:
    box = figure.page.boxes["a"]
    drop = (box.x_mm + 20.0, box.y_mm + 33.0)
    moved = redrawn(figure, edit.with_mark_at(figure, "a", 0, *drop))
    shape = next(i for i in moved.scene.of_panel("a") if isinstance(i, Polygon) and i.name == "arrow")
    assert shape.points_mm[0] == pytest.approx(drop, abs=0.01)


def test_a_dragged_tail_turns_the_arrow_and_keeps_its_tip(figure: Figure) -> None:
    tip = edit.place_on_page(figure, "a", LESION)
    recipe = edit.with_arrow_from(figure, "a", 0, tip[0] + 3.0, tip[1] + 4.0)
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
    corner = edit.point_from_page(figure, "a", box.x_mm + 10.0, box.y_mm + 20.0)
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
