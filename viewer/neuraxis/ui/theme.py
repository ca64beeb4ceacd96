"""Colours and letters of the pictures and sheets; chosen to be told apart in every kind of colour vision."""

from __future__ import annotations

from functools import lru_cache

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QFont, QGuiApplication, QPalette

from neuraxis.domain.tag import Verdict
from neuraxis.ui.texts import say

TEXT = QColor(235, 235, 225)
LETTER = QColor(255, 214, 90)
CROSSHAIR = QColor(86, 205, 255)
CROSSHAIR_REGISTERED = QColor(255, 190, 100)
SCALE_BAR = QColor(235, 235, 225)
ACTIVE_FRAME = QColor(86, 180, 233)
IDLE_FRAME = QColor(60, 60, 60)
BADGE_BACK = QColor(120, 72, 0, 210)
BADGE_TEXT = QColor(255, 232, 190)
DRAWING = QColor(120, 230, 140)
SHADOW = QColor(0, 0, 0)
PLATE = QColor(0, 0, 0, 125)

# Okabe and Ito, Color Universal Design (2008): told apart with red, green and blue deficiency
LESION_COLOURS = tuple(
    QColor(*c) for c in ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (204, 121, 167), (213, 94, 0))
)

VERDICT_ICONS = {
    Verdict.SUPPORTS: "✔", Verdict.CONTRADICTS: "✘", Verdict.NEUTRAL: "◯", Verdict.NOT_ASSESSABLE: "?",
}
VERDICT_WORDS = {
    Verdict.SUPPORTS: say("theme.supports"), Verdict.CONTRADICTS: say("theme.contradicts"),
    Verdict.NEUTRAL: say("theme.neutral"),
    Verdict.NOT_ASSESSABLE: say("theme.not_assessable"),
}
VERDICT_COLOURS = {
    Verdict.SUPPORTS: QColor(0, 158, 115), Verdict.CONTRADICTS: QColor(213, 94, 0),
    Verdict.NEUTRAL: QColor(130, 130, 130), Verdict.NOT_ASSESSABLE: QColor(150, 120, 170),
}


LESION_LINES = (
    Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DotLine, Qt.PenStyle.DashDotLine,
)
"""Outlines of lesions differ in their line too, so that colour is not needed to tell them apart."""


def lesion_line(number: int) -> Qt.PenStyle:
    """Line of the n-th lesion; the list goes round."""
    return LESION_LINES[number % len(LESION_LINES)]


def lesion_colour(number: int) -> QColor:
    """Colour of the n-th lesion; the list goes round."""
    return LESION_COLOURS[number % len(LESION_COLOURS)]


@lru_cache(maxsize=16)
def panel_font(size: int = 9, *, bold: bool = False) -> QFont:
    """The letters over the pictures; the size follows the screen's scaling."""
    font = QFont(QGuiApplication.font())
    font.setPointSize(size)
    font.setBold(bold)
    return font


def dark_palette() -> QPalette:
    """Dark colours for a reading room."""
    palette = QPalette()
    role = QPalette.ColorRole
    for which, colour in (
        (role.Window, (37, 39, 43)), (role.WindowText, (225, 225, 220)), (role.Base, (27, 29, 32)),
        (role.AlternateBase, (33, 35, 39)), (role.Text, (225, 225, 220)), (role.Button, (50, 53, 58)),
        (role.ButtonText, (225, 225, 220)), (role.ToolTipBase, (50, 53, 58)), (role.ToolTipText, (235, 235, 230)),
        (role.Highlight, (42, 104, 150)), (role.HighlightedText, (255, 255, 255)), (role.Link, (120, 190, 240)),
        (role.PlaceholderText, (140, 140, 140)), (role.BrightText, (255, 255, 255)), (role.Mid, (70, 73, 78)),
    ):
        palette.setColor(which, QColor(*colour))
    for which in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, which, QColor(120, 120, 120))
    return palette


def light_palette() -> QPalette:
    """Light colours for a desk; the pictures stay on black."""
    palette = QPalette()
    role = QPalette.ColorRole
    for which, colour in (
        (role.Window, (240, 240, 238)), (role.WindowText, (25, 25, 25)), (role.Base, (255, 255, 255)),
        (role.AlternateBase, (245, 245, 243)), (role.Text, (25, 25, 25)), (role.Button, (230, 230, 228)),
        (role.ButtonText, (25, 25, 25)), (role.ToolTipBase, (255, 255, 240)), (role.ToolTipText, (25, 25, 25)),
        (role.Highlight, (30, 100, 160)), (role.HighlightedText, (255, 255, 255)), (role.Link, (20, 90, 160)),
        (role.PlaceholderText, (120, 120, 120)), (role.BrightText, (0, 0, 0)), (role.Mid, (190, 190, 190)),
    ):
        palette.setColor(which, QColor(*colour))
    for which in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, which, QColor(150, 150, 150))
    return palette
