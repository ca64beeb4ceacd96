"""One picture of the reading grid: a plane of a series, painted without OpenGL, that answers mouse and keys."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QSizePolicy, QWidget

from neuraxis.app.options import ReadingOptions
from neuraxis.app.panel_scene import PanelScene
from neuraxis.app.panel_state import PanelState
from neuraxis.app.picture_scene import PictureScene
from neuraxis.app.session import StudySession
from neuraxis.app.views import ScreenView
from neuraxis.domain.window import Window
from neuraxis.ui.connections import Connections
from neuraxis.ui.panel_mouse import PanelMouse
from neuraxis.ui.panel_painting import PanelPainter

SERIES_MIME = "application/x-neuraxis-series"


def dropped_path(event: Any) -> str:
    """The first local path that a drop brings, or ''."""
    urls = event.mimeData().urls() if event.mimeData().hasUrls() else []
    return next((str(u.toLocalFile()) for u in urls if u.isLocalFile()), "")


class SlicePanel(QWidget):
    """Shows one `PanelScene`. It changes nothing itself: it asks the session, and repaints when told.

    Signals
    -------
    activated(panel) : it was clicked or got the focus
    state_changed(panel) : plane, series, slab or own window changed
    maximise_requested(panel) : double click
    menu_requested(panel, global position)
    seed_requested(series id, LPS point) : a click with the segment tool
    hovered(panel, reading) : the voxel under the mouse, None outside
    moved(panel, factor, dx mm, dy mm) : zoomed or panned by the user
    path_dropped(path) : a folder or file from outside was dropped here
    """

    activated = Signal(object)
    state_changed = Signal(object)
    maximise_requested = Signal(object)
    menu_requested = Signal(object, object)
    seed_requested = Signal(str, object)
    hovered = Signal(object, object)
    moved = Signal(object, float, float, float)
    path_dropped = Signal(str)

    def __init__(
        self, session: StudySession, options: ReadingOptions, state: PanelState | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.session, self.options = session, options
        self.scene = PanelScene(session, state)
        self.pictures = PictureScene(session)
        self.is_active = False
        self.reference_views: list[ScreenView] = []
        self.mouse = PanelMouse(self)
        self.painter = PanelPainter(self)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMouseTracking(True)
        self.setAcceptDrops(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(120, 100)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._links = Connections(self)
        for signal, slot in (
            (session.point_changed, self._repaint), (session.window_changed, self._on_series),
            (session.volume_loaded, self._on_series), (session.preview_loaded, self._on_series), (session.volume_failed, self._on_failed),
            (session.case_changed, self._on_case), (session.active_lesion_changed, self._on_case),
            (session.study_changed, self._on_study), (options.changed, self._repaint),
            (session.jobs.changed, self._on_jobs),
        ):
            self._links.connect(signal, slot)
        self._request()

    def detach(self) -> None:
        """Stop listening; called before the panel is thrown away."""
        self._links.release()
        self.painter.release()

    # State

    @property
    def state(self) -> PanelState:
        """What is shown."""
        return self.scene.state

    def set_state(self, state: PanelState) -> None:
        """Show something else."""
        if state == self.scene.state:
            return
        self.scene.set_state(state)
        self._request()
        self.update()
        self.state_changed.emit(self)

    def set_window(self, window: Window) -> None:
        """Window of this panel: its own where it has one, else that of the series."""
        if self.state.window is not None:
            self.set_state(replace(self.state, window=window))
        elif self.state.series_id:
            self.session.set_window(self.state.series_id, window)

    def set_active(self, active: bool) -> None:
        """Mark as the panel that keys and presets go to."""
        if active != self.is_active:
            self.is_active = active
            self.update()

    @property
    def is_picture(self) -> bool:
        """Whether the series shown has pictures but no grid in the patient."""
        series = self.scene.series
        return series is not None and not series.is_volume

    def step(self, slices: int) -> None:
        """Slices, or pictures where there is no grid."""
        if self.is_picture:
            self.pictures.step(slices)
        else:
            self.scene.step(slices)
        self.update()

    def _request(self) -> None:
        series = self.scene.series
        if series is not None and not series.is_volume:
            self.pictures.show(series)
        for key in (self.state.series_id, self.state.overlay_id):
            if key:
                self.session.request_volume(key, urgent=key == self.state.series_id)

    def _repaint(self) -> None:
        self.update()

    def _on_series(self, series_id: str) -> None:
        if series_id in (self.state.series_id, self.state.overlay_id):
            self.update()

    def _on_jobs(self) -> None:
        if self.session.study is None or self.scene.volume is None:
            self.update()

    def _on_failed(self, series_id: str, _message: Any) -> None:
        self._on_series(series_id)

    def _on_case(self, _what: Any) -> None:
        self.update()

    def _on_study(self) -> None:
        if self.state.series_id and self.session.find_series(self.state.series_id) is None:
            self.set_state(PanelState())

    def paintEvent(self, _event: Any) -> None:
        """The painter does it."""
        self.painter.paint()

    # Events

    def resizeEvent(self, _event: Any) -> None:
        """The plane keeps its middle."""
        self.scene.resize(self.width(), self.height())

    def mousePressEvent(self, event: Any) -> None:
        """To the tool in hand."""
        self.activated.emit(self)
        if self.scene.volume is None:
            self._request()
        self.mouse.press(event)

    def mouseMoveEvent(self, event: Any) -> None:
        """To the tool in hand; tells the voxel under the mouse."""
        self.mouse.move(event)

    def mouseReleaseEvent(self, event: Any) -> None:
        """To the tool in hand."""
        self.mouse.release(event)

    def mouseDoubleClickEvent(self, event: Any) -> None:
        """Maximise, or back; a tool that is being placed ends."""
        if not self.mouse.double_click(event):
            self.maximise_requested.emit(self)

    def wheelEvent(self, event: Any) -> None:
        """Slices; with Shift ten at a time; with Ctrl zoom; with Alt slab thickness."""
        self.activated.emit(self)
        self.mouse.wheel(event)

    def leaveEvent(self, _event: Any) -> None:
        """Nothing is under the mouse."""
        self.hovered.emit(self, None)

    def dragEnterEvent(self, event: Any) -> None:
        """A series from the browser, or a folder or file from outside."""
        if event.mimeData().hasFormat(SERIES_MIME) or dropped_path(event):
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:
        """Show the series that was dropped; a path is for whoever opens studies."""
        path = dropped_path(event)
        if path:
            event.acceptProposedAction()
            self.path_dropped.emit(path)
            return
        series_id = bytes(event.mimeData().data(SERIES_MIME)).decode("utf-8")
        if self.session.find_series(series_id) is not None:
            self.set_state(self.state.showing(series_id))
            self.activated.emit(self)
            event.acceptProposedAction()
