"""Work in background threads, with progress and cancel; results come back on the thread that owns the session."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from psygnal import Signal

from neuraxis.errors import NeuraxisError

Deliver = Callable[[Callable[[], None]], None]
"""Runs a function on the thread that owns the session (for Qt: the GUI thread), at once or soon."""


class JobCancelledError(NeuraxisError):
    """The user stopped this job."""


class UnexpectedError(NeuraxisError):
    """A fault of the program, told like any other error; the cause hangs on `__cause__`."""


@dataclass(eq=False)
class Job:
    """One piece of background work.

    Parameters
    ----------
    title : what is being done, for the progress line
    key : names what it makes, so that the same is not started twice
    """

    title: str
    key: str
    fraction: float | None = None
    detail: str = ""
    urgent: bool = False
    _cancel: threading.Event = field(default_factory=threading.Event)

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody asked to stop."""
        return self._cancel.is_set()

    def cancel(self) -> None:
        """Ask to stop; the result, if it still comes, is dropped."""
        self._cancel.set()

    def report(self, fraction: float, detail: str = "") -> None:
        """Progress from 0 to 1; raises `JobCancelledError` where the user asked to stop."""
        if self.is_cancelled:
            raise JobCancelledError(f"{self.title} was stopped")
        self.fraction, self.detail = fraction, detail


class JobRunner:
    """A few threads that work through jobs, urgent ones first.

    `changed` is emitted on the owning thread whenever the list of running and waiting jobs changes.
    """

    changed = Signal()

    def __init__(self, deliver: Deliver, threads: int = 2) -> None:
        self._deliver = deliver
        self._queue: queue.PriorityQueue[tuple[int, int, Any]] = queue.PriorityQueue()
        self._counter = 0
        self._jobs: dict[str, Job] = {}
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"neuraxis-{i}", daemon=True) for i in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Jobs that wait or run, oldest first."""
        return tuple(self._jobs.values())

    def start(
        self, title: str, key: str, work: Callable[[Job], Any], done: Callable[[Any], None],
        failed: Callable[[NeuraxisError], None], *, urgent: bool = False,
    ) -> Job:
        """Queue work; `done` or `failed` is called on the owning thread. A job already under way is returned as it is.

        A cancelled job calls neither.
        """
        if key in self._jobs and not self._jobs[key].is_cancelled:
            return self._jobs[key]
        job = Job(title, key, urgent=urgent)
        self._jobs[key] = job
        self._counter += 1
        self._queue.put((0 if urgent else 1, self._counter, (job, work, done, failed)))
        self.changed.emit()
        return job

    def close(self) -> None:
        """Cancel everything and let the threads end."""
        self._closed = True
        for job in self.jobs:
            job.cancel()
        for _ in self._threads:
            self._counter += 1
            self._queue.put((-1, self._counter, None))

    def _work(self) -> None:
        while True:
            _, _, task = self._queue.get()
            if task is None:
                return
            self._run(*task)
            del task

    def _run(
        self, job: Job, work: Callable[[Job], Any], done: Callable[[Any], None], failed: Callable[[NeuraxisError], None]
    ) -> None:
        finish: Callable[[], None] = lambda: None  # noqa: E731 - replaced below, nothing to do where cancelled
        if not job.is_cancelled:
            try:
                result = work(job)
                finish = lambda: done(result)  # noqa: E731
            except JobCancelledError:
                pass
            except NeuraxisError as error:
                told = error
                finish = lambda: failed(told)  # noqa: E731
            except Exception as error:  # a fault of ours must reach the user as a message, not end the thread
                fault = UnexpectedError(
                    f"{job.title} failed: {type(error).__name__}: {error}", remedy="report this as a fault of Neuraxis"
                )
                fault.__cause__ = error
                finish = lambda: failed(fault)  # noqa: E731
        if not self._closed:
            self._deliver(lambda: self._finish(job, finish))

    def _finish(self, job: Job, finish: Callable[[], None]) -> None:
        if self._jobs.get(job.key) is job:
            del self._jobs[job.key]
        if not job.is_cancelled and not self._closed:
            finish()
        if not self._closed:
            self.changed.emit()
