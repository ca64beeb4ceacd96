"""The report: measurements, tags, the audited legend and the figure as one self-contained HTML page or PDF."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from neuraxis.domain.lesion import Lesion
from neuraxis.domain.tag import Tag
from neuraxis.errors import UsageError
from neuraxis.figures.figure import Figure
from neuraxis.figures.report_content import Audit, Finding, ReportInput, report_content
from neuraxis.output import written_whole

REPORT_SUFFIXES = (".html", ".pdf")


def write_report(
    path: str | Path, *, lesion: Lesion, tags: Iterable[Tag] = (), audits: Iterable[Audit | Mapping[str, Any]] = (),
    figure: Figure | None = None, notes: Iterable[str] = (),
) -> Path:
    """Write the report of one lesion as a file that needs nothing else; see `save_report`."""
    return save_report(path, ReportInput((Finding(lesion, tuple(tags), tuple(audits)),), figure, (), tuple(notes)))


def save_report(path: str | Path, made_from: ReportInput) -> Path:
    """Write a report; the ending of the name chooses HTML or PDF.

    Everything that comes from data is escaped. Neither UIDs, names, dates nor paths are written; the same input gives
    the same bytes.

    Raises
    ------
    UsageError
        For another ending.
    WriteError
        When the file cannot be written; nothing half-written is left behind.
    """
    target = Path(path)
    content = report_bytes(made_from, target.suffix)
    with written_whole(target) as temporary:
        temporary.write_bytes(content)
    return target


def report_bytes(made_from: ReportInput, suffix: str) -> bytes:
    """The report in the format of a file name ending; UsageError for another than `REPORT_SUFFIXES`."""
    kind = suffix.lower()
    if kind == ".html":
        return report_html(made_from).encode("utf-8")
    if kind == ".pdf":
        from neuraxis.figures.report_pdf import report_pdf

        return report_pdf(made_from)
    raise UsageError(
        f"reports are not written as {suffix or 'a file without an ending'!r}",
        expected="one of: " + ", ".join(REPORT_SUFFIXES), remedy="choose one of these endings",
    )


def report_html(made_from: ReportInput) -> str:
    """The report as HTML text that loads nothing and runs nothing."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("neuraxis.figures"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    values = {"picture": "", **report_content(made_from)}
    figure = made_from.figure
    if figure is not None:
        scene = figure.scene
        values |= {
            "picture": "data:image/png;base64," + base64.b64encode(figure.to_bytes(".png")).decode("ascii"),
            "picture_width": round(scene.width_mm / 25.4 * 140), "picture_height": round(scene.height_mm / 25.4 * 140),
        }
    return str(environment.get_template("report.html.j2").render(values))
