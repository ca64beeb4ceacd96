"""Indices and millimetres: the one conversion, on straight, oblique, sheared and left-handed grids."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuraxis.domain.geometry import VolumeGeometry, orientation_letters
from neuraxis.errors import GeometryError

TILT = np.radians(20.0)
GRIDS = {
    "axial": VolumeGeometry.axis_aligned((10, 20, 30), (0.5, 0.7, 2.0), (-7.0, 3.0, 100.0)),
    "sagittal": VolumeGeometry((10, 20, 30), (5.0, -80.0, 90.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0), (4.0, 0.0, 0.0)),
    "gantry tilt": VolumeGeometry(
        (10, 20, 30), (0.0, 0.0, 0.0), (0.5, 0.0, 0.0), (0.0, 0.5 * np.cos(TILT), 0.5 * np.sin(TILT)), (0.0, 0.0, 3.0)
    ),
    "left-handed": VolumeGeometry((10, 20, 30), (0.0, 0.0, 0.0), (0.5, 0, 0), (0, 0.5, 0), (0, 0, -1.5)),
}


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())
def test_an_index_survives_the_way_to_millimetres_and_back(grid: VolumeGeometry) -> None:
    index = np.array([[0, 0, 0], [9, 19, 29], [3.25, 7.5, 11.75]])
    np.testing.assert_allclose(grid.index_from_lps(grid.lps_from_index(index)), index, atol=1e-9)


def test_the_axes_of_the_array_are_slice_row_column() -> None:
    grid = GRIDS["axial"]
    np.testing.assert_allclose(grid.lps_from_index((0, 0, 1)), (-6.5, 3.0, 100.0))
    np.testing.assert_allclose(grid.lps_from_index((0, 1, 0)), (-7.0, 3.7, 100.0))
    np.testing.assert_allclose(grid.lps_from_index((1, 0, 0)), (-7.0, 3.0, 102.0))


def test_a_tilted_gantry_keeps_its_shear_angle_volume_and_slice_distance() -> None:
    grid = GRIDS["gantry tilt"]
    assert grid.is_sheared
    assert grid.shear_degrees == pytest.approx(20.0)
    assert grid.slice_distance_mm == pytest.approx(3.0 * np.cos(TILT))
    assert grid.voxel_volume_mm3 == pytest.approx(0.25 * 3.0 * np.cos(TILT))


def test_an_upright_grid_is_not_sheared_whatever_its_handedness() -> None:
    for name in ("axial", "sagittal", "left-handed"):
        assert not GRIDS[name].is_sheared
        assert GRIDS[name].slice_distance_mm > 0


def test_a_point_outside_is_refused_with_the_bounds_named() -> None:
    with pytest.raises(GeometryError, match="outside the volume") as caught:
        GRIDS["axial"].nearest_index((500.0, 0.0, 0.0))
    assert "99.0" in caught.value.expected


def test_half_a_voxel_beyond_the_last_centre_is_still_inside() -> None:
    grid = GRIDS["axial"]
    assert grid.contains(grid.lps_from_index((-0.49, 0, 29.49)))
    assert not grid.contains(grid.lps_from_index((-0.51, 0, 0)))


def test_cropping_keeps_every_voxel_where_it_was() -> None:
    grid = GRIDS["gantry tilt"]
    part = grid.cropped((2, 3, 4), (2, 2, 2))
    np.testing.assert_allclose(part.lps_from_index((1, 1, 1)), grid.lps_from_index((3, 4, 5)))


def test_a_grid_in_one_plane_is_refused() -> None:
    with pytest.raises(GeometryError, match="one plane"):
        VolumeGeometry((2, 2, 2), (0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0))


@pytest.mark.parametrize(
    ("vector", "letters"),
    [((1, 0, 0), "L"), ((-1, 0, 0), "R"), ((0, 1, 0), "P"), ((0, -1, 0), "A"), ((0, 0, 1), "H"), ((0, 0, -1), "F"),
     ((-0.9, 0, 0.4), "RH"), ((0.01, 0, 1), "H"), ((0, 0, 0), "")],
)
def test_letters_name_the_patient_side_a_vector_points_to(vector: tuple[float, ...], letters: str) -> None:
    assert orientation_letters(vector) == letters


@given(
    st.tuples(*[st.floats(0.1, 10)] * 3), st.tuples(*[st.floats(-500, 500)] * 3), st.tuples(*[st.floats(-3.1, 3.1)] * 3)
)
def test_any_rotated_grid_converts_both_ways(
    spacing: tuple[float, float, float], origin: tuple[float, float, float], angles: tuple[float, float, float]
) -> None:
    from scipy.spatial.transform import Rotation

    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", angles).as_matrix() * np.array(spacing)
    affine[:3, 3] = origin
    grid = VolumeGeometry.from_affine((4, 5, 6), affine)
    np.testing.assert_allclose(grid.affine_lps_from_xyz, affine, atol=1e-9)
    np.testing.assert_allclose(grid.index_from_lps(grid.lps_from_index((1.5, 2.5, 3.5))), (1.5, 2.5, 3.5), atol=1e-6)
    assert grid.voxel_volume_mm3 == pytest.approx(np.prod(spacing), rel=1e-6)
