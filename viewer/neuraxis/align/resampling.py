"""A volume on another grid: one through a registration, or the regular one of a tilted or gappy series."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from neuraxis.align.sampling import INDEX_TOLERANCE, Interpolation, map_between, sample_lattice
from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.transform import Registration
from neuraxis.domain.volume import Volume
from neuraxis.errors import GeometryError

MAX_GROWTH = 8
"""A regular grid with more than this many times the voxels of the sheared one is not made."""


def resample(
    volume: Volume, onto: VolumeGeometry, registration: Registration | None = None,
    interpolation: Interpolation = Interpolation.LINEAR,
) -> Volume:
    """The volume's values at the voxel centres of another grid, float32; for pictures and fusion, not for sizes.

    Parameters
    ----------
    onto : the grid to fill
    registration : maps points of `onto`'s frame of reference to the volume's (what `register(fixed, moving)` gives for
        `fixed` = the series of `onto`); not needed where the frames are the same
    interpolation : between voxel centres

    Returns
    -------
    Volume
        On `onto`; what lies outside the source is the source's lowest value and flagged in `padding`.

    Raises
    ------
    GeometryError
        When the frames differ and no fitting registration is given.
    """
    matrix = map_between(onto.frame_of_reference_uid, volume.frame_of_reference_uid, registration)
    if registration is None and onto.is_close_to(volume.geometry, 1e-4):
        return replace(volume, geometry=onto)
    to_index = volume.geometry.affine_xyz_from_lps[:3, :3] @ matrix[:3, :3]
    per_slice, per_row, per_column = (
        (to_index @ np.asarray(step))[::-1] for step in (onto.step_z_mm, onto.step_y_mm, onto.step_x_mm)
    )
    first = volume.geometry.index_from_lps(matrix[:3, :3] @ np.asarray(onto.origin_lps_mm) + matrix[:3, 3])
    out = np.empty(onto.shape_zyx, dtype=np.float32)
    for z in range(onto.shape_zyx[0]):
        out[z] = sample_lattice(
            volume, first + z * per_slice, per_row, per_column, (onto.shape_zyx[1], onto.shape_zyx[2]), interpolation
        )
    outside = np.isnan(out)
    padding = outside if bool(outside.any()) else None
    if padding is not None:
        out[padding] = float(volume.array.min())
    return Volume(
        out, onto, volume.kind, volume.unit, volume.slice_thickness_mm, padding, (), volume.series_id,
        volume.series_uid, (), (*volume.caveats, "resampled: not for measurement of sizes"),
    )


def upright(volume: Volume) -> Volume:
    """The volume on a grid of right angles: slices stay in their planes, each is shifted inside its own plane.

    A tilted gantry shears the grid, which many programs cannot hold. Here nothing is interpolated between slices: the
    rows and columns of each slice are blended linearly from their neighbours, by the part of a pixel that the slice lies
    beside the first one. The grid covers every voxel; where it is wider than the scanned field, voxels hold the lowest
    value and are flagged in `padding`, and so are those with padding among their sources.

    Returns
    -------
    Volume
        float32, with a caveat that says so; the same volume where nothing is sheared. Gaps stay marked.

    Raises
    ------
    GeometryError
        When the tilt is so steep that the grid would hold more than eight times the voxels.
    """
    geometry = volume.geometry
    if not geometry.is_sheared:
        return volume
    step = np.asarray(geometry.slice_normal_lps) * geometry.slice_distance_mm
    in_plane = np.array([geometry.step_y_mm, geometry.step_x_mm], dtype=np.float64).T
    shift = np.linalg.lstsq(in_plane, np.asarray(geometry.step_z_mm) - step, rcond=None)[0]
    count, rows, columns = geometry.shape_zyx
    first = [math.floor(min(0.0, (count - 1) * s)) for s in shift]
    last = [math.ceil(max(0.0, (count - 1) * s)) for s in shift]
    shape = (count, rows + last[0] - first[0], columns + last[1] - first[1])
    if math.prod(shape) > MAX_GROWTH * volume.array.size:
        raise GeometryError(
            f"slices tilted by {geometry.shear_degrees:.0f} degrees: a regular grid would need {shape} voxels",
            expected="a smaller tilt", remedy="export the grid as it is (--native)",
        )
    out = np.empty(shape, dtype=np.float32)
    for k in range(count):
        image = volume.array[k].astype(np.float32)
        if volume.padding is not None:
            image[volume.padding[k]] = np.nan
        image = _shifted(image, first[0] - k * shift[0], shape[1])
        out[k] = _shifted(image.T, first[1] - k * shift[1], shape[2]).T
    outside = np.isnan(out)
    lowest = float(volume.array.min())
    out[outside] = lowest
    origin = geometry.lps_from_index((0, first[0], first[1]))
    grid = replace(
        geometry, shape_zyx=shape, origin_lps_mm=(float(origin[0]), float(origin[1]), float(origin[2])),
        step_z_mm=(float(step[0]), float(step[1]), float(step[2])),
    )
    farthest = float(np.linalg.norm(in_plane @ shift)) * (count - 1)
    caveat = (
        f"gantry tilt {geometry.shear_degrees:.3g} degrees: resampled to a regular grid, each slice shifted in its own plane "
        f"by linear interpolation (up to {farthest:.3g} mm), outside the scanned field {lowest:g}; measure on the native slices"
    )
    return replace(
        volume, array=out, geometry=grid, padding=outside if bool(outside.any()) else None, caveats=(*volume.caveats, caveat)
    )


def _shifted(image: NDArray[np.float32], first: float, count: int) -> NDArray[np.float32]:
    """`count` rows of an image from fractional row `first` on, linearly blended; NaN beyond its outermost rows."""
    base = math.floor(first + INDEX_TOLERANCE)
    weight = np.float32(first - base)
    if weight > INDEX_TOLERANCE:
        image = image[:-1] * (1 - weight) + image[1:] * weight
    out = np.full((count, image.shape[1]), np.nan, dtype=np.float32)
    low, high = max(0, -base), min(count, len(image) - base)
    if high > low:
        out[low:high] = image[base + low : base + high]
    return out


def bridged(volume: Volume) -> Volume:
    """The volume with its gaps filled by linear interpolation between the slices beside them, still marked as missing.

    Voxels with padding among their sources stay as they are and flagged; `missing_slices` and a caveat name what is filled.
    """
    if not volume.missing_slices:
        return volume
    array = volume.array.copy()
    padding = np.zeros(array.shape, np.bool_) if volume.padding is None else volume.padding.copy()
    present = [k for k in range(len(array)) if k not in set(volume.missing_slices)]
    filled = [k for k in volume.missing_slices if present[0] < k < present[-1]]
    for k in filled:
        upper = int(np.searchsorted(present, k))
        low, high = present[upper - 1], present[upper]
        weight = (k - low) / (high - low)
        blended = array[low] * (1.0 - weight) + array[high] * weight
        outside = padding[low] | padding[high]
        array[k] = np.where(outside, array[k], np.rint(blended) if array.dtype == np.int16 else blended)
        padding[k] = outside
    slices = ", ".join(str(k + 1) for k in filled)
    caveat = f"missing slices bridged by linear interpolation: {slices}"
    return replace(
        volume, array=array, padding=padding if bool(padding.any()) else None, caveats=(*volume.caveats, caveat)
    )
