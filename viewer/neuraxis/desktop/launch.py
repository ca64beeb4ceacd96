"""Starts the application around the window."""

from __future__ import annotations

import os
import signal
import sys

from neuraxis.errors import NeuraxisError


def launch(path: str | None, study: str | None = None) -> int:
    """Run the window until it is closed; `study` is where the study of a case file lies now.

    Raises
    ------
    NeuraxisError
        When there is no display to open a window on.
    """
    if sys.platform.startswith("linux") and "QT_QPA_PLATFORM" not in os.environ and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        raise NeuraxisError(
            "no display to open a window on", expected="DISPLAY or WAYLAND_DISPLAY set",
            remedy="start it on a desktop, or use the commands without a window (`neuraxis --help`)",
        )
    from qtpy.QtCore import QCoreApplication, Qt
    from qtpy.QtWidgets import QApplication

    from neuraxis.desktop.window import WorkstationWindow, apply_theme

    # a napari canvas may be floated or docked later; without shared contexts that ends the process
    QCoreApplication.setAttribute(Qt.ApplicationAttribute.AA_ShareOpenGLContexts)
    app = QApplication.instance() or QApplication(sys.argv[:1])
    app.setApplicationName("Neuraxis")
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    window = WorkstationWindow()
    window.ask_before_losing = True
    apply_theme(window.settings.theme)
    window.show()
    if path is not None:
        window.open_path(path, study)
    return int(app.exec())
