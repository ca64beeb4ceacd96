"""The report: one self-contained HTML page with measurements, tags, the audited legend and the figure."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from neuraxis.domain.lesion import LengthMeasurement, Lesion
from neuraxis.domain.quantity import Quantity
from neuraxis.domain.study import Series
from neuraxis.domain.tag import Evidence, Tag, Verdict
from neuraxis.figures.figure import Figure
from neuraxis.figures.provenance import PURPOSE, software
from neuraxis.figures.recipe import PlaceholderPanel, VolumePanel
from neuraxis.output import write_text

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


def write_report(
    path: str | Path, *, lesion: Lesion, tags: Iterable[Tag] = (), audits: Iterable[Audit | Mapping[str, Any]] = (),
    figure: Figure | None = None, notes: Iterable[str] = (),
) -> Path:
    """Write the report of a lesion as one HTML file that needs nothing else and loads nothing.

    Everything that comes from data is escaped. Neither UIDs, names, dates nor paths are written; the same input gives
    the same bytes.

    Raises
    ------
    WriteError
        When the file cannot be written; nothing half-written is left behind.
    """
    target = Path(path)
    write_text(target, report_html(lesion=lesion, tags=tags, audits=audits, figure=figure, notes=notes))
    return target


def report_html(
    *, lesion: Lesion, tags: Iterable[Tag] = (), audits: Iterable[Audit | Mapping[str, Any]] = (),
    figure: Figure | None = None, notes: Iterable[str] = (),
) -> str:
    """The report as HTML text; see `write_report`."""
    roles = _role_names(figure)
    measurement = lesion.measurement
    asked = list(tags)
    values: dict[str, Any] = {
        "software": software(), "purpose": PURPOSE, "lesion_label": lesion.label or "Lesion",
        "measured_on": roles.get(measurement.series_uid, "its own series"), "sizes": _sizes(lesion),
        "centroid": ", ".join(f"{v:.1f}" for v in measurement.centroid_lps_mm), "method": measurement.method,
        "warnings": list(dict.fromkeys((*measurement.warnings, *lesion.mask.warnings))),
        "tags": [_tag(tag, roles) for tag in asked if _is_reported(tag)],
        "silent": [_silent(tag) for tag in asked if not _is_reported(tag)],
        "panels": [_audited_panel(p, roles) for audit in audits for p in _audit_json(audit)["panels"]],
        "picture": "", "methods": _methods(figure), "limits": [*(figure.notes if figure else ()), *notes],
    }
    if figure is not None:
        values = _without_descriptions(values, figure.series) | _picture(figure)
    return str(_environment().get_template("report.html.j2").render(values))


def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("neuraxis.figures"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )


def _audit_json(audit: Audit | Mapping[str, Any]) -> Mapping[str, Any]:
    return audit if isinstance(audit, Mapping) else audit.to_json()


def _role_names(figure: Figure | None) -> dict[str, str]:
    """'T1C' and the like by series UID; the UIDs themselves are not printed."""
    if figure is None:
        return {}
    shown = (s.series for s in figure.sources.values())
    return {s.series_uid: s.role.role.value for s in (*figure.series, *shown)}


def _without_descriptions(value: Any, series: Iterable[Series]) -> Any:
    """The values with every series title or description replaced by the series' role.

    Descriptions are typed at the scanner and may name the patient (PS3.15 removes them); evidence quotes them.
    """
    if isinstance(value, str):
        for s in series:
            for words in (s.title, s.description):
                if len(words.strip()) > 2:
                    value = value.replace(words.strip(), s.role.role.value)
        return value
    if isinstance(value, Mapping):
        return {key: _without_descriptions(v, series) for key, v in value.items()}
    if isinstance(value, list):
        return [_without_descriptions(v, series) for v in value]
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


def _picture(figure: Figure) -> dict[str, Any]:
    """The figure as an embedded PNG at its own resolution, with a text for those who do not see it."""
    scene = figure.scene
    parts = []
    for panel in figure.recipe.panels:
        if isinstance(panel, VolumePanel):
            marked = ", with a mark at the finding" if panel.marks else ""
            parts.append(f"{panel.letter}: {panel.text or 'image'}, {panel.plane.name}{marked}")
        elif isinstance(panel, PlaceholderPanel):
            parts.append(f"{panel.letter}: empty, {panel.reason}")
        else:
            parts.append(f"{panel.letter}: picture {panel.text}".strip())
    return {
        "picture": "data:image/png;base64," + base64.b64encode(figure.to_bytes(".png")).decode("ascii"),
        "picture_width": round(scene.width_mm / 25.4 * 140), "picture_height": round(scene.height_mm / 25.4 * 140),
        "picture_alt": f"Figure of {len(parts)} panels. " + "; ".join(parts) + ".",
        "caption": figure.recipe.caption_text(),
    }
