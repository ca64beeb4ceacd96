"""Carries results of background threads to the GUI thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, Qt, Signal


class GuiThread(QObject):
    """Runs functions on the thread it was made on; `deliver` may be called from any thread."""

    _called = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._called.connect(self._run, Qt.ConnectionType.QueuedConnection)

    def deliver(self, function: Callable[[], None]) -> None:
        """Queue a function for the GUI thread."""
        try:
            self._called.emit(function)
        except RuntimeError:  # the window is gone, and with it whoever would have wanted the result
            return

    def _run(self, function: Any) -> None:
        function()
