"""How long a reader waits after the click on a CT of 512 x 512 x 600: for the first picture, and for all of it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from qtpy.QtCore import QCoreApplication, QEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from neuraxis.app.settings import Settings
from neuraxis.desktop.window import WorkstationWindow
from neuraxis.errors import NeuraxisError

SLICES, SIDE = 600, 512
ROUNDS = 5
LIMIT_SECONDS = 120.0


@dataclass(frozen=True)
class OpeningCost:
    """Medians over interleaved rounds, wall seconds.

    Parameters
    ----------
    first_picture_s : from the click on a series to its first picture painted
    whole_s : from the click to the whole volume in the panel
    reader_s : opening and reading the same files with the reader alone
    open_whole_s : from opening the folder in the window to the whole volume in the panel
    """

    first_picture_s: float
    whole_s: float
    reader_s: float
    open_whole_s: float

    @property
    def ratio(self) -> float:
        """Opening in the window over the reader alone."""
        return self.open_whole_s / self.reader_s


def measure_opening(folder: Path | None = None, rounds: int = ROUNDS) -> OpeningCost:
    """Write the series where no folder is named, then take turns: the window, the reader alone."""
    from neuraxis.dicom.bench import write_series

    with tempfile.TemporaryDirectory() as made:
        where = folder or Path(made)
        if folder is None:
            write_series(where, SLICES, SIDE, SIDE)
        found = [(*_in_window(where), _alone(where)) for _ in range(rounds)]
    first, whole, opened, alone = (median(column) for column in zip(*found, strict=True))
    return OpeningCost(first, whole, alone, opened)


def _alone(folder: Path) -> float:
    from neuraxis.dicom import open_study

    start = time.perf_counter()
    open_study(folder).series[0].volume()
    return time.perf_counter() - start


def _in_window(folder: Path) -> tuple[float, float, float]:
    """(first picture, whole volume) after the click, and whole volume after opening the folder, in seconds."""
    window = WorkstationWindow(Settings(), remember=False)
    window.resize(1920, 1080)
    window.show()
    QTest.qWait(200)
    try:
        start = time.perf_counter()
        window.open_path(folder)
        panel = window.desk.grid.panels[0]
        _until(lambda: window.session.study is not None)
        clicked = time.perf_counter()
        _until(lambda: panel.scene.screen_pixels() is not None)
        panel.repaint()
        first = time.perf_counter() - clicked
        _until(lambda: panel.scene.volume is not None)
        panel.repaint()
        end = time.perf_counter()
        return first, end - clicked, end - start
    finally:
        window.close()
        window.deleteLater()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def _until(holds: Callable[[], bool]) -> None:
    end = time.perf_counter() + LIMIT_SECONDS
    while not holds():
        QApplication.processEvents()
        time.sleep(0.002)
        if time.perf_counter() > end:
            raise NeuraxisError(f"the window was not ready within {LIMIT_SECONDS:.0f} s", expected="a loaded series")
