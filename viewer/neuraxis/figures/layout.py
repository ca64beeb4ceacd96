"""Where panels stand on the page, in millimetres, snapped to the pixels of the output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from neuraxis.figures.recipe import Layout


@dataclass(frozen=True)
class Box:
    """A panel's rectangle on the page: whole output pixels, and the size of a pixel in mm."""

    x_px: int
    y_px: int
    width_px: int
    height_px: int
    pixel_mm: float

    @property
    def x_mm(self) -> float:
        """Left edge."""
        return self.x_px * self.pixel_mm

    @property
    def y_mm(self) -> float:
        """Top edge."""
        return self.y_px * self.pixel_mm

    @property
    def width_mm(self) -> float:
        """Width on the page."""
        return self.width_px * self.pixel_mm

    @property
    def height_mm(self) -> float:
        """Height on the page."""
        return self.height_px * self.pixel_mm


@dataclass(frozen=True)
class Page:
    """The boxes by panel letter, and the size of the page in output pixels."""

    boxes: dict[str, Box]
    width_px: int
    height_px: int
    pixel_mm: float


def automatic_columns(panels: int, width_mm: float) -> int:
    """Columns for a number of panels: at most 4 across two journal columns, 2 across one."""
    widest = 2 if width_mm < 110 else 4
    if panels <= widest:
        return panels
    if widest == 4 and panels in (5, 6, 9):
        return 3
    return widest


def lay_out(letters: Sequence[str], aspects: Sequence[float], layout: Layout, width_mm: float, dpi: int) -> Page:
    """Boxes for panels of given aspect (width / height), in reading order.

    With `layout.rows`, panels of a row have one height and fill the width; with columns, all panels have one width and
    rows start at the left.
    """
    pixel = 25.4 / dpi
    width = round(width_mm / pixel)
    gap = round(layout.gap_mm / pixel)
    by_letter = dict(zip(letters, aspects, strict=True))
    if layout.rows is not None:
        return _justified(layout.rows, by_letter, width, gap, pixel)
    columns = min(layout.columns or automatic_columns(len(letters), width_mm), len(letters))
    cell = (width - gap * (columns - 1)) // columns
    boxes: dict[str, Box] = {}
    top = 0
    for start in range(0, len(letters), columns):
        row = letters[start : start + columns]
        for letter, left in zip(row, _lefts([cell] * columns, width), strict=False):
            boxes[letter] = Box(left, top, cell, max(1, round(cell / by_letter[letter])), pixel)
        top += max(boxes[letter].height_px for letter in row) + gap
    return Page(boxes, width, top - gap, pixel)


def _lefts(widths: Sequence[int], width: int) -> list[int]:
    """Left edges of panels that fill a row; pixels left over by rounding go to the gaps, so that equals stay equal."""
    spare = (width - sum(widths)) / max(1, len(widths) - 1)
    return [round(sum(widths[:i]) + i * spare) for i in range(len(widths))]


def _justified(
    rows: Sequence[Sequence[str]], aspects: dict[str, float], width: int, gap: int, pixel: float
) -> Page:
    boxes: dict[str, Box] = {}
    top = 0
    for row in rows:
        height = int((width - gap * (len(row) - 1)) / sum(aspects[letter] for letter in row))
        widths = [max(1, int(height * aspects[letter])) for letter in row]
        widths = [width] if len(row) == 1 else widths
        for letter, left, across in zip(row, _lefts(widths, width), widths, strict=True):
            boxes[letter] = Box(left, top, across, max(1, height), pixel)
        top += max(1, height) + gap
    return Page(boxes, width, top - gap, pixel)
