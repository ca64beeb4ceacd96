"""The page of the figure desk: shows the figure as it will be printed and lets panels and marks be dragged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QKeySequence, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from neuraxis.app.figure_desk import FigureDesk
from neuraxis.app.figure_desk_commands import DESK_COMMANDS
from neuraxis.figures import editing, mark_editing
from neuraxis.figures.recipe import VolumePanel
from neuraxis.ui.connections import Connections
from neuraxis.ui.figure_desk_painting import paint_scene

MARGIN_PX = 14
HIT_PX = 9
"""How near to a mark or handle the mouse takes hold of it."""
CHOSEN = QColor(86, 180, 233)
_EMPTY = (
    "The figure is empty.\n\nCapture the active panel of the reading grid (Ctrl+Shift+C),\npaste a legend (Ctrl+L), "
    "open a recipe (Ctrl+O)\nor add a picture (Ctrl+P)."
)


@dataclass
class Drag:
    """What the mouse holds: 'panel', 'view', 'mark', 'handle' or 'crop', where it took hold, where it is now (page mm)."""

    kind: str
    start: tuple[float, float]
    now: tuple[float, float]
    offset: tuple[float, float] = (0.0, 0.0)
    moved: bool = False


class FigureCanvas(QWidget):
    """The page.

    Signals
    -------
    command_requested(str) : a key of the desk was pressed
    text_requested : a panel or mark was double-clicked
    """

    command_requested = Signal(str)
    text_requested = Signal()

    def __init__(self, desk: FigureDesk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.placing = ""
        """Kind of mark that the next click places; "crop" for a rectangle."""
        self.drag: Drag | None = None
        self._keys = {QKeySequence(key).toString(): c.id for c in DESK_COMMANDS for key in c.keys}
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumSize(320, 240)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Figure")
        self._links = Connections(self)
        self._links.connect(desk.changed, self._refresh)
        self._refresh()

    def detach(self) -> None:
        """Stop listening."""
        self._links.release()

    def sizeHint(self) -> QSize:
        """Room for two journal columns on a screen."""
        return QSize(760, 620)

    def _refresh(self) -> None:
        recipe, chosen = self._desk.recipe, self._desk.chosen
        words = "empty"
        if recipe is not None:
            panels = ", ".join(p.letter for p in recipe.panels)
            mark = f", mark {chosen.mark + 1}" if chosen.mark is not None else ""
            words = f"panels {panels}; chosen: panel {chosen.letter}{mark}"
        self.setAccessibleDescription(words)
        self.update()

    # Page and screen

    def page_scale(self) -> tuple[float, float, float]:
        """Pixels for a millimetre of the page, and the page's left top corner in pixels."""
        scene = self._desk.scene()
        if scene is None:
            return 1.0, 0.0, 0.0
        room = max(self.width() - 2 * MARGIN_PX, 10), max(self.height() - 2 * MARGIN_PX, 10)
        scale = min(room[0] / scene.width_mm, room[1] / scene.height_mm)
        return scale, (self.width() - scale * scene.width_mm) / 2, (self.height() - scale * scene.height_mm) / 2

    def to_page(self, position: Any) -> tuple[float, float]:
        """Page mm under a position of the widget."""
        scale, left, top = self.page_scale()
        return (position.x() - left) / scale, (position.y() - top) / scale

    def to_screen(self, x_mm: float, y_mm: float) -> QPointF:
        """Where a place of the page is in the widget."""
        scale, left, top = self.page_scale()
        return QPointF(left + x_mm * scale, top + y_mm * scale)

    def panel_at(self, at: tuple[float, float]) -> str:
        """Letter of the panel at a place of the page, "" for none."""
        if self._desk.recipe is None:
            return ""
        for letter, box in self._desk.figure().page.boxes.items():
            if box.x_mm <= at[0] <= box.x_mm + box.width_mm and box.y_mm <= at[1] <= box.y_mm + box.height_mm:
                return letter
        return ""

    def mark_at(self, at: tuple[float, float]) -> tuple[str, int, str] | None:
        """Panel, number and part ('mark' or 'handle') of the mark at a place of the page."""
        if self._desk.recipe is None:
            return None
        figure, reach = self._desk.figure(), HIT_PX / self.page_scale()[0]
        found: list[tuple[float, str, int, str]] = []
        for panel in figure.recipe.panels:
            for index, mark in enumerate(mark_editing.marks_of(figure.recipe, panel.letter)):
                tip = mark_editing.anchor_on_page(figure, panel.letter, mark)
                handle = mark_editing.handle_on_page(figure, panel.letter, mark)
                if handle is not None:
                    found.append((_apart(at, handle) - 0.01, panel.letter, index, "handle"))
                    if mark.kind in ("arrow", "arrowhead", "line"):
                        middle = ((tip[0] + handle[0]) / 2, (tip[1] + handle[1]) / 2)
                        found.append((_apart(at, middle), panel.letter, index, "mark"))
                found.append((_apart(at, tip), panel.letter, index, "mark"))
        nearest = min(found, default=None)
        return nearest[1:] if nearest is not None and nearest[0] <= reach else None

    # Painting

    def paintEvent(self, _event: Any) -> None:
        """The page, what is chosen, and what is being dragged."""
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillRect(self.rect(), self.palette().mid())
        scene = self._desk.scene()
        if scene is None:
            painter.setPen(self.palette().windowText().color())
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, _EMPTY)
            painter.end()
            return
        scale, left, top = self.page_scale()
        painter.translate(left, top)
        painter.scale(scale, scale)
        paint_scene(painter, scene)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        self._paint_chosen(painter, scale)
        self._paint_drag(painter, scale)
        painter.end()

    def _paint_chosen(self, painter: Any, scale: float) -> None:
        figure, chosen = self._desk.figure(), self._desk.chosen
        box = figure.page.boxes.get(chosen.letter)
        if box is None:
            return
        painter.setPen(QPen(CHOSEN, (2.5 if self.hasFocus() else 1.5) / scale))
        painter.drawRect(QRectF(box.x_mm, box.y_mm, box.width_mm, box.height_mm))
        marks = mark_editing.marks_of(figure.recipe, chosen.letter)
        if chosen.mark is None or chosen.mark >= len(marks):
            return
        mark, size = marks[chosen.mark], 8 / scale
        handle = mark_editing.handle_on_page(figure, chosen.letter, mark)
        for x, y in (mark_editing.anchor_on_page(figure, chosen.letter, mark), *((handle,) if handle else ())):
            painter.fillRect(QRectF(x - size / 2, y - size / 2, size, size), QColor(255, 255, 255, 160))
            painter.drawRect(QRectF(x - size / 2, y - size / 2, size, size))

    def _paint_drag(self, painter: Any, scale: float) -> None:
        drag = self.drag
        if drag is None or not drag.moved:
            return
        painter.setPen(QPen(CHOSEN, 3 / scale))
        if drag.kind == "crop":
            painter.drawRect(QRectF(QPointF(*drag.start), QPointF(*drag.now)))
        elif drag.kind == "panel":
            x0, y0, x1, y1 = self.drop_line(drag.now)
            painter.drawLine(QPointF(x0, y0), QPointF(x1, y1))

    # Arranging

    def drop_place(self, at: tuple[float, float]) -> tuple[int, int, bool]:
        """Row, column, and whether a row of its own: where a panel dropped at a place of the page would go."""
        figure = self._desk.figure()
        rows, boxes = editing.rows_of(figure), figure.page.boxes
        for number, row in enumerate(rows):
            top = min(boxes[x].y_mm for x in row)
            bottom = max(boxes[x].y_mm + boxes[x].height_mm for x in row)
            if at[1] < top + 0.15 * (bottom - top):
                return number, 0, True
            if at[1] <= bottom - (0.15 * (bottom - top) if number == len(rows) - 1 else 0.0):
                middles = [boxes[x].x_mm + boxes[x].width_mm / 2 for x in row]
                return number, sum(m < at[0] for m in middles), False
        return len(rows), 0, True

    def drop_line(self, at: tuple[float, float]) -> tuple[float, float, float, float]:
        """The line (page mm) that shows where a dropped panel would go."""
        figure = self._desk.figure()
        rows, boxes = editing.rows_of(figure), figure.page.boxes
        row, column, own_row = self.drop_place(at)
        page = self._desk.scene()
        assert page is not None
        if own_row:
            y = boxes[rows[row][0]].y_mm if row < len(rows) else page.height_mm
            return 0.0, y, page.width_mm, y
        here = [boxes[x] for x in rows[row]]
        x = here[column].x_mm if column < len(here) else here[-1].x_mm + here[-1].width_mm
        return x, here[0].y_mm, x, here[0].y_mm + here[0].height_mm

    # Mouse

    def mousePressEvent(self, event: Any) -> None:
        """Take hold of a handle, a mark or a panel; place a mark; begin a crop. The right button moves the picture."""
        self.setFocus()
        if self._desk.recipe is None:
            return
        at = self.to_page(event.position())
        letter = self.panel_at(at)
        if self.placing == "crop":
            if letter:
                self._desk.choose(letter)
                self.drag = Drag("crop", at, at)
            return
        if self.placing:
            if letter:
                self.place_mark(letter, at)
            return
        grip = self.mark_at(at) if event.button() == Qt.MouseButton.LeftButton else None
        if grip is not None:
            letter, index, part = grip
            self._desk.choose(letter, index)
            mark = mark_editing.marks_of(self._desk.figure_recipe(), letter)[index]
            figure = self._desk.figure()
            held = mark_editing.anchor_on_page(figure, letter, mark) if part == "mark" else mark_editing.handle_on_page(
                figure, letter, mark)
            assert held is not None
            self.drag = Drag(part, at, at, (held[0] - at[0], held[1] - at[1]))
        elif letter:
            self._desk.choose(letter)
            moves_view = event.button() == Qt.MouseButton.RightButton or bool(
                event.modifiers() & Qt.KeyboardModifier.AltModifier)
            self.drag = Drag("view" if moves_view else "panel", at, at)

    def place_mark(self, letter: str, at: tuple[float, float]) -> None:
        """Put the mark in hand at a place of the page; it is chosen, and its handle follows while the button is held."""
        kind, self.placing = self.placing, ""
        before = self._desk.recipe
        self._desk.edit(f"place {kind}", lambda f: mark_editing.with_new_mark(f, letter, kind, *at))
        if self._desk.recipe is not before and self._desk.recipe is not None:
            index = len(mark_editing.marks_of(self._desk.recipe, letter)) - 1
            self._desk.choose(letter, index)
            if kind == "text":
                self.text_requested.emit()
            elif kind != "asterisk":
                self.drag = Drag("handle", at, at)
        self.unsetCursor()

    def mouseMoveEvent(self, event: Any) -> None:
        """Drag what is held; the page follows at once."""
        drag = self.drag
        if drag is None:
            return
        drag.now = self.to_page(event.position())
        if not drag.moved and _apart(drag.start, drag.now) * self.page_scale()[0] < 4:
            return
        drag.moved = True
        if drag.kind in ("mark", "handle", "view"):
            self._follow(drag)
        else:
            self.update()

    def _follow(self, drag: Drag) -> None:
        chosen, desk = self._desk.chosen, self._desk
        desk.session.guard(lambda: desk.propose(self._dragged(drag, chosen.letter, chosen.mark)))

    def _dragged(self, drag: Drag, letter: str, index: int | None) -> Any:
        """The recipe with what is held at the mouse, from the figure as it was when the drag began."""
        figure = self._desk.settled_figure()
        if drag.kind == "view":
            return editing.panned(figure, letter, drag.now[0] - drag.start[0], drag.now[1] - drag.start[1])
        change: Callable[..., Any] = mark_editing.with_mark_at if drag.kind == "mark" else mark_editing.with_handle_at
        return change(figure, letter, index, drag.now[0] + drag.offset[0], drag.now[1] + drag.offset[1])

    def mouseReleaseEvent(self, _event: Any) -> None:
        """Let go: one step that can be undone."""
        drag, self.drag = self.drag, None
        if drag is None:
            return
        letter = self._desk.chosen.letter
        if drag.moved and drag.kind in ("mark", "handle", "view"):
            self._desk.settle({"mark": "move mark", "handle": "turn mark", "view": "move picture"}[drag.kind])
        elif drag.moved and drag.kind == "panel":
            row, column, own_row = self.drop_place(drag.now)
            self._desk.edit("arrange", lambda f: editing.moved_panel(f, letter, row, column, own_row=own_row))
        elif drag.kind == "crop":
            self._crop(drag, letter)
        self.update()

    def _crop(self, drag: Drag, letter: str) -> None:
        self.placing = ""
        self.unsetCursor()
        box = self._desk.figure().page.boxes[letter]
        left, right = sorted(min(max(v, box.x_mm), box.x_mm + box.width_mm) for v in (drag.start[0], drag.now[0]))
        top, bottom = sorted(min(max(v, box.y_mm), box.y_mm + box.height_mm) for v in (drag.start[1], drag.now[1]))
        if right - left > 2 and bottom - top > 2:
            self._desk.edit("crop", lambda f: editing.cropped_to(
                f, letter, left - box.x_mm, top - box.y_mm, right - left, bottom - top))

    def mouseDoubleClickEvent(self, event: Any) -> None:
        """The text of a panel or mark."""
        if self.panel_at(self.to_page(event.position())):
            self.drag = None
            self.text_requested.emit()

    def wheelEvent(self, event: Any) -> None:
        """Enlarge the panel under the mouse about that place."""
        at = self.to_page(event.position())
        letter = self.panel_at(at)
        recipe = self._desk.recipe
        if recipe is None or not letter or not isinstance(editing.panel_of(recipe, letter), VolumePanel):
            return
        factor = 1.15 ** (event.angleDelta().y() / 120)
        self._desk.choose(letter)
        self._desk.edit("zoom", lambda f: editing.zoomed(f, letter, factor, *at), merge=f"zoom {letter}")
        event.accept()

    # Keys

    def event(self, event: Any) -> bool:
        """The desk's keys are its own while it has the focus, whatever they mean elsewhere in the window."""
        if event.type() == QEvent.Type.ShortcutOverride and self._command_of(event):
            event.accept()
            return True
        return bool(super().event(event))

    def _command_of(self, event: Any) -> str:
        pressed = QKeySequence(event.keyCombination()).toString()
        # signs such as + or ] need Shift on some keyboards
        sign = event.text() if event.text().isprintable() and not event.text().isalnum() else ""
        return self._keys.get(pressed) or self._keys.get(sign, "")

    def keyPressEvent(self, event: Any) -> None:
        """A command of the desk."""
        command = self._command_of(event)
        if command:
            self.command_requested.emit(command)
            event.accept()
        else:
            super().keyPressEvent(event)


def _apart(a: tuple[float, float], b: tuple[float, float]) -> float:
    return float(((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5)
