"""What one panel shows and how it answers the mouse, without a toolkit: plane, picture, grey, values."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.align.planes import Projection
from neuraxis.app.panel_state import PanelState
from neuraxis.app.pictures import (
    Picture,
    grey_picture,
    native_picture,
    oblique_picture,
    oriented_slice,
    screen_picture,
    slice_centre_lps_mm,
    slice_count,
    slice_index_of,
    slice_spacing_mm,
)
from neuraxis.app.session import StudySession
from neuraxis.app.views import NativeView, ScreenView, fitted, native_view, vector3
from neuraxis.domain.geometry import Shape3, Vector3
from neuraxis.domain.study import Series
from neuraxis.domain.transform import Registration
from neuraxis.domain.volume import Volume
from neuraxis.domain.window import Window

WIDEST_FIELD_MM = 1000.0
"""No panel is zoomed out beyond a field of a metre."""
COARSENESS, COARSENESS_OF_SLABS = 2.4, 4.0
"""Sampling distance of an oblique plane or slab while it is dragged, in screen pixels or voxels, whichever is larger."""


@dataclass(frozen=True)
class Reading:
    """The voxel under a point: where it is and what it holds; `value` is None outside the volume."""

    point_lps_mm: Vector3
    index_zyx: Shape3 | None
    value: float | None
    unit: str

    @property
    def number(self) -> str:
        """'43 HU', or 'outside'."""
        if self.value is None:
            return "outside"
        return f"{self.value:.0f} {self.unit}" if abs(self.value) >= 10 else f"{self.value:.3g} {self.unit}"

    @property
    def text(self) -> str:
        """'43 HU  ·  L 12.0  P 30.5  H 7.2 mm'."""
        letters = [("L", "R"), ("P", "A"), ("H", "F")]
        place = "  ".join(
            f"{pair[0] if v >= 0 else pair[1]} {abs(v):.1f}" for pair, v in zip(letters, self.point_lps_mm, strict=True)
        )
        return f"{self.number}  ·  {place} mm"


class PanelScene:
    """The state of one panel seen through the session: geometry on the screen, picture, and the ways to change them.

    The panel asks; the session, which owns the linked point and the windows, tells every panel what changed.
    """

    def __init__(self, session: StudySession, state: PanelState | None = None) -> None:
        self.session = session
        self.state = state or PanelState()
        self.coarse = False
        """While something is being dragged: oblique planes are sampled less finely."""
        self.least_mm_per_pixel = 0.0
        """A fitted panel shows a millimetre no larger than this, so that panels can be compared."""
        self._screen: ScreenView | None = None
        self._is_fitted = True
        self._size = (1, 1)
        self._pictures: dict[str, tuple[Hashable, Any]] = {}
        self._pixels: NDArray[np.uint32] | None = None

    @property
    def series(self) -> Series | None:
        """The series shown."""
        return self.session.find_series(self.state.series_id) if self.state.series_id else None

    @property
    def volume(self) -> Volume | None:
        """Its voxels where they are in memory."""
        return self.session.volume(self.state.series_id) if self.state.series_id else None

    @property
    def native(self) -> NativeView | None:
        """The native view nearest to the panel's plane."""
        series = self.series
        if series is None or series.geometry is None or not series.is_volume:
            return None
        return native_view(series.geometry, self.state.orientation)

    def set_state(self, state: PanelState) -> None:
        """Show something else; another series or plane starts fitted to the panel."""
        old, self.state = self.state, state
        if (old.series_id, old.orientation) != (state.series_id, state.orientation):
            self._screen, self._is_fitted = None, True
        self._pictures.clear()

    def resize(self, width: int, height: int) -> None:
        """The panel has another size in pixels."""
        self._size = (max(width, 1), max(height, 1))
        if self._screen is not None:
            if self._is_fitted:
                self._screen = None
            else:
                scale = min(self._screen.mm_per_pixel, WIDEST_FIELD_MM / max(self._size))
                self._screen = replace(
                    self._screen, width=self._size[0], height=self._size[1], mm_per_pixel=scale
                )

    # Plane

    @property
    def point(self) -> Vector3 | None:
        """The point the panel's plane goes through: the linked one, or its own."""
        series = self.series
        if series is None:
            return None
        if not self.state.linked and self.state.own_point_lps_mm is not None:
            return self.state.own_point_lps_mm
        return self.session.point_in(series)

    def view(self) -> ScreenView | None:
        """The map between screen and patient for the plane that is shown now."""
        series, native, point = self.series, self.native, self.point
        if series is None or native is None or series.geometry is None or point is None:
            return None
        if self._screen is None:
            screen = fitted(native, series.geometry, *self._size)
            self._screen = replace(screen, mm_per_pixel=max(screen.mm_per_pixel, self.least_mm_per_pixel))
        if self.state.is_oblique:
            right, down = turned(native, self.state.rotation_degrees)
            return replace(self._screen, right=right, down=down).through(point)
        index = slice_index_of(series.geometry, native, point)
        return replace(self._screen, right=native.right, down=native.down).through(
            slice_centre_lps_mm(series.geometry, native, index)
        )

    def fit_mm_per_pixel(self) -> float:
        """Scale at which the whole volume just fits; starts again from there where nobody zoomed. 0 for no volume."""
        series, native = self.series, self.native
        if self._is_fitted:
            self._screen = None
        if series is None or native is None or series.geometry is None:
            return 0.0
        return fitted(native, series.geometry, *self._size).mm_per_pixel

    def show_at(self, centre_lps_mm: Vector3, mm_per_pixel: float) -> None:
        """A point of this series' frame in the middle, at a scale."""
        view = self.view()
        if view is not None:
            widest = WIDEST_FIELD_MM / max(view.width, view.height)
            self._screen = replace(view, centre_lps_mm=centre_lps_mm, mm_per_pixel=min(mm_per_pixel, widest))
            self._is_fitted = False

    def fit(self) -> None:
        """The whole volume in the panel."""
        self._screen, self._is_fitted = None, True

    def zoom(self, factor: float, x: float, y: float) -> None:
        """Enlarge about a pixel."""
        view = self.view()
        if view is None:
            return
        target, field_mm = view.mm_per_pixel / factor, max(view.width, view.height) * view.mm_per_pixel / factor
        if target > 0.002 and (factor > 1 or field_mm < WIDEST_FIELD_MM):
            self._screen, self._is_fitted = view.zoomed(factor, (x, y)), False

    def pan(self, dx: float, dy: float) -> None:
        """Move the picture by pixels."""
        view = self.view()
        if view is not None:
            self._screen, self._is_fitted = view.panned(dx, dy), False

    def set_scale(self, mm_per_pixel: float) -> None:
        """Same size of a millimetre as in another panel; the middle stays."""
        view = self.view()
        if view is not None and mm_per_pixel > 0:
            scale = min(mm_per_pixel, WIDEST_FIELD_MM / max(view.width, view.height))
            self._screen, self._is_fitted = replace(view, mm_per_pixel=scale), False

    def focus(self, field_mm: float) -> None:
        """The linked point in the middle, with a field of that many millimetres."""
        view, point = self.view(), self.point
        if view is not None and point is not None:
            scale = field_mm / min(view.width, view.height)
            self._screen = replace(view, centre_lps_mm=point, mm_per_pixel=scale)
            self._is_fitted = False

    @property
    def is_fitted(self) -> bool:
        """Whether the whole volume is shown (nobody zoomed or panned)."""
        return self._is_fitted

    def slice_position(self) -> tuple[int, int] | None:
        """(index, count) of the slice shown, counted in the direction into the screen; None for oblique planes."""
        series, native, point = self.series, self.native, self.point
        if series is None or native is None or series.geometry is None or point is None or self.state.is_oblique:
            return None
        index = slice_index_of(series.geometry, native, point)
        count = slice_count(series.geometry, native)
        return (index if native.slice_sign > 0 else count - 1 - index), count

    def step(self, slices: int) -> None:
        """Move by slices, positive into the screen; the linked point moves along the normal."""
        series, view, point, native = self.series, self.view(), self.point, self.native
        if series is None or view is None or point is None or native is None or series.geometry is None:
            return
        geometry = series.geometry
        if self.state.is_oblique:
            shift = slices * min(geometry.spacing_xyz_mm)
            target = np.asarray(point) + shift * np.asarray(view.normal)
        else:
            count = slice_count(geometry, native)
            index = slice_index_of(geometry, native, point) + slices * native.slice_sign
            plane = view.through(slice_centre_lps_mm(geometry, native, int(np.clip(index, 0, count - 1))))
            target = np.asarray(point) - float(plane.distance_mm(point)) * np.asarray(plane.normal)
        self.set_point(vector3(target))

    def set_point(self, point_lps_mm: Vector3) -> None:
        """Move the linked point, or the panel's own where it is not linked."""
        series = self.series
        if series is None:
            return
        if self.state.linked:
            self.session.set_point(series, point_lps_mm)
        else:
            self.state = replace(self.state, own_point_lps_mm=point_lps_mm)

    # Picture

    def window(self) -> Window | None:
        """The panel's own window or that of the series."""
        preview = self.session.preview(self.state.series_id)
        known = self.state.window or self.session.window(self.state.series_id)
        return known or (preview.window if preview else None)

    def _cached(self, name: str, key: Hashable, make: Any) -> Any:
        known = self._pictures.get(name)
        if known is None or known[0] != key:
            known = (key, make())
            self._pictures[name] = known
        return known[1]

    def picture(self) -> Picture | None:
        """Values on the plane shown."""
        volume, native, view, point = self.volume, self.native, self.view(), self.point
        if native is None or view is None or point is None:
            return None
        if volume is None:
            return self._preview(native)
        state = self.state
        if state.is_oblique:
            finest = max(view.mm_per_pixel, min(volume.geometry.spacing_xyz_mm))
            coarser = COARSENESS if state.projection is Projection.NONE else COARSENESS_OF_SLABS
            pixel_mm = coarser * finest if self.coarse else None
            return self._oblique("picture", volume, view, pixel_mm)
        index = slice_index_of(volume.geometry, native, point)
        key = (volume, native, index, state.slab_mm, state.projection)
        made: Picture = self._cached("picture", key, lambda: native_picture(
            volume, native, index, slab_mm=state.slab_mm, projection=state.projection))
        return made

    def _preview(self, native: NativeView) -> Picture | None:
        """The slice read ahead, where it is the one to be shown."""
        series, preview, point = self.series, self.session.preview(self.state.series_id), self.point
        if series is None or series.geometry is None or preview is None or point is None:
            return None
        here = slice_index_of(series.geometry, native, point)
        if native.slice_axis != 0 or self.state.is_oblique or here != preview.index:
            return None
        geometry = series.geometry
        made: Picture = self._cached(
            "picture", preview, lambda: oriented_slice(preview.values, geometry, native, preview.index)
        )
        return made

    def _oblique(self, name: str, volume: Volume, view: ScreenView, pixel_mm: float | None) -> Picture:
        state = self.state
        key = (volume, view, state.slab_mm, state.projection, pixel_mm)
        made: Picture = self._cached(name, key, lambda: oblique_picture(
            volume, view, slab_mm=state.slab_mm, projection=state.projection, pixel_mm=pixel_mm))
        return made

    def screen_pixels(self) -> NDArray[np.uint32] | None:
        """The picture in grey as 0xffRRGGBB, C-contiguous; the same array is filled anew for the next picture."""
        picture, window, series = self.picture(), self.window(), self.series
        if picture is None or window is None or series is None:
            return None
        inverted = self.state.inverted != series.inverted
        key = (picture, window, inverted)
        self._pixels = self._cached(
            "pixels", key, lambda: screen_picture(picture.values, window, inverted=inverted, out=self._pixels)
        )
        return self._pixels

    def overlay(self) -> tuple[Picture, NDArray[np.uint8], Registration | None] | None:
        """The second series on the same plane with its grey, where its frame can be reached; else None."""
        series, view = self.series, self.view()
        other = self.session.find_series(self.state.overlay_id) if self.state.overlay_id else None
        if series is None or other is None or view is None:
            return None
        volume, window = self.session.volume(other.id), self.session.window(other.id)
        link = self.session.link(series, other)
        if volume is None or window is None or (link.registration is None and not link.same_frame):
            return None
        registration = None if link.same_frame else link.registration
        key = (volume, view, registration)
        picture: Picture = self._cached(
            "overlay", key, lambda: oblique_picture(volume, view, registration=registration)
        )
        grey: NDArray[np.uint8] = self._cached(
            "overlay grey", (picture, window), lambda: grey_picture(picture.values, window)
        )
        return picture, grey, registration

    def reading_at(self, x: float, y: float) -> Reading | None:
        """The voxel under a screen pixel."""
        view = self.view()
        return None if view is None else self.reading_of(vector3(view.lps_from_screen((x, y))))

    def reading_of(self, point_lps_mm: Vector3) -> Reading:
        """The voxel at a point of this series' frame."""
        volume = self.volume
        if volume is None or not volume.geometry.contains(point_lps_mm):
            return Reading(point_lps_mm, None, None, volume.unit if volume else "")
        index = volume.geometry.nearest_index(point_lps_mm)
        return Reading(point_lps_mm, index, float(volume.array[index]), volume.unit)

    @property
    def slice_spacing_mm(self) -> float:
        """Distance of neighbouring slices of this plane; 1 mm where nothing is shown."""
        series, native = self.series, self.native
        if series is None or native is None or series.geometry is None:
            return 1.0
        return slice_spacing_mm(series.geometry, native)

    @property
    def slice_thickness_mm(self) -> float:
        """Thickness of the acquired slices in their own plane, as the file says; else 0."""
        series, volume, native = self.series, self.volume, self.native
        if series is None or volume is None or native is None or native.slice_axis != 0:
            return 0.0
        return volume.slice_thickness_mm or series.acquisition.slice_thickness_mm or 0.0

    def with_slab(self, slab_mm: float, projection: Projection) -> PanelState:
        """The state with another slab."""
        return replace(self.state, slab_mm=max(0.0, slab_mm), projection=projection)


def turned(native: NativeView, rotation_degrees: tuple[float, float]) -> tuple[Vector3, Vector3]:
    """Screen right and down of a native plane turned about its down axis, then about its right axis."""
    a, b = np.radians(rotation_degrees)
    right, down, into = (np.asarray(v) for v in (native.right, native.down, native.normal))
    new_right = np.cos(a) * right + np.sin(a) * into
    new_into = np.cross(new_right, down)
    new_down = np.cos(b) * down + np.sin(b) * new_into
    return vector3(new_right), vector3(new_down)
