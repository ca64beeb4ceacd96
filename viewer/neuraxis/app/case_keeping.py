"""A thread of its own that keeps a case file up to date, in the order of the reader's steps; the hand never waits."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from psygnal import Signal

from neuraxis.app.case_opening import OpenedCase, open_case
from neuraxis.app.case_records import Key, Records, changes_between, records_of, renamed
from neuraxis.app.history import CaseState, Step
from neuraxis.app.jobs import Deliver, UnexpectedError
from neuraxis.app.view_state import ViewState
from neuraxis.case.case_file import ConflictError
from neuraxis.case.revisions import ObjectChange, Revision, RevisionKind
from neuraxis.domain.study import Study
from neuraxis.errors import NeuraxisError, WriteError

T = TypeVar("T")

SETTLE_SECONDS = 0.1
"""An adjustment (a window that is being dragged) is written when no newer one came for this long."""
RETRY_SECONDS = 2.0
COPY_SECONDS = 30 * 60.0
"""After this much time a second copy of the case is made beside it."""


@dataclass(frozen=True, eq=False)
class Write:
    """The state to be in the file after one step.

    `step` gets the number of its revision; an undo or redo is of the step `of`, a restore of revision `target`.
    """

    label: str
    author: str
    state: CaseState
    view: ViewState
    kind: RevisionKind = RevisionKind.EDIT
    step: Step | None = None
    of: Step | None = None
    target: int | None = None


class CaseKeeper:
    """Opens a case and writes what it is given, one step a revision, each durable before the next.

    A write that fails stays first in the queue and is tried again; the file keeps its earlier state meanwhile. Signals
    are emitted on the owner's thread.

    Signals
    -------
    opened : the case is open (`case`), or could not be opened (`failure`)
    written(Revision or None) : a step is in the file; None where it changed nothing
    failed(NeuraxisError) : the first write that could not be done
    recovered : writing goes on
    """

    opened = Signal()
    written = Signal(object)
    failed = Signal(object)
    recovered = Signal()

    def __init__(self, path: Path, study: Study, place: str, deliver: Deliver) -> None:
        self.path = path
        self.case: OpenedCase | None = None
        self.failure: NeuraxisError | None = None
        """Why the case could not be opened, or what stands in the way of the first write in the queue."""
        self.is_open = threading.Event()
        """Set when the case is open or could not be opened."""
        self._study, self._place, self._deliver = study, place, deliver
        self._writes: deque[tuple[int, Write]] = deque()
        self._questions: deque[Callable[[], None]] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._busy = False
        self._submitted = self._told = 0
        self._written: Records = {}
        self._versions: dict[Key, int] = {}
        self._next_copy = time.monotonic() + COPY_SECONDS
        self._thread = threading.Thread(target=self._work, name="neuraxis-case", daemon=True)
        self._thread.start()

    @property
    def is_writable(self) -> bool:
        """Whether the case is open for writing."""
        return self.case is not None and self.case.file.is_writable

    @property
    def is_pending(self) -> bool:
        """Whether something is not in the file yet, as far as the owner's thread was told."""
        return self._told < self._submitted

    @property
    def is_written(self) -> bool:
        """Whether everything is in the file, told or not."""
        with self._wake:
            return not self._writes and not self._busy

    def submit(self, write: Write) -> None:
        """Queue a step; an adjustment takes the place of one that waits just before it."""
        with self._wake:
            last = self._writes[-1][1] if self._writes else None
            if last is not None and last.kind is write.kind is RevisionKind.ADJUST and last.label == write.label:
                self._writes.pop()
            self._submitted += 1
            self._writes.append((self._submitted, write))
            self._wake.notify_all()

    def ask(self, question: Callable[[OpenedCase], T], done: Callable[[T], None],
            failed: Callable[[NeuraxisError], None]) -> None:
        """Answer a question to the file between two writes; `done` or `failed` is called on the owner's thread."""
        def answer() -> None:
            assert self.case is not None
            try:
                result = question(self.case)
            except Exception as error:
                told = error if isinstance(error, NeuraxisError) else _fault(error)
                self._tell(lambda: failed(told))
            else:
                self._tell(lambda: done(result))

        with self._wake:
            self._questions.append(answer)
            self._wake.notify_all()

    def flush(self, seconds: float) -> bool:
        """Wait until everything is in the file; False where it is not after that time."""
        end = time.monotonic() + seconds
        with self._wake:
            while (self._writes or self._busy) and self.failure is None and time.monotonic() < end:
                self._wake.wait(0.02)
            return not self._writes and not self._busy

    def close(self, seconds: float = 5.0) -> bool:
        """Write what waits, close the file and end; False where something could not be written."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        self._thread.join(seconds)
        return not self._writes

    # The thread

    def _work(self) -> None:
        try:
            self.case = open_case(self.path, self._study, self._place)
        except NeuraxisError as error:
            self.failure = error
        except Exception as error:  # a fault of ours must reach the user as a message, not end the thread in silence
            self.failure = _fault(error)
        self.is_open.set()
        self._tell(self.opened.emit)
        if self.case is None:
            return
        self._written = dict(self.case.records)
        self._versions = self.case.file.versions()
        try:
            while self._turn():
                pass
        finally:
            self.case.file.close()

    def _turn(self) -> bool:
        """Answer the questions and write the first step; False when it is time to end."""
        with self._wake:
            if not self._questions and (not self._writes or self.failure is not None) and not self._closing:
                self._wake.wait(RETRY_SECONDS)
            questions, self._questions = list(self._questions), deque()
        for answer in questions:
            answer()
        with self._wake:
            self._let_settle()
            first = self._writes.popleft() if self._writes else None
            self._busy = first is not None
        if first is None:
            self._make_copy()
            return not self._closing
        is_done = self._write(*first)
        with self._wake:
            if not is_done:
                self._writes.appendleft(first)
            self._busy = False
            self._wake.notify_all()
        return is_done or not self._closing

    def _let_settle(self) -> None:
        while not self._closing and len(self._writes) == 1 and self._writes[0][1].kind is RevisionKind.ADJUST:
            first = self._writes[0]
            if not self._wake.wait(SETTLE_SECONDS) or (self._writes and self._writes[0] is first):
                return

    def _write(self, number: int, write: Write) -> bool:
        """Whether the step is done with: written, or given up because of a fault of the program."""
        try:
            revision = self._commit(write)
        except (WriteError, ConflictError) as error:
            is_first, self.failure, told = self.failure is None, error, error
            if is_first:
                self._tell(lambda: self.failed.emit(told))
            return False
        except Exception as error:  # what changed is written with the next step
            fault = _fault(error)
            self._tell(lambda: self.failed.emit(fault))
            self._tell(lambda: self._done(number, None))
            return True
        if self.failure is not None:
            self.failure = None
            self._tell(self.recovered.emit)
        self._tell(lambda: self._done(number, revision))
        return True

    def _done(self, number: int, revision: Revision | None) -> None:
        self._told = number
        self.written.emit(revision)

    def _commit(self, write: Write) -> Revision | None:
        assert self.case is not None
        file, names = self.case.file, self.case.names
        records = records_of(write.state, write.view)
        changes = changes_between(self._written, records)
        if not changes:
            return None
        stored: list[ObjectChange] = []
        for here, value in changes.items():
            key, there = renamed(here, value, names.there)
            version = self._versions.get(key, 0)
            stored.append(ObjectChange(*key, None, version) if there is None else file.keep(*key, there, version))
        kind, target = write.kind, write.target if write.of is None else write.of.number
        if kind in (RevisionKind.UNDO, RevisionKind.REDO) and target is None:
            kind = RevisionKind.EDIT  # of a step that never came into the file
        revision = file.commit(write.label, stored, author=write.author, kind=kind, target=target)
        for change in stored:
            self._versions[change.kind, change.uid] = change.expected_version + 1
        self._written = records
        if write.step is not None:
            write.step.number = revision.number
        return revision

    def _make_copy(self) -> None:
        if time.monotonic() >= self._next_copy and self.is_writable and self.case is not None:
            self._next_copy = time.monotonic() + COPY_SECONDS
            try:
                self.case.file.copy()
            except NeuraxisError as error:
                told = error
                self._tell(lambda: self.failed.emit(told))

    def _tell(self, function: Callable[[], Any]) -> None:
        self._deliver(lambda: (function(), None)[1])


def _fault(error: Exception) -> UnexpectedError:
    fault = UnexpectedError(f"the case failed: {type(error).__name__}: {error}", remedy="report this as a fault of Neuraxis")
    fault.__cause__ = error
    return fault
