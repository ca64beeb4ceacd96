"""What a case file holds, now and after each of its revisions; every mask and state is checked as it is read."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path
from typing import TypeVar

from neuraxis.case.binding import SeriesBinding
from neuraxis.case.database import copies_of, open_for_reading
from neuraxis.case.records import step_digest, unpack
from neuraxis.case.revisions import Revision, RevisionKind, StoredObject
from neuraxis.domain.plain import from_plain
from neuraxis.errors import ReadError

T = TypeVar("T")


class CaseReading:
    """The reading half of an open case; may be used by one thread at a time.

    `recovered` names what was damaged in the file and taken from an older copy instead.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.recovered: list[str] = []
        self._connection = connection
        self._staged: dict[str, bytes] = {}

    def revisions(self) -> tuple[Revision, ...]:
        """Every step, oldest first."""
        rows = self._connection.execute(
            "SELECT number, at, author, action, kind, target, digest FROM revision ORDER BY number"
        ).fetchall()
        return tuple(Revision(n, at, who, what, RevisionKind(kind), target, d) for n, at, who, what, kind, target, d in rows)

    def objects(self, at_revision: int | None = None) -> tuple[StoredObject, ...]:
        """Every object that is not deleted, now or as it was after a revision, oldest object first.

        One whose bytes are damaged has no value, and its `damage` says so.
        """
        limit = 2**62 if at_revision is None else at_revision
        rows = self._connection.execute(
            "SELECT kind, uid, version, state FROM change AS c WHERE version = "
            "(SELECT max(version) FROM change WHERE kind = c.kind AND uid = c.uid AND revision <= ?) ORDER BY "
            "(SELECT rowid FROM change WHERE kind = c.kind AND uid = c.uid AND version = 1)",
            (limit,),
        ).fetchall()
        return tuple(_stored(*row) for row in rows if row[3] is not None)

    def touched(self, number: int, at_revision: int) -> dict[tuple[str, str], StoredObject | None]:
        """The objects that revision `number` changed, as they were after `at_revision`; None for one not there then."""
        rows = self._connection.execute(
            "SELECT c.kind, c.uid, v.version, v.state FROM change AS c LEFT JOIN change AS v ON v.kind = c.kind AND "
            "v.uid = c.uid AND v.version = (SELECT max(version) FROM change WHERE kind = c.kind AND uid = c.uid "
            "AND revision <= ?) WHERE c.revision = ?",
            (at_revision, number),
        ).fetchall()
        return {(row[0], row[1]): _stored(*row) if row[3] is not None else None for row in rows}

    def versions(self) -> dict[tuple[str, str], int]:
        """Version of every object there ever was, oldest object first."""
        rows = self._connection.execute("SELECT kind, uid, max(version) FROM change GROUP BY kind, uid ORDER BY min(rowid)")
        return {(kind, uid): int(version) for kind, uid, version in rows}

    def version(self, kind: str, uid: str) -> int:
        """Version of an object as it stands now; 0 where there never was one."""
        (found,) = self._connection.execute(
            "SELECT coalesce(max(version), 0) FROM change WHERE kind = ? AND uid = ?", (kind, uid)
        ).fetchone()
        return int(found)

    def read(self, kind: type[T], stored: StoredObject) -> T:
        """The domain value of a stored object. ReadError where it is damaged or does not fit."""
        if stored.damage:
            raise ReadError(stored.damage, expected="the bytes that were written", remedy="restore an earlier copy")
        return from_plain(kind, stored.value, self._array)

    def _array(self, key: str) -> bytes:
        if key in self._staged:
            return self._staged[key]
        content = _whole_array(self._connection, key)
        if content is not None:
            return content
        for copy in copies_of(self.path):
            try:
                connection = open_for_reading(copy)
            except sqlite3.Error:
                continue
            try:
                content = _whole_array(connection, key)
            except sqlite3.Error:
                continue
            finally:
                connection.close()
            if content is not None:
                self.recovered.append(f"mask {key[:12]} is damaged in the file and was taken from the copy of {copy.stem}")
                return content
        raise ReadError(f"mask {key[:12]} of the case is damaged or gone", expected="the bytes that were written",
                        remedy="restore an earlier copy of the case")

    def verify(self) -> None:
        """Recompute the chain of digests over all revisions; ReadError that names the first one that differs."""
        before = ""
        for revision in self.revisions():
            rows = self._connection.execute(
                "SELECT kind, uid, version, state FROM change WHERE revision = ? ORDER BY kind, uid", (revision.number,)
            ).fetchall()
            if step_digest(before, revision.number, revision.at, revision.author, revision.action, revision.kind,
                           revision.target, rows) != revision.digest:
                raise ReadError(f"revision {revision.number} of {self.path.name} was changed after it was made",
                                expected="the digest written with it", remedy="restore a copy")
            before = revision.digest

    def note(self, name: str) -> str:
        """A remark kept beside the revisions under a name; "" where there is none."""
        row = self._connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else ""

    def bindings(self) -> tuple[SeriesBinding, ...]:
        """The series the case belongs to."""
        content = self.note("bindings")
        return tuple(from_plain(SeriesBinding, plain) for plain in json.loads(content)) if content else ()


def _stored(kind: str, uid: str, version: int, state: bytes) -> StoredObject:
    try:
        return StoredObject(kind, uid, version, unpack(state))
    except ReadError as error:
        return StoredObject(kind, uid, version, None, f"{kind} {uid[-12:]} (version {version}): {error.found}")


def _whole_array(connection: sqlite3.Connection, key: str) -> bytes | None:
    row = connection.execute("SELECT content FROM array WHERE key = ?", (key,)).fetchone()
    return bytes(row[0]) if row and hashlib.sha256(row[0]).hexdigest() == key else None
