"""Stretches of a legend's text and the panels they speak of."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Stretch:
    """Tokens `first` up to `last` and the panels they speak of; `labels` is None for the whole figure."""

    labels: tuple[str, ...] | None
    first: int
    last: int
    leading: bool = True
    """True where the label stands before the words."""
    free: bool = False
    """True where the words carry no label of their own."""


@dataclass
class Segmentation:
    """Stretches that describe single panels, stretches that describe several, and the scopes of statements."""

    own: list[Stretch] = field(default_factory=list)
    shared: list[Stretch] = field(default_factory=list)
    scopes: list[Stretch] = field(default_factory=list)
    lists: list[tuple[str, ...]] = field(default_factory=list)
    """Labels coordinated in one list, in order."""


class State:
    """What the sentences before have been about."""

    def __init__(self) -> None:
        self.group: tuple[str, ...] | None = None
        self.described: list[str] = []
        self.described_open = False
        self.spoken = False
        self.sentence: tuple[str, ...] = ()
