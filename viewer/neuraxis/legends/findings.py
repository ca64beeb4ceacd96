"""What a stretch of a legend states of the lesion: findings with their value, denial, hedge, side and size."""

from __future__ import annotations

from dataclasses import replace

from neuraxis.legends.measures import Measure, find_measures
from neuraxis.legends.modifiers import Modifiers
from neuraxis.legends.phrase_sequences import on_group, phrase_sequences
from neuraxis.legends.phrases import Entity
from neuraxis.legends.places import Place
from neuraxis.legends.reading import Reading
from neuraxis.legends.sites import Sites
from neuraxis.legends.statements import DEGREES, REACH, Passage, Statement

_BRAIN = frozenset(
    ["frontal", "parietal", "temporal", "occipital", "insula", "cerebral_hemisphere", "cortex", "subcortical", "white_matter", "periventricular", "corpus_callosum", "basal_ganglia", "thalamus", "hypothalamus", "hippocampus", "internal_capsule", "brainstem", "midbrain", "substantia_nigra", "pons", "medulla", "cerebellum", "vermis", "middle_cerebellar_peduncle"]
)
_VENTRICLES = frozenset({"lateral_ventricle", "third_ventricle", "fourth_ventricle"})
_PARTS = frozenset(["area", "areas", "portion", "portions", "part", "parts", "component", "components", "core", "zone", "region", "regions", "focus", "center", "centre", "wall", "capsule", "rim", "scar", "cavity", "content", "contents", "necrosis"])
_EXCEPTIONS = frozenset({("apart", "from"), ("aside", "from"), ("other", "than"), ("save", "for"), ("except", "for")})
_LEFT_STOPS = frozenset({".", ";", ":", "(", ")", "of", "in", "with", "to", "on", "from", "at", "by", "than", "without", "no", ","})


class Stater:
    """Reads the statements of one stretch (token range `first` up to `last`)."""

    def __init__(self, reading: Reading, first: int, last: int) -> None:
        self.passage = Passage(reading, first, last)
        self.modifiers = Modifiers(self.passage)
        self.sites = Sites(self.passage)

    def statements(self) -> list[Statement]:
        """All statements in the order of the text."""
        passage = self.passage
        measures = find_measures(passage.reading, passage.first, passage.last)
        for left in (True, False):
            for entity in passage.entities:
                for concept, value in self._heads(entity):
                    if value in {"present", "rim"} or (value == "none" and self._is_part(entity)):
                        self.modifiers.collect(entity, concept, left=left)
        found = [s for e in passage.entities for concept, value in self._heads(e) for s in self._finding(e, concept, value)]
        found = [s for s in found if not self._of_tissue(s)]
        found = [self._with_measure(self._bled_into_ventricle(s, found), measures) for s in found]
        found.extend(self.sites.locations(found))
        self._bleeding_in_brain(found)
        found.extend(self.sites.sizes(measures))
        found.extend(self.sites.sides())
        return sorted(found, key=lambda s: (s.first, s.last))

    def _of_tissue(self, statement: Statement) -> bool:
        """True for "an expansile intramedullary mass" and "an expansile pontine tumour": no bone is remodelled."""
        if statement.concept != "bone_change" or not self.passage.reading.word(statement.first).startswith(("expans", "expand")):
            return False
        inside = any(m.key == "compartment" and m.value in {"intramedullary", "intra_axial"} for e in self.passage.entities for m in e.meanings)
        sites = {v for place in self.passage.places for v in place.values}
        return inside or (bool(sites) and sites <= _BRAIN | {"spinal_cord", "conus"})

    def _heads(self, entity: Entity) -> list[tuple[str, str]]:
        heads = [(m.key, m.value) for m in entity.meanings if m.kind == "finding" and m.key != "location" and m.value]
        if heads and heads[0][0] == "compartment" and self._is_modifier_of_blood(entity):
            return []
        return heads

    def _is_modifier_of_blood(self, entity: Entity) -> bool:
        if entity.modifies("haemorrhage") is None:
            return False
        for k in range(entity.last, min(entity.last + 5, self.passage.last)):
            other = self.passage.reading.entity(k)
            if other and any(m.kind == "finding" and m.key == "haemorrhage" for m in other.meanings):
                return True
            if self.passage.reading.word(k) in _LEFT_STOPS:
                return False
        return False

    def _finding(self, entity: Entity, concept: str, value: str) -> list[Statement]:
        first, last = entity.first, entity.last
        negated = any(k in self.passage.denied for k in range(first, last)) or self._inner_negation(first, last)
        base = Statement(concept, value, first, last, uncertain=first in self.passage.hedged, hidden=self._is_hidden(last))
        base = replace(base, labels=self.passage.reference(first, last), sequences=self._sequences(entity, concept),
                       phase=self._phase(last) if concept in {"signal", "attenuation"} else None)
        modifiers = self.modifiers.of(entity, concept)
        specific = [(e, v) for e, v in modifiers if not (negated and v in DEGREES)]
        if value in {"present", "rim"} and specific:
            found = [
                replace(base, value=v, negated=negated, first=min(first, e.first), last=max(last, e.last),
                        uncertain=self._value_hedged(base, e))
                for e, v in dict(zip([v for _, v in specific], specific, strict=True)).values()
            ]
            if value == "rim":
                found.append(replace(base, negated=negated))
            return found
        if value == "none" and specific:
            return [replace(base, value=v, negated=True) for _, v in specific]
        if value == "none" or negated:
            base = replace(base, value="none" if value == "present" else value, negated=True)
            return self._excepted(base, concept) or [base]
        return [base]

    def _is_part(self, entity: Entity) -> bool:
        """True for "central non-enhancing area": a part is denied, not the whole."""
        return bool(_PARTS & {self.passage.reading.word(k) for k in range(entity.last, entity.last + 2)})

    def _excepted(self, denial: Statement, concept: str) -> list[Statement]:
        """What "no enhancement apart from a thin rim" states."""
        reading = self.passage.reading
        ahead = range(denial.last, min(denial.last + REACH // 8, self.passage.last))
        start = next((k for k in ahead if (reading.word(k), reading.word(k + 1)) in _EXCEPTIONS or reading.word(k) == "except"), None)
        if start is None or any(reading.word(k) in {",", ";"} for k in range(denial.last, start - 1)):
            return []
        end = next((k for k in range(start + 1, self.passage.last) if reading.word(k) in {",", ";", "and"}), self.passage.last)
        found: list[Statement] = []
        for entity in reading.within(start, end):
            meaning = entity.modifies(concept)
            if meaning and meaning.value not in DEGREES:
                found.append(replace(denial, value=meaning.value, negated=False, first=entity.first, last=entity.last))
        return found

    def _value_hedged(self, base: Statement, modifier: Entity) -> bool:
        """A hedge among the adjectives covers only those after it."""
        return modifier.first in self.passage.hedged if modifier.first < base.first else base.uncertain

    def _inner_negation(self, first: int, last: int) -> bool:
        return any(self.passage.reading.word(k) in {"not", "no"} for k in range(first, last))

    def _is_hidden(self, last: int) -> bool:
        """True where "(not shown)" follows in the same clause."""
        for k in range(last, min(self.passage.last, last + REACH)):
            if self.passage.reading.word(k) in {";", "."}:
                return False
            if self.passage.reading.word(k) == "not" and self.passage.reading.word(k + 1) in {"shown", "included", "depicted"}:
                return True
        return False

    def _sequences(self, entity: Entity, concept: str) -> tuple[str, ...]:
        if concept != "signal":
            return self._beside_signal(entity)
        return phrase_sequences(self.passage.reading, entity, self.passage.first, self.passage.last)

    def _phase(self, last: int) -> str | None:
        """The "pre" of "isointense to grey matter before contrast"."""
        for k in range(last, min(last + 8, self.passage.last)):
            entity = self.passage.reading.entity(k)
            if self.passage.reading.word(k) in {",", ";", "and", "but"} or (entity is not None and entity.has("verb")):
                return None
            contrast = entity.get("contrast") if entity is not None else None
            if contrast is not None:
                return contrast.key if contrast.key == "pre" else None
        return None

    def _beside_signal(self, entity: Entity) -> tuple[str, ...]:
        """The sequences of "hyperintense and septated on T2" for the finding that is no signal."""
        k = entity.last
        while self.passage.reading.word(k) in {"lesion", "mass", "rim", "ring", "signal", "is", "seen", "was", "better", "best", "well", "visible", "were", "noted",
                                        "identified", "detected", "are", "evident", "observed", "clearly"} and k < entity.last + 4:
            k += 1
        return on_group(self.passage.reading, k, k + 5) if self.passage.reading.word(k) in {"on", "in"} and k < self.passage.last else ()

    def _bled_into_ventricle(self, statement: Statement, found: list[Statement]) -> Statement:
        """An "intraventricular extension" of a haemorrhage is haemorrhage."""
        bleeding = any(s.concept == "haemorrhage" and not s.negated for s in found)
        if statement.value == "intraventricular" and bleeding and self.passage.reading.word(statement.last).startswith(
                ("exten", "spread", "ruptur", "component", "breakthrough")):
            return replace(statement, concept="haemorrhage")
        return statement

    def _with_measure(self, statement: Statement, measures: list[Measure]) -> Statement:
        """Shift and descent carry their own size."""
        if statement.concept not in {"midline_shift", "herniation"} or statement.negated:
            return statement
        side = self._direction(statement) if statement.concept == "midline_shift" else None
        near = [m for m in measures if self._linked(statement, m)]
        sizes = near[0].size_mm if near else ()
        if near:
            measures.remove(near[0])
        return replace(statement, size_mm=sizes, side=side)

    def _linked(self, statement: Statement, measure: Measure) -> bool:
        if statement.first <= measure.first < statement.last:
            return True
        low, high = (measure.last, statement.first) if measure.last <= statement.first else (statement.last, measure.first)
        between = [self.passage.reading.word(k) for k in range(low, high)]
        return len(between) <= 5 and not any(w in {",", ";", "with", "and", "mass", "lesion", "thick"} for w in between)

    def _direction(self, statement: Statement) -> str | None:
        for k in range(statement.last, min(statement.last + 8, self.passage.last)):
            entity = self.passage.reading.entity(k)
            side = entity.get("side") if entity else None
            if side and entity:
                self.passage.side_tokens.update(range(entity.first, entity.last))
                return side.key
            if self.passage.reading.word(k) in {",", ";", "and", "with"}:
                return None
        previous = self.passage.reading.entity(statement.first - 1)
        side = previous.get("side") if previous else None
        if side and previous and (
                previous.last - previous.first == 3 or self.passage.reading.word(previous.first).endswith(("ward", "wards"))):
            return side.key
        return None

    def _bleeding_in_brain(self, found: list[Statement]) -> None:
        for index, statement in enumerate(found):
            if (statement.concept, statement.value) != ("haemorrhage", "present") or statement.negated:
                continue
            if any(self._belongs(place, statement, _BRAIN) for place in self.passage.places):
                found[index] = replace(statement, value="intraparenchymal")
            elif any(self._belongs(place, statement, _VENTRICLES) for place in self.passage.places):
                found[index] = replace(statement, value="intraventricular")

    def _belongs(self, place: Place, statement: Statement, parts: frozenset[str]) -> bool:
        if not set(place.values) & parts:
            return False
        entity = place.entity
        low, high = (entity.last, statement.first) if entity.last <= statement.first else (statement.last, entity.first)
        between = [self.passage.reading.word(k) for k in range(low, high)]
        blocked = {",", ";", "with", "and", "mass", "lesion", "tumor", "tumour", "around", "component", "metastasis", "cyst"}
        if entity.last <= statement.first:
            return len(between) <= 2 and not blocked & set(between)
        return len(between) <= 6 and not blocked & set(between) and any(w in {"in", "of", "within", "involving"} for w in between)
