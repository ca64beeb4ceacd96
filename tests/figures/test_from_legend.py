"""From a legend: series, planes, windows, layout, and arrows that point at the finding and hide nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.figures.figure_cases import LESION, SHIFT, legend, lesion_on, two_frames
from tests.figures.phantom_head import head, series_of, study_of

from neuraxis.domain.legend import Claim, Panel
from neuraxis.domain.study import Role
from neuraxis.domain.transform import RegistrationSet
from neuraxis.figures import Figure, Recipe, RecipeError, draw_figure, recipe_at_point, recipe_from_legend
from neuraxis.figures.recipe import PlaceholderPanel, VolumePanel
from neuraxis.figures.sampling import PixelGrid, sample_grid
from neuraxis.figures.scene import Picture, Polygon, Text

SEVEN = legend(
    Panel("a", modality="CT", sequence="CT", plane="axial", window="brain", zoom=True, marks=("arrow",)),
    Panel("b", modality="CT", sequence="CT", plane="coronal", zoom=True, marks=("arrow",)),
    Panel("c", modality="CT", sequence="CT", plane="axial", window="bone", marks=("arrow",)),
    Panel("d", modality="MR", sequence="T1", plane="axial", marks=("arrow",)),
    Panel("e", modality="MR", sequence="T2", plane="axial", marks=("arrowhead",)),
    Panel("f", modality="MR", sequence="SWI", plane="axial", marks=("arrow",)),
    Panel("g", modality="MR", sequence="T1C", plane="axial", contrast="post", marks=("circle",)),
    text="A lesion {of the foramen magnum}.",
)


@pytest.fixture(scope="module")
def made() -> tuple[Recipe, Figure]:
    study, lesion, registrations = two_frames()
    recipe = recipe_from_legend(study, SEVEN, lesion, registrations)
    return recipe, draw_figure(recipe, study)


def volume_panel(recipe: Recipe, letter: str) -> VolumePanel:
    found = next(p for p in recipe.panels if p.letter == letter)
    assert isinstance(found, VolumePanel)
    return found


def test_panels_take_series_plane_and_window_from_the_words(made: tuple[Recipe, Figure]) -> None:
    recipe, _ = made
    assert [p.letter for p in recipe.panels] == list("abcdefg")
    assert [volume_panel(recipe, x).series.series_id for x in "abcdeg"] == ["ct", "ct", "ct", "t1", "t2", "t1c"]
    assert [volume_panel(recipe, x).plane.name for x in "abc"] == ["axial", "coronal", "axial"]
    windows = [(volume_panel(recipe, x).window.name, volume_panel(recipe, x).window.width) for x in "abc"]
    assert windows == [("brain", 80), ("brain", 80), ("bone", 2000)]
    assert volume_panel(recipe, "a").plane.field_of_view_mm[0] < volume_panel(recipe, "c").plane.field_of_view_mm[0]
    assert recipe.caption_text() == SEVEN.text


def test_rows_break_where_the_modality_changes(made: tuple[Recipe, Figure]) -> None:
    assert made[0].layout.rows == (("a", "b", "c"), ("d", "e", "f", "g"))
    boxes = made[1].page.boxes
    assert boxes["c"].x_px + boxes["c"].width_px == boxes["g"].x_px + boxes["g"].width_px == made[1].page.width_px


def test_a_sequence_that_the_study_lacks_becomes_a_placeholder_with_the_reason(made: tuple[Recipe, Figure]) -> None:
    empty = next(p for p in made[0].panels if p.letter == "f")
    assert isinstance(empty, PlaceholderPanel)
    assert empty.reason == "the legend asks for axial SWI; the study has no such volume"
    assert any("panel f is empty" in note for note in made[1].notes)


def test_each_panel_is_centred_on_the_lesion_in_its_own_frame(made: tuple[Recipe, Figure]) -> None:
    recipe, figure = made
    for letter, expected in (("a", LESION), ("d", tuple(np.add(LESION, SHIFT)))):
        assert volume_panel(recipe, letter).plane.centre_lps_mm == pytest.approx(expected, abs=0.6)
    # slices of 4 mm are shown as acquired: the plane is that of the nearest slice centre
    t2 = volume_panel(recipe, "e")
    geometry = figure.sources["e"].volume.geometry
    index = float(geometry.index_from_lps(t2.plane.centre_lps_mm)[0])
    assert index == pytest.approx(round(index), abs=1e-3)
    assert abs(t2.plane.centre_lps_mm[2] - (LESION[2] + SHIFT[2])) <= 2.0


def test_arrows_point_at_the_lesion_stop_short_of_it_and_hide_no_letter(made: tuple[Recipe, Figure]) -> None:
    recipe, figure = made
    for letter in "abcd":
        panel = volume_panel(recipe, letter)
        (mark,) = panel.marks
        assert mark.anchor_lps_mm is not None
        box = figure.page.boxes[letter]
        grid = PixelGrid(panel.plane, box.width_px, box.height_px)
        page = box.width_mm / panel.plane.field_of_view_mm[0]
        lesion = np.multiply(grid.mm_from_lps(LESION if letter in "abc" else tuple(np.add(LESION, SHIFT))), page)
        tip = np.multiply(grid.mm_from_lps(mark.anchor_lps_mm), page)
        towards = lesion - tip
        angle = np.degrees(np.arctan2(-towards[1], towards[0])) % 360
        assert (angle - mark.direction_deg + 180) % 360 - 180 == pytest.approx(0, abs=12)
        # the tip stands 0.3 to 2 mm of page from the lesion's edge (radius 2 mm in the patient)
        assert 0.3 < np.hypot(*towards) - 2 * page < 2.0
        polygon = next(i for i in figure.scene.of_panel(letter) if isinstance(i, Polygon) and i.name == "arrow")
        corners = np.asarray(polygon.points_mm)
        assert corners[:, 0].min() > box.x_mm
        assert corners[:, 0].max() < box.x_mm + box.width_mm
        for item in figure.scene.of_panel(letter):
            if isinstance(item, Picture) or item is polygon:
                continue
            left, top, right, bottom = item.box_mm()
            inside = (corners > (left, top)).all(axis=1) & (corners < (right, bottom)).all(axis=1)
            assert not inside.any(), (letter, item)


def test_marks_are_of_the_kind_that_the_legend_states(made: tuple[Recipe, Figure]) -> None:
    assert [m.kind for m in volume_panel(made[0], "e").marks] == ["arrowhead"]
    (circle,) = volume_panel(made[0], "g").marks
    assert circle.kind == "circle"
    assert circle.anchor_lps_mm == pytest.approx(tuple(np.add(LESION, SHIFT)), abs=0.8)


def test_a_legend_without_marks_gets_arrows_and_one_with_marks_only_those() -> None:
    study, lesion, registrations = two_frames()
    bare = legend(Panel("a", modality="CT", sequence="CT"), Panel("b", modality="MR", sequence="T2"))
    recipe = recipe_from_legend(study, bare, lesion, registrations)
    assert all(len(volume_panel(recipe, x).marks) == 1 for x in "ab")
    one = legend(Panel("a", modality="CT", sequence="CT", marks=("arrow",)), Panel("b", modality="MR", sequence="T2"))
    recipe = recipe_from_legend(study, one, lesion, registrations)
    assert [len(volume_panel(recipe, x).marks) for x in "ab"] == [1, 0]


def test_t1_before_and_after_contrast_share_a_window_after_scaling() -> None:
    study, lesion, registrations = two_frames()
    ratio = 1.5
    series = []
    for s in study.series:
        volume = s.volume()
        if volume.series_id == "t1c":
            scaled = (volume.array * ratio).astype(np.float32)
            volume = type(volume)(
                scaled, volume.geometry, volume.kind, series_id="t1c", series_uid=volume.series_uid
            )
        series.append(series_of(volume, s.role.role, modality=s.modality))
    figure = legend(Panel("a", modality="MR", sequence="T1"), Panel("b", modality="MR", sequence="T1C", contrast="post"))
    recipe = recipe_from_legend(study_of(*series), figure, lesion, registrations)
    pre, post = (volume_panel(recipe, x).window for x in "ab")
    assert post.width / pre.width == pytest.approx(ratio, rel=0.01)
    assert "same window for panels a and b" in pre.note
    greys = []
    drawn = draw_figure(recipe, study_of(*series))
    for letter in "ab":
        panel = volume_panel(recipe, letter)
        values = sample_grid(drawn.sources[letter].volume, PixelGrid(panel.plane, 50, 50))
        greys.append(float(panel.window.window().to_grey(values)[5, 25]))
    assert greys[0] == pytest.approx(greys[1], abs=2)


def test_an_unregistered_frame_is_said_and_not_guessed() -> None:
    study, lesion, _ = two_frames()
    figure = legend(Panel("a", modality="MR", sequence="T2", plane="axial"))
    recipe = recipe_from_legend(study, figure, lesion, RegistrationSet())
    (panel,) = recipe.panels
    assert isinstance(panel, PlaceholderPanel)
    assert "another frame of reference and is not registered" in panel.reason


def test_a_series_that_does_not_reach_the_lesion_is_said() -> None:
    ct = head()
    away = head(shape=(20, 200, 170), shift=(0.0, 0.0, 0.0), series_id="far")
    far = type(away)(
        away.array, away.geometry.cropped((200, 0, 0), (20, 200, 170)), away.kind, series_id="far", series_uid=away.series_uid
    )
    study = study_of(series_of(far, Role.CT))
    recipe = recipe_from_legend(
        study, legend(Panel("a", modality="CT", sequence="CT")), lesion_on(ct), RegistrationSet()
    )
    assert isinstance(recipe.panels[0], PlaceholderPanel)
    assert "series far does not reach the lesion" in recipe.panels[0].reason


def test_3d_histology_and_unknown_sequences_are_said_not_dropped() -> None:
    study, lesion, registrations = two_frames()
    figure = legend(
        Panel("a", modality="CT", sequence="CT", plane="3d"), Panel("b", kind="histology"),
        Panel("c", modality="MR", sequence="PWI"), Panel("d", modality="MR"),
    )
    reasons = [p.reason for p in recipe_from_legend(study, figure, lesion, registrations).panels]  # type: ignore[union-attr]
    assert "3D" in reasons[0]
    assert "give a picture file for panel b" in reasons[1]
    assert "no series of this kind" in reasons[2]
    assert "without naming a sequence" in reasons[3]


def test_the_sharp_kernel_is_taken_for_bone_and_the_soft_one_for_brain() -> None:
    soft, sharp = head(series_id="soft"), head(series_id="sharp")
    study = study_of(
        series_of(soft, Role.CT, convolution_kernel="H31s"), series_of(sharp, Role.CT, convolution_kernel="H60s")
    )
    figure = legend(
        Panel("a", modality="CT", sequence="CT", window="bone"), Panel("b", modality="CT", sequence="CT", window="brain"),
    )
    recipe = recipe_from_legend(study, figure, lesion_on(soft), RegistrationSet())
    assert [volume_panel(recipe, x).series.series_id for x in "ab"] == ["sharp", "soft"]


def test_a_lesion_at_the_edge_of_the_scan_moves_the_field_of_view_inside() -> None:
    ct = head(lesion_lps_mm=(-20.0, 10.0, -50.0))
    lesion = lesion_on(ct, (-20.0, 10.0, -50.0))
    figure = legend(Panel("a", modality="CT", sequence="CT", plane="coronal"))
    panel = volume_panel(recipe_from_legend(study_of(series_of(ct, Role.CT)), figure, lesion, RegistrationSet()), "a")
    values = sample_grid(ct, PixelGrid(panel.plane, 80, 80))
    assert np.isfinite(values).mean() > 0.8
    assert panel.plane.centre_lps_mm[2] > -50.0


def test_the_same_legend_gives_the_same_recipe() -> None:
    first, second = (recipe_from_legend(s, SEVEN, lesion, regs) for s, lesion, regs in (two_frames(), two_frames()))
    assert first == second


def test_thin_ct_slices_are_averaged_for_brain_but_not_for_bone() -> None:
    ct = head(spacing=(0.8, 0.8, 1.0))
    figure = legend(
        Panel("a", modality="CT", sequence="CT", window="brain"), Panel("b", modality="CT", sequence="CT", window="bone")
    )
    recipe = recipe_from_legend(study_of(series_of(ct, Role.CT)), figure, lesion_on(ct), RegistrationSet())
    brain, bone = (volume_panel(recipe, x).plane for x in "ab")
    assert 1.0 <= brain.slab_mm < 4.0  # never thicker than the lesion
    assert brain.projection == "mean"
    assert bone.slab_mm == 0.0


def test_arrows_come_from_the_side_that_the_claims_state() -> None:
    ct = head(hu=False, series_id="t2", lesion_value=20.0)
    for side, sign in (("right", 1.0), ("left", -1.0)):
        claim = Claim("location", "foramen_magnum", laterality=side)
        figure = legend(Panel("a", modality="MR", sequence="T2", plane="axial", marks=("arrow",), claims=(claim,)))
        study = study_of(series_of(ct, Role.T2, modality="MR"))
        (mark,) = volume_panel(recipe_from_legend(study, figure, lesion_on(ct), RegistrationSet()), "a").marks
        # an arrow from the patient's right points to screen right
        assert np.cos(np.radians(mark.direction_deg)) * sign > 0.5


def test_a_point_without_a_lesion_gives_whole_head_panels_without_arrows() -> None:
    ct = head()
    figure = legend(
        Panel("a", modality="CT", sequence="CT", window="brain"), Panel("b", modality="CT", sequence="CT", plane="coronal"),
        Panel("c", modality="CT", sequence="CT", zoom=True, marks=("arrow",)),
    )
    study = study_of(series_of(ct, Role.CT))
    recipe = recipe_at_point(study, figure, (0.0, 0.0, 0.0), ct.frame_of_reference_uid)
    assert [volume_panel(recipe, x).plane.field_of_view_mm[0] for x in "ab"] == [230.0, 230.0]
    assert not volume_panel(recipe, "a").marks
    assert len(volume_panel(recipe, "c").marks) == 1
    assert draw_figure(recipe, study).scene.items


def test_a_missing_slice_is_told_with_the_figure() -> None:
    whole = head()
    gappy = replace(whole, missing_slices=(40,), series_id="gap")
    study = study_of(series_of(gappy, Role.CT))
    recipe = recipe_at_point(
        study, legend(Panel("a", modality="CT", sequence="CT")), (0.0, 0.0, 0.0), gappy.frame_of_reference_uid
    )
    assert any("1 slice missing" in note for note in draw_figure(recipe, study).notes)


def test_labels_that_say_a_place_put_panels_there_and_are_not_printed() -> None:
    study, lesion, registrations = two_frames()
    wanted = [Panel(x, modality="CT", sequence="CT") for x in ("top-left", "top-right", "bottom")]
    recipe = recipe_from_legend(study, legend(*wanted), lesion, registrations)
    assert recipe.layout.rows == (("top-left", "top-right"), ("bottom",))
    figure = draw_figure(recipe, study)
    assert not [i for i in figure.scene.items if isinstance(i, Text) and i.role == "letter"]


def test_what_is_neither_ct_nor_mr_is_said() -> None:
    study, lesion, registrations = two_frames()
    recipe = recipe_from_legend(study, legend(Panel("a", modality="DSA")), lesion, registrations)
    assert isinstance(recipe.panels[0], PlaceholderPanel)
    assert recipe.panels[0].reason == "the legend asks for DSA; panels are drawn from CT and MR only"


def test_a_legend_longer_than_a_caption_may_be_is_refused_in_words() -> None:
    study, lesion, registrations = two_frames()
    long = legend(Panel("a", modality="CT", sequence="CT"), text="word " * 5000)
    with pytest.raises(RecipeError, match=r"caption is .*at most 20000 characters"):
        recipe_from_legend(study, long, lesion, registrations)


@pytest.mark.parametrize(("kind", "size"), [("box", "sides_mm"), ("circle", "radius_mm"), ("asterisk", None), ("line", None)])
def test_marks_that_a_legend_names_are_placed_around_or_beside_the_finding(kind: str, size: str | None) -> None:
    study, lesion, registrations = two_frames()
    wanted = legend(Panel("a", modality="CT", sequence="CT", plane="axial", marks=(kind,)))
    recipe = recipe_from_legend(study, wanted, lesion, registrations, width_mm=84.0)
    (mark,) = volume_panel(recipe, "a").marks
    assert mark.kind == ("arrow" if kind == "line" else kind)
    assert mark.anchor_lps_mm is not None
    off = float(np.linalg.norm(np.subtract(mark.anchor_lps_mm, LESION)))
    if size is not None:
        # around the 4 mm lesion with room, centred on it
        assert off < 1.0
        assert np.ravel(getattr(mark, size)).max() > (4.0 if kind == "box" else 2.0)
    else:
        assert 2.0 < off < 15.0
    assert ("words do not tell where a line" in " ".join(recipe.notes)) == (kind == "line")
