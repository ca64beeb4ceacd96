"""Adjectives and adverbs of a finding: "patchy and possibly leptomeningeal enhancement", "enhances avidly"."""

from __future__ import annotations

from neuraxis.legends.phrases import Entity
from neuraxis.legends.statements import DEGREES, Passage, is_other_head, is_place

_LEFT_STOPS = frozenset({".", ";", ":", "(", ")", "of", "in", "with", "to", "on", "from", "at", "by", "than", "without", "no"})
_RIGHT_LINKS = frozenset(["is", "was", "are", "were", "appears", "appear", "in", "a", "an", "the", "pattern", "fashion", "manner", "that", "which", "and", "very", "more", "of", "along", "its", "component", "at", "type", "shows", "peripheral", "only", "predominantly", "mainly", "relatively", "solid", "portion", "portions", "thick", "thin", "thickened"])
_WALLS = frozenset({"wall", "walls", "capsule"})

_QUANTITIES = frozenset(["focus", "foci", "area", "areas", "spots", "spot", "degree", "pattern", "component", "components", "rim", "deposits", "amount", "amounts"])


class Modifiers:
    """The modifiers of each finding of a passage; each modifier belongs to one finding, the one after it first."""

    def __init__(self, passage: Passage) -> None:
        self.passage = passage
        self.used: set[int] = set()
        self._found: dict[tuple[int, str], list[tuple[Entity, str]]] = {}

    def of(self, head: Entity, concept: str) -> list[tuple[Entity, str]]:
        """Modifiers of a finding with the value each gives to its concept."""
        return self._found.get((head.first, concept), [])

    def collect(self, head: Entity, concept: str, *, left: bool) -> None:
        """Looks for modifiers before (`left`) or after a finding."""
        found = self._found.setdefault((head.first, concept), [])
        for entity, value in self._left(head, concept) if left else self._right(head, concept):
            if entity.first not in self.used:
                self.used.add(entity.first)
                found.append((entity, value))

    def _left(self, head: Entity, concept: str) -> list[tuple[Entity, str]]:
        reading, found = self.passage.reading, []
        k = head.first - 1
        steps = 0
        while k >= self.passage.first and steps < 9:
            word, entity = reading.word(k), reading.entity(k)
            if (word in _LEFT_STOPS and not (word == "of" and self._quantity(k - 1, concept))) or reading.mark(k):
                break
            modifier = entity.modifies(concept) if entity else None
            if modifier and entity and self._adverb_of_adjective(entity, modifier.value, head):
                k = entity.first - 1
                continue
            if modifier and entity and reading.word(entity.first) not in {"nodule", "nodules"}:
                found.append((entity, modifier.value))
                k = entity.first - 1
                steps += 1
                continue
            if word in {",", "and", "but", "/"} and not self._joins(k, concept, head):
                break
            if word in {",", "and", "but"} and self._joins(k, concept, head):
                k -= 1
                continue
            if entity and ((entity.has("verb", "boundary", "negator") and word not in {"non"}) or is_other_head(entity)):
                break
            if entity and entity.has("lesion") and not entity.has("modifier") and reading.word(k + 1) != "of":
                break
            k -= 1
            steps += 1
        return found

    def _adverb_of_adjective(self, entity: Entity, value: str, head: Entity) -> bool:
        """True for "slightly" in "slightly inhomogeneous enhancement", which says nothing of the enhancement's degree."""
        following = self.passage.reading.entity(entity.last)
        return (
            value in DEGREES and self.passage.reading.word(entity.last - 1).endswith("ly") and following is not None
            and following.first < head.first and following.has("modifier") and not following.has("finding")
            and not self.passage.reading.word(following.first).endswith("ly")
        )

    def _quantity(self, token: int, concept: str) -> bool:
        """True for the noun in "speck of calcification" and "areas of enhancement"."""
        entity = self.passage.reading.entity(token)
        modifies = entity is not None and entity.modifies(concept) is not None
        return token >= self.passage.first and (modifies or self.passage.reading.word(token) in _QUANTITIES)

    def _joins(self, token: int, concept: str, head: Entity) -> bool:
        """True where a comma or "and" stands between adjectives of the same finding."""
        before, after = self.passage.reading.entity(token - 1), self.passage.reading.entity(token + 1)
        if before is None or not (before.modifies(concept) or self._describes_lesion(before)):
            return False
        while after and after.has("hedge", "article"):
            after = self.passage.reading.entity(after.last)
        if after and (after.modifies(concept) or after.has("modifier") or self._describes_lesion(after)):
            return True
        between = range(token + 1, head.first)
        return len(between) <= 4 and all(self.passage.reading.entity(k) is None for k in between)

    def _describes_lesion(self, entity: Entity) -> bool:
        """True for the middle of "a homogeneous, well-defined, enhancing lesion"."""
        return any(m.kind == "finding" and m.key in {"margin", "compartment"} for m in entity.meanings)

    def _right(self, head: Entity, concept: str) -> list[tuple[Entity, str]]:
        reading, found = self.passage.reading, []
        attributive = reading.word(head.last - 1).endswith("enhancing")
        k, steps = head.last, 0
        crossed = False
        while k < self.passage.last and steps < 9:
            word, entity = reading.word(k), reading.entity(k)
            modifier = entity.modifies(concept) if entity else None
            noun = attributive and word.startswith(("nodul", "mural"))
            if noun and concept == "enhancement" and entity and self._nodule_follows(k):
                found.append((entity, "nodular"))
                break
            if word in {"is", "was", "are", "were", "appears", "appear"}:
                crossed = False
            if modifier and not crossed and entity and entity.first not in self.used and word not in {"nodule", "nodules"} and not self._belongs_right(entity, concept):
                found.append((entity, modifier.value))
                k = entity.last
                continue
            if entity and reading.word(entity.last) in _WALLS and (entity.has("lesion") or entity.get("finding")) and steps:
                k = entity.last
                continue
            number = word[:1].isdigit() or word in {"mm", "cm", "x"}
            placed = entity is not None and steps and (entity.has("side") or is_place(entity))
            crossed = crossed or bool(placed)
            if not (word in _RIGHT_LINKS or placed or (attributive and (number or word == "," or (entity and entity.has("side", "lesion", "finding", "article"))))):
                break
            if entity and is_other_head(entity) and not attributive:
                break
            k += 1
            steps += 1
        return found

    def _nodule_follows(self, token: int) -> bool:
        return any(self.passage.reading.word(k).startswith("nodul") for k in range(token, min(token + 3, self.passage.last)))

    def _belongs_right(self, modifier: Entity, concept: str) -> bool:
        """True where an adjective stands before another finding or a noun, not after its own."""
        k = modifier.last
        for _ in range(3):
            entity = self.passage.reading.entity(k)
            if entity is None:
                return False
            if any(m.kind == "finding" and m.key not in {"location", concept} for m in entity.meanings):
                return True
            if not entity.has("modifier"):
                return False
            k = entity.last
        return False
