"""A short reading of a study in the window, as a process of its own: `python reading_session.py FOLDER`."""

from __future__ import annotations

import sys
import time

from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from neuraxis.app.settings import Settings
from neuraxis.desktop.window import WorkstationWindow


def read(folder: str) -> int:
    """Open, scroll, window, crosshair, close; the number of series that were shown."""
    app = QApplication.instance() or QApplication(sys.argv[:1])
    window = WorkstationWindow(Settings(), remember=False)
    window.show()
    window.open_path(folder)
    end = time.monotonic() + 120
    while (window.session.study is None or window.session.jobs.jobs) and time.monotonic() < end:
        QTest.qWait(20)
    for panel in window.desk.grid.panels:
        middle = panel.rect().center()
        QTest.mouseClick(panel, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, middle)
        QApplication.sendEvent(panel, QWheelEvent(
            QPointF(middle), QPointF(panel.mapToGlobal(middle)), QPoint(), QPoint(0, -240),
            Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
        ))
        for key in (Qt.Key.Key_5, Qt.Key.Key_I, Qt.Key.Key_R):
            QTest.keyClick(panel, key)
    app.processEvents()
    shown = sum(p.scene.volume is not None for p in window.desk.grid.panels)
    window.close()
    return shown


if __name__ == "__main__":
    sys.exit(0 if read(sys.argv[1]) else 1)
