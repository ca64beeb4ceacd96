"""Results as lines of text for a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from neuraxis.app.workup import Workup
from neuraxis.domain.lesion import LengthMeasurement, LesionMeasurement
from neuraxis.domain.quantity import Quantity
from neuraxis.domain.study import Series, Study
from neuraxis.errors import ReadError

if TYPE_CHECKING:
    from neuraxis.domain.legend import LegendFigure
    from neuraxis.legends.audit import LegendAudit

MAX_LEGEND_BYTES = 1_000_000


def read_legend_text(path: Path) -> str:
    """Text of a legend file (UTF-8), or of standard input for '-'."""
    try:
        raw = sys.stdin.buffer.read(MAX_LEGEND_BYTES + 1) if str(path) == "-" else _first_bytes(path)
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ReadError(f"{path.name} is not UTF-8 text", remedy="save the legend as plain UTF-8 text") from error
    except OSError as error:
        raise ReadError(f"{path} cannot be read: {error.strerror}", remedy="give a text file with the legend") from error
    if len(raw) > MAX_LEGEND_BYTES or not text.strip():
        size = "empty" if not text.strip() else f"larger than {MAX_LEGEND_BYTES} bytes"
        raise ReadError(f"{path.name} is {size}", expected="the text of a figure legend")
    return text


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_LEGEND_BYTES + 1)


def scan_lines(study: Study) -> Iterator[str]:
    """One block a series, then the account of the files."""
    for series in study.series:
        yield from _series_lines(series)
    report = study.report
    yield (
        f"{report.files_seen} files seen = {report.files_loaded} loaded + {len(report.set_apart)} set apart "
        f"+ {len(report.skipped)} skipped"
    )
    for file in report.set_apart:
        yield f"  set apart  {file.path}: {file.reason}"
    for file in report.skipped:
        yield f"  skipped    {file.path}: {file.reason}"
    for note in report.notes:
        yield f"  note       {note}"


def _series_lines(series: Series) -> Iterator[str]:
    role = series.role
    yield f"{series.id}  {series.title}  [{role.role.value}, {role.confidence.value}: {role.reason}]"
    if series.geometry is not None:
        z, y, x = series.geometry.shape_zyx
        spacing = " x ".join(f"{v:.3g}" for v in series.geometry.spacing_xyz_mm)
        yield f"     {x} x {y} x {z} voxels of {spacing} mm"
    if series.refusal:
        yield f"     no volume: {series.refusal}"
    for warning in series.warnings:
        yield f"     warning: {warning}"


def measurement_lines(measurement: LesionMeasurement) -> Iterator[str]:
    """Sizes with uncertainty, statistics, warnings."""
    m = measurement
    for name, length in (("long axis", m.long_axis), ("short axis", m.short_axis), ("3D diameter", m.max_3d_diameter)):
        yield _size_line(name, length.quantity if isinstance(length, LengthMeasurement) else None)
    for name, quantity in (("volume", m.volume), ("distance to bone", m.distance_to_bone)):
        yield _size_line(name, quantity)
    s = m.intensity
    yield (
        f"{'intensity':18}mean {s.mean:.0f}, SD {s.standard_deviation:.0f}, {s.minimum:.0f} to {s.maximum:.0f} {s.unit} "
        f"({s.voxel_count} voxels on {m.slices_spanned} slices)"
    )
    yield f"{'centre':18}{', '.join(f'{v:.1f}' for v in m.centroid_lps_mm)} mm (L,P,S)"
    yield f"{'method':18}{m.method}"
    for warning in m.warnings:
        yield f"  note: {warning}"


def _size_line(name: str, quantity: Quantity | None) -> str:
    if quantity is None:
        return f"{name:18}not measurable (see notes)"
    return f"{name:18}{quantity.display()}"


def workup_lines(workup: Workup) -> Iterator[str]:
    """The lesion's sizes, registrations, then one line a tag."""
    yield f"measured on {workup.series.id} ({workup.series.title})"
    yield from measurement_lines(workup.lesion.measurement)
    for part in workup.parts:
        yield f"further mask on {part.series_id}"
        yield from measurement_lines(part)
    for registration in workup.registrations.registrations:
        yield f"{'registration':18}residual {registration.residual_mm:.2f} mm ({registration.method})"
    for note in workup.notes:
        yield f"  note: {note}"
    for tag in workup.tags:
        reason = tag.evidence[0].reason if tag.evidence else ""
        yield f"{tag.concept:22}{tag.value or '-':16}{tag.verdict.value:16}{reason}"


def legend_lines(figures: tuple[LegendFigure, ...]) -> Iterator[str]:
    """Panels with their claims, and what was not understood."""
    for figure in figures:
        yield f"figure {figure.id}"
        for panel in figure.panels:
            words = (panel.kind, panel.sequence or panel.modality, panel.plane, panel.window, panel.contrast, panel.region)
            yield f"  {panel.label}: " + ", ".join(w for w in words if w)
            for claim in panel.claims:
                denied = "NOT " if claim.negated and claim.value != "none" else ""
                extra = [claim.laterality or "", "uncertain" if claim.uncertain else "",
                         " x ".join(f"{v:g}" for v in claim.size_mm or ()) + " mm" if claim.size_mm else ""]
                yield f"     {claim.concept} = {denied}{claim.value} {' '.join(e for e in extra if e)}".rstrip()
        if figure.not_understood:
            yield "  not understood: " + ", ".join(str(w) for w in figure.not_understood)


_MARK = {"supported": "+", "contradicted": "X", "cannot_be_decided": "?"}


def audit_lines(audit: LegendAudit) -> Iterator[str]:
    """One line a claim: + supported, X contradicted, ? cannot be decided, with the reason."""
    for panel in audit.to_json()["panels"]:
        yield f"{panel['label']}: {panel['plane'] or 'plane not stated'}, {panel['window'] or 'window not stated'}"
        for claim in panel["claims"]:
            denied = "not " if claim["negated"] and claim["value"] != "none" else ""
            yield (
                f"  {_MARK[claim['verdict']]} {claim['concept']} = {denied}{claim['value']}: "
                f"{claim['verdict'].replace('_', ' ')}; {claim['reason']}"
            )
