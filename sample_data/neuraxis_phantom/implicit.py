"""Implicit surfaces on a coarse grid in head coordinates: distance in mm, negative inside."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Field = NDArray[np.float32]
Point = tuple[float, float, float]

FAR = np.float32(25.0)
"""Value of a field where nothing of its shape is near, mm."""


@dataclass
class Canvas:
    """Model grid: head coordinates x, y, z (mm), each of shape (slices, rows, columns), slightly warped."""

    x: Field
    y: Field
    z: Field
    origin: Point
    step: float

    @property
    def ax(self) -> Field:
        """Distance from the mid-sagittal plane, mm: shapes drawn with it are bilateral."""
        return np.abs(self.x)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (slices, rows, columns)."""
        return (self.x.shape[0], self.x.shape[1], self.x.shape[2])

    def empty(self) -> Field:
        """A field with nothing in it."""
        return np.full(self.shape, FAR, np.float32)

    def box(self, low: Point, high: Point) -> tuple[slice, slice, slice]:
        """Index ranges of the head box low..high (mm), cut at the grid."""
        out = []
        for axis in (2, 1, 0):
            n = self.shape[2 - axis]
            first = int(np.floor((low[axis] - self.origin[axis]) / self.step))
            last = int(np.ceil((high[axis] - self.origin[axis]) / self.step)) + 1
            out.append(slice(max(0, min(n, first)), max(0, min(n, last))))
        return (out[0], out[1], out[2])

    def around(self, points: NDArray[np.float64], reach: float, mirror: bool) -> tuple[slice, slice, slice]:
        """Index ranges of the box around points (n, 3); with `mirror` also around their mirror images."""
        low, high = points.min(axis=0) - reach, points.max(axis=0) + reach
        if mirror:
            widest = max(abs(low[0]), abs(high[0]))
            low[0], high[0] = -widest, widest
        return self.box(tuple(low), tuple(high))


def smooth_min(a: Field, b: Field, k: float) -> Field:
    """Union of two shapes with a fillet of about k mm (polynomial smooth minimum)."""
    if k <= 0:
        return np.minimum(a, b)
    h = np.maximum(np.float32(k) - np.abs(a - b), np.float32(0))
    return np.asarray(np.minimum(a, b) - h * h * np.float32(0.25 / k), dtype=np.float32)


def smooth_max(a: Field, b: Field, k: float) -> Field:
    """Intersection of two shapes with a rounded edge of about k mm."""
    return -smooth_min(-a, -b, k)


def _put(field: Field, where: tuple[slice, slice, slice], patch: Field, k: float) -> None:
    field[where] = smooth_min(field[where], patch, k)


def add_ellipsoid(
    canvas: Canvas,
    field: Field,
    centre: Point,
    radii: Point,
    *,
    k: float = 0.0,
    mirror: bool = True,
    turn: NDArray[np.float64] | None = None,
) -> None:
    """Unite an ellipsoid (centre, semi-axes in mm, optional rotation of its axes) with `field`, both sides if `mirror`."""
    reach = max(radii) + (8.0 if max(radii) < 25 else 22.0)
    where = canvas.around(np.asarray([centre]), reach, mirror)
    x = canvas.x[where]
    x = (np.abs(x) if mirror else x) - np.float32(centre[0])
    y = canvas.y[where] - np.float32(centre[1])
    z = canvas.z[where] - np.float32(centre[2])
    if turn is not None:
        m = turn.astype(np.float32)
        x, y, z = (m[0, n] * x + m[1, n] * y + m[2, n] * z for n in range(3))
    u, v, w = x / np.float32(radii[0]), y / np.float32(radii[1]), z / np.float32(radii[2])
    k0 = np.sqrt(u * u + v * v + w * w)
    u, v, w = u / np.float32(radii[0]), v / np.float32(radii[1]), w / np.float32(radii[2])
    k1 = np.sqrt(u * u + v * v + w * w) + np.float32(1e-6)
    _put(field, where, np.minimum(k0 * (k0 - 1) / k1, FAR), k)


def add_tube(
    canvas: Canvas,
    field: Field,
    points: list[Point],
    radii: float | list[float],
    *,
    k: float = 0.0,
    mirror: bool = True,
) -> None:
    """Unite a chain of tapered capsules through `points` (mm) with `field`, both sides if `mirror`."""
    radius = [radii] * len(points) if isinstance(radii, int | float) else radii
    for (p, q), (rp, rq) in zip(pairwise(points), pairwise(radius), strict=True):
        ends = np.asarray([p, q], dtype=np.float64)
        where = canvas.around(ends, max(rp, rq) + 8.0, mirror)
        x = canvas.x[where]
        x = (np.abs(x) if mirror else x) - np.float32(p[0])
        y, z = canvas.y[where] - np.float32(p[1]), canvas.z[where] - np.float32(p[2])
        d = (ends[1] - ends[0]).astype(np.float32)
        t = np.clip((x * d[0] + y * d[1] + z * d[2]) / np.float32(max(float(d @ d), 1e-6)), 0, 1)
        dist = np.sqrt((x - t * d[0]) ** 2 + (y - t * d[1]) ** 2 + (z - t * d[2]) ** 2)
        _put(field, where, np.minimum(dist - (np.float32(rp) + t * np.float32(rq - rp)), FAR), k)


def column(canvas: Canvas, stations: list[tuple[float, float, float, float]]) -> Field:
    """A midline column: stations (z, centre y, half width, half depth) in mm; distance to its elliptic cross-section."""
    table = np.asarray(sorted(stations), dtype=np.float64)
    z = canvas.z
    cy, rx, ry = (np.interp(z, table[:, 0], table[:, n]).astype(np.float32) for n in (1, 2, 3))
    u, v = canvas.x / rx, (canvas.y - cy) / ry
    k0 = np.sqrt(u * u + v * v)
    k1 = np.sqrt((u / rx) ** 2 + (v / ry) ** 2) + np.float32(1e-6)
    return np.asarray(np.minimum(k0 * (k0 - 1) / k1, FAR), dtype=np.float32)


def random_field(shape: tuple[int, int, int], step: float, wavelength: Point, seed: int) -> Field:
    """Band-limited Gaussian random field, unit variance, of about `wavelength` (x, y, z) mm."""
    rng = np.random.default_rng(seed)
    spectrum = fft.rfftn(rng.standard_normal(shape, dtype=np.float32))
    kz, ky, kx = (fft.fftfreq(shape[0], step), fft.fftfreq(shape[1], step), fft.rfftfreq(shape[2], step))
    scaled = (
        (kz[:, None, None] * wavelength[2]) ** 2 + (ky[None, :, None] * wavelength[1]) ** 2 + (kx * wavelength[0]) ** 2
    )
    band = (scaled * np.exp(-1.5 * scaled)).astype(np.float32)
    field = fft.irfftn(spectrum * band, s=shape)
    return np.asarray(field / field.std(), dtype=np.float32)


def level_distance(field: Field, step: float, limit: float = 10.0) -> Field:
    """Signed distance in mm to the zero level of a smooth field, to first order (value over gradient)."""
    slope = np.gradient(field, step)
    size = np.sqrt(slope[0] ** 2 + slope[1] ** 2 + slope[2] ** 2) + np.float32(1e-4)
    return np.asarray(np.clip(field / size, -limit, limit), dtype=np.float32)
