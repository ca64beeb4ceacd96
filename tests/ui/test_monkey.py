"""Random events on real widgets: nothing raises, nothing hangs, nothing leaks."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
from qtpy.QtCore import QCoreApplication, QEvent
from qtpy.QtWidgets import QApplication
from tests.app.synthetic_study import head_study
from tests.ui.monkey import run_monkey
from tests.ui.test_reading_grid import Desk

pytestmark = pytest.mark.gui
def test_random_events_on_the_whole_window_do_no_harm(qtbot: Any, flush_deleted: None) -> None:
    report = run_monkey(300, seed=7, size=64)
    assert report.faults == []
    assert report.events >= 280
    assert report.memory_after_mb > 0


def test_the_monkey_sees_a_fault(qtbot: Any, flush_deleted: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from neuraxis.ui.reading_desk import ReadingDesk

    def broken(_desk: Any, command_id: str) -> None:
        raise ValueError(command_id)

    monkeypatch.setattr(ReadingDesk, "run", broken)
    with qtbot.captureExceptions():
        report = run_monkey(60, seed=1, size=64)
    assert any("ValueError" in fault for fault in report.faults)


def test_opening_and_closing_studies_leaves_nothing_behind(qtbot: Any, flush_deleted: None) -> None:
    desk = Desk(qtbot, head_study())
    listeners = len(desk.session.point_changed)
    arrays = []
    for _ in range(10):
        desk.session.set_study(head_study())
        qtbot.waitUntil(lambda: not desk.session.jobs.jobs, timeout=10000)
        QApplication.processEvents()
        volume = desk.session.volume("s1")
        assert volume is not None
        arrays.append(weakref.ref(volume.array))
        del volume
    desk.session.close_study()
    QApplication.processEvents()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    gc.collect()
    assert [a() is None for a in arrays].count(False) == 0
    assert len(desk.session.point_changed) <= listeners
    desk.grid.detach()
    desk.session.close()
