"""Small line drawings for the tool buttons, drawn in the colour of the text so that they fit light and dark."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QLineF, QPointF, QRectF, Qt
from qtpy.QtGui import QIcon, QPainter, QPalette, QPen, QPixmap, QPolygonF

from neuraxis.app.options import Tool

SIZE = 20


def _lines(*ends: tuple[float, float, float, float]) -> Callable[[Any], None]:
    return lambda p: p.drawLines([QLineF(*e) for e in ends])


def _window(p: Any) -> None:
    p.drawEllipse(QRectF(3, 3, 14, 14))
    p.setBrush(p.pen().color())
    p.drawPie(QRectF(3, 3, 14, 14), 90 * 16, 180 * 16)


def _zoom(p: Any) -> None:
    p.drawEllipse(QRectF(3, 3, 10, 10))
    p.drawLine(QLineF(12, 12, 17, 17))


def _oblique(p: Any) -> None:
    p.drawPolygon(QPolygonF([QPointF(3, 14), QPointF(12, 17), QPointF(17, 6), QPointF(8, 3)]))


def _segment(p: Any) -> None:
    p.drawEllipse(QRectF(4, 5, 11, 10))
    p.drawPoint(QPointF(10, 10))
    p.drawLine(QLineF(10, 10, 10.5, 10))


def _polygon(p: Any) -> None:
    p.drawPolygon(QPolygonF([QPointF(4, 6), QPointF(11, 3), QPointF(17, 9), QPointF(13, 16), QPointF(5, 15)]))


def _region(p: Any) -> None:
    pen = p.pen()
    pen.setStyle(Qt.PenStyle.DashLine)
    p.setPen(pen)
    p.drawRect(QRectF(3, 5, 14, 10))


_DRAWINGS: dict[Tool, Callable[[Any], None]] = {
    Tool.WINDOW: _window,
    Tool.CROSSHAIR: _lines((10, 2, 10, 8), (10, 12, 10, 18), (2, 10, 8, 10), (12, 10, 18, 10)),
    Tool.PAN: _lines((10, 2, 10, 18), (2, 10, 18, 10), (10, 2, 8, 5), (10, 2, 12, 5), (10, 18, 8, 15), (10, 18, 12, 15),
                     (2, 10, 5, 8), (2, 10, 5, 12), (18, 10, 15, 8), (18, 10, 15, 12)),
    Tool.ZOOM: _zoom,
    Tool.SCROLL: _lines((4, 5, 16, 5), (4, 10, 16, 10), (4, 15, 16, 15)),
    Tool.ROTATE: _oblique,
    Tool.SEGMENT: _segment,
    Tool.LENGTH: _lines((4, 16, 16, 4), (2, 14, 6, 18), (14, 2, 18, 6)),
    Tool.BIDIRECTIONAL: _lines((3, 17, 17, 3), (6, 7, 13, 14)),
    Tool.ANGLE: _lines((16, 4, 4, 15), (4, 15, 17, 15)),
    Tool.ELLIPSE: lambda p: p.drawEllipse(QRectF(2, 5, 16, 10)),
    Tool.POLYGON: _polygon,
    Tool.PROBE: _lines((10, 6, 10, 14), (6, 10, 14, 10)),
    Tool.WINDOW_REGION: _region,
}


def tool_icon(tool: Tool, palette: QPalette) -> QIcon:
    """The drawing of a tool, sharp on screens of double resolution."""
    pixmap = QPixmap(SIZE * 2, SIZE * 2)
    pixmap.setDevicePixelRatio(2.0)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(palette.color(QPalette.ColorRole.ButtonText), 1.6))
    _DRAWINGS[tool](painter)
    painter.end()
    return QIcon(pixmap)
