"""The figure desk: the page with its buttons, settings and caption; everything also works by keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QToolBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from neuraxis.app.figure_desk import FigureDesk
from neuraxis.app.figure_desk_commands import BY_ID, MARK_KEYS
from neuraxis.app.figure_desk_steps import DeskSteps
from neuraxis.app.panel_scene import PanelScene
from neuraxis.figures.privacy import PrivacyError
from neuraxis.figures.recipe import JOURNAL_WIDTHS_MM
from neuraxis.ui.connections import Connections
from neuraxis.ui.figure_desk_canvas import FigureCanvas

_RESOLUTIONS = (300, 600)
_FORMATS = (
    "PNG (*.png);;TIFF (*.tif);;PDF (*.pdf);;SVG (*.svg);;PowerPoint (*.pptx);;Teaching page (*.html);;All formats (*)"
)
_MARK_SIGNS = {"arrow": "↗", "arrowhead": "➤", "asterisk": "✱", "circle": "○", "box": "□", "line": "╱", "text": "T"}


class CaptionEdit(QPlainTextEdit):
    """A field for the caption; Tab goes on to the next widget.

    Signals
    -------
    left : the focus went elsewhere
    """

    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setPlaceholderText("Caption; {long_axis} and the like are filled from the measurements")
        self.setAccessibleName("Caption of the figure")
        self.setMaximumHeight(74)
        self.setTabChangesFocus(True)

    def focusOutEvent(self, event: Any) -> None:
        """Typing is over."""
        super().focusOutEvent(event)
        self.left.emit()


class FigureDeskSheet(QWidget):
    """A figure in the making, for a dock.

    Parameters
    ----------
    active_panel : gives the panel of the reading grid that is captured

    Signals
    -------
    capture_wanted : the capture key was pressed where no panel is known
    """

    capture_wanted = Signal()

    def __init__(
        self, desk: FigureDesk, active_panel: Callable[[], PanelScene | None], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.desk, self._active_panel = desk, active_panel
        self.canvas = FigureCanvas(desk, self)
        self.steps = DeskSteps(desk)
        self.buttons: dict[str, QToolButton] = {}
        self.status = QLabel(self)
        self.status.setWordWrap(True)
        self.status.setTextFormat(Qt.TextFormat.PlainText)
        self.allow_button = QPushButton(self)
        self.allow_button.clicked.connect(self._allow)
        self.caption = CaptionEdit(self)
        self.width = self._choice("Width of the figure", [f"{w:g} mm" for w in JOURNAL_WIDTHS_MM], self._set_width)
        self.resolution = self._choice("Resolution of the export", [f"{r} dpi" for r in _RESOLUTIONS], self._set_dpi)
        self._arrange()
        self._links = Connections(self)
        link = self._links.connect
        link(desk.changed, self.refresh)
        link(desk.session.study_changed, desk.clear)
        link(self.canvas.command_requested, self.run)
        link(self.canvas.text_requested, self.ask_text)
        link(self.caption.left, self.keep_caption)
        self.refresh()

    def detach(self) -> None:
        """Stop listening."""
        self._links.release()
        self.canvas.detach()

    # Buttons

    def _arrange(self) -> None:
        files, edits = QToolBar(self), QToolBar(self)
        for text, command_id in (
            ("Capture", "file.capture"), ("From legend", "file.legend"), ("Picture", "file.picture"), ("Open", "file.open"),
            ("Save", "file.save"), ("Export", "file.export"),
        ):
            self._button(files, text, command_id)
        files.addSeparator()
        for text, command_id in (("↶", "edit.undo"), ("↷", "edit.redo"), ("✕", "edit.delete")):
            self._button(files, text, command_id)
        files.addSeparator()
        files.addWidget(self.width)
        files.addWidget(self.resolution)
        for kind in MARK_KEYS:
            self._button(edits, _MARK_SIGNS[kind], f"mark.{kind}").setCheckable(True)
        edits.addSeparator()
        for text, command_id in (
            ("Crop", "view.crop"), ("+", "view.zoom_in"), ("−", "view.zoom_out"), ("Window", "view.window"),
            ("= Windows", "view.equal_window"), ("= Fields", "view.equal_field"), ("Locator", "panel.locator"),
            ("Text", "panel.text"), ("a b c", "panel.letters"),
        ):
            self._button(edits, text, command_id)
        self.buttons["view.crop"].setCheckable(True)
        line = QHBoxLayout()
        line.addWidget(self.status, 1)
        line.addWidget(self.allow_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 2, 4, 4)
        column.setSpacing(3)
        column.addWidget(files)
        column.addWidget(edits)
        column.addWidget(self.canvas, 1)
        column.addLayout(line)
        column.addWidget(self.caption)

    def _button(self, bar: QToolBar, text: str, command_id: str) -> QToolButton:
        button = QToolButton(bar)
        button.setText(text)
        button.setToolTip(BY_ID[command_id].tooltip)
        button.setAccessibleName(BY_ID[command_id].text)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(lambda _checked=False: self.run(command_id))
        bar.addWidget(button)
        self.buttons[command_id] = button
        return button

    def _choice(self, name: str, texts: list[str], chosen: Callable[[int], None]) -> QComboBox:
        box = QComboBox(self)
        box.addItems(texts)
        box.setToolTip(name)
        box.setAccessibleName(name)
        box.activated.connect(chosen)
        return box

    def refresh(self) -> None:
        """Show what can be done, what is chosen and what is wrong."""
        recipe, problems = self.desk.recipe, self.desk.problems()
        for command_id, button in self.buttons.items():
            group = command_id.split(".")[0]
            button.setEnabled(recipe is not None or command_id in ("file.capture", "file.legend", "file.picture", "file.open"))
            if group == "mark" or command_id == "view.crop":
                button.setChecked(self.canvas.placing == command_id.split(".")[1])
        for command_id, label in (("edit.undo", self.desk.undo_label), ("edit.redo", self.desk.redo_label)):
            self.buttons[command_id].setEnabled(label is not None)
            self.buttons[command_id].setToolTip(f"{BY_ID[command_id].tooltip}" + (f": {label}" if label else ""))
        refused = next((p for p in problems.values() if isinstance(p, PrivacyError)), None)
        self.allow_button.setVisible(refused is not None)
        if refused is not None:
            self.allow_button.setText(f"Draw it anyway ({refused.override})")
        self.status.setText("; ".join(f"Panel {k}: {p.found}" for k, p in problems.items()) or self._hint())
        if recipe is not None:
            if not self.caption.hasFocus() and self.caption.toPlainText() != recipe.caption:
                self.caption.setPlainText(recipe.caption)
            _select(self.width, f"{recipe.width_mm:g} mm")
            _select(self.resolution, f"{recipe.dpi} dpi")

    def _hint(self) -> str:
        placing, chosen = self.canvas.placing, self.desk.chosen
        if placing == "crop":
            return "Drag a rectangle over a panel.  Esc stops."
        if placing:
            return f"Click where the {placing} goes; drag to turn or resize it.  Esc stops."
        if self.desk.recipe is None:
            return ""
        if chosen.mark is not None:
            return (f"Panel {chosen.letter}, mark {chosen.mark + 1}: drag it or its handle; arrow keys move it, [ ] turn it, "
                    "Del removes it.")
        return (f"Panel {chosen.letter}: drag to arrange, wheel or + - to zoom, right button or arrow keys to move the "
                "picture; PgUp and PgDown choose.")

    # Commands

    def run(self, command_id: str) -> None:
        """Do what a button or key asks for."""
        asks: dict[str, Callable[[], None]] = {
            "file.capture": self.capture, "file.legend": self.ask_legend, "file.picture": self.ask_picture,
            "file.open": self.ask_open, "file.save": self.ask_save, "file.export": self.ask_export,
            "panel.text": self.ask_text, "view.crop": lambda: self._take("crop"), "stop": self._stop,
        }
        group, _, name = command_id.partition(".")
        if command_id in asks:
            asks[command_id]()
        elif group == "mark" and name in MARK_KEYS:
            self._take(name)
        else:
            self.steps.run(command_id)
        self.refresh()

    def capture(self) -> None:
        """Capture the active panel of the reading grid."""
        scene = self._active_panel()
        if scene is None:
            self.capture_wanted.emit()
        else:
            self.desk.capture(scene)

    def _take(self, what: str) -> None:
        """Take a mark or the crop in hand; the same key again places the mark in the middle of the chosen panel."""
        if self.desk.recipe is None:
            return
        if self.canvas.placing == what and what != "crop":
            box = self.desk.figure().page.boxes[self.desk.chosen.letter]
            self.canvas.place_mark(self.desk.chosen.letter, (box.x_mm + box.width_mm / 2, box.y_mm + box.height_mm / 2))
            self.canvas.drag = None
        else:
            self.canvas.placing = what
            self.canvas.setCursor(Qt.CursorShape.CrossCursor)
        self.canvas.setFocus()

    def _stop(self) -> None:
        if self.canvas.placing:
            self.canvas.placing = ""
            self.canvas.unsetCursor()
        elif self.canvas.drag is not None:
            self.canvas.drag = None
            self.desk.drop_proposal()
        else:
            self.desk.choose(self.desk.chosen.letter)

    def _set_width(self, index: int) -> None:
        self.steps.change("width", width_mm=JOURNAL_WIDTHS_MM[index])

    def _set_dpi(self, index: int) -> None:
        self.steps.change("resolution", dpi=_RESOLUTIONS[index])

    def keep_caption(self) -> None:
        """Make the caption as it was typed a step; a field that nobody measured is refused with a message."""
        if self.desk.recipe is not None and self.caption.toPlainText() != self.desk.recipe.caption:
            self.steps.change("caption", caption=self.caption.toPlainText())

    def _allow(self) -> None:
        for problem in self.desk.problems().values():
            if isinstance(problem, PrivacyError):
                self.desk.allow(problem.override)
                return

    # Questions

    def ask_text(self) -> None:
        """Ask for the words of the chosen mark or panel."""
        words = self.steps.text_of_chosen()
        if words is None:
            return
        text, accepted = QInputDialog.getText(self, "Figure", "Text of the mark or panel", text=words)
        if accepted:
            self.steps.set_text(text)

    def ask_legend(self) -> None:
        """Ask for a legend and lay out its figure."""
        dialog = QDialog(self)
        dialog.setWindowTitle("Figure from a legend")
        dialog.resize(620, 320)
        page = QPlainTextEdit(dialog)
        page.setPlaceholderText("FIG. 1. (a) Axial CT in bone window … (arrow). (b) T1 after contrast …")
        page.setTabChangesFocus(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(dialog.accept)
        buttons.rejected.connect(dialog.reject)
        column = QVBoxLayout(dialog)
        column.addWidget(page)
        column.addWidget(buttons)
        if dialog.exec() == QDialog.DialogCode.Accepted and page.toPlainText().strip():
            self.desk.from_legend(page.toPlainText())
        dialog.deleteLater()

    def ask_picture(self) -> None:
        """Ask for a picture file."""
        path, _ = QFileDialog.getOpenFileName(self, "Add picture", "", "Pictures (*.png *.jpg *.jpeg *.tif *.tiff *.dcm)")
        if path:
            self.desk.add_picture(Path(path))

    def ask_open(self) -> None:
        """Ask for a recipe."""
        path, _ = QFileDialog.getOpenFileName(self, "Open recipe", "", "Recipe (*.yaml *.yml)")
        if path:
            self.desk.open_recipe(Path(path))

    def ask_save(self) -> None:
        """Ask where the recipe goes."""
        self.keep_caption()
        path, _ = QFileDialog.getSaveFileName(self, "Save recipe", "figure.recipe.yaml", "Recipe (*.yaml)")
        if path:
            self.desk.save_recipe(Path(path))

    def ask_export(self) -> None:
        """Ask where the figure goes and in which format."""
        self.keep_caption()
        path, chosen = QFileDialog.getSaveFileName(self, "Export figure", "figure.png", _FORMATS)
        if path:
            self.desk.export(Path(path), all_formats=chosen.startswith("All"))


def _select(box: QComboBox, text: str) -> None:
    index = box.findText(text)
    if index < 0:
        box.addItem(text)
        index = box.count() - 1
    if box.currentIndex() != index:
        box.setCurrentIndex(index)
