"""Volumes made small and comparable for registration: block means, clipped values, a mask of the head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.volume import ValueKind, Volume

HU_RANGE = (-150.0, 450.0)
"""CT values outside carry nothing for mutual information with MR; inside, soft tissue and bone share the bins."""


@dataclass(frozen=True, eq=False)
class Level:
    """One pyramid level.

    Parameters
    ----------
    values : (z, y, x) float32, scaled to 0..1
    geometry : grid of the block means
    body : (z, y, x) True in the body and a rim of air around it
    """

    values: NDArray[np.float32]
    geometry: VolumeGeometry
    body: NDArray[np.bool_]


def block_mean(volume: Volume, target_mm: float) -> tuple[NDArray[np.float32], VolumeGeometry]:
    """Means over blocks of whole voxels, about `target_mm` along each axis, and the grid of the block centres."""
    factors = [max(1, round(target_mm / s)) for s in reversed(volume.geometry.spacing_xyz_mm)]
    factors = [min(f, n) for f, n in zip(factors, volume.array.shape, strict=True)]
    counts = [n // f for n, f in zip(volume.array.shape, factors, strict=True)]
    out: NDArray[Any] = volume.array[tuple(slice(0, c * f) for c, f in zip(counts, factors, strict=True))]
    # columns first while the numbers are small integers would lose nothing, but rows of memory are read in order this way
    for axis in (2, 1, 0):
        shape = list(out.shape)
        shape[axis : axis + 1] = [counts[axis], factors[axis]]
        out = out.reshape(shape).mean(axis=axis + 1, dtype=np.float32)
    first = [(f - 1) / 2 for f in factors]
    g = volume.geometry
    origin = g.lps_from_index(first)
    steps = [
        tuple(float(v) * f for v in step)
        for step, f in zip((g.step_z_mm, g.step_y_mm, g.step_x_mm), factors, strict=True)
    ]
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2], affine[:3, 3] = steps[2], steps[1], steps[0], origin
    shape3 = (counts[0], counts[1], counts[2])
    return out, VolumeGeometry.from_affine(shape3, affine, g.frame_of_reference_uid)


def make_level(volume: Volume, target_mm: float) -> Level:
    """Block means of about `target_mm`, clipped and scaled to 0..1, with the mask of the body."""
    from scipy import ndimage

    values, geometry = block_mean(volume, target_mm)
    low, high = value_range(volume.kind, values)
    scaled = np.clip((values - np.float32(low)) / np.float32(high - low), 0.0, 1.0).astype(np.float32)
    body = scaled > (0.12 if volume.kind is ValueKind.HU else 0.08)
    body = ndimage.binary_opening(body, iterations=1) if min(body.shape) > 4 else body
    rim = max(1, round(8.0 / max(target_mm, 1e-3)))
    body = ndimage.binary_dilation(body, iterations=rim)
    if not body.any():
        body = np.ones_like(scaled, dtype=bool)
    return Level(scaled, geometry, body)


def value_range(kind: ValueKind, values: NDArray[np.float32]) -> tuple[float, float]:
    """Values that become 0 and 1."""
    if kind is ValueKind.HU:
        return HU_RANGE
    low, high = (float(v) for v in np.percentile(values, (0.5, 99.5)))
    return (low, high) if high > low else (low, low + 1.0)
