"""The reading grid: linked slice panels in any layout, hung by role."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QGridLayout, QWidget

from neuraxis.app.hanging import Hanging, best_hanging, hang, hang_two_dates, hanging
from neuraxis.app.options import ReadingOptions
from neuraxis.app.panel_state import PanelState
from neuraxis.app.pictures import prepare_tools
from neuraxis.app.session import StudySession
from neuraxis.app.study_labels import newest_first
from neuraxis.ui.connections import Connections
from neuraxis.ui.panels_together import (
    follow,
    level_scales,
    level_thickness,
    readings_text,
    refresh_references,
)
from neuraxis.ui.slice_panel import SlicePanel
from neuraxis.ui.texts import say

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
        self._hung: tuple[PanelState, ...] = ()
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
        self._links.connect(session.labels_changed, self._dates_known)
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
        self._active = min(self._active, count - 1)  # panels tell of their new state while they are being set
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
        states = hang(protocol, self.session.series, chosen, self.study_uids)
        self.set_layout(protocol.rows, protocol.columns, states)

    @property
    def study_uids(self) -> tuple[str, ...]:
        """The open studies, newest first as far as their days are known."""
        return newest_first((s.study_uid for s in self.session.series), self.session.labels)

    def compare_dates(self, prior_uid: str = "") -> None:
        """Hang the newest study beside an earlier one, the same roles of both; default: the one before it."""
        uids = self.study_uids
        if len(uids) < 2:
            self.session.post_notice(say("reading_grid.only_one_study_is"))
            return

        def act() -> None:
            self.set_layout(*hang_two_dates(self.session.series, uids[0], prior_uid or uids[1]))

        self.session.guard(act)

    def _dates_known(self) -> None:
        """Where several studies are open and nobody has changed the panels yet, the newest ones are hung."""
        if len(self.study_uids) > 1 and self._hung == tuple(p.state for p in self.panels):
            self._hang_best()
        for panel in self.panels:
            panel.update()

    def hang_study(self) -> None:
        """Hang what was opened: the picture that is seen first is loaded first, the rest follows behind."""
        self._cine.stop()
        if self.session.study is None:
            self.set_layout(1, 1, (PanelState(),))
            return
        self._hang_best()
        for series in self.session.series:
            self.session.request_volume(series.id)
        self.session.jobs.start(
            say("reading_grid.preparing_tools"), "prepare", lambda _job: prepare_tools(), lambda _none: None, lambda _error: None,
        )

    def _hang_best(self) -> None:
        protocol, self._hung = best_hanging(self.session.series, self.study_uids)
        self._active = 0
        self.set_layout(protocol.rows, protocol.columns, self._hung)

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
        level_scales(self.panels, same=self.options.now.same_scale)

    def _moved(self, panel: Any, factor: float, dx_mm: float, dy_mm: float) -> None:
        if not self.options.now.same_scale:
            return
        view = panel.scene.view()
        if view is None:
            return
        for other in self.panels:
            if other is not panel and other.state.series_id:
                follow(panel, view, other, factor, dx_mm, dy_mm)
                other.update()

    def level_thickness(self) -> None:
        """Thinner series are shown as mean slabs as thick as the thickest slices here; once more takes that back."""
        level_thickness(self.panels)

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
        refresh_references(self.active, self.panels)

    def _seed(self, series_id: str, point: Any) -> None:
        self.session.guard(lambda: (self.session.segment_at(series_id, point), None)[1])

    def _hovered(self, panel: Any, reading: Any) -> None:
        """The voxel under the mouse, and what the other series hold at that point."""
        self.hovered.emit("" if reading is None else readings_text(panel, reading, self.panels))

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
