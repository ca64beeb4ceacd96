"""Drives the window like a user on the sample study and keeps a picture of each step (`make gallery`)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent, QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from neuraxis.app.demo import sample_click
from neuraxis.app.sample import sample_folder, write_sample
from neuraxis.app.settings import Settings
from neuraxis.desktop.window import WorkstationWindow, apply_theme
from neuraxis.domain.geometry import Vector3
from neuraxis.domain.study import Role
from neuraxis.errors import NeuraxisError
from neuraxis.ui.slice_panel import SlicePanel

WAIT_SECONDS = 600
NONE = Qt.KeyboardModifier.NoModifier


class GalleryUser:
    """Hands and eyes: presses, drags, wheels, waits, keeps pictures."""

    def __init__(self, window: WorkstationWindow, folder: Path, tell: Callable[[str], None]) -> None:
        self.window, self.folder, self.tell = window, folder, tell
        self.kept: list[Path] = []
        self.grid = window.desk.grid
        self.session = window.session
        self._errors: list[Any] = []
        self.session.message_posted.connect(self._note)

    def _note(self, message: Any) -> None:
        if message.is_error:
            self._errors.append(message)

    def wait(self) -> None:
        """Until nothing runs in the background.

        Raises
        ------
        NeuraxisError
            With the message that the window showed, or when it takes too long.
        """
        for _ in range(WAIT_SECONDS * 20):
            QTest.qWait(50)
            if self._errors:
                raise NeuraxisError(self._errors[0].text, remedy=self._errors[0].remedy)
            if not self.session.jobs.jobs:
                QTest.qWait(100)
                return
        raise NeuraxisError(f"the window was still busy after {WAIT_SECONDS} s", expected="an idle window")

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Until something is shown.

        Raises
        ------
        NeuraxisError
            When it takes too long.
        """
        for _ in range(100):
            QTest.qWait(50)
            if holds():
                return
        raise NeuraxisError("the window did not show what was asked for", expected="an answer within 5 s")

    def keep(self, name: str, widget: Any = None) -> None:
        """A picture of the window, or of a dialog of it."""
        QApplication.processEvents()
        path = self.folder / f"{len(self.kept) + 1:02d}_{name}.png"
        (widget or self.window).grab().save(str(path))
        self.kept.append(path)
        self.tell(str(path))

    def panel_of(self, *roles: Role) -> SlicePanel:
        """The first panel that shows one of the roles."""
        for panel in self.grid.panels:
            series = panel.scene.series
            if series is not None and series.role.role in roles:
                return panel
        raise NeuraxisError(f"no panel shows {roles[0].value}", expected="the sample study hung by its roles")

    def pixel_of(self, panel: SlicePanel, point: Vector3) -> QPoint:
        """Where a point of the patient lies on a panel."""
        view = panel.scene.view()
        if view is None:
            raise NeuraxisError("a panel shows nothing", expected="a loaded series")
        x, y = view.screen_from_lps(point)
        return QPoint(round(float(x)), round(float(y)))

    def click(self, panel: SlicePanel, at: QPoint) -> None:
        """Left click."""
        QTest.mouseClick(panel, Qt.MouseButton.LeftButton, NONE, at)

    def key(self, key: Any, modifier: Any = NONE) -> None:
        """A key in the active panel."""
        self.grid.active.setFocus()
        QTest.keyClick(self.grid.active, key, modifier)

    def drag(self, panel: SlicePanel, start: QPoint, end: QPoint) -> None:
        """Left drag in ten steps."""
        button = Qt.MouseButton.LeftButton
        QTest.mousePress(panel, button, NONE, start)
        for step in range(1, 11):
            at = QPointF(start) + (QPointF(end) - QPointF(start)) * (step / 10)
            where = QPointF(panel.mapToGlobal(at.toPoint()))
            QApplication.sendEvent(
                panel, QMouseEvent(QEvent.Type.MouseMove, at, where, Qt.MouseButton.NoButton, button, NONE)
            )
        QTest.mouseRelease(panel, button, NONE, end)

    def wheel(self, panel: SlicePanel, notches: int, modifier: Any = NONE) -> None:
        """Wheel over the middle of a panel."""
        middle = panel.rect().center()
        QApplication.sendEvent(panel, QWheelEvent(
            QPointF(middle), QPointF(panel.mapToGlobal(middle)), QPoint(), QPoint(0, 120 * notches),
            Qt.MouseButton.NoButton, modifier, Qt.ScrollPhase.NoScrollPhase, False,
        ))


def walk(user: GalleryUser, study: Path) -> None:
    """The whole way of a reader through the sample: open, find, segment, link, tag, look round, measure."""
    point, _ = sample_click(study)
    user.window.open_path(study)
    user.wait()
    user.keep("opened_and_hung")
    _segment(user, point)
    _link(user)
    _tag(user)
    _look_round(user)
    _measure(user)
    _napari(user)
    _compare(user)
    _ask(user)


def _segment(user: GalleryUser, point: Vector3) -> None:
    ct = user.panel_of(Role.CT)
    series = ct.scene.series
    assert series is not None
    user.click(ct, user.pixel_of(ct, point))
    user.session.set_point(series, point)
    user.key(Qt.Key.Key_F)
    user.key(Qt.Key.Key_G)
    user.click(ct, user.pixel_of(ct, point))
    user.wait()
    user.key(Qt.Key.Key_W)
    user.keep("lesion_segmented")


def _link(user: GalleryUser) -> None:
    user.window.registration.register.click()
    user.wait()
    user.keep("registration_proposed")
    user.window.registration.accept.click()
    user.key(Qt.Key.Key_J)
    user.keep("lesion_in_all_series")


def _tag(user: GalleryUser) -> None:
    user.window.tags.collect.click()
    user.wait()
    tree = user.window.tags.tree
    for row in range(tree.topLevelItemCount()):
        if tree.topLevelItem(row).data(0, Qt.ItemDataRole.UserRole) == "blooming":
            tree.setCurrentItem(tree.topLevelItem(row))
    user.keep("tags_and_evidence")


def _look_round(user: GalleryUser) -> None:
    user.grid.apply_hanging("brain_bone")
    user.key(Qt.Key.Key_J)
    user.keep("brain_and_bone")
    user.grid.apply_hanging("planes")
    user.key(Qt.Key.Key_Escape)
    user.key(Qt.Key.Key_R)
    user.keep("three_planes")
    user.key(Qt.Key.Key_R)
    user.grid.apply_hanging("lesion")
    user.key(Qt.Key.Key_J)
    swi = user.panel_of(Role.SWI)
    user.click(swi, swi.rect().center())
    user.wheel(swi, 4, Qt.KeyboardModifier.AltModifier)
    user.keep("swi_minip")
    user.wheel(swi, -4, Qt.KeyboardModifier.AltModifier)
    ct = user.panel_of(Role.CT)
    user.click(ct, ct.rect().center())
    user.key(Qt.Key.Key_O)
    user.drag(ct, ct.rect().center(), ct.rect().center() + QPoint(60, 40))
    user.keep("oblique")
    user.key(Qt.Key.Key_O, Qt.KeyboardModifier.ShiftModifier)
    user.key(Qt.Key.Key_W)
    post = user.panel_of(Role.T1C).state.series_id
    user.window.desk.fuse(ct, post)
    user.wait()
    user.keep("fusion_of_ct_and_t1c")
    user.window.desk.fuse(ct, "")


def _measure(user: GalleryUser) -> None:
    user.key(Qt.Key.Key_J)
    ct = user.panel_of(Role.CT)
    user.click(ct, ct.rect().center())
    user.key(Qt.Key.Key_M)
    QTest.qWait(100)
    user.key(Qt.Key.Key_5)
    middle = ct.rect().center()
    user.key(Qt.Key.Key_D)
    user.drag(ct, middle + QPoint(-40, -90), middle + QPoint(120, -90))
    user.key(Qt.Key.Key_A)
    for offset in (QPoint(-160, 60), QPoint(-160, 160), QPoint(-60, 160)):
        user.click(ct, middle + offset)
    user.key(Qt.Key.Key_E)
    user.drag(ct, middle + QPoint(110, 40), middle + QPoint(190, 120))
    user.window.docks["drawings"].raise_()
    user.keep("measurements")
    user.key(Qt.Key.Key_W)
    user.key(Qt.Key.Key_M)
    user.window.docks["lesions"].raise_()
    sheet = user.window.desk.show_keys()
    QTest.qWait(100)
    user.keep("keys", sheet)
    sheet.close()


def _napari(user: GalleryUser) -> None:
    user.window.show_napari()
    user.wait()
    user.keep("napari_canvas")


def _compare(user: GalleryUser) -> None:
    if user.window.napari_dock is not None:
        user.window.napari_dock.hide()
    user.grid.apply_hanging("lesion")
    QTest.qWait(100)
    user.key(Qt.Key.Key_J)
    t2, post = user.panel_of(Role.T2), user.panel_of(Role.T1C).state.series_id
    user.click(t2, t2.rect().center())
    user.key(Qt.Key.Key_J)
    user.window.desk.fuse(t2, post)
    user.key(Qt.Key.Key_V, Qt.KeyboardModifier.ShiftModifier)
    border = QPoint(t2.width() // 2, t2.height() // 4)
    user.drag(t2, border, border + QPoint(t2.width() // 8, 0))
    user.window.lesions.fill.click()
    user.wait()
    user.keep("swipe_and_filled_lesion")
    user.window.lesions.fill.click()
    user.window.desk.fuse(t2, "")
    user.key(Qt.Key.Key_Q, Qt.KeyboardModifier.ShiftModifier)
    user.keep("same_thickness")
    user.key(Qt.Key.Key_Q, Qt.KeyboardModifier.ShiftModifier)
    user.grid.apply_hanging("planes_bone")
    QTest.qWait(100)
    user.key(Qt.Key.Key_Escape)
    user.key(Qt.Key.Key_R)
    user.keep("planes_and_bone")
    user.key(Qt.Key.Key_R)


def _ask(user: GalleryUser) -> None:
    editor = user.window.desk.edit_keys()
    editor.choose("cine")
    QTest.keyClick(editor.edit, Qt.Key.Key_K)
    user.wait_until(lambda: "K" in editor.clash.text())
    user.keep("key_editor_with_a_clash", editor)
    editor.reject()
    form = user.window.tags.ask_dural_tail()
    for question in form.questions.values():
        question.setFocus()
        QTest.keyClick(question, Qt.Key.Key_End)
    user.keep("dural_tail_questions", form)
    form.accept()
    user.wait()
    user.keep("dural_tail_decided")


def make_gallery(folder: Path, study: Path | None = None, tell: Callable[[str], None] = print) -> tuple[Path, ...]:
    """Pictures of the window on the sample study.

    Parameters
    ----------
    folder : where the pictures go
    study : the sample where it is already written; default: the one in the user's cache, made if need be

    Returns
    -------
    tuple of Path
        The pictures, in order.
    """
    app = QApplication.instance() or QApplication(sys.argv[:1])
    app.setApplicationName("Neuraxis")
    where = study or write_sample("capnon", sample_folder("capnon"), lambda _f, _t: None)
    folder.mkdir(parents=True, exist_ok=True)
    window = WorkstationWindow(Settings(), remember=False)
    apply_theme("dark")
    window.show()
    user = GalleryUser(window, folder, tell)
    try:
        walk(user, where)
    finally:
        window.close()
    return tuple(user.kept)


def main(arguments: list[str] | None = None) -> int:
    """`python -m neuraxis.desktop.gallery [FOLDER [STUDY]]`."""
    given = sys.argv[1:] if arguments is None else arguments
    folder = Path(given[0]) if given else Path("docs/images")
    try:
        make_gallery(folder, Path(given[1]) if len(given) > 1 else None)
    except NeuraxisError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
