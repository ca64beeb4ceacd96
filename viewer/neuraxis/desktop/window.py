"""The workstation window: browser left, reading grid in the middle, lesion and tag sheets right."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QAction, QKeySequence
from qtpy.QtWidgets import (
    QApplication,
    QDockWidget,
    QFileDialog,
    QMainWindow,
    QMenu,
    QMessageBox,
    QVBoxLayout,
    QWidget,
)

from neuraxis.app.commands import with_keys
from neuraxis.app.open_study import Message
from neuraxis.app.options import ReadingChoices, Tool
from neuraxis.app.session import StudySession
from neuraxis.app.settings import Settings, load_settings, save_settings
from neuraxis.errors import NeuraxisError
from neuraxis.ui import theme
from neuraxis.ui.connections import Connections
from neuraxis.ui.dispatch import GuiThread
from neuraxis.ui.drawing_sheet import DrawingSheet
from neuraxis.ui.lesion_sheet import LesionSheet
from neuraxis.ui.load_report import LoadReportDialog
from neuraxis.ui.message_bar import MessageBar, ProgressLine
from neuraxis.ui.reading_desk import ReadingDesk
from neuraxis.ui.registration_sheet import RegistrationSheet
from neuraxis.ui.study_browser import StudyBrowser
from neuraxis.ui.tag_sheet import TagSheet

if TYPE_CHECKING:
    from neuraxis.desktop.napari_dock import NapariDock


class WorkstationWindow(QMainWindow):
    """One window, one study."""

    def __init__(self, settings: Settings | None = None, *, remember: bool = True) -> None:
        super().__init__()
        self._remember = remember
        self.ask_before_losing = False
        """Set where a person sits before the window."""
        self.settings = settings or load_settings()
        self.gui_thread = GuiThread(self)
        self.session = StudySession(self.gui_thread.deliver)
        self.session.reader = self.settings.reader
        choices = ReadingChoices(drag_down_brightens=self.settings.drag_down_brightens)
        self.message_bar = MessageBar(self.session, self)
        commands = None
        try:
            commands = with_keys(self.settings.keys) if self.settings.keys else None
        except NeuraxisError as error:
            self.message_bar.show_message(Message.from_error(error))
        self.desk = ReadingDesk(self.session, choices, commands, self)
        self.desk.own_hangings = list(self.settings.hangings)
        self.browser = StudyBrowser(self.session, self)
        self.browser.has_layers = True
        self.lesions = LesionSheet(self.session, self)
        self.drawings = DrawingSheet(self.session, self)
        self.tags = TagSheet(self.session, self)
        self.registration = RegistrationSheet(self.session, self)
        self.progress = ProgressLine(self.session, self)
        self.napari_dock: NapariDock | None = None
        self._arrange()
        self._connect()
        self._fill_menus()
        self.setAcceptDrops(True)
        self.setWindowTitle("Neuraxis")
        self.resize(1600, 1000)
        self._show_title()

    def sizeHint(self) -> QSize:
        """Room for a 2 x 3 grid."""
        return QSize(1600, 1000)

    def _arrange(self) -> None:
        centre = QWidget(self)
        column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.message_bar)
        column.addWidget(self.desk, 1)
        self.setCentralWidget(centre)
        area = Qt.DockWidgetArea
        self.docks = {
            "browser": self._dock("Study", self.browser, area.LeftDockWidgetArea),
            "registration": self._dock("Linking", self.registration, area.LeftDockWidgetArea),
            "lesions": self._dock("Lesions", self.lesions, area.RightDockWidgetArea),
            "drawings": self._dock("Measurements", self.drawings, area.RightDockWidgetArea),
            "tags": self._dock("Tags", self.tags, area.RightDockWidgetArea),
        }
        self.tabifyDockWidget(self.docks["lesions"], self.docks["drawings"])
        self.docks["lesions"].raise_()
        self.resizeDocks([self.docks["browser"], self.docks["lesions"]], [260, 440], Qt.Orientation.Horizontal)
        self.resizeDocks([self.docks["lesions"], self.docks["tags"]], [400, 540], Qt.Orientation.Vertical)
        self.resizeDocks([self.docks["browser"], self.docks["registration"]], [700, 190], Qt.Orientation.Vertical)
        self.statusBar().addPermanentWidget(self.progress)
        self.statusBar().setSizeGripEnabled(False)

    def _dock(self, title: str, widget: QWidget, area: Any) -> QDockWidget:
        dock = QDockWidget(title, self)
        dock.setObjectName(title)
        dock.setWidget(widget)
        self.addDockWidget(area, dock)
        return dock

    def _connect(self) -> None:
        self._links = Connections(self)
        link = self._links.connect
        link(self.browser.series_chosen, self._show_series)
        link(self.browser.report_requested, self.show_report)
        link(self.browser.layer_requested, self.show_layer)
        link(self.lesions.segment_requested, self._take_segment_tool)
        link(self.lesions.jump_requested, self._jump)
        link(self.drawings.focus_requested, self.desk.grid.focus)
        link(self.tags.point_requested, self._show_point)
        link(self.tags.register_requested, self._tell_unregistered)
        link(self.session.study_changed, self._study_changed)
        link(self.desk.hanging_saved, self._keep_hanging)
        link(self.desk.grid.path_dropped, self.open_path)

    def _fill_menus(self) -> None:
        file = self.menuBar().addMenu("&File")
        self._action(file, "&Open study folder …", "Ctrl+O", self.ask_folder)
        self._action(file, "Open &file, zip or DICOMDIR …", "Ctrl+Shift+O", self.ask_file)
        self.recent_menu = file.addMenu("&Recent studies")
        self.recent_menu.aboutToShow.connect(self._fill_recent)
        self._action(file, "Open &sample: CAPNON", "", self.open_sample)
        self._action(file, "&Close study", "Ctrl+W", self.close_study)
        self._action(file, "&Export lesion (SR, SEG, JSON) …", "Ctrl+E", self.ask_export)
        file.addSeparator()
        self._action(file, "&Quit", "Ctrl+Q", self.close)
        edit = self.menuBar().addMenu("&Edit")
        self.undo_action = self._action(edit, "&Undo", "", self.session.undo)
        self.redo_action = self._action(edit, "&Redo", "", self.session.redo)
        edit.aboutToShow.connect(self._name_undo)
        view = self.menuBar().addMenu("&View")
        for dock in self.docks.values():
            view.addAction(dock.toggleViewAction())
        self._action(view, "&napari canvas (brush, 3D)", "", self.show_napari)
        view.addSeparator()
        self._action(view, "&Light or dark", "", self.toggle_theme)
        self._action(view, "Drag &down brightens or darkens", "", self.toggle_drag)
        help_menu = self.menuBar().addMenu("&Help")
        self._action(help_menu, "&Keys and mouse", "F1", self.desk.show_keys)
        self._action(help_menu, "What was &left out", "", self.show_report)

    def _action(self, menu: QMenu, text: str, key: str, does: Any) -> QAction:
        action = QAction(text, self)
        if key:
            action.setShortcut(QKeySequence(key))
        action.triggered.connect(lambda _checked=False: does())
        menu.addAction(action)
        return action

    # Opening

    def open_path(self, path: str | Path) -> None:
        """Open what is under a path; the window stays alive meanwhile."""
        if not self.may_lose_work():
            return
        self.message_bar.dismiss()
        self.session.open(path)

    def close_study(self) -> None:
        """Close the study, after a question where work would be lost."""
        if self.may_lose_work():
            self.session.close_study()

    def ask_export(self) -> None:
        """Ask for a folder and write the active lesion there."""
        if not self.session.active_lesion:
            self.session.post_notice("No lesion is chosen; segment one first.")
            return
        path = QFileDialog.getExistingDirectory(self, "Export lesion to folder")
        if path:
            self.session.export_lesion(self.session.active_lesion, Path(path))

    def may_lose_work(self) -> bool:
        """Whether what the reader made may be let go; asks where there is something."""
        if not self.ask_before_losing or self.session.undo_label is None:
            return True
        answer = QMessageBox.question(
            self, "Neuraxis", "Lesions, tags and measurements of this study are lost when it is closed. "
            "File > Export keeps a lesion as SR, SEG and JSON.\n\nClose it?",
        )
        return bool(answer == QMessageBox.StandardButton.Yes)

    def ask_folder(self) -> None:
        """Ask for a folder."""
        path = QFileDialog.getExistingDirectory(self, "Open study folder")
        if path:
            self.open_path(path)

    def ask_file(self) -> None:
        """Ask for a zip, a DICOMDIR or a DICOM file."""
        path, _ = QFileDialog.getOpenFileName(self, "Open file, zip or DICOMDIR")
        if path:
            self.open_path(path)

    def open_sample(self) -> None:
        """Make the sample study where it is not there yet, and open it."""
        from neuraxis.app.sample import sample_folder, write_sample

        folder = sample_folder("capnon")
        self.message_bar.dismiss()
        self.session.jobs.start(
            "making the sample study (once)", "sample", lambda job: write_sample("capnon", folder, job.report),
            self.open_path, self.session.post_error, urgent=True,
        )

    def dragEnterEvent(self, event: Any) -> None:
        """A folder or file from outside."""
        if event.mimeData().hasUrls() and any(u.isLocalFile() for u in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:
        """Open the first thing that was dropped."""
        for url in event.mimeData().urls():
            if url.isLocalFile():
                event.acceptProposedAction()
                self.open_path(url.toLocalFile())
                return

    def _study_changed(self) -> None:
        study = self.session.study
        if study is not None and self.session.path:
            roles = dict.fromkeys(s.role.role.value for s in self.session.series if s.is_volume)
            self.settings = self.settings.with_recent(self.session.path, ", ".join(roles))
            self._save_settings()
        self._show_title()

    def _keep_hanging(self, protocol: Any) -> None:
        self.settings = self.settings.with_hanging(protocol)
        self._save_settings()

    def _show_title(self) -> None:
        # the folder's name may be a patient's: the title, which ends up in task bars and screenshots, stays without
        self.setWindowTitle("Neuraxis" if self.session.study is None else
                            f"Neuraxis: {len(self.session.series)} series")

    def _fill_recent(self) -> None:
        self.recent_menu.clear()
        for recent in self.settings.recent:
            self.recent_menu.addAction(
                f"{Path(recent.path).name}  ({recent.summary})", lambda p=recent.path: self.open_path(p)
            )
        self.recent_menu.setEnabled(True)
        if not self.settings.recent:
            self.recent_menu.addAction("none yet").setEnabled(False)

    def _save_settings(self) -> None:
        if self._remember:
            self.session.guard(lambda: save_settings(self.settings))

    # Requests of the sheets

    def _show_series(self, series_id: str) -> None:
        panel = self.desk.grid.active
        panel.set_state(panel.state.showing(series_id))
        panel.setFocus()

    def _take_segment_tool(self) -> None:
        self.desk.options.set(tool=Tool.SEGMENT)
        self.desk.grid.active.setFocus()

    def _jump(self, tracking_uid: str) -> None:
        self.session.set_active_lesion(tracking_uid)
        self.session.jump_to_lesion(tracking_uid)
        self.desk.grid.focus()

    def _show_point(self, frame: str, point: Any) -> None:
        series = next((s for s in self.session.series if s.frame_of_reference_uid == frame and s.is_volume), None)
        if series is not None:
            self.session.set_point(series, point)

    def _tell_unregistered(self) -> None:
        self.session.post_notice(
            "Some series are not registered to the CT, so their tags are not assessable. "
            "Register and accept under Linking, then collect the evidence again."
        )

    def show_report(self) -> None:
        """What was read, left out and why."""
        if self.session.study is not None:
            dialog = LoadReportDialog(self.session.current_study, self)
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            dialog.open()

    def _name_undo(self) -> None:
        undo, redo = self.session.undo_label, self.session.redo_label
        self.undo_action.setText(f"&Undo {undo or ''}\tCtrl+Z")
        self.redo_action.setText(f"&Redo {redo or ''}\tCtrl+Y")
        self.undo_action.setEnabled(undo is not None)
        self.redo_action.setEnabled(redo is not None)

    def toggle_theme(self) -> None:
        """Light or dark; remembered."""
        self.settings = replace(self.settings, theme="light" if self.settings.theme == "dark" else "dark")
        apply_theme(self.settings.theme)
        self._save_settings()

    def toggle_drag(self) -> None:
        """Direction of the level; remembered."""
        down = not self.settings.drag_down_brightens
        self.settings = replace(self.settings, drag_down_brightens=down)
        self.desk.options.set(drag_down_brightens=down)
        self._save_settings()

    # napari

    def show_napari(self) -> None:
        """The napari canvas in a dock, made when first asked for."""
        from neuraxis.desktop.napari_dock import make_napari_dock

        if self.napari_dock is None:
            self.napari_dock = make_napari_dock(self)
        self.napari_dock.show()
        self.napari_dock.raise_()

    def show_layer(self, series_id: str) -> None:
        """A series as a layer of the napari canvas."""
        self.show_napari()
        if self.napari_dock is not None:
            self.napari_dock.links.show_when_loaded(series_id)

    def closeEvent(self, event: Any) -> None:
        """Stop all work and let go of everything."""
        if not self.may_lose_work():
            event.ignore()
            return
        if self.napari_dock is not None:
            self.napari_dock.release()
            self.napari_dock = None
        for part in (self.desk, self.browser, self.lesions, self.drawings, self.tags, self.registration,
                     self.progress, self.message_bar):
            part.detach()
        self._links.release()
        self.session.close()
        super().closeEvent(event)


def apply_theme(name: str) -> None:
    """Light or dark colours for the whole program."""
    app = QApplication.instance()
    if app is not None:
        app.setStyle("Fusion")
        app.setPalette(theme.light_palette() if name == "light" else theme.dark_palette())
