"""The midline is found on heads of known tilt."""

import numpy as np
import pytest

from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.evidence.sampling import voxel_points
from neuraxis.evidence.symmetry import MidlinePlane, estimate_midline


def tilted_head(offset_mm: float, yaw: float, roll: float) -> tuple[np.ndarray, VolumeGeometry]:
    grid = VolumeGeometry.axis_aligned((40, 72, 60), (3.0, 3.0, 3.0), (-88.5, -106.5, -58.5), "f")
    points = voxel_points(grid)
    c, s = np.cos(np.deg2rad(yaw)), np.sin(np.deg2rad(yaw))
    cr, sr = np.cos(np.deg2rad(roll)), np.sin(np.deg2rad(roll))
    normal = np.array([c * cr, s * cr, sr])
    across = points @ normal - offset_mm
    rest = points - (points @ normal)[..., None] * normal
    along = rest[..., 1]
    radius = np.sqrt((across / 65) ** 2 + (along / 85) ** 2 + (rest[..., 2] / 75) ** 2)
    head = np.where(radius < 1, 40.0, -1000.0)
    head[(radius < 1) & (radius > 0.9)] = 400.0
    head[(np.abs(np.abs(across) - 30) < 8) & (np.abs(along - 20) < 10) & (radius < 0.9)] = 400.0
    head[(np.abs(across) < 5) & (along < -40) & (radius < 0.9)] = 300.0
    rng = np.random.default_rng(0)
    return head + rng.normal(0, 10, head.shape), grid


@pytest.mark.parametrize(("offset", "yaw", "roll"), [(0.0, 0.0, 0.0), (6.0, 5.0, -4.0), (-9.0, -11.0, 6.0)])
def test_midline_is_found_within_a_millimetre_and_a_degree(offset: float, yaw: float, roll: float) -> None:
    array, grid = tilted_head(offset, yaw, roll)
    plane = estimate_midline(np.clip(array, -300, 400), grid)
    c, s, cr, sr = (f(np.deg2rad(v)) for v, f in ((yaw, np.cos), (yaw, np.sin), (roll, np.cos), (roll, np.sin)))
    normal = np.array([c * cr, s * cr, sr])
    assert np.degrees(np.arccos(np.clip(np.dot(plane.normal_lps, normal), -1, 1))) < 1.0
    assert abs(np.dot(plane.point_lps_mm, normal) - offset) < 1.0
    assert plane.similarity > 0.8
    assert plane.uncertainty_mm < 1.5


def test_mirrored_points_lie_on_the_other_side_at_the_same_distance() -> None:
    plane = MidlinePlane((2.0, 0.0, 0.0), (1.0, 0.0, 0.0), 1.0, 0.0)
    assert plane.distance_mm((-10.0, 4.0, 5.0)) == pytest.approx(-12.0)
    assert plane.mirrored((-10.0, 4.0, 5.0)) == pytest.approx([14.0, 4.0, 5.0])
