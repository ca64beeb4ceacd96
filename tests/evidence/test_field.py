"""Signed distance to the lesion and sampling, against spheres and planes."""

import numpy as np
import pytest
from numpy.typing import NDArray

from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.lesion import LesionMask
from neuraxis.errors import NotMeasurableError
from neuraxis.evidence.field import LesionField
from neuraxis.evidence.sampling import box_of_points, sample, voxel_points


def test_distance_of_a_sphere_is_radius_minus_its_own(grid: VolumeGeometry, radius: NDArray[np.float64]) -> None:
    field = LesionField.from_mask(LesionMask.from_full(grid, radius <= 4.0))
    points = np.array([[0.0, 2.5, 0], [4.0, 0, 0], [0, -6.5, 0], [5, 5, 5], [0, 0, 18.0]])
    assert field.at(points) == pytest.approx(np.linalg.norm(points, axis=1) - 4.0, abs=0.3)
    assert field.equivalent_diameter_mm == pytest.approx(8.0, rel=0.02)


def test_distance_does_not_depend_on_the_direction_of_the_slices(radius: NDArray[np.float64]) -> None:
    c, s = np.cos(0.4), np.sin(0.4)
    oblique = VolumeGeometry(
        (41, 81, 81), (3.0, -2.0, 1.0), (0.5, 0, 0), (0, 0.5 * c, 0.5 * s), (0, -s, c), "frame"
    )
    centre = oblique.lps_from_index((20, 40, 40))
    inside = np.linalg.norm(voxel_points(oblique) - centre, axis=-1) <= 5
    field = LesionField.from_mask(LesionMask.from_full(oblique, inside))
    for direction in np.eye(3):
        assert field.at(centre + 9 * direction) == pytest.approx(4.0, abs=0.5)
        assert field.at(centre - 3 * direction) == pytest.approx(-2.0, abs=0.5)


def test_a_single_voxel_is_a_lesion_too(grid: VolumeGeometry) -> None:
    inside = np.zeros(grid.shape_zyx, dtype=bool)
    inside[40, 40, 40] = True
    assert LesionField.from_mask(LesionMask.from_full(grid, inside)).at((0.0, 0.0, 0.0)) < 0


def test_an_empty_mask_has_no_surface(grid: VolumeGeometry) -> None:
    with pytest.raises(NotMeasurableError, match="empty"):
        LesionField.from_mask(LesionMask.from_full(grid, np.zeros(grid.shape_zyx, dtype=bool)))


def test_linear_sampling_reproduces_a_plane_and_marks_what_is_outside(grid: VolumeGeometry) -> None:
    plane = voxel_points(grid) @ np.array([1.0, -2.0, 0.5]) + 7
    points = np.array([[0.3, 1.1, -4.2], [10.0, 3.3, 2.2], [30.0, 0, 0]])
    values = sample(plane, grid, points)
    assert values[:2] == pytest.approx(points[:2] @ np.array([1.0, -2.0, 0.5]) + 7, abs=1e-4)
    assert np.isnan(values[2])


def test_box_of_points_holds_them_and_stays_in_the_volume(grid: VolumeGeometry) -> None:
    start, stop = box_of_points(grid, [[-19.9, 0, 0], [0, 0, 30.0]])
    assert start[2] == 0
    assert stop[0] == 81
    assert all(a < b for a, b in zip(start, stop, strict=True))
