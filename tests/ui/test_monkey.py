"""Random events on real widgets: nothing raises, nothing hangs, nothing leaks."""

from __future__ import annotations

import gc
import random
import time
import weakref
from typing import Any

import pytest
from qtpy.QtCore import QCoreApplication, QEvent, QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from tests.app.synthetic_study import ACQUISITIONS, geometry_of, head_study, place_volume, series_of, study_of
from tests.ui.test_reading_grid import Desk, drag, wheel

from neuraxis.app.commands import COMMANDS
from neuraxis.domain.study import Role

pytestmark = pytest.mark.gui
MODIFIERS = (
    Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.AltModifier,
)
BUTTONS = (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton, Qt.MouseButton.RightButton)
HARMLESS = tuple(c.id for c in COMMANDS if c.id not in ("help.keys",))


def one_event(desk: Desk, dice: random.Random) -> None:
    panels = [p for p in desk.grid.panels if p.isVisible()]
    panel = dice.choice(panels)
    width, height = panel.width(), panel.height()
    here = (dice.randrange(width), dice.randrange(height))
    kind = dice.randrange(8)
    if kind <= 2:
        desk.commands.run(dice.choice(HARMLESS))
    elif kind == 3:
        wheel(panel, dice.choice((-3, -1, 1, 2)), dice.choice(MODIFIERS), QPoint(*here))
    elif kind == 4:
        drag(panel, here, (dice.randrange(width), dice.randrange(height)), dice.choice(BUTTONS))
    elif kind == 5:
        QTest.mouseClick(panel, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, QPoint(*here))
    elif kind == 6:
        QTest.mouseDClick(panel, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, QPoint(*here))
    else:
        desk.grid.change_layout(dice.choice((1, 2)), dice.choice((1, 2, 3, 4)))


@pytest.mark.parametrize("seed", range(3))
def test_four_hundred_random_events_do_no_harm(qtbot: Any, flush_deleted: None, seed: int) -> None:
    dice = random.Random(seed)
    volumes = [
        series_of(place_volume(geometry_of(kind, f"1.{n % 3}"), f"s{n}"), Role.CT if n % 2 else Role.T1, n, kind)
        for n, kind in enumerate(ACQUISITIONS, start=1)
    ]
    desk = Desk(qtbot, study_of(*volumes))
    unexpected: list[str] = []
    desk.session.message_posted.connect(
        lambda m: unexpected.append(m.text) if "fault of Neuraxis" in m.remedy else None)
    slowest = 0.0
    for _ in range(400):
        start = time.process_time()
        one_event(desk, dice)
        QApplication.processEvents()
        slowest = max(slowest, time.process_time() - start)
    if desk.grid.is_playing:
        desk.grid.toggle_cine()
    qtbot.waitUntil(lambda: not desk.session.jobs.jobs, timeout=60000)
    assert unexpected == []
    assert slowest < 2.0
    desk.grid.detach()
    desk.session.close()


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
