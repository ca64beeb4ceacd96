"""What happened to a case, step by step, and which step an undo or redo takes back."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


class RevisionKind(enum.Enum):
    """Why a revision was made. ADJUST is kept beside the reader's steps, undo passes over it: a window, a layout of
    panels, a size measured anew.
    """

    EDIT = "edit"
    UNDO = "undo"
    REDO = "redo"
    RESTORE = "restore"
    ADJUST = "adjust"


@dataclass(frozen=True)
class Revision:
    """One committed step: who did what when.

    Parameters
    ----------
    number : 1, 2, 3, ... without gaps
    at : wall clock with zone, ISO 8601
    action : in words ("drew on Lesion 1")
    target : the revision that an undo, redo or restore refers to
    digest : SHA-256 over this revision, its changes and the digest before it
    """

    number: int
    at: str
    author: str
    action: str
    kind: RevisionKind
    target: int | None
    digest: str


@dataclass(frozen=True)
class StoredObject:
    """The state of one object: `version` counts its changes from 1; `value` is plain JSON, None where `damage` says why."""

    kind: str
    uid: str
    version: int
    value: Any
    damage: str = ""


@dataclass(frozen=True)
class ObjectChange:
    """A new state for one object.

    `expected_version` is the version that the writer read (0: none, it is new); a commit refuses when the file has
    another one by now. `value` None deletes.
    """

    kind: str
    uid: str
    value: Any
    expected_version: int


def undo_and_redo(revisions: Iterable[Revision]) -> tuple[list[int], list[int]]:
    """Numbers of the revisions that can be undone and redone, next one last.

    A restore is a step like an edit. A new edit ends what could be redone; an adjustment is no step.
    """
    undo: list[int] = []
    redo: list[int] = []
    for revision in revisions:
        if revision.kind is RevisionKind.UNDO and revision.target in undo:
            undo.remove(revision.target)
            redo.append(revision.target)
        elif revision.kind is RevisionKind.REDO and revision.target in redo:
            redo.remove(revision.target)
            undo.append(revision.target)
        elif revision.kind is not RevisionKind.ADJUST:
            undo.append(revision.number)
            redo.clear()
    return undo, redo


def settled_at(revisions: Iterable[Revision], number: int) -> int:
    """The revision after which step `number` was complete: that of the last adjustment that follows it directly."""
    settled = number
    for revision in revisions:
        if revision.number > number:
            if revision.kind is not RevisionKind.ADJUST:
                break
            settled = revision.number
    return settled
