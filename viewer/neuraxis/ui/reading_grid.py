"""The reading grid: linked slice panels in any layout, hung by role."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QGridLayout, QWidget

from neuraxis.app.hanging import Hanging, best_hanging, hang, hanging
from neuraxis.app.options import ReadingOptions
from neuraxis.app.panel_state import PanelState
from neuraxis.app.session import StudySession
from neuraxis.app.views import ScreenView, vector3
from neuraxis.ui.connections import Connections
from neuraxis.ui.slice_panel import SlicePanel

CINE_MS = 100


class ReadingGrid(QWidget):
    """Panels in rows and columns, one of them active; they follow one linked point.

    Signals
    -------
    active_changed(panel) : another panel is active, or it shows something else
    hovered(text) : the voxel under the mouse, with the values of the other series at that point
    menu_requested(panel, global position)
    path_dropped(path) : a folder or file from outside
    """

    active_changed = Signal(object)
    hovered = Signal(str)
    menu_requested = Signal(object, object)
    path_dropped = Signal(str)

    def __init__(
        self, session: StudySession, options: ReadingOptions | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.session = session
        self.options = options or ReadingOptions()
        self.rows, self.columns = 1, 1
        self.panels: list[SlicePanel] = []
        self._active = 0
        self._maximised = False
        self._layout = QGridLayout(self)
        self._layout.setSpacing(2)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._cine = QTimer(self)
        self._cine.setInterval(CINE_MS)
        self._cine.timeout.connect(self._next_frame)
        self._after_resize = QTimer(self)  # the panels get their sizes after the grid does
        self._after_resize.setSingleShot(True)
        self._after_resize.timeout.connect(self._level_scales)
        self._links = Connections(self)
        self._links.connect(session.study_changed, self.hang_study)
        self._links.connect(session.point_changed, self._refresh_references)
        self._links.connect(self.options.changed, self._refresh_references)
        self.set_layout(1, 1, (PanelState(),))
        if session.study is not None:
            self.hang_study()

    def detach(self) -> None:
        """Stop listening, panels too; called when the window closes."""
        self._cine.stop()
        self._after_resize.stop()
        self._links.release()
        for panel in self.panels:
            panel.detach()

    # Layout

    @property
    def active(self) -> SlicePanel:
        """The panel that keys and presets go to."""
        return self.panels[self._active]

    @property
    def is_maximised(self) -> bool:
        """Whether only the active panel is shown."""
        return self._maximised

    def set_layout(self, rows: int, columns: int, states: Sequence[PanelState]) -> None:
        """Rows and columns of panels; panels that exist are used again, missing states give empty panels."""
        count = rows * columns
        self._maximised = False
        while len(self.panels) > count:
            self._remove(self.panels.pop())
        for panel in self.panels:
            self._layout.removeWidget(panel)
        while len(self.panels) < count:
            self.panels.append(self._new_panel())
        for row in range(max(rows, self.rows)):
            self._layout.setRowStretch(row, 1 if row < rows else 0)
        for column in range(max(columns, self.columns)):
            self._layout.setColumnStretch(column, 1 if column < columns else 0)
        self.rows, self.columns = rows, columns
        for number, panel in enumerate(self.panels):
            panel.set_state(states[number] if number < len(states) else PanelState())
            self._layout.addWidget(panel, number // columns, number % columns)
            panel.show()
        self._active = min(self._active, count - 1)
        self._mark_active()
        self._level_scales()

    def change_layout(self, rows: int, columns: int) -> None:
        """Another number of panels; what is shown stays, new panels take series that are not shown yet."""
        states = [p.state for p in self.panels]
        shown = {s.series_id for s in states}
        for series in self.session.series:
            if len(states) < rows * columns and series.is_volume and series.id not in shown:
                states.append(PanelState(series.id))
        self.set_layout(rows, columns, states[: rows * columns])

    def apply_hanging(self, key: str) -> None:
        """Hang the study by a protocol of the list."""
        self.apply_protocol(hanging(key))

    def apply_protocol(self, protocol: Hanging) -> None:
        """Hang the study by a protocol."""
        chosen = self.active.state.series_id
        self.set_layout(protocol.rows, protocol.columns, hang(protocol, self.session.series, chosen))

    def hang_study(self) -> None:
        """Hang what was opened: the picture that is seen first is loaded first, the rest follows behind."""
        self._cine.stop()
        if self.session.study is None:
            self.set_layout(1, 1, (PanelState(),))
            return
        protocol, states = best_hanging(self.session.series)
        self._active = 0
        self.set_layout(protocol.rows, protocol.columns, states)
        for series in self.session.series:
            self.session.request_volume(series.id)

    def _new_panel(self) -> SlicePanel:
        panel = SlicePanel(self.session, self.options, parent=self)
        panel.activated.connect(self._activate)
        panel.state_changed.connect(self._panel_changed)
        panel.maximise_requested.connect(self._maximise_panel)
        panel.menu_requested.connect(self.menu_requested)
        panel.seed_requested.connect(self._seed)
        panel.hovered.connect(self._hovered)
        panel.moved.connect(self._moved)
        panel.path_dropped.connect(self.path_dropped)
        return panel

    def _remove(self, panel: SlicePanel) -> None:
        panel.detach()
        self._layout.removeWidget(panel)
        panel.hide()
        panel.deleteLater()

    def _activate(self, panel: Any) -> None:
        if panel in self.panels and self.panels[self._active] is not panel:
            self._active = self.panels.index(panel)
            self._mark_active()

    def activate_next(self, step: int) -> None:
        """The next panel that shows something becomes active."""
        order = [(self._active + step * k) % len(self.panels) for k in range(1, len(self.panels) + 1)]
        shown = [k for k in order if self.panels[k].state.series_id] or [self._active]
        maximised = self._maximised
        if maximised:
            self.toggle_maximised()
        self._active = shown[0]
        self._mark_active()
        if maximised:
            self.toggle_maximised()

    def _mark_active(self) -> None:
        for number, panel in enumerate(self.panels):
            panel.set_active(number == self._active and len(self.panels) > 1)
        self._refresh_references()
        self.active_changed.emit(self.active)

    def _panel_changed(self, panel: Any) -> None:
        if panel is self.active:
            self.active_changed.emit(panel)
        self._level_scales()

    def _maximise_panel(self, panel: Any) -> None:
        self._activate(panel)
        self.toggle_maximised()

    def toggle_maximised(self) -> None:
        """Only the active panel, or all again."""
        self._maximised = not self._maximised
        for number, panel in enumerate(self.panels):
            panel.setVisible(not self._maximised or number == self._active)
        for row in range(self.rows):
            here = any(self.panels[row * self.columns + c].isVisibleTo(self) for c in range(self.columns))
            self._layout.setRowStretch(row, 1 if here else 0)
        for column in range(self.columns):
            here = any(self.panels[r * self.columns + column].isVisibleTo(self) for r in range(self.rows))
            self._layout.setColumnStretch(column, 1 if here else 0)

    # Moving together

    def resizeEvent(self, event: Any) -> None:
        """Fitted panels keep one scale."""
        super().resizeEvent(event)
        self._after_resize.start()

    def _level_scales(self) -> None:
        """Panels that nobody zoomed show a millimetre in the same size: that of the largest field."""
        for panel in self.panels:
            panel.scene.least_mm_per_pixel = 0.0
        if self.options.now.same_scale:
            fits = [p.scene.fit_mm_per_pixel() for p in self.panels if p.state.series_id]
            for panel in self.panels:
                panel.scene.least_mm_per_pixel = max(fits, default=0.0)
        for panel in self.panels:
            panel.update()

    def _moved(self, panel: Any, factor: float, dx_mm: float, dy_mm: float) -> None:
        if not self.options.now.same_scale:
            return
        view = panel.scene.view()
        if view is None:
            return
        for other in self.panels:
            if other is not panel and other.state.series_id:
                self._follow(panel, view, other, factor, dx_mm, dy_mm)
                other.update()

    def _follow(
        self, panel: SlicePanel, view: ScreenView, other: SlicePanel, factor: float, dx_mm: float, dy_mm: float
    ) -> None:
        """Another panel takes the scale; the middle too where its plane is the same and the point is known there."""
        scene, theirs = other.scene, other.scene.view()
        series, source = scene.series, panel.scene.series
        if theirs is None or series is None or source is None:
            return
        same_plane = other.state.orientation is panel.state.orientation
        way = self.session.link(source, series).registration
        if same_plane and way is not None:
            scene.show_at(vector3(way.apply(view.centre_lps_mm)), view.mm_per_pixel)
        elif factor != 1.0:
            anchor = theirs.screen_from_lps(scene.point) if scene.point else np.array([0.0, 0.0])
            scene.zoom(theirs.mm_per_pixel / view.mm_per_pixel, float(anchor[0]), float(anchor[1]))
        elif same_plane:
            scene.pan(dx_mm / theirs.mm_per_pixel, dy_mm / theirs.mm_per_pixel)

    def focus(self, field_mm: float = 60.0) -> None:
        """Every panel zooms on the linked point."""
        for panel in self.panels:
            panel.scene.focus(field_mm)
            panel.update()

    def fit(self) -> None:
        """Every panel shows its whole volume again."""
        for panel in self.panels:
            panel.scene.fit()
        self._level_scales()

    def _refresh_references(self) -> None:
        if not self.options.now.reference_lines or not self.panels:
            return
        active = self.active
        view, source = active.scene.view(), active.scene.series
        for panel in self.panels:
            series = panel.scene.series
            panel.reference_views = []
            if panel is active or view is None or source is None or series is None:
                continue
            way = self.session.link(source, series).registration
            if way is not None:
                turn = way.array[:3, :3]
                panel.reference_views = [replace(
                    view, centre_lps_mm=vector3(way.apply(view.centre_lps_mm)), right=vector3(turn @ view.right),
                    down=vector3(turn @ view.down),
                )]
            panel.update()

    def _seed(self, series_id: str, point: Any) -> None:
        self.session.guard(lambda: (self.session.segment_at(series_id, point), None)[1])

    def _hovered(self, panel: Any, reading: Any) -> None:
        """The voxel under the mouse, and what the other series hold at that point."""
        series = panel.scene.series
        if reading is None or series is None:
            self.hovered.emit("")
            return
        parts = [f"{series.role.role.value} {reading.text}"]
        told = {series.id}
        for other in self.panels:
            theirs = other.scene.series
            if theirs is None or theirs.id in told or other.scene.volume is None:
                continue
            told.add(theirs.id)
            way = self.session.link(series, theirs).registration
            if way is not None:
                there = other.scene.reading_of(vector3(way.apply(reading.point_lps_mm)))
                parts.append(f"{theirs.role.role.value} {there.number}")
        self.hovered.emit("   |   ".join(parts))

    # Cine

    @property
    def is_playing(self) -> bool:
        """Whether the slices of the active panel run."""
        return bool(self._cine.isActive())

    def toggle_cine(self) -> None:
        """Play or stop."""
        if self._cine.isActive():
            self._cine.stop()
        else:
            self._cine.start()

    def _next_frame(self) -> None:
        position = self.active.scene.slice_position()
        if position is None:
            self._cine.stop()
        elif position[0] + 1 >= position[1]:
            self.active.scene.step(1 - position[1])
        else:
            self.active.scene.step(1)
        self.active.update()
