"""DICOM objects into a case: masks, reports, contours, registrations and key images, ours and other people's."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from neuraxis.app.history import CaseState
from neuraxis.domain.lesion import Lesion, LesionMask, LesionMeasurement
from neuraxis.domain.quantity import Quantity
from neuraxis.domain.study import Study
from neuraxis.domain.tag import Tag
from neuraxis.errors import NeuraxisError, ReadError

SAME_VOLUME = 0.5
"""Of the mask's voxel sum: small lesions measured between voxels differ from it by so much, wrong masks by more."""


@dataclass(frozen=True, eq=False)
class TakenIn:
    """What foreign or own objects gave: the case with it, and in words what was doubtful or not understood."""

    state: CaseState
    lesions: tuple[str, ...] = ()
    """Tracking UIDs of the lesions that are new or replaced."""
    notes: tuple[str, ...] = ()


def take_in(
    paths: Sequence[Path], study: Study, state: CaseState, *, accept: Collection[str] = ()
) -> TakenIn:
    """Read SEG, SR, RT Structure Set, Spatial Registration and Key Objects into a case.

    Segments and contours become lesions, measured here; a report's tags go to the lesion of its tracking UID, and where
    its written size differs from the one measured here both stand in the notes. What cannot be read or is not understood
    is named; the other files are taken in nevertheless.

    Parameters
    ----------
    accept : doubts to take nevertheless, see `neuraxis.interop.doubt`
    """
    taken = TakenIn(state)
    kinds: dict[Path, str] = {}
    for path in paths:
        try:
            kinds[Path(path)] = _kind(Path(path))
        except NeuraxisError as error:
            taken = replace(taken, notes=(*taken.notes, f"{Path(path).name}: {error}"))
    taken = _without_conflicts(kinds, taken)
    for kind in ("segmentation", "contours", "report", "registration", "key objects", ""):  # reports refer to masks
        for path in (p for p, k in kinds.items() if k == kind):
            try:
                taken = _READERS[kind](path, study, taken, accept)
            except NeuraxisError as error:
                taken = replace(taken, notes=(*taken.notes, f"{path.name}: {error}"))
    return replace(taken, notes=tuple(dict.fromkeys(taken.notes)))


def _without_conflicts(kinds: dict[Path, str], taken: TakenIn) -> TakenIn:
    """Reports that carry one identifier and differ are set aside, in place: which of them is right has to be asked."""
    from neuraxis.interop.sr_read import conflicting_reports

    readable = []
    for path in (p for p, kind in kinds.items() if kind == "report"):
        with contextlib.suppress(NeuraxisError):  # what is wrong with it is said when it is read
            conflicting_reports([path])
            readable.append(path)
    for versions in conflicting_reports(readable):
        names = ", ".join(p.name for p in versions)
        words = f"{names}: {len(versions)} reports carry the same UID but differ: none was taken in; choose one of them"
        taken = replace(taken, notes=(*taken.notes, words))
        for path in versions:
            del kinds[path]
    return taken


def _kind(path: Path) -> str:
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID"])
    except (OSError, InvalidDicomError, ValueError, EOFError, RecursionError) as error:
        raise ReadError(f"no DICOM object ({type(error).__name__})", expected="SEG, SR, RTSTRUCT, REG or KOS") from error
    uid = str(header.get("SOPClassUID", ""))
    if uid.endswith(".88.59"):
        return "key objects"
    prefixes = {
        "1.2.840.10008.5.1.4.1.1.66.4": "segmentation", "1.2.840.10008.5.1.4.1.1.66.7": "segmentation",
        "1.2.840.10008.5.1.4.1.1.481.3": "contours", "1.2.840.10008.5.1.4.1.1.88.": "report",
        "1.2.840.10008.5.1.4.1.1.66.1": "registration",
    }
    return next((kind for prefix, kind in prefixes.items() if uid.startswith(prefix)), "")


def _with_lesion(taken: TakenIn, uid: str, label: str, mask: LesionMask, study: Study) -> TakenIn:
    """The lesion measured on its series; a second mask of one tracking UID goes with the first."""
    from neuraxis.app.workup import lesion_from_mask

    series = study.find(mask.series_id or mask.series_uid)
    old = taken.state.lesion(uid) if uid else None
    if old is not None and old.mask.series_uid != mask.series_uid:
        others = (*(m for m in old.other_masks if m.series_uid != mask.series_uid), mask)
        lesion = replace(old, other_masks=others)
    else:
        lesion = lesion_from_mask(series, mask, old.other_masks if old is not None else ())
        lesion = replace(lesion, tracking_uid=uid or lesion.tracking_uid, label=label or lesion.label)
    known = {one.tracking_uid: one for one in taken.state.lesions} | {lesion.tracking_uid: lesion}
    notes = (*taken.notes, *(f"{lesion.label}: {w}" for w in mask.warnings))
    names = tuple(dict.fromkeys((*taken.lesions, lesion.tracking_uid)))
    return TakenIn(replace(taken.state, lesions=tuple(known.values())), names, notes)


def _take_segments(path: Path, study: Study, taken: TakenIn, accept: Collection[str]) -> TakenIn:
    from neuraxis.interop.seg_read import read_segments

    for segment in read_segments(path, study, accept=accept):
        if segment.mask.voxel_count == 0:
            taken = replace(taken, notes=(*taken.notes, f"{path.name}: segment {segment.number} is empty"))
            continue
        taken = _with_lesion(taken, segment.tracking_uid, segment.label, segment.mask, study)
    return taken


def _take_contours(path: Path, study: Study, taken: TakenIn, accept: Collection[str]) -> TakenIn:
    from neuraxis.interop.rtstruct_read import read_rtstruct

    for roi in read_rtstruct(path, study, accept=accept):
        taken = replace(taken, notes=(*taken.notes, *(f"{roi.label}: {note}" for note in roi.notes)))
        if roi.mask is not None:
            taken = _with_lesion(taken, "", roi.label, roi.mask, study)
    return taken


def _take_report(path: Path, study: Study, taken: TakenIn, accept: Collection[str]) -> TakenIn:
    from neuraxis.interop.sr_lesions import report_lesions
    from neuraxis.interop.sr_read import read_sr

    report = read_sr(path, study, accept=accept)
    notes = [f"{path.name}: {note}" for note in report.notes]
    tags: dict[str, tuple[Tag, ...]] = dict(taken.state.tags)
    lesions = {one.tracking_uid: one for one in taken.state.lesions}
    for found in report_lesions(report, study):
        notes += [f"{path.name}: not understood: {words}" for words in found.not_understood]
        lesion = lesions.get(found.tracking_uid)
        if lesion is None:
            notes.append(f"{path.name}: {found.label or 'a finding'} has no mask here; its numbers were not taken")
            continue
        tags[found.tracking_uid] = found.tags
        if found.measurement is not None:
            lesion = _led_by(found.measurement, lesion)
            notes += _differences(lesion, found.measurement.volume, path)
            # the written measurement is what the reader signed: it stays, the mask can be measured again at any time
            lesions[found.tracking_uid] = lesion
    state = replace(taken.state, tags=MappingProxyType(tags), lesions=tuple(lesions.values()))
    return replace(taken, state=state, notes=(*taken.notes, *notes))


def _led_by(measurement: LesionMeasurement, lesion: Lesion) -> Lesion:
    """The lesion with this measurement, and the mask of the series that was measured as its first."""
    masks = (lesion.mask, *lesion.other_masks)
    first = next((m for m in masks if m.series_uid == measurement.series_uid), lesion.mask)
    return replace(lesion, mask=first, other_masks=tuple(m for m in masks if m is not first), measurement=measurement)


def _differences(lesion: Lesion, written: Quantity | None, path: Path) -> list[str]:
    here = lesion.mask.voxel_count * lesion.mask.geometry.voxel_volume_mm3
    if written is None or abs(written.value - here) <= SAME_VOLUME * here:
        return []
    return [f"{path.name}: {lesion.label} is written with {written.display()}, its mask holds {here:.3g} mm3"]


def _take_registration(path: Path, _study: Study, taken: TakenIn, _accept: Collection[str]) -> TakenIn:
    from neuraxis.interop.spatial_registration import read_registration

    registrations = taken.state.registrations
    for registration in read_registration(path):
        registrations = registrations.with_registration(registration)
    return replace(taken, state=replace(taken.state, registrations=registrations))


def _take_key_objects(path: Path, study: Study, taken: TakenIn, _accept: Collection[str]) -> TakenIn:
    from neuraxis.interop.key_objects import read_key_objects
    from neuraxis.interop.source_images import source_images

    found = read_key_objects(path, study)
    places = list(taken.state.key_images)
    notes = [f"{path.name}: {note}" for note in found.notes]
    for image in found.images:
        series = next((s for s in study.series if s.id == image.series_id and s.geometry is not None), None)
        if series is None or series.geometry is None:
            continue
        wanted: Mapping[tuple[str, int | None], int] = {
            (str(s.header.SOPInstanceUID), s.frame_number): s.slice_index
            for s in source_images(series, range(series.geometry.shape_zyx[0]))
        }
        for frame in image.frames or (None,):
            index = wanted.get((image.sop_instance_uid, frame))
            if index is not None and (series.id, index) not in places:
                places.append((series.id, index))
    return replace(taken, state=replace(taken.state, key_images=tuple(places)), notes=(*taken.notes, *notes))


def _not_taken(path: Path, _study: Study, taken: TakenIn, _accept: Collection[str]) -> TakenIn:
    words = f"{path.name}: neither SEG, SR, RT Structure Set, Spatial Registration nor Key Objects: not taken in"
    return replace(taken, notes=(*taken.notes, words))


_READERS: Mapping[str, Callable[[Path, Study, TakenIn, Collection[str]], TakenIn]] = {
    "segmentation": _take_segments, "contours": _take_contours, "report": _take_report,
    "registration": _take_registration, "key objects": _take_key_objects, "": _not_taken,
}
