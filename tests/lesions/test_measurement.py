"""Sizes against closed forms: bodies of known size seen through blur and noise, on grids of every kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.lesion import LengthMeasurement, LesionMask, LesionMeasurement
from neuraxis.domain.volume import ValueKind, Volume
from neuraxis.errors import GeometryError, NotMeasurableError
from neuraxis.lesions import measure, segment


def _span(measurement: LengthMeasurement | None) -> Any:
    assert measurement is not None
    return np.subtract(measurement.end_lps_mm, measurement.start_lps_mm)


def _long(result: LesionMeasurement) -> float:
    assert result.long_axis is not None
    return result.long_axis.quantity.value


def _short(result: LesionMeasurement) -> float:
    assert result.short_axis is not None
    return result.short_axis.quantity.value


def _volume(result: LesionMeasurement) -> float:
    assert result.volume is not None
    return result.volume.value


@pytest.mark.parametrize("diameter", [2.0, 3.0, 4.0, 6.0, 10.0])
@pytest.mark.parametrize("offset", [(0.0, 0.0, 0.0), (0.21, -0.17, 0.29)])
def test_a_blurred_ball_has_its_true_diameter_and_volume(shapes: Any, diameter: float, offset: Any) -> None:
    volume = shapes.draw(shapes.ball(diameter / 2, offset))
    result = measure(volume, segment(volume, offset))
    assert _long(result) == pytest.approx(diameter, abs=0.08)
    assert _short(result) == pytest.approx(diameter, abs=0.08)
    assert _volume(result) == pytest.approx(np.pi / 6 * diameter**3, rel=0.03 if diameter > 2 else 0.06)
    assert result.centroid_lps_mm == pytest.approx(offset, abs=0.06)
    assert result.max_3d_diameter is not None
    assert result.max_3d_diameter.quantity.value == pytest.approx(diameter, abs=0.12)
    assert result.surface is not None
    assert result.surface.value == pytest.approx(np.pi * diameter**2, rel=0.05)


@pytest.mark.parametrize(
    "grid",
    [
        {"shear_deg": 12.0},
        {"spacing_xyz": (0.3, 0.6, 0.9)},
        {"left_handed": True},
        {"rotation": "oblique"},
        {"rotation": "oblique", "left_handed": True, "shear_deg": 15.0, "spacing_xyz": (0.5, 0.4, 0.8)},
    ],
    ids=["sheared", "anisotropic", "left-handed", "oblique", "all of it"],
)
def test_a_ball_measures_the_same_on_every_grid(shapes: Any, grid: dict[str, Any]) -> None:
    if grid.get("rotation"):
        grid = {**grid, "rotation": shapes.rotation((1, 2, 3), 35.0)}
    volume = shapes.draw(shapes.ball(2.5, (0.1, 0.2, -0.1)), shapes.grid(**grid))
    result = measure(volume, segment(volume, (0.3, 0.2, -0.1)))
    assert _long(result) == pytest.approx(5.0, abs=0.12)
    assert _volume(result) == pytest.approx(np.pi / 6 * 125, rel=0.03)
    assert result.centroid_lps_mm == pytest.approx((0.1, 0.2, -0.1), abs=0.06)
    in_plane = abs(float(_span(result.long_axis) @ np.asarray(volume.geometry.slice_normal_lps)))
    assert in_plane < 0.05


def test_a_tilted_ellipsoid_has_the_axes_of_its_section_and_its_own_largest_diameter(shapes: Any) -> None:
    half, turn = np.array([4.0, 2.5, 2.0]), shapes.rotation((1, 1, 0), 40.0)
    volume = shapes.draw(shapes.ellipsoid(half, turn))
    result = measure(volume, segment(volume, (0, 0, 0)))
    matrix = turn @ np.diag(1 / half**2) @ turn.T
    section = np.linalg.eigvalsh(matrix[:2, :2])
    assert _long(result) == pytest.approx(2 / np.sqrt(section[0]), abs=0.15)
    assert _short(result) == pytest.approx(2 / np.sqrt(section[1]), abs=0.15)
    assert result.max_3d_diameter is not None
    assert result.max_3d_diameter.quantity.value == pytest.approx(8.0, abs=0.2)
    assert _volume(result) == pytest.approx(4 / 3 * np.pi * half.prod(), rel=0.03)


def test_a_cuboid_has_its_diagonal_and_the_longest_chord_across_it(shapes: Any) -> None:
    volume = shapes.draw(shapes.cuboid((12.0, 6.0, 8.0)), shapes.grid(half_mm=14))
    result = measure(volume, segment(volume, (0, 0, 0)))
    assert _long(result) == pytest.approx(np.hypot(12, 6), abs=0.5)
    assert _short(result) == pytest.approx(6 * np.hypot(12, 6) / 12, abs=0.5)
    assert _volume(result) == pytest.approx(12 * 6 * 8, rel=0.03)
    assert result.max_3d_diameter is not None
    # blur rounds a sharp corner, at which only an eighth of the neighbourhood is lesion, by about 0.5 mm
    assert result.max_3d_diameter.quantity.value == pytest.approx(np.sqrt(144 + 36 + 64), abs=1.1)


def test_a_tilted_cylinder_has_its_volume_and_largest_diameter(shapes: Any) -> None:
    volume = shapes.draw(shapes.cylinder(2.5, 12.0, shapes.rotation((0, 1, 0), 35.0)), shapes.grid(half_mm=14))
    result = measure(volume, segment(volume, (0, 0, 0)))
    assert _volume(result) == pytest.approx(np.pi * 2.5**2 * 12, rel=0.03)
    assert result.max_3d_diameter is not None
    assert result.max_3d_diameter.quantity.value == pytest.approx(np.hypot(5, 12), abs=0.6)
    # the slice cuts an ellipse of half axes 2.5 and 2.5 / cos(35 degrees)
    assert _long(result) == pytest.approx(5 / np.cos(np.radians(35)), abs=0.3)
    assert _short(result) == pytest.approx(5.0, abs=0.3)


def test_the_short_axis_of_an_l_shape_is_perpendicular_to_the_long_one(shapes: Any) -> None:
    corner = shapes.union(
        shapes.cuboid((12.0, 4.0, 6.0), centre=(6.0, 2.0, 0.0)), shapes.cuboid((4.0, 8.0, 6.0), centre=(2.0, 8.0, 0.0))
    )
    volume = shapes.draw(corner, shapes.grid(half_mm=18))
    result = measure(volume, segment(volume, (2, 2, 0)))
    u, w = _span(result.long_axis), _span(result.short_axis)
    assert abs(u @ w) / (np.linalg.norm(u) * np.linalg.norm(w)) < 0.01
    assert _long(result) == pytest.approx(np.hypot(12, 12), abs=0.6)
    assert np.linalg.norm(w) == pytest.approx(_short(result), abs=1e-6)
    assert _volume(result) == pytest.approx(12 * 4 * 6 + 4 * 8 * 6, rel=0.04)


def _drawn(geometry: VolumeGeometry, place: tuple[slice, slice, slice]) -> LesionMask:
    full = np.zeros(geometry.shape_zyx, dtype=bool)
    full[place] = True
    return LesionMask.from_full(geometry, full, series_id="ct")


def test_a_drawn_mask_of_one_voxel_has_the_size_of_that_voxel(shapes: Any) -> None:
    volume = shapes.draw(shapes.ball(2.0))
    result = measure(volume, _drawn(volume.geometry, (slice(9, 10), slice(9, 10), slice(9, 10))))
    assert _long(result) == pytest.approx(0.45)
    assert result.volume_voxel_sum is not None
    assert result.volume_voxel_sum.value == pytest.approx(0.45 * 0.45 * 0.6)
    assert result.slices_spanned == 1
    assert result.intensity.voxel_count == 1


def test_a_drawn_block_is_measured_from_edge_to_edge_and_by_its_voxels(shapes: Any) -> None:
    volume = shapes.draw(shapes.ball(2.0))
    result = measure(volume, _drawn(volume.geometry, (slice(5, 15), slice(5, 15), slice(5, 25))))
    assert _long(result) == pytest.approx(np.hypot(20 * 0.45, 10 * 0.45), abs=0.45)
    assert _volume(result) == pytest.approx(20 * 10 * 10 * 0.45 * 0.45 * 0.6)
    assert result.slices_spanned == 10


def test_statistics_are_those_of_the_native_voxels(shapes: Any) -> None:
    volume = shapes.draw(shapes.ball(2.0))
    mask = _drawn(volume.geometry, (slice(15, 20), slice(20, 26), slice(22, 30)))
    values = volume.array[15:20, 20:26, 22:30].astype(float)
    got = measure(volume, mask).intensity
    assert (got.mean, got.standard_deviation) == pytest.approx((values.mean(), values.std()))
    assert (got.minimum, got.maximum) == (values.min(), values.max())
    assert (got.p10, got.p90) == pytest.approx(tuple(np.percentile(values, (10, 90))))


def test_a_lesion_cut_by_the_first_slice_has_no_volume_and_says_why(shapes: Any) -> None:
    whole = shapes.draw(shapes.ball(3.0))
    half = whole.cropped((20, 0, 0), whole.array.shape)
    result = measure(half, segment(half, (0, 0, 1.0)))
    assert result.volume is None
    assert result.max_3d_diameter is None
    assert result.long_axis is not None
    assert any("first or last slice" in w for w in result.warnings)


def test_a_lesion_cut_by_the_side_of_the_picture_has_no_length(shapes: Any) -> None:
    whole = shapes.draw(shapes.ball(3.0))
    half = whole.cropped((0, 0, 26), whole.array.shape)
    result = measure(half, segment(half, (1.0, 0, 0)))
    assert result.long_axis is None
    assert result.volume is None
    assert any("edge of the picture" in w for w in result.warnings)


def test_missing_slices_are_named_and_take_the_volume_away(shapes: Any) -> None:
    volume = shapes.draw(shapes.ball(3.0))
    array, padding = volume.array.copy(), np.zeros(volume.array.shape, dtype=bool)
    array[19], padding[19] = array.min(), True
    gap = Volume(array, volume.geometry, volume.kind, padding=padding, missing_slices=(19,), series_id="ct")
    result = measure(gap, segment(gap, (0, 0, 0.6)))
    assert result.volume is None
    assert any("19" in w and "missing" in w for w in result.warnings)


def test_slices_too_thick_for_the_lesion_give_a_range_and_a_warning(shapes: Any) -> None:
    volume = shapes.draw(shapes.ball(2.0, sigma=0.6), shapes.grid(spacing_xyz=(0.45, 0.45, 2.5)), slice_thickness_mm=2.5)
    result = measure(volume, segment(volume, (0, 0, 0)))
    assert result.max_3d_diameter is None
    assert result.volume is not None
    assert "range" in result.volume.method
    low, high = result.volume.interval or (0.0, 0.0)
    assert low <= 4 / 3 * np.pi * 8 <= high
    assert any("thick" in w for w in result.warnings)


def test_an_oblique_image_plane_is_not_called_axial(shapes: Any) -> None:
    volume = shapes.draw(shapes.ball(3.0), shapes.grid(rotation=shapes.rotation((1, 0, 0), 90.0)))
    assert any("coronal" in w for w in measure(volume, segment(volume, (0, 0, 0))).warnings)


def test_lesions_below_ten_millimetres_are_called_non_measurable_by_both_criteria(shapes: Any) -> None:
    small = shapes.draw(shapes.ball(2.0))
    large = shapes.draw(shapes.ball(7.0), shapes.grid(half_mm=14))
    of_small = " ".join(measure(small, segment(small, (0, 0, 0))).warnings)
    of_large = " ".join(measure(large, segment(large, (0, 0, 0))).warnings)
    assert "RECIST" in of_small
    assert "RANO" in of_small
    assert "RECIST" not in of_large
    assert "RANO" not in of_large


def test_an_empty_mask_a_foreign_grid_and_stored_values_are_refused(shapes: Any) -> None:
    volume = shapes.draw(shapes.ball(2.0))
    mask = segment(volume, (0, 0, 0))
    with pytest.raises(NotMeasurableError, match="without any voxel"):
        measure(volume, LesionMask(volume.geometry, (0, 0, 0), np.zeros((1, 1, 1), dtype=bool)))
    other = shapes.draw(shapes.ball(2.0), shapes.grid(spacing_xyz=(0.5, 0.5, 0.5)))
    with pytest.raises(GeometryError, match="grid"):
        measure(other, mask)
    stored = Volume(volume.array, volume.geometry, ValueKind.STORED)
    with pytest.raises(NotMeasurableError, match="not for measurement"):
        measure(stored, mask)


def test_the_distance_to_bone_is_that_of_the_two_surfaces(shapes: Any) -> None:
    wall = shapes.cuboid((40.0, 8.0, 40.0), centre=(0.0, 2.0 + 2.0 + 4.0, 0.0))
    volume = shapes.draw(
        lambda p: shapes.ball(2.0)(p) + 1000 / 700 * wall(p), shapes.grid(half_mm=20), plateau=715.0
    )
    result = measure(volume, segment(volume, (0, 0, 0)))
    assert result.distance_to_bone is not None
    # the 300 HU surface of 1000 HU bone lies about 0.2 mm outside its true one
    assert result.distance_to_bone.value == pytest.approx(2.0, abs=0.35)
    assert _long(result) == pytest.approx(4.0, abs=0.12)


def test_no_bone_nearby_is_said_and_not_a_number(shapes: Any) -> None:
    volume = shapes.draw(shapes.ball(2.0))
    result = measure(volume, segment(volume, (0, 0, 0)))
    assert result.distance_to_bone is None
    assert any("no bone" in w for w in result.warnings)
