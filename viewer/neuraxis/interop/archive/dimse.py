"""DIMSE (PS3.4): C-ECHO, C-FIND, C-GET or C-MOVE to an own receiver, C-STORE."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from neuraxis.errors import NeuraxisError
from neuraxis.interop.archive.dimse_association import MAX_CONTEXTS, DimseLine
from neuraxis.interop.archive.dimse_receiving import InstanceTaker, common_classes, receiver, storage_contexts
from neuraxis.interop.archive.failures import ArchiveError
from neuraxis.interop.archive.incoming import StudyFolder
from neuraxis.interop.archive.outgoing import Outgoing
from neuraxis.interop.archive.query import (
    Getter,
    InstanceKey,
    SeriesMatch,
    StudyMatch,
    StudyQuery,
    require_uid,
)
from neuraxis.interop.archive.watch import Limits, Watch

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_Request = tuple[str, dict[str, str]]
"""Level and keys of a retrieval."""

_LISTED = 100
"""Instances named in one request."""

_PENDING = (0xFF00, 0xFF01)
_REASONS = {
    0x0110: "processing failure", 0x0122: "SOP class not supported", 0x0124: "not authorised",
    0xA700: "out of resources", 0xA701: "out of resources", 0xA702: "out of resources",
    0xA801: "the archive does not know our application entity title as a destination",
    0xA900: "the request does not match the service", 0xFE00: "cancelled",
}


class DimseArchive:
    """An archive as a DIMSE application entity."""

    def __init__(self, line: DimseLine) -> None:
        self._line = line
        self.notes: list[str] = []

    @property
    def name(self) -> str:
        """Title, host and port."""
        return self._line.peer.name

    @property
    def limits(self) -> Limits:
        """Those of the line."""
        return self._line.limits

    def close(self) -> None:
        """Nothing stays open between requests."""

    def check(self) -> str:
        """C-ECHO."""
        from pynetdicom import build_context
        from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

        with self._line.association([build_context(Verification)]) as (association, watch):
            self._line.require_context(association, Verification, "C-ECHO")
            with watch.waiting():
                status = association.send_c_echo()
            self._require_success(status, "C-ECHO")
        return f"{self.name} answers"

    def find_studies(self, query: StudyQuery, limit: int) -> tuple[StudyMatch, ...]:
        """C-FIND at study level."""

        def ask(keys: dict[str, str]) -> list[StudyMatch]:
            all_keys = {**dict.fromkeys(StudyMatch.KEYWORDS, ""), **keys}
            return [StudyMatch.read(get) for get in self._find("STUDY", all_keys, limit)]

        return query.answered(ask)

    def list_series(self, study_uid: str) -> tuple[SeriesMatch, ...]:
        """C-FIND at series level."""
        keys = {**dict.fromkeys(SeriesMatch.KEYWORDS, ""), "StudyInstanceUID": require_uid(study_uid, "study")}
        return tuple(SeriesMatch.read(get, study_uid) for get in self._find("SERIES", keys))

    def list_instances(self, study_uid: str, series_uid: str) -> tuple[InstanceKey, ...]:
        """C-FIND at image level."""
        keys = {
            **dict.fromkeys(InstanceKey.KEYWORDS, ""), "StudyInstanceUID": require_uid(study_uid, "study"),
            "SeriesInstanceUID": require_uid(series_uid, "series"),
        }
        return tuple(InstanceKey.read(get, study_uid, series_uid) for get in self._find("IMAGE", keys))

    def _find(self, level: str, keys: dict[str, str], limit: int | None = None) -> list[Getter]:
        from pynetdicom import build_context
        from pynetdicom.sop_class import (  # type: ignore[attr-defined]
            StudyRootQueryRetrieveInformationModelFind as Find,
        )

        most, found = self.limits.results if limit is None else limit, list[Getter]()
        with self._line.association([build_context(Find)]) as (association, watch):
            self._line.require_context(association, Find, "C-FIND")
            for status, entry in _responses(watch, association.send_c_find(_identifier(level, keys), Find)):
                if status.get("Status") not in _PENDING:
                    self._require_success(status, "C-FIND")
                elif entry is not None and len(found) < most:
                    found.append(_getter(entry))
                elif len(found) >= most:
                    if limit is None:
                        raise ArchiveError(
                            f"{self.name} lists more than {most:,} entries", expected="fewer in one study or series",
                            remedy="tell whoever runs the archive",
                        )
                    association.abort()  # the rest of a long list is not wanted
                    break
        return found

    def fetch(self, wanted: Sequence[InstanceKey], folder: StudyFolder, *, whole_series: bool) -> None:
        """C-GET, or C-MOVE where the peer names a port to receive on: a series at once, or lists of instances."""
        if not wanted:
            return
        retrieve = self._get if self._line.peer.receive_port is None else self._move
        classes = sorted({k.sop_class_uid for k in wanted if k.sop_class_uid}) or common_classes()
        taker = InstanceTaker(folder)
        series = {"StudyInstanceUID": wanted[0].study_uid, "SeriesInstanceUID": wanted[0].series_uid}
        if whole_series:
            retrieve([("SERIES", series)], classes, taker)
        else:
            lists = [wanted[at : at + _LISTED] for at in range(0, len(wanted), _LISTED)]
            retrieve([_of_instances(series, part) for part in lists], classes, taker)
        left = [k for k in wanted if k.sop_uid not in folder.kept]
        if left and len(wanted) > 1:  # lists are standard (PS3.4 C.4.3.1.3.2) and not known to every archive
            retrieve([_of_instances(series, [k]) for k in left], classes, taker)

    def _get(self, asked: Sequence[_Request], classes: Sequence[str], taker: InstanceTaker) -> None:
        from pynetdicom import build_context
        from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelGet as Get  # type: ignore[attr-defined]

        contexts = [build_context(Get), *storage_contexts(classes)]
        with self._line.association(contexts, receive=taker.take, store_classes=classes) as (association, watch):
            taker.watch = watch
            self._line.require_context(association, Get, "C-GET")
            for level, keys in asked:
                self._retrieve(watch, association.send_c_get(_identifier(level, keys), Get), taker, "C-GET")

    def _move(self, asked: Sequence[_Request], classes: Sequence[str], taker: InstanceTaker) -> None:
        from pynetdicom import build_context
        from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelMove as Move  # type: ignore[attr-defined]

        own = self._line.peer.own_title
        with self._line.association([build_context(Move)]) as (association, watch):
            taker.watch = watch
            self._line.require_context(association, Move, "C-MOVE")
            with receiver(self._line, classes, taker, watch):
                for level, keys in asked:
                    responses = association.send_c_move(_identifier(level, keys), own, Move)
                    self._retrieve(watch, responses, taker, "C-MOVE")

    def _retrieve(self, watch: Watch, responses: Iterator[Any], taker: InstanceTaker, service: str) -> None:
        try:
            for status, _ in _responses(watch, responses):
                if status.get("Status") not in _PENDING:
                    self._require_success(status, service)
        except NeuraxisError:
            if taker.failure is not None:  # what the receiver found is the cause of what the archive reports
                raise taker.failure from None
            raise
        if taker.failure is not None:
            raise taker.failure

    def store(self, objects: Sequence[Outgoing], sent: Callable[[int], None]) -> dict[str, str]:
        """C-STORE of each object, its bytes as they are."""
        refused: dict[str, str] = {}
        kinds = sorted({(o.key.sop_class_uid, o.transfer_syntax) for o in objects})
        for at in range(0, len(kinds), MAX_CONTEXTS):
            part = kinds[at : at + MAX_CONTEXTS]
            refused |= self._store([o for o in objects if (o.key.sop_class_uid, o.transfer_syntax) in part], part, sent)
        return refused

    def _store(
        self, objects: Sequence[Outgoing], kinds: Sequence[tuple[str, str]], sent: Callable[[int], None]
    ) -> dict[str, str]:
        from pynetdicom import build_context

        refused: dict[str, str] = {}
        with self._line.association([build_context(c, [syntax]) for c, syntax in kinds]) as (association, watch):
            accepted = {(str(c.abstract_syntax), str(c.transfer_syntax[0])) for c in association.accepted_contexts}
            for number, item in enumerate(objects, start=1):
                if (item.key.sop_class_uid, item.transfer_syntax) not in accepted:
                    refused[item.key.sop_uid] = "SOP class or transfer syntax not accepted"
                    continue
                with watch.waiting():
                    status = association.send_c_store(item.path, msg_id=number % 65535 or 1)
                if "Status" not in status:
                    raise self._line.broken_off()
                if status.Status != 0 and status.Status & 0xF000 != 0xB000:  # Bxxx: stored, with a remark
                    refused[item.key.sop_uid] = _reason(status.Status)
                sent(item.size)
        return refused

    def _require_success(self, status: Dataset, service: str) -> None:
        if "Status" not in status:
            raise self._line.broken_off()
        if status.Status == 0x0000:
            return
        failed = status.get("NumberOfFailedSuboperations")
        raise ArchiveError(
            f"{self.name} ends {service} with status {status.Status:04X}: {_reason(status.Status)}"
            + (f", {failed} instances failed" if failed else ""),
            expected="success", remedy="what was complete is kept; the archive's log says why",
        )


def _responses(watch: Watch, responses: Iterator[Any]) -> Iterator[Any]:
    """Responses as they come, waiting for each under the watch."""
    while True:
        with watch.waiting():
            response = next(responses, None)
        if response is None:
            return
        yield response


def _of_instances(series: dict[str, str], keys: Sequence[InstanceKey]) -> _Request:
    return "IMAGE", {**series, "SOPInstanceUID": "\\".join(k.sop_uid for k in keys)}


def _identifier(level: str, keys: dict[str, str]) -> Dataset:
    from pydicom.dataset import Dataset

    identifier = Dataset()
    if not all(v.isascii() for v in keys.values()):
        identifier.SpecificCharacterSet = "ISO_IR 192"
    identifier.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(identifier, keyword, value or None)
    return identifier


def _getter(entry: Dataset) -> Getter:
    from pydicom.multival import MultiValue

    def get(keyword: str) -> str:
        try:
            value = entry.get(keyword)
        except Exception:  # values that cannot be parsed are left open, as absent ones are; pydicom has no one error for it
            return ""
        if value is None:
            return ""
        return "\\".join(map(str, value)) if isinstance(value, MultiValue) else str(value)

    return get


def _reason(status: int) -> str:
    return _REASONS.get(status) or {
        0xA700: "out of resources", 0xA900: "data set does not match its class", 0xC000: "cannot understand",
        0xB000: "some instances failed",
    }.get(status & 0xF000 if status >= 0xB000 else status & 0xFF00, "no reason given")


