"""From a volume to the grey picture of a panel: native slices, slabs and window tables, in NumPy only."""

from __future__ import annotations

import contextlib
import importlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuraxis.align.planes import Plane, Projection, sample_plane
from neuraxis.app.views import NativeView, ScreenView, vector3
from neuraxis.domain.geometry import Vector3, VolumeGeometry
from neuraxis.domain.transform import Registration
from neuraxis.domain.volume import ValueKind, Volume
from neuraxis.domain.window import Window

PROJECTION_WORDS = {
    Projection.NONE: "slice", Projection.MIP: "MIP", Projection.MINIP: "minIP", Projection.MEAN: "mean",
}
"""How a slab is named on the screen."""


@dataclass(frozen=True, eq=False)
class Picture:
    """Values on a plane, row by row from the top, with the place of each pixel in the patient.

    Parameters
    ----------
    values : (rows, columns) real-world units; may be a strided view of the volume
    origin_lps_mm : centre of the top left pixel
    step_right_mm, step_down_mm : LPS displacement per column and per row
    slice_index : index along the array's slice axis; None for resampled planes
    slab_mm : thickness that was projected, 0 for one slice
    interpolated : whether values were computed between voxels
    """

    values: NDArray[Any]
    origin_lps_mm: Vector3
    step_right_mm: Vector3
    step_down_mm: Vector3
    slice_index: int | None = None
    slab_mm: float = 0.0
    interpolated: bool = False

    def lps_from_pixel(self, row_column: ArrayLike) -> NDArray[np.float64]:
        """LPS points (..., 3) of fractional (row, column) positions (..., 2)."""
        rc = np.asarray(row_column, dtype=np.float64)
        points: NDArray[np.float64] = (
            np.asarray(self.origin_lps_mm)
            + rc[..., :1] * np.asarray(self.step_down_mm)
            + rc[..., 1:] * np.asarray(self.step_right_mm)
        )
        return points


LATER = ("neuraxis.lesions.tools", "neuraxis.figures", "matplotlib.textpath", "matplotlib.font_manager")
"""What measurements and the figure desk load when they are first used."""


def prepare_tools() -> None:
    """Load what oblique planes, measurements and figures need, so that no mouse waits for it later (0.5 s and more)."""
    for name in LATER:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    geometry = VolumeGeometry.axis_aligned((2, 2, 2), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), "1.2")
    volume = Volume(np.zeros((2, 2, 2), dtype=np.int16), geometry, ValueKind.STORED, slice_thickness_mm=1.0)
    view = ScreenView((1.0, 0.0, 0.0), (0.0, 0.8, 0.6), (0.5, 0.5, 0.5), 1.0, 2, 2)
    oblique_picture(volume, view)


def slice_count(geometry: VolumeGeometry, view: NativeView) -> int:
    """Number of native slices in a view."""
    return int(geometry.shape_zyx[view.slice_axis])


def slice_spacing_mm(geometry: VolumeGeometry, view: NativeView) -> float:
    """Distance of neighbouring native slice planes of a view along the normal of the view."""
    steps = (geometry.step_z_mm, geometry.step_y_mm, geometry.step_x_mm)
    return abs(float(np.dot(steps[view.slice_axis], view.normal)))


def slice_index_of(geometry: VolumeGeometry, view: NativeView, point_lps_mm: ArrayLike) -> int:
    """Index of the native slice nearest to a point, clipped to the volume."""
    index = float(geometry.index_from_lps(point_lps_mm)[view.slice_axis])
    return int(np.clip(np.rint(index), 0, slice_count(geometry, view) - 1))


def slice_centre_lps_mm(geometry: VolumeGeometry, view: NativeView, index: int) -> Vector3:
    """Centre of a native slice."""
    middle = [(n - 1) / 2 for n in geometry.shape_zyx]
    middle[view.slice_axis] = float(index)
    return vector3(geometry.lps_from_index(middle))


def native_picture(
    volume: Volume, view: NativeView, index: int, *, slab_mm: float = 0.0, projection: Projection = Projection.NONE
) -> Picture:
    """One native slice, or the slab of native slices around it, without interpolation.

    A slab takes the slices whose centre lies within half of `slab_mm` of the slice shown. The plane of the picture is
    that of the slice in the middle.
    """
    count = slice_count(volume.geometry, view)
    index = int(np.clip(index, 0, count - 1))
    first, last = index, index
    if projection is not Projection.NONE:
        reach = int(slab_mm / 2 / slice_spacing_mm(volume.geometry, view) + 1e-6)
        first, last = max(0, index - reach), min(count - 1, index + reach)
    box: list[slice] = [slice(None)] * 3
    box[view.slice_axis] = slice(first, last + 1)
    slab = volume.array[tuple(box)]
    values = _project(slab, view.slice_axis, projection if last > first else Projection.NONE)
    return oriented_slice(values, volume.geometry, view, index, slab_mm=(last - first + 1) * slice_spacing_mm(
        volume.geometry, view) if last > first else 0.0)


def _project(slab: NDArray[Any], axis: int, projection: Projection) -> NDArray[Any]:
    if projection is Projection.MIP:
        return np.asarray(slab.max(axis=axis))
    if projection is Projection.MINIP:
        return np.asarray(slab.min(axis=axis))
    if projection is Projection.MEAN:
        return np.asarray(slab.mean(axis=axis, dtype=np.float32))
    return np.asarray(slab.take(0, axis=axis) if axis == 2 else slab[(slice(None),) * axis + (0,)])


def oblique_picture(
    volume: Volume, view: ScreenView, *, slab_mm: float = 0.0, projection: Projection = Projection.NONE,
    registration: Registration | None = None, pixel_mm: float | None = None,
) -> Picture:
    """What a panel shows of a plane that is not native: linear interpolation, NaN outside the volume.

    Parameters
    ----------
    view : the plane, in the volume's frame of reference or in that from which `registration` leads
    pixel_mm : sampling distance; default the screen's, but not finer than two thirds of the smallest voxel spacing
        (all of it in a slab), beyond which only the painter's enlargement would be computed twice
    """
    # a slab blends many layers: what lies between voxels adds nothing to it but time
    finest = min(volume.geometry.spacing_xyz_mm) * (2 / 3 if projection is Projection.NONE else 1.0)
    step = max(pixel_mm or view.mm_per_pixel, finest)
    frame = registration.from_frame if registration else volume.frame_of_reference_uid
    centre, width_mm, height_mm = _shown_part(volume.geometry, view, registration)
    plane = Plane(
        centre, view.right, view.down, max(width_mm, step), max(height_mm, step), step,
        slab_mm if projection is not Projection.NONE else 0.0, projection, frame_of_reference_uid=frame,
    )
    values = sample_plane(volume, plane, registration=registration)
    return Picture(
        values, vector3(plane.lps_from_pixel((0.0, 0.0))), vector3(np.multiply(view.right, step)),
        vector3(np.multiply(view.down, step)), slab_mm=plane.slab_mm, interpolated=True,
    )


def _shown_part(
    geometry: VolumeGeometry, view: ScreenView, registration: Registration | None
) -> tuple[Vector3, float, float]:
    """Centre, width and height in mm of what both the screen and the volume reach; nothing else is sampled."""
    corners = geometry.corners_lps_mm()
    if registration is not None:
        corners = registration.inverse.apply(corners)
    pixels = view.screen_from_lps(corners)
    low = np.clip(pixels.min(axis=0), 0, [view.width, view.height])
    high = np.clip(pixels.max(axis=0), 0, [view.width, view.height])
    width, height = (float(v) for v in (high - low) * view.mm_per_pixel)
    return vector3(view.lps_from_screen((low + high) / 2)), width, height


def oriented_slice(
    values: NDArray[Any], geometry: VolumeGeometry, view: NativeView, index: int, *, slab_mm: float = 0.0
) -> Picture:
    """A slice in array order, turned and flipped to the screen, with the place of its pixels."""
    if view.row_axis > view.column_axis:
        values = values.T
    values = values[:: view.row_sign, :: view.column_sign]
    steps = [np.asarray(s) for s in (geometry.step_z_mm, geometry.step_y_mm, geometry.step_x_mm)]
    corner = [0.0, 0.0, 0.0]
    corner[view.slice_axis] = float(index)
    if view.row_sign < 0:
        corner[view.row_axis] = geometry.shape_zyx[view.row_axis] - 1.0
    if view.column_sign < 0:
        corner[view.column_axis] = geometry.shape_zyx[view.column_axis] - 1.0
    return Picture(
        values, vector3(geometry.lps_from_index(corner)),
        vector3(steps[view.column_axis] * view.column_sign), vector3(steps[view.row_axis] * view.row_sign),
        slice_index=index, slab_mm=slab_mm,
    )


@lru_cache(maxsize=32)
def _int16_table(window: Window, inverted: bool) -> NDArray[np.uint8]:
    """Grey of every int16 value, indexed by its bits read as uint16."""
    values = np.arange(65536, dtype=np.uint16).view(np.int16)
    table = window.to_grey(values, inverted=inverted)
    table.flags.writeable = False
    return table


def grey_picture(values: NDArray[Any], window: Window, *, inverted: bool = False) -> NDArray[np.uint8]:
    """8-bit grey of a picture, C-contiguous, the same as `Window.to_grey` gives; int16 goes through a table."""
    if values.dtype == np.int16:
        contiguous = np.ascontiguousarray(values)
        return np.asarray(np.take(_int16_table(window, inverted), contiguous.view(np.uint16)))
    return np.ascontiguousarray(window.to_grey(values, inverted=inverted))


_RGB = np.arange(256, dtype=np.uint32) * np.uint32(0x010101) | np.uint32(0xFF000000)


@lru_cache(maxsize=32)
def _int16_rgb_table(window: Window, inverted: bool) -> NDArray[np.uint32]:
    return np.asarray(_RGB[_int16_table(window, inverted)])


def screen_picture(
    values: NDArray[Any], window: Window, *, inverted: bool = False, out: NDArray[np.uint32] | None = None
) -> NDArray[np.uint32]:
    """The grey picture as 0xffRRGGBB, which a painter enlarges four times as fast as 8-bit grey.

    `out` is filled and returned where its shape fits: a fresh megabyte a slice costs more than the table look-up.
    """
    pixels = out if out is not None and out.shape == values.shape else np.empty(values.shape, dtype=np.uint32)
    if values.dtype == np.int16:
        contiguous = np.ascontiguousarray(values)
        np.take(_int16_rgb_table(window, inverted), contiguous.view(np.uint16), out=pixels, mode="clip")
    else:
        np.take(_RGB, window.to_grey(values, inverted=inverted), out=pixels, mode="clip")
    return pixels
