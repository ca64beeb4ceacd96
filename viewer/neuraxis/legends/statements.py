"""One statement of a legend, and the stretch of text in which statements are read."""

from __future__ import annotations

from dataclasses import dataclass, field

from neuraxis.legends.descriptors import is_finding
from neuraxis.legends.phrases import Entity
from neuraxis.legends.places import Place, find_places
from neuraxis.legends.polarity import denied, hedged
from neuraxis.legends.reading import Reading

DEGREES = frozenset({"mild", "moderate", "marked", "severe", "intense"})
"""Values that say how much, not what kind."""


REACH = 80
"""Words over which "(not shown)" and a reference to a panel reach."""


@dataclass(frozen=True)
class Statement:
    """One value of one concept, stated in tokens `first` up to `last`.

    `sequences` names the sequences of the phrase ("on T2"); `labels` the panels a reference in the phrase names;
    `phase` is "pre" for "isointense before contrast".
    """

    concept: str
    value: str
    first: int
    last: int
    negated: bool = False
    uncertain: bool = False
    side: str | None = None
    size_mm: tuple[float, ...] = ()
    sequences: tuple[str, ...] = ()
    labels: tuple[str, ...] | None = None
    hidden: bool = False
    phase: str | None = None


@dataclass
class Passage:
    """Tokens `first` up to `last` of a reading, with what is denied, hedged and located there.

    `side_tokens` are the tokens of sides that belong to a place, a size or a shift already.
    """

    reading: Reading
    first: int
    last: int
    entities: list[Entity] = field(init=False)
    denied: set[int] = field(init=False)
    hedged: set[int] = field(init=False)
    places: list[Place] = field(init=False)
    side_tokens: set[int] = field(init=False)

    def __post_init__(self) -> None:
        self.entities = [e for e in self.reading.within(self.first, self.last) if is_finding(self.reading, e)]
        self.denied = denied(self.reading, self.first, self.last)
        self.hedged = hedged(self.reading, self.first, self.last)
        self.places, self.side_tokens = find_places(self.reading, self.first, self.last)

    def entities_before(self, token: int) -> list[Entity]:
        """All entities of the passage in front of a token."""
        return self.reading.within(self.first, token)

    def reference(self, first: int, last: int) -> tuple[str, ...] | None:
        """Panels that a reference right after the phrase names: "a nodule (arrow in B)"."""
        reading = self.reading
        for k in range(last, min(self.last, last + REACH)):
            mark = reading.mark(k)
            if mark is not None and mark.reference:
                return mark.labels
            if mark is not None or reading.word(k) in {";", ".", ",", "with", "and", "but"}:
                break
        for k in range(first - 1, max(self.first, first - REACH) - 1, -1):
            mark = reading.mark(k)
            if mark is not None and mark.reference and not mark.parenthesised and reading.word(k + 1) in {",", "there", "a", "the"}:
                return mark.labels
            if mark is not None or reading.word(k) in {";", "."}:
                break
        return None


def is_place(entity: Entity) -> bool:
    """True where an entity names a location."""
    return any(m.kind == "finding" and m.key == "location" for m in entity.meanings)


def is_other_head(entity: Entity) -> bool:
    """True where an entity states a finding of its own, not a quality of one."""
    return any(m.kind == "finding" and m.key not in {"location", "compartment", "margin", "cystic"} for m in entity.meanings)
