"""Paints the primitives of a figure's page with Qt, as every export draws them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QBrush, QColor, QImage, QPainterPath, QPen, QPolygonF

from neuraxis.figures.scene import POINT_MM, Circle, Item, Line, Picture, Polygon, Scene, Text, text_shape


def paint_scene(painter: Any, scene: Scene) -> None:
    """Paint a page in millimetres; the painter's unit is the millimetre of the page."""
    painter.fillRect(QRectF(0, 0, scene.width_mm, scene.height_mm), QColor(scene.background))
    for item in scene.items:
        paint_item(painter, item)


def paint_item(painter: Any, item: Item) -> None:
    """Paint one primitive in page millimetres."""
    if isinstance(item, Picture):
        painter.drawImage(QRectF(item.x_mm, item.y_mm, item.width_mm, item.height_mm), _image(item.pixels))
    elif isinstance(item, Text):
        _paint_text(painter, item)
    elif isinstance(item, Polygon):
        polygon = QPolygonF([QPointF(x, y) for x, y in item.points_mm])
        painter.setPen(_pen(item.outline, 2 * item.outline_mm) if item.outline_mm > 0 else Qt.PenStyle.NoPen)
        painter.setBrush(QBrush(QColor(item.outline)))
        painter.drawPolygon(polygon)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QBrush(QColor(item.color)))
        painter.drawPolygon(polygon)
    else:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for colour, width in ((item.halo, item.width_mm + 0.3), (item.color, item.width_mm)):
            painter.setPen(_pen(colour, width))
            if isinstance(item, Circle):
                painter.drawEllipse(QPointF(item.x_mm, item.y_mm), item.radius_mm, item.radius_mm)
            else:
                assert isinstance(item, Line)
                painter.drawPolyline(QPolygonF([QPointF(x, y) for x, y in item.points_mm]))


def _pen(colour: str, width_mm: float) -> Any:
    pen = QPen(QColor(colour), width_mm)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    return pen


def _image(pixels: Any) -> Any:
    contiguous = np.ascontiguousarray(pixels)
    rows, columns = contiguous.shape[:2]
    grey = contiguous.ndim == 2
    kind = QImage.Format.Format_Grayscale8 if grey else QImage.Format.Format_RGB888
    # a copy of its own: the array may go before the image
    return QImage(contiguous.tobytes(), columns, rows, columns * (1 if grey else 3), kind).copy()


def _paint_text(painter: Any, item: Text) -> None:
    path, width = _glyphs(item.text, item.bold)
    if path is None:
        return
    size = item.size_pt * POINT_MM
    painter.save()
    painter.translate(item.x_mm - {"left": 0.0, "center": 0.5, "right": 1.0}[item.align] * width * size, item.y_mm)
    painter.scale(size, -size)
    if item.halo != "none":
        painter.strokePath(path, _pen(item.halo, 0.16))
    painter.fillPath(path, QBrush(QColor(item.color)))
    painter.restore()


@lru_cache(maxsize=512)
def _glyphs(text: str, bold: bool) -> tuple[Any, float]:
    """The outlines that the exports use, as a Qt path at size 1 with y up, and the advance width."""
    outline, width = text_shape(text, bold)
    if outline is None:
        return None, width
    path = QPainterPath()
    path.setFillRule(Qt.FillRule.WindingFill)
    for points, code in outline.iter_segments(curves=True, simplify=False):
        if code == outline.MOVETO:
            path.moveTo(*points)
        elif code == outline.LINETO:
            path.lineTo(*points)
        elif code == outline.CURVE3:
            path.quadTo(*points)
        elif code == outline.CURVE4:
            path.cubicTo(*points)
        elif code == outline.CLOSEPOLY:
            path.closeSubpath()
    return path, width
