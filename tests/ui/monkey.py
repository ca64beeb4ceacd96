"""Random events on the real window: `python tests/ui/monkey.py --events 10000 [--seed N]`; exit code 0 where all held.

Every event is a real mouse, wheel, key or drop event on a real widget, chosen by chance from all that are visible.
Told are: exceptions, messages that name a fault of the program, the longest CPU time of the GUI thread in one event,
and the memory left after ten studies were opened and closed.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import random
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qtpy.QtCore import QCoreApplication, QEvent, QMimeData, QPoint, QPointF, Qt, QTimer
from qtpy.QtGui import QDropEvent, QKeySequence, QMouseEvent, QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QFileDialog,
    QInputDialog,
    QTreeWidget,
    QWidget,
)

from neuraxis.app.settings import Settings
from neuraxis.desktop.window import WorkstationWindow, apply_theme
from neuraxis.domain.study import Role, Study
from neuraxis.ui.slice_panel import SERIES_MIME

KEYS = Qt.KeyboardModifier
MODIFIERS = (KEYS.NoModifier, KEYS.NoModifier, KEYS.ShiftModifier, KEYS.ControlModifier, KEYS.AltModifier)
BUTTONS = (Qt.MouseButton.LeftButton, Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton, Qt.MouseButton.RightButton)
STUDIES = 10
PAGE_BYTES = 4096
STATM = Path("/proc/self/statm")


@dataclass
class MonkeyReport:
    """What happened."""

    events: int = 0
    faults: list[str] = field(default_factory=list)
    slowest_ms: list[tuple[float, str]] = field(default_factory=list)
    memory_before_mb: float = 0.0
    memory_after_mb: float = 0.0

    def note(self, milliseconds: float, what: str) -> None:
        """Keep the ten slowest."""
        self.slowest_ms = sorted([*self.slowest_ms, (milliseconds, what)], reverse=True)[:10]


def all_acquisitions() -> Study:
    """One small volume of each kind of geometry, in three frames of reference."""
    from tests.app.synthetic_study import ACQUISITIONS, geometry_of, place_volume, series_of, study_of

    return study_of(*(
        series_of(place_volume(geometry_of(kind, f"1.{n % 3}"), f"s{n}"), Role.CT if n % 2 else Role.T1, n, kind)
        for n, kind in enumerate(ACQUISITIONS, start=1)
    ))


def resident_mb() -> float:
    """Memory of this process, after what is free was given back."""
    gc.collect()
    if not STATM.is_file():  # told for Linux only
        return 1.0
    ctypes.CDLL(None).malloc_trim(0)
    return int(STATM.read_text().split()[1]) * PAGE_BYTES / 1e6


class Monkey:
    """Sends events to a window and watches it."""

    def __init__(self, window: WorkstationWindow, seed: int) -> None:
        self.window, self.dice = window, random.Random(seed)
        self.report = MonkeyReport()
        self._acts: tuple[Callable[[], str], ...] = (
            self.key, self.key, self.key, self.wheel, self.drag, self.drag, self.click, self.double_click,
            self.button, self.tree, self.box, self.layout, self.drop, self.menu, self.resize,
        )
        window.session.message_posted.connect(self._message)
        # a menu or dialog runs a loop of its own until somebody closes it
        self._closer = QTimer()
        self._closer.setInterval(1)
        self._closer.timeout.connect(close_what_waits)
        self._closer.start()

    def _message(self, message: Any) -> None:
        if "fault of Neuraxis" in message.remedy:
            self.report.faults.append(message.text)

    def exception(self, kind: Any, value: Any, trace: Any) -> None:
        """For `sys.excepthook`: what a slot raised."""
        self.report.faults.append("".join(traceback.format_exception(kind, value, trace)))

    def run(self, events: int) -> None:
        """So many events; each is handled to its end before the next."""
        for _ in range(events):
            act = self.dice.choice(self._acts)
            start = time.thread_time()
            what = act()
            QApplication.processEvents()
            close_what_waits()
            self.report.note((time.thread_time() - start) * 1e3, what)
            self.report.events += 1

    def _panel(self) -> Any:
        return self.dice.choice([p for p in self.window.desk.grid.panels if p.isVisible()])

    def _at(self, widget: QWidget) -> QPoint:
        return QPoint(self.dice.randrange(max(1, widget.width())), self.dice.randrange(max(1, widget.height())))

    def key(self) -> str:
        """The key of any command, in any panel."""
        commands = [c for c in self.window.desk.commands.commands if c.keys]
        chosen = self.dice.choice(commands)
        combination = QKeySequence(self.dice.choice(chosen.keys))[0]
        panel = self._panel()
        panel.setFocus()
        QTest.keyClick(panel, combination.key(), combination.keyboardModifiers())
        return f"key {chosen.id}"

    def wheel(self) -> str:
        """A wheel with or without a modifier."""
        panel, held = self._panel(), self.dice.choice(MODIFIERS)
        at = QPointF(self._at(panel))
        notches = self.dice.choice((-240, -120, 120, 360, 40))
        QApplication.sendEvent(panel, QWheelEvent(
            at, QPointF(panel.mapToGlobal(at.toPoint())), QPoint(), QPoint(0, notches), Qt.MouseButton.NoButton, held,
            Qt.ScrollPhase.NoScrollPhase, False,
        ))
        return f"wheel {held}"

    def drag(self) -> str:
        """A drag of any button in five steps."""
        panel, button = self._panel(), self.dice.choice(BUTTONS)
        start, end = self._at(panel), self._at(panel)
        held = self.dice.choice(MODIFIERS[:3])
        QTest.mousePress(panel, button, held, start)
        for step in range(1, 6):
            at = QPointF(start) + (QPointF(end) - QPointF(start)) * (step / 5)
            QApplication.sendEvent(panel, QMouseEvent(
                QEvent.Type.MouseMove, at, QPointF(panel.mapToGlobal(at.toPoint())), Qt.MouseButton.NoButton, button,
                held,
            ))
        QTest.mouseRelease(panel, button, held, end)
        return f"drag {button} with {self.window.desk.options.now.tool.value}"

    def click(self) -> str:
        """A click of any button."""
        panel = self._panel()
        QTest.mouseClick(panel, self.dice.choice(BUTTONS), self.dice.choice(MODIFIERS), self._at(panel))
        return f"click with {self.window.desk.options.now.tool.value}"

    def double_click(self) -> str:
        """A double click in a panel."""
        panel = self._panel()
        QTest.mouseDClick(panel, Qt.MouseButton.LeftButton, KEYS.NoModifier, self._at(panel))
        return "double click"

    def _some(self, kind: Any) -> Any:
        found = [w for w in self.window.findChildren(kind) if w.isVisible() and w.isEnabled()]
        return self.dice.choice(found) if found else None

    def button(self) -> str:
        """Any button of the window that can be pressed."""
        button = self._some(QAbstractButton)
        if button is None:
            return "no button"
        name = button.text() or button.toolTip()
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        return f"button {name}"

    def tree(self) -> str:
        """A row of a list, clicked or doubly clicked."""
        tree = self._some(QTreeWidget)
        if tree is None:
            return "no list"
        name = tree.accessibleName()
        act = self.dice.choice((QTest.mouseClick, QTest.mouseDClick))
        act(tree.viewport(), Qt.MouseButton.LeftButton, KEYS.NoModifier, self._at(tree.viewport()))
        return f"list {name}"

    def box(self) -> str:
        """Another choice of a box, by its wheel-free keyboard."""
        box = self._some(QComboBox)
        if box is None:
            return "no box"
        name = box.accessibleName()
        box.setFocus()
        QTest.keyClick(box, self.dice.choice((Qt.Key.Key_Down, Qt.Key.Key_Up)))
        return f"box {name}"

    def layout(self) -> str:
        """Another hanging protocol or layout."""
        from neuraxis.app.hanging import hangings

        grid = self.window.desk.grid
        if self.dice.random() < 0.5:
            grid.apply_protocol(self.dice.choice(hangings()))
            return "hanging"
        grid.change_layout(self.dice.choice((1, 2)), self.dice.choice((1, 2, 3, 4)))
        return "layout"

    def drop(self) -> str:
        """A series dropped on a panel."""
        panel, data = self._panel(), QMimeData()
        ids = [s.id for s in self.window.session.series] or ["nothing"]
        data.setData(SERIES_MIME, self.dice.choice(ids).encode())
        QApplication.sendEvent(panel, QDropEvent(
            QPointF(self._at(panel)), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, KEYS.NoModifier
        ))
        return "drop of a series"

    def menu(self) -> str:
        """Any entry of a panel's menu or of the menu bar but those that open, close and quit."""
        if self.dice.random() < 0.5:
            menu = self.window.desk.panel_menu(self._panel())
        else:
            menus = [a.menu() for a in self.window.menuBar().actions()][1:]
            menu = self.dice.choice([m for m in menus if m is not None])
        actions = [a for a in menu.actions() if a.isEnabled() and not a.isSeparator() and "napari" not in a.text()]
        for action in list(actions):
            if action.menu() is not None:
                actions.remove(action)
                actions += [a for a in action.menu().actions() if a.isEnabled() and not a.isSeparator()]
        chosen = self.dice.choice(actions)
        text = chosen.text()
        chosen.trigger()
        if menu.parent() is self.window.desk:
            menu.deleteLater()
        return f"menu {text}"

    def resize(self) -> str:
        """Another size of the window."""
        self.window.resize(self.dice.randrange(900, 1700), self.dice.randrange(600, 1100))
        return "resize"

    def stop(self) -> None:
        """No timer is left, nothing plays."""
        self._closer.stop()
        if self.window.desk.grid.is_playing:
            self.window.desk.grid.toggle_cine()


def close_what_waits() -> None:
    """Close the menu or dialog that waits for an answer."""
    for waiting in (QApplication.activePopupWidget(), QApplication.activeModalWidget()):
        if waiting is not None:
            waiting.close()


def settle(window: WorkstationWindow) -> None:
    """Until nothing runs, and what was thrown away is gone."""
    end = time.monotonic() + 120
    while window.session.jobs.jobs and time.monotonic() < end:
        QTest.qWait(10)
    QApplication.processEvents()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def open_and_close(window: WorkstationWindow, monkey: Monkey, studies: int, events: int, size: int) -> float:
    """Open studies one after the other, use and close them; the memory that is left, in MB."""
    from tests.app.synthetic_study import head_study

    for _ in range(studies):
        window.session.set_study(head_study(size))
        settle(window)
        monkey.run(events)
        settle(window)
        window.session.close_study()
        settle(window)
    return resident_mb()


def run_monkey(events: int, seed: int, size: int = 128) -> MonkeyReport:
    """Half of the events on volumes of every geometry, half on head studies that are opened and closed."""
    app = QApplication.instance() or QApplication(sys.argv[:1])
    for dialog, names in ((QFileDialog, ("getExistingDirectory", "getOpenFileName", "getSaveFileName")),
                          (QInputDialog, ("getText",))):
        for name in names:
            setattr(dialog, name, staticmethod(_nothing_chosen(name)))
    window = WorkstationWindow(Settings(), remember=False)
    apply_theme("dark")
    window.show()
    monkey = Monkey(window, seed)
    before, sys.excepthook = sys.excepthook, monkey.exception
    try:
        window.session.set_study(all_acquisitions())
        settle(window)
        monkey.run(events // 2)
        settle(window)
        each = max(1, events // 2 // (2 * STUDIES))
        # the first round fills caches that are meant to stay: fonts, icons, look-up tables, imported modules
        monkey.report.memory_before_mb = open_and_close(window, monkey, STUDIES, each, size)
        monkey.report.memory_after_mb = open_and_close(window, monkey, STUDIES, each, size)
    finally:
        sys.excepthook = before
        monkey.stop()
        window.close()
        app.processEvents()
    return monkey.report


def _nothing_chosen(name: str) -> Callable[..., Any]:
    if name == "getExistingDirectory":
        return lambda *_a, **_k: ""
    return lambda *_a, **_k: ("", False if name == "getText" else "")


def main() -> int:
    """Run and tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--events", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    report = run_monkey(given.events, given.seed)
    import qtpy

    print(f"{qtpy.API_NAME}: {report.events} events, {len(report.faults)} faults")
    for fault in report.faults[:5]:
        print(fault)
    for milliseconds, what in report.slowest_ms:
        print(f"  {milliseconds:7.1f} ms CPU  {what}")
    growth = report.memory_after_mb / report.memory_before_mb - 1
    print(f"memory after ten studies {report.memory_before_mb:.1f} MB, after twenty {report.memory_after_mb:.1f} MB "
          f"({growth:+.1%})")
    held = not report.faults and report.slowest_ms[0][0] <= 200 and growth <= 0.05
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
