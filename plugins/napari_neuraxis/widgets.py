"""The dock widgets of the plugin: the same widgets as in the window of Neuraxis, tied to the viewer's layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QFileDialog, QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_neuraxis.sessions import acquire
from neuraxis.app.options import Tool
from neuraxis.domain.window import Window, automatic_window, window_presets
from neuraxis.errors import NeuraxisError
from neuraxis.ui.drawing_sheet import DrawingSheet
from neuraxis.ui.layer_links import set_limits
from neuraxis.ui.lesion_sheet import LesionSheet
from neuraxis.ui.load_report import LoadReportDialog
from neuraxis.ui.message_bar import ProgressLine
from neuraxis.ui.reading_desk import BANNER, ReadingDesk
from neuraxis.ui.registration_sheet import RegistrationSheet
from neuraxis.ui.study_browser import StudyBrowser
from neuraxis.ui.tag_sheet import TagSheet
from neuraxis.ui.texts import say

if TYPE_CHECKING:
    from napari import Viewer


class NeuraxisDock(QWidget):
    """A dock widget: holds the viewer's session and detaches its parts when it goes."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.tied = acquire(napari_viewer, self)
        self.session = self.tied.session
        self.parts: list[Any] = []
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(4, 4, 4, 4)

    def add_part(self, part: Any, stretch: int = 0) -> Any:
        """Put one of our widgets in; it is detached with the dock."""
        self.parts.append(part)
        self.column.addWidget(part, stretch)
        return part

    def closeEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Let go of the session's signals."""
        self.detach()
        super().closeEvent(event)

    def detach(self) -> None:
        """Stop listening."""
        for part in self.parts:
            part.detach()


class StudyDock(NeuraxisDock):
    """Open study: a folder, zip or DICOMDIR; the series; what was left out."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        row = QHBoxLayout()
        for text, tip, does in (
            (say("widgets.open_folder"), say("widgets.open_a_study_folder"), self.ask_folder),
            (say("widgets.open_file"), say("widgets.open_a_zip_a"), self.ask_file),
            (say("widgets.sample"), say("widgets.open_the_capnon_sample"), self.open_sample),
        ):
            button = QPushButton(text, self)
            button.setToolTip(tip)
            button.clicked.connect(lambda _checked=False, d=does: d())
            row.addWidget(button)
        self.column.addLayout(row)
        self.add_part(ProgressLine(self.session, self))
        self.browser = self.add_part(StudyBrowser(self.session, self, self.tied.options), 1)
        self.browser.has_layers = True
        self.browser.series_chosen.connect(self.show_series)
        self.browser.layer_requested.connect(self.show_series)
        self.browser.report_requested.connect(self.show_report)
        self.column.addWidget(QLabel(BANNER, self))

    def ask_folder(self) -> None:
        """Ask for a folder."""
        path = QFileDialog.getExistingDirectory(self, say("widgets.open_study_folder"))
        if path:
            self.session.open(path)

    def ask_file(self) -> None:
        """Ask for a file."""
        path, _ = QFileDialog.getOpenFileName(self, say("widgets.open_file_zip_or"))
        if path:
            self.session.open(path)

    def open_sample(self) -> None:
        """Make the sample where it is not there yet, and open it."""
        from neuraxis.app.sample import sample_folder, write_sample

        folder = sample_folder("capnon")
        self.session.jobs.start(
            say("widgets.making_the_sample_study"), "sample", lambda job: write_sample("capnon", folder, job.report),
            lambda path: (self.session.open(path), None)[1], self.session.post_error, urgent=True,
        )

    def show_series(self, series_id: str) -> None:
        """In the active panel of the grid where it is open, and as a layer."""
        grid = self.tied.grid
        if grid is not None:
            grid.active.set_state(grid.active.state.showing(series_id))
        self.tied.layers.show_when_loaded(series_id)

    def show_report(self) -> None:
        """What was read, left out and why."""
        if self.session.study is not None:
            dialog = LoadReportDialog(self.session.current_study, self)
            dialog.open()


class ReadingDock(NeuraxisDock):
    """The reading grid with its tools."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.setMinimumSize(420, 320)
        self.desk = self.add_part(ReadingDesk(self.session, parent=self, options=self.tied.options), 1)
        self.tied.grid = self.desk.grid
        self.desk.grid.path_dropped.connect(self.open_path)

    def open_path(self, path: str) -> None:
        """Open what was dropped on a panel."""
        self.session.open(path)

    def detach(self) -> None:
        """The viewer has no grid any more."""
        if self.tied.grid is self.desk.grid:
            self.tied.grid = None
        super().detach()


class WindowDock(NeuraxisDock):
    """Window presets for the chosen layer and the active panel."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        grid = QGridLayout()
        for number, preset in enumerate(window_presets()):
            button = QPushButton(preset.window.label, self)
            button.setToolTip(say("widgets.in_the_reading_grid", label=preset.window.label, source=preset.source, key=preset.key))
            button.clicked.connect(lambda _checked=False, w=preset.window: self.apply(w))
            grid.addWidget(button, number // 2, number % 2)
        self.column.addLayout(grid)
        row = QHBoxLayout()
        for text, tip, does in (
            (say("widgets.automatic"), say("widgets.1st_to_99th_percentile"), self.apply_automatic),
            ("DICOM", say("widgets.the_window_that_the"), self.apply_file),
        ):
            button = QPushButton(text, self)
            button.setToolTip(tip)
            button.clicked.connect(lambda _checked=False, d=does: d())
            row.addWidget(button)
        self.column.addLayout(row)
        self.note = QLabel("", self)
        self.note.setWordWrap(True)
        self.column.addWidget(self.note)
        self.column.addStretch(1)
        self._turn = 0

    def layer(self) -> Any:
        """The chosen image layer, or the topmost visible one."""
        chosen = [x for x in self.viewer.layers.selection if hasattr(x, "contrast_limits")]
        visible = [x for x in reversed(self.viewer.layers) if hasattr(x, "contrast_limits") and x.visible]
        return next(iter(chosen or visible), None)

    def apply(self, window: Window) -> None:
        """Set the window of the chosen layer; the panels of its series follow."""
        layer = self.layer()
        if layer is None:
            self.note.setText(say("widgets.no_image_layer_is"))
            return
        known = layer.metadata.get("neuraxis", {})
        if window.name in {p.name for p in window_presets()} and known.get("unit", "HU") != "HU":
            self.note.setText(say("widgets.is_in_hounsfield_units", label=window.label, name=layer.name, known=known['unit']))
            return
        self.note.setText(window.label)
        set_limits(layer, window)
        if self.session.find_series(known.get("series_id", "")) is not None:
            self.session.set_window(known["series_id"], window)

    def apply_automatic(self) -> None:
        """From the data of the layer."""
        layer = self.layer()
        volume = self.session.volume(layer.metadata.get("neuraxis", {}).get("series_id", "")) if layer else None
        if layer is not None:
            self.apply(automatic_window(volume.array if volume is not None else layer.data[...]))

    def apply_file(self) -> None:
        """The next window of the file."""
        layer = self.layer()
        series = self.session.find_series(layer.metadata.get("neuraxis", {}).get("series_id", "")) if layer else None
        if series is None or not series.windows:
            self.note.setText(say("widgets.the_file_brings_no"))
            return
        self._turn += 1
        self.apply(series.windows[(self._turn - 1) % len(series.windows)])


class LesionDock(NeuraxisDock):
    """Lesions: segment by a click in the grid or in the canvas, sizes with their uncertainty."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.sheet = self.add_part(LesionSheet(self.session, self, self.tied.options), 2)
        self.drawings = self.add_part(DrawingSheet(self.session, self), 1)
        self.sheet.segment_requested.connect(self.take_tool)
        self.sheet.jump_requested.connect(self.jump)
        self._callback: Any = None

    def take_tool(self) -> None:
        """The next click, in the canvas or in a panel, segments."""
        self.tied.options.set(tool=Tool.SEGMENT)
        if self._callback is None:
            self._callback = self._clicked
            self.viewer.mouse_drag_callbacks.append(self._callback)
        self.session.post_notice(say("widgets.click_on_the_lesion"))

    def _clicked(self, viewer: Any, event: Any) -> Any:
        """A click without a drag in the canvas."""
        yield
        if event.type == "mouse_move":
            return
        self._drop_callback()
        series_id = self.tied.layers.series_at(viewer)
        if series_id is None:
            self.session.post_notice(say("widgets.no_image_layer_of"))
            return
        from neuraxis.app.layers import lps_from_world

        try:
            self.session.segment_at(series_id, lps_from_world(event.position[-3:]))
        except NeuraxisError as error:
            self.session.post_error(error)

    def _drop_callback(self) -> None:
        if self._callback is not None and self._callback in self.viewer.mouse_drag_callbacks:
            self.viewer.mouse_drag_callbacks.remove(self._callback)
        self._callback = None
        self.tied.options.set(tool=Tool.WINDOW)

    def jump(self, tracking_uid: str) -> None:
        """Crosshair, panels and sliders to a lesion."""
        self.session.set_active_lesion(tracking_uid)
        self.session.jump_to_lesion(tracking_uid)
        if self.tied.grid is not None:
            self.tied.grid.focus()

    def detach(self) -> None:
        """No click is waited for any more."""
        self._drop_callback()
        super().detach()


class TagDock(NeuraxisDock):
    """Tags with verdicts and evidence."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.sheet = self.add_part(TagSheet(self.session, self), 1)
        self.sheet.point_requested.connect(self.show_point)
        self.sheet.register_requested.connect(self.tell_unregistered)

    def show_point(self, frame: str, point: Any) -> None:
        """Crosshair to where evidence was measured."""
        series = next((s for s in self.session.series if s.frame_of_reference_uid == frame and s.is_volume), None)
        if series is not None:
            self.session.set_point(series, point)

    def tell_unregistered(self) -> None:
        """Some evidence needs a registration first."""
        self.session.post_notice(say("widgets.some_series_are_not"))


class LinkingDock(NeuraxisDock):
    """Frames of reference and registrations."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.sheet = self.add_part(RegistrationSheet(self.session, self))
        self.add_part(ProgressLine(self.session, self))
        self.column.addStretch(1)
