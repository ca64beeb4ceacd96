"""Measurement tools with real mouse events: placed, read, moved, deleted, undone, and only on their own slice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from tests.app.synthetic_study import geometry_of, head_study, place_volume, series_of, study_of
from tests.ui.test_reading_grid import Desk, drag, wheel

from neuraxis.app.panel_state import PanelState
from neuraxis.app.views import Orientation
from neuraxis.domain.study import Role

pytestmark = pytest.mark.gui
LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


@pytest.fixture
def head(qtbot: Any, flush_deleted: None) -> Any:
    desk = Desk(qtbot, head_study())
    desk.grid.set_layout(1, 1, (PanelState("s1"),))
    QApplication.processEvents()
    yield desk
    desk.grid.detach()
    desk.session.close()


def screen_of(desk: Desk, point: tuple[float, float, float]) -> tuple[int, int]:
    view = desk.grid.active.scene.view()
    assert view is not None
    x, y = view.screen_from_lps(point)
    return round(float(x)), round(float(y))


def test_a_dragged_length_reads_the_distance_in_the_patient(head: Desk) -> None:
    head.commands.run("tool.length")
    drag(head.grid.active, screen_of(head, (-15, 0, 0)), screen_of(head, (15, 0, 0)))
    (drawing,) = head.session.case.drawings
    name, quantity = drawing.quantities[0]
    scale = head.grid.active.scene.view().mm_per_pixel  # type: ignore[union-attr]
    assert name == ""
    assert quantity.value == pytest.approx(30, abs=1.5 * scale)
    assert quantity.uncertainty == pytest.approx(np.sqrt(2))
    assert "30" in drawing.label
    assert "mm" in drawing.label


@pytest.mark.parametrize("orientation", tuple(Orientation))
def test_a_length_is_right_in_every_plane_of_a_tilted_gantry(
    qtbot: Any, flush_deleted: None, orientation: Orientation
) -> None:
    desk = Desk(qtbot, study_of(series_of(place_volume(geometry_of("gantry tilt")), Role.CT, 1, "tilt")))
    desk.grid.set_layout(1, 1, (PanelState("s1", orientation),))
    desk.commands.run("tool.length")
    view = desk.grid.active.scene.view()
    assert view is not None
    a, b = (300, 250), (420, 340)
    drag(desk.grid.active, a, b)
    (drawing,) = desk.session.case.drawings
    assert drawing.quantities[0][1].value == pytest.approx(150 * view.mm_per_pixel, rel=1e-6)
    desk.grid.detach()
    desk.session.close()


def test_a_click_without_a_drag_draws_nothing(head: Desk) -> None:
    head.commands.run("tool.length")
    QTest.mouseClick(head.grid.active, LEFT, NONE, QPoint(200, 200))
    assert not head.session.case.drawings
    assert not head.grid.active.mouse.placing.is_busy


def test_three_clicks_make_an_angle(head: Desk) -> None:
    head.commands.run("tool.angle")
    for at in ((300, 200), (200, 200), (200, 300)):
        QTest.mouseClick(head.grid.active, LEFT, NONE, QPoint(*at))
    (drawing,) = head.session.case.drawings
    assert drawing.quantities[0][1].value == pytest.approx(90)


def test_the_second_diameter_stands_at_right_angles(head: Desk) -> None:
    head.commands.run("tool.bidirectional")
    drag(head.grid.active, (200, 200), (300, 200))
    drag(head.grid.active, (250, 160), (270, 240))
    (drawing,) = head.session.case.drawings
    a, b, c, d = (np.asarray(p) for p in drawing.points_lps_mm)
    assert float((b - a) @ (d - c)) == pytest.approx(0, abs=1e-6)
    assert [name for name, _ in drawing.quantities] == ["long", "short"]


def test_an_ellipse_reads_native_voxels(head: Desk) -> None:
    ct = head.grid.active.scene.series
    assert ct is not None
    head.session.set_point(ct, (-10.0, 8.0, 4.0))
    head.commands.run("tool.ellipse")
    drag(head.grid.active, screen_of(head, (-11.5, 6.5, 4)), screen_of(head, (-8.5, 9.5, 4)))
    (drawing,) = head.session.case.drawings
    values = dict(drawing.quantities)
    assert values["mean"].value == pytest.approx(700, abs=8)
    assert values["voxels"].value >= 4


def test_a_polygon_ends_with_a_double_click(head: Desk) -> None:
    head.commands.run("tool.polygon")
    corners = [QPoint(*screen_of(head, (x, y, 0))) for x, y in ((-15, -15), (15, -15), (15, 15), (-15, 15))]
    for at in corners[:3]:
        QTest.mouseClick(head.grid.active, LEFT, NONE, at)
    QTest.mouseDClick(head.grid.active, LEFT, NONE, corners[3])
    assert len(head.session.case.drawings) == 1
    assert not head.grid.is_maximised


def test_a_region_without_voxels_is_refused_in_words(head: Desk) -> None:
    told: list[Any] = []
    head.session.message_posted.connect(told.append)
    head.commands.run("tool.ellipse")
    drag(head.grid.active, (5, 5), (25, 25))
    assert not head.session.case.drawings
    assert "no voxel" in told[0].text


def test_drawings_are_shown_on_their_own_slice_only(head: Desk) -> None:
    head.commands.run("tool.length")
    panel = head.grid.active
    drag(panel, (200, 200), (300, 200))
    assert len(panel.mouse.placing.visible()) == 1
    wheel(panel, -1)
    assert panel.mouse.placing.visible() == []
    wheel(panel, 1)
    assert len(panel.mouse.placing.visible()) == 1


def test_a_handle_is_dragged_and_everything_can_be_undone(head: Desk) -> None:
    panel = head.grid.active
    head.commands.run("tool.length")
    drag(panel, (200, 200), (300, 200))
    first = head.session.case.drawings[0]
    head.commands.run("tool.window")
    drag(panel, (300, 200), (350, 200))
    (moved,) = head.session.case.drawings
    assert moved.uid == first.uid
    assert moved.quantities[0][1].value == pytest.approx(1.5 * first.quantities[0][1].value)
    head.key(Qt.Key.Key_Delete)
    assert not head.session.case.drawings
    head.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    head.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert head.session.case.drawings == (first,)
    head.key(Qt.Key.Key_Y, Qt.KeyboardModifier.ControlModifier)
    assert head.session.case.drawings == (moved,)


def test_a_window_is_taken_from_a_region(head: Desk) -> None:
    ct = head.grid.active.scene.series
    assert ct is not None
    head.session.set_point(ct, (-10.0, 8.0, 4.0))
    head.commands.run("tool.window from region")
    drag(head.grid.active, screen_of(head, (-12, 6, 4)), screen_of(head, (-8, 10, 4)))
    window = head.grid.active.scene.window()
    assert window is not None
    assert 500 < window.center < 720
    assert not head.session.case.drawings


def test_escape_drops_what_is_being_placed(head: Desk) -> None:
    head.commands.run("tool.angle")
    QTest.mouseClick(head.grid.active, LEFT, NONE, QPoint(200, 200))
    assert head.grid.active.mouse.placing.is_busy
    head.key(Qt.Key.Key_Escape)
    assert not head.grid.active.mouse.placing.is_busy


@pytest.mark.parametrize("rotation", [(0.0, 0.0), (15.0, 8.0)])
@pytest.mark.parametrize("orientation", tuple(Orientation))
def test_a_region_reads_the_same_in_the_part_around_it_as_in_the_whole(
    qtbot: Any, flush_deleted: None, orientation: Orientation, rotation: tuple[float, float]
) -> None:
    from neuraxis.app.drawings import make_drawing
    from neuraxis.app.options import Tool
    from neuraxis.app.views import vector3
    from neuraxis.ui.placing import around_region

    desk = Desk(qtbot, study_of(series_of(place_volume(geometry_of("gantry tilt")), Role.CT, 1, "tilt")))
    desk.grid.set_layout(1, 1, (PanelState("s1", orientation, rotation_degrees=rotation),))
    QApplication.processEvents()
    scene = desk.grid.active.scene
    view, volume, series = scene.view(), scene.volume, scene.series
    assert view is not None
    assert volume is not None
    assert series is not None
    size = np.array([view.width, view.height])
    places = {Tool.ELLIPSE: ((0.4, 0.4), (0.55, 0.6)), Tool.POLYGON: ((0.4, 0.4), (0.55, 0.42), (0.5, 0.6), (0.4, 0.6))}
    for tool, shares in places.items():
        points = [vector3(view.lps_from_screen(np.array(share) * size)) for share in shares]
        part = around_region(volume, tool, points, view)
        assert part.array.size < volume.array.size
        made = [make_drawing("d", tool, points, series, v, view).quantities for v in (volume, part)]
        assert made[0] == made[1]
    desk.grid.detach()
    desk.session.close()


def test_no_panel_is_zoomed_out_beyond_a_metre(head: Desk) -> None:
    for _ in range(60):
        head.commands.run("view.zoom_out")
    view = head.grid.active.scene.view()
    assert view is not None
    assert max(view.width, view.height) * view.mm_per_pixel <= 1000
    head.commands.run("view.zoom_in")
    closer = head.grid.active.scene.view()
    assert closer is not None
    assert closer.mm_per_pixel < view.mm_per_pixel
