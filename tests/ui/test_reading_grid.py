"""The reading grid with real mouse and key events on studies of known geometry."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QImage, QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from tests.app.synthetic_study import ACQUISITIONS, geometry_of, head_study, place_volume, series_of, study_of

from neuraxis.align.planes import Projection
from neuraxis.app.options import Marks, Tool
from neuraxis.app.panel_state import PanelState
from neuraxis.app.session import StudySession
from neuraxis.app.views import Orientation
from neuraxis.domain.study import Role, Study
from neuraxis.domain.transform import Registration
from neuraxis.domain.window import Window, window_preset
from neuraxis.ui.dispatch import GuiThread
from neuraxis.ui.grid_commands import GridCommands
from neuraxis.ui.message_bar import ProgressLine
from neuraxis.ui.reading_grid import ReadingGrid

pytestmark = pytest.mark.gui
LEFT, MIDDLE, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton, Qt.MouseButton.RightButton


class Desk:
    """A grid with its session, shown and loaded."""

    def __init__(self, qtbot: Any, study: Study) -> None:
        self.thread = GuiThread()
        self.session = StudySession(self.thread.deliver)
        self.grid = ReadingGrid(self.session)
        self.commands = GridCommands(self.grid)
        qtbot.addWidget(self.grid)
        self.grid.resize(900, 620)
        self.grid.show()
        qtbot.waitExposed(self.grid)
        self.session.set_study(study)
        qtbot.waitUntil(lambda: not self.session.jobs.jobs, timeout=10000)
        QApplication.processEvents()

    def key(self, key: Any, modifier: Any = Qt.KeyboardModifier.NoModifier) -> None:
        self.grid.active.setFocus()
        QTest.keyClick(self.grid.active, key, modifier)
        QApplication.processEvents()


def wheel(widget: Any, notches: int, modifier: Any = Qt.KeyboardModifier.NoModifier, at: QPoint | None = None) -> None:
    where = QPointF(at or widget.rect().center())
    event = QWheelEvent(
        where, QPointF(widget.mapToGlobal(where.toPoint())), QPoint(), QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton, modifier, Qt.ScrollPhase.NoScrollPhase, False,
    )
    QApplication.sendEvent(widget, event)
    QApplication.processEvents()


def drag(widget: Any, start: tuple[int, int], end: tuple[int, int], button: Any = LEFT) -> None:
    QTest.mousePress(widget, button, Qt.KeyboardModifier.NoModifier, QPoint(*start))
    from qtpy.QtCore import QEvent
    from qtpy.QtGui import QMouseEvent

    for share in (0.25, 0.5, 0.75, 1.0):
        x, y = (a + (b - a) * share for a, b in zip(start, end, strict=True))
        event = QMouseEvent(
            QEvent.Type.MouseMove, QPointF(x, y), QPointF(widget.mapToGlobal(QPoint(int(x), int(y)))),
            Qt.MouseButton.NoButton, button, Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(widget, event)
    QTest.mouseRelease(widget, button, Qt.KeyboardModifier.NoModifier, QPoint(*end))
    QApplication.processEvents()


@pytest.fixture
def head(qtbot: Any, flush_deleted: None) -> Any:
    desk = Desk(qtbot, head_study())
    yield desk
    desk.grid.detach()
    desk.session.close()


def test_a_study_is_hung_by_its_roles(head: Desk) -> None:
    roles = [p.scene.series.role.role if p.scene.series else None for p in head.grid.panels]
    assert (head.grid.rows, head.grid.columns) == (2, 3)
    assert roles == [Role.CT, Role.CT, Role.T1, Role.T2, Role.SWI, Role.T1C]
    windows = [p.scene.window() for p in head.grid.panels[:2]]
    assert windows == [window_preset("brain"), window_preset("bone")]


def test_fitted_panels_show_a_millimetre_in_one_size(head: Desk) -> None:
    scales = {round(p.scene.view().mm_per_pixel, 9) for p in head.grid.panels}  # type: ignore[union-attr]
    assert len(scales) == 1


@pytest.mark.parametrize("orientation", tuple(Orientation))
@pytest.mark.parametrize("kind", ACQUISITIONS)
def test_a_click_puts_the_point_on_the_voxel_that_is_drawn_there(
    qtbot: Any, flush_deleted: None, kind: str, orientation: Orientation
) -> None:
    desk = Desk(qtbot, study_of(series_of(place_volume(geometry_of(kind)), Role.CT, 1, kind)))
    desk.grid.set_layout(1, 1, (PanelState("s1", orientation, smooth=False),))
    desk.grid.options.set(marks=Marks.NONE, crosshair=False)
    panel = desk.grid.active
    panel.set_state(replace(panel.state, window=Window(0, 20000)))
    QApplication.processEvents()
    picture, volume = panel.scene.picture(), panel.scene.volume
    assert picture is not None
    assert volume is not None
    rows, columns = picture.values.shape
    for row, column in ((1, 1), (rows - 2, 2), (rows // 2, columns - 2)):
        view = panel.scene.view()
        assert view is not None
        x, y = view.screen_from_lps(picture.lps_from_pixel((row, column)))
        at = QPoint(round(float(x)), round(float(y)))
        image = panel.grab().toImage()
        drawn = image.pixelColor(at).red()
        QTest.mouseClick(panel, LEFT, Qt.KeyboardModifier.NoModifier, at)
        point = desk.session.point_in(panel.scene.series)  # type: ignore[arg-type]
        assert point is not None
        value = volume.array[volume.geometry.nearest_index(point)]
        assert value == picture.values[row, column]
        expected = int(Window(0, 20000).to_grey(np.array([value]))[0])
        assert abs(drawn - expected) <= 1
        picture = panel.scene.picture()
        assert picture is not None
    desk.grid.detach()
    desk.session.close()


def test_panels_of_one_frame_follow_and_others_stay(head: Desk) -> None:
    ct, t1, t2 = head.grid.panels[0], head.grid.panels[2], head.grid.panels[3]
    before = [p.scene.slice_position() for p in (ct, t1, t2)]
    wheel(t1, -2)
    after = [p.scene.slice_position() for p in (ct, t1, t2)]
    assert after[0] == before[0], "no registration, so the CT stays"
    assert after[1] == (before[1][0] + 2, before[1][1])  # type: ignore[index]
    assert after[2] == after[1], "T2 has the same slices as T1"


def test_an_accepted_registration_links_ct_and_mr(head: Desk) -> None:
    from tests.app.synthetic_study import CT_FRAME, MR_FRAME

    shift = np.eye(4)
    shift[:3, 3] = (2.0, -3.0, 1.0)
    head.session.set_proposal(Registration.from_array(shift, CT_FRAME, MR_FRAME, 0.4, "known"))
    ct, t1 = head.grid.panels[0], head.grid.panels[2]
    assert head.session.link(ct.scene.series, t1.scene.series).label == "registered, residual 0.4 mm"  # type: ignore[arg-type]
    head.session.accept_registration()
    head.session.set_point(ct.scene.series, (-10.0, 8.0, 4.0))  # type: ignore[arg-type]
    assert t1.scene.point == pytest.approx((-8.0, 5.0, 5.0))
    assert t1.scene.reading_of(t1.scene.point).value == pytest.approx(120, abs=20)  # type: ignore[arg-type]
    head.session.undo()
    assert head.session.link(ct.scene.series, t1.scene.series).label == "not linked"  # type: ignore[arg-type]


def test_wheel_steps_one_and_shift_ten(head: Desk) -> None:
    ct = head.grid.panels[0]
    start = ct.scene.slice_position()
    assert start is not None
    wheel(ct, -1)
    assert ct.scene.slice_position() == (start[0] + 1, start[1])
    wheel(ct, 1, Qt.KeyboardModifier.ShiftModifier)
    assert ct.scene.slice_position() == (start[0] - 9, start[1])


def test_ctrl_wheel_zooms_about_the_mouse_and_others_take_the_scale(head: Desk) -> None:
    ct, t1 = head.grid.panels[0], head.grid.panels[2]
    at = QPoint(60, 70)
    view = ct.scene.view()
    assert view is not None
    under = view.lps_from_screen((60, 70))
    wheel(ct, 3, Qt.KeyboardModifier.ControlModifier, at)
    zoomed = ct.scene.view()
    other = t1.scene.view()
    assert zoomed is not None
    assert other is not None
    assert zoomed.mm_per_pixel == pytest.approx(view.mm_per_pixel / 1.15**3)
    np.testing.assert_allclose(zoomed.lps_from_screen((60, 70)), under, atol=1e-6)
    assert other.mm_per_pixel == pytest.approx(zoomed.mm_per_pixel)


def test_dragging_changes_width_and_level_of_that_panel_only(head: Desk) -> None:
    brain, bone = head.grid.panels[0], head.grid.panels[1]
    drag(brain, (50, 50), (100, 50))
    window = brain.scene.window()
    assert window is not None
    assert window.width == pytest.approx(80 + 50 * 80 / 250)
    assert window.center == pytest.approx(40)
    assert bone.scene.window() == window_preset("bone")
    drag(brain, (50, 50), (50, 100))
    lower = brain.scene.window()
    assert lower is not None
    assert lower.center < 40, "dragging down brightens"


def test_middle_drag_pans_and_right_drag_zooms(head: Desk) -> None:
    ct = head.grid.panels[0]
    view = ct.scene.view()
    assert view is not None
    under = view.lps_from_screen((60, 60))
    drag(ct, (60, 60), (90, 80), MIDDLE)
    moved = ct.scene.view()
    assert moved is not None
    np.testing.assert_allclose(moved.lps_from_screen((90, 80)), under, atol=1e-6)
    drag(ct, (60, 60), (60, 20), RIGHT)
    larger = ct.scene.view()
    assert larger is not None
    assert larger.mm_per_pixel < moved.mm_per_pixel


def test_keys_choose_windows_tools_and_planes_of_the_active_panel(head: Desk) -> None:
    QTest.mouseClick(head.grid.panels[1], LEFT)
    head.key(Qt.Key.Key_8)
    assert head.grid.panels[1].scene.window() == window_preset("calcium")
    assert head.grid.panels[0].scene.window() == window_preset("brain")
    head.key(Qt.Key.Key_H)
    assert head.grid.options.now.tool is Tool.CROSSHAIR
    head.key(Qt.Key.Key_2, Qt.KeyboardModifier.ControlModifier)
    assert head.grid.active.state.orientation is Orientation.CORONAL
    head.key(Qt.Key.Key_Space)
    assert head.grid.options.now.marks is Marks.FEW
    head.key(Qt.Key.Key_End)
    position = head.grid.active.scene.slice_position()
    assert position is not None
    assert position[0] == position[1] - 1


def test_a_hounsfield_window_is_refused_on_mr_in_words(head: Desk) -> None:
    told: list[Any] = []
    head.session.message_posted.connect(told.append)
    QTest.mouseClick(head.grid.panels[2], LEFT)
    before = head.grid.panels[2].scene.window()
    head.key(Qt.Key.Key_5)
    assert head.grid.panels[2].scene.window() == before
    assert "CT only" in told[0].text


def test_double_click_shows_one_panel_and_back(head: Desk) -> None:
    QTest.mouseDClick(head.grid.panels[4], LEFT)
    assert [p.isVisible() for p in head.grid.panels] == [False] * 4 + [True, False]
    QApplication.processEvents()
    assert head.grid.panels[4].width() > 800
    QTest.mouseDClick(head.grid.panels[4], LEFT)
    assert all(p.isVisible() for p in head.grid.panels)


def test_alt_wheel_on_swi_starts_a_minip(head: Desk) -> None:
    swi = head.grid.panels[4]
    wheel(swi, 2, Qt.KeyboardModifier.AltModifier)
    assert swi.state.projection is Projection.MINIP
    assert swi.state.slab_mm == pytest.approx(16.0)
    wheel(swi, -2, Qt.KeyboardModifier.AltModifier)
    assert swi.state == replace(swi.state, projection=Projection.NONE, slab_mm=0.0)


def test_turning_the_plane_resamples_and_comes_back(head: Desk) -> None:
    ct = head.grid.panels[0]
    head.commands.run("tool.oblique")
    drag(ct, (50, 50), (90, 70))
    assert ct.state.is_oblique
    picture = ct.scene.picture()
    assert picture is not None
    assert picture.interpolated
    head.commands.run("view.native")
    assert not ct.state.is_oblique


def test_layouts_reuse_panels_and_let_go_of_the_rest(head: Desk, qtbot: Any) -> None:
    first = head.grid.panels[0]
    head.grid.change_layout(2, 4)
    assert len(head.grid.panels) == 8
    assert head.grid.panels[0] is first
    head.grid.change_layout(1, 1)
    assert len(head.grid.panels) == 1
    listeners = len(head.session.point_changed)
    head.grid.change_layout(2, 4)
    head.grid.change_layout(1, 1)
    assert len(head.session.point_changed) == listeners, "panels that are gone no longer listen"


def test_a_fused_series_needs_a_way_between_the_frames(head: Desk) -> None:
    t1 = head.grid.panels[2]
    t1.set_state(replace(t1.state, overlay_id="s6"))
    assert t1.scene.overlay() is not None
    ct = head.grid.panels[0]
    ct.set_state(replace(ct.state, overlay_id="s6"))
    assert ct.scene.overlay() is None


def test_the_readout_tells_all_series_that_know_the_point(head: Desk) -> None:
    told: list[str] = []
    head.grid.hovered.connect(told.append)
    t1 = head.grid.panels[2]
    view = t1.scene.view()
    assert view is not None
    x, y = view.screen_from_lps((-8.0, 5.0, view.centre_lps_mm[2]))
    QTest.mouseMove(t1, QPoint(round(float(x)), round(float(y))))
    QApplication.processEvents()
    if not told:  # without a window manager the pointer may not reach the window
        t1.hovered.emit(t1, t1.scene.reading_at(float(x), float(y)))
    roles = [part.split()[0] for part in told[-1].split("   |   ")]
    assert roles == ["T1", "T2", "SWI", "T1C"], "the CT is not registered, so it says nothing"


def test_cine_runs_and_stops(head: Desk, qtbot: Any) -> None:
    start = head.grid.active.scene.slice_position()
    head.key(Qt.Key.Key_C)
    assert head.grid.is_playing
    qtbot.waitUntil(lambda: head.grid.active.scene.slice_position() != start, timeout=3000)
    head.key(Qt.Key.Key_C)
    assert not head.grid.is_playing


def test_a_series_without_a_grid_is_shown_picture_by_picture(qtbot: Any, flush_deleted: None) -> None:
    volume = place_volume(geometry_of("axial"))
    series = replace(series_of(volume, Role.LOCALIZER, 1, "scout"), geometry=None, refusal="three directions")
    desk = Desk(qtbot, study_of(series))
    desk.grid.set_layout(1, 1, (PanelState("s1"),))
    panel = desk.grid.active
    qtbot.waitUntil(lambda: panel.pictures.pixels() is not None, timeout=5000)
    wheel(panel, -3)
    assert panel.pictures.index == 3
    desk.key(Qt.Key.Key_End)
    assert panel.pictures.index == 17
    qtbot.waitUntil(lambda: panel.pictures.pixels() is not None, timeout=5000)
    expected = int(series.source.read_picture(17)[0, 0])
    assert int(panel.pictures.pixels()[0, 0]) == 0xFF000000 + expected * 0x010101  # type: ignore[index]
    QApplication.processEvents()
    panel.grab()
    desk.grid.detach()
    desk.session.close()


def test_loading_can_be_stopped_and_taken_up_again(qtbot: Any, flush_deleted: None) -> None:
    import threading

    gate = threading.Event()
    series = head_study().series[0]

    class SlowSource:
        def read_volume(self) -> Any:
            gate.wait(10)
            return series.source.read_volume()

        def read_slice(self, index: int) -> Any:
            return series.source.read_slice(index)

        def read_picture(self, index: int) -> Any:
            return series.source.read_picture(index)

    thread = GuiThread()
    session = StudySession(thread.deliver)
    line = ProgressLine(session)
    grid = ReadingGrid(session)
    qtbot.addWidget(line)
    qtbot.addWidget(grid)
    grid.resize(500, 400)
    grid.show()
    session.set_study(study_of(replace(series, source=SlowSource())))
    panel = grid.panels[0]
    qtbot.waitUntil(lambda: panel.scene.picture() is not None, timeout=5000)
    assert panel.scene.volume is None, "the first picture is there before the volume"
    line.stop_all()
    gate.set()
    qtbot.waitUntil(lambda: not session.jobs.jobs, timeout=5000)
    QTest.mouseClick(panel, LEFT)
    qtbot.waitUntil(lambda: session.volume("s1") is not None and not session.jobs.jobs, timeout=5000)
    assert session.window("s1") == window_preset("brain")
    line.detach()
    grid.detach()
    session.close()


def test_a_plane_turned_in_haste_lies_where_the_refined_one_lies(head: Desk) -> None:
    from neuraxis.ui.panel_painting import doubled

    small = np.array([[10, 20], [30, 50]], dtype=np.uint32) * np.uint32(0x010101) | np.uint32(0xFF000000)
    assert (doubled(small) & 0xFF).tolist() == [[10, 15, 20], [20, 27, 35], [30, 40, 50]]
    head.grid.set_layout(1, 1, (PanelState("s1", rotation_degrees=(12.0, 7.0), window=Window(370, 900)),))
    head.grid.options.set(marks=Marks.NONE, crosshair=False)
    panel = head.grid.active
    ct = panel.scene.series
    assert ct is not None
    head.session.set_point(ct, (-10.0, 8.0, 4.0))
    centres = []
    for coarse in (False, True):
        panel.scene.coarse = coarse
        QApplication.processEvents()
        image = panel.grab().toImage().convertToFormat(QImage.Format.Format_Grayscale8)
        grey = np.array([[image.pixelColor(x, y).red() for x in range(0, panel.width(), 4)]
                         for y in range(0, panel.height(), 4)])
        bright = np.argwhere(grey > 180)
        assert len(bright)
        centres.append(bright.mean(axis=0) * 4)
    assert np.abs(centres[0] - centres[1]).max() < 6
