"""Drawings in a panel: placing their points, dragging their handles, painting them with their numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QLineF, QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPen, QPolygonF

from neuraxis.app.drawings import (
    DRAGGED,
    POINTS_OF,
    ellipse_axes,
    lies_on,
    make_drawing,
    square_to,
    window_of_region,
)
from neuraxis.app.history import Drawing
from neuraxis.app.options import Tool
from neuraxis.app.views import ScreenView, vector3
from neuraxis.domain.geometry import Vector3
from neuraxis.domain.volume import Volume
from neuraxis.errors import NeuraxisError
from neuraxis.ui import panel_marks, theme

if TYPE_CHECKING:
    from neuraxis.ui.slice_panel import SlicePanel

HANDLE_PX = 7


class Placing:
    """What is being placed or dragged in one panel."""

    def __init__(self, panel: SlicePanel) -> None:
        self.panel = panel
        self.tool: Tool | None = None
        self.points: list[Vector3] = []
        self.hover: Vector3 | None = None
        self._moved: tuple[Drawing, int] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a drawing is begun or a handle is held."""
        return self.tool is not None or self._moved is not None

    def cancel(self) -> None:
        """Drop what is being placed."""
        self.tool, self.points, self.hover, self._moved = None, [], None, None
        self.panel.update()

    def _point(self, at: QPointF) -> Vector3 | None:
        view = self.panel.scene.view()
        return None if view is None else vector3(view.lps_from_screen((at.x(), at.y())))

    # Mouse

    def grab_handle(self, at: QPointF) -> bool:
        """Take hold of a handle under the mouse."""
        view = self.panel.scene.view()
        if view is None:
            return False
        for drawing in reversed(self.visible()):
            screen = view.screen_from_lps(drawing.points_lps_mm)
            near = np.hypot(screen[:, 0] - at.x(), screen[:, 1] - at.y())
            if float(near.min()) <= HANDLE_PX:
                self.panel.session.set_active_drawing(drawing.uid)
                self._moved = (drawing, int(near.argmin()))
                return True
        return False

    def press(self, tool: Tool, at: QPointF) -> None:
        """A point begins here."""
        point = self._point(at)
        if point is None:
            return
        if self.tool is not tool:
            self.tool, self.points = tool, []
        self.points.append(point)
        self.hover = point

    def move(self, at: QPointF) -> None:
        """The point in hand follows the mouse."""
        point = self._point(at)
        if point is None:
            return
        if self._moved is not None:
            drawing, number = self._moved
            points = list(drawing.points_lps_mm)
            points[number] = self._squared(Tool(drawing.tool), points, number, point)
            self._moved = (replace(drawing, points_lps_mm=tuple(points), quantities=()), number)
        elif self.tool is not None:
            self.hover = self._squared(self.tool, [*self.points, point], len(self.points), point)
        self.panel.update()

    def _squared(self, tool: Tool, points: list[Vector3], number: int, point: Vector3) -> Vector3:
        if tool is Tool.BIDIRECTIONAL and number == 3:
            return square_to(points[:2], points[2], point)
        return point

    def release(self, at: QPointF, *, moved: bool) -> None:
        """A point or a handle is let go."""
        if self._moved is not None:
            drawing, _ = self._moved
            self._moved = None
            if moved:
                self._finish(drawing.uid, Tool(drawing.tool), list(drawing.points_lps_mm))
            return
        if self.tool is None:
            return
        if self.tool in DRAGGED:
            if not moved:
                self.points.pop()
                if not self.points:
                    self.cancel()
                return
            self.move(at)
            if self.hover is not None:
                self.points.append(self.hover)
        if len(self.points) == POINTS_OF.get(self.tool, -1):
            self._finish("", self.tool, self.points)

    def double_click(self) -> bool:
        """Close a polygon; whether there was one."""
        if self.tool is not Tool.POLYGON or len(self.points) < 3:
            return False
        self._finish("", Tool.POLYGON, self.points)
        return True

    def _finish(self, uid: str, tool: Tool, points: list[Vector3]) -> None:
        panel = self.panel
        series, volume, view = panel.scene.series, panel.scene.volume, panel.scene.view()
        self.cancel()
        if series is None or volume is None or view is None:
            return
        if tool is Tool.WINDOW_REGION:
            self._window_from(points)
            return
        try:
            near = around_region(volume, tool, points, view)
            drawing = make_drawing(uid or panel.session.new_drawing_uid(), tool, points, series, near, view)
        except NeuraxisError as error:
            panel.session.post_error(error)
        else:
            panel.session.add_drawing(drawing)

    def _window_from(self, points: list[Vector3]) -> None:
        picture = self.panel.scene.picture()
        if picture is None:
            return
        down, right = np.asarray(picture.step_down_mm), np.asarray(picture.step_right_mm)
        offsets = np.asarray(points) - np.asarray(picture.origin_lps_mm)
        rc = np.stack([offsets @ down / (down @ down), offsets @ right / (right @ right)], axis=1)
        shape = picture.values.shape
        low = np.clip(np.floor(rc.min(axis=0) + 0.5), 0, np.array(shape) - 1).astype(int)
        high = np.clip(np.floor(rc.max(axis=0) + 0.5) + 1, low + 1, shape).astype(int)
        self.panel.set_window(window_of_region(picture.values[low[0] : high[0], low[1] : high[1]]))

    # Painting

    def visible(self) -> list[Drawing]:
        """Drawings of this series that lie in the slice shown."""
        scene = self.panel.scene
        view, series = scene.view(), scene.series
        if view is None or series is None:
            return []
        half = scene.slice_spacing_mm / 2
        return [d for d in self.panel.session.case.drawings if d.series_id == series.id and lies_on(d, view, half)]

    def draw(self, painter: QPainter, view: ScreenView) -> None:
        """All drawings of this slice and the one being placed."""
        held = self._moved[0] if self._moved else None
        for drawing in self.visible():
            if held is None or drawing.uid != held.uid:
                active = drawing.uid == self.panel.session.active_drawing
                self._draw_one(painter, view, drawing.tool, drawing.points_lps_mm, drawing.label, active=active)
        if held is not None:
            self._draw_one(painter, view, held.tool, held.points_lps_mm, "", active=True)
        if self.tool is not None:
            points = tuple(self.points) + ((self.hover,) if self.hover else ())
            self._draw_one(painter, view, self.tool.value, points, "", active=True)

    def _draw_one(
        self, painter: QPainter, view: ScreenView, tool: str, points: tuple[Vector3, ...], label: str, *, active: bool
    ) -> None:
        screen = [QPointF(float(x), float(y)) for x, y in view.screen_from_lps(points)]
        for colour, width in ((theme.SHADOW, 3.6), (theme.DRAWING, 2.0 if active else 1.3)):
            painter.setPen(QPen(QColor(colour), width))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            _draw_shape(painter, view, Tool(tool), points, screen)
        if active:
            for p in screen:
                painter.drawRect(QRectF(p.x() - 3, p.y() - 3, 6, 6))
        if label and screen:
            at = max(screen, key=lambda p: p.x() + p.y())
            panel_marks.draw_plate(painter, QPointF(at.x() + 10, at.y() + 4), label, theme.DRAWING)


def around_region(volume: Volume, tool: Tool, points: list[Vector3], view: ScreenView) -> Volume:
    """The part of a volume that a region can touch: what is measured is the same, and a mouse waits less for it."""
    corners = np.asarray(points, dtype=np.float64)
    if tool is Tool.ELLIPSE:
        centre, a, b = ellipse_axes(points, view.right, view.down)
        corners = np.array([centre + i * a + j * b for i in (-1, 1) for j in (-1, 1)])
    elif tool is not Tool.POLYGON:
        return volume
    index = volume.geometry.index_from_lps(corners)
    shape = np.asarray(volume.array.shape)
    low = np.clip(np.floor(index.min(axis=0)).astype(int) - 2, 0, shape)
    high = np.clip(np.ceil(index.max(axis=0)).astype(int) + 3, 0, shape)
    if bool(np.any(high <= low)):
        return volume
    (z0, y0, x0), (z1, y1, x1) = low.tolist(), high.tolist()
    return volume.cropped((z0, y0, x0), (z1, y1, x1))


def _draw_shape(
    painter: QPainter, view: ScreenView, tool: Tool, points: tuple[Vector3, ...], screen: list[QPointF]
) -> None:
    if tool is Tool.PROBE:
        x, y = screen[0].x(), screen[0].y()
        painter.drawLines([QLineF(x - 7, y, x - 2, y), QLineF(x + 2, y, x + 7, y), QLineF(x, y - 7, x, y - 2),
                           QLineF(x, y + 2, x, y + 7)])
    elif tool is Tool.ELLIPSE and len(points) == 2:
        centre, a, b = ellipse_axes(points, view.right, view.down)
        x, y = view.screen_from_lps(centre)
        half_a, half_b = (float(np.linalg.norm(v)) / view.mm_per_pixel for v in (a, b))
        painter.drawEllipse(QPointF(float(x), float(y)), half_a, half_b)
    elif tool is Tool.WINDOW_REGION and len(points) == 2:
        painter.drawRect(QRectF(screen[0], screen[1]))
    elif tool is Tool.BIDIRECTIONAL:
        for k in range(0, len(screen) - 1, 2):
            painter.drawLine(QLineF(screen[k], screen[k + 1]))
    elif tool is Tool.POLYGON and len(screen) > 2:
        painter.drawPolygon(QPolygonF(screen))
    else:
        painter.drawPolyline(QPolygonF(screen))
