"""The report as PDF: embedded fonts, no dates, the same bytes for the same case."""
# reportlab publishes no type information
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import io
from functools import cache
from typing import Any
from xml.sax.saxutils import escape

from neuraxis.figures.report_content import ReportInput, report_content
from neuraxis.figures.scene import font_file

_PLAIN, _BOLD = "NeuraxisSans", "NeuraxisSans-Bold"
_MARGIN_MM = 15.0
_TALLEST_FIGURE_MM = 92.0
"""So that sizes, tags and claims stand on the first page with it."""
_VERDICT_COLOURS = {
    "supports": "#14622f", "supported": "#14622f", "contradicts": "#a11616", "contradicted": "#a11616",
}
_FRAME_PADDING = 6
"""Points that reportlab leaves free inside a page's frame."""
MISSING_GLYPH = "\u25a1"
"""Stands for a character that the embedded font does not have."""


def report_pdf(made_from: ReportInput) -> bytes:
    """The report as an A4 PDF document; see `save_report`."""
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.units import mm
    from reportlab.platypus import SimpleDocTemplate

    _register_fonts()
    values = report_content(made_from)
    stream = io.BytesIO()
    document = SimpleDocTemplate(
        stream, pagesize=A4, leftMargin=_MARGIN_MM * mm, rightMargin=_MARGIN_MM * mm, topMargin=_MARGIN_MM * mm,
        bottomMargin=(_MARGIN_MM + 4) * mm, title="Lesion report", author=values["software"], subject=values["purpose"],
        creator=values["software"], producer=values["software"], keywords="", lang="en", invariant=1, initialFontName=_PLAIN,
    )
    document.build(_story(values, made_from, document.width - 2 * _FRAME_PADDING), canvasmaker=_numbered(values["software"], values["purpose"]))
    return stream.getvalue()


@cache
def _register_fonts() -> frozenset[int]:
    """Make the fonts known to reportlab; returns the code points that both have."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    known: list[frozenset[int]] = []
    for name, bold in ((_PLAIN, False), (_BOLD, True)):
        font = TTFont(name, font_file(bold))
        pdfmetrics.registerFont(font)
        known.append(frozenset(font.face.charToGlyph))
    pdfmetrics.registerFontFamily(_PLAIN, normal=_PLAIN, bold=_BOLD, italic=_PLAIN, boldItalic=_BOLD)
    return known[0] & known[1]


def printable(text: str) -> str:
    """Text as reportlab's markup takes it: nothing in it is markup, and every character has a glyph."""
    glyphs = _register_fonts()
    clean = (c if c.isprintable() else " " for c in text)
    return escape("".join(c if ord(c) in glyphs else MISSING_GLYPH for c in clean))


@cache
def _style(name: str) -> Any:
    from reportlab.lib.colors import HexColor
    from reportlab.lib.styles import ParagraphStyle

    body = ParagraphStyle("body", fontName=_PLAIN, bulletFontName=_PLAIN, bulletFontSize=8, fontSize=8, leading=10.4, textColor=HexColor("#1c2024"), splitLongWords=1)
    changes: dict[str, dict[str, Any]] = {
        "body": {}, "bold": {"fontName": _BOLD}, "tight": {"fontSize": 7, "leading": 8.6},
        "tight bold": {"fontSize": 7, "leading": 8.6, "fontName": _BOLD},
        "small": {"fontSize": 6.8, "leading": 8.8, "textColor": HexColor("#4a5157")},
        "title": {"fontName": _BOLD, "fontSize": 15, "leading": 19, "spaceAfter": 4},
        "heading": {"fontName": _BOLD, "fontSize": 11, "leading": 14, "spaceBefore": 8, "spaceAfter": 3},
        "under": {"fontName": _BOLD, "fontSize": 8.5, "leading": 11, "spaceBefore": 5, "spaceAfter": 2},
        "item": {"leftIndent": 8, "bulletIndent": 0, "spaceAfter": 1.5},
        "banner": {"backColor": HexColor("#fff6dc"), "borderColor": HexColor("#b98900"), "borderWidth": 0.6, "borderPadding": 4,
                   "leftIndent": 4.5, "rightIndent": 4.5, "spaceBefore": 2, "spaceAfter": 8},
    }
    return ParagraphStyle(name, parent=body, **changes[name])


def _text(text: str, style: str = "body") -> Any:
    from reportlab.platypus import Paragraph

    return Paragraph(printable(text), _style(style))


def _items(lines: list[str]) -> list[Any]:
    from reportlab.platypus import Paragraph

    return [Paragraph(printable(line), _style("item"), bulletText="•") for line in lines]


def _heading(text: str, style: str = "heading") -> list[Any]:
    """A heading that does not stand alone at the end of a page."""
    from reportlab.lib.units import mm
    from reportlab.platypus import CondPageBreak

    return [CondPageBreak(25 * mm), _text(text, style)]


def _story(values: dict[str, Any], made_from: ReportInput, width: float) -> list[Any]:
    """The first page holds the case at a glance, the following ones the numbers behind it."""
    from reportlab.lib.units import mm
    from reportlab.platypus import CondPageBreak, Paragraph

    banner = Paragraph(f"<b>{printable(values['purpose'])}</b> {printable(values['stance'])}", _style("banner"))
    story = [_text("Lesion report", "title"), banner]
    if made_from.figure is not None:
        story += [*_picture(made_from.figure, width)]
        if values["caption"]:
            story.append(_text(values["caption"], "small"))
    several = len(values["lesions"]) > 1
    for lesion in values["lesions"]:
        story += _glance(lesion, width)
    if values["readings"]:
        rows = [[_text(r["name"], "bold"), _text(r["value"]), _text(r["note"], "small")] for r in values["readings"]]
        story += [*_heading("Further measurements"), _table(("Tool", "Reading", "Restrictions"), rows, (0.22, 0.38, 0.4), width)]
    story.append(CondPageBreak(80 * mm))
    for lesion in values["lesions"]:
        story += _details(lesion, f": {lesion['label']}" if several else "", width)
    story += [*_heading("Method"), *_items(values["methods"])]
    return [*story, *_heading("Limits"), *_items(values["limits"])]


def _picture(figure: Any, width: float) -> list[Any]:
    from reportlab.lib.units import mm
    from reportlab.platypus import Image, Spacer

    scene = figure.scene
    scale = min(1.0, width / mm / scene.width_mm, _TALLEST_FIGURE_MM / scene.height_mm)
    picture = Image(io.BytesIO(figure.to_bytes(".png")), scene.width_mm * scale * mm, scene.height_mm * scale * mm)
    return [picture, Spacer(1, 4)]


def _glance(lesion: dict[str, Any], width: float) -> list[Any]:
    """Sizes beside tags, then the legend's claims with their verdicts."""
    half = 0.49 * width
    sizes = [[_text(r["name"], "tight bold"), _text(r["value"], "tight")] for r in lesion["sizes"]]
    tags = [
        [_text(t["concept"], "tight bold"), _text(t["value"], "tight"), _verdict(t["verdict"], t["verdict_key"], "tight")]
        for t in lesion["tags"]
    ]
    columns = [_table(("Quantity", "Value"), sizes, (0.5, 0.5), half, "tight bold")]
    if tags:
        columns.append(_table(("Tag", "Value", "Verdict"), tags, (0.34, 0.36, 0.3), half, "tight bold"))
    story = [*_heading(f"{lesion['label']}, measured on {lesion['measured_on']}"), _beside(columns, width)]
    claims = _claims(lesion["panels"])
    if claims:
        middle = (len(claims) + 1) // 2
        tables = [
            _table(("Panel", "Claim", "Verdict"), part, (0.17, 0.505, 0.325), half, "tight bold") for part in (claims[:middle], claims[middle:]) if part
        ]
        story += [*_heading("The legend, claim by claim", "under"), _beside(tables, width)]
    return story


def _beside(tables: list[Any], width: float) -> Any:
    """Tables in columns of the same width."""
    from reportlab.platypus import Table

    row = Table([tables], [0.51 * width, 0.49 * width][: len(tables)], hAlign="LEFT", splitInRow=1)
    row.setStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), ("FONTNAME", (0, 0), (-1, -1), _PLAIN),
                  *((side, (0, 0), (-1, -1), 0) for side in ("LEFTPADDING", "RIGHTPADDING", "TOPPADDING"))])
    return row


def _claims(panels: list[dict[str, Any]]) -> list[list[Any]]:
    """One row for each claim and verdict, with the letters of all panels that make it."""
    letters: dict[tuple[str, str, str], list[str]] = {}
    for panel in panels:
        for claim in panel["claims"]:
            letters.setdefault((claim["text"], claim["verdict"], claim["verdict_key"]), []).append(panel["label"])
    return [
        [_text(", ".join(dict.fromkeys(labels)), "tight bold"), _text(text, "tight"), _verdict(verdict, key, "tight")]
        for (text, verdict, key), labels in letters.items()
    ]


def _details(lesion: dict[str, Any], suffix: str, width: float) -> list[Any]:
    rows = [[_text(r["name"], "bold"), _text(r["value"]), _text(r["method"], "small")] for r in lesion["sizes"]]
    story = [
        *_heading(f"Measurements{suffix}"), _table(("Quantity", "Value", "Method"), rows, (0.22, 0.24, 0.54), width),
        _text(f"Centroid ({lesion['centroid']}) mm, LPS, in the frame of reference of that series. Boundary: {lesion['method']}.",
              "small"),
    ]
    if lesion["warnings"]:
        story += [*_heading("Restrictions", "under"), *_items(lesion["warnings"])]
    if lesion["tags"] or lesion["silent"]:
        story += [*_heading(f"Tags and evidence{suffix}"), *_tags(lesion, width)]
    if lesion["panels"]:
        story += _heading(f"The reasons, claim by claim{suffix}")
        for panel in lesion["panels"]:
            story += _audited(panel, width)
    return story


def _tags(lesion: dict[str, Any], width: float) -> list[Any]:
    rows = []
    for tag in lesion["tags"]:
        evidence = [
            part for e in tag["evidence"]
            for part in (_text(e["line"]), *((_text(f"Rule: {e['rule']}", "small"),) if e["rule"] else ()))
        ]
        rows.append([
            _text(tag["concept"], "bold"), _text(tag["value"]), _verdict(tag["verdict"], tag["verdict_key"]),
            evidence or [_text("none", "small")],
        ])
    story = [_table(("Concept", "Value", "Verdict", "Evidence"), rows, (0.16, 0.17, 0.14, 0.53), width)] if rows else []
    if lesion["silent"]:
        silent = [[_text(t["concept"], "bold"), _text(t["reason"] or "no metric", "small")] for t in lesion["silent"]]
        story += [*_heading("Not reported", "under"), _table(("Concept", "Why nothing is said of it"), silent, (0.26, 0.74), width)]
    return story


def _audited(panel: dict[str, Any], width: float) -> list[Any]:
    story = _heading(f"Panel {panel['label']}" + (f" ({panel['view']})" if panel["view"] else ""), "under")
    if not panel["claims"]:
        return [*story, _text("No claim that can be coded.", "small")]
    rows = [
        [_text(c["text"], "bold"), _verdict(c["verdict"], c["verdict_key"]),
         [_text(c["reason"]), *(_text(line, "small") for line in c["evidence"])]]
        for c in panel["claims"]
    ]
    return [*story, _table(("Claim", "Verdict", "Reason and numbers"), rows, (0.26, 0.16, 0.58), width)]


def _verdict(words: str, key: str, style: str = "body") -> Any:
    from reportlab.platypus import Paragraph

    return Paragraph(f'<font color="{_VERDICT_COLOURS.get(key, "#4a5157")}"><b>{printable(words)}</b></font>', _style(style))


def _table(head: tuple[str, ...], rows: list[list[Any]], shares: tuple[float, ...], width: float,
           head_style: str = "bold") -> Any:
    from reportlab.lib.colors import HexColor
    from reportlab.platypus import Table

    cells = [[_text(h, head_style) for h in head], *rows]
    # a row may be longer than a page: it is then broken within
    table = Table(cells, [share * width for share in shares], repeatRows=1, splitInRow=1, hAlign="LEFT")
    table.setStyle([
        ("FONTNAME", (0, 0), (-1, -1), _PLAIN), ("VALIGN", (0, 0), (-1, -1), "TOP"), ("LINEBELOW", (0, 0), (-1, -1), 0.4, HexColor("#dfe3e6")),
        ("BACKGROUND", (0, 0), (-1, 0), HexColor("#f3f5f7")), ("TOPPADDING", (0, 0), (-1, -1), 1.2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 1.8), ("LEFTPADDING", (0, 0), (-1, -1), 3), ("RIGHTPADDING", (0, 0), (-1, -1), 3),
    ])
    return table


def _numbered(software: str, purpose: str) -> Any:
    """A canvas that writes purpose and 'page 1 of 3' below every page, once the number of pages is known."""
    from reportlab.lib.units import mm
    from reportlab.pdfgen.canvas import Canvas

    class NumberedCanvas(Canvas):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self._pages: list[dict[str, Any]] = []

        def showPage(self) -> None:  # noqa: N802 - the name is the library's
            self._pages.append(dict(self.__dict__))
            self._startPage()

        def save(self) -> None:
            for number, page in enumerate(self._pages, 1):
                self.__dict__.update(page)
                self.setFont(_PLAIN, 6.8)
                self.drawString(_MARGIN_MM * mm, 10 * mm, f"{software}. {purpose}")
                self.drawRightString(self._pagesize[0] - _MARGIN_MM * mm, 10 * mm, f"page {number} of {len(self._pages)}")
                super().showPage()
            super().save()

    return NumberedCanvas
