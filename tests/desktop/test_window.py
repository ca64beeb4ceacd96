"""The window on the sample study, driven by real mouse and key events."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QComboBox

from neuraxis.app.demo import sample_click
from neuraxis.app.options import Tool
from neuraxis.app.settings import load_settings
from neuraxis.desktop.window import WorkstationWindow, apply_theme
from neuraxis.domain.study import Role

SCREENSHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"
pytestmark = pytest.mark.gui
LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


@pytest.fixture
def window(qtbot: Any, flush_deleted: None) -> Iterator[WorkstationWindow]:
    made = WorkstationWindow()
    apply_theme("dark")
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    yield made
    made.close()


def idle(window: WorkstationWindow, qtbot: Any, seconds: float = 240) -> None:
    qtbot.waitUntil(lambda: not window.session.jobs.jobs, timeout=int(seconds * 1000))
    QApplication.processEvents()


def keep(window: Any, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    window.grab().save(str(SCREENSHOTS / f"{name}.png"))


class LongestStall:
    """The longest time the GUI thread did not answer."""

    def __init__(self) -> None:
        self.ms = 0.0
        self._last = time.perf_counter()
        self._timer = QTimer()
        self._timer.setInterval(5)
        self._timer.timeout.connect(self._tick)
        self._timer.start()

    def _tick(self) -> None:
        now = time.perf_counter()
        self.ms = max(self.ms, (now - self._last) * 1000)
        self._last = now

    def stop(self) -> None:
        self._timer.stop()


@pytest.mark.slow
def test_the_sample_is_opened_hung_segmented_and_read(
    window: WorkstationWindow, qtbot: Any, capnon_folder: Path
) -> None:
    session, grid = window.session, window.desk.grid
    stall = LongestStall()
    window.open_path(capnon_folder)
    qtbot.waitUntil(lambda: session.study is not None, timeout=120_000)
    qtbot.waitUntil(lambda: grid.panels[0].scene.picture() is not None, timeout=60_000)
    assert session.jobs.jobs, "the first picture is there while other series still load"
    idle(window, qtbot)
    stall.stop()
    assert stall.ms < 1000, f"the window did not answer for {stall.ms:.0f} ms"
    roles = [p.scene.series.role.role if p.scene.series else None for p in grid.panels]
    assert roles == [Role.CT, Role.CT, Role.T1, Role.T2, Role.SWI, Role.T1C]
    keep(window, "sample_opened")

    point, _ = sample_click(capnon_folder)
    ct = grid.panels[0].scene.series
    assert ct is not None
    session.set_point(ct, point)
    grid.focus(80)
    window.lesions.segment.click()
    assert grid.options.now.tool is Tool.SEGMENT
    view = grid.panels[0].scene.view()
    assert view is not None
    x, y = view.screen_from_lps(point)
    QTest.mouseClick(grid.panels[0], LEFT, NONE, QPoint(round(float(x)), round(float(y))))
    idle(window, qtbot)
    (lesion,) = session.case.lesions
    axis = lesion.measurement.long_axis
    assert axis is not None
    assert axis.quantity.value == pytest.approx(4.0, abs=0.4)
    texts = [window.lesions.table.topLevelItem(0).text(k) for k in (0, 1)]
    assert texts == ["Long axis", axis.quantity.display()]
    assert "±" in texts[1]
    keep(window, "sample_segmented")


def test_a_folder_without_dicom_says_what_to_do(window: WorkstationWindow, qtbot: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    window.open_path(tmp_path)
    idle(window, qtbot)
    assert window.message_bar.isVisible()
    text = window.message_bar.text
    assert "no DICOM images" in text
    assert "What to do:" in text
    assert "Traceback" not in text
    keep(window, "no_dicom")


def test_a_path_that_is_not_there_says_so(window: WorkstationWindow, qtbot: Any, tmp_path: Path) -> None:
    window.open_path(tmp_path / "nothing")
    idle(window, qtbot)
    assert window.message_bar.isVisible()
    assert "fault of Neuraxis" not in window.message_bar.text


def test_a_folder_is_opened_by_dropping_it_on_a_panel(
    window: WorkstationWindow, qtbot: Any, tmp_path: Path
) -> None:
    from qtpy.QtCore import QMimeData, QPointF, QUrl
    from qtpy.QtGui import QDragEnterEvent, QDropEvent

    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path))])
    panel = window.desk.grid.panels[0]
    copy, button = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    enter = QDragEnterEvent(QPoint(50, 50), copy, data, button, NONE)
    QApplication.sendEvent(panel, enter)
    assert enter.isAccepted()
    drop = QDropEvent(QPointF(50, 50), copy, data, button, NONE)
    QApplication.sendEvent(panel, drop)
    idle(window, qtbot)
    assert tmp_path.name in window.message_bar.text, "it was tried, and is empty"


def test_tags_show_icon_and_word_and_take_the_readers_word(
    window: WorkstationWindow, qtbot: Any, head_with_tags: Callable[[WorkstationWindow], str]
) -> None:
    uid = head_with_tags(window)
    tree = window.tags.tree
    assert [tree.topLevelItem(k).text(2) for k in range(3)] == ["✔ supports", "✘ contradicts", "? not assessable"]
    box = tree.itemWidget(tree.topLevelItem(0), 1)
    assert isinstance(box, QComboBox)
    assert box.currentData() is None, "a suggestion is not the reader's word"
    index = box.findData("none")
    box.setCurrentIndex(index)
    box.activated.emit(index)
    QApplication.processEvents()
    tag = window.session.case.tags[uid][0]
    assert (tag.value, bool(tag.asserted_by)) == ("none", True)
    assert tree.topLevelItem(0).text(2) == "✘ contradicts"
    tree.setCurrentItem(tree.topLevelItem(1))
    assert "Rule:" in window.tags.evidence.toPlainText()
    window.tags.next_open()
    assert window.tags._current_concept() == "dural_tail"
    keep(window, "tags")


@pytest.fixture
def head_with_tags(qtbot: Any) -> Callable[[WorkstationWindow], str]:
    from tests.app.synthetic_study import head_study

    from neuraxis.domain.tag import Evidence, Tag, Verdict

    def make(window: WorkstationWindow) -> str:
        window.session.set_study(head_study())
        idle(window, qtbot)
        window.session.segment_at("s1", (-10.0, 8.0, 4.0))
        idle(window, qtbot)
        uid = window.session.active_lesion
        evidence = Evidence(
            "saddle_hu", 210.0, "HU", "1.2.1", "no continuity above 300 HU [prop]", Verdict.CONTRADICTS,
            "lesion and bone connect only below 210 HU", inputs=("gap 2.1 mm",),
        )
        window.session.change("collect evidence", window.session.case.with_tags(uid, (
            Tag("calcification", "dense", Verdict.SUPPORTS, (),
                (("dense", Verdict.SUPPORTS, "700 HU"), ("none", Verdict.CONTRADICTS, "700 HU"))),
            Tag("bone_change", "erosion", Verdict.CONTRADICTS, (evidence,)),
            Tag("dural_tail", None, Verdict.NOT_ASSESSABLE),
        )))
        QApplication.processEvents()
        return uid

    return make


def test_what_was_left_out_is_one_click_away(
    window: WorkstationWindow, qtbot: Any, head_with_tags: Callable[[WorkstationWindow], str]
) -> None:
    from neuraxis.ui.load_report import LoadReportDialog

    head_with_tags(window)
    assert window.browser.report_button.text() == "42 files: 2 left out …"
    window.browser.report_button.click()
    (dialog,) = window.findChildren(LoadReportDialog)
    assert "42 files seen = 40 loaded + 1 set apart + 1 skipped" in dialog.summary.text()
    assert dialog.tree.topLevelItem(0).child(0).text(1) == "no DICOM: text"
    dialog.reject()


def test_recent_studies_are_kept_without_names(
    window: WorkstationWindow, qtbot: Any, head_with_tags: Callable[[WorkstationWindow], str]
) -> None:
    from tests.app.synthetic_study import head_study

    window.session.set_study(head_study(), "/data/study")
    assert load_settings().recent[0].summary == "CT, T1, T2, SWI, T1C"
    assert window.windowTitle() == "Neuraxis: 5 series"


def test_closing_ends_all_threads_and_listeners(qtbot: Any, flush_deleted: None) -> None:
    import threading

    before = {t.name for t in threading.enumerate()}
    made = WorkstationWindow()
    made.show()
    session = made.session
    made.close()
    assert len(session.case_changed) == 0
    assert len(session.point_changed) == 0
    end = time.monotonic() + 5
    while {t.name for t in threading.enumerate() if t.is_alive()} - before and time.monotonic() < end:
        time.sleep(0.02)
    assert not {t.name for t in threading.enumerate()} - before
    made.deleteLater()


def test_work_that_no_case_holds_is_not_lost_without_a_question(
    window: WorkstationWindow, qtbot: Any, head_with_tags: Callable[[WorkstationWindow], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from qtpy.QtWidgets import QMessageBox

    window.session.case_folder = None
    head_with_tags(window)
    window.ask_before_losing = True
    answers = [QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes]
    monkeypatch.setattr(QMessageBox, "question", lambda *_: answers.pop(0))
    left = []
    for _ in range(3):
        window.close_study()
        left.append(len(window.session.series))
    assert left == [5, 0, 0]
    assert answers == [], "nothing made, nothing asked"


@pytest.mark.slow
def test_a_lesion_is_handed_on_as_sr_and_seg(
    window: WorkstationWindow, qtbot: Any, capnon_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pydicom
    from qtpy.QtWidgets import QFileDialog

    session = window.session
    window.open_path(capnon_folder)
    idle(window, qtbot)
    point, _ = sample_click(capnon_folder)
    ct = window.desk.grid.panels[0].state.series_id
    session.segment_at(ct, point)
    idle(window, qtbot)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    window.ask_export()
    idle(window, qtbot)
    assert not [m for m in [window.message_bar.message] if m is not None and m.is_error]
    modalities = {pydicom.dcmread(p, stop_before_pixels=True).Modality for p in tmp_path.glob("*.dcm")}
    assert modalities == {"SR", "SEG"}
    assert (tmp_path / "lesion-1-measurements.json").is_file()


def test_light_and_dark_differ_and_are_remembered(window: WorkstationWindow, qtbot: Any) -> None:
    dark = window.grab().toImage().pixelColor(5, window.height() // 2).lightness()
    window.toggle_theme()
    QApplication.processEvents()
    light = window.grab().toImage().pixelColor(5, window.height() // 2).lightness()
    assert light > dark + 100
    assert load_settings().theme == "light"
    keep(window, "light")
    apply_theme("dark")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore:.*:UserWarning")
def test_the_napari_canvas_is_made_on_request_and_shows_the_series(
    window: WorkstationWindow, qtbot: Any, head_with_tags: Callable[[WorkstationWindow], str]
) -> None:
    from neuraxis.desktop.napari_dock import NapariDock

    head_with_tags(window)
    assert not window.findChildren(NapariDock)
    window.show_napari()
    idle(window, qtbot)
    (dock,) = window.findChildren(NapariDock)
    assert [layer.name for layer in dock.model.layers] == ["2 CT head 0.6 H31", "lesion 1"]
    series = window.session.find_series("s1")
    assert series is not None
    window.session.set_point(series, (-10.0, 8.0, 4.0))
    value = dock.model.layers[0].get_value(dock.model.dims.point, world=True)
    assert value == pytest.approx(700, abs=20)
    window.show_layer("s4")
    assert [layer.visible for layer in dock.model.layers if layer.name.startswith("2 CT")] == [False], "another frame"
    qtbot.wait(200)
    keep(window, "napari_dock")
    assert np.isfinite(dock.model.camera.zoom)


def test_without_a_display_the_program_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from neuraxis.desktop import run
    from neuraxis.errors import NeuraxisError

    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    with pytest.raises(NeuraxisError, match="no display"):
        run(None)


def test_the_program_runs_until_its_window_is_closed(qtbot: Any, tmp_path: Path, flush_deleted: None) -> None:
    from neuraxis.desktop import run

    seen: list[str] = []

    def look_and_close() -> None:
        for widget in QApplication.topLevelWidgets():
            if isinstance(widget, WorkstationWindow) and widget.isVisible():
                seen.append(widget.message_bar.text)
                if widget.session.jobs.jobs:
                    QTimer.singleShot(100, look_and_close)
                    return
                widget.close()

    QTimer.singleShot(300, look_and_close)
    assert run(str(tmp_path)) == 0
    assert "What to do:" in seen[-1]
