"""Hangs a study as it hung when it was open last, and keeps what the reader hangs in the case."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from neuraxis.app.panel_state import PanelState
from neuraxis.app.session import StudySession
from neuraxis.app.view_state import Layout
from neuraxis.ui.connections import Connections
from neuraxis.ui.reading_grid import ReadingGrid


class KeptLayout:
    """Ties a grid to the layout in the session's case.

    It is made before the grid and follows it afterwards, so that it is told of a study both before and after the grid:
    what the grid hangs by itself is not the reader's choice.
    """

    def __init__(self, session: StudySession) -> None:
        self.session = session
        self._hung: Layout | None = None
        """What hangs now as far as it was kept or need not be; None while a study is being hung."""
        self._links = Connections()
        self._links.connect(session.study_changed, self._begin)

    def follow(self, grid: ReadingGrid) -> None:
        """The grid whose layout is kept."""
        self.grid = grid
        self._links.connect(self.session.study_changed, self._study_hung)
        self._links.connect(grid.active_changed, self._changed)

    def _begin(self) -> None:
        self._hung = None

    def detach(self) -> None:
        """Stop listening."""
        self._links.release()

    def _study_hung(self) -> None:
        kept, known = self.session.layout, {s.id for s in self.session.series}
        if kept is not None and any(p.series_id in known for p in kept.panels):
            self.grid.set_layout(kept.rows, kept.columns, [_with_known(p, known) for p in kept.panels])
        self._hung = self._layout() if self.session.study is not None else None

    def _changed(self, _panel: Any) -> None:
        layout = self._layout()
        if self._hung is not None and layout != self._hung and any(p.series_id for p in layout.panels):
            self._hung = layout
            self.session.keep_layout(layout)

    def _layout(self) -> Layout:
        grid = self.grid
        return Layout(grid.rows, grid.columns, tuple(panel.state for panel in grid.panels))


def _with_known(state: PanelState, known: set[str]) -> PanelState:
    if state.series_id not in known:
        return PanelState()
    return state if state.overlay_id in known else replace(state, overlay_id="", swipe=None)
