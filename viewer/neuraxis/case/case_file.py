"""The durable case: every step is on the disk when `commit` returns, nothing is ever overwritten."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from neuraxis.case import database
from neuraxis.case.binding import SeriesBinding
from neuraxis.case.holder import Holder, WriteLock, this_program
from neuraxis.case.records import array_keys, pack, restore_copy, step_digest, unpack, why_read_only, write_failure
from neuraxis.case.revisions import ObjectChange, Revision, RevisionKind, StoredObject, undo_and_redo
from neuraxis.domain.plain import from_plain, to_plain
from neuraxis.errors import NeuraxisError, ReadError, WriteError

T = TypeVar("T")
Clock = Callable[[], datetime.datetime]


class ConflictError(NeuraxisError):
    """Somebody else changed the object since it was read; nothing was written."""


def _now() -> datetime.datetime:
    return datetime.datetime.now().astimezone()


class CaseFile:
    """An open case. Use `open`, and close it (or use it in a `with` statement).

    Attributes
    ----------
    path : the file
    is_writable : False where another program holds it, the file or folder is read-only, or a newer program wrote it
    notes : why it is read-only, what was restored; to be shown to the user
    holder : the other program, where there is one
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: WriteLock | None, notes: Sequence[str],
                 holder: Holder | None, clock: Clock) -> None:
        self.path, self.notes, self.holder = path, tuple(notes), holder
        self._connection, self._lock, self._clock = connection, lock, clock
        self._staged: dict[str, bytes] = {}

    @classmethod
    def open(cls, path: Path, *, clock: Clock = _now) -> CaseFile:
        """Open a case, or make it where there is none.

        A damaged or empty file is set aside and the newest good copy takes its place; `notes` say so.

        Raises
        ------
        ReadError
            When the file is damaged and there is no good copy, or is something else.
        WriteError
            When there is no case and none can be made.
        """
        path = Path(path)
        if not path.exists() and not database.copies_of(path):
            database.create(path).close()
        lock = WriteLock(path)
        holder, notes = None, list[str]()
        try:
            is_ours = os.access(path, os.W_OK) and lock.take(this_program(clock()))
            if not is_ours:
                holder = lock.holder() if os.access(path, os.W_OK) else None
                notes.append(why_read_only(holder))
        except OSError:
            is_ours = False
            notes.append(why_read_only(None))
        try:
            return cls._opened(path, lock if is_ours else None, notes, holder, clock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def _opened(cls, path: Path, lock: WriteLock | None, notes: list[str], holder: Holder | None,
                clock: Clock) -> CaseFile:
        try:
            version = database.schema_of(path)
        except ReadError as damage:
            if lock is None:
                raise
            version = restore_copy(path, damage, notes, clock())
        if version > database.SCHEMA_VERSION and lock is not None:
            notes.append(f"a newer program wrote this case (version {version}): it is open for reading only")
            lock.release()
            lock = None
        connection = database.open_for_writing(path) if lock else database.open_for_reading(path)
        case = cls(path, connection, lock, notes, holder, clock)
        if lock is not None and case.revisions():
            database.make_copy(connection, path, clock())
        return case

    @property
    def is_writable(self) -> bool:
        """Whether `commit` may be called."""
        return self._lock is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and let others write it."""
        self._connection.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def copy(self) -> Path:
        """Write a second copy now; the ten newest are kept. WriteError where it cannot be written."""
        return database.make_copy(self._connection, self.path, self._clock())

    def revisions(self) -> tuple[Revision, ...]:
        """Every step, oldest first."""
        rows = self._connection.execute(
            "SELECT number, at, author, action, kind, target, digest FROM revision ORDER BY number"
        ).fetchall()
        return tuple(Revision(n, at, who, what, RevisionKind(kind), target, d) for n, at, who, what, kind, target, d in rows)

    def objects(self, at_revision: int | None = None) -> tuple[StoredObject, ...]:
        """Every object that is not deleted, now or as it was after a revision, oldest object first."""
        limit = 2**62 if at_revision is None else at_revision
        rows = self._connection.execute(
            "SELECT kind, uid, version, state FROM change AS c WHERE version = "
            "(SELECT max(version) FROM change WHERE kind = c.kind AND uid = c.uid AND revision <= ?) ORDER BY "
            "(SELECT rowid FROM change WHERE kind = c.kind AND uid = c.uid AND version = 1)",
            (limit,),
        ).fetchall()
        return tuple(
            StoredObject(kind, uid, version, unpack(state)) for kind, uid, version, state in rows if state is not None
        )

    def version(self, kind: str, uid: str) -> int:
        """Version of an object as it stands now; 0 where there never was one."""
        (found,) = self._connection.execute(
            "SELECT coalesce(max(version), 0) FROM change WHERE kind = ? AND uid = ?", (kind, uid)
        ).fetchone()
        return int(found)

    def read(self, kind: type[T], stored: StoredObject) -> T:
        """The domain value of a stored object. ReadError where it does not fit."""
        return from_plain(kind, stored.value, self._array)

    def _array(self, key: str) -> bytes:
        if key in self._staged:
            return self._staged[key]
        row = self._connection.execute("SELECT content FROM array WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise ReadError("a mask of the case is gone", expected=f"array {key[:12]}", remedy="restore a copy")
        return bytes(row[0])

    def verify(self) -> None:
        """Recompute the chain of digests over all revisions; ReadError that names the first one that differs."""
        before = ""
        for revision in self.revisions():
            rows = self._connection.execute(
                "SELECT kind, uid, version, state FROM change WHERE revision = ? ORDER BY kind, uid", (revision.number,)
            ).fetchall()
            target = revision.target
            if step_digest(before, revision.number, revision.at, revision.author, revision.action, revision.kind, target,
                       rows) != revision.digest:
                raise ReadError(f"revision {revision.number} of {self.path.name} was changed after it was made",
                                expected="the digest written with it", remedy="restore a copy")
            before = revision.digest

    def commit(self, action: str, changes: Sequence[ObjectChange], *, author: str) -> Revision:
        """Write one step; when this returns, it is on the disk.

        Raises
        ------
        ConflictError
            When an object has another version than expected: nothing is written.
        WriteError
            When the case is read-only, the disk is full or fails: the earlier state is intact.
        """
        return self._write(action, changes, author, RevisionKind.EDIT, None)

    def keep(self, kind: str, uid: str, value: Any, expected_version: int) -> ObjectChange:
        """The change that stores a domain value (dataclass or plain JSON); its masks go into the file's array table."""
        if not self.is_writable:
            raise self._read_only()
        return ObjectChange(kind, uid, to_plain(value, self._stage_array), expected_version)

    def _stage_array(self, content: bytes) -> str:
        key = hashlib.sha256(content).hexdigest()
        self._staged[key] = content
        return key

    def undo(self, *, author: str) -> Revision | None:
        """Take the last step back, also one of an earlier session; None where there is none."""
        undo, _ = undo_and_redo(self.revisions())
        return self._return_to(undo[-1], undo[-1] - 1, RevisionKind.UNDO, author) if undo else None

    def redo(self, *, author: str) -> Revision | None:
        """Do the last undone step again; None where there is none."""
        _, redo = undo_and_redo(self.revisions())
        return self._return_to(redo[-1], redo[-1], RevisionKind.REDO, author) if redo else None

    def restore(self, number: int, *, author: str) -> Revision:
        """Make the case as it was after revision `number`, as a new step that can be undone itself."""
        now = {(o.kind, o.uid): o for o in self.objects()}
        then = {(o.kind, o.uid): o for o in self.objects(number)}
        changed = [key for key in {**now, **then} if _value(now, key) != _value(then, key)]
        changes = [ObjectChange(*key, _value(then, key), self.version(*key)) for key in changed]
        return self._write(f"restored revision {number}", changes, author, RevisionKind.RESTORE, number)

    def _return_to(self, target: int, state_of: int, kind: RevisionKind, author: str) -> Revision:
        """Give the objects that revision `target` touched the state they had after revision `state_of`."""
        then = {(o.kind, o.uid): o for o in self.objects(state_of)}
        touched = self._connection.execute("SELECT kind, uid FROM change WHERE revision = ?", (target,)).fetchall()
        (action,) = self._connection.execute("SELECT action FROM revision WHERE number = ?", (target,)).fetchone()
        changes = [ObjectChange(k, uid, _value(then, (k, uid)), self.version(k, uid)) for k, uid in touched]
        return self._write(f"{kind.value}: {action}", changes, author, kind, target)

    def _write(self, action: str, changes: Sequence[ObjectChange], author: str, kind: RevisionKind,
               target: int | None) -> Revision:
        if not self.is_writable:
            raise self._read_only()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                revision = self._append(action, changes, author, kind, target)
                self._connection.execute("COMMIT")
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise write_failure(self.path, error) from error
        self._staged.clear()
        return revision

    def _append(self, action: str, changes: Sequence[ObjectChange], author: str, kind: RevisionKind,
                target: int | None) -> Revision:
        last = self._connection.execute("SELECT number, digest FROM revision ORDER BY number DESC LIMIT 1").fetchone()
        number, before = (last[0] + 1, last[1]) if last else (1, "")
        rows = []
        for change in changes:
            version = self.version(change.kind, change.uid)
            if version != change.expected_version:
                raise ConflictError(
                    f"{change.kind} was changed meanwhile (version {version})",
                    expected=f"version {change.expected_version} as it was read",
                    remedy="look at the other change, then make yours again",
                )
            rows.append((change.kind, change.uid, version + 1, pack(change.value)))
            for key in array_keys(change.value):
                if key in self._staged:
                    self._connection.execute("INSERT OR IGNORE INTO array VALUES (?, ?)", (key, self._staged[key]))
        rows.sort(key=lambda row: row[:2])
        at = self._clock().isoformat()
        digest = step_digest(before, number, at, author, action, kind, target, rows)
        self._connection.execute(
            "INSERT INTO revision VALUES (?, ?, ?, ?, ?, ?, ?)", (number, at, author, action, kind.value, target, digest)
        )
        self._connection.executemany(
            "INSERT INTO change VALUES (?, ?, ?, ?, ?)", [(number, k, uid, version, state) for k, uid, version, state in rows]
        )
        return Revision(number, at, author, action, kind, target, digest)

    def bind(self, bindings: Sequence[SeriesBinding]) -> None:
        """Remember which series the case belongs to; WriteError as for `commit`."""
        if not self.is_writable:
            raise self._read_only()
        content = json.dumps(to_plain(list(bindings)))
        try:
            self._connection.execute("INSERT OR REPLACE INTO meta VALUES ('bindings', ?)", (content,))
        except sqlite3.Error as error:
            raise write_failure(self.path, error) from error

    def bindings(self) -> tuple[SeriesBinding, ...]:
        """The series the case belongs to."""
        row = self._connection.execute("SELECT value FROM meta WHERE name = 'bindings'").fetchone()
        return tuple(from_plain(SeriesBinding, plain) for plain in json.loads(row[0])) if row else ()

    def _read_only(self) -> WriteError:
        return WriteError(f"{self.path.name} is open for reading only", expected="a case open for writing",
                          remedy="; ".join(self.notes) or "open it again")


def _value(objects: dict[tuple[str, str], StoredObject], key: tuple[str, str]) -> Any:
    found = objects.get(key)
    return None if found is None else found.value
