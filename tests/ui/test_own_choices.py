"""What a reader sets: keys, the look of masks, names on the screen, the answers on the dural tail."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QDialogButtonBox
from tests.app.synthetic_study import head_study

from neuraxis.app.settings import load_settings
from neuraxis.app.study_labels import StudyLabel
from neuraxis.desktop.window import WorkstationWindow
from neuraxis.domain.lesion import LesionMask
from neuraxis.domain.tag import Verdict
from neuraxis.ui import theme
from neuraxis.ui.dural_tail_form import DuralTailForm

pytestmark = pytest.mark.gui
OK = QDialogButtonBox.StandardButton.Ok


@pytest.fixture
def window(qtbot: Any, flush_deleted: None) -> Iterator[WorkstationWindow]:
    made = WorkstationWindow()
    qtbot.addWidget(made)
    made.show()
    made.session.set_study(head_study())
    idle(made, qtbot)
    yield made
    made.close()


def idle(window: WorkstationWindow, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: not window.session.jobs.jobs, timeout=60000)
    QApplication.processEvents()


def press(window: WorkstationWindow, key: Any, modifier: Any = Qt.KeyboardModifier.NoModifier) -> None:
    window.desk.grid.active.setFocus()
    QTest.keyClick(window.desk.grid.active, key, modifier)


def test_a_key_is_changed_in_the_window_and_remembered(window: WorkstationWindow) -> None:
    editor = window.desk.edit_keys()
    editor.choose("view.invert")
    QTest.keyClick(editor.edit, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    editor._typed()
    editor.buttons.button(OK).click()
    press(window, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert window.desk.grid.active.state.inverted
    press(window, Qt.Key.Key_I)
    assert window.desk.grid.active.state.inverted, "the old key does nothing any more"
    assert load_settings().keys == {"view.invert": ("Ctrl+F",)}
    again = WorkstationWindow()
    assert again.desk.commands.tooltip("view.invert").endswith("[Ctrl+F]")
    again.close()


def test_two_commands_on_one_key_are_shown_and_cannot_be_kept(window: WorkstationWindow) -> None:
    editor = window.desk.edit_keys()
    editor.set_keys("cine", ("K",))
    assert "K stands for: " in editor.clash.text()
    assert "Key image" in editor.clash.text()
    assert not editor.buttons.button(OK).isEnabled()
    editor.set_keys("work.key_image", ())
    assert editor.buttons.button(OK).isEnabled()
    editor.reset_all()
    assert editor.buttons.button(OK).isEnabled()
    editor.reject()
    assert load_settings().keys == {}


def test_a_tool_button_tells_the_key_it_has_now(window: WorkstationWindow) -> None:
    editor = window.desk.edit_keys()
    editor.set_keys("tool.length", ("Shift+D",))
    editor.buttons.button(OK).click()
    tips = {b.toolTip() for _, b in window.desk._buttons}
    assert "Length  [Shift+D]" in tips


def two_lesions(window: WorkstationWindow, qtbot: Any) -> tuple[str, str]:
    session = window.session
    session.segment_at("s1", (-10.0, 8.0, 4.0))
    idle(window, qtbot)
    first = session.case.lesions[0]
    full = np.zeros(first.mask.geometry.shape_zyx, dtype=bool)
    full[16:20, 20:30, 40:52] = True
    box = LesionMask.from_full(
        first.mask.geometry, full, series_id="s1", series_uid=first.mask.series_uid,
        seed_lps_mm=first.mask.seed_lps_mm, method="drawn",
    )
    second = replace(first, tracking_uid="1.2.7", label="lesion 2", mask=box)
    session.change("add", session.case.with_lesion(second))
    QApplication.processEvents()
    return first.tracking_uid, "1.2.7"


def test_masks_differ_in_colour_line_and_number_and_are_filled_one_by_one(
    window: WorkstationWindow, qtbot: Any
) -> None:
    from neuraxis.app.options import Marks
    from neuraxis.ui.panel_marks import joined

    _, second = two_lesions(window, qtbot)
    assert len({theme.lesion_line(k) for k in range(4)}) == 4
    panel = window.desk.grid.panels[0]
    window.desk.options.set(marks=Marks.NONE, crosshair=False)
    ct = panel.scene.series
    assert ct is not None
    window.session.set_point(ct, (14.0, -7.0, 4.0))
    window.session.set_active_lesion(second)
    QApplication.processEvents()
    view = panel.scene.view()
    assert view is not None
    x, y = (int(v) for v in view.screen_from_lps((13.0, -8.0, 4.0)))

    def coloured() -> bool:
        pixel = panel.grab().toImage().pixelColor(x, y)
        return bool(pixel.blue() > pixel.red() + 20)

    assert not coloured(), "an outline leaves the voxels as they are"
    window.lesions.fill.click()
    assert coloured()
    window.lesions.shown.click()
    assert not coloured()
    window.lesions.shown.click()
    window.lesions.colour.click()
    assert window.desk.options.look(second).colour == 2
    press(window, Qt.Key.Key_L, Qt.KeyboardModifier.ShiftModifier)
    assert not window.desk.options.look(second).filled
    square = np.array([[[0, 0], [1, 0]], [[1, 1], [0, 1]], [[1, 0], [1, 1]], [[0, 1], [0, 0]]], dtype=float)
    (path,) = joined(square)
    assert len(path) == 5
    assert path[0] == path[-1]


def test_names_are_on_the_screen_only_and_can_be_hidden(window: WorkstationWindow, tmp_path: Path) -> None:
    name = "Doe Jane"
    window.session._take_labels({"1.2.3": StudyLabel(name, "4711", datetime.date(2024, 3, 1), "", "head MR")})
    tree = window.browser.tree
    assert tree.topLevelItem(0).text(0) == "Doe Jane  ·  4711"
    assert tree.topLevelItem(0).child(0).text(0) == "2024-03-01  head MR  ·  5 series"
    assert name not in window.windowTitle()
    window.toggle_names()
    assert tree.topLevelItem(0).text(0) == "Patient 1"
    assert tree.topLevelItem(0).child(0).text(0) == "Study 1: 5 series"
    assert load_settings().show_names is False
    written = (tmp_path / "settings.json").read_text(encoding="utf-8")
    assert "Doe" not in written
    assert "4711" not in written


def test_the_three_criteria_decide_the_dural_tail(window: WorkstationWindow, qtbot: Any) -> None:
    session = window.session
    two_lesions(window, qtbot)
    uid = session.case.lesions[0].tracking_uid
    session.set_active_lesion(uid)
    from tests.app.synthetic_study import CT_FRAME, MR_FRAME

    from neuraxis.domain.transform import Registration

    shift = np.eye(4)
    shift[:3, 3] = (2.0, -3.0, 1.0)
    session.set_proposal(Registration.from_array(shift, CT_FRAME, MR_FRAME, 0.4, "known"))
    session.accept_registration()
    form = window.tags.ask_dural_tail()
    assert not form.box.button(OK).isEnabled(), "three answers or none"
    answer(form, (1, 1, 1))
    form.box.button(OK).click()
    idle(window, qtbot)
    tag = next(t for t in session.case.tags[uid] if t.concept == "dural_tail")
    assert tag.verdict_on("present")[0] is Verdict.SUPPORTS
    again = window.tags.ask_dural_tail()
    assert [q.answer for q in again.questions.values()] == [True, True, True], "the answers are kept"
    answer(again, (1, 2, 1))
    again.box.button(OK).click()
    idle(window, qtbot)
    tag = next(t for t in session.case.tags[uid] if t.concept == "dural_tail")
    assert tag.verdict_on("present")[0] is Verdict.NOT_ASSESSABLE
    session.undo()
    session.undo()
    assert session.case.dural_tails[uid].tapers_from_tumour


def answer(form: DuralTailForm, choices: tuple[int, int, int]) -> None:
    for question, choice in zip(form.questions.values(), choices, strict=True):
        question.setCurrentIndex(choice)
