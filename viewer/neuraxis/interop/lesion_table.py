"""Lesions as a table (CSV): one row a number, tag or piece of evidence, for statistics programs and spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from neuraxis.domain.lesion import LengthMeasurement
from neuraxis.domain.quantity import Quantity
from neuraxis.interop.dicom_file import write_atomically
from neuraxis.interop.lossless_json import TaggedLesion

COLUMNS = (
    "lesion", "tracking_uid", "kind", "name", "value", "unit", "uncertainty_95", "method", "verdict", "reason",
    "series_uid", "start_l_mm", "start_p_mm", "start_s_mm", "end_l_mm", "end_p_mm", "end_s_mm",
)
_SIZES = (
    ("long_axis", "long_axis_mm"), ("short_axis", "short_axis_mm"), ("max_3d_diameter", "max_3d_diameter_mm"),
    ("volume", "volume_mm3"), ("volume_voxel_sum", "volume_voxel_sum_mm3"), ("surface", "surface_mm2"),
    ("distance_to_bone", "distance_to_bone_mm"),
)
_STATISTICS = ("mean", "standard_deviation", "minimum", "maximum", "p10", "p90", "voxel_count")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

Row = dict[str, object]


def write_lesion_table(lesions: Sequence[TaggedLesion], path: Path) -> None:
    """Write the table, UTF-8 with a header line, numbers in full precision, empty cells for what is not known.

    Texts that a spreadsheet would run as a formula get an apostrophe in front. WriteError as for DICOM.
    """
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for tagged in lesions:
        for row in _rows(tagged):
            common: Row = {"lesion": tagged.lesion.label, "tracking_uid": tagged.lesion.tracking_uid}
            writer.writerow({key: _cell(value) for key, value in {**common, **row}.items()})
    write_atomically(stream.getvalue().encode(), Path(path))


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return "'" + value
    return "" if value is None else repr(value) if isinstance(value, float) else value


def _rows(tagged: TaggedLesion) -> Iterator[Row]:
    m = tagged.lesion.measurement
    for attribute, name in _SIZES:
        found = getattr(m, attribute)
        yield {"kind": "size", "name": name, "series_uid": m.series_uid, **_size(found)}
    for attribute in _STATISTICS:
        count = attribute == "voxel_count"
        yield {
            "kind": "intensity", "name": attribute, "value": getattr(m.intensity, attribute),
            "unit": "" if count else m.intensity.unit, "series_uid": m.series_uid,
        }
    yield {"kind": "position", "name": "centroid", "series_uid": m.series_uid, **_place("start", m.centroid_lps_mm)}
    for warning in m.warnings:
        yield {"kind": "warning", "name": "measurement", "reason": warning, "series_uid": m.series_uid}
    for tag in tagged.tags:
        yield {
            "kind": "asserted tag" if tag.asserted_by else "suggested tag", "name": tag.concept,
            "value": tag.value or "not reported", "verdict": tag.verdict.value, "reason": tag.comment,
        }
        for e in tag.evidence:
            yield {
                "kind": "evidence", "name": f"{tag.concept}: {e.metric}", "value": e.value, "unit": e.unit,
                "method": e.rule, "verdict": e.verdict.value, "reason": e.reason, "series_uid": e.series_uid,
            }


def _size(found: LengthMeasurement | Quantity | None) -> Row:
    if found is None:
        return {"reason": "not measured: see the warnings"}
    quantity = found.quantity if isinstance(found, LengthMeasurement) else found
    row: Row = {
        "value": quantity.value, "unit": quantity.unit, "uncertainty_95": quantity.uncertainty, "method": quantity.method,
    }
    if isinstance(found, LengthMeasurement):
        row |= _place("start", found.start_lps_mm) | _place("end", found.end_lps_mm)
    return row


def _place(which: str, point: Sequence[float]) -> Row:
    return {f"{which}_{axis}_mm": float(v) for axis, v in zip("lps", point, strict=True)}
