"""A study as the JSON object of `neuraxis scan --json`."""

from __future__ import annotations

from typing import Any

from neuraxis.dicom.byte_sources import printable
from neuraxis.domain.study import Series, Study


def scan_to_json(study: Study) -> dict[str, Any]:
    """The scan of a study: one entry per volume or picture set, skipped files with reasons, the account of all files."""
    report = study.report
    return {
        "path": printable(study.path, 4096),
        "series": [series_to_json(s) for s in study.series],
        "set_apart": [{"path": _safe(s.path), "reason": s.reason} for s in report.set_apart],
        "skipped": [{"path": _safe(s.path), "reason": s.reason} for s in report.skipped],
        "files_seen": report.files_seen,
        "files_loaded": report.files_loaded,
        "notes": list(report.notes),
    }


def _safe(path: str) -> str:
    """A path that any UTF-8 stream can carry."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


def series_to_json(s: Series) -> dict[str, Any]:
    """One series of a scan."""
    g = s.geometry if s.is_volume else None
    return {
        "id": s.id, "series_uid": s.series_uid, "study_uid": s.study_uid,
        "frame_of_reference_uid": s.frame_of_reference_uid, "number": s.number, "description": s.description,
        "modality": s.modality, "role": s.role.role.value, "role_confidence": s.role.confidence.value,
        "role_reason": s.role.reason, "files": len(s.instances), "frames": s.frames, "rows": s.rows, "columns": s.columns,
        "is_volume": s.is_volume,
        "shape_zyx": list(g.shape_zyx) if g else None,
        "spacing_xyz_mm": list(g.spacing_xyz_mm) if g else None,
        "origin_lps_mm": list(g.origin_lps_mm) if g else None,
        "direction_lps": [list(v) for v in g.direction_lps] if g else None,
        "refusal": s.refusal, "warnings": list(s.warnings),
    }
