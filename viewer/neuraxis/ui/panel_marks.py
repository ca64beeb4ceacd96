"""Everything that is drawn over a panel's picture: corners, letters, scale bar, crosshair, outlines, badges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QLineF, QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPen, QPolygonF

from neuraxis.app.views import ScreenView
from neuraxis.ui import theme

MARGIN = 7
NARROW_PX = 230
"""Below this width the letters at the top and bottom edge move inside the corner texts, which need the room."""
NICE_MM = (1, 2, 5, 10, 20, 50, 100, 200)


@dataclass(frozen=True)
class CornerTexts:
    """Texts of the four corners, lines separated by newlines."""

    top_left: str = ""
    top_right: str = ""
    bottom_left: str = ""
    bottom_right: str = ""


def draw_text(painter: QPainter, rect: QRectF, flags: Any, text: str, colour: QColor) -> None:
    """Text with a dark rim, so that it reads on bright and dark pictures."""
    painter.setPen(theme.SHADOW)
    for dx, dy in ((1, 1), (-1, -1)):
        painter.drawText(rect.translated(dx, dy), flags, text)
    painter.setPen(colour)
    painter.drawText(rect, flags, text)


def wrapped(text: str, limit_px: float, width_of: Callable[[str], float]) -> list[str]:
    """The lines of a text, broken at spaces where they are wider than `limit_px`."""
    lines = []
    for whole in text.split("\n"):
        line = ""
        for word in whole.split(" "):
            longer = f"{line} {word}" if line else word
            if line.strip() and width_of(longer) > limit_px:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return lines


def draw_backed_lines(
    painter: QPainter, area: QRectF, text: str, colour: QColor, *, right: bool, bottom: bool, limit_px: float = 1e6
) -> QRectF:
    """Lines of text in a corner on a dark plate that lets the picture through; returns the plate."""
    metrics = painter.fontMetrics()
    lines = [
        metrics.elidedText(line, Qt.TextElideMode.ElideMiddle, int(limit_px))
        for line in wrapped(text, limit_px, metrics.horizontalAdvance)
    ]
    width = max(metrics.horizontalAdvance(line) for line in lines) + 6
    height = metrics.height() * len(lines) + 2
    x = area.right() - width if right else area.left()
    y = area.bottom() - height if bottom else area.top()
    plate = QRectF(x, y, width, height)
    painter.fillRect(plate, theme.PLATE)
    painter.setPen(colour)
    baseline = y + 1 + metrics.ascent()
    for line in lines:
        left = plate.right() - 3 - metrics.horizontalAdvance(line) if right else plate.left() + 3
        painter.drawText(QPointF(left, baseline), line)
        baseline += metrics.height()
    return plate


def draw_plate(painter: QPainter, at: QPointF, text: str, colour: QColor) -> None:
    """A label beside a drawing, on a dark plate."""
    painter.setFont(theme.panel_font(9))
    draw_backed_lines(painter, QRectF(at.x(), at.y(), 0, 0), text, colour, right=False, bottom=False)


def draw_corners(painter: QPainter, area: QRectF, texts: CornerTexts) -> dict[str, QRectF]:
    """Corner texts; returns the plate of each corner that holds one, by the field's name."""
    inner = area.adjusted(4, 4, -4, -4)
    painter.setFont(theme.panel_font(12, bold=True))
    letter = 0 if area.width() < NARROW_PX else painter.fontMetrics().horizontalAdvance("AH") / 2 + 4
    painter.setFont(theme.panel_font(9))
    limit = inner.width() / 2 - letter - 7
    plates = {}
    for corner, right, bottom in (
        ("top_left", False, False), ("bottom_left", False, True), ("bottom_right", True, True),
        ("top_right", True, False),
    ):
        text = getattr(texts, corner)
        if text:
            plates[corner] = draw_backed_lines(
                painter, inner, text, theme.TEXT, right=right, bottom=bottom, limit_px=limit
            )
    return plates


def room_for_letters(area: QRectF, plates: dict[str, QRectF]) -> QRectF:
    """Where the letters stand: at the edges; in a narrow panel the upper and lower one inside the corner texts."""
    if area.width() >= NARROW_PX and not any(name.startswith("topbadge") for name in plates):
        return area
    top = max((p.bottom() for name, p in plates.items() if name.startswith("top")), default=area.top())
    bottom = min((p.top() for name, p in plates.items() if name.startswith("bottom")), default=area.bottom())
    return QRectF(area.left(), top, area.width(), bottom - top)


def draw_letters(painter: QPainter, area: QRectF, letters: tuple[str, str, str, str]) -> None:
    """Patient letters at the left, right, top and bottom edge."""
    flag = Qt.AlignmentFlag
    painter.setFont(theme.panel_font(12, bold=True))
    inner = area.adjusted(MARGIN, MARGIN - 3, -MARGIN, -MARGIN + 3)
    places = (
        flag.AlignLeft | flag.AlignVCenter, flag.AlignRight | flag.AlignVCenter, flag.AlignHCenter | flag.AlignTop,
        flag.AlignHCenter | flag.AlignBottom,
    )
    for text, place in zip(letters, places, strict=True):
        draw_text(painter, inner, place, text, theme.LETTER)


def scale_bar_mm(mm_per_pixel: float, room_px: float) -> int:
    """The longest round length that fits."""
    fitting = [mm for mm in NICE_MM if mm / mm_per_pixel <= room_px]
    return fitting[-1] if fitting else NICE_MM[0]


def draw_scale_bar(painter: QPainter, area: QRectF, mm_per_pixel: float) -> None:
    """A vertical bar at the right edge, below the letter, with its length."""
    length_mm = scale_bar_mm(mm_per_pixel, area.height() * 0.22)
    length = length_mm / mm_per_pixel
    x = area.right() - MARGIN - 4
    y = area.center().y() + 22
    for colour, width in ((theme.SHADOW, 4), (theme.SCALE_BAR, 1.6)):
        painter.setPen(QPen(colour, width))
        painter.drawLines([
            QLineF(x, y, x, y + length), QLineF(x - 4, y, x + 1, y), QLineF(x - 4, y + length, x + 1, y + length)
        ])
    painter.setFont(theme.panel_font(8))
    text = f"{length_mm} mm"
    room = QRectF(x - 8, y + length / 2 - 8, 0, 16)
    draw_backed_lines(painter, room, text, theme.TEXT, right=True, bottom=False)


def draw_crosshair(painter: QPainter, area: QRectF, at: QPointF, *, registered: bool) -> None:
    """Four lines with a gap round the point; dashed where the point came through a registration."""
    gap, x, y = 14.0, at.x(), at.y()
    area = area.adjusted(24, 24, -24, -24)  # room for the letters at the edges
    pen = QPen(theme.CROSSHAIR_REGISTERED if registered else theme.CROSSHAIR, 1)
    pen.setStyle(Qt.PenStyle.DashLine if registered else Qt.PenStyle.SolidLine)
    painter.setPen(pen)
    lines = []
    if area.top() <= y <= area.bottom():
        lines += [QLineF(area.left(), y, x - gap, y), QLineF(x + gap, y, area.right(), y)]
    if area.left() <= x <= area.right():
        lines += [QLineF(x, area.top(), x, y - gap), QLineF(x, y + gap, x, area.bottom())]
    painter.drawLines(lines)


def draw_badges(painter: QPainter, area: QRectF, badges: Sequence[str], plates: dict[str, QRectF]) -> None:
    """Small plates under the top right corner text; they join `plates` where they reach into the middle."""
    painter.setFont(theme.panel_font(8, bold=True))
    metrics = painter.fontMetrics()
    y = 3.0 + float(plates["top_right"].bottom() if "top_right" in plates else area.top() + 4)
    for badge in badges:
        text = metrics.elidedText(badge, Qt.TextElideMode.ElideRight, int(area.width() - 2 * MARGIN - 10))
        width = metrics.horizontalAdvance(text) + 10
        plate = QRectF(area.right() - MARGIN - width, y, width, metrics.height() + 2)
        if "top_left" in plates and plate.intersects(plates["top_left"]):
            plate.moveTop(plates["top_left"].bottom() + 3)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.BADGE_BACK)
        painter.drawRoundedRect(plate, 3, 3)
        painter.setPen(theme.BADGE_TEXT)
        painter.drawText(plate, Qt.AlignmentFlag.AlignCenter, text)
        if plate.left() < area.center().x() + MARGIN:
            plates[f"topbadge{len(plates)}"] = plate
        y = plate.bottom() + 3
    painter.setBrush(Qt.BrushStyle.NoBrush)


def draw_outline(
    painter: QPainter, segments: NDArray[np.float64], colour: QColor, *, active: bool,
    line: Qt.PenStyle = Qt.PenStyle.SolidLine,
) -> None:
    """Outline of a mask given as screen segments (n, 2, 2)."""
    lines = [QLineF(a[0], a[1], b[0], b[1]) for a, b in segments]
    painter.setPen(QPen(theme.SHADOW, 2.6))
    painter.drawLines(lines)
    pen = QPen(colour, 1.5 if active else 1.0, line)
    if line is not Qt.PenStyle.SolidLine:
        painter.setPen(pen)
        for path in joined(segments):  # dashes begin anew with every line, so edges are joined first
            painter.drawPolyline(QPolygonF([QPointF(x, y) for x, y in path]))
        return
    painter.setPen(pen)
    painter.drawLines(lines)


def joined(segments: NDArray[np.float64]) -> list[list[tuple[float, float]]]:
    """Segments (n, 2, 2) that meet at their ends as as few paths as a walk along them finds."""
    ends: dict[tuple[float, float], list[int]] = {}
    points = [[(round(float(x), 3), round(float(y), 3)) for x, y in pair] for pair in segments]
    for number, pair in enumerate(points):
        for end in pair:
            ends.setdefault(end, []).append(number)
    unused, paths = set(range(len(points))), []
    while unused:
        number = unused.pop()
        path = list(points[number])
        while True:
            follow = next((k for k in ends[path[-1]] if k in unused), None)
            if follow is None:
                break
            unused.discard(follow)
            a, b = points[follow]
            path.append(b if a == path[-1] else a)
        paths.append(path)
    return paths


def draw_lesion_number(painter: QPainter, segments: NDArray[np.float64], text: str, colour: QColor) -> None:
    """The number of a lesion outside the upper right of its outline."""
    points = segments.reshape(-1, 2)
    painter.setFont(theme.panel_font(8, bold=True))
    at = QRectF(float(points[:, 0].max()) + 3, float(points[:, 1].min()) - 15, 30, 15)
    draw_text(painter, at, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom, text, colour)


def draw_swipe(painter: QPainter, area: QRectF, x: float) -> None:
    """The border between two series, with a grip in the middle."""
    for colour, width in ((theme.SHADOW, 3.0), (theme.LETTER, 1.2)):
        painter.setPen(QPen(colour, width))
        painter.drawLine(QLineF(x, area.top(), x, area.bottom()))
    painter.setBrush(theme.LETTER)
    painter.setPen(QPen(theme.SHADOW, 1))
    middle = area.top() + area.height() * 0.75
    painter.drawPolygon(QPolygonF([
        QPointF(x - 10, middle), QPointF(x - 3, middle - 6), QPointF(x - 3, middle + 6)]))
    painter.drawPolygon(QPolygonF([
        QPointF(x + 10, middle), QPointF(x + 3, middle - 6), QPointF(x + 3, middle + 6)]))
    painter.setBrush(Qt.BrushStyle.NoBrush)


def draw_reference_line(painter: QPainter, view: ScreenView, ends_lps_mm: NDArray[np.float64]) -> None:
    """Where another panel's plane cuts this one."""
    (ax, ay), (bx, by) = view.screen_from_lps(ends_lps_mm)
    pen = QPen(theme.LETTER, 1)
    pen.setStyle(Qt.PenStyle.DotLine)
    painter.setPen(pen)
    painter.drawLine(QLineF(ax, ay, bx, by))


def draw_middle_text(painter: QPainter, area: QRectF, text: str) -> None:
    """A sentence in an empty panel."""
    painter.setFont(theme.panel_font(10))
    flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
    draw_text(painter, area.adjusted(20, 20, -20, -20), flags, text, QColor(170, 170, 165))
