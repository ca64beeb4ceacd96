"""The figure desk with real mouse and key events: what is captured, dragged and exported is where the page says."""

from __future__ import annotations

import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QAction, QImage, QKeySequence, QPainter
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from tests.app.synthetic_study import CT_FRAME, head_study
from tests.ui.test_reading_grid import Desk, drag, wheel

from neuraxis.app.figure_desk import FigureDesk
from neuraxis.app.figure_desk_commands import DESK_COMMANDS, MARK_KEYS
from neuraxis.app.figure_desk_preview import PREVIEW_DPI
from neuraxis.app.panel_state import PanelState
from neuraxis.domain.study import Acquisition
from neuraxis.figures import draw_figure, read_recipe
from neuraxis.figures import editing as edit
from neuraxis.figures import mark_editing as marks
from neuraxis.figures.figure import SUFFIXES
from neuraxis.figures.page_backend import page_pixels
from neuraxis.figures.recipe import VolumePanel
from neuraxis.ui.figure_desk import FigureDeskSheet
from neuraxis.ui.figure_desk_painting import paint_scene

pytestmark = pytest.mark.gui
NONE = Qt.KeyboardModifier.NoModifier
SHIFT, CONTROL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
LESION = (-10.0, 8.0, 4.0)


class Hands:
    """The desk beside a reading grid, and the user before it."""

    def __init__(self, qtbot: Any, study: Any) -> None:
        self.qtbot, self.reading = qtbot, Desk(qtbot, study)
        self.session = self.reading.session
        self.reading.grid.set_layout(1, 2, (PanelState("s1"), PanelState("s4")))
        self.session.set_point(self.session.series[0], LESION)
        self.active = 0
        self.desk = FigureDesk(self.session)
        self.sheet = FigureDeskSheet(self.desk, lambda: self.reading.grid.panels[self.active].scene)
        self.canvas = self.sheet.canvas
        qtbot.addWidget(self.sheet)
        self.sheet.resize(820, 860)
        self.sheet.show()
        qtbot.waitExposed(self.sheet)
        self.notices: list[str] = []
        self.session.message_posted.connect(lambda m: self.notices.append(m.text))

    def wait(self) -> None:
        self.qtbot.waitUntil(lambda: not self.session.jobs.jobs, timeout=20000)
        QApplication.processEvents()

    def capture(self, panel: int = 0) -> None:
        self.active = panel
        self.key(Qt.Key.Key_C, CONTROL | SHIFT)
        self.wait()

    def key(self, key: Any, modifier: Any = NONE) -> None:
        self.canvas.setFocus()
        QTest.keyClick(self.canvas, key, modifier)
        QApplication.processEvents()

    def at(self, x_mm: float, y_mm: float) -> tuple[int, int]:
        point = self.canvas.to_screen(x_mm, y_mm)
        return round(point.x()), round(point.y())

    def middle(self, letter: str) -> tuple[float, float]:
        box = self.desk.figure().page.boxes[letter]
        return box.x_mm + box.width_mm / 2, box.y_mm + box.height_mm / 2

    def panel(self, letter: str) -> VolumePanel:
        return edit.volume_panel_of(self.desk.figure_recipe(), letter)

    def close(self) -> None:
        self.sheet.detach()
        self.reading.grid.detach()
        self.session.close()


@pytest.fixture
def hands(qtbot: Any, flush_deleted: None) -> Any:
    user = Hands(qtbot, head_study())
    yield user
    user.close()


@pytest.fixture
def two(hands: Hands) -> Hands:
    """Panels a (CT) and b (T2)."""
    hands.capture(0)
    hands.capture(1)
    return hands


def test_the_active_view_becomes_a_panel_with_its_plane_window_and_field(hands: Hands) -> None:
    scene = hands.reading.grid.panels[0].scene
    scene.zoom(2.0, 100, 100)
    view, window = scene.view(), scene.window()
    assert view is not None
    hands.capture()
    panel = hands.panel("a")
    assert panel.plane.centre_lps_mm == pytest.approx(view.centre_lps_mm)
    assert (panel.plane.right, panel.plane.down, panel.plane.name) == (view.right, view.down, "axial")
    assert panel.plane.field_of_view_mm[0] == pytest.approx(min(view.width, view.height) * view.mm_per_pixel, abs=0.01)
    assert panel.plane.frame_of_reference_uid == CT_FRAME
    assert panel.window.window().limits == window.limits  # type: ignore[union-attr]
    assert panel.text == "CT brain"
    hands.capture(1)
    assert [p.letter for p in hands.desk.figure_recipe().panels] == ["a", "b"]
    assert hands.desk.undo_label == "capture T2"
    hands.key(Qt.Key.Key_Z, CONTROL)
    assert [p.letter for p in hands.desk.figure_recipe().panels] == ["a"]
    hands.key(Qt.Key.Key_Y, CONTROL)
    assert [p.letter for p in hands.desk.figure_recipe().panels] == ["a", "b"]


def test_every_button_names_its_key_and_no_key_has_two_meanings(hands: Hands) -> None:
    keys = [QKeySequence(k).toString() for c in DESK_COMMANDS for k in c.keys]
    assert all(keys)
    assert len(keys) == len(set(keys))
    known = {c.id: c for c in DESK_COMMANDS}
    for command_id, button in hands.sheet.buttons.items():
        assert f"[{known[command_id].keys[0]}]" in button.toolTip()
        assert button.accessibleName()
    assert set(MARK_KEYS) == {"arrow", "arrowhead", "asterisk", "circle", "box", "line", "text"}


def test_the_page_on_the_screen_is_the_page_of_the_export(two: Hands) -> None:
    two.desk.edit("mark", lambda f: marks.with_new_mark(f, "a", "arrow", *two.middle("a")))
    two.wait()
    recipe = two.desk.figure_recipe()
    figure = draw_figure(recipe, two.session.current_study)
    expected = page_pixels(figure.scene_at(PREVIEW_DPI), PREVIEW_DPI).astype(int)
    rows, columns = expected.shape[:2]
    image = QImage(columns, rows, QImage.Format.Format_RGB888)
    painter = QPainter(image)
    painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
    painter.scale(PREVIEW_DPI / 25.4, PREVIEW_DPI / 25.4)
    scene = two.desk.scene()
    assert scene is not None
    paint_scene(painter, scene)
    painter.end()
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    bits = image.constBits()
    if hasattr(bits, "setsize"):  # PyQt6 gives a pointer that does not know how far it may be read
        bits.setsize(image.sizeInBytes())
    data = np.frombuffer(bytes(bits)[: image.sizeInBytes()], np.uint8).reshape(rows, -1)
    shown = data[:, : 3 * columns].reshape(rows, columns, 3).astype(int)
    difference = np.abs(shown - expected).max(axis=2)
    assert (difference > 60).mean() < 0.01
    assert difference.mean() < 4


def test_a_mark_is_placed_by_key_and_click_and_its_tip_and_tail_are_dragged(two: Hands) -> None:
    x, y = two.middle("a")
    two.key(Qt.Key.Key_A)
    assert two.canvas.placing == "arrow"
    assert "Click where the arrow goes" in two.sheet.status.text()
    # press where the tip goes, drag to where the tail goes
    drag(two.canvas, two.at(x, y), two.at(x + 8, y))
    (arrow,) = marks.marks_of(two.desk.figure_recipe(), "a")
    pixel = 1 / two.canvas.page_scale()[0]
    figure = two.desk.figure()
    assert marks.anchor_on_page(figure, "a", arrow) == pytest.approx((x, y), abs=pixel)
    assert arrow.direction_deg == pytest.approx(180, abs=3)
    assert arrow.length_mm == pytest.approx(8, abs=2 * pixel)
    assert two.desk.chosen.mark == 0
    drag(two.canvas, two.at(x, y), two.at(x - 6, y + 5))
    (moved,) = marks.marks_of(two.desk.figure_recipe(), "a")
    assert marks.anchor_on_page(two.desk.figure(), "a", moved) == pytest.approx((x - 6, y + 5), abs=2 * pixel)
    assert moved.direction_deg == arrow.direction_deg
    assert two.desk.undo_label == "move mark"
    two.desk.undo()
    assert marks.marks_of(two.desk.figure_recipe(), "a") == (arrow,)


def test_panels_are_arranged_by_dragging_and_by_keys(two: Hands) -> None:
    two.capture(0)
    assert edit.rows_of(two.desk.figure()) == [["a", "b"], ["c"]]
    box = two.desk.figure().page.boxes["a"]
    drag(two.canvas, two.at(*two.middle("c")), two.at(box.x_mm + 3, box.y_mm + box.height_mm / 2))
    assert two.desk.figure_recipe().layout.rows == (("c", "a", "b"),)
    two.key(Qt.Key.Key_R, SHIFT)
    assert two.desk.figure_recipe().layout.rows == (("a", "b", "c"),)
    assert two.desk.chosen.letter == "a"
    two.key(Qt.Key.Key_Down, CONTROL)
    assert two.desk.figure_recipe().layout.rows == (("b", "c"), ("a",))
    two.key(Qt.Key.Key_Up, CONTROL)
    assert two.desk.figure_recipe().layout.rows == (("a", "b", "c"),)
    two.key(Qt.Key.Key_Right, CONTROL)
    assert two.desk.figure_recipe().layout.rows == (("b", "a", "c"),)
    two.key(Qt.Key.Key_PageDown)
    assert two.desk.chosen.letter == "c"
    two.key(Qt.Key.Key_Delete)
    assert [p.letter for p in two.desk.figure_recipe().panels] == ["b", "a"]


def test_the_wheel_zooms_about_the_pointer_and_a_rectangle_crops(two: Hands) -> None:
    x, y = two.middle("a")
    place = two.at(x + 5, y - 4)
    scale, left, top = two.canvas.page_scale()
    on_page = (place[0] - left) / scale, (place[1] - top) / scale
    before = marks.point_from_page(two.desk.figure(), "a", *on_page)
    steps = two.desk.undo_label
    for _ in range(3):
        wheel(two.canvas, 1, at=QPoint(*place))
    assert marks.point_from_page(two.desk.figure(), "a", *on_page) == pytest.approx(before, abs=0.05)
    two.key(Qt.Key.Key_Z, CONTROL)
    assert two.desk.undo_label == steps
    box, field = two.desk.figure().page.boxes["a"], two.panel("a").plane.field_of_view_mm[0]
    two.key(Qt.Key.Key_C)
    drag(two.canvas, two.at(box.x_mm + 5, box.y_mm + 5), two.at(box.x_mm + 25, box.y_mm + 15))
    cropped = two.panel("a").plane.field_of_view_mm
    assert cropped == pytest.approx((20 * field / box.width_mm, 10 * field / box.width_mm), rel=0.03)
    assert two.desk.undo_label == "crop"


def test_windows_and_fields_are_made_equal_and_marks_are_worked_by_keys_alone(two: Hands) -> None:
    two.capture(0)
    two.desk.choose("c")
    for _ in range(2):
        two.key(Qt.Key.Key_W)
    for _ in range(3):
        two.key(Qt.Key.Key_Plus)
    name = two.panel("c").window.name
    assert name != "brain"
    two.key(Qt.Key.Key_W, SHIFT)
    assert two.panel("a").window.name == name
    assert two.panel("b").window.name != name
    two.key(Qt.Key.Key_F, SHIFT)
    assert len({two.panel(x).plane.field_of_view_mm for x in "abc"}) == 1
    two.key(Qt.Key.Key_H)
    two.key(Qt.Key.Key_H)
    (mark,) = marks.marks_of(two.desk.figure_recipe(), "c")
    assert marks.anchor_on_page(two.desk.figure(), "c", mark) == pytest.approx(two.middle("c"), abs=0.02)
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_BracketLeft):
        two.key(key)
    (after,) = marks.marks_of(two.desk.figure_recipe(), "c")
    assert marks.anchor_on_page(two.desk.figure(), "c", after)[0] == pytest.approx(two.middle("c")[0] + 0.5, abs=0.03)
    assert after.direction_deg == pytest.approx(mark.direction_deg + 5)
    two.key(Qt.Key.Key_K)
    assert two.panel("c").inset is not None
    two.wait()
    assert not two.desk.problems()
    two.key(Qt.Key.Key_Delete)
    assert marks.marks_of(two.desk.figure_recipe(), "c") == ()
    assert not two.notices


def test_only_the_last_of_many_changes_is_sampled(two: Hands) -> None:
    for step in range(12):
        two.desk.propose(edit.panned(two.desk.settled_figure(), "a", 0.5 * step, 0.0))
    two.desk.settle("move picture")
    two.wait()
    recipe = two.desk.figure_recipe()
    assert two.desk.preview.stale(recipe) == {}
    assert two.desk.undo_label == "move picture"
    expected = draw_figure(recipe, two.session.current_study).scene_at(PREVIEW_DPI).of_panel("a")[0]
    assert np.array_equal(two.desk.preview.sampled["a"].items[0].pixels, expected.pixels)  # type: ignore[union-attr]


def test_a_legend_lays_out_its_panels_at_the_lesion(hands: Hands) -> None:
    hands.session.segment_at("s1", LESION)
    hands.wait()
    hands.desk.from_legend("FIG. 1. (a) Axial CT in brain window and (b) in bone window. (c) Axial T2.")
    hands.wait()
    recipe = hands.desk.figure_recipe()
    assert [p.kind for p in recipe.panels] == ["volume", "volume", "placeholder"]
    assert "not registered" in recipe.panels[2].reason  # type: ignore[union-attr]
    tip = marks.marks_of(recipe, "a")[0].anchor_lps_mm
    assert tip is not None
    assert np.linalg.norm(np.subtract(tip, LESION)) < 6
    assert hands.sheet.caption.toPlainText().startswith("FIG. 1.")
    hands.sheet.caption.setPlainText("A lesion of {long_axis} and {nonsense}")
    hands.sheet.keep_caption()
    assert "nonsense" in hands.notices[-1]
    hands.sheet.caption.setPlainText("A lesion of {long_axis}")
    hands.sheet.keep_caption()
    assert re.fullmatch(r"A lesion of [\d.]+ ± [\d.]+ mm", hands.desk.figure_recipe().caption_text())


def test_a_refused_panel_says_why_and_is_drawn_only_after_the_users_word(qtbot: Any, flush_deleted: None) -> None:
    study = head_study()
    named = replace(study.series[0], acquisition=Acquisition(burned_in_annotation="YES"))
    user = Hands(qtbot, replace(study, series=(named, *study.series[1:])))
    user.capture()
    assert "burned" in user.sheet.status.text()
    assert user.sheet.allow_button.isVisible()
    assert "anyway (burned_in)" in user.sheet.allow_button.text()
    assert not user.desk.preview.sampled["a"].items
    user.sheet.allow_button.click()
    user.wait()
    assert user.desk.figure_recipe().privacy_overrides == ("burned_in",)
    assert [type(i).__name__ for i in user.desk.preview.sampled["a"].items] == ["Picture"]
    assert not user.sheet.allow_button.isVisibleTo(user.sheet)
    user.close()


PLANTED = [f"PLANTED{i:02d}" for i in range(30)]


def planted_study() -> Any:
    """The head with a mark in every text that a series or study carries."""
    study, mark = head_study(), iter(PLANTED)
    first = study.series[0]
    acquisition = Acquisition(
        convolution_kernel=next(mark), image_type=("ORIGINAL", next(mark)), manufacturer=next(mark),
        acquisition_time=next(mark), scanning_sequence=(next(mark),), sequence_variant=(next(mark),),
    )
    instances = tuple(replace(first.instances[0], path=f"/data/{next(mark)}/{next(mark)}.dcm") for _ in range(8))
    named = replace(
        first, description=next(mark), acquisition=acquisition, instances=instances, study_uid=next(mark),
        warnings=tuple(next(mark) for _ in range(5)),
    )
    return replace(study, path=f"/home/{next(mark)}", series=(named, *study.series[1:]))


def test_every_format_is_written_made_again_and_names_nobody(qtbot: Any, flush_deleted: None, tmp_path: Path) -> None:
    user = Hands(qtbot, planted_study())
    user.capture()
    Image.fromarray(np.full((60, 80, 3), 200, np.uint8)).save(tmp_path / "histology.png")
    user.desk.add_picture(tmp_path / "histology.png")
    user.key(Qt.Key.Key_A)
    user.key(Qt.Key.Key_A)
    out = tmp_path / "out"
    user.desk.export(out / "figure.png", all_formats=True)
    user.wait()
    files = {p.suffix: p for p in out.iterdir()}
    assert set(files) == {*SUFFIXES} - {".tiff"} | {".yaml"}
    for path in files.values():
        data = path.read_bytes()
        if path.suffix == ".pptx":
            with zipfile.ZipFile(path) as package:
                data = b"".join(package.read(n) for n in package.namelist())
        assert [m for m in PLANTED if m.encode() in data] == [], path.name
        assert str(tmp_path).encode() not in data
    recipe = read_recipe(out / "figure.recipe.yaml")
    again = draw_figure(recipe, user.session.current_study, folder=tmp_path)
    assert again.to_bytes(".png") == files[".png"].read_bytes()
    user.desk.save_recipe(tmp_path / "kept.yaml")
    user.desk.clear()
    user.desk.open_recipe(tmp_path / "kept.yaml")
    user.wait()
    assert user.desk.figure_recipe() == recipe
    assert marks.marks_of(recipe, "b")[0].anchor_px is not None
    user.close()


def test_an_empty_desk_says_what_to_do_and_another_study_empties_it(hands: Hands) -> None:
    hands.desk.export(Path("never.png"))
    assert "the figure is empty" in hands.notices[-1]
    hands.key(Qt.Key.Key_Delete)
    hands.key(Qt.Key.Key_A)
    hands.capture()
    assert hands.desk.undo_label == "capture CT brain"
    hands.session.set_study(head_study())
    hands.wait()
    assert hands.desk.scene() is None
    assert not hands.sheet.buttons["edit.undo"].isEnabled()


def test_the_window_opens_the_desk_and_captures_its_active_panel(qtbot: Any, flush_deleted: None) -> None:
    from neuraxis.app.settings import Settings
    from neuraxis.desktop.window import WorkstationWindow

    window = WorkstationWindow(Settings(), remember=False)
    qtbot.addWidget(window)
    window.show()
    window.session.set_study(head_study())
    qtbot.waitUntil(lambda: not window.session.jobs.jobs, timeout=20000)
    keys = [a.shortcut().toString() for a in window.findChildren(QAction) if a.shortcut().toString()]
    assert len(keys) == len(set(keys))
    window.capture_panel()
    qtbot.waitUntil(lambda: not window.session.jobs.jobs, timeout=20000)
    dock = window.show_figure_desk()
    assert dock.isVisible()
    panel = edit.volume_panel_of(dock.sheet.desk.figure_recipe(), "a")
    shown = window.desk.grid.active.scene.series
    assert shown is not None
    assert panel.series.series_id == shown.id
    assert panel.scale_bar_mm == 10.0
    window.close()
    assert window.figure_dock is None
