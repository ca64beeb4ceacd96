"""What the mouse does in a panel: the tool on the left button, zoom, pan and slices on the others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QPainter

from neuraxis.align.planes import Projection
from neuraxis.app.drawings import PLACING
from neuraxis.app.options import Tool
from neuraxis.app.views import ScreenView, vector3
from neuraxis.domain.window import Window, WindowFunction
from neuraxis.ui.placing import Placing

if TYPE_CHECKING:
    from neuraxis.ui.slice_panel import SlicePanel

GRIP_PX = 6
"""How near to the border of a swipe the mouse takes hold of it."""
CLICK_PX = 4
"""A press that moves less than this is a click."""
FAST_STEP = 10


def dragged_window(start: Window, dx: float, dy: float, *, down_brightens: bool) -> Window:
    """The window after a drag: right widens, down raises or lowers the level; the whole width takes about 250 pixels."""
    per_pixel = max(start.width, 1e-6) / 250
    least = 1.0 if start.function is WindowFunction.LINEAR else 1e-6
    # a darker picture is a higher level: dragging down brightens by lowering it
    sign = -1.0 if down_brightens else 1.0
    return Window(start.center + sign * dy * per_pixel, max(least, start.width + dx * per_pixel), start.function)


class PanelMouse:
    """The mouse state of one panel: which button went down where, and what it drags."""

    def __init__(self, panel: SlicePanel) -> None:
        self.panel = panel
        self._button: Any = None
        self._start = QPointF()
        self._last = QPointF()
        self._moved = False
        self._window: Window | None = None
        self._wheel_rest = 0.0
        self._scroll_rest = 0.0
        self._swiping = False
        self.placing = Placing(panel)

    def press(self, event: Any) -> None:
        """A button went down."""
        if self._button is not None:
            return
        self._button, self._moved = event.button(), False
        self._start = self._last = event.position()
        self._window = self.panel.scene.window()
        self._scroll_rest = 0.0
        self._swiping = self._button == Qt.MouseButton.LeftButton and self.is_on_swipe(self._start)
        if self._swiping:
            return
        if self._button == Qt.MouseButton.LeftButton and not self.placing.grab_handle(self._start):
            tool = self._tool(event)
            if tool in PLACING:
                self.placing.press(tool, self._start)
            elif self.placing.is_busy:
                self.placing.cancel()

    def move(self, event: Any) -> None:
        """Drag, or tell what is under the mouse."""
        at = event.position()
        if self._button is None:
            reading = self.panel.scene.reading_at(at.x(), at.y())
            self.panel.hovered.emit(self.panel, reading)
            shape = Qt.CursorShape.SplitHCursor if self.is_on_swipe(at) else Qt.CursorShape.ArrowCursor
            if self.panel.cursor().shape() != shape:
                self.panel.setCursor(shape)
            if self.placing.is_busy:
                self.placing.move(at)
            return
        if not self._moved and (at - self._start).manhattanLength() < CLICK_PX:
            return
        self._moved = True
        delta = at - self._last
        self._last = at
        if self._swiping:
            share = min(1.0, max(0.0, at.x() / max(1, self.panel.width())))
            self.panel.set_state(replace(self.panel.state, swipe=share))
            return
        if self._button == Qt.MouseButton.LeftButton and self.placing.is_busy:
            self.placing.move(at)
            return
        self._drag(self._tool(event), at, delta)

    def release(self, event: Any) -> None:
        """A button came up; without a drag it was a click."""
        if event.button() != self._button:
            return
        button, moved, self._button = self._button, self._moved, None
        self.panel.scene.coarse = False
        if self._swiping:
            self._swiping = False
        elif button == Qt.MouseButton.LeftButton and self.placing.is_busy:
            self.placing.release(event.position(), moved=moved)
        elif not moved:
            self._click(button, event)
        self.panel.update()

    def is_on_swipe(self, at: QPointF) -> bool:
        """Whether the mouse is on the border between two series."""
        swipe = self.panel.state.swipe
        shown = swipe is not None and bool(self.panel.state.overlay_id)
        return shown and abs(at.x() - (swipe or 0.0) * self.panel.width()) <= GRIP_PX

    def double_click(self, event: Any) -> bool:
        """Whether the tool took the double click."""
        return event.button() == Qt.MouseButton.LeftButton and self.placing.double_click()

    def draw(self, painter: QPainter, view: ScreenView) -> None:
        """Drawings of this slice and what is being placed."""
        self.placing.draw(painter, view)

    def _tool(self, event: Any) -> Tool:
        if self._button == Qt.MouseButton.MiddleButton:
            return Tool.PAN
        if self._button == Qt.MouseButton.RightButton:
            return Tool.ZOOM
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            return Tool.CROSSHAIR
        return self.panel.options.now.tool

    def _drag(self, tool: Tool, at: QPointF, delta: QPointF) -> None:
        panel, scene = self.panel, self.panel.scene
        if tool in (Tool.WINDOW, Tool.SEGMENT):
            self._drag_window(at)
        elif tool is Tool.CROSSHAIR:
            scene.coarse = True
            self._place_point(at)
        elif tool is Tool.PAN:
            self._pan(delta)
        elif tool is Tool.ZOOM:
            self.zoom(1.01 ** (-delta.y()), self._start)
        elif tool is Tool.SCROLL:
            self._scroll(delta.y())
        elif tool is Tool.ROTATE:
            scene.coarse = True
            a, b = panel.state.rotation_degrees
            panel.set_state(replace(panel.state, rotation_degrees=(a + delta.x() / 4, b - delta.y() / 4)))

    def _drag_window(self, at: QPointF) -> None:
        if self._window is None:
            return
        offset = at - self._start
        down_brightens = self.panel.options.now.drag_down_brightens
        self.panel.set_window(
            dragged_window(self._window, offset.x(), offset.y(), down_brightens=down_brightens)
        )

    def _place_point(self, at: QPointF) -> None:
        view = self.panel.scene.view()
        if view is not None:
            self.panel.scene.set_point(vector3(view.lps_from_screen((at.x(), at.y()))))
            self.panel.update()

    def _pan(self, delta: QPointF) -> None:
        view = self.panel.scene.view()
        if view is not None:
            self.panel.scene.pan(delta.x(), delta.y())
            self.panel.update()
            self.panel.moved.emit(self.panel, 1.0, delta.x() * view.mm_per_pixel, delta.y() * view.mm_per_pixel)

    def zoom(self, factor: float, at: QPointF) -> None:
        """Enlarge about a pixel, and tell the grid."""
        self.panel.scene.zoom(factor, at.x(), at.y())
        self.panel.update()
        self.panel.moved.emit(self.panel, factor, 0.0, 0.0)

    def _scroll(self, dy: float) -> None:
        self._scroll_rest += dy / 5
        whole = int(self._scroll_rest)
        if whole:
            self._scroll_rest -= whole
            self.panel.scene.step(whole)
            self.panel.update()

    def _click(self, button: Any, event: Any) -> None:
        panel = self.panel
        if button == Qt.MouseButton.RightButton:
            panel.menu_requested.emit(panel, event.globalPosition().toPoint())
            return
        if button != Qt.MouseButton.LeftButton:
            return
        self._place_point(event.position())
        view = panel.scene.view()
        if panel.options.now.tool is Tool.SEGMENT and view is not None and panel.scene.volume is not None:
            point = vector3(view.lps_from_screen((event.position().x(), event.position().y())))
            panel.seed_requested.emit(panel.state.series_id, point)

    def wheel(self, event: Any) -> None:
        """One notch is one slice; touch pads add up small steps."""
        notches = (event.angleDelta().y() or event.angleDelta().x()) / 120
        held, keys = event.modifiers(), Qt.KeyboardModifier
        if held & keys.ControlModifier:
            self.zoom(1.15**notches, event.position())
            return
        self._wheel_rest += notches
        whole = int(self._wheel_rest)
        if not whole:
            return
        self._wheel_rest -= whole
        if held & keys.AltModifier:
            self.change_slab(whole)
            return
        # wheel towards the user is the next slice, and slices are counted into the screen
        self.panel.step(-whole * (FAST_STEP if held & keys.ShiftModifier else 1))

    def change_slab(self, notches: int) -> None:
        """Thicker or thinner by a slice; a first notch upwards starts a MIP, or minIP on susceptibility series."""
        panel = self.panel
        state, series = panel.state, panel.scene.series
        if series is None:
            return
        projection = state.projection
        if projection is Projection.NONE:
            projection = Projection.MINIP if series.role.role.value.startswith(("SWI", "GRE")) else Projection.MIP
        slab = max(state.slab_mm, 0.0) + notches * 2 * panel.scene.slice_spacing_mm
        if slab <= panel.scene.slice_spacing_mm:
            panel.set_state(replace(state, slab_mm=0.0, projection=Projection.NONE))
        else:
            panel.set_state(replace(state, slab_mm=min(slab, 200.0), projection=projection))
