"""The durable case: every step is on the disk when `commit` returns, nothing is ever overwritten."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from neuraxis.case import database
from neuraxis.case.binding import SeriesBinding
from neuraxis.case.holder import Holder, WriteLock, this_program
from neuraxis.case.reading import CaseReading
from neuraxis.case.records import array_keys, pack, restore_copy, step_digest, why_read_only, write_failure
from neuraxis.case.revisions import ObjectChange, Revision, RevisionKind, StoredObject, settled_at, undo_and_redo
from neuraxis.domain.plain import to_plain
from neuraxis.errors import NeuraxisError, ReadError, WriteError

Clock = Callable[[], datetime.datetime]


class ConflictError(NeuraxisError):
    """Somebody else changed the object since it was read; nothing was written."""


def _now() -> datetime.datetime:
    return datetime.datetime.now().astimezone()


class CaseFile(CaseReading):
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
        super().__init__(path, connection)
        self.notes, self.holder = tuple(notes), holder
        self._lock, self._clock = lock, clock

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
        holder, notes = None, list[str]()
        if not path.exists() and database.copies_of(path):
            restore_copy(path, ReadError(f"{path.name} was gone", expected="a Neuraxis case file"), notes, clock())
        elif not path.exists():
            database.create(path)
        lock = WriteLock(path)
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
        except database.DamagedCaseError as damage:
            if lock is None:
                raise
            version = restore_copy(path, damage, notes, clock())
        if version > database.SCHEMA_VERSION and lock is not None:
            notes.append(f"a newer program wrote this case (version {version}): it is open for reading only")
            lock.release()
            lock = None
        connection = None
        if lock is not None:
            try:
                connection = database.open_for_writing(path)
            except sqlite3.Error as error:
                notes.append(f"the case cannot be written ({error}): it is open for reading only")
                lock.release()
                lock = None
        case = cls(path, connection or database.open_for_reading(path), lock, notes, holder, clock)
        if lock is not None and case.revisions():
            try:
                case.copy()
            except WriteError as error:
                case.notes = (*case.notes, error.found)
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

    def save_copy_as(self, path: Path) -> None:
        """Write the whole case, with its revisions, to another file.

        Raises
        ------
        WriteError
            When there is a file already, or it cannot be written; nothing is left behind.
        """
        if path.exists():
            raise WriteError(f"{path.name} is there already", expected="a new file", remedy="choose another name")
        connection = database.open_for_reading(self.path)  # the connection that writes may have failed
        try:
            database.write_copy(connection, path, "nothing was left behind")
        finally:
            connection.close()

    def commit(self, action: str, changes: Sequence[ObjectChange], *, author: str,
               kind: RevisionKind = RevisionKind.EDIT, target: int | None = None) -> Revision:
        """Write one step; when this returns, it is on the disk.

        `kind` and `target` say where the changes come from: an undo or redo of revision `target`, a restored one.

        Raises
        ------
        ConflictError
            When an object has another version than expected: nothing is written.
        WriteError
            When the case is read-only, the disk is full or fails: the earlier state is intact.
        """
        return self._write(action, changes, author, kind, target)

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
        if not redo:
            return None
        return self._return_to(redo[-1], settled_at(self.revisions(), redo[-1]), RevisionKind.REDO, author)

    def restore(self, number: int, *, author: str) -> Revision:
        """Make the case as it was after revision `number`, as a new step that can be undone itself."""
        now = {(o.kind, o.uid): o for o in self.objects()}
        then = {(o.kind, o.uid): o for o in self.objects(number)}
        changed = [key for key in {**now, **then} if _value(now.get(key)) != _value(then.get(key))]
        changes = [ObjectChange(*key, _value(then.get(key)), self.version(*key)) for key in changed]
        return self._write(f"restored revision {number}", changes, author, RevisionKind.RESTORE, number)

    def _return_to(self, target: int, state_of: int, kind: RevisionKind, author: str) -> Revision:
        """Give the objects that revision `target` touched the state they had after revision `state_of`."""
        (action,) = self._connection.execute("SELECT action FROM revision WHERE number = ?", (target,)).fetchone()
        changes = [
            ObjectChange(*key, _value(then), self.version(*key)) for key, then in self.touched(target, state_of).items()
        ]
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
                if self._connection.in_transaction:  # a full disk ends it by itself
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
        self.keep_note("bindings", json.dumps(to_plain(list(bindings))))

    def keep_note(self, name: str, content: str) -> None:
        """Keep a remark beside the revisions; WriteError as for `commit`."""
        if not self.is_writable:
            raise self._read_only()
        try:
            self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, content))
        except sqlite3.Error as error:
            raise write_failure(self.path, error) from error

    def _read_only(self) -> WriteError:
        return WriteError(f"{self.path.name} is open for reading only", expected="a case open for writing",
                          remedy="; ".join(self.notes) or "open it again")


def _value(stored: StoredObject | None) -> Any:
    if stored is not None and stored.damage:
        raise ReadError(stored.damage, expected="the bytes that were written", remedy="restore another revision")
    return None if stored is None else stored.value
