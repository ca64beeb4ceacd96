"""Everything that is drawn over a panel's picture: corners, letters, scale bar, crosshair, outlines, badges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QLineF, QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPen

from neuraxis.app.views import ScreenView
from neuraxis.ui import theme

MARGIN = 7
TEXT_SHARE = 0.46
"""Corner texts take no more of the width than this, so that the letters in the middle stay free."""
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


def draw_backed_lines(
    painter: QPainter, area: QRectF, text: str, colour: QColor, *, right: bool, bottom: bool
) -> QRectF:
    """Lines of text in a corner on a dark plate that lets the picture through; returns the plate."""
    metrics = painter.fontMetrics()
    lines = text.split("\n")
    limit = int(area.width() * TEXT_SHARE)
    lines = [metrics.elidedText(line, Qt.TextElideMode.ElideRight, limit) for line in lines]
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
    metrics = painter.fontMetrics()
    lines = text.split("\n")
    width = max(metrics.horizontalAdvance(line) for line in lines) + 6
    room = QRectF(at.x(), at.y(), width / TEXT_SHARE + 2, metrics.height() * len(lines) + 2)
    draw_backed_lines(painter, room, text, colour, right=False, bottom=False)


def draw_corners(painter: QPainter, area: QRectF, texts: CornerTexts) -> float:
    """Corner texts; returns the lower edge of the one at the top right."""
    inner = area.adjusted(4, 4, -4, -4)
    painter.setFont(theme.panel_font(9))
    below = inner.top()
    for text, right, bottom in (
        (texts.top_left, False, False), (texts.bottom_left, False, True), (texts.bottom_right, True, True),
        (texts.top_right, True, False),
    ):
        if text:
            plate = draw_backed_lines(painter, inner, text, theme.TEXT, right=right, bottom=bottom)
            below = plate.bottom() if right and not bottom else below
    return float(below)


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
    width = painter.fontMetrics().horizontalAdvance(text) + 6
    room = QRectF(x - 8 - width, y + length / 2 - 8, width / TEXT_SHARE + 2, 16)
    draw_backed_lines(painter, room, text, theme.TEXT, right=False, bottom=False)


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


def draw_badges(painter: QPainter, area: QRectF, badges: Sequence[str], top: float) -> None:
    """Small plates under the top right corner text."""
    painter.setFont(theme.panel_font(8, bold=True))
    metrics = painter.fontMetrics()
    y = top
    for text in badges:
        width = metrics.horizontalAdvance(text) + 10
        plate = QRectF(area.right() - MARGIN - width, y, width, metrics.height() + 2)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.BADGE_BACK)
        painter.drawRoundedRect(plate, 3, 3)
        painter.setPen(theme.BADGE_TEXT)
        painter.drawText(plate, Qt.AlignmentFlag.AlignCenter, text)
        y += plate.height() + 3
    painter.setBrush(Qt.BrushStyle.NoBrush)


def draw_outline(painter: QPainter, segments: NDArray[np.float64], colour: QColor, *, active: bool) -> None:
    """Outline of a mask given as screen segments (n, 2, 2)."""
    lines = [QLineF(a[0], a[1], b[0], b[1]) for a, b in segments]
    painter.setPen(QPen(theme.SHADOW, 2.6))
    painter.drawLines(lines)
    painter.setPen(QPen(colour, 1.5 if active else 1.0))
    painter.drawLines(lines)


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
