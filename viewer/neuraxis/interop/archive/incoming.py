"""The folder that a study is received into: each instance appears whole and checked, or not at all; resumed by a journal."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self

from neuraxis.dicom.elements import DamagedFileError
from neuraxis.errors import ReadError, WriteError
from neuraxis.interop.archive.failures import ArchiveError
from neuraxis.interop.archive.instance_check import check_instance
from neuraxis.interop.archive.query import InstanceKey

TRANSFER = ".neuraxis-transfer"
"""Folder for what is under way: the journal and the instance that comes in. Gone when all has come."""


class Incoming:
    """An instance on its way in; `write` takes its bytes in order."""

    def __init__(self, path: Path, stream: IO[bytes], limit_bytes: int) -> None:
        self.path, self.size = path, 0
        self._stream, self._limit = stream, limit_bytes
        self._digest = hashlib.sha256()

    def write(self, block: bytes) -> None:
        """Append bytes; ArchiveError where the instance grows beyond the limit."""
        self.size += len(block)
        if self.size > self._limit:
            raise ArchiveError(
                f"an instance of more than {self._limit:,} bytes came in", expected="a smaller one",
                remedy="nothing of it was kept; pull the other series one by one",
            )
        self._digest.update(block)
        self._stream.write(block)

    @property
    def sha256(self) -> str:
        """Of what was written."""
        return self._digest.hexdigest()


class StudyFolder:
    """Receives wanted instances as `<series UID>/<SOP Instance UID>.dcm`.

    An instance is written under `.neuraxis-transfer`, walked to its last byte, compared with what was asked for, flushed
    and renamed; then a line of the journal holds its length and digest. A pull that was stopped, even by kill -9, goes
    on where it was: what the journal holds and still is as it was is not asked for again.

    Parameters
    ----------
    wanted : all that may come in
    limit_bytes : of one instance
    is_scratch : the folder need not outlast the program, so the disk is not waited for
    """

    def __init__(
        self, folder: Path, wanted: Sequence[InstanceKey], limit_bytes: int, *, is_scratch: bool = False
    ) -> None:
        self.folder, self._limit, self._is_scratch = folder, limit_bytes, is_scratch
        self._wanted = {key.sop_uid: key for key in wanted}
        self._transfer = folder / TRANSFER
        self._journal: IO[str] | None = None
        self._made = [p for p in (folder, *folder.parents) if not p.exists()]
        self.kept: dict[str, tuple[int, str]] = {}
        """Length and SHA-256 of what is there and whole, by SOP Instance UID."""
        self.resumed = 0
        self.new_bytes = 0

    def __enter__(self) -> Self:
        try:
            self._transfer.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._journal = (self._transfer / "journal.jsonl").open("a+", encoding="utf-8")
            _lock(self._journal)
        except BlockingIOError:
            self._close_journal()
            raise WriteError(
                f"another program is receiving into {self.folder.name}", expected="one transfer at a time",
                remedy="wait for it, or choose another folder",
            ) from None
        except OSError as error:
            self._leave()
            raise self._cannot_write(error) from error
        for stale in self._transfer.glob("*.part"):  # of a transfer that was killed
            stale.unlink(missing_ok=True)
        self._read_journal()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        complete = kind is None and not self.missing()
        self._close_journal()
        if complete or not self.kept:
            shutil.rmtree(self._transfer, ignore_errors=True)
        self._leave()

    def missing(self) -> list[InstanceKey]:
        """What was asked for and is not there yet."""
        return [key for uid, key in self._wanted.items() if uid not in self.kept]

    def path_of(self, key: InstanceKey) -> Path:
        """Where an instance is kept."""
        return self.folder / key.series_uid / f"{key.sop_uid}.dcm"

    @contextmanager
    def receive(self) -> Iterator[Incoming]:
        """Take one instance in; it is there, whole, when the block ends well, else nothing of it.

        Raises
        ------
        ArchiveError
            When it is damaged, or none of those asked for.
        WriteError
            When the disk refuses, or another file has its place.
        """
        path = self._transfer / f"{os.getpid()}.part"
        try:
            with path.open("wb") as stream:
                incoming = Incoming(path, stream, self._limit)
                yield incoming
                stream.flush()
                if not self._is_scratch:
                    os.fsync(stream.fileno())
            self._take(incoming)
        except OSError as error:
            if isinstance(error, WriteError | ReadError):
                raise
            raise self._cannot_write(error) from error
        finally:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def _take(self, incoming: Incoming) -> None:
        try:
            key = check_instance(incoming.path).key
        except DamagedFileError as damage:
            raise ArchiveError(
                f"what the archive sent as an instance {damage}", expected="a whole DICOM file",
                remedy="nothing of it was kept; try again, and if it happens again tell whoever runs the archive",
            ) from damage
        asked = self._wanted.get(key.sop_uid)
        if asked is None or (asked.study_uid, asked.series_uid) != (key.study_uid, key.series_uid):
            raise ArchiveError(
                f"the archive sent an instance that was not asked for ({key.sop_uid})",
                expected="an instance of the series that was asked for", remedy="nothing of it was kept",
            )
        place = self.path_of(key)
        if place.exists() and key.sop_uid not in self.kept and _digest(place) != incoming.sha256:
            raise WriteError(
                f"{place.name} is there already and holds something else", expected="a folder without it",
                remedy="choose another folder; the file was left as it is",
            )
        place.parent.mkdir(exist_ok=True)
        os.replace(incoming.path, place)
        self.new_bytes += incoming.size
        self._write_down(key.sop_uid, incoming.size, incoming.sha256)

    def _write_down(self, uid: str, size: int, sha256: str) -> None:
        self.kept[uid] = (size, sha256)
        if self._journal is not None:
            self._journal.write(json.dumps({"uid": uid, "bytes": size, "sha256": sha256}) + "\n")
            self._journal.flush()  # kill -9 loses nothing that was handed to the system; a power cut asks once more

    def _read_journal(self) -> None:
        if self._journal is None:
            return
        self._journal.seek(0)
        for line in self._journal.read().split("\n"):
            try:
                entry = json.loads(line)
                uid, size, sha256 = str(entry["uid"]), int(entry["bytes"]), str(entry["sha256"])
            except (ValueError, TypeError, KeyError):
                continue  # the end of a line may be missing where the program was killed
            key = self._wanted.get(uid)
            if key is not None and _is_still(self.path_of(key), size, sha256):
                self.kept[uid] = (size, sha256)
        if self.kept or self._journal.tell():
            self._journal.write("\n")  # what follows must not hang on to half a line
        self.resumed = len(self.kept)

    def _close_journal(self) -> None:
        if self._journal is not None:
            with contextlib.suppress(OSError):  # a full disk: the entry is asked for again next time
                self._journal.close()
            self._journal = None

    def _leave(self) -> None:
        """Take away the folders that were made here and hold nothing."""
        for made in self._made:
            if made == self.folder and made.is_dir():
                for inner in (p for p in made.iterdir() if p.is_dir()):
                    with contextlib.suppress(OSError):
                        inner.rmdir()
            with contextlib.suppress(OSError):
                made.rmdir()

    def _cannot_write(self, error: OSError) -> WriteError:
        return WriteError(
            f"cannot write below {self.folder.name}: {error.strerror or error}",
            expected="a folder that may be written to, with free space",
            remedy=f"make room or choose another folder; {len(self.kept)} instances are whole and kept, "
            "the same command goes on from there",
        )


def _is_still(path: Path, size: int, sha256: str) -> bool:
    try:
        return path.stat().st_size == size and _digest(path) == sha256
    except OSError:
        return False


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


if sys.platform == "win32":
    import msvcrt

    def _lock(stream: IO[str]) -> None:
        stream.seek(0)
        try:
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError from error
else:
    import fcntl

    def _lock(stream: IO[str]) -> None:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
