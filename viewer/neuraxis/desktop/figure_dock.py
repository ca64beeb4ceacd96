"""The figure desk as a dock of the workstation window, made when first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget

from neuraxis.app.figure_desk import FigureDesk
from neuraxis.ui.figure_desk import FigureDeskSheet

if TYPE_CHECKING:
    from neuraxis.desktop.window import WorkstationWindow


class FigureDock(QDockWidget):
    """Holds the figure desk; captures the panel that is active in the window's reading grid."""

    def __init__(self, window: WorkstationWindow) -> None:
        super().__init__("Figure desk", window)
        self.setObjectName("Figure desk")
        grid = window.desk.grid
        self.sheet = FigureDeskSheet(FigureDesk(window.session), lambda: grid.active.scene, self)
        self.setWidget(self.sheet)

    def release(self) -> None:
        """Stop listening."""
        self.sheet.detach()


def make_figure_dock(window: WorkstationWindow) -> FigureDock:
    """The desk as a window of its own over the right half of the workstation; it can be docked by dragging."""
    dock = FigureDock(window)
    window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
    dock.setFloating(True)
    place = window.geometry()
    width, height = max(760, place.width() // 2), max(700, round(place.height() * 0.86))
    dock.resize(width, height)
    dock.move(place.right() - width, place.top() + (place.height() - height) // 2)
    return dock
