"""Read TID 1500 reports, ours and other programs': measurement groups as values, with the checks libraries leave out."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from neuraxis.domain.geometry import Vector3
from neuraxis.domain.lexicon import Code
from neuraxis.domain.study import Study
from neuraxis.interop import concepts as c
from neuraxis.interop.doubt import patient_notes
from neuraxis.interop.sr_places import ImagePlaces, measured_notes
from neuraxis.interop.sr_tree import Item, Reference, read_report

GROUP = Code("DCM", "125007", "Measurement Group")
TRACKING_UID = Code("DCM", "112040", "Tracking Unique Identifier")
TRACKING_ID = Code("DCM", "112039", "Tracking Identifier")
REFERENCED_SEGMENT = Code("DCM", "121191", "Referenced Segment")
SEGMENTATION_FRAME = Code("DCM", "121214", "Referenced Segmentation Frame")
DERIVATION = Code("DCM", "121401", "Derivation")
METHOD = Code("SCT", "370129005", "Measurement Method")
PERSON = Code("DCM", "121008", "Person Observer Name")
UNCERTAINTY = (Code("SCT", "371885007", "+"), Code("SCT", "371886008", "-"))
NO_EVALUATION = (c.FINDING, c.FINDING_CATEGORY)


@dataclass(frozen=True)
class ReportedNumber:
    """A measurement of a report, in the domain's unit; value None where the file has no number.

    `line_lps_mm` are the points it was inferred from, where their image is in the study.
    """

    name: Code
    value: float | None
    unit: str
    derivation: Code | None = None
    method: str = ""
    uncertainty: float | None = None
    line_lps_mm: tuple[Vector3, ...] = ()
    sop_instance_uid: str = ""


@dataclass(frozen=True, eq=False)
class ReportedGroup:
    """One measurement group: what it is about, its numbers and coded statements."""

    item: Item
    tracking_uid: str
    tracking_id: str
    finding: Code | None
    sites: tuple[tuple[Code, Code | None], ...]
    numbers: tuple[ReportedNumber, ...]
    evaluations: tuple[tuple[Code, Code], ...]
    segment: Reference | None


@dataclass(frozen=True, eq=False)
class Report:
    """A structured report as read; `notes` say what was doubtful or could not be understood."""

    sop_instance_uid: str
    author: str
    is_verified: bool
    is_complete: bool
    groups: tuple[ReportedGroup, ...]
    notes: tuple[str, ...]


def read_sr(path: Path, study: Study | None = None, *, accept: Collection[str] = ()) -> Report:
    """Measurement groups of an SR file.

    With a study, checked against it: same patient, images present, points inside their image, and the written value
    against the length or area recomputed from its coordinates. Each finding is in `notes`.

    Parameters
    ----------
    study : the images it is about; None reads it without the checks and without points in the patient
    accept : doubts to take nevertheless ("patient")

    Raises
    ------
    DoubtError
        When the report names another patient than the images and that is not accepted.
    ReadError
        When the file is no structured report or damaged.
    """
    dataset, root = read_report(Path(path))
    notes = [] if study is None else patient_notes(dataset, study.series, accept)
    places = ImagePlaces(study)
    groups = tuple(
        _group(item, places) for item in root.walk()
        if item.kind == "CONTAINER" and item.is_named(GROUP)
    )
    if not groups:
        notes.append("the report has no measurement groups (TID 1500): nothing was taken from it")
    for group in groups:
        notes.extend(measured_notes(group.item, places, study is not None))
        notes.extend(
            f"the measurement {n.name.meaning!r} has no number" for n in group.numbers if n.value is None
        )
    if study is not None:
        notes += _absent_images(root, places)
    author = root.child(PERSON)
    return Report(
        str(dataset.SOPInstanceUID), author.words if author else "", dataset.get("VerificationFlag") == "VERIFIED",
        dataset.get("CompletionFlag") == "COMPLETE", groups, tuple(dict.fromkeys(notes)),
    )


def conflicting_reports(paths: Sequence[Path]) -> tuple[tuple[Path, ...], ...]:
    """Sets of reports that carry one SOP Instance UID and differ: which of them is right has to be asked.

    Raises ReadError where a file is no report.
    """
    by_uid: dict[str, dict[bytes, Path]] = {}
    for path in paths:
        dataset, _ = read_report(Path(path))
        digest = hashlib.sha256(Path(path).read_bytes()).digest()
        by_uid.setdefault(str(dataset.SOPInstanceUID), {}).setdefault(digest, Path(path))
    return tuple(tuple(versions.values()) for versions in by_uid.values() if len(versions) > 1)


def _absent_images(root: Item, places: ImagePlaces) -> list[str]:
    """Images (not segmentations) that the report refers to and the study does not have."""
    images = {
        i.reference.sop_instance_uid: places.has(i.reference) for i in root.walk()
        if i.kind == "IMAGE" and i.reference is not None and not i.is_named(REFERENCED_SEGMENT, SEGMENTATION_FRAME)
    }
    lost = sum(not here for here in images.values())
    return [f"{lost} of {len(images)} images that the report refers to are not in the study"] if lost else []


def _group(item: Item, places: ImagePlaces) -> ReportedGroup:
    uid, name, finding = item.child(TRACKING_UID), item.child(TRACKING_ID), item.child(c.FINDING)
    segment = item.child(REFERENCED_SEGMENT, SEGMENTATION_FRAME)
    return ReportedGroup(
        item, uid.words if uid else "", name.words if name else "", finding.code if finding else None,
        tuple(
            (child.code, _code(child.child(c.LATERALITY))) for child in item.children
            if child.is_named(c.FINDING_SITE) and child.code is not None
        ),
        tuple(_number(child, places) for child in item.children if child.kind == "NUM" and child.name is not None),
        tuple(
            (child.name, child.code) for child in item.children
            if child.kind == "CODE" and child.relation == "CONTAINS" and child.name is not None
            and child.code is not None and not child.is_named(*NO_EVALUATION)
        ),
        segment.reference if segment else None,
    )


def _code(item: Item | None) -> Code | None:
    return item.code if item is not None else None


def _number(item: Item, places: ImagePlaces) -> ReportedNumber:
    value, unit = (None, item.unit) if item.number is None else c.from_ucum(item.number, item.unit)
    uncertainty = item.child(*UNCERTAINTY)
    half = None if uncertainty is None or uncertainty.number is None else uncertainty.number
    if half is not None and item.unit:
        half, _ = c.from_ucum(half, item.unit)
    method, method_code = item.texts(c.METHOD_TEXT), _code(item.child(METHOD))
    points, image = _line(item, places)
    assert item.name is not None
    return ReportedNumber(
        item.name, value, unit, _code(item.child(DERIVATION)),
        method[0] if method else (method_code.meaning if method_code else ""), half, points, image,
    )


def _line(item: Item, places: ImagePlaces) -> tuple[tuple[Vector3, ...], str]:
    """Points in the patient and the image of a number's line; patient coordinates, where there are both, are the finer."""
    flat = next((child for child in item.children if child.kind == "SCOORD"), None)
    deep = next((child for child in item.children if child.kind == "SCOORD3D"), None)
    points, image = places.in_patient(flat) if flat is not None else ((), "")
    return (places.in_patient(deep)[0] if deep is not None else points), image
