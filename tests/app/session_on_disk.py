"""A session that keeps its cases in a folder, driven without a window."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.app.synthetic_study import head_study

from neuraxis.app.open_study import Message
from neuraxis.app.session import StudySession
from neuraxis.domain.study import Study


class Desk:
    """A session with its messages; what it delivers runs on the test's thread."""

    def __init__(self, folder: Path | None) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Callable[[], None]] = []
        self.session = StudySession(self._deliver)
        self.session.case_folder = folder
        self.messages: list[Message] = []
        self.session.message_posted.connect(self.messages.append)

    def _deliver(self, function: Callable[[], None]) -> None:
        with self._lock:
            self._waiting.append(function)

    def run(self) -> None:
        """What was delivered up to now."""
        with self._lock:
            ready, self._waiting = self._waiting, []
        for function in ready:
            function()

    def until(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        """Run what is delivered until something is so."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"it never came: {[m.text for m in self.messages]}, {self.session.saving}"
            self.run()
            time.sleep(0.002)

    def saved(self) -> None:
        """Wait until nothing runs and everything is in the file."""
        self.until(lambda: not self.session.jobs.jobs and self.session.saving.startswith("saved"))

    def open(self, study: Study | None = None, path: str = "") -> StudySession:
        """Open a study with its case."""
        self.session.set_study(study or head_study(32), path)
        self.until(lambda: self.session.saving != "opening the case")
        return self.session

    @property
    def texts(self) -> str:
        """All messages."""
        return "\n".join(f"{m.text} | {m.expected} | {m.remedy}" for m in self.messages)
