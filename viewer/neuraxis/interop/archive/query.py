"""What is asked of an archive and what it lists, the same for DICOMweb and DIMSE."""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Protocol

from neuraxis.errors import UsageError
from neuraxis.interop.archive.failures import ArchiveError

if TYPE_CHECKING:
    from neuraxis.interop.archive.incoming import StudyFolder
    from neuraxis.interop.archive.outgoing import Outgoing
    from neuraxis.interop.archive.watch import Limits

Progress = Callable[[float, str], None]
Getter = Callable[[str], str]
"""Text of an attribute by keyword; "" where it is absent."""

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")  # leading zeros are wrong and not rare
_DATE = re.compile(r"\d{8}")
_NOT_SHOWN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def is_uid(text: str) -> bool:
    """Whether a text is made like a UID (PS3.5 9.1), and so safe in a path or an address."""
    return len(text) <= 64 and _UID.fullmatch(text) is not None


def require_uid(text: str, what: str) -> str:
    """The UID itself; UsageError where it is none."""
    if not is_uid(text):
        raise UsageError(f"the {what} is no UID", expected="digits and dots, at most 64 characters")
    return text


@dataclass(frozen=True)
class StudyQuery:
    """Which studies are looked for; "" leaves a field open.

    Parameters
    ----------
    patient_name : as in DICOM, family name first; `*` and `?` stand for anything, a name without them is a beginning
    date_from, date_to : study dates as YYYYMMDD or YYYY-MM-DD, both included
    modality : CT, MR, …: studies that hold it
    """

    patient_name: str = ""
    patient_id: str = ""
    accession: str = ""
    date_from: str = ""
    date_to: str = ""
    modality: str = ""
    study_uid: str = ""

    def elements(self) -> dict[str, str]:
        """Matching keys by DICOM keyword, only those that are given.

        Raises
        ------
        UsageError
            For a date or UID that is none.
        """
        name = self.patient_name.strip()
        if name and not set("*?") & set(name):
            name += "*"
        keys = {
            "PatientName": name, "PatientID": self.patient_id.strip(), "AccessionNumber": self.accession.strip(),
            "StudyDate": _date_range(self.date_from, self.date_to),
            "ModalitiesInStudy": self.modality.strip().upper(),
            "StudyInstanceUID": require_uid(self.study_uid, "study") if self.study_uid else "",
        }
        if any("\\" in v or _NOT_SHOWN.search(v) for v in keys.values()):
            raise UsageError("the search holds a backslash or a control character", expected="plain text")
        return {k: v for k, v in keys.items() if v}

    def answered(self, ask: Callable[[dict[str, str]], Iterable[StudyMatch]]) -> tuple[StudyMatch, ...]:
        """What `ask` finds for the matching keys, with a name's delicate characters asked for as `*` and compared here.

        Archives disagree on them: Orthanc 1.10 takes `?` for one byte of UTF-8 and does not decode what the address of a
        DICOMweb search has to encode.
        """
        keys = self.elements()
        name = keys.get("PatientName", "")
        asked = re.sub(r"[^A-Za-z0-9._~*-]+", "*", name)
        found = tuple(ask({**keys, "PatientName": asked} if name else keys))
        return found if asked == name else tuple(m for m in found if _matches(m.patient_name, name))


def _matches(name: str, pattern: str) -> bool:
    text, wild = (unicodedata.normalize("NFC", t).casefold() for t in (name, pattern))
    return fnmatchcase(text, wild.replace("[", "[[]"))


def _date_range(first: str, last: str) -> str:
    a, b = _date(first), _date(last)
    if a and b and a > b:
        raise UsageError(f"the dates {a} to {b} run backwards", expected="the earlier date first")
    return a if a == b else f"{a}-{b}"


def _date(text: str) -> str:
    plain = text.strip().replace("-", "")
    if not plain:
        return ""
    try:
        datetime.datetime.strptime(plain, "%Y%m%d")
    except ValueError:
        plain = ""
    if not _DATE.fullmatch(plain):
        raise UsageError(f"{shown(text)!r} is no date", expected="YYYYMMDD or YYYY-MM-DD")
    return plain


@dataclass(frozen=True)
class StudyMatch:
    """A study that the archive lists."""

    study_uid: str
    patient_name: str
    patient_id: str
    study_date: str
    description: str
    accession: str
    modalities: tuple[str, ...]
    series: int | None
    instances: int | None

    KEYWORDS = (
        "StudyInstanceUID", "PatientName", "PatientID", "StudyDate", "StudyDescription", "AccessionNumber",
        "ModalitiesInStudy", "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances",
    )

    @staticmethod
    def read(get: Getter) -> StudyMatch:
        """From one entry of a list."""
        return StudyMatch(
            _listed_uid(get("StudyInstanceUID")), shown(get("PatientName")), shown(get("PatientID")),
            shown(get("StudyDate")), shown(get("StudyDescription")), shown(get("AccessionNumber")),
            tuple(sorted(shown(m) for m in get("ModalitiesInStudy").split("\\") if m)),
            _count(get("NumberOfStudyRelatedSeries")), _count(get("NumberOfStudyRelatedInstances")),
        )


@dataclass(frozen=True)
class SeriesMatch:
    """A series that the archive lists."""

    study_uid: str
    series_uid: str
    modality: str
    number: int | None
    description: str
    instances: int | None

    KEYWORDS = ("SeriesInstanceUID", "Modality", "SeriesNumber", "SeriesDescription", "NumberOfSeriesRelatedInstances")

    @staticmethod
    def read(get: Getter, study_uid: str) -> SeriesMatch:
        """From one entry of the list of a study's series."""
        return SeriesMatch(
            study_uid, _listed_uid(get("SeriesInstanceUID")), shown(get("Modality")), _count(get("SeriesNumber")),
            shown(get("SeriesDescription")), _count(get("NumberOfSeriesRelatedInstances")),
        )


@dataclass(frozen=True)
class InstanceKey:
    """Names one instance."""

    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class_uid: str = ""

    KEYWORDS = ("SOPInstanceUID", "SOPClassUID")

    @staticmethod
    def read(get: Getter, study_uid: str, series_uid: str) -> InstanceKey:
        """From one entry of the list of a series' instances."""
        return InstanceKey(study_uid, series_uid, _listed_uid(get("SOPInstanceUID")), get("SOPClassUID"))


class Archive(Protocol):
    """An archive, whichever way it is spoken to. All methods raise `ArchiveError` or `CancelledError`."""

    @property
    def name(self) -> str:
        """The archive in a message, without credentials."""
        ...

    @property
    def limits(self) -> Limits:
        """How long it may take and how much it may send."""
        ...

    @property
    def notes(self) -> list[str]:
        """Remarks on what the archive sent, for the user."""
        ...

    def check(self) -> str:
        """Contact the archive and say in words that it answers."""
        ...

    def find_studies(self, query: StudyQuery, limit: int) -> tuple[StudyMatch, ...]:
        """Studies that match, at most `limit`."""
        ...

    def list_series(self, study_uid: str) -> tuple[SeriesMatch, ...]:
        """Series of a study."""
        ...

    def list_instances(self, study_uid: str, series_uid: str) -> tuple[InstanceKey, ...]:
        """Instances of a series; empty where the archive has none."""
        ...

    def fetch(self, wanted: Sequence[InstanceKey], folder: StudyFolder, *, whole_series: bool) -> None:
        """Receive instances of one series into a folder, which checks each; `whole_series` says that `wanted` is all."""
        ...

    def store(self, objects: Sequence[Outgoing], sent: Callable[[int], None]) -> dict[str, str]:
        """Send instances; returns the refused ones by SOP Instance UID with the reason. `sent` is told bytes on the way."""
        ...

    def close(self) -> None:
        """Hang up."""
        ...


def shown(text: str, limit: int = 200) -> str:
    """Text of another program, fit to be shown: no control characters, bounded."""
    return _NOT_SHOWN.sub("", text)[:limit].strip()


def by_series(keys: Iterable[InstanceKey]) -> dict[tuple[str, str], list[InstanceKey]]:
    """Instances under (study UID, series UID), in their order."""
    found: dict[tuple[str, str], list[InstanceKey]] = {}
    for key in keys:
        found.setdefault((key.study_uid, key.series_uid), []).append(key)
    return found


def _listed_uid(text: str) -> str:
    if not is_uid(text):
        raise ArchiveError(
            "the archive lists an entry without a proper UID", expected="digits and dots, at most 64 characters",
            remedy="the entry cannot be asked for; tell whoever runs the archive",
        )
    return text


def _count(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None
