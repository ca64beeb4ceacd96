"""Signed distance to a lesion's surface, at any point of the patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuraxis.domain.geometry import FloatArray, Vector3, VolumeGeometry
from neuraxis.domain.lesion import LesionMask
from neuraxis.errors import NotMeasurableError
from neuraxis.evidence.sampling import sample

MAX_VOXELS = 6_000_000


@dataclass(frozen=True, eq=False)
class LesionField:
    """Signed distance (mm, negative inside) on an isotropic grid around a lesion, in the lesion's frame of reference.

    Parameters
    ----------
    geometry : isotropic axis-aligned grid
    distance_mm : (z, y, x) float32
    centre_lps_mm : mean of the mask's voxel centres
    equivalent_diameter_mm : diameter of the sphere with the mask's volume
    """

    geometry: VolumeGeometry
    distance_mm: NDArray[np.float32]
    centre_lps_mm: Vector3
    equivalent_diameter_mm: float

    @classmethod
    def from_mask(cls, mask: LesionMask, margin_mm: float = 30.0) -> LesionField:
        """Field of a mask; the surface lies half way between the centres of voxels in and out.

        Raises
        ------
        NotMeasurableError
            When the mask is empty.
        """
        from scipy import ndimage

        if not mask.voxel_count:
            raise NotMeasurableError("an empty lesion mask", expected="at least one voxel inside the lesion")
        points = mask.points_lps_mm()
        low, high = points.min(axis=0) - margin_mm, points.max(axis=0) + margin_mm
        step = float(np.clip(min(mask.geometry.spacing_xyz_mm) * 0.75, 0.3, 1.0))
        step = max(step, float((np.prod(high - low) / MAX_VOXELS) ** (1 / 3)))
        nx, ny, nz = (int(n) for n in np.ceil((high - low) / step) + 1)
        grid = VolumeGeometry.axis_aligned(
            (nz, ny, nx), (step, step, step), (float(low[0]), float(low[1]), float(low[2])),
            mask.geometry.frame_of_reference_uid,
        )
        inside = _inside(mask, grid)
        distance = ndimage.distance_transform_edt(~inside, sampling=step) - ndimage.distance_transform_edt(
            inside, sampling=step
        )
        distance += np.where(inside, step / 2, -step / 2)
        x, y, z = points.mean(axis=0)
        volume = mask.voxel_count * mask.geometry.voxel_volume_mm3
        return cls(
            grid, distance.astype(np.float32), (float(x), float(y), float(z)), float((6 * volume / np.pi) ** (1 / 3))
        )

    def at(self, points_lps_mm: ArrayLike) -> FloatArray:
        """Signed distance at points (..., 3) of the lesion's frame; beyond the grid an upper bound."""
        points = np.asarray(points_lps_mm, dtype=np.float64)
        low, high = (np.asarray(v) for v in _centre_bounds(self.geometry))
        nearest = np.clip(points, low, high)
        beyond: FloatArray = np.linalg.norm(points - nearest, axis=-1)
        result: FloatArray = sample(self.distance_mm, self.geometry, nearest) + beyond
        return result


def _centre_bounds(geometry: VolumeGeometry) -> tuple[Sequence[float], Sequence[float]]:
    last = geometry.lps_from_index(np.asarray(geometry.shape_zyx) - 1)
    return geometry.origin_lps_mm, [float(v) for v in last]


def _inside(mask: LesionMask, grid: VolumeGeometry) -> NDArray[np.bool_]:
    # The mask is padded by one voxel so that linear interpolation falls to 0 outside its box.
    padded = np.pad(mask.box, 1).astype(np.float32)
    start = (mask.start_zyx[0] - 1, mask.start_zyx[1] - 1, mask.start_zyx[2] - 1)
    box = mask.geometry.cropped(start, (padded.shape[0], padded.shape[1], padded.shape[2]))
    nz, ny, nx = grid.shape_zyx
    inside = np.zeros(grid.shape_zyx, dtype=bool)
    index = grid.index_from_lps(box.corners_lps_mm())
    first = np.clip(np.floor(index.min(axis=0)).astype(int), 0, [nz, ny, nx])
    last = np.clip(np.ceil(index.max(axis=0)).astype(int) + 1, 0, [nz, ny, nx])
    z, y, x = (np.arange(a, b) for a, b in zip(first, last, strict=True))
    cells = np.stack(np.meshgrid(z, y, x, indexing="ij"), axis=-1)
    values = sample(padded, box, grid.lps_from_index(cells), outside=0.0)
    inside[first[0] : last[0], first[1] : last[1], first[2] : last[2]] = values >= 0.5
    if not inside.any():
        # Masks thinner than the interpolation: every voxel centre of the mask is inside.
        nearest = np.clip(np.rint(grid.index_from_lps(mask.points_lps_mm())).astype(int), 0, [nz - 1, ny - 1, nx - 1])
        inside[tuple(nearest.T)] = True
    return inside
