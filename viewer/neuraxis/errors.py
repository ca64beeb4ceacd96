"""The one root of every error that Neuraxis raises on purpose."""

from __future__ import annotations


class NeuraxisError(Exception):
    """An error a user can act on: what was found, what was expected, what to do.

    Parameters
    ----------
    found : str
        What is there, with the value that is wrong.
    expected : str
        What would have been right.
    remedy : str
        What the user can do about it.
    """

    def __init__(self, found: str, *, expected: str = "", remedy: str = "") -> None:
        super().__init__(found)
        self.found = found
        self.expected = expected
        self.remedy = remedy

    def __str__(self) -> str:
        parts = [self.found.rstrip(".")]
        if self.expected:
            parts.append(f"expected: {self.expected.rstrip('.')}")
        if self.remedy:
            parts.append(f"what to do: {self.remedy.rstrip('.')}")
        return "; ".join(parts) + "."


class UsageError(NeuraxisError, ValueError):
    """The request itself cannot be understood or does not fit its object."""


class GeometryError(NeuraxisError, ValueError):
    """Positions, spacings or frames of reference that do not fit together."""


class ReadError(NeuraxisError, OSError):
    """Input that cannot be read."""


class WriteError(NeuraxisError, OSError):
    """Output that cannot be written; nothing half-written is left behind."""


class NotMeasurableError(NeuraxisError, ValueError):
    """A point, mask or series on which the asked measurement has no meaning."""


class CancelledError(NeuraxisError):
    """Work that was stopped because the user asked for it; nothing is wrong."""
