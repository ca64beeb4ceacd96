"""Limits of a conversation with an archive, and the watch that ends one that is silent, slow or no longer wanted."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from neuraxis.errors import CancelledError, NeuraxisError
from neuraxis.interop.archive.failures import ArchiveError

_TICK_S = 0.05


def never() -> bool:
    """Nobody asks to stop."""
    return False


@dataclass(frozen=True)
class Limits:
    """How long and how much.

    Parameters
    ----------
    connect_s : for the connection to be made
    silence_s : without one byte, while something is awaited
    least_bytes_per_s : mean rate below which an answer counts as stalling, after `silence_s`
    answer_bytes : of an answer that is held in memory (search results, reports on what was stored)
    instance_bytes : of one instance
    results : studies, series or instances in one list
    """

    connect_s: float = 15.0
    silence_s: float = 60.0
    least_bytes_per_s: float = 512.0
    answer_bytes: int = 64 << 20
    instance_bytes: int = 4 << 30
    results: int = 100_000


class Watch:
    """A thread that shuts the socket down when a wait lasts too long or the user wants to stop.

    A socket's own timeout starts anew with every byte: an answer that drips could hold a transfer for days. Shutting
    down also wakes a thread that is blocked in a read, so that stopping takes effect at once.
    """

    def __init__(self, who: str, limits: Limits, should_stop: Callable[[], bool] = never) -> None:
        self.who, self.limits, self._should_stop = who, limits, should_stop
        self.reason: NeuraxisError | None = None
        self._socket: socket.socket | None = None
        self._received = 0
        self._waited_s = 0.0
        self._since: float | None = None
        self._heard = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="archive-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._ended.set()
        self._thread.join()

    def guard(self, connected: socket.socket) -> None:
        """The socket to shut down."""
        self._socket = connected

    def got(self, count: int) -> None:
        """Bytes have come or gone."""
        self._received += count
        self._heard = time.monotonic()

    def end(self, reason: NeuraxisError) -> None:
        """End the conversation for a reason that others found; the first one counts."""
        self.reason = self.reason or reason

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Around everything that waits for the other side; raises the reason where the watch ended it."""
        if self._should_stop():
            raise CancelledError("stopped")
        self._since = time.monotonic()
        try:
            yield
        except (OSError, ValueError, http.client.HTTPException) as error:  # how a read fails when its socket is shut down
            if self.reason is not None:
                raise self.reason from error
            raise
        finally:
            since, self._since = self._since, None
            self._waited_s += time.monotonic() - since
        if self.reason is not None:
            raise self.reason

    def _run(self) -> None:
        while not self._ended.wait(_TICK_S):
            since = self._since
            self.reason = self.reason or (None if since is None else self._verdict(since))
            if self.reason is not None and self._socket is not None:
                # not SSLSocket.shutdown, which would take the TLS state away under the reading thread
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
                return

    def _verdict(self, since: float) -> NeuraxisError | None:
        limits, now = self.limits, time.monotonic()
        if self._should_stop():
            return CancelledError("stopped")
        if now - max(since, self._heard) > limits.silence_s:
            return ArchiveError(
                f"{self.who} fell silent for {limits.silence_s:g} s", expected="an answer",
                remedy="try again later; what was complete is kept",
            )
        waited = self._waited_s + now - since
        if waited > limits.silence_s + self._received / limits.least_bytes_per_s:
            return ArchiveError(
                f"{self.who} sends too slowly ({self._received} bytes in {waited:.1f} s)",
                expected=f"at least {limits.least_bytes_per_s:g} bytes a second",
                remedy="try again later; what was complete is kept",
            )
        return None
