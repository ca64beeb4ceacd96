"""Connections that are released together, so that no signal reaches a widget that is gone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any


class Connections:
    """Remembers what was connected; `release` disconnects it all. Works for psygnal and Qt signals."""

    def __init__(self) -> None:
        self._made: list[tuple[Any, Callable[..., Any]]] = []

    def connect(self, signal: Any, slot: Callable[..., Any]) -> None:
        """Connect and remember."""
        signal.connect(slot)
        self._made.append((signal, slot))

    def release(self) -> None:
        """Disconnect everything; what the toolkit has already let go is no error."""
        for signal, slot in self._made:
            with contextlib.suppress(TypeError, ValueError, RuntimeError):
                signal.disconnect(slot)
        self._made.clear()
