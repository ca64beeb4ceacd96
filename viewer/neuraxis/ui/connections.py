"""Connections that are released together, so that no signal reaches a widget that is gone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from psygnal import SignalInstance


class Connections:
    """Remembers what was connected; `release` disconnects it all. Works for psygnal and Qt signals.

    Given a widget as owner, they are released at the latest when that widget is destroyed (a host such as napari
    deletes dock widgets without closing them).
    """

    def __init__(self, owner: Any = None) -> None:
        self._made: list[tuple[Any, Callable[..., Any]]] = []
        if owner is not None:
            owner.destroyed.connect(self._owner_is_gone)

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

    def _owner_is_gone(self, *_destroyed: Any) -> None:
        # Qt drops its own connections of a destroyed widget, and its signal objects must not be touched any more
        self._made = [(signal, slot) for signal, slot in self._made if isinstance(signal, SignalInstance)]
        self.release()
