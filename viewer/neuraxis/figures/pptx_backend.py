"""A scene as a PowerPoint slide: pictures, and every letter, arrow and bar as a shape that can be moved and edited."""

from __future__ import annotations

import io
import re
import zipfile
from html import escape
from typing import Any

from neuraxis.errors import UsageError
from neuraxis.figures.scene import POINT_MM, Circle, Item, Line, Picture, Polygon, Scene, Text

EMU_PER_MM = 36000
FONT = "Arial"
"""PowerPoint has it everywhere; DejaVu Sans would be replaced by something unknown."""
_ASCENT, _LINE = 0.905, 1.15
_NAMED = {
    "white": "FFFFFF", "black": "000000", "yellow": "FFFF00", "cyan": "00FFFF", "magenta": "FF00FF",
}
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


def _emu(mm: float) -> int:
    return round(mm * EMU_PER_MM)


def _color(name: str) -> Any:
    from pptx.dml.color import RGBColor

    return RGBColor.from_string(_NAMED.get(name, name.lstrip("#")).upper())


def pptx_bytes(scene: Scene, metadata: dict[str, str], caption: str = "") -> bytes:
    """One slide as large as the figure; shapes carry their meaning as name ("panel a arrow"), the notes the caption.

    Raises
    ------
    UsageError
        When python-pptx is not installed.
    """
    try:
        from pptx import Presentation
    except ImportError:
        raise UsageError(
            "writing .pptx needs the package python-pptx", expected="python-pptx to be installed",
            remedy="install python-pptx, or write .pdf or .svg, in which type and arrows can be edited too",
        ) from None
    presentation = Presentation()
    presentation.slide_width, presentation.slide_height = _emu(scene.width_mm), _emu(scene.height_mm)
    slide = presentation.slides.add_slide(presentation.slide_layouts[6])
    slide.background.fill.solid()
    slide.background.fill.fore_color.rgb = _color(scene.background)
    for item in scene.items:
        _add(slide.shapes, item)
    if caption:
        slide.notes_slide.notes_text_frame.text = "".join(c if c.isprintable() or c == "\n" else " " for c in caption)
    stream = io.BytesIO()
    presentation.save(stream)
    return _repacked(stream.getvalue(), metadata)


def _add(shapes: Any, item: Item) -> None:
    if isinstance(item, Picture):
        from PIL import Image

        stream = io.BytesIO()
        Image.fromarray(item.pixels).save(stream, "PNG", compress_level=6)
        stream.seek(0)
        shape = shapes.add_picture(
            stream, _emu(item.x_mm), _emu(item.y_mm), _emu(item.width_mm), _emu(item.height_mm)
        )
        shape.name = f"panel {item.panel} {item.role}"
        shape._element.nvPicPr.cNvPr.set("descr", shape.name)
    elif isinstance(item, Text):
        _add_text(shapes, item)
    elif isinstance(item, Polygon):
        points = [(_emu(x), _emu(y)) for x, y in item.points_mm]
        builder = shapes.build_freeform(*points[0], scale=1.0)
        builder.add_line_segments(points[1:], close=True)
        shape = builder.convert_to_shape()
        shape.name = f"panel {item.panel} {item.name or item.role}"
        _paint(shape, item.color, item.outline, item.outline_mm)
    elif isinstance(item, Circle):
        from pptx.enum.shapes import MSO_SHAPE

        left, top, right, bottom = item.box_mm()
        shape = shapes.add_shape(MSO_SHAPE.OVAL, _emu(left), _emu(top), _emu(right - left), _emu(bottom - top))
        shape.name = f"panel {item.panel} circle"
        _paint(shape, None, item.color, item.width_mm)
    elif item.name == "box":
        from pptx.enum.shapes import MSO_SHAPE

        (left, top), (right, bottom) = item.points_mm[0], item.points_mm[2]
        shape = shapes.add_shape(MSO_SHAPE.RECTANGLE, _emu(left), _emu(top), _emu(right - left), _emu(bottom - top))
        shape.name = f"panel {item.panel} box"
        _paint(shape, None, item.color, item.width_mm)
    else:
        assert isinstance(item, Line)
        from pptx.enum.shapes import MSO_CONNECTOR

        for start, end in zip(item.points_mm, item.points_mm[1:], strict=False):
            line = shapes.add_connector(
                MSO_CONNECTOR.STRAIGHT, _emu(start[0]), _emu(start[1]), _emu(end[0]), _emu(end[1])
            )
            line.name = f"panel {item.panel} {item.name or item.role}"
            line.line.color.rgb = _color(item.color)
            line.line.width = _emu(item.width_mm)


def _paint(shape: Any, fill: str | None, outline: str, outline_mm: float) -> None:
    shape.shadow.inherit = False
    if fill is None:
        shape.fill.background()
    else:
        shape.fill.solid()
        shape.fill.fore_color.rgb = _color(fill)
    if outline_mm > 0:
        shape.line.color.rgb = _color(outline)
        shape.line.width = _emu(outline_mm)
    else:
        shape.line.fill.background()


def _add_text(shapes: Any, item: Text) -> None:
    """A text box whose baseline lies where the scene has it."""
    from pptx.enum.text import MSO_ANCHOR, PP_ALIGN
    from pptx.util import Pt

    size = item.size_pt * POINT_MM
    left, _, right, _ = item.box_mm()
    # room to edit; the side that is aligned stays where it is
    width = (right - left) * 1.25 + size
    x = item.x_mm - {"left": 0.0, "center": width / 2, "right": width}[item.align]
    box = shapes.add_textbox(_emu(x), _emu(item.y_mm - _ASCENT * size), _emu(width), _emu(_LINE * size))
    box.name = f"panel {item.panel} {item.role}"
    frame = box.text_frame
    frame.margin_left = frame.margin_right = frame.margin_top = frame.margin_bottom = 0
    frame.word_wrap = False
    frame.vertical_anchor = MSO_ANCHOR.TOP
    paragraph = frame.paragraphs[0]
    paragraph.alignment = {"left": PP_ALIGN.LEFT, "center": PP_ALIGN.CENTER, "right": PP_ALIGN.RIGHT}[item.align]
    run = paragraph.add_run()
    run.text = "".join(c if c.isprintable() else " " for c in item.text)
    run.font.size, run.font.bold, run.font.name = Pt(item.size_pt), item.bold, FONT
    run.font.color.rgb = _color(item.color)
    if item.halo != "none":
        _glow(run.font._element, str(_color(item.halo)), _emu(size * 0.12))


def _glow(properties: Any, color: str, radius: int) -> None:
    """A narrow glow keeps letters readable on any ground; the place after the fill is that of the schema."""
    from pptx.oxml import parse_xml

    space = "http://schemas.openxmlformats.org/drawingml/2006/main"
    effects = parse_xml(
        f'<a:effectLst xmlns:a="{space}"><a:glow rad="{radius}"><a:srgbClr val="{color}"/></a:glow></a:effectLst>'
    )
    fill = properties.find(f"{{{space}}}solidFill")
    fill.addnext(effects)


def _repacked(data: bytes, metadata: dict[str, str]) -> bytes:
    """The package with fixed times, our own properties in place of the template's, and without its thumbnail."""
    core = (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<cp:coreProperties '
        'xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<dc:title>{escape(metadata['Title'])}</dc:title><dc:subject>{escape(metadata['Description'])}</dc:subject>"
        f"<dc:creator>{escape(metadata['Software'])}</dc:creator>"
        f"<dc:description>{escape(metadata['Provenance'])}</dc:description></cp:coreProperties>"
    )
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as package:
        for name in source.namelist():
            if name in ("docProps/thumbnail.jpeg", "docProps/app.xml"):
                continue
            content = source.read(name)
            if name == "docProps/core.xml":
                content = core.encode("utf-8")
            elif name in ("_rels/.rels", "[Content_Types].xml"):
                content = re.sub(rb"<(?:Relationship|Override)\b[^>]*(?:thumbnail|/?docProps/app\.xml)[^>]*/>", b"", content)
            entry = zipfile.ZipInfo(name, _ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            package.writestr(entry, content)
    return target.getvalue()
