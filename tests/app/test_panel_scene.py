"""The geometry of a panel against voxels that name themselves."""

from __future__ import annotations

import numpy as np
import pytest
from tests.app.synthetic_study import ACQUISITIONS, geometry_of, place_volume, series_of, sphere_volume, study_of

from neuraxis.align.planes import Projection
from neuraxis.app.open_study import Preview
from neuraxis.app.outlines import mask_on_picture, outline_segments
from neuraxis.app.panel_scene import PanelScene
from neuraxis.app.panel_state import PanelState
from neuraxis.app.pictures import grey_picture, native_picture, screen_picture, slice_index_of
from neuraxis.app.session import StudySession
from neuraxis.app.views import Orientation, native_view
from neuraxis.domain.geometry import orientation_letters
from neuraxis.domain.lesion import LesionMask
from neuraxis.domain.study import Role
from neuraxis.domain.window import Window

PLANES = tuple(Orientation)


def scene_of(kind: str, orientation: Orientation) -> PanelScene:
    session = StudySession(deliver=lambda f: f())
    volume = place_volume(geometry_of(kind))
    session.set_study(study_of(series_of(volume, Role.CT, 1, kind)))
    series = session.find_series("s1")
    assert series is not None
    series.volume()
    scene = PanelScene(session, PanelState("s1", orientation))
    scene.resize(400, 300)
    return scene


@pytest.mark.parametrize("orientation", PLANES)
@pytest.mark.parametrize("kind", ACQUISITIONS)
def test_the_pixel_under_a_click_is_the_voxel_at_that_point(kind: str, orientation: Orientation) -> None:
    scene = scene_of(kind, orientation)
    scene.zoom(1.7, 130, 90)
    scene.pan(11, -7)
    for step in (0, 3, -5):
        scene.step(step)
        view, picture, volume = scene.view(), scene.picture(), scene.volume
        assert view is not None
        assert picture is not None
        assert volume is not None
        rows, columns = picture.values.shape
        for row, column in [(0, 0), (rows - 1, columns - 1), (rows // 2, columns // 3), (1, columns - 2)]:
            point = picture.lps_from_pixel((row, column))
            assert abs(float(view.distance_mm(point))) < 1e-6, "the picture lies in the panel's plane"
            x, y = view.screen_from_lps(point)
            reading = scene.reading_at(float(x), float(y))
            assert reading is not None
            assert reading.value == float(picture.values[row, column])
            assert reading.point_lps_mm == pytest.approx(tuple(point), abs=1e-6)
    scene.session.close()


@pytest.mark.parametrize("kind", ACQUISITIONS)
def test_axial_pictures_have_right_on_the_left_and_anterior_on_top(kind: str) -> None:
    letters = {}
    for orientation in PLANES:
        scene = scene_of(kind, orientation)
        view = scene.view()
        assert view is not None
        letters[orientation] = tuple(text[0] for text in view.letters)
        assert np.dot(view.right, view.down) == pytest.approx(0, abs=1e-9)
        scene.session.close()
    assert letters == {
        Orientation.AXIAL: ("R", "L", "A", "P"), Orientation.CORONAL: ("R", "L", "H", "F"),
        Orientation.SAGITTAL: ("A", "P", "H", "F"),
    }


@pytest.mark.parametrize("kind", ACQUISITIONS)
def test_each_plane_takes_another_array_axis(kind: str) -> None:
    geometry = geometry_of(kind)
    assert {native_view(geometry, o).slice_axis for o in PLANES} == {0, 1, 2}


def test_a_named_point_is_on_the_side_its_letter_says() -> None:
    scene = scene_of("tilted", Orientation.AXIAL)
    view = scene.view()
    assert view is not None
    right_of_patient = np.asarray(view.centre_lps_mm) + np.array([-5.0, 0, 0])
    x, _ = view.screen_from_lps(right_of_patient)
    assert x < view.width / 2
    assert orientation_letters((-1, 0, 0)) == "R"
    scene.session.close()


def test_a_step_goes_to_the_neighbour_slice_and_stops_at_the_ends() -> None:
    scene = scene_of("axial feet last", Orientation.AXIAL)
    first = scene.slice_position()
    scene.step(1)
    second = scene.slice_position()
    assert first is not None
    assert second == (first[0] + 1, first[1])
    point = scene.point
    assert point is not None
    scene.step(-1)
    assert scene.point is not None
    assert scene.point[2] == pytest.approx(point[2] - 2.0), "into an axial screen is towards the head"
    scene.step(1000)
    assert scene.slice_position() == (17, 18)
    scene.session.close()


def test_wheeling_a_gantry_tilted_volume_moves_along_the_normal() -> None:
    scene = scene_of("gantry tilt", Orientation.AXIAL)
    before, view = scene.point, scene.view()
    scene.step(2)
    after = scene.point
    assert before is not None
    assert after is not None
    assert view is not None
    moved = np.subtract(after, before)
    assert np.linalg.norm(np.cross(moved, view.normal)) < 2.1, "no further aside than the slice offset of the start"
    position = scene.slice_position()
    assert position is not None
    assert position[0] in (10, 11)
    scene.session.close()


def test_an_unlinked_panel_keeps_its_own_slice() -> None:
    scene = scene_of("axial", Orientation.AXIAL)
    other = PanelScene(scene.session, PanelState("s1", Orientation.AXIAL, linked=False))
    other.resize(100, 100)
    start = scene.slice_position()
    other.step(4)
    assert scene.slice_position() == start
    assert other.slice_position() != start
    scene.session.close()


def test_slabs_take_the_slices_whose_centre_lies_in_them() -> None:
    volume = place_volume(geometry_of("axial"))
    view = native_view(volume.geometry, Orientation.AXIAL)
    for projection, expected in (
        (Projection.MIP, volume.array[5:10].max(axis=0)), (Projection.MINIP, volume.array[5:10].min(axis=0)),
        (Projection.MEAN, volume.array[5:10].mean(axis=0)),
    ):
        picture = native_picture(volume, view, 7, slab_mm=8.0, projection=projection)
        np.testing.assert_array_equal(picture.values, expected)
        assert picture.slab_mm == pytest.approx(10.0)


def test_the_grey_of_whole_numbers_is_the_grey_of_the_window() -> None:
    values = np.arange(-1200, 3000, dtype=np.int16).reshape(60, 70)
    for window in (Window(40, 80), Window(500, 2000), Window(-3000, 1)):
        for inverted in (False, True):
            np.testing.assert_array_equal(
                grey_picture(values[::-1], window, inverted=inverted), window.to_grey(values[::-1], inverted=inverted)
            )


def test_screen_pixels_are_the_grey_of_the_window_three_times() -> None:
    whole = np.arange(-200, 200, dtype=np.int16).reshape(20, 20)
    for values in (whole, whole.astype(np.float32) + 0.25):
        grey = Window(40, 80).to_grey(values).astype(np.uint32)
        np.testing.assert_array_equal(screen_picture(values, Window(40, 80)), grey * 0x010101 + 0xFF000000)


def test_an_oblique_plane_that_is_turned_by_nothing_shows_the_native_values() -> None:
    scene = scene_of("tilted", Orientation.AXIAL)
    scene.step(1)
    native = scene.picture()
    volume = scene.volume
    scene.set_state(PanelState("s1", Orientation.AXIAL, rotation_degrees=(1e-9, 0.0)))
    oblique = scene.picture()
    assert native is not None
    assert oblique is not None
    assert volume is not None
    assert oblique.interpolated
    view = scene.view()
    assert view is not None
    for point in (native.lps_from_pixel((13, 20)), native.lps_from_pixel((5, 7))):
        step = np.linalg.norm(oblique.step_right_mm)
        offset = point - np.asarray(oblique.origin_lps_mm)
        row, column = (round(float(offset @ np.asarray(d)) / step) for d in (view.down, view.right))
        assert float(oblique.values[row, column]) == pytest.approx(
            float(volume.array[volume.geometry.nearest_index(point)]), abs=40
        )
    scene.session.close()


@pytest.mark.parametrize("orientation", PLANES)
def test_a_mask_is_outlined_where_its_voxels_are(orientation: Orientation) -> None:
    geometry = geometry_of("tilted")
    full = np.zeros(geometry.shape_zyx, dtype=bool)
    full[8:11, 10:15, 12:20] = True
    mask = LesionMask.from_full(geometry, full, series_id="s1")
    volume = place_volume(geometry)
    view = native_view(geometry, orientation)
    picture = native_picture(volume, view, {0: 9, 1: 12, 2: 15}[view.slice_axis])
    part = mask_on_picture(mask, picture)
    assert part is not None
    sizes = (3, 5, 8)
    rows, columns = sizes[view.row_axis], sizes[view.column_axis]
    assert int(part.values.sum()) == rows * columns
    assert len(outline_segments(part.values)) == 2 * (rows + columns)


def test_a_sphere_is_as_large_on_screen_as_in_the_patient() -> None:
    session = StudySession(deliver=lambda f: f())
    centre = (5.0, 18.0, 48.0)
    volume = sphere_volume(geometry_of("gantry tilt"), centre, 6.0, 1000, 0)
    session.set_study(study_of(series_of(volume, Role.CT, 1, "sphere")))
    series = session.find_series("s1")
    assert series is not None
    series.volume()
    session.set_point(series, centre)
    scene = PanelScene(session, PanelState("s1", Orientation.SAGITTAL))
    scene.resize(500, 500)
    scene.focus(40.0)
    view = scene.view()
    assert view is not None
    x, y = view.screen_from_lps(centre)
    assert (x, y) == pytest.approx((250, 250), abs=1e-6)
    assert view.mm_per_pixel == pytest.approx(0.08)
    inside = [scene.reading_at(250 + r / 0.08, 250) for r in (-4.5, 4.5)]
    outside = [scene.reading_at(250, 250 + r / 0.08) for r in (-8.5, 8.5)]
    assert all(r is not None and r.value is not None and r.value > 500 for r in inside)
    assert all(r is not None and r.value is not None and r.value < 500 for r in outside)
    session.close()


def test_the_slice_read_ahead_is_drawn_where_it_lies() -> None:
    session = StudySession(deliver=lambda f: f())
    volume = place_volume(geometry_of("tilted"))
    session.set_study(study_of(series_of(volume, Role.CT, 1, "x")))
    scene = PanelScene(session, PanelState("s1"))
    scene.resize(300, 300)
    assert scene.picture() is None
    assert scene.native is not None
    index = slice_index_of(volume.geometry, scene.native, scene.point or (0, 0, 0))
    session._previews["s1"] = Preview(index, volume.array[index], Window(40, 80))
    ahead = scene.picture()
    session.adopt_volume("s1", volume)
    whole = scene.picture()
    assert ahead is not None
    assert whole is not None
    np.testing.assert_array_equal(ahead.values, whole.values)
    assert ahead.origin_lps_mm == whole.origin_lps_mm
    session.close()
