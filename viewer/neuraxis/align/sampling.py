"""Interpolation of voxels at the points of a regular two-dimensional lattice."""

from __future__ import annotations

import enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import FloatArray
from neuraxis.domain.transform import Registration
from neuraxis.domain.volume import Volume
from neuraxis.errors import GeometryError

INDEX_TOLERANCE = 1e-4
"""Fractions of a voxel below which a lattice counts as lying on voxel centres."""
HALF_VOXEL = 0.5 + INDEX_TOLERANCE
PARALLEL_FROM = 1 << 16
"""Lattice points from which a second thread pays."""


class Interpolation(enum.Enum):
    """How values between voxel centres are made; only for pictures, never for measurements."""

    NEAREST = 0
    LINEAR = 1
    CUBIC = 3


def map_between(from_frame: str, to_frame: str, registration: Registration | None) -> FloatArray:
    """4x4 matrix from points of one frame of reference to those of another.

    Raises
    ------
    GeometryError
        When the frames differ and no registration between exactly these two, in this direction, was given.
    """
    if registration is None:
        if from_frame != to_frame:
            raise GeometryError(
                f"points of frame of reference {from_frame or '(none)'} asked for in {to_frame or '(none)'}",
                expected="one frame of reference, or a registration between the two",
                remedy="register the two series first",
            )
        return np.eye(4)
    if registration.from_frame != from_frame or registration.to_frame != to_frame:
        raise GeometryError(
            f"registration from {registration.from_frame} to {registration.to_frame}",
            expected=f"one from {from_frame} to {to_frame}",
            remedy="use the inverse, or register these two series",
        )
    return registration.array


def sample_lattice(
    volume: Volume, start: FloatArray, per_row: FloatArray, per_column: FloatArray, shape: tuple[int, int],
    interpolation: Interpolation = Interpolation.LINEAR,
) -> NDArray[np.float32]:
    """Values at `start + r * per_row + c * per_column`, float32 of `shape` (rows, columns); NaN outside.

    Parameters
    ----------
    start, per_row, per_column : fractional (z, y, x) voxel indices
    shape : numbers of rows and columns of the lattice

    Notes
    -----
    A point is inside within half a voxel of the outermost centres. Where the lattice runs along the grid, voxels are
    picked and blended axis by axis; where it falls on voxel centres, the stored values come out unchanged.
    """
    axes = _grid_axes(per_row, per_column)
    if axes is not None and interpolation is not Interpolation.CUBIC:
        out = _sample_along_axes(volume.array, start, per_row, per_column, shape, axes, interpolation)
    else:
        out = _sample_anyhow(volume.array, start, per_row, per_column, shape, interpolation)
    if volume.padding is not None:
        out[_nearest_flag(volume.padding, start, per_row, per_column, shape)] = np.nan
    return out


def _grid_axes(per_row: FloatArray, per_column: FloatArray) -> tuple[int, int] | None:
    """Array axes along which rows and columns of the lattice advance, if each follows a single one."""
    found = []
    for step in (per_row, per_column):
        size = np.abs(step)
        axis = int(size.argmax())
        if float(np.delete(size, axis).max()) > 1e-7 + 1e-6 * float(size[axis]):
            return None
        found.append(axis)
    return None if found[0] == found[1] else (found[0], found[1])


def _line(start: float, step: float, count: int, length: int) -> tuple[NDArray[np.int64], FloatArray, NDArray[np.bool_]]:
    """Lower neighbour, weight of the upper one and validity of `count` positions along an axis of `length` voxels."""
    position = start + step * np.arange(count)
    valid = (position >= -HALF_VOXEL) & (position <= length - 1 + HALF_VOXEL)
    nearest = np.rint(position)
    position = np.where(np.abs(position - nearest) < INDEX_TOLERANCE, nearest, position)
    position = np.clip(position, 0, length - 1)
    lower = np.minimum(position.astype(np.int64), max(length - 2, 0))
    return lower, position - lower, valid


def _blend(image: NDArray[np.float32], axis: int, lower: NDArray[np.int64], weight: FloatArray) -> NDArray[np.float32]:
    """Linear interpolation of a two-dimensional image along one axis."""
    if not weight.any():
        picked: NDArray[np.float32] = image.take(lower, axis)
        return picked
    upper = np.minimum(lower + 1, image.shape[axis] - 1)
    w = weight.astype(np.float32)
    w = w[:, None] if axis == 0 else w[None, :]
    low = image.take(lower, axis)
    out: NDArray[np.float32] = image.take(upper, axis)
    out -= low
    out *= w
    out += low
    return out


def _sample_along_axes(
    array: NDArray[Any], start: FloatArray, per_row: FloatArray, per_column: FloatArray, shape: tuple[int, int],
    axes: tuple[int, int], interpolation: Interpolation,
) -> NDArray[np.float32]:
    row_axis, column_axis = axes
    fixed_axis = 3 - row_axis - column_axis
    lines = {
        fixed_axis: _line(float(start[fixed_axis]), 0.0, 1, array.shape[fixed_axis]),
        row_axis: _line(float(start[row_axis]), float(per_row[row_axis]), shape[0], array.shape[row_axis]),
        column_axis: _line(float(start[column_axis]), float(per_column[column_axis]), shape[1], array.shape[column_axis]),
    }
    if not all(valid.any() for _, _, valid in lines.values()):
        return np.full(shape, np.nan, dtype=np.float32)
    if interpolation is Interpolation.NEAREST:
        lines = {a: (low + (w >= 0.5), np.zeros_like(w), valid) for a, (low, w, valid) in lines.items()}
    crop: list[slice] = [slice(None)] * 3
    for axis, (low, _, valid) in lines.items():
        first = int(low[valid].min())
        crop[axis] = slice(first, min(int(low[valid].max()) + 2, array.shape[axis]))
        lines[axis] = (np.clip(low - first, 0, crop[axis].stop - first - 1), lines[axis][1], valid)
    part = np.moveaxis(array[tuple(crop)], (row_axis, column_axis), (-2, -1))
    part = part.reshape(part.shape[-3:])
    image = part[int(lines[fixed_axis][0][0])].astype(np.float32)
    weight = float(lines[fixed_axis][1][0])
    if weight > 0:
        image += np.float32(weight) * (part[int(lines[fixed_axis][0][0]) + 1] - image)
    image = _blend(_blend(image, 0, *lines[row_axis][:2]), 1, *lines[column_axis][:2])
    image[~lines[row_axis][2], :] = np.nan
    image[:, ~lines[column_axis][2]] = np.nan
    return image


def _coordinates(
    start: FloatArray, per_row: FloatArray, per_column: FloatArray, first: int, last: int, columns: int,
    lengths: tuple[int, ...],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Clipped indices (3, rows, columns) of some lattice rows, and which of them lie in the volume."""
    rows = np.arange(first, last)
    index = (
        start[:, None, None] + per_row[:, None, None] * rows[:, None] + per_column[:, None, None] * np.arange(columns)
    )
    top = np.asarray(lengths, dtype=np.float64)[:, None, None] - 1.0
    inside: NDArray[np.bool_] = np.all((index >= -HALF_VOXEL) & (index <= top + HALF_VOXEL), axis=0)
    np.clip(index, 0.0, top, out=index)
    return index, inside


def _sample_anyhow(
    array: NDArray[Any], start: FloatArray, per_row: FloatArray, per_column: FloatArray, shape: tuple[int, int],
    interpolation: Interpolation,
) -> NDArray[np.float32]:
    from scipy import ndimage

    out = np.empty(shape, dtype=np.float32)
    source, offset = array, np.zeros(3)
    if interpolation is Interpolation.CUBIC:
        source, offset = _spline_coefficients(array, start, per_row, per_column, shape)

    def rows(first: int, last: int) -> None:
        index, inside = _coordinates(start - offset, per_row, per_column, first, last, shape[1], source.shape)
        part = out[first:last]
        ndimage.map_coordinates(
            source, index, output=part, order=interpolation.value, mode="nearest", prefilter=False
        )
        part[~inside] = np.nan

    if shape[0] * shape[1] < PARALLEL_FROM:
        rows(0, shape[0])
    else:
        from concurrent.futures import ThreadPoolExecutor

        half = shape[0] // 2
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(rows, (0, half), (half, shape[0])))
    return out


def _spline_coefficients(
    array: NDArray[Any], start: FloatArray, per_row: FloatArray, per_column: FloatArray, shape: tuple[int, int]
) -> tuple[NDArray[np.float32], FloatArray]:
    """Cubic B-spline coefficients of the part of the array that the lattice touches, and where that part starts."""
    from scipy import ndimage

    ends = np.array([start + r * per_row + c * per_column for r in (0, shape[0] - 1) for c in (0, shape[1] - 1)])
    top = np.asarray(array.shape)
    low = np.clip(np.floor(ends.min(axis=0)).astype(int) - 12, 0, top - 1)
    high = np.clip(np.ceil(ends.max(axis=0)).astype(int) + 13, low + 1, top)
    crop = array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))].astype(np.float32)
    coefficients: NDArray[np.float32] = ndimage.spline_filter(crop, order=3, output=np.float32, mode="nearest")
    return coefficients, low.astype(np.float64)


def _nearest_flag(
    flags: NDArray[np.bool_], start: FloatArray, per_row: FloatArray, per_column: FloatArray, shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Whether the voxel nearest to each lattice point is flagged."""
    index, _ = _coordinates(start, per_row, per_column, 0, shape[0], shape[1], flags.shape)
    z, y, x = np.rint(index).astype(np.intp)
    picked: NDArray[np.bool_] = flags[z, y, x]
    return picked
