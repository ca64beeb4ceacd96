"""A napari canvas in a dock of the window, for its brush, its 3D view and other plugins' layers; made on request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QCoreApplication, QEvent, Qt
from qtpy.QtWidgets import QDockWidget, QSplitter

from neuraxis.ui.layer_links import LayerLinks

if TYPE_CHECKING:
    from neuraxis.desktop.window import WorkstationWindow


class NapariDock(QDockWidget):
    """Viewer model, canvas and the ties to the session."""

    def __init__(self, window: WorkstationWindow) -> None:
        super().__init__("napari", window)
        from napari.components import ViewerModel
        from napari.qt import QtViewer, get_qapp, get_stylesheet

        get_qapp()  # registers the icons that napari's own controls are drawn with

        self.setObjectName("napari")
        # a floating canvas needs a new GL context, which not every driver survives
        self.setFeatures(
            QDockWidget.DockWidgetFeature.DockWidgetClosable | QDockWidget.DockWidgetFeature.DockWidgetMovable
        )
        self.model = ViewerModel(title="Neuraxis")
        self.canvas = QtViewer(self.model)
        # the window opens what is dropped; napari's own drop would also run script files
        self.canvas.setAcceptDrops(False)
        side = QSplitter(Qt.Orientation.Vertical)
        side.addWidget(self.canvas.controls)
        side.addWidget(self.canvas.layers)
        whole = QSplitter(Qt.Orientation.Horizontal, self)
        whole.addWidget(side)
        whole.addWidget(self.canvas)
        whole.setSizes([280, 900])
        whole.setStyleSheet(get_stylesheet("dark"))
        self.setWidget(whole)
        self.links = LayerLinks(self.model, window.session, window.gui_thread.deliver)

    def release(self) -> None:
        """Let go of session, layers and canvas."""
        self.links.detach()
        self.model.layers.clear()
        self.canvas.close()
        self.canvas.deleteLater()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def make_napari_dock(window: WorkstationWindow) -> NapariDock:
    """The dock, below the reading grid, with the series of the active panel as first layer."""
    dock = NapariDock(window)
    window.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, dock)
    window.resizeDocks([dock], [max(300, window.height() // 2)], Qt.Orientation.Vertical)
    series_id = window.desk.grid.active.state.series_id
    if series_id:
        dock.links.show_when_loaded(series_id)
    return dock
