"""How one step is written: packed states, the chain of digests, and the way back to a good copy."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from neuraxis.case import database
from neuraxis.case.holder import Holder
from neuraxis.case.revisions import RevisionKind
from neuraxis.errors import ReadError, WriteError


def array_keys(value: Any) -> Iterator[str]:
    """Keys of the arrays that a plain value refers to."""
    if isinstance(value, dict):
        if value.keys() == {"shape", "key"}:
            yield value["key"]
        for part in value.values():
            yield from array_keys(part)
    elif isinstance(value, list):
        for part in value:
            yield from array_keys(part)


def write_failure(path: Path, error: sqlite3.Error) -> WriteError:
    """What a user can do about a failed write."""
    full = "full" in str(error)
    return WriteError(
        f"cannot save to {path.name}: {'the disk is full' if full else error}",
        expected="every step on the disk; what was saved before is intact",
        remedy="free some space and go on" if full else "choose another place for the case",
    )


def why_read_only(holder: Holder | None) -> str:
    """The note to show when a case cannot be written."""
    if holder is not None:
        return f"{holder} has this case open: it is open here for reading only"
    return "the case or its folder may not be written: it is open for reading only; save a copy elsewhere to edit"


def restore_copy(path: Path, damage: ReadError, notes: list[str], now: datetime.datetime) -> int:
    """Put the newest good copy in the place of a damaged or missing file; a damaged one is kept aside.

    The error given is raised where there is no good copy, and where there is no room for it: then all stays as it is.
    """
    for copy in database.copies_of(path):
        try:
            version = database.schema_of(copy)
        except ReadError:
            continue
        temporary = path.with_name(f".{path.name}.restored")
        try:
            temporary.write_bytes(copy.read_bytes())
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise damage from None
        notes.append(f"{damage.found}; the copy of {copy.stem} was restored{_set_aside(path, now)}")
        os.replace(temporary, path)
        return version
    raise damage


def _set_aside(path: Path, now: datetime.datetime) -> str:
    """Give a file and what SQLite keeps beside it another name, told as the end of a sentence."""
    aside = path.with_name(f"{path.name}.damaged-{now.strftime('%Y%m%dT%H%M%S')}")
    for suffix in ("-wal", "-shm", ""):
        side = path.with_name(path.name + suffix)
        if side.exists():
            os.replace(side, aside.with_name(aside.name + suffix))
    return f", the damaged file kept as {aside.name}" if aside.exists() else ""


def pack(value: Any) -> bytes | None:
    """A plain value as compressed JSON with sorted keys: equal values give equal bytes. None stays None."""
    if value is None:
        return None
    return zlib.compress(json.dumps(value, allow_nan=False, separators=(",", ":"), sort_keys=True).encode(), 1)


def unpack(state: bytes) -> Any:
    """The plain value of `pack`. ReadError where the bytes are not those that were written."""
    try:
        return json.loads(zlib.decompress(state))
    except (zlib.error, ValueError) as error:
        raise ReadError(f"a state that is damaged on disk ({error})", expected="the bytes that were written") from error


def step_digest(before: str, number: int, at: str, author: str, action: str, kind: RevisionKind, target: int | None,
            rows: Sequence[tuple[str, str, int, bytes | None]]) -> str:
    """SHA-256 of one step and the digest before it."""
    chain = hashlib.sha256(json.dumps([before, number, at, author, action, kind.value, target]).encode())
    for object_kind, uid, version, state in rows:
        chain.update(json.dumps([object_kind, uid, version, state is None]).encode())
        chain.update(state or b"")
    return chain.hexdigest()
