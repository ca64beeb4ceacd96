"""What stands on the page: primitives in millimetres from its top left corner, the same for every output format."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

POINT_MM = 25.4 / 72
CAP_HEIGHT = 0.729
"""Height of a capital of DejaVu Sans in units of the type size."""

ItemRole: TypeAlias = Literal[
    "letter", "orientation", "scale-bar", "scale-label", "window", "text", "mark", "inset", "placeholder"
]


@dataclass(frozen=True, eq=False)
class Picture:
    """Grey (rows, columns) or RGB (rows, columns, 3) uint8 pixels that fill a rectangle of the page."""

    x_mm: float
    y_mm: float
    width_mm: float
    height_mm: float
    pixels: NDArray[np.uint8]
    panel: str
    role: Literal["image", "inset-image"] = "image"


@dataclass(frozen=True)
class Text:
    """One line of type; (x, y) is where its baseline starts, has its middle or ends."""

    x_mm: float
    y_mm: float
    text: str
    size_pt: float
    panel: str
    role: ItemRole
    align: Literal["left", "center", "right"] = "left"
    bold: bool = False
    color: str = "white"
    halo: str = "black"

    def box_mm(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom with halo."""
        width = text_width_mm(self.text, self.size_pt, self.bold)
        left = self.x_mm - {"left": 0.0, "center": width / 2, "right": width}[self.align]
        size, pad = self.size_pt * POINT_MM, self.size_pt * POINT_MM * 0.1
        return left - pad, self.y_mm - CAP_HEIGHT * size - pad, left + width + pad, self.y_mm + 0.22 * size + pad


@dataclass(frozen=True)
class Polygon:
    """A filled polygon with an outline of the given width around it."""

    points_mm: tuple[tuple[float, float], ...]
    panel: str
    role: ItemRole
    color: str = "white"
    outline: str = "black"
    outline_mm: float = 0.25
    name: str = ""

    def box_mm(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        x, y = zip(*self.points_mm, strict=True)
        return min(x), min(y), max(x), max(y)


@dataclass(frozen=True)
class Line:
    """Connected straight strokes."""

    points_mm: tuple[tuple[float, float], ...]
    panel: str
    role: ItemRole
    width_mm: float = 0.4
    color: str = "white"
    halo: str = "black"
    name: str = ""

    def box_mm(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        x, y = zip(*self.points_mm, strict=True)
        half = self.width_mm / 2
        return min(x) - half, min(y) - half, max(x) + half, max(y) + half


@dataclass(frozen=True)
class Circle:
    """An open circle."""

    x_mm: float
    y_mm: float
    radius_mm: float
    panel: str
    role: ItemRole
    width_mm: float = 0.35
    color: str = "white"
    halo: str = "black"

    def box_mm(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        r = self.radius_mm
        return self.x_mm - r, self.y_mm - r, self.x_mm + r, self.y_mm + r


Item: TypeAlias = Picture | Text | Polygon | Line | Circle


@dataclass(frozen=True, eq=False)
class Scene:
    """A page: its size in mm, its background and its items in drawing order."""

    width_mm: float
    height_mm: float
    background: str
    items: tuple[Item, ...] = field(default=())

    def of_panel(self, letter: str) -> tuple[Item, ...]:
        """The items of one panel."""
        return tuple(item for item in self.items if item.panel == letter)


@cache
def font_file(bold: bool) -> str:
    """The DejaVu Sans file that comes with matplotlib: the same on every machine, whatever is installed there."""
    import matplotlib

    return f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans{'-Bold' if bold else ''}.ttf"


@cache
def text_shape(text: str, bold: bool) -> tuple[Any, float]:
    """Outline of a line of type at size 1 (baseline at 0, y up) as a matplotlib Path, and its advance width.

    Line breaks and other control characters become spaces, `$` stays a dollar sign (no formulas).
    """
    from matplotlib.font_manager import FontProperties
    from matplotlib.path import Path
    from matplotlib.textpath import TextToPath

    clean = "".join(c if c.isprintable() else " " for c in text)
    prop = FontProperties(fname=font_file(bold))
    engine = TextToPath()
    width, _, _ = engine.get_text_width_height_descent(clean, prop, ismath=False)
    vertices, codes = engine.get_text_path(prop, clean, ismath=False)
    # the engine lays out at FONT_SCALE units a type size; width comes for the prop's own size
    scale = engine.FONT_SCALE
    points = np.asarray(vertices, dtype=np.float64).reshape(-1, 2) / scale
    path = Path(points, codes) if len(points) else None
    return path, float(width) / prop.get_size_in_points()


def text_width_mm(text: str, size_pt: float, bold: bool = False) -> float:
    """Advance width of a line of type in mm."""
    return text_shape(text, bold)[1] * size_pt * POINT_MM
