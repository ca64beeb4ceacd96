"""Lesions in closed form: what a blurred body of known size reads at any point, on any grid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import erf, ndtr

from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.volume import ValueKind, Volume

Points = NDArray[np.float64]
Occupancy = Callable[[Points], Points]

SIGMA_MM = 0.4


def _ball(radius: float, centre: Any = (0.0, 0.0, 0.0), sigma: float = SIGMA_MM) -> Occupancy:
    """A ball under an isotropic Gaussian: exact."""

    def occupancy(points: Points) -> Points:
        r = np.maximum(np.linalg.norm(points - np.asarray(centre), axis=-1), 1e-6)
        a, b = (radius - r) / sigma, (radius + r) / sigma
        bells = np.exp(-0.5 * a**2) - np.exp(-0.5 * b**2)
        out: Points = ndtr(a) + ndtr(b) - 1 - sigma / (r * np.sqrt(2 * np.pi)) * bells
        return out

    return occupancy


def _ellipsoid(half_axes: Any, rotation: Any = None, centre: Any = (0.0, 0.0, 0.0), relative_sigma: float = 0.12) -> Occupancy:
    """An ellipsoid under a (small) Gaussian of its own proportions: the ball's formula in stretched space, exact."""
    turn = np.eye(3) if rotation is None else np.asarray(rotation)
    ball = _ball(1.0, sigma=relative_sigma)

    def occupancy(points: Points) -> Points:
        return ball(((points - np.asarray(centre)) @ turn) / np.asarray(half_axes))

    return occupancy


def _cuboid(sizes: Any, rotation: Any = None, centre: Any = (0.0, 0.0, 0.0), sigma: float = SIGMA_MM) -> Occupancy:
    """A cuboid under an isotropic Gaussian: a product of error functions, exact."""
    turn = np.eye(3) if rotation is None else np.asarray(rotation)

    def occupancy(points: Points) -> Points:
        local = (points - np.asarray(centre)) @ turn
        half, root = np.asarray(sizes) / 2, sigma * np.sqrt(2)
        out: Points = (0.5 * (erf((half - local) / root) + erf((half + local) / root))).prod(axis=-1)
        return out

    return occupancy


def _cylinder(radius: float, length: float, rotation: Any, sigma: float = SIGMA_MM) -> Occupancy:
    """A cylinder along the third column of `rotation`: a blurred disc times a blurred interval."""
    step = 0.02
    side = np.arange(-radius - 3, radius + 3, step)
    disc = (np.hypot(side[:, None], side[None, :]) <= radius).astype(np.float64)
    blurred = ndimage.gaussian_filter(disc, sigma / step)
    middle = len(side) // 2
    profile = blurred[middle, middle:]

    def occupancy(points: Points) -> Points:
        local = points @ np.asarray(rotation)
        across = np.interp(np.hypot(local[..., 0], local[..., 1]), np.arange(len(profile)) * step, profile, right=0.0)
        root = sigma * np.sqrt(2)
        along = 0.5 * (erf((length / 2 - local[..., 2]) / root) + erf((length / 2 + local[..., 2]) / root))
        out: Points = across * along
        return out

    return occupancy


def _union(*parts: Occupancy) -> Occupancy:
    """Bodies that do not overlap."""

    def occupancy(points: Points) -> Points:
        out: Points = np.sum([part(points) for part in parts], axis=0)
        return out

    return occupancy


def _rotation(axis: Any, degrees: float) -> Points:
    from scipy.spatial.transform import Rotation

    unit = np.asarray(axis, dtype=np.float64) / np.linalg.norm(axis)
    matrix: Points = Rotation.from_rotvec(np.radians(degrees) * unit).as_matrix()
    return matrix


def _grid(
    spacing_xyz: Any = (0.45, 0.45, 0.6), half_mm: float = 12.0, *, shear_deg: float = 0.0, rotation: Any = None,
    left_handed: bool = False, offset_mm: Any = (0.0, 0.0, 0.0), frame: str = "1.2.3",
) -> VolumeGeometry:
    """A grid about the origin: anisotropic, sheared along y, turned, left-handed as asked."""
    turn = np.eye(3) if rotation is None else np.asarray(rotation)
    sx, sy, sz = spacing_xyz
    steps = [
        turn[:, 0] * sx, turn[:, 1] * sy * (-1 if left_handed else 1),
        (turn[:, 2] + np.tan(np.radians(shear_deg)) * turn[:, 1]) * sz,
    ]
    shape = tuple(max(1, 2 * int(half_mm / s)) for s in (sz, sy, sx))
    affine = np.eye(4)
    affine[:3, :3] = np.stack(steps, axis=1)
    middle = (np.asarray(shape[::-1]) - 1) / 2
    affine[:3, 3] = np.asarray(offset_mm) - affine[:3, :3] @ middle
    return VolumeGeometry.from_affine((shape[0], shape[1], shape[2]), affine, frame)


def _draw(
    occupancy: Occupancy, geometry: VolumeGeometry | None = None, *, plateau: float = 700.0, background: float = 15.0,
    noise: float = 8.0, seed: int = 0, kind: ValueKind = ValueKind.HU, **fields: Any,
) -> Volume:
    grid = geometry or _grid()
    points = grid.lps_from_index(np.moveaxis(np.indices(grid.shape_zyx), 0, -1))
    values = background + (plateau - background) * occupancy(points)
    values = values + np.random.default_rng(seed).normal(0.0, noise, values.shape)
    array = np.rint(values).astype(np.int16) if kind is ValueKind.HU else values.astype(np.float32)
    return Volume(array, grid, kind, **{"series_id": "ct", **fields})


class Shapes:
    """The functions of this file, for tests."""

    ball = staticmethod(_ball)
    ellipsoid = staticmethod(_ellipsoid)
    cuboid = staticmethod(_cuboid)
    cylinder = staticmethod(_cylinder)
    union = staticmethod(_union)
    rotation = staticmethod(_rotation)
    grid = staticmethod(_grid)
    draw = staticmethod(_draw)


@pytest.fixture(scope="session")
def shapes() -> type[Shapes]:
    """Bodies of known size and the volumes they are seen in."""
    return Shapes
