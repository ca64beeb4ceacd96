"""From the measurement groups of a report back to lesions: sizes, tags and evidence under one tracking identifier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from neuraxis.domain.geometry import Vector3
from neuraxis.domain.lesion import IntensityStatistics, LengthMeasurement, LesionMeasurement
from neuraxis.domain.lexicon import Code
from neuraxis.domain.quantity import Quantity
from neuraxis.domain.study import Study
from neuraxis.domain.tag import Evidence, Tag, Verdict
from neuraxis.interop import concepts as c
from neuraxis.interop.sr_groups import INTENSITY_FIELDS, SERIES_UID, intensity_name
from neuraxis.interop.sr_read import Report, ReportedGroup, ReportedNumber
from neuraxis.interop.sr_tree import Reference
from neuraxis.interop.tag_codes import concept_key, value_key

_VERDICT_OF = {code: Verdict(name) for name, code in c.VERDICTS.items()}
_OURS = (c.TAG_STATUS, c.VERDICT, c.EVIDENCE_FOR, c.LATERALITY)


@dataclass(frozen=True, eq=False)
class ReportLesion:
    """One tracked finding of a report.

    Parameters
    ----------
    measurement : None where the report lacks what a lesion's measurement needs (intensity, centroid): see `numbers`
    numbers : every measurement as it stands in the report
    segment : SEG instance and segment number of its mask, None where the report has none
    not_understood : coded statements whose codes the lexicon does not have, in their own words
    """

    tracking_uid: str
    label: str
    tags: tuple[Tag, ...]
    measurement: LesionMeasurement | None
    numbers: tuple[ReportedNumber, ...]
    segment: Reference | None
    not_understood: tuple[str, ...]


def report_lesions(report: Report, study: Study | None = None) -> tuple[ReportLesion, ...]:
    """Lesions of a report, in its order; groups without tracking identifier are lesions of their own."""
    by_uid: dict[str, list[ReportedGroup]] = {}
    for index, group in enumerate(report.groups):
        by_uid.setdefault(group.tracking_uid or f"group {index + 1}", []).append(group)
    return tuple(_lesion(uid, groups, report, study) for uid, groups in by_uid.items())


def _lesion(uid: str, groups: Sequence[ReportedGroup], report: Report, study: Study | None) -> ReportLesion:
    unknown: list[str] = []
    numbers = tuple(
        n for g in groups if not _names(g, c.EVIDENCE_FOR) for n in g.numbers
    )
    segment = next((g.segment for g in groups if g.segment is not None), None)
    return ReportLesion(
        "" if uid.startswith("group ") else uid, next((g.tracking_id for g in groups if g.tracking_id), ""),
        _tags(groups, report.author, unknown), _measurement(groups, numbers, study), numbers, segment,
        tuple(dict.fromkeys(unknown)),
    )


def _names(group: ReportedGroup, name: Code) -> Code | None:
    return next((value for concept, value in group.evaluations if concept == name), None)


def _tags(groups: Sequence[ReportedGroup], author: str, unknown: list[str]) -> tuple[Tag, ...]:
    stated = [tag for g in groups if _names(g, c.TAG_STATUS) for tag in _own_tag(g, unknown)]
    tags: dict[tuple[str, str | None], Tag] = {(t.concept, t.value): t for t in stated}
    for group in groups:
        if _names(group, c.TAG_STATUS) is None and _names(group, c.EVIDENCE_FOR) is None:
            for tag in _foreign_tags(group, author or "author of the report", unknown):
                tags.setdefault((tag.concept, tag.value), tag)
    evidence = [pair for g in groups if _names(g, c.TAG_STATUS) is None for pair in _evidence(g)]
    return tuple(
        replace(tag, evidence=tuple(e for concept, e in evidence if concept == tag.concept)) for tag in tags.values()
    )


def _own_tag(group: ReportedGroup, unknown: list[str]) -> Iterator[Tag]:
    sides = [value for name, value in group.evaluations if name == c.LATERALITY]
    verdict = _VERDICT_OF.get(_names(group, c.VERDICT) or c.VERDICTS["neutral"], Verdict.NEUTRAL)
    by, comment = group.item.texts(c.ASSERTED_BY), group.item.texts(c.COMMENT)
    about = _names(group, c.EVIDENCE_FOR)
    pairs = [(about, None)] if about else [(n, v) for n, v in group.evaluations if n not in _OURS]
    if not pairs and sides:  # a tag whose concept is the side itself
        pairs, sides = [(c.LATERALITY, sides[0])], sides[1:]
    side = sides[0] if sides else None
    for name, value in pairs:
        concept = concept_key(name)
        key = value_key(concept, value) if concept and value else None
        if concept is None or (value is not None and key is None):
            unknown.append(f"{name.meaning}: {value.meaning if value else ''}")
            continue
        yield Tag(
            concept, key, verdict, laterality=value_key("laterality", side) if side else None,
            asserted_by=by[0] if by else "", comment=comment[0] if comment else "",
        )


def _foreign_tags(group: ReportedGroup, author: str, unknown: list[str]) -> Iterator[Tag]:
    for name, value in (*group.evaluations, *((c.FINDING_SITE, site) for site, _ in group.sites)):
        concept = concept_key(name)
        key = value_key(concept, value) if concept else None
        if concept is None or key is None:
            unknown.append(f"{name.meaning}: {value.meaning}")
            continue
        side = next((s for site, s in group.sites if site == value and s is not None), None)
        yield Tag(
            concept, key, Verdict.NEUTRAL, asserted_by=author,
            laterality=value_key("laterality", side) if side and concept == "location" else None,
        )


def _evidence(group: ReportedGroup) -> Iterator[tuple[str, Evidence]]:
    about = _names(group, c.EVIDENCE_FOR)
    concept = concept_key(about) if about else None
    metric = group.item.texts(c.EVIDENCE_METRIC)
    if concept is None or not metric:
        return

    def words(code: Code) -> str:
        return (group.item.texts(code) or ("",))[0]

    number = group.numbers[0] if group.numbers else None
    place = group.item.child(c.EVIDENCE_PLACE)
    at = place.points[0] if place is not None and place.points is not None and len(place.points) else None
    yield concept, Evidence(
        metric[0], number.value if number else None, words(c.EVIDENCE_UNIT), words(SERIES_UID), words(c.RULE),
        _VERDICT_OF.get(_names(group, c.VERDICT) or c.VERDICTS["neutral"], Verdict.NEUTRAL), words(c.REASON),
        number.uncertainty if number else None, None if at is None else (float(at[0]), float(at[1]), float(at[2])),
        place.frame_of_reference_uid if place is not None else "", group.item.texts(c.INPUTS),
    )


def _measurement(
    groups: Sequence[ReportedGroup], numbers: Sequence[ReportedNumber], study: Study | None
) -> LesionMeasurement | None:
    main = next((g for g in groups if g.item.child(c.CENTROID) is not None), None)
    center = main.item.child(c.CENTROID) if main else None
    intensity = _intensity(numbers)
    if main is None or center is None or center.points is None or len(center.points) != 1 or intensity is None:
        return None
    slices = _first(numbers, c.SLICES_SPANNED)
    x, y, z = (float(v) for v in center.points[0])
    series_id, series_uid = _series(main, study)
    return LesionMeasurement(
        series_id, series_uid, center.frame_of_reference_uid, (main.item.texts(c.METHOD_TEXT) or ("",))[0], (x, y, z),
        intensity, _length(numbers, c.LONG_AXIS), _length(numbers, c.SHORT_AXIS), _length(numbers, c.MAX_3D_DIAMETER),
        _quantity(_first(numbers, c.VOLUME)), _quantity(_first(numbers, c.VOXEL_SUM_VOLUME)),
        _quantity(_first(numbers, c.SURFACE_AREA)), _quantity(_first(numbers, c.DISTANCE_TO_BONE)),
        round(slices.value) if slices and slices.value else 0, main.item.texts(c.WARNING_TEXT),
    )


def _series(group: ReportedGroup, study: Study | None) -> tuple[str, str]:
    images = {i.reference.sop_instance_uid for i in group.item.children if i.reference is not None}
    for series in () if study is None else study.series:
        if any(i.sop_instance_uid in images for i in series.instances):
            return series.id, series.series_uid
    return "", ""


def _first(numbers: Sequence[ReportedNumber], name: Code, derivation: Code | None = None) -> ReportedNumber | None:
    return next((n for n in numbers if n.name == name and n.derivation == derivation), None)


def _quantity(number: ReportedNumber | None) -> Quantity | None:
    if number is None or number.value is None:
        return None
    return Quantity(number.value, number.unit, number.uncertainty, number.method)


def _length(numbers: Sequence[ReportedNumber], name: Code) -> LengthMeasurement | None:
    number = _first(numbers, name)
    quantity = _quantity(number)
    if number is None or quantity is None or len(number.line_lps_mm) != 2:
        return None
    start: Vector3 = number.line_lps_mm[0]
    return LengthMeasurement(quantity, start, number.line_lps_mm[1], number.sop_instance_uid)


def _intensity(numbers: Sequence[ReportedNumber]) -> IntensityStatistics | None:
    mean = next((n for n in numbers if n.derivation == c.MEAN and n.name == intensity_name(n.unit)), None)
    count = _first(numbers, c.VOXEL_COUNT)
    if mean is None or count is None or count.value is None:
        return None
    values = {}
    for field, derivation in INTENSITY_FIELDS:
        number = _first(numbers, mean.name, derivation)
        values[field] = float("nan") if number is None or number.value is None else number.value
    return IntensityStatistics(mean.unit, voxel_count=round(count.value), **values)
