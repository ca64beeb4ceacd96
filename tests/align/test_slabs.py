"""Oblique slabs: values in closed form on smooth scenes, voxels that hold nothing, and what lies outside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuraxis.align import Plane, Projection, sample_plane
from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.volume import ValueKind, Volume

SPACING = (0.5, 0.6, 0.8)
SLOPE = np.array([1.0, -0.5, 2.0])
DIRECTIONS = [((1, 0, 0), (0, 0.8, -0.6)), ((0.9, 0.3, 0.2), (0.1, 0.8, -0.6)), ((0.2, 1.0, 0.1), (0.5, 0.1, -1.0))]


def _ramp(padding: bool = False) -> Volume:
    """Values that rise linearly with the point: exact under linear interpolation."""
    shape = (40, 60, 70)
    geometry = VolumeGeometry.axis_aligned(shape, SPACING, (-17.0, -18.0, -16.0), "F")
    points = geometry.lps_from_index(np.moveaxis(np.indices(shape), 0, -1))
    values = (points @ SLOPE).astype(np.float32)
    flags = None
    if padding:
        flags = np.zeros(shape, dtype=bool)
        flags[:, :, 40:] = True
        values[flags] = 9999.0
    return Volume(values, geometry, ValueKind.SIGNAL, padding=flags)


def _plane(directions: Any, projection: Projection, slab: float = 6.0, pixel: float = 0.4) -> Plane:
    row, column = directions
    plane = Plane.oblique((0.3, -0.2, 0.1), row, column, width_mm=12, pixel_mm=pixel, frame_of_reference_uid="F")
    return plane.with_slab(slab, projection)


@pytest.mark.parametrize("directions", DIRECTIONS)
def test_a_linear_scene_has_the_plane_as_mean_and_the_slabs_faces_as_extremes(directions: Any) -> None:
    volume = _ramp()
    plane = _plane(directions, Projection.MEAN)
    rows, columns = np.mgrid[0 : plane.shape[0], 0 : plane.shape[1]]
    middle = plane.lps_from_pixel(np.stack([rows, columns], axis=-1)) @ SLOPE
    along = abs(float(np.asarray(plane.normal_lps) @ SLOPE))
    # a ray is read at most one crossing before the slab's face
    crossing = along / float(np.abs(np.asarray(plane.normal_lps) / SPACING).max())
    assert np.abs(sample_plane(volume, plane) - middle).max() <= 0.5 * crossing + 1e-3
    for projection, sign in ((Projection.MIP, 1), (Projection.MINIP, -1)):
        found = sign * (sample_plane(volume, _plane(directions, projection)) - middle)
        assert found.max() <= 3.0 * along + 1e-3
        assert found.min() >= 3.0 * along - crossing - 1e-3


def test_padding_never_shows_in_a_slab() -> None:
    picture = sample_plane(_ramp(padding=True), _plane(DIRECTIONS[0], Projection.MIP))
    assert np.nanmax(picture) < 9000
    assert np.isnan(picture).any()
    assert np.isfinite(picture).any()


def test_a_slab_outside_the_volume_is_empty() -> None:
    plane = _plane(DIRECTIONS[1], Projection.MINIP).at((500.0, 0.0, 0.0))
    assert np.isnan(sample_plane(_ramp(), plane)).all()


def test_coarse_pixels_take_nearest_voxels_and_stay_within_a_voxel() -> None:
    volume = _ramp()
    fine = sample_plane(volume, _plane(DIRECTIONS[1], Projection.MEAN, pixel=0.4))
    coarse = sample_plane(volume, _plane(DIRECTIONS[1], Projection.MEAN, pixel=1.2))
    assert coarse[5, 5] == pytest.approx(fine[16, 16], abs=float(np.abs(SLOPE * SPACING).sum()))
    assert np.unique(coarse).size > 20
