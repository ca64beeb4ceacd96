"""Whose study it is and of what day: read for the screen only, never written, never logged."""

from __future__ import annotations

import datetime
import os
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from neuraxis.domain.study import InstanceReference, Series, Study

_TAGS = {
    "charset": 0x00080005, "PatientName": 0x00100010, "PatientID": 0x00100020, "StudyDate": 0x00080020,
    "StudyTime": 0x00080030, "StudyDescription": 0x00081030,
}


@dataclass(frozen=True)
class StudyLabel:
    """What the first image of a study says of patient and day; '' and None where it is silent."""

    patient_name: str = ""
    patient_id: str = ""
    date: datetime.date | None = None
    time: str = ""
    description: str = ""

    @property
    def day(self) -> str:
        """The date as 2024-03-01, or ''."""
        return self.date.isoformat() if self.date else ""


def read_study_labels(study: Study) -> dict[str, StudyLabel]:
    """One label a study UID; a study whose first image cannot be read again has none."""
    found: dict[str, StudyLabel] = {}
    for series in study.series:
        if series.study_uid not in found and series.instances:
            label = read_label(series.instances[0])
            if label is not None:
                found[series.study_uid] = label
    return found


def read_label(instance: InstanceReference) -> StudyLabel | None:
    """The label in the header of one instance, in a folder or in a zip; None where it cannot be read."""
    from neuraxis.dicom.byte_sources import DescriptorSource, MemorySource, open_regular
    from neuraxis.dicom.elements import DamagedFileError, NotDicomError
    from neuraxis.dicom.header_walk import walk_header

    archive, mark, member = instance.path.partition("!/")
    try:
        if mark:
            with zipfile.ZipFile(archive) as packed:
                return _label_of(walk_header(MemorySource(packed.read(member)), frozenset(_TAGS.values()))[0].values)
        descriptor, size = open_regular(instance.path)
        try:
            header, _ = walk_header(DescriptorSource(descriptor, size), frozenset(_TAGS.values()))
            return _label_of(header.values)
        finally:
            os.close(descriptor)
    except (OSError, ValueError, KeyError, NotImplementedError, zipfile.BadZipFile, DamagedFileError, NotDicomError):
        return None


def _label_of(values: Mapping[int, bytes]) -> StudyLabel:
    from neuraxis.dicom.attributes import decode_text
    from neuraxis.dicom.byte_sources import printable

    charset = values.get(_TAGS["charset"], b"").decode("ascii", "replace")
    text = {k: printable(decode_text(values.get(tag, b""), charset)[0]).strip() for k, tag in _TAGS.items()}
    try:
        date = datetime.datetime.strptime(text["StudyDate"][:8], "%Y%m%d").date()
    except ValueError:
        date = None
    name = " ".join(text["PatientName"].replace("^", " ").split())
    return StudyLabel(name, text["PatientID"], date, text["StudyTime"], text["StudyDescription"])


def newest_first(study_uids: Iterable[str], labels: Mapping[str, StudyLabel]) -> tuple[str, ...]:
    """Study UIDs by day and time, newest first; those without a date last, in the order given."""
    empty = StudyLabel()

    def when(uid: str) -> tuple[str, str]:
        label = labels.get(uid, empty)
        return label.day, label.time

    uids = list(dict.fromkeys(study_uids))
    dated = sorted((u for u in uids if labels.get(u, empty).date), key=when, reverse=True)
    return (*dated, *(u for u in uids if u not in dated))


def same_patient(a: StudyLabel, b: StudyLabel) -> bool:
    """Whether two studies carry the same Patient ID, or the same name where neither has an ID."""
    return a.patient_id == b.patient_id and (bool(a.patient_id) or a.patient_name == b.patient_name)


def study_badge(series: Series, every: Iterable[Series], labels: Mapping[str, StudyLabel], *, hidden: bool) -> str:
    """'current 2024-03-01' or 'prior 2022-11-30', '' where one study is open; `hidden` gives days instead of dates."""
    uids = newest_first((s.study_uid for s in every if s.study_uid), labels)
    if len(uids) < 2 or series.study_uid not in uids:
        return ""
    label, newest = labels.get(series.study_uid), labels.get(uids[0])
    if label is None or label.date is None or newest is None or newest.date is None:
        return f"study {uids.index(series.study_uid) + 1} of {len(uids)}, no date"
    if not same_patient(label, newest):
        return "another patient" if hidden else f"another patient, {label.day}"
    word = "current" if label.date == newest.date else "prior"
    if not hidden:
        return f"{word} {label.day}"
    days = (newest.date - label.date).days
    return word if days == 0 else f"{word}, {days} days before"
