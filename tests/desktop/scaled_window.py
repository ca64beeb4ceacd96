"""The window in both themes at the scale of the environment, as a process of its own: prints what does not fit."""

from __future__ import annotations

import json
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

from qtpy.QtCore import QPoint, QRectF
from qtpy.QtGui import QColor, QImage, QPainter, QPalette
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QComboBox, QPushButton, QToolButton, QWidget

from neuraxis.app.settings import Settings
from neuraxis.desktop.window import WorkstationWindow, apply_theme
from neuraxis.ui import panel_marks, theme

LEAST_CONTRAST = 4.5
"""Of texts against their ground, as WCAG 2.1 asks of them (1.4.3)."""
LEAST_MARK_CONTRAST = 3.0
"""Of the verdicts, whose icon and word stand beside the colour (WCAG 2.1, 1.4.11)."""
TEXTS = panel_marks.CornerTexts(
    "T1C (probable)  #10\nt1_mprage_ax_post", "automatic\nW\u00a01550 L\u00a0801",
    "axial\nturned -15° -10°\nH 129.4 mm\n0.6 mm thick\nevery 1.02 mm", "registered\nresidual 0.2 mm",
)


def luminance(colour: QColor) -> float:
    """Relative luminance (WCAG 2.1)."""
    parts: list[float] = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
             for c in (colour.redF(), colour.greenF(), colour.blueF())]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(a: QColor, b: QColor) -> float:
    """Contrast ratio, 1 to 21."""
    dark, light = sorted((luminance(a), luminance(b)))
    return (light + 0.05) / (dark + 0.05)


def faint(palette: QPalette) -> list[str]:
    """Texts too near to their ground."""
    role = QPalette.ColorRole
    pairs = ((role.WindowText, role.Window), (role.Text, role.Base), (role.Text, role.AlternateBase),
             (role.ButtonText, role.Button), (role.HighlightedText, role.Highlight),
             (role.ToolTipText, role.ToolTipBase), (role.Link, role.Base))
    found = [f"{a} on {b}" for a, b in pairs if contrast(palette.color(a), palette.color(b)) < LEAST_CONTRAST]
    ground = palette.color(role.Base)
    return found + [
        f"verdict {v.value}" for v, c in theme.VERDICT_COLOURS.items() if contrast(c, ground) < LEAST_MARK_CONTRAST
    ]


def clipped(window: QWidget) -> list[str]:
    """Buttons and boxes that are too small for what stands on them."""
    found = []
    for kind in (QPushButton, QToolButton):
        for button in window.findChildren(kind):
            needed = button.fontMetrics().horizontalAdvance(button.text().replace("&", ""))
            if button.isVisible() and (button.width() < needed or button.height() < button.fontMetrics().height()):
                found.append(button.text())
    return found + [b.accessibleName() for b in window.findChildren(QComboBox)
                    if b.isVisible() and b.height() < b.fontMetrics().height()]


def overlaps(width: int, height: int, badges: list[str]) -> list[str]:
    """Corner texts, badges and letters of a panel of a size that lie over each other."""
    image = QImage(width, height, QImage.Format.Format_RGB32)
    area = QRectF(0, 0, width, height)
    painter = QPainter(image)
    plates = panel_marks.draw_corners(painter, area, TEXTS)
    panel_marks.draw_badges(painter, area, badges, plates)
    room = panel_marks.room_for_letters(area, plates)
    painter.setFont(theme.panel_font(12, bold=True))
    metrics = painter.fontMetrics()
    wide, high = metrics.horizontalAdvance("AH"), metrics.height()
    inner = room.adjusted(0, panel_marks.MARGIN - 3, 0, -panel_marks.MARGIN + 3)
    plates["letter above"] = QRectF(room.center().x() - wide / 2, inner.top(), wide, high)
    plates["letter below"] = QRectF(room.center().x() - wide / 2, inner.bottom() - high, wide, high)
    painter.end()
    return [f"{width} x {height}: {a} over {b}" for a, b in combinations(plates, 2) if plates[a].intersects(plates[b])]


def judged(folder: str) -> dict[str, Any]:
    """What does not fit, by theme; pictures of both are kept in a folder where one is named."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from tests.app.synthetic_study import head_study

    app = QApplication.instance() or QApplication(sys.argv[:1])
    window = WorkstationWindow(Settings(), remember=False)
    window.resize(1500, 950)
    window.show()
    window.session.set_study(head_study())
    while window.session.jobs.jobs:
        QTest.qWait(20)
    found: dict[str, Any] = {"scale": window.devicePixelRatioF()}
    badges = ["minIP 10.8 mm", "fused: T1C right of the line"]
    for name in ("dark", "light"):
        apply_theme(name)
        app.processEvents()
        size = window.grab().size()
        found[name] = {
            "faint": faint(app.palette()), "clipped": clipped(window), "picture": [size.width(), size.height()],
            "overlaps": [o for w in (165, 200, 255, 320, 500) for o in overlaps(w, 330, badges)],
            "panel": window.desk.grid.panels[0].grab().toImage().pixelColor(QPoint(3, 60)).lightness(),
        }
        if folder:
            window.grab().save(str(Path(folder) / f"window_{name}_{round(100 * window.devicePixelRatioF())}.png"))
    window.close()
    return found


if __name__ == "__main__":
    print(json.dumps(judged(sys.argv[1] if len(sys.argv) > 1 else "")))
