"""A scene as SVG: text stays text, marks stay shapes, pictures are embedded PNG."""

from __future__ import annotations

import base64
import io
from html import escape

import numpy as np
from numpy.typing import NDArray

from neuraxis.figures.scene import POINT_MM, Circle, Item, Line, Picture, Polygon, Scene, Text

FONT_STACK = "DejaVu Sans, Verdana, Arial, sans-serif"


def _number(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".") or "0"


def png_data_uri(pixels: NDArray[np.uint8]) -> str:
    """Pixels as a `data:` address of a PNG without any metadata."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=6)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def svg_item(item: Item, *, pictures: bool = True) -> str:
    """One item as an SVG element of class `role`, in page millimetres."""
    kind = f'class="nx-{item.role}" data-panel="{escape(item.panel)}"'
    if isinstance(item, Picture):
        if not pictures:
            return ""
        return (
            f'<image {kind} x="{_number(item.x_mm)}" y="{_number(item.y_mm)}" width="{_number(item.width_mm)}" '
            f'height="{_number(item.height_mm)}" preserveAspectRatio="none" image-rendering="auto" '
            f'xlink:href="{png_data_uri(item.pixels)}"/>'
        )
    if isinstance(item, Text):
        anchor = {"left": "start", "center": "middle", "right": "end"}[item.align]
        size = item.size_pt * POINT_MM
        clean = "".join(c if c.isprintable() else " " for c in item.text)
        common = (
            f'x="{_number(item.x_mm)}" y="{_number(item.y_mm)}" font-size="{_number(size)}" font-family="{FONT_STACK}" '
            f'font-weight="{"bold" if item.bold else "normal"}" text-anchor="{anchor}"'
        )
        # the halo is an element of its own: not every program knows paint-order
        halo = "" if item.halo == "none" else (
            f'<text class="halo" {common} fill="none" stroke="{item.halo}" stroke-width="{_number(size * 0.16)}" '
            f'stroke-linejoin="round">{escape(clean)}</text>'
        )
        return f'<g {kind}>{halo}<text {common} fill="{item.color}">{escape(clean)}</text></g>'
    if isinstance(item, Polygon):
        points = " ".join(f"{_number(x)},{_number(y)}" for x, y in item.points_mm)
        return (
            f'<g {kind} data-name="{item.name or item.role}"><polygon class="halo" points="{points}" fill="{item.outline}" '
            f'stroke="{item.outline}" stroke-width="{_number(2 * item.outline_mm)}" stroke-linejoin="round"/>'
            f'<polygon points="{points}" fill="{item.color}"/></g>'
        )
    if isinstance(item, Line):
        points = " ".join(f"{_number(x)},{_number(y)}" for x, y in item.points_mm)
        return "".join(
            f'<polyline {kind} data-name="{item.name or item.role}" points="{points}" fill="none" stroke="{color}" stroke-width="{_number(width)}"/>'
            for color, width in ((item.halo, item.width_mm + 0.3), (item.color, item.width_mm))
        )
    assert isinstance(item, Circle)
    return "".join(
        f'<circle {kind} data-name="circle" cx="{_number(item.x_mm)}" cy="{_number(item.y_mm)}" r="{_number(item.radius_mm)}" fill="none" '
        f'stroke="{color}" stroke-width="{_number(width)}"/>'
        for color, width in ((item.halo, item.width_mm + 0.3), (item.color, item.width_mm))
    )


def svg_text(scene: Scene, metadata: dict[str, str]) -> str:
    """The page as one SVG document, sized in millimetres."""
    width, height = _number(scene.width_mm), _number(scene.height_mm)
    body = "\n".join(svg_item(item) for item in scene.items)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" version="1.1" '
        f'width="{width}mm" height="{height}mm" viewBox="0 0 {width} {height}" role="img">\n'
        f"<title>{escape(metadata.get('Title', ''))}</title>\n<desc>{escape(metadata.get('Description', ''))}</desc>\n"
        f"<metadata>{escape(metadata.get('Provenance', ''))}</metadata>\n"
        f'<rect width="{width}" height="{height}" fill="{scene.background}"/>\n{body}\n</svg>\n'
    )
