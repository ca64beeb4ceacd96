"""The case behind the window: saved as one works, there again after a restart, its history by keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QFileDialog, QMessageBox
from tests.app.synthetic_study import head_study

from neuraxis.desktop.window import WorkstationWindow
from neuraxis.domain.study import Role
from neuraxis.domain.tag import Tag, Verdict

SCREENSHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"
pytestmark = pytest.mark.gui
LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
Start = Callable[[], WorkstationWindow]


@pytest.fixture
def start(qtbot: Any, flush_deleted: None) -> Iterator[Start]:
    """Each window made is a program that was started anew, with the head study open and its case."""
    made: list[WorkstationWindow] = []

    def make() -> WorkstationWindow:
        window = WorkstationWindow()
        made.append(window)
        qtbot.addWidget(window)
        window.show()
        qtbot.waitExposed(window)
        window.session.set_study(head_study(), "/data/study")
        settled(window, qtbot)
        return window

    yield make
    for window in made:
        window.ask_before_losing = False
        window.close()


def lesions(window: WorkstationWindow) -> int:
    return len(window.session.case.lesions)


def settled(window: WorkstationWindow, qtbot: Any) -> None:
    session = window.session
    busy = ("opening", "saving")
    qtbot.waitUntil(lambda: not session.jobs.jobs and not session.saving.startswith(busy), timeout=60_000)
    QApplication.processEvents()


def segment_with_the_mouse(window: WorkstationWindow, qtbot: Any) -> str:
    panel = window.desk.grid.panels[0]
    series = panel.scene.series
    assert series is not None
    window.session.set_point(series, (-10.0, 8.0, 4.0))
    window.lesions.segment.click()
    view = panel.scene.view()
    assert view is not None
    x, y = view.screen_from_lps((-10.0, 8.0, 4.0))
    QTest.mouseClick(panel, LEFT, NONE, QPoint(round(float(x)), round(float(y))))
    settled(window, qtbot)
    return window.session.case.lesions[-1].tracking_uid


def draw_a_length(window: WorkstationWindow, qtbot: Any) -> None:
    panel = window.desk.grid.panels[0]
    panel.setFocus()
    window.desk.commands.run("tool.length")
    a, b = panel.rect().center() - QPoint(60, 0), panel.rect().center() + QPoint(60, 0)
    QTest.mousePress(panel, LEFT, NONE, a)
    QTest.mouseMove(panel, (a + b) / 2)
    QTest.mouseMove(panel, b)
    QTest.mouseRelease(panel, LEFT, NONE, b)
    settled(window, qtbot)


def test_a_restart_keeps_lesions_tags_drawings_roles_windows_the_layout_and_undo(start: Start, qtbot: Any) -> None:
    window = start()
    uid = segment_with_the_mouse(window, qtbot)
    session = window.session
    session.change("collect evidence", session.case.with_tags(uid, (
        Tag("calcification", "dense", Verdict.SUPPORTS, (), (("dense", Verdict.SUPPORTS, ""), ("none", Verdict.NEUTRAL, ""))),
    )))
    box = window.tags.tree.itemWidget(window.tags.tree.topLevelItem(0), 1)
    box.activated.emit(box.findData("none"))
    draw_a_length(window, qtbot)
    window.browser.session.set_role("s3", Role.FLAIR)
    window.desk.grid.panels[0].setFocus()
    window.desk.commands.run("window.stroke")
    window.desk.grid.apply_hanging("planes")
    window.desk.commands.run("view.invert")
    settled(window, qtbot)
    kept, states = session.case, [p.state for p in window.desk.grid.panels]
    assert session.saving.startswith("saved, revision")
    assert window.history.state.text() == session.saving
    window.close()

    again = start()
    session = again.session
    assert [x.tracking_uid for x in session.case.lesions] == [uid]
    assert (session.case.tags, session.case.drawings) == (kept.tags, kept.drawings)
    assert [p.state for p in again.desk.grid.panels] == states, "it hangs as it hung"
    assert again.browser._items["s3"].text(0).startswith("FLAIR"), "the corrected role is shown at once"
    assert len(session.case.drawings) == 1
    again.desk.grid.panels[0].setFocus()
    QTest.keyClick(again.desk.grid.panels[0], Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: session.find_series("s3").role.role is Role.T1, timeout=10_000)  # type: ignore[union-attr]
    QTest.keyClick(again.desk.grid.panels[0], Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: not session.case.drawings, timeout=10_000)
    settled(again, qtbot)
    assert session.revisions[-1].action == "undo: draw length"
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    again.docks["history"].raise_()
    QApplication.processEvents()
    again.grab().save(str(SCREENSHOTS / "history.png"))


def test_the_history_is_walked_by_keys_and_any_step_restored(start: Start, qtbot: Any) -> None:
    window = start()
    segment_with_the_mouse(window, qtbot)
    session, view = window.session, window.history
    session.delete_lesion(session.case.lesions[0].tracking_uid)
    settled(window, qtbot)
    rows = [[view.tree.topLevelItem(k).text(c) for c in (0, 3)] for k in range(view.tree.topLevelItemCount())]
    assert ["1", "segment lesion"] in rows
    assert rows[0] == [str(len(session.revisions)), "delete lesion"]
    window.docks["history"].raise_()
    view.tree.setFocus()
    QTest.keyClick(view.tree, Qt.Key.Key_End)
    QTest.keyClick(view.tree, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: session.shown_revision == 1, timeout=10_000)
    assert lesions(window) == 1
    assert window.lesions.list.count() == 1, "every view shows it"
    assert "Revision 1 is shown" in view.state.text()
    QTest.keyClick(view.tree, Qt.Key.Key_Escape)
    assert lesions(window) == 0
    QTest.keyClick(view.tree, Qt.Key.Key_End)
    QTest.keyClick(view.tree, Qt.Key.Key_R)
    qtbot.waitUntil(lambda: len(session.case.lesions) == 1, timeout=10_000)
    settled(window, qtbot)
    assert view.tree.topLevelItem(0).text(3) == "restored revision 1"
    tips = [b.toolTip() for b in (view.show_button, view.restore, view.present)]
    assert all("[" in tip and "in the list]" in tip for tip in tips)
    session.undo()
    assert lesions(window) == 0


def test_a_second_window_reads_and_says_who_holds_the_case(start: Start, qtbot: Any) -> None:
    first = start()
    segment_with_the_mouse(first, qtbot)
    second = start()
    assert "has this case open" in second.message_bar.text
    assert "What to do: File > Save case as" in second.message_bar.text
    assert "read-only" in second.windowTitle()
    assert len(second.session.case.lesions) == 1
    second.lesions.list.setCurrentRow(0)
    second.lesions.delete.click()
    assert len(second.session.case.lesions) == 1
    assert "open for reading only" in second.message_bar.text
    assert not second.history.restore.isEnabled()
    draw_a_length(first, qtbot)
    assert first.session.saving.startswith("saved")


def test_a_full_disk_is_said_in_the_window_and_nothing_is_lost_without_a_question(
    start: Start, qtbot: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    window = start()
    session = window.session
    assert session._keeper is not None
    assert session._keeper.case is not None
    session._keeper.case.file._connection.execute("PRAGMA query_only = 1")
    segment_with_the_mouse(window, qtbot)
    qtbot.waitUntil(lambda: session.saving.startswith("NOT SAVED"), timeout=10_000)
    assert "cannot save to" in window.message_bar.text
    assert window.history.state.text().startswith("NOT SAVED")
    window.ask_before_losing = True
    asked: list[str] = []

    def no(text: str) -> Any:
        asked.append(text)
        return QMessageBox.StandardButton.No

    monkeypatch.setattr(QMessageBox, "question", lambda _w, _t, text: no(text))
    window.close_study()
    assert session.series
    assert "not in its case" in asked[0]
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(tmp_path / "elsewhere"), ""))
    (action,) = (a for menu in window.menuBar().actions() for a in menu.menu().actions() if "case" in a.text()
                 and "ave" in a.text())
    action.trigger()
    qtbot.waitUntil(lambda: session.saving.startswith("saved, revision"), timeout=10_000)
    assert (tmp_path / "elsewhere.neuraxis").is_file()
    window.close_study()
    assert session.series == ()
    assert len(asked) == 1, "what is in the case is closed without a question"


def test_a_case_file_opens_its_study_and_asks_where_it_went(
    start: Start, qtbot: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    window = start()
    segment_with_the_mouse(window, qtbot)
    session = window.session
    session.save_case_as(tmp_path / "mine.neuraxis")
    qtbot.waitUntil(lambda: session.case_path == tmp_path / "mine.neuraxis", timeout=10_000)
    settled(window, qtbot)
    window.close_study()
    asked: list[str] = []

    def here(text: str) -> str:
        asked.append(text)
        return str(tmp_path)

    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda _w, text: here(text))
    monkeypatch.setattr("neuraxis.app.workup.open_input", lambda path, progress: head_study())
    window.open_path(tmp_path / "mine.neuraxis")
    qtbot.waitUntil(lambda: session.study is not None, timeout=20_000)
    settled(window, qtbot)
    assert "is not where it was" in asked[0]
    assert session.path == str(tmp_path)
    assert len(session.case.lesions) == 1
    window.close_study()
    window.open_path(tmp_path / "mine.neuraxis")
    qtbot.waitUntil(lambda: session.study is not None, timeout=20_000)
    assert len(asked) == 1, "where it went is remembered"


def test_a_case_that_is_no_case_is_said(start: Start, qtbot: Any, tmp_path: Path) -> None:
    window = start()
    session = window.session
    folder = session.case_folder
    assert folder is not None
    assert session.case_path is not None
    path = session.case_path
    window.close_study()
    for copy in folder.glob(".*.copies/*"):
        copy.unlink()
    path.write_bytes(b"no case at all" * 999)
    session.set_study(head_study())
    qtbot.waitUntil(lambda: "not saved" in session.saving, timeout=10_000)
    assert "no Neuraxis case" in window.message_bar.text
    assert path.read_bytes().startswith(b"no case"), "it is left as it is"


def test_the_session_of_a_napari_viewer_keeps_its_case_too(qtbot: Any, flush_deleted: None) -> None:
    from napari.components import ViewerModel

    from napari_neuraxis.sessions import ViewerSession

    for number in range(2):
        tied = ViewerSession(ViewerModel())
        session = tied.session
        session.set_study(head_study())
        qtbot.waitUntil(lambda session=session: session.saving.startswith("saved"), timeout=20_000)
        assert len(session.case.key_images) == number
        session.toggle_key_image("s1", (number, 32))
        assert session.flush()
        tied.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore:.*:UserWarning")
def test_a_stroke_on_a_read_only_case_is_taken_back_in_the_layer(start: Start, qtbot: Any) -> None:
    import numpy as np
    from napari.components import ViewerModel

    from napari_neuraxis.sessions import ViewerSession

    window = start()
    segment_with_the_mouse(window, qtbot)
    viewer = ViewerModel()
    tied = ViewerSession(viewer)
    session = tied.session
    said: list[str] = []
    session.message_posted.disconnect()
    session.message_posted.connect(lambda message: said.append(message.text))
    session.set_study(head_study())
    qtbot.waitUntil(lambda: session.saving == "read-only", timeout=20_000)
    tied.layers.show_when_loaded("s1")
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=20_000)
    labels = viewer.layers[1]
    before = np.asarray(labels.data).copy()
    labels.paint(tuple(int(v) for v in np.argwhere(before > 0)[0]), 0)
    qtbot.waitUntil(lambda: any("for reading only" in text for text in said[1:]), timeout=10_000)
    assert np.array_equal(np.asarray(labels.data) > 0, before > 0)
    tied.close()
