"""Two series or two dates against each other: swipe, colours, same thickness, prior beside current, dragged series."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from tests.app.synthetic_study import head_study
from tests.ui.test_reading_grid import Desk, drag

from neuraxis.align.planes import Projection
from neuraxis.app.panel_state import OVERLAY_COLOURS
from neuraxis.app.study_labels import StudyLabel, newest_first, study_badge
from neuraxis.domain.study import Role, Study
from neuraxis.ui.slice_panel import SERIES_MIME, SlicePanel

pytestmark = pytest.mark.gui
LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


@pytest.fixture
def head(qtbot: Any, flush_deleted: None) -> Iterator[Desk]:
    desk = Desk(qtbot, head_study())
    yield desk
    desk.grid.detach()
    desk.session.close()


def fused(head: Desk) -> SlicePanel:
    panel = head.grid.panels[2]
    QTest.mouseClick(panel, LEFT, NONE, panel.rect().center())
    panel.set_state(replace(panel.state, overlay_id="s5"))
    QApplication.processEvents()
    return panel


def grey_at(panel: SlicePanel, x: int, y: int) -> tuple[int, int, int]:
    colour = panel.grab().toImage().pixelColor(QPoint(x, y))
    return colour.red(), colour.green(), colour.blue()


def test_the_swipe_shows_one_series_left_and_the_other_right_of_a_border_that_is_dragged(head: Desk) -> None:
    from neuraxis.app.options import Marks
    from neuraxis.domain.window import Window

    panel = fused(head)
    head.grid.options.set(marks=Marks.NONE, crosshair=False)
    head.session.set_point(panel.scene.series, (-8.0, 5.0, 5.0))  # type: ignore[arg-type]
    head.session.set_window("s3", Window(150, 300))
    head.session.set_window("s5", Window(150, 300))
    view = panel.scene.view()
    assert view is not None
    # a point inside the sphere, where T1 holds 120 and SWI 10
    x, y = (round(float(v)) for v in view.screen_from_lps((-8.0, 5.0, 5.0)))
    head.key(Qt.Key.Key_V, Qt.KeyboardModifier.ShiftModifier)
    assert panel.state.swipe == 0.5
    border = panel.width() // 2
    drag(panel, (border, 40), (x + 30, 40))
    left = grey_at(panel, x, y)
    drag(panel, (x + 30, 40), (x - 30, 40))
    right = grey_at(panel, x, y)
    assert left[0] == left[1] == left[2]
    assert left[0] == pytest.approx(102, abs=12), "T1 left of the border"
    assert right[0] == pytest.approx(9, abs=12), "SWI right of it, in its own grey"
    assert panel.scene.window() == Window(150, 300), "dragging the border is no drag of the window"
    head.key(Qt.Key.Key_V, Qt.KeyboardModifier.ShiftModifier)
    assert panel.state.swipe is None


def test_fused_colours_go_round_and_never_end_in_grey(head: Desk) -> None:
    from neuraxis.ui.fusion import _colour_table

    panel = fused(head)
    seen = []
    for _ in OVERLAY_COLOURS:
        seen.append(panel.state.overlay_colours)
        head.key(Qt.Key.Key_V, Qt.KeyboardModifier.AltModifier)
    assert seen == list(OVERLAY_COLOURS)
    assert panel.state.overlay_colours == OVERLAY_COLOURS[0]
    for name in OVERLAY_COLOURS:
        brightest = _colour_table(1.0, name)[255].astype(int)
        assert brightest[3] == 255
        assert max(brightest[:3]) - min(brightest[:3]) > 60, "a colour, told apart from the grey below"


def test_all_panels_take_the_thickness_of_the_thickest_and_give_it_back(head: Desk) -> None:
    head.commands.run("view.same_thickness")
    slabs = {p.scene.series.role.role: (p.state.projection, p.state.slab_mm) for p in head.grid.panels}  # type: ignore[union-attr]
    assert slabs[Role.CT] == (Projection.MEAN, 4.0)
    assert slabs[Role.T1] == (Projection.NONE, 0.0), "it is the thickest itself"
    picture = head.grid.panels[0].scene.picture()
    assert picture is not None
    assert picture.slab_mm >= 4.0
    head.commands.run("view.same_thickness")
    assert {p.state.projection for p in head.grid.panels} == {Projection.NONE}


def test_a_series_is_dragged_from_the_list_onto_a_panel(head: Desk) -> None:
    from neuraxis.ui.study_browser import StudyBrowser

    browser = StudyBrowser(head.session)
    item = browser._items["s4"]
    data = browser.tree.mimeData([item])
    panel = head.grid.panels[0]
    copy = Qt.DropAction.CopyAction
    assert bytes(data.data(SERIES_MIME)) == b"s4"
    enter = QDragEnterEvent(QPoint(20, 20), copy, data, LEFT, NONE)
    QApplication.sendEvent(panel, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(panel, QDropEvent(QPointF(20, 20), copy, data, LEFT, NONE))
    assert panel.state.series_id == "s4"
    text = QMimeData()
    text.setText("no series")
    QApplication.sendEvent(panel, QDropEvent(QPointF(20, 20), copy, text, LEFT, NONE))
    assert panel.state.series_id == "s4"
    browser.detach()


def two_dates() -> Study:
    now, before = head_study(), head_study()
    old = tuple(
        replace(s, id=f"old{s.id}", study_uid="1.9", series_uid=f"{s.series_uid}.9", frame_of_reference_uid="")
        for s in before.series if s.role.role in (Role.CT, Role.T2)
    )
    return replace(now, series=(*old, *now.series))


def label(day: str, patient: str = "P1") -> StudyLabel:
    return StudyLabel("Doe Jane", patient, datetime.date.fromisoformat(day), "", "head")


def test_the_newest_study_is_hung_and_set_beside_the_prior_one(qtbot: Any, flush_deleted: None) -> None:
    desk = Desk(qtbot, two_dates())
    desk.session._take_labels({"1.9": label("2022-11-30"), "1.2.3": label("2024-03-01")})
    QApplication.processEvents()
    assert [p.state.series_id for p in desk.grid.panels] == ["s1", "s1", "s3", "s4", "s5", "s6"]
    desk.grid.compare_dates()
    QApplication.processEvents()
    assert (desk.grid.rows, desk.grid.columns) == (2, 2)
    assert [p.state.series_id for p in desk.grid.panels] == ["s1", "s4", "olds1", "olds4"]
    badges = [
        study_badge(p.scene.series, desk.session.series, desk.session.labels, hidden=False)  # type: ignore[arg-type]
        for p in desk.grid.panels
    ]
    assert badges == ["current 2024-03-01"] * 2 + ["prior 2022-11-30"] * 2
    desk.grid.detach()
    desk.session.close()


def test_what_the_reader_has_hung_stays_when_the_dates_arrive(qtbot: Any, flush_deleted: None) -> None:
    desk = Desk(qtbot, two_dates())
    desk.grid.apply_hanging("brain_bone")
    shown = [p.state for p in desk.grid.panels]
    desk.session._take_labels({"1.9": label("2025-11-30"), "1.2.3": label("2024-03-01")})
    assert [p.state for p in desk.grid.panels] == shown
    desk.grid.detach()
    desk.session.close()


def test_dates_without_a_shared_role_are_refused_in_words(qtbot: Any, flush_deleted: None) -> None:
    told: list[Any] = []
    study = two_dates()
    kept = tuple(s for s in study.series if s.study_uid == "1.9" or s.role.role is Role.T1)
    desk = Desk(qtbot, replace(study, series=kept))
    desk.session.message_posted.connect(told.append)
    desk.grid.compare_dates()
    assert "share no series" in told[0].text
    desk.grid.detach()
    desk.session.close()


def test_the_badge_hides_dates_and_warns_of_another_patient() -> None:
    study = two_dates()
    old, new = study.series[0], study.series[-1]
    labels = {"1.9": label("2022-11-30"), "1.2.3": label("2024-03-01")}
    assert study_badge(old, study.series, labels, hidden=True) == "prior, 457 days before"
    other = {**labels, "1.9": label("2022-11-30", "P2")}
    assert study_badge(old, study.series, other, hidden=False) == "another patient, 2022-11-30"
    assert study_badge(new, study.series, {}, hidden=False) == "study 2 of 2, no date"
    assert study_badge(new, [new], labels, hidden=False) == ""
    assert newest_first(["1.9", "x", "1.2.3"], labels) == ("1.2.3", "1.9", "x")
