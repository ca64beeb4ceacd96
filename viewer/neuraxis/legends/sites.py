"""Statements of where the abnormality sits and how large it is (rules 10 and 12 of the annotation scheme)."""

from __future__ import annotations

from neuraxis.legends.measures import Measure
from neuraxis.legends.phrases import Entity
from neuraxis.legends.places import UNPAIRED, Place
from neuraxis.legends.statements import Passage, Statement, is_other_head, is_place

_SITED = frozenset({"in", "at", "of", "within", "on", "along", "over", "involving"})
_REACHING = ("extend", "invad", "involv")
_REACHED = ("invaded", "involved", "affected", "infiltrated")
_SPARED = frozenset({"spared", "uninvolved", "unaffected"})


class Sites:
    """Locations, sizes and sides of a passage."""

    def __init__(self, passage: Passage) -> None:
        self.passage = passage

    def locations(self, found: list[Statement]) -> list[Statement]:
        """Places where something sits; denied where the text says that it does not sit there."""
        statements: list[Statement] = []
        for place in self.passage.places:
            entity = place.entity
            if self._spared(entity):
                statements.append(Statement("location", place.values[0], entity.first, entity.last, negated=True, side=place.side))
                continue
            if self._subject_of_denial(entity):
                continue
            if entity.first in self.passage.denied and (self._in_denied_phrase(entity) or not self._denied_thing(entity.first)):
                continue
            negated = (entity.first in self.passage.denied and self._denied_thing(entity.first)) or self._place_of_denied(entity)
            if negated and (not self._denied_lesion(entity, found) or self._reached(entity)):
                continue
            for value in place.values:
                side = place.side or self._side_of_lesion(place) or self._side_of_list(place, statements)
                statements.append(Statement(
                    "location", value, entity.first, entity.last, negated=negated, side=side,
                    uncertain=not negated and self._place_hedged(entity, found), labels=self.passage.reference(entity.first, entity.last),
                ))
        return statements

    def _spared(self, entity: Entity) -> bool:
        """True for PLACE in "sparing of PLACE" and "PLACE is spared"."""
        reading = self.passage.reading
        k = entity.first - 1
        while k >= self.passage.first and (reading.word(k) in {"of", "the", "and", "or", ","} or (
                (other := reading.entity(k)) is not None and (is_place(other) or other.has("side")))):
            k -= 1
        if reading.word(entity.last) in {"is", "are", "was", "were"} and reading.word(entity.last + 1) == "not" and (
                reading.word(entity.last + 2).startswith(_REACHED)):
            return True
        after = next((j for j in range(entity.last, min(entity.last + 6, self.passage.last)) if reading.word(j) in _SPARED), None)
        return reading.word(k) in {"sparing", "spares", "spared"} or (after is not None and not any(
            reading.word(j) in {",", ";", "with"} or reading.word(j).endswith("ing") for j in range(entity.last, after)))

    def _side_of_list(self, place: Place, stated: list[Statement]) -> str | None:
        """"Bilateral" said of the first of several places holds for the list."""
        if set(place.values) & UNPAIRED:
            return None
        plural = any(p.plural for p in self.passage.places if stated and p.entity.first == stated[-1].first) and not any(
            self.passage.reading.word(k).startswith("bilateral") for k in range(self.passage.first, place.entity.first))
        if stated and stated[-1].side == "bilateral" and not plural and self._only_places(stated[-1].last, place.entity.first):
            before = [self.passage.reading.word(k) for k in range(stated[-1].last, place.entity.first)]
            return "bilateral" if not stated[-1].negated and "the" not in before else None
        return None

    def _side_of_lesion(self, place: Place) -> str | None:
        """The side of "bilateral hyperintensities in the thalami", stated with the lesion and not with the place."""
        k = place.entity.first - 1
        passed = False
        while k >= self.passage.first and place.entity.first - k < 12:
            word, entity = self.passage.reading.word(k), self.passage.reading.entity(k)
            side = entity.get("side") if entity else None
            if side and entity and passed and entity.first not in self.passage.side_tokens and self._of_lesion(entity):
                self.passage.side_tokens.update(range(entity.first, entity.last))
                return side.key
            parts = word == "with" and self.passage.reading.word(k + 1).startswith(("component", "exten"))
            if parts:
                k -= 1 + (self.passage.reading.word(k - 1) == ",")
                continue
            if word in {";", ":", "and", "with"} or (word == "," and not passed) or (entity and (
                    entity.has("verb", "boundary") or is_place(entity))):
                return None
            passed = passed or word in {"in", "of", "within", "involving", "at"}
            k -= 1
        return None

    def _subject_of_denial(self, entity: Entity) -> bool:
        """True for PLACE in "PLACE shows no erosion"."""
        k = entity.last
        while k < min(self.passage.last, entity.last + 5):
            other = self.passage.reading.entity(k)
            if self.passage.reading.word(k) in {",", ";", "with"} or (other and is_other_head(other)):
                return False
            if other and other.has("verb"):
                following = self.passage.reading.entity(other.last)
                stated = [e for e in self.passage.entities if e.last <= entity.first and is_other_head(e)]
                return following is not None and following.has("negator") and not stated and not any(
                    e.has("lesion") for e in self.passage.reading.within(self.passage.first, entity.first))
            k += 1
        return False

    def _place_of_denied(self, entity: Entity) -> bool:
        """True for PLACE in "no haemorrhage in PLACE" and "no such focus in PLACE"."""
        k = entity.first - 1
        reading = self.passage.reading
        while k >= self.passage.first and entity.first - k < 9:
            if k in self.passage.denied:
                return self._denied_thing(k)
            other = reading.entity(k)
            if reading.word(k) in {",", ";", "with", "but"} or (other and other.has("verb")):
                return False
            if other and other.has("lesion", "finding") and not any(m.key == "location" for m in other.meanings):
                return False
            k -= 1
        return False

    def _denied_thing(self, token: int) -> bool:
        """True where the denied words around a token name a lesion or a finding; "absence of flow" names neither."""
        k = token
        while k >= self.passage.first and k in self.passage.denied:
            entity = self.passage.reading.entity(k)
            if (entity and (entity.has("lesion") or is_other_head(entity))) or self.passage.reading.word(k).startswith(_REACHING):
                return True
            k -= 1
        return False

    def _in_denied_phrase(self, entity: Entity) -> bool:
        """True for the skull of "no skull fracture"."""
        following = self.passage.reading.entity(entity.last)
        return following is not None and entity.last in self.passage.denied and (is_other_head(following) or following.has("lesion"))

    def _denied_lesion(self, entity: Entity, found: list[Statement]) -> bool:
        """True where what is denied at a place is a lesion, or a finding stated elsewhere."""
        before = [s for s in found if s.negated and s.last <= entity.first and entity.first - s.first < 9]
        after = [s for s in found if s.negated and s.first >= entity.last and s.first - entity.last < 3]
        if after and not before:
            return False
        return not before

    def _reached(self, entity: Entity) -> bool:
        words_before = [self.passage.reading.word(k) for k in range(max(self.passage.first, entity.first - 4), entity.first)]
        return "to" in words_before

    def _place_hedged(self, entity: Entity, found: list[Statement]) -> bool:
        if entity.first in self.passage.hedged:
            return True
        for statement in found:
            if not statement.uncertain or statement.last > entity.first:
                continue
            between = [self.passage.reading.word(k) for k in range(statement.last, entity.first)]
            if any(w in {"in", "of", "at", "within"} for w in between) and not {";", "with", "but", ":"} & set(between) and (
                    (len(between) <= 5 and "," not in between) or self._only_places(statement.last, entity.first)):
                return True
        return False

    def _only_places(self, first: int, last: int) -> bool:
        """True where nothing but a list of places stands between two tokens."""
        for k in range(first, last):
            entity = self.passage.reading.entity(k)
            listed = self.passage.reading.word(k) in {",", "and", "the", "in", "of", "within", "bilaterally", "lobe", "nuclei"}
            if not listed and not (entity and (is_place(entity) or entity.has("side"))):
                return False
        return True

    def sizes(self, measures: list[Measure]) -> list[Statement]:
        """Sizes of the lesion; lengths that a shift or descent has taken are no longer among the measures."""
        statements = []
        for measure in measures:
            if measure.first in self.passage.denied or not self._is_lesion_size(measure):
                continue
            side = measure.side or self._bracketed_side(measure)
            self.passage.side_tokens.update(measure.side_tokens)
            statements.append(Statement("size", "measured", measure.first, measure.last, size_mm=measure.size_mm, side=side,
                                        uncertain=False, labels=self.passage.reference(measure.first, measure.last)))
        return statements

    def _is_lesion_size(self, measure: Measure) -> bool:
        after = [self.passage.reading.word(k) for k in range(measure.last, min(measure.last + 2, self.passage.last))]
        return not (set(after) & {"below", "above", "from", "away", "caudal", "margin"})

    def _bracketed_side(self, measure: Measure) -> str | None:
        if self.passage.reading.word(measure.last) != "(":
            return None
        place = next((p for p in self.passage.places if measure.last < p.entity.first <= measure.last + 4), None)
        return place.side if place else None

    def sides(self) -> list[Statement]:
        """Sides stated for the lesion where no location can take them."""
        statements: list[Statement] = []
        if self.passage.places:
            return statements
        for entity in self.passage.reading.within(self.passage.first, self.passage.last):
            side = entity.get("side")
            if side is None or entity.first in self.passage.side_tokens or entity.has("ignored"):
                continue
            if self.passage.reading.word(entity.first) != "both" and self._of_lesion(entity):
                statements.append(Statement("laterality", side.key, entity.first, entity.last,
                                            negated=entity.first in self.passage.denied, uncertain=entity.first in self.passage.hedged))
        return statements

    def _of_uncoded_place(self, side: Entity) -> bool:
        """True for the side of "a clot in the left MCA" and "a dense vessel on the left", whose place has no code."""
        reading = self.passage.reading
        k = side.first - 1 - (reading.word(side.first - 1) == "the")
        if reading.word(k) not in _SITED or not any(e.has("lesion") or is_other_head(e) for e in self.passage.entities_before(k)):
            return False
        return reading.word(side.last) not in {"and", "or", "than", "more"} and not any(
            reading.word(j) in {"injection", "view", "projection", "approach", "side"} for j in range(side.last, side.last + 5))

    def _of_lesion(self, side: Entity) -> bool:
        if self.passage.reading.word(side.first) == "in":
            return any(e.has("lesion") for e in self.passage.reading.within(self.passage.first, side.first))
        if self._of_uncoded_place(side):
            return True
        before = self.passage.reading.entity(side.first - 3)
        if self.passage.reading.word(side.first - 1) == "the" and self.passage.reading.word(side.first - 2) == "on" and before:
            return before.has("lesion")
        adjective = self.passage.reading.word(side.first).startswith("bilateral")
        for k in range(side.last, min(side.last + 6 + adjective, self.passage.last)):
            word, entity = self.passage.reading.word(k), self.passage.reading.entity(k)
            if word == "," and adjective:
                continue
            if word in {",", ";", ".", "(", "of", "to"} or (entity and entity.has("ignored", "verb")):
                return False
            if entity and (entity.has("lesion") or any(
                    m.kind == "finding" and m.key in {"haemorrhage", "calcification", "cystic", "compartment", "signal", "herniation"} for m in entity.meanings)):
                return entity.has("lesion") or entity.last >= self.passage.last or not entity.has("modifier") or self._of_lesion(entity)
        return False
