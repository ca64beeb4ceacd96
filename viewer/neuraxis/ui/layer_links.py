"""Keeps napari layers and the session together (napari itself is not imported): windows, the point, masks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from neuraxis.app.jobs import Deliver
from neuraxis.app.layers import image_layer, labels_layer, lps_from_world, mask_from_layer, world_from_lps
from neuraxis.app.session import StudySession
from neuraxis.domain.lesion import Lesion
from neuraxis.domain.window import Window, WindowFunction
from neuraxis.ui.connections import Connections


class LayerLinks:
    """Shows series and masks of a session as layers of one viewer and takes back what is edited there.

    Masks are shown as labels layers; a stroke of napari's brush becomes one undoable step of the session.
    """

    def __init__(self, viewer: Any, session: StudySession, deliver: Deliver) -> None:
        self.viewer, self.session, self._deliver = viewer, session, deliver
        self._masks: dict[str, Any] = {}
        self._origin: Any = None
        self._wanted: set[str] = set()
        self._quiet = False
        self._links = Connections()
        self._links.connect(session.volume_loaded, self._loaded)
        self._links.connect(session.window_changed, self._window_changed)
        self._links.connect(session.point_changed, self._point_changed)
        self._links.connect(session.case_changed, self._case_changed)
        self._links.connect(session.study_changed, self._study_changed)
        self._links.connect(viewer.layers.events.inserted, self._inserted)
        for layer in viewer.layers:
            self._adopt(layer)

    def detach(self) -> None:
        """Stop listening; the layers stay."""
        self._links.release()
        for uid in list(self._masks):
            self._forget(uid)

    @contextlib.contextmanager
    def _quietly(self) -> Iterator[None]:
        self._quiet, before = True, self._quiet
        try:
            yield
        finally:
            self._quiet = before

    def _inserted(self, event: Any) -> None:
        self._adopt(event.value)

    def _adopt(self, layer: Any) -> None:
        """Take over the study that a reader put into the metadata of a layer."""
        brought = layer.metadata.get("neuraxis", {})
        study, volume = brought.get("study"), brought.get("volume")
        if study is None or volume is None:
            return
        if self._origin is not study:
            self._origin = study
            self.session.set_study(study, study.path)
        self.session.adopt_volume(brought["series_id"], volume)

    def layers_of_series(self, series_id: str) -> list[Any]:
        """The image layers that show a series."""
        return [
            layer for layer in self.viewer.layers
            if layer.metadata.get("neuraxis", {}).get("series_id") == series_id and hasattr(layer, "contrast_limits")
        ]

    def add_series(self, series_id: str) -> Any:
        """The layer of a series, added where there is none yet; None until its voxels are there."""
        present = self.layers_of_series(series_id)
        if present:
            return present[0]
        series, volume = self.session.find_series(series_id), self.session.volume(series_id)
        window = self.session.window(series_id)
        if series is None or volume is None or window is None:
            return None
        data, arguments, _ = image_layer(series, volume, window)
        for layer in self.viewer.layers:
            frame = layer.metadata.get("neuraxis", {}).get("frame_of_reference_uid")
            if frame is not None and frame != volume.frame_of_reference_uid:
                layer.visible = False  # the canvas knows no registration: pictures of two frames must not lie together
        return self.viewer.add_image(data, **arguments)

    def show_when_loaded(self, series_id: str) -> None:
        """Add the layer of a series now, or as soon as its voxels are there."""
        if self.add_series(series_id) is None:
            self._wanted.add(series_id)
            self.session.request_volume(series_id, urgent=True)
        else:
            self._catch_up(series_id)

    def _catch_up(self, series_id: str) -> None:
        """A layer that is new: sliders to the linked point, masks of this series shown."""
        series = self.session.find_series(series_id)
        point = self.session.point_in(series) if series is not None else None
        if point is not None:
            with self._quietly():
                self.viewer.dims.point = tuple(world_from_lps(point))
        self._case_changed(None)

    def _loaded(self, series_id: str) -> None:
        if series_id in self._wanted:
            self._wanted.discard(series_id)
            self.add_series(series_id)
            self._catch_up(series_id)

    def series_at(self, viewer: Any) -> str | None:
        """The series of the chosen layer, or of the topmost visible one."""
        chosen = [layer for layer in viewer.layers.selection if layer.visible]
        visible = [layer for layer in reversed(list(viewer.layers)) if layer.visible]
        for layer in (*chosen, *visible):
            series_id = layer.metadata.get("neuraxis", {}).get("series_id", "")
            if self.session.find_series(series_id) is not None:
                return str(series_id)
        return None

    def _window_changed(self, series_id: str) -> None:
        window = self.session.window(series_id)
        if window is not None:
            for layer in self.layers_of_series(series_id):
                set_limits(layer, window)

    def _point_changed(self) -> None:
        series = self.session.find_series(self.session.point_source)
        point = self.session.point_in(series) if series is not None else None
        if series is None or point is None or self._quiet or not self.layers_of_series(series.id):
            return
        with self._quietly():
            self.viewer.dims.point = tuple(world_from_lps(point))

    def take_point(self, series_id: str) -> None:
        """The linked point goes to where the viewer's sliders stand, in the frame of a series."""
        series = self.session.find_series(series_id)
        if series is not None and not self._quiet:
            with self._quietly():
                self.session.set_point(series, lps_from_world(self.viewer.dims.point[-3:]))

    def _study_changed(self) -> None:
        for uid in list(self._masks):
            self._forget(uid)

    def _case_changed(self, _case: Any) -> None:
        if self._quiet:
            return
        lesions = {lesion.tracking_uid: lesion for lesion in self.session.case.lesions}
        for uid in [u for u in self._masks if u not in lesions]:
            layer = self._masks[uid]
            self._forget(uid)
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)
        for number, (uid, lesion) in enumerate(lesions.items(), start=1):
            self._show_mask(uid, lesion, number)

    def _show_mask(self, uid: str, lesion: Lesion, number: int) -> None:
        made = labels_layer(lesion.label, lesion.mask, number)
        if made is None:
            return
        data, arguments, _ = made
        layer = self._masks.get(uid)
        if layer is None or layer not in self.viewer.layers:
            if not self.layers_of_series(lesion.mask.series_id):
                return
            layer = self.viewer.add_labels(data, **arguments)
            layer.selected_label = number
            layer.events.paint.connect(self._painted)
            layer.events.set_data.connect(self._painted)
            self._masks[uid] = layer
        elif not np.array_equal(np.asarray(layer.data) > 0, data > 0):
            layer.data = data

    def _forget(self, uid: str) -> None:
        layer = self._masks.pop(uid)
        with contextlib.suppress(ValueError, RuntimeError, TypeError):
            layer.events.paint.disconnect(self._painted)
            layer.events.set_data.disconnect(self._painted)

    def _painted(self, event: Any) -> None:
        # napari tells of a stroke before the last of it is in the array, so it is taken when control is back
        layer = event.source
        if not self._quiet:
            self._deliver(lambda: self._take_mask(layer))

    def _take_mask(self, layer: Any) -> None:
        uid = next((u for u, known in self._masks.items() if known is layer), "")
        lesion = self.session.case.lesion(uid)
        if lesion is None:
            return
        edited = mask_from_layer(layer.data, lesion.mask)
        same = edited.start_zyx == lesion.mask.start_zyx and np.array_equal(edited.box, lesion.mask.box)
        if not same:
            with self._quietly():
                self.session.edit_mask(uid, edited)
            if self.session.case.lesion(uid) is lesion:  # refused: the layer shows the mask that stands
                self._case_changed(None)


def set_limits(layer: Any, window: Window) -> None:
    """Contrast limits of a layer, also outside the range of its data."""
    low, high = window.limits
    reach = layer.contrast_limits_range
    layer.contrast_limits_range = (min(reach[0], low), max(reach[1], high))
    layer.contrast_limits = (low, high)


def window_of(layer: Any) -> Window:
    """The window that a layer's contrast limits stand for."""
    low, high = (float(v) for v in layer.contrast_limits)
    return Window((low + high) / 2, max(high - low, 1e-6), WindowFunction.LINEAR_EXACT)
