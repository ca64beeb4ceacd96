"""Find, pull and push as the command line and the window do it: which archive, with which credentials, what then."""

from __future__ import annotations

import datetime
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuraxis.app.archive_entries import ArchiveEntry
from neuraxis.app.workup import Progress, silent
from neuraxis.errors import UsageError

if TYPE_CHECKING:
    from neuraxis.app.history import CaseState
    from neuraxis.domain.study import Study
    from neuraxis.interop.archive.credentials import Credentials
    from neuraxis.interop.archive.query import Archive, SeriesMatch, StudyMatch, StudyQuery
    from neuraxis.interop.archive.transfer import Pulled, Pushed
    from neuraxis.interop.archive.watch import Limits

ShouldStop = Callable[[], bool]


def _never() -> bool:
    return False


@contextmanager
def connected(
    entry: ArchiveEntry, *, credentials: Credentials | None = None, limits: Limits | None = None,
    should_stop: ShouldStop = _never,
) -> Iterator[Archive]:
    """The archive of an entry; nothing is sent before it is asked something.

    Parameters
    ----------
    credentials : for DICOMweb; by default those of the environment or the keyring
    """
    entry.check()
    ca_file = Path(entry.ca_file) if entry.ca_file else None
    archive: Archive
    if entry.url:
        from neuraxis.interop.archive.credentials import find_credentials
        from neuraxis.interop.archive.dicomweb import DicomWebArchive
        from neuraxis.interop.archive.origin import parse_address
        from neuraxis.interop.archive.web_transport import WebTransport

        address = parse_address(entry.url)
        known = credentials or find_credentials(address.origin)
        archive = DicomWebArchive(
            WebTransport(address, known, ca_file=ca_file, limits=limits, should_stop=should_stop)
        )
    else:
        from neuraxis.interop.archive.dimse import DimseArchive
        from neuraxis.interop.archive.dimse_association import DimseLine, DimsePeer

        peer = DimsePeer(
            entry.host, entry.port, entry.aet, entry.own_aet, entry.tls, ca_file, entry.receive_port or None,
            entry.receive_host or "127.0.0.1",
        )
        archive = DimseArchive(DimseLine(peer, limits, should_stop))
    try:
        yield archive
    finally:
        archive.close()


def find(
    entry: ArchiveEntry, query: StudyQuery, *, limit: int = 100, credentials: Credentials | None = None,
    should_stop: ShouldStop = _never,
) -> tuple[StudyMatch, ...]:
    """Studies that match."""
    with connected(entry, credentials=credentials, should_stop=should_stop) as archive:
        return archive.find_studies(query, limit)


def series_of(entry: ArchiveEntry, study_uid: str) -> tuple[SeriesMatch, ...]:
    """Series of a study."""
    with connected(entry) as archive:
        return archive.list_series(study_uid)


def pull(
    entry: ArchiveEntry, study_uid: str, folder: Path, *, series_uids: Sequence[str] = (),
    credentials: Credentials | None = None, progress: Progress = silent, should_stop: ShouldStop = _never,
) -> Pulled:
    """Receive a study into a folder, or go on with that."""
    from neuraxis.interop.archive.transfer import pull as pull_study

    with connected(entry, credentials=credentials, should_stop=should_stop) as archive:
        return pull_study(
            archive, study_uid, folder, series_uids=series_uids, progress=progress, should_stop=should_stop
        )


def push(
    entry: ArchiveEntry, paths: Sequence[Path], *, credentials: Credentials | None = None, progress: Progress = silent,
    should_stop: ShouldStop = _never,
) -> Pushed:
    """Send files and folders, and read them back."""
    from neuraxis.interop.archive.outgoing import collect_outgoing
    from neuraxis.interop.archive.transfer import push as push_objects

    progress(0.0, "looking at the files")
    outbox = collect_outgoing(paths)
    with connected(entry, credentials=credentials, should_stop=should_stop) as archive:
        return push_objects(archive, outbox, new_uid=new_uid, progress=progress, should_stop=should_stop)


def push_case(
    entry: ArchiveEntry, state: CaseState, study: Study, *, reader: str, written_at: datetime.datetime,
    credentials: Credentials | None = None, progress: Progress = silent, should_stop: ShouldStop = _never,
) -> Pushed:
    """Write what a reader made as DICOM objects, send them and read them back; no file of it stays on this machine.

    Parameters
    ----------
    reader : name of the reader who answers for it, "" where nobody does
    """
    from neuraxis.app.case_objects import write_case_objects
    from neuraxis.interop.identity import Author

    if not (state.lesions or state.key_images or state.registrations.registrations):
        raise UsageError("the case holds nothing that could be sent", expected="a lesion, a key image or a registration")
    with tempfile.TemporaryDirectory(prefix="neuraxis-send-") as name:
        files = write_case_objects(
            state, study, Path(name), author=Author(reader) if reader.strip() else None, written_at=written_at,
            progress=lambda fraction, text: progress(0.2 * fraction, text),
        )
        return push(
            entry, [f for f in files if f.suffix == ".dcm"], credentials=credentials, should_stop=should_stop,
            progress=lambda fraction, text: progress(0.2 + 0.8 * fraction, text),
        )


def sign_in(entry: ArchiveEntry, user: str, secret: str) -> Credentials:
    """Credentials for a DICOMweb archive: a password with a user name, a bearer token without.

    Raises
    ------
    UsageError
        For a DIMSE archive, which knows no sign-in.
    """
    from neuraxis.interop.archive.credentials import Credentials
    from neuraxis.interop.archive.origin import parse_address

    if not entry.url:
        raise UsageError("an archive spoken to by DIMSE knows no sign-in", expected="a DICOMweb archive")
    origin = parse_address(entry.url).origin
    return Credentials(origin, user, secret) if user else Credentials(origin, token=secret)


def keep_sign_in(entry: ArchiveEntry, user: str, secret: str) -> None:
    """Write credentials to the system keyring."""
    from neuraxis.interop.archive.credentials import keep_credentials

    keep_credentials(sign_in(entry, user, secret))


def forget_sign_in(entry: ArchiveEntry) -> bool:
    """Take an archive's credentials out of the keyring; False where there were none."""
    from neuraxis.interop.archive.credentials import forget_credentials
    from neuraxis.interop.archive.origin import parse_address

    return bool(entry.url) and forget_credentials(parse_address(entry.url).origin)


def new_uid() -> str:
    """A UID that nobody has used (PS3.5 B.2)."""
    return f"2.25.{uuid.uuid4().int}"


def pushed_to_json(done: Pushed) -> dict[str, Any]:
    """For `push --json`."""
    return {
        "sent": list(done.sent), "already_there": list(done.already_there), "renamed": done.renamed,
        "sent_bytes": done.sent_bytes, "notes": list(done.notes),
        "skipped": [{"path": s.path, "reason": s.reason} for s in done.skipped],
    }


def pulled_to_json(done: Pulled) -> dict[str, Any]:
    """For `pull --json`."""
    return {
        "folder": str(done.folder), "instances": done.instances, "new": done.new, "resumed": done.resumed,
        "new_bytes": done.new_bytes, "notes": list(done.notes),
    }
