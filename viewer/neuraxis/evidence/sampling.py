"""Values of a volume at points of the patient, and boxes of native voxels around a point."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuraxis.domain.geometry import FloatArray, Shape3, VolumeGeometry
from neuraxis.domain.volume import Volume


def sample(
    array: NDArray[Any], geometry: VolumeGeometry, points_lps_mm: ArrayLike, *, order: int = 1,
    outside: float = float("nan"),
) -> FloatArray:
    """Interpolated values at LPS points in the grid's own frame of reference.

    Parameters
    ----------
    array : (z, y, x) on `geometry`
    points_lps_mm : (..., 3)
    order : 0 nearest, 1 linear
    outside : value for points beyond the outermost voxel centres

    Returns
    -------
    (...) float64
    """
    from scipy import ndimage

    points = np.asarray(points_lps_mm, dtype=np.float64)
    m = geometry.affine_xyz_from_lps
    # Rows of indices (z, y, x): contiguous, as map_coordinates wants them.
    index = (m[2::-1, :3] @ points.reshape(-1, 3).T) + m[2::-1, 3:]
    shape = np.asarray(array.shape)[:, None]
    inside = ((index >= -0.5) & (index <= shape - 0.5)).all(axis=0)
    values = np.full(index.shape[1], outside, dtype=np.float64)
    if not inside.any():
        return values.reshape(points.shape[:-1])
    if not inside.all():
        index = index[:, inside]
    low = np.clip(np.floor(index.min(axis=1)).astype(int) - 1, 0, None)
    high = np.clip(np.ceil(index.max(axis=1)).astype(int) + 2, 0, shape[:, 0])
    source = np.asarray(array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))], dtype=np.float32)
    index -= low[:, None]
    values[inside] = ndimage.map_coordinates(source, index, order=order, mode="nearest")
    return values.reshape(points.shape[:-1])


def box_of_points(geometry: VolumeGeometry, points_lps_mm: ArrayLike, pad: int = 1) -> tuple[Shape3, Shape3]:
    """Index corners (start, stop excluded) of the smallest box that holds the points, clipped to the grid."""
    index = geometry.index_from_lps(points_lps_mm).reshape(-1, 3)
    shape = np.asarray(geometry.shape_zyx)
    start = np.clip(np.floor(index.min(axis=0)).astype(int) - pad, 0, shape)
    stop = np.clip(np.ceil(index.max(axis=0)).astype(int) + 1 + pad, start, shape)
    return (int(start[0]), int(start[1]), int(start[2])), (int(stop[0]), int(stop[1]), int(stop[2]))


def voxel_points(geometry: VolumeGeometry) -> FloatArray:
    """LPS centres of all voxels of a grid, shape (z, y, x, 3)."""
    m = geometry.affine_lps_from_xyz
    nz, ny, nx = geometry.shape_zyx
    z, y, x = np.ogrid[:nz, :ny, :nx]
    points = np.empty((nz, ny, nx, 3))
    for axis in range(3):
        points[..., axis] = m[axis, 0] * x + m[axis, 1] * y + m[axis, 2] * z + m[axis, 3]
    return points


def padded_to_nan(volume: Volume) -> FloatArray:
    """Values as float64 with voxels outside the scanned field as NaN."""
    values = np.asarray(volume.array, dtype=np.float64)
    if volume.padding is not None:
        values = np.where(volume.padding, np.nan, values)
    return values
