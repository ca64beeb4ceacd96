"""What a report says, as plain words and rows, before it becomes HTML or PDF."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from neuraxis.domain.lesion import LengthMeasurement, Lesion
from neuraxis.domain.quantity import Quantity
from neuraxis.domain.study import Series
from neuraxis.domain.tag import Evidence, Tag, Verdict
from neuraxis.figures.figure import Figure
from neuraxis.figures.provenance import PURPOSE, software
from neuraxis.figures.recipe import PlaceholderPanel, VolumePanel

STANCE = (
    "Tags are the reader's; the program shows what the voxels say of them and proposes no diagnosis. What is not "
    "reported here was not looked at: it is not absent."
)
GENERAL_METHOD = (
    "Sizes and statistics are taken on rescaled native voxels, never on a windowed, interpolated or projected picture."
)
GENERAL_LIMITS = (
    "Rules marked [prop] are project defaults without validation on patients; rules marked [T] were tested on simulated "
    "data only.",
    "A length of a few millimetres depends on voxel size, slice thickness and reconstruction kernel; its uncertainty is "
    "printed with it. Lesions below 10 mm are not measurable by RECIST 1.1 or RANO, and no response category is given.",
)
_VERDICTS = {
    "supports": "✓ supports", "contradicts": "✗ contradicts", "neutral": "○ neutral",
    "not_assessable": "– not assessable", "supported": "✓ supported", "contradicted": "✗ contradicted",
    "cannot_be_decided": "– cannot be decided",
}


class Audit(Protocol):
    """An audited legend: anything that gives the `audit` JSON of the command line."""

    def to_json(self) -> Mapping[str, Any]:
        """`{"panels": [{"label", "series_uid", "plane", "window", "claims": [...]}]}`."""
        ...


@dataclass(frozen=True, eq=False)
class Finding:
    """A lesion with its tags and audited legends, as a report shows it."""

    lesion: Lesion
    tags: tuple[Tag, ...] = ()
    audits: tuple[Audit | Mapping[str, Any], ...] = ()


@dataclass(frozen=True, eq=False)
class ReportInput:
    """What a report is made from.

    Parameters
    ----------
    findings : lesions in the order in which they are reported
    figure : drawn for the case, None for none
    series : of the study, so that they are named by role and their descriptions stay out
    notes : what the reader of the report has to know besides
    readings : of the measuring tools, as (tool, what it reads, what restricts it)
    """

    findings: tuple[Finding, ...]
    figure: Figure | None = None
    series: tuple[Series, ...] = ()
    notes: tuple[str, ...] = ()
    readings: tuple[tuple[str, str, str], ...] = ()

    @property
    def all_series(self) -> tuple[Series, ...]:
        """Series of the study and those behind the figure."""
        figure = self.figure
        shown = (*figure.series, *(s.series for s in figure.sources.values())) if figure else ()
        return (*self.series, *shown)


def report_content(made_from: ReportInput) -> dict[str, Any]:
    """Words and rows of a report, nothing escaped; neither UIDs nor series descriptions, names, dates or paths."""
    figure = made_from.figure
    series = made_from.all_series
    roles = {s.series_uid: s.role.role.value for s in series}
    values: dict[str, Any] = {
        "software": software(), "purpose": PURPOSE, "stance": STANCE,
        "lesions": [_finding(f, roles, number) for number, f in enumerate(made_from.findings, 1)],
        "readings": [{"name": name, "value": value, "note": note} for name, value, note in made_from.readings],
        "methods": [GENERAL_METHOD, *_methods(figure)],
        "limits": [*GENERAL_LIMITS, *(figure.notes if figure else ()), *made_from.notes],
        "caption": "",
    }
    values = _without_descriptions(values, series)
    if figure is not None:
        values |= {"caption": figure.recipe.caption_text(), "picture_alt": _in_words(figure)}
    return values


def _finding(finding: Finding, roles: Mapping[str, str], number: int) -> dict[str, Any]:
    lesion = finding.lesion
    measurement = lesion.measurement
    return {
        "number": number, "label": lesion.label or f"lesion {number}",
        "measured_on": roles.get(measurement.series_uid, "its own series"), "sizes": _sizes(lesion),
        "centroid": ", ".join(f"{v:.1f}" for v in measurement.centroid_lps_mm), "method": measurement.method,
        "warnings": list(dict.fromkeys((*measurement.warnings, *lesion.mask.warnings))),
        "tags": [_tag(tag, roles) for tag in finding.tags if _is_reported(tag)],
        "silent": [_silent(tag) for tag in finding.tags if not _is_reported(tag)],
        "panels": [_audited_panel(p, roles) for audit in finding.audits for p in _audit_json(audit)["panels"]],
    }


def _audit_json(audit: Audit | Mapping[str, Any]) -> Mapping[str, Any]:
    return audit if isinstance(audit, Mapping) else audit.to_json()


def _without_descriptions(value: Any, series: Iterable[Series]) -> Any:
    """The values with every series title or description replaced by the series' role.

    Descriptions are typed at the scanner and may name the patient (PS3.15 removes them); evidence quotes them.
    """
    roles = {
        words.strip(): s.role.role.value for s in series for words in (s.title, s.description) if len(words.strip()) > 2
    }
    # a description may begin another one: the longest goes first
    return _replaced(value, sorted(roles.items(), key=lambda pair: -len(pair[0])))


def _replaced(value: Any, pairs: list[tuple[str, str]]) -> Any:
    if isinstance(value, str):
        for words, role in pairs:
            value = value.replace(words, role)
        return value
    if isinstance(value, Mapping):
        return {key: _replaced(v, pairs) for key, v in value.items()}
    if isinstance(value, list):
        return [_replaced(v, pairs) for v in value]
    return value


def _sizes(lesion: Lesion) -> list[dict[str, str]]:
    m = lesion.measurement
    rows: list[tuple[str, LengthMeasurement | Quantity | None]] = [
        ("Long axis", m.long_axis), ("Short axis", m.short_axis), ("Largest 3D diameter", m.max_3d_diameter),
        ("Volume", m.volume), ("Volume, sum of voxels", m.volume_voxel_sum), ("Surface", m.surface),
        ("Distance to bone", m.distance_to_bone),
    ]
    table = []
    for name, entry in rows:
        quantity = entry.quantity if isinstance(entry, LengthMeasurement) else entry
        if quantity is None:
            if name in ("Long axis", "Short axis", "Volume"):
                table.append({"name": name, "value": "not measurable", "method": "see restrictions"})
            continue
        table.append({"name": name, "value": _units(quantity.display()), "method": quantity.method})
    i = m.intensity
    spread = f"P10 {i.p10:.4g}, P90 {i.p90:.4g}, minimum {i.minimum:.4g}, maximum {i.maximum:.4g}"
    table.append(
        {"name": f"Mean {'attenuation' if i.unit == 'HU' else 'signal'}", "method": f"{i.voxel_count} voxels: {spread}",
         "value": f"{i.mean:.4g} ± {i.standard_deviation:.3g} (SD) {i.unit}"}
    )
    return table


def _units(text: str) -> str:
    return text.replace("mm3", "mm³").replace("mm2", "mm²")


_ABBREVIATIONS = {
    "t1", "t2", "flair", "dwi", "adc", "gre", "swi", "csf", "hu", "ct", "mr", "cpa", "iac", "t1c",
}


def _words(key: object) -> str:
    """'t1_signal' as 'T1 signal'."""
    return " ".join(w.upper() if w in _ABBREVIATIONS else w for w in str(key).split("_"))


def _is_reported(tag: Tag) -> bool:
    return tag.value is not None or tag.verdict is not Verdict.NOT_ASSESSABLE or bool(tag.asserted_by)


def _silent(tag: Tag) -> dict[str, str]:
    """Concept and why nothing is said of it."""
    reasons = dict.fromkeys(e.reason for e in tag.evidence if e.verdict is Verdict.NOT_ASSESSABLE)
    return {"concept": _words(tag.concept), "reason": _units("; ".join(reasons))}


def _tag(tag: Tag, roles: Mapping[str, str]) -> dict[str, Any]:
    value = _words(tag.value) if tag.value is not None else "not reported"
    if tag.laterality and tag.laterality != tag.value:
        value += f", {tag.laterality}"
    value += " (asserted by the reader)" if tag.asserted_by else " (suggested)" if tag.value is not None else ""
    return {
        "concept": _words(tag.concept), "value": value, "verdict": _VERDICTS[tag.verdict.value],
        "verdict_key": tag.verdict.value,
        "evidence": [{"line": _evidence_line(_evidence_json(e), roles), "rule": e.rule} for e in tag.evidence],
    }


def _evidence_json(evidence: Evidence) -> Mapping[str, Any]:
    return evidence.to_json()


def _evidence_line(evidence: Mapping[str, Any], roles: Mapping[str, str]) -> str:
    """'saddle hu 42 ± 8 HU on CT: no connection to bone (TE 20 ms; ...)'."""
    line = _words(evidence.get("metric", ""))
    number = evidence.get("value")
    if isinstance(number, int | float):
        unit = str(evidence.get("unit") or "")
        quantity = Quantity(float(number), "" if unit in ("1", "ratio") else unit, evidence.get("uncertainty"))
        line += f" {_units(quantity.display())}"
    role = roles.get(str(evidence.get("series_uid") or ""))
    line += f" on {role}" if role else ""
    reason = str(evidence.get("reason") or "")
    line += f": {reason}" if reason else ""
    inputs = [str(i) for i in evidence.get("inputs") or ()]
    return _units(line + (f" ({'; '.join(inputs)})" if inputs else ""))


def _audited_panel(panel: Mapping[str, Any], roles: Mapping[str, str]) -> dict[str, Any]:
    role = roles.get(str(panel.get("series_uid") or ""), "")
    window = f"{panel['window']} window" if panel.get("window") else ""
    view = ", ".join(_words(part) for part in (role, panel.get("plane"), window) if part)
    return {"label": panel["label"], "view": view, "claims": [_claim(c, roles) for c in panel.get("claims", ())]}


def _claim(claim: Mapping[str, Any], roles: Mapping[str, str]) -> dict[str, Any]:
    side = f", {claim['laterality']}" if claim.get("laterality") else ""
    negated = " (denied)" if claim.get("negated") and claim.get("value") != "none" else ""
    verdict = str(claim["verdict"])
    return {
        "text": f"{_words(claim['concept'])}: {_words(claim['value'])}{side}{negated}",
        "verdict": _VERDICTS.get(verdict, _words(verdict)),
        "verdict_key": verdict if verdict in _VERDICTS else "", "reason": _units(str(claim.get("reason") or "")),
        "evidence": [_evidence_line(e, roles) for e in claim.get("evidence") or ()],
    }


def _methods(figure: Figure | None) -> list[str]:
    if figure is None:
        return []
    lines = []
    for panel in figure.recipe.panels:
        if not isinstance(panel, VolumePanel):
            continue
        source = figure.sources[panel.letter]
        sx, sy, sz = source.volume.geometry.spacing_xyz_mm
        width, height = panel.plane.field_of_view_mm
        slab = f", {panel.plane.projection} over {panel.plane.slab_mm:g} mm" if panel.plane.slab_mm > 0 else ""
        lines.append(
            f"Panel {panel.letter}: {source.series.role.role.value}, voxels {sx:.3g} x {sy:.3g} x {sz:.3g} mm, "
            f"{panel.plane.name}, field of view {width:g} x {height:g} mm{slab}, {panel.interpolation} interpolation, "
            f"window {panel.window.window().label} ({panel.window.function})"
            + (f", {panel.window.note}" if panel.window.note else "")
        )
    return lines


def _in_words(figure: Figure) -> str:
    """The figure for those who do not see it."""
    parts = []
    for panel in figure.recipe.panels:
        if isinstance(panel, VolumePanel):
            marked = ", with a mark at the finding" if panel.marks else ""
            parts.append(f"{panel.letter}: {panel.text or 'image'}, {panel.plane.name}{marked}")
        elif isinstance(panel, PlaceholderPanel):
            parts.append(f"{panel.letter}: empty, {panel.reason}")
        else:
            parts.append(f"{panel.letter}: picture {panel.text}".strip())
    return f"Figure of {len(parts)} panels. " + "; ".join(parts) + "."
