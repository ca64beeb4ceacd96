"""Pictures of a volume on a plane: one layer or a slab."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.align.plane import Plane, Projection
from neuraxis.align.sampling import Interpolation, map_between, sample_lattice
from neuraxis.align.slabs import Rays, project_across
from neuraxis.domain.geometry import FloatArray
from neuraxis.domain.transform import Registration
from neuraxis.domain.volume import Volume

COARSE = 1.5
"""Pixels over voxels from which a slab takes nearest voxels."""


def sample_plane(
    volume: Volume, plane: Plane, *, registration: Registration | None = None,
    interpolation: Interpolation = Interpolation.LINEAR,
) -> NDArray[np.float32]:
    """The picture of a volume on a plane, float32 (rows, columns); NaN outside the volume and in padding.

    Parameters
    ----------
    plane : in its own frame of reference
    registration : maps points of the plane's frame to the volume's; not needed where they are the same
    interpolation : between voxel centres; a plane that falls on voxel centres gives the stored values

    Raises
    ------
    GeometryError
        When the frames differ and no registration, or one between other frames, is given.
    """
    frame = plane.frame_of_reference_uid or (registration.from_frame if registration else volume.frame_of_reference_uid)
    matrix = map_between(frame, volume.frame_of_reference_uid, registration)
    origin = matrix[:3, :3] @ plane.lps_from_pixel((0.0, 0.0)) + matrix[:3, 3]
    to_index = volume.geometry.affine_xyz_from_lps[:3, :3] @ matrix[:3, :3]
    start = volume.geometry.index_from_lps(origin)
    per_row = (to_index @ np.asarray(plane.column_lps))[::-1] * plane.pixel_mm
    per_column = (to_index @ np.asarray(plane.row_lps))[::-1] * plane.pixel_mm
    if plane.projection is Projection.NONE or plane.slab_mm <= 0:
        return sample_lattice(volume, start, per_row, per_column, plane.shape, interpolation)
    per_mm = (to_index @ np.asarray(plane.normal_lps))[::-1]
    return _project(volume, plane, (start, per_row, per_column, per_mm), interpolation)


def _project(
    volume: Volume, plane: Plane, lattice: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    interpolation: Interpolation,
) -> NDArray[np.float32]:
    """Maximum, minimum or mean over the slab; NaN where it holds no value."""
    start, per_row, per_column, per_mm = lattice
    axis = int(np.argmax(np.abs(per_mm)))
    if float(np.delete(np.abs(per_mm), axis).max()) < 1e-6:
        return _project_along_grid(volume, plane, lattice, axis, interpolation)
    rays = Rays(start, per_row, per_column, per_mm, plane.shape, plane.slab_mm)
    if rays.is_thick_enough and interpolation is not Interpolation.CUBIC:
        # pixels coarser than voxels show no difference between a blend and the nearest voxel
        coarse = plane.pixel_mm > COARSE * min(volume.geometry.spacing_xyz_mm)
        nearest = coarse or interpolation is Interpolation.NEAREST
        return project_across(volume.array, volume.padding, rays, plane.projection, nearest=nearest)
    count = max(2, int(np.ceil(plane.slab_mm * float(np.abs(per_mm).max()))) + 1)
    offsets = np.linspace(-plane.slab_mm / 2, plane.slab_mm / 2, count)
    layers = (
        sample_lattice(volume, start + offset * per_mm, per_row, per_column, plane.shape, interpolation)
        for offset in offsets
    )
    return _combined(layers, plane)


def _project_along_grid(
    volume: Volume, plane: Plane, lattice: tuple[FloatArray, FloatArray, FloatArray, FloatArray], axis: int,
    interpolation: Interpolation,
) -> NDArray[np.float32]:
    """A slab along the grid takes the acquired slices whose centre lies in it: no value is invented between slices."""
    start, per_row, per_column, per_mm = lattice
    ends = sorted(float(start[axis] + s * plane.slab_mm / 2 * per_mm[axis]) for s in (-1, 1))
    first, last = max(int(np.ceil(ends[0] - 1e-6)), 0), min(int(np.floor(ends[1] + 1e-6)), volume.array.shape[axis] - 1)
    if last < first:
        return sample_lattice(volume, start, per_row, per_column, plane.shape, interpolation)
    if volume.padding is not None:
        offsets = (np.arange(first, last + 1) - float(start[axis])) / float(per_mm[axis])
        layers = (
            sample_lattice(volume, start + o * per_mm, per_row, per_column, plane.shape, interpolation) for o in offsets
        )
        return _combined(layers, plane)
    crop, low = _touched(volume, plane, lattice)
    crop[axis] = slice(first, last + 1)
    part = volume.array[tuple(crop)]
    flat: NDArray[Any]
    if plane.projection is Projection.MIP:
        flat = part.max(axis=axis, keepdims=True)
    elif plane.projection is Projection.MINIP:
        flat = part.min(axis=axis, keepdims=True)
    else:
        flat = part.mean(axis=axis, keepdims=True, dtype=np.float32)
    begin = start - low
    begin[axis] = 0.0
    # the crop may end inside the volume; what the lattice sees beyond it lies outside the volume as well
    thin = Volume(flat, volume.geometry.cropped((0, 0, 0), _shape3(flat.shape)), volume.kind)
    return sample_lattice(thin, begin, per_row, per_column, plane.shape, interpolation)


def _shape3(shape: tuple[int, ...]) -> tuple[int, int, int]:
    return shape[0], shape[1], shape[2]


def _touched(
    volume: Volume, plane: Plane, lattice: tuple[FloatArray, FloatArray, FloatArray, FloatArray]
) -> tuple[list[slice], FloatArray]:
    """The part of the array that the picture's rectangle touches, with a margin for interpolation, and its start."""
    start, per_row, per_column, _ = lattice
    rows, columns = plane.shape
    corners = np.array([start + r * per_row + c * per_column for r in (0, rows - 1) for c in (0, columns - 1)])
    top = np.asarray(volume.array.shape)
    low = np.clip(np.floor(corners.min(axis=0)).astype(int) - 14, 0, top - 1)
    high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 15, low + 1, top)
    return [slice(int(a), int(b)) for a, b in zip(low, high, strict=True)], low.astype(np.float64)


def _combined(layers: Iterable[NDArray[np.float32]], plane: Plane) -> NDArray[np.float32]:
    """Maximum, minimum or mean of pictures, without their NaN."""
    total = np.full(plane.shape, np.nan, dtype=np.float32)
    filled = np.zeros(plane.shape, dtype=np.float32)
    for layer in layers:
        if plane.projection is Projection.MIP:
            np.fmax(total, layer, out=total)
        elif plane.projection is Projection.MINIP:
            np.fmin(total, layer, out=total)
        else:
            there = ~np.isnan(layer)
            filled += there
            total = np.where(there, np.where(np.isnan(total), 0, total) + layer, total)
    if plane.projection is Projection.MEAN:
        np.divide(total, filled, out=total, where=filled > 0)
    return total
