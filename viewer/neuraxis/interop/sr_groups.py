"""The measurement groups of a lesion's report (TID 1411, 1410 and 1501), all under one tracking identifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuraxis.domain.lesion import IntensityStatistics, Lesion, LesionMask
from neuraxis.domain.lexicon import Code
from neuraxis.domain.quantity import Quantity
from neuraxis.domain.tag import Evidence, Tag
from neuraxis.interop import concepts as c
from neuraxis.interop.concepts import dicom_code
from neuraxis.interop.identity import MANUFACTURER, software_version
from neuraxis.interop.outline import largest_outline, signed_area
from neuraxis.interop.source_images import SourceImage
from neuraxis.interop.sr_items import (
    evaluation,
    line_coordinates,
    measurement,
    point_3d,
    region_source,
    slice_of_line,
    text,
    uid_reference,
)
from neuraxis.interop.tag_codes import term_code

MOST_SOURCE_IMAGES = 32
"""Of one segment by name; a longer one names its series instead (TID 1411 allows either)."""
SERIES_UID = Code("DCM", "112002", "Series Instance UID")


@dataclass(frozen=True, eq=False)
class ReportedLesion:
    """What the groups are made from.

    Parameters
    ----------
    mask : the lesion's mask on the reported series
    sources : source image of each slice the report refers to, by slice index
    segment : (SOP class, SOP instance, segment number) of the mask's SEG
    """

    lesion: Lesion
    mask: LesionMask
    tags: Sequence[Tag]
    sources: dict[int, SourceImage]
    segment: tuple[str, str, int]

    def tracking(self) -> Any:
        """The identifiers that every group carries."""
        import highdicom as hd

        return hd.sr.TrackingIdentifier(self.lesion.tracking_uid, self.lesion.label or "lesion")


def segment_group(reported: ReportedLesion) -> Any:
    """TID 1411: the segment with volume, intensity, and every tag a reader asserted."""
    import highdicom as hd

    sop_class, sop_instance, number = reported.segment
    drawn_on = [s for index, s in sorted(reported.sources.items()) if _touches(reported.mask, index)]
    images, series = None, None
    if len(drawn_on) > MOST_SOURCE_IMAGES:
        series = hd.sr.SourceSeriesForSegmentation(str(drawn_on[0].header.SeriesInstanceUID))
    else:
        images = [
            hd.sr.SourceImageForSegmentation(str(s.header.SOPClassUID), str(s.header.SOPInstanceUID), s.frame_numbers)
            for s in drawn_on
        ]
    asserted = [t for t in reported.tags if t.asserted_by and t.value is not None]
    group = hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=reported.tracking(),
        referenced_segment=hd.sr.ReferencedSegment(
            sop_class, sop_instance, number, source_images=images, source_series=series
        ),
        finding_type=dicom_code(c.LESION), finding_sites=_sites(asserted),
        measurements=_volumetric(reported.lesion),
        qualitative_evaluations=[
            evaluation(term_code(t.concept), term_code(t.concept, t.value or "")) for t in asserted
            if t.concept != "location"
        ] or None,
    )
    items = group[0].ContentSequence
    measured = reported.lesion.measurement
    items.append(text(c.METHOD_TEXT, measured.method or "not stated"))
    items.append(point_3d(c.CENTROID, measured.centroid_lps_mm, measured.frame_of_reference_uid))
    for warning in measured.warnings:
        items.append(text(c.WARNING_TEXT, warning))
    return group


def _touches(mask: LesionMask, index: int) -> bool:
    return 0 <= index - mask.start_zyx[0] < len(mask.box)


def _sites(tags: Sequence[Tag]) -> Any:
    import highdicom as hd

    return [
        hd.sr.FindingSite(
            dicom_code(term_code("location", t.value or "")),
            laterality=dicom_code(term_code("laterality", t.laterality)) if t.laterality else None,
        )
        for t in tags if t.concept == "location"
    ] or None


def _volumetric(lesion: Lesion) -> list[Any]:
    m = lesion.measurement
    sized = [
        (c.VOLUME, m.volume, None), (c.VOXEL_SUM_VOLUME, m.volume_voxel_sum, c.VOXEL_SUM_METHOD),
        (c.SURFACE_AREA, m.surface, None), (c.DISTANCE_TO_BONE, m.distance_to_bone, None),
        (c.SLICES_SPANNED, Quantity(float(m.slices_spanned), "") if m.slices_spanned else None, None),
    ]
    numbers = [measurement(name, q, method=method) for name, q, method in sized if q is not None and _is_number(q)]
    return numbers + _intensity(m.intensity)


def _is_number(quantity: Quantity) -> bool:
    return bool(np.isfinite(quantity.value))


def intensity_name(unit: str) -> Code:
    """Which quantity the statistics of a unit describe."""
    return {"HU": c.ATTENUATION, "signal": c.MR_SIGNAL}.get(unit, c.VOXEL_VALUE)


INTENSITY_FIELDS = (
    ("mean", c.MEAN), ("standard_deviation", c.DEVIATION), ("minimum", c.MINIMUM), ("maximum", c.MAXIMUM),
    ("p10", c.P10), ("p90", c.P90),
)


def _intensity(intensity: IntensityStatistics) -> list[Any]:
    name = intensity_name(intensity.unit)
    numbers = [
        measurement(name, quantity, derivation=derivation)
        for field, derivation in INTENSITY_FIELDS
        if _is_number(quantity := Quantity(float(getattr(intensity, field)), intensity.unit))
    ]
    return [*numbers, measurement(c.VOXEL_COUNT, Quantity(float(intensity.voxel_count), ""))]


def _largest_plane(mask: LesionMask) -> int:
    """Index in the mask's box of the slice of largest area."""
    return int(np.argmax(np.count_nonzero(mask.box, axis=(1, 2))))


def key_slices(reported: ReportedLesion) -> list[int]:
    """Slices that carry the outline or an axis line, in order."""
    m, geometry = reported.lesion.measurement, reported.mask.geometry
    slices = {reported.mask.start_zyx[0] + _largest_plane(reported.mask)}
    for line in (m.long_axis, m.short_axis, m.max_3d_diameter):
        index = slice_of_line(line, geometry) if line is not None else None
        slices |= {index} if index is not None else set()
    return sorted(slices)


def contour_group(reported: ReportedLesion) -> Any:
    """TID 1410: the outline on the slice of largest area, which viewers without segments can draw."""
    import highdicom as hd

    plane = _largest_plane(reported.mask)
    source = reported.sources[reported.mask.start_zyx[0] + plane]
    points = largest_outline(reported.mask.box[plane]) + np.array(reported.mask.start_zyx[:0:-1], dtype=np.float64)
    sx, sy, _ = reported.mask.geometry.spacing_xyz_mm
    area = Quantity(abs(signed_area(points)) * sx * sy, "mm2", None, "area inside the outline")
    return hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=reported.tracking(),
        referenced_region=hd.sr.ImageRegion(hd.sr.GraphicTypeValues.POLYLINE, points, region_source(source)),
        finding_type=dicom_code(c.LESION), measurements=[measurement(c.AREA, area)],
    )


def line_group(reported: ReportedLesion) -> Any | None:
    """TID 1501: long and short axis and largest diameter, each inferred from its line; None where none was measured."""
    import highdicom as hd

    m = reported.lesion.measurement
    lines = (
        (c.LONG_AXIS, m.long_axis), (c.SHORT_AXIS, m.short_axis), (c.MAX_3D_DIAMETER, m.max_3d_diameter),
    )
    numbers = [
        measurement(
            name, line.quantity,
            coordinates=line_coordinates(line, reported.mask.geometry, reported.sources),
        )
        for name, line in lines if line is not None and _is_number(line.quantity)
    ]
    if not numbers:
        return None
    return hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=reported.tracking(), finding_type=dicom_code(c.LESION), measurements=numbers,
    )


def tag_groups(reported: ReportedLesion) -> list[Any]:
    """TID 1501, one a tag and one a piece of evidence: who states it, what the voxels say, and why.

    A tag that no reader took is a suggestion: it stands here only, with the program as its author.
    """
    groups = []
    for tag in reported.tags:
        if tag.value is not None or tag.evidence:
            groups.append(_tag_group(reported, tag))
        groups.extend(_evidence_group(reported, tag, evidence) for evidence in tag.evidence)
    return groups


def _program() -> Any:
    import highdicom as hd

    return hd.sr.AlgorithmIdentification(name=MANUFACTURER, version=software_version())


def _tag_group(reported: ReportedLesion, tag: Tag) -> Any:
    import highdicom as hd

    status = c.ASSERTED if tag.asserted_by else c.SUGGESTED
    about = (c.EVIDENCE_FOR, term_code(tag.concept))  # without a value the tag states nothing, its evidence stands
    if tag.value is not None:
        about = (term_code(tag.concept), term_code(tag.concept, tag.value))
    evaluations = [
        evaluation(*about), evaluation(c.TAG_STATUS, status), evaluation(c.VERDICT, c.VERDICTS[tag.verdict.value]),
    ]
    if tag.laterality:
        evaluations.append(evaluation(c.LATERALITY, term_code("laterality", tag.laterality)))
    group = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=reported.tracking(), finding_type=dicom_code(c.LESION),
        algorithm_id=None if tag.asserted_by else _program(), qualitative_evaluations=evaluations,
    )
    for name, words in ((c.ASSERTED_BY, tag.asserted_by), (c.COMMENT, tag.comment)):
        if words:
            group[0].ContentSequence.append(text(name, words))
    return group


def _evidence_group(reported: ReportedLesion, tag: Tag, evidence: Evidence) -> Any:
    import highdicom as hd

    value = evidence.value
    number = None
    if value is not None and np.isfinite(value):
        name = c.private(evidence.metric, evidence.metric.replace("_", " "))
        number = [measurement(name, Quantity(float(value), evidence.unit, evidence.uncertainty))]
    group = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=reported.tracking(), finding_type=dicom_code(c.LESION), algorithm_id=_program(),
        measurements=number,
        qualitative_evaluations=[
            evaluation(c.EVIDENCE_FOR, term_code(tag.concept)),
            evaluation(c.VERDICT, c.VERDICTS[evidence.verdict.value]),
        ],
    )
    items = group[0].ContentSequence
    for concept, words in (
        (c.EVIDENCE_METRIC, evidence.metric), (c.EVIDENCE_UNIT, evidence.unit), (c.RULE, evidence.rule),
        (c.REASON, evidence.reason), *((c.INPUTS, words) for words in evidence.inputs),
    ):
        if words:
            items.append(text(concept, words))
    if evidence.series_uid:
        items.append(uid_reference(SERIES_UID, evidence.series_uid))
    if evidence.where_lps_mm is not None and evidence.frame_of_reference_uid:
        items.append(point_3d(c.EVIDENCE_PLACE, evidence.where_lps_mm, evidence.frame_of_reference_uid))
    return group
