"""How a plane of the patient lies on the screen: directions, centre, zoom, and the one map between pixels and LPS."""

from __future__ import annotations

import enum
import itertools
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuraxis.domain.geometry import Vector3, VolumeGeometry, orientation_letters


class Orientation(enum.Enum):
    """The plane a panel shows; the value is the word on the screen."""

    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"


SCREEN_AXES: dict[Orientation, tuple[Vector3, Vector3, Vector3]] = {
    Orientation.AXIAL: ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    Orientation.CORONAL: ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)),
    Orientation.SAGITTAL: ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0), (-1.0, 0.0, 0.0)),
}
"""LPS unit vectors to screen right, screen bottom, and into the screen: axial from the feet with the patient's right on
screen left, coronal from the front, sagittal from the left with anterior on screen left."""

OBLIQUE_BADGE_DEGREES = 3.0
"""A native plane further than this from the named patient plane carries the badge 'tilted'."""


def vector3(values: ArrayLike) -> Vector3:
    """Three floats of an array of three."""
    x, y, z = (float(v) for v in np.asarray(values, dtype=np.float64).ravel())
    return (x, y, z)


def cross(a: Vector3, b: Vector3) -> Vector3:
    """Vector product of two tuples; many times faster than NumPy's on so little."""
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


def _unit(values: ArrayLike) -> NDArray[np.float64]:
    v = np.asarray(values, dtype=np.float64)
    unit: NDArray[np.float64] = v / np.linalg.norm(v)
    return unit


@dataclass(frozen=True)
class NativeView:
    """The slices of an acquisition that come nearest to a named plane, shown without interpolation.

    Array axes are numbered (z, y, x) = (0, 1, 2). A sign of -1 says that the array runs against the screen, so that it
    is shown flipped; `right` and `down` are LPS unit vectors, at right angles even where the grid is sheared.
    """

    orientation: Orientation
    slice_axis: int
    row_axis: int
    column_axis: int
    slice_sign: int
    row_sign: int
    column_sign: int
    right: Vector3
    down: Vector3

    @cached_property
    def normal(self) -> Vector3:
        """LPS unit vector into the screen."""
        return cross(self.right, self.down)

    @property
    def tilt_degrees(self) -> float:
        """Angle between these slices and the named patient plane."""
        cosine = abs(float(np.dot(self.normal, SCREEN_AXES[self.orientation][2])))
        return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


@lru_cache(maxsize=256)
def native_view(geometry: VolumeGeometry, orientation: Orientation) -> NativeView:
    """The array plane nearest to `orientation`; every array axis serves exactly one of the three planes."""
    steps = np.array([geometry.step_z_mm, geometry.step_y_mm, geometry.step_x_mm], dtype=np.float64)
    units = steps / np.linalg.norm(steps, axis=1, keepdims=True)
    # axis order[k] of the array is the one that follows patient axis k (0 left, 1 posterior, 2 head) best
    order = max(
        itertools.permutations(range(3)), key=lambda p: sum(abs(float(units[p[k], k])) for k in range(3))
    )
    right_wanted, down_wanted, into_wanted = (np.asarray(v) for v in SCREEN_AXES[orientation])
    column_axis, row_axis, slice_axis = (
        order[int(np.argmax(np.abs(wanted)))] for wanted in (right_wanted, down_wanted, into_wanted)
    )
    column_sign = 1 if float(units[column_axis] @ right_wanted) >= 0 else -1
    row_sign = 1 if float(units[row_axis] @ down_wanted) >= 0 else -1
    across, along = units[column_axis] * column_sign, units[row_axis] * row_sign
    # where the grid is sheared, the axis nearer to its patient axis keeps its direction on the screen
    if float(across @ right_wanted) >= float(along @ down_wanted):
        right, down = across, _unit(along - (along @ across) * across)
    else:
        right, down = _unit(across - (across @ along) * along), along
    into = np.cross(right, down)
    slice_sign = 1 if float(units[slice_axis] @ into) >= 0 else -1
    return NativeView(
        orientation, slice_axis, row_axis, column_axis, slice_sign, row_sign, column_sign,
        vector3(right), vector3(down),
    )


@dataclass(frozen=True)
class ScreenView:
    """The map between the pixels of a panel and LPS millimetres of one frame of reference.

    Parameters
    ----------
    right, down : LPS unit vectors to the right and the bottom of the screen, at right angles
    centre_lps_mm : point shown in the middle of the panel; the panel's plane goes through it
    mm_per_pixel : size of a screen pixel
    width, height : of the panel in pixels
    """

    right: Vector3
    down: Vector3
    centre_lps_mm: Vector3
    mm_per_pixel: float
    width: int
    height: int

    @cached_property
    def normal(self) -> Vector3:
        """LPS unit vector into the screen."""
        return cross(self.right, self.down)

    @property
    def letters(self) -> tuple[str, str, str, str]:
        """Patient letters at the left, right, top and bottom edge."""
        r, d = np.asarray(self.right), np.asarray(self.down)
        return (
            orientation_letters(-r), orientation_letters(r), orientation_letters(-d), orientation_letters(d),
        )

    def screen_from_lps(self, points_lps_mm: ArrayLike) -> NDArray[np.float64]:
        """Pixel positions (..., 2) as (x, y), top left origin, of LPS points (..., 3) projected along the normal."""
        offset = np.asarray(points_lps_mm, dtype=np.float64) - np.asarray(self.centre_lps_mm)
        plane = np.stack([offset @ np.asarray(self.right), offset @ np.asarray(self.down)], axis=-1)
        pixels: NDArray[np.float64] = plane / self.mm_per_pixel + np.array([self.width / 2, self.height / 2])
        return pixels

    def lps_from_screen(self, pixels_xy: ArrayLike) -> NDArray[np.float64]:
        """LPS points (..., 3) on the panel's plane under pixel positions (..., 2)."""
        offset = (np.asarray(pixels_xy, dtype=np.float64) - [self.width / 2, self.height / 2]) * self.mm_per_pixel
        points: NDArray[np.float64] = (
            np.asarray(self.centre_lps_mm)
            + offset[..., :1] * np.asarray(self.right)
            + offset[..., 1:] * np.asarray(self.down)
        )
        return points

    def distance_mm(self, points_lps_mm: ArrayLike) -> NDArray[np.float64]:
        """Signed distance of points (..., 3) from the plane, positive behind the screen."""
        offset = np.asarray(points_lps_mm, dtype=np.float64) - np.asarray(self.centre_lps_mm)
        distance: NDArray[np.float64] = offset @ np.asarray(self.normal)
        return distance

    def through(self, point_lps_mm: ArrayLike) -> ScreenView:
        """The parallel plane through a point, the picture staying where it is on the screen."""
        shift = float(self.distance_mm(point_lps_mm))
        return replace(
            self, centre_lps_mm=vector3(np.asarray(self.centre_lps_mm) + shift * np.asarray(self.normal))
        )

    def zoomed(self, factor: float, at_pixel_xy: ArrayLike) -> ScreenView:
        """Enlarged by `factor` so that the point under a pixel stays there."""
        anchor = self.lps_from_screen(at_pixel_xy)
        centre = anchor + (np.asarray(self.centre_lps_mm) - anchor) / factor
        return replace(self, centre_lps_mm=vector3(centre), mm_per_pixel=self.mm_per_pixel / factor)

    def panned(self, dx: float, dy: float) -> ScreenView:
        """Moved so that the picture follows the mouse by (dx, dy) pixels."""
        shift = -self.mm_per_pixel * (dx * np.asarray(self.right) + dy * np.asarray(self.down))
        return replace(self, centre_lps_mm=vector3(np.asarray(self.centre_lps_mm) + shift))


def fitted(view: NativeView, geometry: VolumeGeometry, width: int, height: int) -> ScreenView:
    """The whole extent of a volume in a panel, centred."""
    corners = geometry.corners_lps_mm()
    middle = (corners.min(axis=0) + corners.max(axis=0)) / 2
    across, along = corners @ np.asarray(view.right), corners @ np.asarray(view.down)
    mm_per_pixel = max(float(np.ptp(across)) / max(width, 1), float(np.ptp(along)) / max(height, 1), 1e-3)
    return ScreenView(view.right, view.down, vector3(middle), mm_per_pixel, width, height)
