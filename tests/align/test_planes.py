"""Planes: which way they face, what they show, and that nothing is invented between or beyond voxels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from neuraxis.align import Interpolation, Plane, Projection, resample, sample_plane
from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.transform import Registration
from neuraxis.domain.volume import ValueKind, Volume
from neuraxis.errors import GeometryError

FRAME = "1.2.3"


def _volume(geometry: VolumeGeometry, values: NDArray[Any] | None = None) -> Volume:
    """Voxels that hold a linear function of their place, so that every interpolation has a known answer."""
    if values is None:
        index = np.moveaxis(np.indices(geometry.shape_zyx), 0, -1)
        values = _linear(geometry.lps_from_index(index)).astype(np.float32)
    return Volume(values, geometry, ValueKind.SIGNAL, series_id="mr")


def _linear(points: NDArray[np.float64]) -> NDArray[np.float64]:
    out: NDArray[np.float64] = 100.0 + points @ np.array([2.0, -3.0, 5.0])
    return out


def _grids() -> dict[str, VolumeGeometry]:
    turn = np.linalg.qr(np.array([[1.0, 0.2, 0.1], [-0.2, 1.0, 0.3], [0.0, -0.3, 1.0]]))[0]
    oblique = np.eye(4)
    oblique[:3, :3] = turn * np.array([0.8, 0.9, 1.5])
    oblique[:3, 3] = -(oblique[:3, :3] @ np.array([20.0, 18.0, 12.0]))
    sheared = np.array([[0.8, 0, 0, -16], [0, 0.8, 0.4, -20], [0, 0, 1.5, -18], [0, 0, 0, 1.0]])
    mirrored = np.diag([-0.8, 0.8, 1.5, 1.0])
    mirrored[:3, 3] = (16, -16, -18)
    return {
        "upright": VolumeGeometry.axis_aligned((24, 36, 40), (0.8, 0.9, 1.5), (-16.0, -16.0, -18.0), FRAME),
        "oblique": VolumeGeometry.from_affine((24, 36, 40), oblique, FRAME),
        "sheared": VolumeGeometry.from_affine((24, 40, 40), sheared, FRAME),
        "left-handed": VolumeGeometry.from_affine((24, 40, 40), mirrored, FRAME),
    }


@pytest.mark.parametrize(
    ("plane", "letters"),
    [
        (Plane.axial((0, 0, 0)), ("R", "L", "A", "P")),
        (Plane.coronal((0, 0, 0)), ("R", "L", "H", "F")),
        (Plane.sagittal((0, 0, 0)), ("A", "P", "H", "F")),
        (Plane.oblique((0, 0, 0), (1, 1, 0), (0, 0, -1)), ("RA", "LP", "H", "F")),
    ],
)
def test_the_standard_planes_face_as_radiologists_expect(plane: Plane, letters: tuple[str, ...]) -> None:
    assert tuple(plane.edge_letters) == letters


def test_a_mark_on_the_patients_right_and_front_appears_left_and_up_in_an_axial_picture() -> None:
    geometry = VolumeGeometry.axis_aligned((5, 41, 41), (1.0, 1.0, 1.0), (-20.0, -20.0, -2.0), FRAME)
    values = np.zeros(geometry.shape_zyx, dtype=np.float32)
    values[geometry.nearest_index((-12.0, -7.0, 0.0))] = 1.0
    plane = Plane.axial((0, 0, 0), width_mm=41, pixel_mm=1.0, frame_of_reference_uid=FRAME)
    brightest = int(np.nanargmax(sample_plane(_volume(geometry, values), plane)))
    assert divmod(brightest, plane.shape[1]) == (20 - 7, 20 - 12)


@pytest.mark.parametrize("name", ["upright", "oblique", "sheared", "left-handed"])
@pytest.mark.parametrize(
    "plane",
    [
        Plane.axial((0.3, 0.2, 0.4), width_mm=8, frame_of_reference_uid=FRAME),
        Plane.coronal((0.3, 0.2, 0.4), width_mm=8, frame_of_reference_uid=FRAME),
        Plane.sagittal((0.3, 0.2, 0.4), width_mm=8, frame_of_reference_uid=FRAME),
        Plane.oblique((0.3, 0.2, 0.4), (1, 0.4, 0.2), (0, 1, 0.5), width_mm=8, frame_of_reference_uid=FRAME),
    ],
    ids=lambda p: p.name,
)
def test_linear_interpolation_is_exact_for_a_linear_field_on_any_grid(name: str, plane: Plane) -> None:
    picture = sample_plane(_volume(_grids()[name]), plane)
    rows, columns = np.indices(plane.shape)
    truth = _linear(plane.lps_from_pixel(np.stack([rows, columns], axis=-1)))
    inside = np.isfinite(picture)
    assert inside.mean() > 0.95
    np.testing.assert_allclose(picture[inside], truth[inside], atol=2e-3)


@pytest.mark.parametrize("name", ["upright", "oblique", "sheared", "left-handed"])
def test_a_plane_on_an_acquired_slice_returns_the_stored_voxels(name: str) -> None:
    geometry = _grids()[name]
    values = np.random.default_rng(0).integers(0, 4000, geometry.shape_zyx).astype(np.int16)
    plane = Plane.of_slice(geometry, 7)
    picture = sample_plane(_volume(geometry, values), plane, interpolation=Interpolation.NEAREST)
    index = np.moveaxis(np.indices((1, *geometry.shape_zyx[1:])), 0, -1)
    points = geometry.lps_from_index(index + np.array([7, 0, 0]))
    row, column = np.rint(np.moveaxis(plane.pixel_from_lps(points[0]), -1, 0)).astype(int)
    assert np.abs(plane.distance_mm(points)).max() < 1e-6
    if geometry.spacing_xyz_mm[0] == pytest.approx(geometry.spacing_xyz_mm[1]):
        np.testing.assert_array_equal(picture[row, column], values[7])
        exact = sample_plane(_volume(geometry, values), plane)
        np.testing.assert_array_equal(exact[row, column], values[7])


def test_beyond_half_a_voxel_outside_there_is_nothing() -> None:
    geometry = VolumeGeometry.axis_aligned((4, 10, 10), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), FRAME)
    ones = np.ones(geometry.shape_zyx, dtype=np.int16)
    plane = Plane.axial((4.5, 4.5, 1.0), width_mm=20, pixel_mm=0.25, frame_of_reference_uid=FRAME)
    picture = sample_plane(_volume(geometry, ones), plane)
    assert np.count_nonzero(np.isfinite(picture)) == 40 * 40
    assert np.nanmax(picture) == np.nanmin(picture) == 1.0
    above = sample_plane(_volume(geometry, ones), plane.at((4.5, 4.5, 3.6)))
    assert np.isnan(above).all()


def test_padding_is_shown_as_nothing_in_every_direction() -> None:
    geometry = _grids()["upright"]
    padding = np.zeros(geometry.shape_zyx, dtype=bool)
    padding[:, :, :20] = True
    volume = Volume(np.ones(geometry.shape_zyx, dtype=np.int16), geometry, ValueKind.HU, padding=padding)
    for right, down in (((1, 0, 0), (0, 1, 0)), ((1, 0, 0.3), (0, 1, 0.2))):
        plane = Plane.oblique((0, 0, 0), right, down, width_mm=20, frame_of_reference_uid=FRAME)
        picture = sample_plane(volume, plane)
        rows, columns = np.indices(plane.shape)
        x = plane.lps_from_pixel(np.stack([rows, columns], axis=-1))[..., 0]
        assert np.isnan(picture[x < -1.0]).all()
        assert np.isfinite(picture[x > 1.0]).all()


@pytest.mark.parametrize("oblique", [False, True])
def test_slabs_take_the_largest_smallest_and_mean_of_what_lies_in_them(oblique: bool) -> None:
    geometry = VolumeGeometry.axis_aligned((21, 30, 30), (1.0, 1.0, 1.0), (-14.5, -14.5, -10.0), FRAME)
    index = np.moveaxis(np.indices(geometry.shape_zyx), 0, -1)
    height = geometry.lps_from_index(index)[..., 2].astype(np.float32)
    row = (1.0, 1.0, 0.0) if oblique else (1.0, 0.0, 0.0)
    plane = Plane.oblique((0, 0, 0), row, (0, 1, 0), width_mm=10, frame_of_reference_uid=FRAME)
    volume = _volume(geometry, height)
    got = {p: np.nanmean(sample_plane(volume, plane.with_slab(8.0, p))) for p in Projection}
    assert got[Projection.MIP] == pytest.approx(4.0, abs=1e-3)
    assert got[Projection.MINIP] == pytest.approx(-4.0, abs=1e-3)
    assert got[Projection.MEAN] == pytest.approx(0.0, abs=1e-3)
    assert got[Projection.NONE] == pytest.approx(0.0, abs=1e-3)


def test_another_frame_of_reference_needs_a_registration_in_the_right_direction() -> None:
    volume = _volume(_grids()["upright"])
    plane = Plane.axial((0, 0, 0), width_mm=10, frame_of_reference_uid="9.9")
    with pytest.raises(GeometryError, match="frame of reference"):
        sample_plane(volume, plane)
    matrix = np.eye(4)
    matrix[:3, 3] = (1.0, 2.0, 3.0)
    forth = Registration.from_array(matrix, "9.9", FRAME, 0.2, "test")
    with pytest.raises(GeometryError, match="registration from"):
        sample_plane(volume, plane, registration=forth.inverse)
    picture = sample_plane(volume, plane, registration=forth)
    rows, columns = np.indices(plane.shape)
    truth = _linear(forth.apply(plane.lps_from_pixel(np.stack([rows, columns], axis=-1))))
    np.testing.assert_allclose(picture, truth, atol=2e-3)
    np.testing.assert_allclose(sample_plane(volume, plane.mapped(forth)), picture, atol=2e-3)


def test_pixels_and_points_convert_back_and_forth() -> None:
    plane = Plane.oblique((3, 4, 5), (1, 0.4, 0.2), (0, 1, 0.5), width_mm=33, height_mm=21, pixel_mm=0.7)
    pixels = np.random.default_rng(1).uniform(-5, 50, (20, 2))
    points = plane.lps_from_pixel(pixels)
    np.testing.assert_allclose(plane.pixel_from_lps(points), pixels, atol=1e-9)
    np.testing.assert_allclose(plane.distance_mm(points), 0.0, atol=1e-9)
    assert plane.through(points[0] + 4 * np.asarray(plane.normal_lps)).distance_mm(points[0]) == pytest.approx(-4.0)


def test_a_plane_without_a_right_angle_or_size_is_refused() -> None:
    with pytest.raises(GeometryError, match="degrees"):
        Plane((0, 0, 0), (1, 0, 0), (1, 1, 0))
    with pytest.raises(GeometryError, match="positive"):
        Plane.axial((0, 0, 0), width_mm=-1.0)


@pytest.mark.parametrize("interpolation", list(Interpolation))
def test_resampling_keeps_a_linear_field_and_flags_what_lies_outside(interpolation: Interpolation) -> None:
    grids = _grids()
    out = resample(_volume(grids["oblique"]), grids["upright"], interpolation=interpolation)
    assert out.padding is not None
    assert 0.02 < out.padding.mean() < 0.98
    points = grids["upright"].lps_from_index(np.moveaxis(np.indices(grids["upright"].shape_zyx), 0, -1))
    index = grids["oblique"].index_from_lps(points)
    deep = ((index > 5) & (index < np.asarray(grids["oblique"].shape_zyx) - 6)).all(axis=-1)
    tolerance = 6.0 if interpolation is Interpolation.NEAREST else 0.05
    np.testing.assert_allclose(out.array[deep], _linear(points)[deep], atol=tolerance)
    assert any("resampled" in c for c in out.caveats)


def test_resampling_onto_the_same_grid_changes_nothing() -> None:
    volume = _volume(_grids()["oblique"])
    assert resample(volume, volume.geometry).array is volume.array
