"""Slabs across the grid: each ray is read where it crosses the slices of the array that it crosses most often."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.align.plane import Projection
from neuraxis.domain.geometry import FloatArray

CHUNK = 1 << 14
"""Rays worked on at a time: their arrays stay in the processor's cache."""
PARALLEL_FROM = 1 << 15
LEAST_CROSSINGS = 2.0

Float = NDArray[np.float32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Rays:
    """Rays of a picture through an array.

    Parameters
    ----------
    start, per_row, per_column, per_mm : (z, y, x) indices of the first pixel, and by row, column and mm along the normal
    shape : (rows, columns)
    slab_mm : thickness, centred on the plane
    """

    start: FloatArray
    per_row: FloatArray
    per_column: FloatArray
    per_mm: FloatArray
    shape: tuple[int, int]
    slab_mm: float

    @property
    def axis(self) -> int:
        """Array axis whose slices the rays cross most often."""
        return int(np.argmax(np.abs(self.per_mm)))

    @property
    def half(self) -> float:
        """Half of the slab, in slices of that axis."""
        return 0.5 * self.slab_mm * float(np.abs(self.per_mm).max())

    @property
    def is_thick_enough(self) -> bool:
        """Whether every ray crosses at least two slices."""
        return 2 * self.half >= LEAST_CROSSINGS


@dataclass(frozen=True, eq=False)
class _Source:
    """The array with its axes named by how rays meet them: the crossed one, and the two of a slice."""

    flat: NDArray[Any]
    padding: Flags | None
    lengths: tuple[int, int, int]
    strides: tuple[int, int, int]


def project_across(
    array: NDArray[Any], padding: Flags | None, rays: Rays, projection: Projection, *, nearest: bool = False
) -> Float:
    """Maximum, minimum or mean of the values where each ray crosses the slices of the array; NaN where there is none.

    Parameters
    ----------
    array : (z, y, x), C order
    padding : voxels that hold no value
    nearest : take the nearest voxel of each slice instead of blending four

    Notes
    -----
    Crossing whole slices needs four neighbours where a layer between slices needs eight, and invents no value between
    slices. Half the layers of a picture half as fine give one eighth of the work.
    """
    out = np.empty(rays.shape, dtype=np.float32)
    columns = rays.shape[1]
    step = max(1, CHUNK // columns)
    spans = [(first, min(first + step, rays.shape[0])) for first in range(0, rays.shape[0], step)]
    order = (rays.axis, *(a for a in range(3) if a != rays.axis))
    solid = np.ascontiguousarray(array)
    strides = tuple(s // solid.itemsize for s in solid.strides)
    source = _Source(
        solid.reshape(-1), None if padding is None else np.ascontiguousarray(padding).reshape(-1),
        (solid.shape[order[0]], solid.shape[order[1]], solid.shape[order[2]]),
        (strides[order[0]], strides[order[1]], strides[order[2]]),
    )

    def work(span: tuple[int, int]) -> None:
        out[span[0] : span[1]] = _some_rows(source, rays, order, span, projection, nearest)

    if out.size < PARALLEL_FROM:
        for span in spans:
            work(span)
    else:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(work, spans))
    return out


def _some_rows(
    source: _Source, rays: Rays, order: tuple[int, ...], span: tuple[int, int], projection: Projection, nearest: bool
) -> Float:
    rows, columns = np.arange(*span, dtype=np.float64)[:, None], np.arange(rays.shape[1], dtype=np.float64)
    across, first, second = (
        (rays.start[a] + rays.per_row[a] * rows + rays.per_column[a] * columns).astype(np.float32) for a in order
    )
    per_slice = 1.0 / float(rays.per_mm[order[0]])
    lean = [np.float32(rays.per_mm[a] * per_slice) for a in order[1:]]
    slices = np.ceil(across - np.float32(rays.half + 1e-4))
    first += (slices - across) * lean[0]
    second += (slices - across) * lean[1]
    # beyond the slab or the array, a crossing does not count
    last = np.minimum(across + np.float32(rays.half + 1e-4), source.lengths[0] - 1)
    fill = {Projection.MIP: -np.inf, Projection.MINIP: np.inf}.get(projection, 0.0)
    total = np.full(across.shape, fill, dtype=np.float32)
    counted = np.zeros(across.shape, dtype=np.float32)
    for _ in range(int(2 * rays.half) + 2):
        there = (slices >= 0) & (slices <= last)
        for along, length in ((first, source.lengths[1]), (second, source.lengths[2])):
            there &= (along >= -0.5) & (along <= length - 0.5)
        if there.any():
            value, there = _values(source, slices, first, second, there, nearest)
            if projection is Projection.MIP:
                np.fmax(total, value, out=total, where=there)
            elif projection is Projection.MINIP:
                np.fmin(total, value, out=total, where=there)
            else:
                np.add(total, value, out=total, where=there)
            counted += there
        slices += 1
        first += lean[0]
        second += lean[1]
    if projection is Projection.MEAN:
        np.divide(total, counted, out=total, where=counted > 0)
    total[counted == 0] = np.nan
    return total


def _values(source: _Source, slices: Float, first: Float, second: Float, there: Flags, nearest: bool) -> tuple[Float, Flags]:
    """Values at crossings (anything where `there` is False), and where they count."""
    a_stride, b_stride, c_stride = source.strides
    base = np.clip(slices, 0, source.lengths[0] - 1).astype(np.int64) * a_stride
    b, c = (np.clip(along, 0, n - 1) for along, n in ((first, source.lengths[1]), (second, source.lengths[2])))
    b_near, c_near = (b + np.float32(0.5)).astype(np.int64), (c + np.float32(0.5)).astype(np.int64)
    if nearest or source.padding is not None:
        at = base + b_near * b_stride + c_near * c_stride
        if source.padding is not None:
            there = there & ~source.padding.take(at)
        if nearest:
            return source.flat.take(at).astype(np.float32), there
    b_low = np.minimum(b.astype(np.int64), max(source.lengths[1] - 2, 0))
    c_low = np.minimum(c.astype(np.int64), max(source.lengths[2] - 2, 0))
    wb, wc = b - b_low, c - c_low
    wb, wc = wb.astype(np.float32), wc.astype(np.float32)
    b_step = b_stride if source.lengths[1] > 1 else 0
    c_step = c_stride if source.lengths[2] > 1 else 0
    base += b_low * b_stride
    base += c_low * c_stride
    rows = []
    for _ in range(2):
        low = source.flat.take(base).astype(np.float32)
        high = source.flat.take(base + c_step).astype(np.float32)
        high -= low
        high *= wc
        high += low
        rows.append(high)
        base += b_step
    near, far = rows
    far -= near
    far *= wb
    far += near
    return far, there
