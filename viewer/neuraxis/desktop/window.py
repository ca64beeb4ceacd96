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
    QVBoxLayout,
    QWidget,
)

from neuraxis.app.case_opening import case_folder
from neuraxis.app.commands import changed_keys, with_keys
from neuraxis.app.open_study import Message
from neuraxis.app.options import ReadingChoices, Tool
from neuraxis.app.session import StudySession
from neuraxis.app.settings import Settings, load_settings, save_settings
from neuraxis.desktop import case_dialogs, exchange_dialogs
from neuraxis.errors import NeuraxisError
from neuraxis.ui import theme
from neuraxis.ui.connections import Connections
from neuraxis.ui.dispatch import GuiThread
from neuraxis.ui.drawing_sheet import DrawingSheet
from neuraxis.ui.history_view import HistoryView
from neuraxis.ui.lesion_sheet import LesionSheet
from neuraxis.ui.load_report import LoadReportDialog
from neuraxis.ui.message_bar import MessageBar, ProgressLine
from neuraxis.ui.reading_desk import ReadingDesk
from neuraxis.ui.registration_sheet import RegistrationSheet
from neuraxis.ui.study_browser import StudyBrowser
from neuraxis.ui.tag_sheet import TagSheet
from neuraxis.ui.texts import say

if TYPE_CHECKING:
    from neuraxis.desktop.figure_dock import FigureDock
    from neuraxis.desktop.napari_dock import NapariDock
    from neuraxis.ui.archive_dialog import ArchiveDialog


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
        self.session.case_folder = case_folder() if remember else None
        choices = ReadingChoices(
            drag_down_brightens=self.settings.drag_down_brightens, show_names=self.settings.show_names
        )
        self.message_bar = MessageBar(self.session, self)
        commands = None
        try:
            commands = with_keys(self.settings.keys) if self.settings.keys else None
        except NeuraxisError as error:
            self.message_bar.show_message(Message.from_error(error))
        self.desk = ReadingDesk(self.session, choices, commands, self)
        self.desk.own_hangings = list(self.settings.hangings)
        self.browser = StudyBrowser(self.session, self, self.desk.options)
        self.browser.has_layers = True
        self.lesions = LesionSheet(self.session, self, self.desk.options)
        self.drawings = DrawingSheet(self.session, self)
        self.tags = TagSheet(self.session, self)
        self.registration = RegistrationSheet(self.session, self)
        self.history = HistoryView(self.session, self)
        self.progress = ProgressLine(self.session, self)
        self.napari_dock: NapariDock | None = None
        self.archive: ArchiveDialog | None = None
        self.figure_dock: FigureDock | None = None
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
            "browser": self._dock(say("window.study"), self.browser, area.LeftDockWidgetArea),
            "registration": self._dock(say("window.linking"), self.registration, area.LeftDockWidgetArea),
            "lesions": self._dock(say("window.lesions"), self.lesions, area.RightDockWidgetArea),
            "drawings": self._dock(say("window.measurements"), self.drawings, area.RightDockWidgetArea),
            "tags": self._dock(say("window.tags"), self.tags, area.RightDockWidgetArea),
            "history": self._dock(say("window.history"), self.history, area.RightDockWidgetArea),
        }
        self.tabifyDockWidget(self.docks["lesions"], self.docks["drawings"])
        self.tabifyDockWidget(self.docks["drawings"], self.docks["history"])
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
        link(self.session.study_wanted, lambda case, why: case_dialogs.ask_study_of_case(self, case, why))
        link(self.session.revisions_changed, self._show_title)
        link(self.desk.hanging_saved, self._keep_hanging)
        link(self.desk.keys_changed, self._keep_keys)
        link(self.desk.grid.path_dropped, self.open_path)

    def _fill_menus(self) -> None:
        file = self.menuBar().addMenu(say("window.file"))
        self._action(file, say("window.open_study_folder"), "Ctrl+O", self.ask_folder)
        self._action(file, say("window.open_file_zip_dicomdir"), "Ctrl+Shift+O", self.ask_file)
        self.recent_menu = file.addMenu(say("window.recent_studies"))
        self.recent_menu.aboutToShow.connect(self._fill_recent)
        self._action(file, say("window.open_sample_capnon"), "", self.open_sample)
        self._action(file, say("window.save_case_as"), "Ctrl+Shift+S", lambda: case_dialogs.ask_save_case_as(self))
        self._action(file, say("window.close_study"), "Ctrl+W", self.close_study)
        self._action(file, say("window.export_lesion_sr_seg"), "Ctrl+E", self.ask_export)
        self._action(file, say("window.export_case"), "Ctrl+Shift+E", lambda: exchange_dialogs.ask_case_folder(self))
        self._action(file, say("window.export_deidentified"), "", lambda: exchange_dialogs.ask_deidentified_folder(self))
        self._action(file, say("window.take_in_objects"), "Ctrl+I", lambda: exchange_dialogs.ask_objects(self))
        self._action(file, say("archive_dialog.menu"), "Ctrl+Shift+A", self.show_archive)
        file.addSeparator()
        self._action(file, say("window.quit"), "Ctrl+Q", self.close)
        edit = self.menuBar().addMenu(say("window.edit"))
        self.undo_action = self._action(edit, say("window.undo"), "", self.session.undo)
        self.redo_action = self._action(edit, say("window.redo"), "", self.session.redo)
        edit.aboutToShow.connect(self._name_undo)
        view = self.menuBar().addMenu(say("window.view"))
        for dock in self.docks.values():
            view.addAction(dock.toggleViewAction())
        self._action(view, say("window.napari_canvas_brush_3d"), "", self.show_napari)
        view.addSeparator()
        self._action(view, say("window.light_or_dark"), "", self.toggle_theme)
        self._action(view, say("window.drag_down_brightens_or"), "", self.toggle_drag)
        self._action(view, say("window.patient_names_and_dates"), "", self.toggle_names)
        figure = self.menuBar().addMenu(say("window.figure"))
        self._action(figure, "Figure &desk", "Ctrl+G", self.show_figure_desk)
        self._action(figure, say("window.capture_the_active_panel"), "Ctrl+Shift+C", self.capture_panel)
        self._action(figure, say("window.from_a_legend"), "Ctrl+L", self.ask_legend)
        help_menu = self.menuBar().addMenu(say("window.help"))
        self._action(help_menu, say("window.keys_and_mouse"), "F1", self.desk.show_keys)
        self._action(help_menu, say("window.change_keys"), "", self.desk.edit_keys)
        self._action(help_menu, say("window.what_was_left_out"), "", self.show_report)

    def _action(self, menu: QMenu, text: str, key: str, does: Any) -> QAction:
        action = QAction(text, self)
        if key:
            action.setShortcut(QKeySequence(key))
        action.triggered.connect(lambda _checked=False: does())
        menu.addAction(action)
        return action

    # Opening

    def open_path(self, path: str | Path, study: str | Path | None = None) -> None:
        """Open what is under a path, a case on the study given with it; the window stays alive meanwhile."""
        if not case_dialogs.may_lose_work(self):
            return
        self.message_bar.dismiss()
        self.session.open(path, study)

    def close_study(self) -> None:
        """Close the study, after a question where work would be lost."""
        if case_dialogs.may_lose_work(self):
            self.session.close_study()

    def ask_export(self) -> None:
        """Ask for a folder and write the active lesion there."""
        if not self.session.active_lesion:
            self.session.post_notice(say("window.no_lesion_is_chosen"))
            return
        path = QFileDialog.getExistingDirectory(self, say("window.export_lesion_to_folder"))
        if path:
            self.session.export_lesion(self.session.active_lesion, Path(path))

    def ask_folder(self) -> None:
        """Ask for a folder."""
        path = QFileDialog.getExistingDirectory(self, say("window.open_study_folder_2"))
        if path:
            self.open_path(path)

    def ask_file(self) -> None:
        """Ask for a zip, a DICOMDIR, a DICOM file or a case."""
        path, _ = QFileDialog.getOpenFileName(self, say("window.open_file_zip_dicomdir_or"))
        if path:
            self.open_path(path)

    def open_sample(self) -> None:
        """Make the sample study where it is not there yet, and open it."""
        from neuraxis.app.sample import sample_folder, write_sample

        folder = sample_folder("capnon")
        self.message_bar.dismiss()
        self.session.jobs.start(
            say("window.making_the_sample_study"), "sample", lambda job: write_sample("capnon", folder, job.report),
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

    def _keep_keys(self, commands: Any) -> None:
        self.settings = replace(self.settings, keys=changed_keys(commands))
        self._save_settings()

    def _show_title(self) -> None:
        # the folder's name may be a patient's: the title, which ends up in task bars and screenshots, stays without
        read_only = say("window.read_only_case") if self.session.is_read_only else ""
        self.setWindowTitle("Neuraxis" if self.session.study is None else
                            say("window.title", series=len(self.session.series), read_only=read_only))

    def _fill_recent(self) -> None:
        self.recent_menu.clear()
        for recent in self.settings.recent:
            path = recent.find()  # its name is for the screen only
            name = f"{path.name}  ({recent.summary})" if path is not None else say("window.moved_or_deleted", summary=recent.summary)
            self.recent_menu.addAction(name, lambda p=path: self.open_path(p)).setEnabled(path is not None)
        self.recent_menu.setEnabled(True)
        if not self.settings.recent:
            self.recent_menu.addAction(say("window.none_yet")).setEnabled(False)

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
            say("window.some_series_are_not")
        )

    def show_report(self) -> None:
        """What was read, left out and why."""
        if self.session.study is not None:
            dialog = LoadReportDialog(self.session.current_study, self)
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            dialog.open()

    def _name_undo(self) -> None:
        undo, redo = self.session.undo_label, self.session.redo_label
        self.undo_action.setText(say("window.undo_ctrl_z", undo=undo or ''))
        self.redo_action.setText(say("window.redo_ctrl_y", redo=redo or ''))
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

    def toggle_names(self) -> None:
        """Names and dates of patients on the screen; remembered."""
        self.settings = replace(self.settings, show_names=not self.settings.show_names)
        self.desk.options.set(show_names=self.settings.show_names)
        self._save_settings()

    def show_figure_desk(self) -> FigureDock:
        """The figure desk in a dock, made when first asked for."""
        from neuraxis.desktop.figure_dock import make_figure_dock

        if self.figure_dock is None:
            self.figure_dock = make_figure_dock(self)
        self.figure_dock.show()
        self.figure_dock.raise_()
        self.figure_dock.sheet.canvas.setFocus()
        return self.figure_dock

    def capture_panel(self) -> None:
        """The active panel as a panel of the figure; the keys stay with the reading grid."""
        self.show_figure_desk().sheet.capture()
        self.desk.grid.active.setFocus()

    def ask_legend(self) -> None:
        """Ask for a legend and lay out its figure."""
        self.show_figure_desk().sheet.ask_legend()

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

    # The archive

    def show_archive(self) -> None:
        """Search an archive, retrieve, send; contacted only when asked there."""
        from neuraxis.ui.archive_dialog import ArchiveDialog

        if self.archive is None:
            self.archive = ArchiveDialog(self.session, self)
            self._links.connect(self.archive.study_received, self.open_path)
        self.archive.show()
        self.archive.raise_()

    def closeEvent(self, event: Any) -> None:
        """Stop all work and let go of everything."""
        if not case_dialogs.may_lose_work(self):
            event.ignore()
            return
        if self.napari_dock is not None:
            self.napari_dock.release()
            self.napari_dock = None
        if self.figure_dock is not None:
            self.figure_dock.release()
            self.figure_dock = None
        if self.archive is not None:
            self.archive.detach()
        for part in (self.desk, self.browser, self.lesions, self.drawings, self.tags, self.registration,
                     self.history, self.progress, self.message_bar):
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
