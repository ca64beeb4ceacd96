"""DICOMweb (PS3.18): QIDO-RS to find, WADO-RS to retrieve instances as they are stored, STOW-RS to store."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from neuraxis.interop.archive.failures import ArchiveError, NotThereError
from neuraxis.interop.archive.incoming import StudyFolder
from neuraxis.interop.archive.multipart import MultipartReader, closing, part_head
from neuraxis.interop.archive.origin import foreign_origin
from neuraxis.interop.archive.outgoing import Outgoing
from neuraxis.interop.archive.query import (
    Getter,
    InstanceKey,
    SeriesMatch,
    StudyMatch,
    StudyQuery,
    require_uid,
    shown,
)
from neuraxis.interop.archive.watch import Limits
from neuraxis.interop.archive.web_transport import BLOCK_BYTES, Answer, WebTransport

_JSON = "application/dicom+json"
_AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_PAGE = 1000
_MAX_NOTES = 5


class DicomWebArchive:
    """An archive behind a DICOMweb service."""

    def __init__(self, transport: WebTransport) -> None:
        self._transport = transport
        self.notes: list[str] = []

    @property
    def name(self) -> str:
        """Origin of the service."""
        return self._transport.who

    @property
    def limits(self) -> Limits:
        """Those of the transport."""
        return self._transport.limits

    def close(self) -> None:
        """Hang up."""
        self._transport.close()

    def check(self) -> str:
        """Ask for one study."""
        self._list("/studies", [], 1)
        return f"{self.name} answers"

    def find_studies(self, query: StudyQuery, limit: int) -> tuple[StudyMatch, ...]:
        """QIDO-RS, search for studies."""

        def ask(keys: dict[str, str]) -> list[StudyMatch]:
            asked = [*keys.items(), *(("includefield", k) for k in StudyMatch.KEYWORDS)]
            return [StudyMatch.read(get) for get in self._list("/studies", asked, limit)]

        return query.answered(ask)

    def list_series(self, study_uid: str) -> tuple[SeriesMatch, ...]:
        """QIDO-RS, series of a study."""
        path = f"/studies/{require_uid(study_uid, 'study')}/series"
        asked = [("includefield", k) for k in SeriesMatch.KEYWORDS]
        return tuple(SeriesMatch.read(get, study_uid) for get in self._list(path, asked))

    def list_instances(self, study_uid: str, series_uid: str) -> tuple[InstanceKey, ...]:
        """QIDO-RS, instances of a series."""
        path = f"{_series_path(study_uid, series_uid)}/instances"
        try:
            entries = self._list(path, [("includefield", k) for k in InstanceKey.KEYWORDS])
        except NotThereError:
            return ()
        return tuple(InstanceKey.read(get, study_uid, series_uid) for get in entries)

    def fetch(self, wanted: Sequence[InstanceKey], folder: StudyFolder, *, whole_series: bool) -> None:
        """WADO-RS: the series in one answer where all of it is wanted, else instance by instance."""
        if not wanted:
            return
        path = _series_path(wanted[0].study_uid, wanted[0].series_uid)
        if whole_series and len(wanted) > 1:
            self._receive(path, folder)
            return
        for key in wanted:
            self._receive(f"{path}/instances/{require_uid(key.sop_uid, 'instance')}", folder)

    def _receive(self, path: str, folder: StudyFolder) -> None:
        limit = self.limits.instance_bytes
        with self._transport.get(path, _AS_STORED) as answer:
            if answer.media_type == "application/dicom":
                with folder.receive() as incoming:
                    for block in answer.blocks(limit):
                        incoming.write(block)
                return
            self._require_media_type(answer, "multipart/related")
            reader = MultipartReader(answer.who, answer.blocks(limit * 1000), answer.parameters.get("boundary", ""))
            for media_type in reader.parts():
                if media_type not in ("application/dicom", ""):
                    raise _unfit(answer.who, f"a part of type {shown(media_type, 60)}", "application/dicom")
                with folder.receive() as incoming:
                    for block in reader.content():
                        incoming.write(block)

    def store(self, objects: Sequence[Outgoing], sent: Callable[[int], None]) -> dict[str, str]:
        """STOW-RS: one request with all objects, their bytes as they are."""
        boundary = uuid.uuid4().hex
        head, tail = part_head(boundary), closing(boundary)
        length = sum(len(head) + o.size for o in objects) + len(tail)
        content_type = f'multipart/related; type="application/dicom"; boundary={boundary}'

        def body() -> Iterator[bytes]:
            for item in objects:
                yield head
                for block in item.blocks(BLOCK_BYTES):
                    yield block
                    sent(len(block))
            yield tail

        with self._transport.post("/studies", _JSON, content_type, body(), length) as answer:
            content = answer.content(self.limits.answer_bytes)
            if answer.media_type not in (_JSON, "application/json"):
                # what was stored is read back in any case; only a refusal without reasons has to be told here
                return {o.key.sop_uid: "no reason given" for o in objects} if answer.status == 409 else {}
            return _refused(_parse_json(answer.who, content))

    def _list(self, path: str, asked: Sequence[tuple[str, str]], limit: int | None = None) -> list[Getter]:
        """Entries of a list, page by page. Without a limit all are wanted, and too many are an error."""
        most = self.limits.results if limit is None else limit
        found: list[Getter] = []
        page_before: list[Any] = []
        while len(found) < most:
            size = min(_PAGE, most - len(found))
            page = self._page(path, [*asked, ("limit", str(size)), ("offset", str(len(found)))])
            # a page that is not full is no end: archives have page sizes of their own; those without paging repeat
            if not page or page == page_before:
                return found
            found += [_getter(entry) for entry in page]
            page_before = page
            if len(page) > size:
                break  # no paging, all at once
        if limit is None and len(found) >= most:
            raise ArchiveError(
                f"{self.name} lists {most:,} entries and more", expected="fewer in one study or series",
                remedy="tell whoever runs the archive",
            )
        return found if limit is None else found[:limit]

    def _page(self, path: str, query: Sequence[tuple[str, str]]) -> list[Any]:
        with self._transport.get(path, _JSON, query) as answer:
            if answer.status == 204:
                return []
            content = answer.content(self.limits.answer_bytes) if _is_json(answer) else b""
            self._require_media_type(answer, _JSON, "application/json")
        page = _parse_json(answer.who, content) if content else []
        page = [page] if isinstance(page, dict) else page
        if not isinstance(page, list) or not all(isinstance(entry, dict) for entry in page):
            raise _unfit(answer.who, "a list in another form", "the DICOM JSON model")
        if len(page) > self.limits.results:
            raise _unfit(answer.who, f"{len(page):,} entries at once", f"at most {self.limits.results:,}")
        self._note_bulk_data(page)
        return page

    def _note_bulk_data(self, page: list[Any]) -> None:
        """Name what points to other hosts; nothing of it is ever asked for."""
        for uri in _bulk_uris(page):
            foreign = foreign_origin(self._transport.address, uri)
            note = f"{self.name} points to {foreign} for bulk data (BulkDataURI); refused, nothing was asked there"
            if foreign is not None and note not in self.notes and len(self.notes) < _MAX_NOTES:
                self.notes.append(note)

    def _require_media_type(self, answer: Answer, *expected: str) -> None:
        if answer.media_type not in expected:
            raise _unfit(answer.who, shown(answer.media_type, 60), expected[0])


def _is_json(answer: Answer) -> bool:
    return answer.media_type in (_JSON, "application/json")


def _series_path(study_uid: str, series_uid: str) -> str:
    return f"/studies/{require_uid(study_uid, 'study')}/series/{require_uid(series_uid, 'series')}"


def _unfit(who: str, found: str, expected: str) -> ArchiveError:
    is_page = found in ("text/html", "application/xhtml+xml")
    return ArchiveError(
        f"{who} answered with {found}", expected=expected,
        remedy="this looks like a sign-in or error page: check the path of the archive's address, and sign in"
        if is_page else "check the path of the archive's address",
    )


def _parse_json(who: str, content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise _unfit(who, f"{len(content):,} bytes that are no JSON", "the DICOM JSON model") from None


def _getter(entry: dict[str, Any]) -> Getter:
    from pydicom.datadict import tag_for_keyword

    def get(keyword: str) -> str:
        element = entry.get(f"{tag_for_keyword(keyword):08X}")
        values = element.get("Value") if isinstance(element, dict) else None
        return "\\".join(_text(v) for v in values) if isinstance(values, list) else ""

    return get


def _text(value: Any) -> str:
    if isinstance(value, dict):  # a person name in its three writings
        value = value.get("Alphabetic") or value.get("Ideographic") or value.get("Phonetic") or ""
    return str(value) if isinstance(value, str | int | float) else ""


def _bulk_uris(value: Any) -> Iterator[str]:
    pending = [value]
    while pending:
        current = pending.pop()
        if isinstance(current, dict):
            uri = current.get("BulkDataURI")
            if isinstance(uri, str):
                yield uri
            pending.extend(current.values())
        elif isinstance(current, list):
            pending.extend(current)


def _refused(report: Any) -> dict[str, str]:
    """SOP Instance UIDs of Failed SOP Sequence (PS3.18 10.5.3) with the reason."""
    reports = report if isinstance(report, list) else [report]
    refused = {}
    for entry in reports:
        items = entry.get("00081198", {}).get("Value", []) if isinstance(entry, dict) else []
        for item in items if isinstance(items, list) else []:
            if isinstance(item, dict):
                get = _getter(item)
                refused[get("ReferencedSOPInstanceUID")] = _reason(get("FailureReason"))
    return refused


def _reason(code: str) -> str:
    number = int(code) if code.isdecimal() else -1
    known = {
        0x0110: "processing failure", 0x0122: "SOP class not supported", 0x0124: "not authorised", 0xA700: "out of resources",
        0xA900: "data set does not match SOP class", 0xC000: "cannot understand", 0xC122: "transfer syntax not supported",
    }
    # A7xx, A9xx and Cxxx name whole families (PS3.4 table B.2-1)
    family = 0xC000 if number & 0xF000 == 0xC000 else number & 0xFF00
    return known.get(number) or known.get(family) or f"reason {number:04X}" if number >= 0 else "no reason given"
