"""Who may write a case: one program at a time, by an operating-system lock that a crash lets go of."""

from __future__ import annotations

import contextlib
import datetime
import getpass
import json
import os
import socket
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

LOCK_SUFFIX = ".lock"


@dataclass(frozen=True)
class Holder:
    """The program that has a case open for writing."""

    user: str
    host: str
    process: int
    since: str

    def __str__(self) -> str:
        return f"{self.user} on {self.host} (process {self.process}, since {self.since})"


def user_name() -> str:
    """Who runs this program, as the operating system knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no entry in the user database, as in some containers
        return "unknown user"


def this_program(now: datetime.datetime) -> Holder:
    """The holder that this process would be."""
    return Holder(user_name(), socket.gethostname(), os.getpid(), now.isoformat(timespec="seconds"))


class WriteLock:
    """The lock beside a case file; the operating system frees it when the process ends, however it ends."""

    def __init__(self, case: Path) -> None:
        self.path = case.with_name(case.name + LOCK_SUFFIX)
        self._stream: IO[str] | None = None

    def take(self, holder: Holder) -> bool:
        """Whether the lock is now ours. OSError where the lock file cannot be made (read-only folder)."""
        stream = self.path.open("a+", encoding="utf-8")
        try:
            _lock(stream)
        except OSError:
            stream.close()
            return False
        self._stream = stream
        with contextlib.suppress(OSError):  # on a full disk the lock holds all the same; only its name is missing
            os.ftruncate(stream.fileno(), 0)
            os.write(stream.fileno(), json.dumps(asdict(holder)).encode())
        return True

    def holder(self) -> Holder | None:
        """Who wrote the lock file last; None where it cannot be read."""
        try:
            return Holder(**json.loads(self.path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def release(self) -> None:
        """Let go; the file stays, because removing it would let two programs lock two different files."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


if sys.platform == "win32":
    import msvcrt

    def _lock(stream: IO[str]) -> None:
        stream.seek(1 << 20)  # beyond the text, so that others can read who holds it
        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(stream: IO[str]) -> None:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
