"""The SQLite file of a case: its tables, how it is opened so that an acknowledged change survives, its copies."""

from __future__ import annotations

import contextlib
import datetime
import os
import sqlite3
from pathlib import Path

from neuraxis.errors import ReadError, WriteError

APPLICATION_ID = 0x4E584353
"""'NXCS' in the file header, so that another program's database is not taken for a case."""
SCHEMA_VERSION = 1
KEPT_COPIES = 10
NETWORK_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p", "fuse.sshfs", "davfs"})

SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE revision (
    number INTEGER PRIMARY KEY, at TEXT NOT NULL, author TEXT NOT NULL, action TEXT NOT NULL,
    kind TEXT NOT NULL, target INTEGER, digest TEXT NOT NULL) STRICT;
CREATE TABLE change (
    revision INTEGER NOT NULL REFERENCES revision, kind TEXT NOT NULL, uid TEXT NOT NULL,
    version INTEGER NOT NULL, state BLOB, PRIMARY KEY (kind, uid, version)) STRICT;
CREATE INDEX change_of_revision ON change (revision);
CREATE TABLE array (key TEXT PRIMARY KEY, content BLOB NOT NULL) STRICT;
CREATE TRIGGER revision_is_append_only BEFORE UPDATE ON revision BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER revision_is_kept BEFORE DELETE ON revision BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER change_is_append_only BEFORE UPDATE ON change BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER change_is_kept BEFORE DELETE ON change BEGIN SELECT RAISE(ABORT, 'append only'); END;
"""


class DamagedCaseError(ReadError):
    """A case file whose bytes are not those of a case; an earlier copy may take its place."""


def create(path: Path) -> None:
    """Make a new, empty case file, whole or not at all.

    Raises WriteError where it cannot be made, or lies on a network disk (write-ahead logging needs a local one).
    """
    refuse_network_disk(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        connection = sqlite3.connect(temporary, isolation_level=None)
        try:
            connection.executescript(
                f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}; BEGIN;{SCHEMA}COMMIT;"
            )
        finally:
            connection.close()
        put_new(temporary, path)
    except (sqlite3.Error, OSError) as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise WriteError(f"cannot make the case {path.name}: {error}", expected="a folder that may be written",
                         remedy="choose another place; nothing was left behind") from error


def put_new(temporary: Path, path: Path) -> None:
    """Give a file its name, unless another program made one of that name meanwhile, which then stays."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        os.replace(temporary, path)
    temporary.unlink(missing_ok=True)


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Connection with write-ahead log and full synchronisation: a commit is on the disk when it returns."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=2.0, check_same_thread=False)
    try:
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = 1")  # macOS: fsync alone leaves data in the drive's cache
        connection.execute("PRAGMA foreign_keys = 1")
        connection.execute("PRAGMA trusted_schema = 0")
    except sqlite3.Error:
        connection.close()
        raise
    if mode != "wal":
        connection.close()
        raise WriteError(f"{path.name} cannot be written safely here", expected="a local disk",
                         remedy="copy the case to a local disk")
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Connection that cannot change anything, also where nothing may be written beside the file."""
    address = path.resolve().as_uri()
    connection = sqlite3.connect(f"{address}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        log = path.with_name(path.name + "-wal")
        if log.exists() and log.stat().st_size:
            raise
        # no shared memory can be made (no permission, no room), and the log holds nothing: the file is all there is
        connection = sqlite3.connect(f"{address}?immutable=1", uri=True, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA trusted_schema = 0")
    return connection


def schema_of(path: Path) -> int:
    """Schema version of a case file.

    Raises
    ------
    DamagedCaseError
        When the file is empty, damaged or no case.
    ReadError
        When it cannot be read now: no permission, or no room for what SQLite needs beside it.
    """
    try:
        connection = open_for_reading(path)
        try:
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise DamagedCaseError(
                f"{path.name} is damaged or no case: {error}", expected="a Neuraxis case file") from error
        raise ReadError(f"{path.name} cannot be read now: {error}", expected="a file and a folder that can be read",
                        remedy="free some space on its disk, or look at its permissions; the case is as it was") from error
    if verdict != "ok":
        raise DamagedCaseError(f"{path.name} is damaged: {verdict}", expected="an undamaged case file")
    if application != APPLICATION_ID:
        raise DamagedCaseError(f"{path.name} is no Neuraxis case", expected="a Neuraxis case file")
    return int(version)


def copies_of(path: Path) -> list[Path]:
    """Copies of a case, newest first."""
    return sorted((path.parent / f".{path.name}.copies").glob("*.copy"), reverse=True)


def make_copy(connection: sqlite3.Connection, path: Path, now: datetime.datetime) -> Path:
    """Write a consistent copy of the open case and keep the newest ten.

    Raises WriteError where it cannot be written; the case itself is untouched.
    """
    folder = path.parent / f".{path.name}.copies"
    target = folder / f"{now.strftime('%Y%m%dT%H%M%S%f')}.copy"
    try:
        folder.mkdir(exist_ok=True)
        write_copy(connection, target, "free some space; the case itself is whole")
        for old in copies_of(path)[KEPT_COPIES:]:
            old.unlink(missing_ok=True)
    except OSError as error:
        raise WriteError(f"no second copy of {path.name} could be written ({getattr(error, 'found', error)})",
                         expected="space for a second copy", remedy="free some space; the case itself is whole") from error
    return target


def write_copy(connection: sqlite3.Connection, target: Path, remedy: str) -> None:
    """Write a consistent copy of an open case, whole or not at all; WriteError where it cannot be written."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        part.unlink(missing_ok=True)
        connection.execute("VACUUM INTO ?", (str(part),))
        os.replace(part, target)
    except (sqlite3.Error, OSError) as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise WriteError(f"{target.name} cannot be written: {error}", expected="space for a copy of the case",
                         remedy=remedy) from error


def is_case_file(path: Path) -> bool:
    """Whether a path is a case file, by its first bytes."""
    try:
        with path.open("rb") as stream:
            head = stream.read(72)
    except OSError:
        return False
    return head.startswith(b"SQLite format 3\0") and int.from_bytes(head[68:72], "big") == APPLICATION_ID


def refuse_network_disk(path: Path) -> None:
    """WriteError where a path lies on a network file system (Linux; elsewhere SQLite itself notices)."""
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
        folder = path.resolve().parent
    except OSError:
        return
    mounts = sorted((line.split() for line in lines), key=lambda words: -len(words[1]) if len(words) > 2 else 0)
    for words in mounts:
        if len(words) > 2 and folder.is_relative_to(words[1].replace("\\040", " ")):
            if words[2] in NETWORK_FILE_SYSTEMS:
                raise WriteError(f"{path.name} would lie on a network disk ({words[2]})", expected="a local disk",
                                 remedy="keep the case on this computer and copy it when it is closed")
            return
