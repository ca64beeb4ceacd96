"""What a stretch of a legend states of the lesion: findings with their value, denial, hedge, side and size."""

from __future__ import annotations

from dataclasses import dataclass, replace

from neuraxis.legends.descriptors import is_finding
from neuraxis.legends.phrases import Entity
from neuraxis.legends.places import Measure, Place, find_measures, find_places
from neuraxis.legends.polarity import denied, hedged
from neuraxis.legends.reading import Reading

DEGREES = frozenset({"mild", "moderate", "marked", "severe", "intense"})
_BRAIN = frozenset(
    "frontal parietal temporal occipital insula cerebral_hemisphere cortex subcortical white_matter periventricular corpus_callosum "
    "basal_ganglia thalamus hypothalamus hippocampus internal_capsule brainstem midbrain substantia_nigra pons medulla cerebellum "
    "vermis middle_cerebellar_peduncle".split()
)
_LEFT_STOPS = frozenset({".", ";", ":", "(", ")", "of", "in", "with", "to", "on", "from", "at", "by", "than", "without", "no"})
_RIGHT_LINKS = frozenset("is was are were appears appear in a an the pattern fashion manner that which and very more of along its "
                         "component at type shows peripheral only predominantly mainly relatively".split())


@dataclass(frozen=True)
class Statement:
    """One value of one concept, stated in tokens `first` up to `last`.

    `sequences` names the sequences of the phrase ("on T2"); `labels` the panels a reference in the phrase names.
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


class Stater:
    """Reads the statements of one stretch (token range `first` up to `last`)."""

    def __init__(self, reading: Reading, first: int, last: int) -> None:
        self.reading, self.first, self.last = reading, first, last
        self.entities = [e for e in reading.within(first, last) if is_finding(reading, e)]
        self.denied, self.hedged = denied(reading, first, last), hedged(reading, first, last)
        self.used: set[int] = set()
        self.places, self.side_tokens = find_places(reading, first, last)

    def statements(self) -> list[Statement]:
        """All statements in the order of the text."""
        found: list[Statement] = []
        measures = find_measures(self.reading, self.first, self.last)
        for pass_left in (True, False):
            for entity in self.entities:
                for concept, value in self._heads(entity):
                    self._collect_modifiers(entity, concept, value, left=pass_left)
        for entity in self.entities:
            for concept, value in self._heads(entity):
                found.extend(self._finding(entity, concept, value))
        found.extend(self._lone_modifiers())
        found = [self._with_measure(s, measures) for s in found]
        found.extend(self._places(found))
        found.extend(self._sizes(found, measures))
        found.extend(self._sides(measures))
        return sorted(found, key=lambda s: (s.first, s.last))

    def _heads(self, entity: Entity) -> list[tuple[str, str]]:
        heads = [(m.key, m.value) for m in entity.meanings if m.kind == "finding" and m.key != "location" and m.value]
        if heads and heads[0][0] == "compartment" and self._is_modifier_of_blood(entity):
            return []
        return heads

    def _is_modifier_of_blood(self, entity: Entity) -> bool:
        if entity.modifies("haemorrhage") is None:
            return False
        for k in range(entity.last, min(entity.last + 5, self.last)):
            other = self.reading.entity(k)
            if other and any(m.kind == "finding" and m.key == "haemorrhage" for m in other.meanings):
                return True
            if self.reading.word(k) in _LEFT_STOPS | {","}:
                return False
        return False

    def _collect_modifiers(self, head: Entity, concept: str, value: str, *, left: bool) -> None:
        if value not in {"present", "rim"} and not (concept, value) == ("signal", "hyper"):
            return
        self._modifiers.setdefault((head.first, concept), [])
        chosen = self._left(head, concept) if left else self._right(head, concept)
        for entity, modifier in chosen:
            if entity.first in self.used:
                continue
            self.used.add(entity.first)
            self._modifiers[head.first, concept].append((entity, modifier))

    @property
    def _modifiers(self) -> dict[tuple[int, str], list[tuple[Entity, str]]]:
        if not hasattr(self, "_collected"):
            self._collected: dict[tuple[int, str], list[tuple[Entity, str]]] = {}
        return self._collected

    def _left(self, head: Entity, concept: str) -> list[tuple[Entity, str]]:
        reading, found = self.reading, []
        k = head.first - 1
        steps = 0
        while k >= self.first and steps < 9:
            word, entity = reading.word(k), reading.entity(k)
            if word in _LEFT_STOPS and not (word == "of" and self._quantity(k - 1, concept)) or reading.mark(k):
                break
            modifier = entity.modifies(concept) if entity else None
            if modifier and entity and reading.word(entity.first) not in {"nodule", "nodules"}:
                found.append((entity, modifier.value))
                k = entity.first - 1
                steps += 1
                continue
            if word in {",", "and", "but", "/"} and not self._joins(k, concept):
                break
            if word in {",", "and", "but"} and self._joins(k, concept):
                k -= 1
                continue
            if entity and (entity.has("verb", "boundary", "negator") and word not in {"non"} or self._other_head(entity)):
                break
            if entity and entity.has("lesion") and not entity.has("modifier") and reading.word(k + 1) != "of":
                break
            k -= 1
            steps += 1
        return found

    def _quantity(self, token: int, concept: str) -> bool:
        """True for the noun in "speck of calcification" and "areas of enhancement"."""
        entity = self.reading.entity(token)
        return entity is not None and token >= self.first and (
            entity.modifies(concept) is not None or self.reading.word(token) in {
                "focus", "foci", "area", "areas", "spots", "spot", "degree", "pattern", "component", "components", "rim", "deposits"})

    def _joins(self, token: int, concept: str) -> bool:
        """True where a comma or "and" stands between adjectives of the same finding."""
        before, after = self.reading.entity(token - 1), self.reading.entity(token + 1)
        while after and after.has("hedge", "article"):
            after = self.reading.entity(after.last)
        return bool(before and before.modifies(concept) and after and (after.modifies(concept) or after.has("modifier")))

    def _other_head(self, entity: Entity) -> bool:
        return any(m.kind == "finding" and m.key not in {"location", "compartment", "margin", "cystic"} for m in entity.meanings)

    def _right(self, head: Entity, concept: str) -> list[tuple[Entity, str]]:
        reading, found = self.reading, []
        attributive = reading.word(head.last - 1) in {"enhancing"}
        k, steps = head.last, 0
        crossed = False
        while k < self.last and steps < 9:
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
            number = word[:1].isdigit() or word in {"mm", "cm", "x"}
            placed = entity is not None and steps and (entity.has("side") or self._is_place(entity))
            crossed = crossed or bool(placed)
            if not (word in _RIGHT_LINKS or placed or attributive and (number or entity and entity.has("side", "lesion", "finding", "article"))):
                break
            if entity and self._other_head(entity) and not attributive:
                break
            k += 1
            steps += 1
        return found

    def _is_place(self, entity: Entity) -> bool:
        return any(m.kind == "finding" and m.key == "location" for m in entity.meanings)

    def _nodule_follows(self, token: int) -> bool:
        return any(self.reading.word(k).startswith("nodul") for k in range(token, min(token + 3, self.last)))

    def _belongs_right(self, modifier: Entity, concept: str) -> bool:
        """True where an adjective stands before another finding or a noun, not after its own."""
        k = modifier.last
        for _ in range(3):
            entity = self.reading.entity(k)
            if entity is None:
                return False
            if any(m.kind == "finding" and m.key not in {"location", concept} for m in entity.meanings):
                return True
            if not entity.has("modifier"):
                return False
            k = entity.last
        return False

    def _finding(self, entity: Entity, concept: str, value: str) -> list[Statement]:
        first, last = entity.first, entity.last
        negated = any(k in self.denied for k in range(first, last)) or self._inner_negation(first, last)
        base = Statement(concept, value, first, last, uncertain=first in self.hedged, hidden=self._is_hidden(last))
        base = replace(base, labels=self._reference(first, last), sequences=self._sequences(entity, concept))
        modifiers = self._modifiers.get((first, concept), [])
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
        if value == "none":
            return [replace(base, negated=True)]
        if negated:
            return [replace(base, value="none" if value == "present" else value, negated=True)]
        return [base]

    def _value_hedged(self, base: Statement, modifier: Entity) -> bool:
        """A hedge among the adjectives covers only those after it."""
        return modifier.first in self.hedged if modifier.first < base.first else base.uncertain

    def _inner_negation(self, first: int, last: int) -> bool:
        return any(self.reading.word(k) in {"not", "no"} for k in range(first, last))

    def _is_hidden(self, last: int) -> bool:
        """True where "(not shown)" follows in the same clause."""
        for k in range(last, self.last):
            if self.reading.word(k) in {";", "."}:
                return False
            if self.reading.word(k) == "not" and self.reading.word(k + 1) in {"shown", "included", "depicted"}:
                return True
        return False

    def _reference(self, first: int, last: int) -> tuple[str, ...] | None:
        """Panels that a reference right after the phrase names: "a nodule (arrow in B)"."""
        reading = self.reading
        for k in range(last, self.last):
            mark = reading.mark(k)
            if mark is not None and mark.reference:
                return mark.labels
            if mark is not None or reading.word(k) in {";", ".", ",", "with", "and", "but"}:
                break
        for k in range(first - 1, self.first - 1, -1):
            mark = reading.mark(k)
            if mark is not None and mark.reference and not mark.parenthesised and reading.word(k + 1) in {",", "there", "a", "the"}:
                return mark.labels
            if mark is not None or reading.word(k) in {";", "."}:
                break
        return None

    def _sequences(self, entity: Entity, concept: str) -> tuple[str, ...]:
        if concept != "signal":
            return self._beside_signal(entity)
        return phrase_sequences(self.reading, entity, self.first, self.last)

    def _beside_signal(self, entity: Entity) -> tuple[str, ...]:
        """The sequences of "hyperintense and septated on T2" for the finding that is no signal."""
        k = entity.last
        while self.reading.word(k) in {"lesion", "mass", "signal", "is", "seen", "was", "better", "best", "well", "visible", "were", "noted",
                                        "identified", "detected", "are", "evident", "observed", "clearly"} and k < entity.last + 4:
            k += 1
        return _on_group(self.reading, k, k + 5) if self.reading.word(k) in {"on", "in"} and k < self.last else ()

    def _lone_modifiers(self) -> list[Statement]:
        """Haemorrhage words without a head state nothing; kept as a place for values that stand by themselves."""
        return []

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
        between = [self.reading.word(k) for k in range(low, high)]
        return len(between) <= 5 and not any(w in {",", ";", "with", "and", "mass", "lesion", "thick"} for w in between)

    def _direction(self, statement: Statement) -> str | None:
        for k in range(statement.last, min(statement.last + 8, self.last)):
            entity = self.reading.entity(k)
            side = entity.get("side") if entity else None
            if side and entity:
                self.side_tokens.update(range(entity.first, entity.last))
                return side.key
            if self.reading.word(k) in {",", ";", "and", "with"}:
                return None
        previous = self.reading.entity(statement.first - 1)
        side = previous.get("side") if previous else None
        if side and previous and (
                previous.last - previous.first == 3 or self.reading.word(previous.first).endswith(("ward", "wards"))):
            return side.key
        return None

    def _places(self, found: list[Statement]) -> list[Statement]:
        statements = []
        for place in self.places:
            entity = place.entity
            if self._is_hidden_location(entity):
                continue
            if self._subject_of_denial(entity):
                continue
            negated = entity.first in self.denied and self._denied_thing(entity.first) or self._place_of_denied(entity, found)
            if negated and (not self._denied_lesion(entity, found) or self._reached(entity)):
                continue
            for value in place.values:
                side = place.side or self._side_of_lesion(place)
                statements.append(Statement(
                    "location", value, entity.first, entity.last, negated=negated, side=side,
                    uncertain=not negated and self._place_hedged(entity, found), labels=self._reference(entity.first, entity.last),
                ))
        self._bleeding_in_brain(found)
        return statements

    def _side_of_lesion(self, place: Place) -> str | None:
        """The side of "bilateral hyperintensities in the thalami", stated with the lesion and not with the place."""
        k = place.entity.first - 1
        passed = False
        while k >= self.first and place.entity.first - k < 12:
            word, entity = self.reading.word(k), self.reading.entity(k)
            side = entity.get("side") if entity else None
            if side and entity and passed and entity.first not in self.side_tokens and self._of_lesion(entity):
                self.side_tokens.update(range(entity.first, entity.last))
                return side.key
            if word in {",", ";", ":", "and", "with"} or entity and (entity.has("verb", "boundary") or self._is_place(entity)):
                return None
            passed = passed or word in {"in", "of", "within", "involving", "at"}
            k -= 1
        return None

    def _is_hidden_location(self, entity: Entity) -> bool:
        return any(entity.first >= s.first and entity.last <= s.last for s in self._spanning)

    @property
    def _spanning(self) -> list[Statement]:
        return []

    def _subject_of_denial(self, entity: Entity) -> bool:
        """True for PLACE in "PLACE shows no erosion"."""
        k = entity.last
        while k < min(self.last, entity.last + 5):
            other = self.reading.entity(k)
            if self.reading.word(k) in {",", ";", "with"} or other and self._other_head(other):
                return False
            if other and other.has("verb"):
                following = self.reading.entity(other.last)
                stated = [e for e in self.entities if e.last <= entity.first and self._other_head(e)]
                return following is not None and following.has("negator") and not stated and not any(
                    e.has("lesion") for e in self.reading.within(self.first, entity.first))
            k += 1
        return False

    def _place_of_denied(self, entity: Entity, found: list[Statement]) -> bool:
        """True for PLACE in "no haemorrhage in PLACE" and "no such focus in PLACE"."""
        k = entity.first - 1
        reading = self.reading
        while k >= self.first and entity.first - k < 9:
            if k in self.denied:
                return self._denied_thing(k)
            other = reading.entity(k)
            if reading.word(k) in {",", ";", "with", "but"} or other and other.has("verb"):
                return False
            if other and other.has("lesion", "finding") and not any(m.key == "location" for m in other.meanings):
                return False
            k -= 1
        return False

    def _denied_thing(self, token: int) -> bool:
        """True where the denied words around a token name a lesion or a finding; "absence of flow" names neither."""
        k = token
        while k >= self.first and k in self.denied:
            entity = self.reading.entity(k)
            if entity and (entity.has("lesion") or self._other_head(entity)):
                return True
            k -= 1
        return False

    def _denied_lesion(self, entity: Entity, found: list[Statement]) -> bool:
        """True where what is denied at a place is a lesion, or a finding stated elsewhere."""
        before = [s for s in found if s.negated and s.last <= entity.first and entity.first - s.first < 9]
        after = [s for s in found if s.negated and s.first >= entity.last and s.first - entity.last < 3]
        if after and not before:
            return False
        return not before

    def _reached(self, entity: Entity) -> bool:
        words_before = [self.reading.word(k) for k in range(max(self.first, entity.first - 4), entity.first)]
        return "to" in words_before

    def _place_hedged(self, entity: Entity, found: list[Statement]) -> bool:
        if entity.first in self.hedged:
            return True
        for statement in found:
            if not statement.uncertain or statement.last > entity.first:
                continue
            between = [self.reading.word(k) for k in range(statement.last, entity.first)]
            if any(w in {"in", "of", "at", "within"} for w in between) and not {";", "with", "but", ":"} & set(between) and (
                    len(between) <= 5 and "," not in between or self._only_places(statement.last, entity.first)):
                return True
        return False

    def _only_places(self, first: int, last: int) -> bool:
        """True where nothing but a list of places stands between two tokens."""
        for k in range(first, last):
            entity = self.reading.entity(k)
            listed = self.reading.word(k) in {",", "and", "the", "in", "of", "within", "bilaterally", "lobe", "nuclei"}
            if not listed and not (entity and (self._is_place(entity) or entity.has("side"))):
                return False
        return True

    def _bleeding_in_brain(self, found: list[Statement]) -> None:
        for index, statement in enumerate(found):
            if (statement.concept, statement.value) != ("haemorrhage", "present") or statement.negated:
                continue
            if any(self._belongs(place, statement) for place in self.places):
                found[index] = replace(statement, value="intraparenchymal")

    def _belongs(self, place: Place, statement: Statement) -> bool:
        if not set(place.values) & _BRAIN:
            return False
        entity = place.entity
        low, high = (entity.last, statement.first) if entity.last <= statement.first else (statement.last, entity.first)
        between = [self.reading.word(k) for k in range(low, high)]
        blocked = {",", ";", "with", "and", "mass", "lesion", "tumor", "tumour", "around", "component", "metastasis", "cyst"}
        if entity.last <= statement.first:
            return len(between) <= 2 and not blocked & set(between)
        return len(between) <= 6 and not blocked & set(between) and any(w in {"in", "of", "within", "involving"} for w in between)

    def _sizes(self, found: list[Statement], measures: list[Measure]) -> list[Statement]:
        statements = []
        for measure in measures:
            if measure.first in self.denied or not self._is_lesion_size(measure):
                continue
            side = measure.side or self._bracketed_side(measure)
            self.side_tokens.update(measure.side_tokens)
            statements.append(Statement("size", "measured", measure.first, measure.last, size_mm=measure.size_mm, side=side,
                                        uncertain=False, labels=self._reference(measure.first, measure.last)))
        return statements

    def _is_lesion_size(self, measure: Measure) -> bool:
        after = [self.reading.word(k) for k in range(measure.last, min(measure.last + 2, self.last))]
        return not (set(after) & {"below", "above", "from", "away", "caudal", "margin"})

    def _bracketed_side(self, measure: Measure) -> str | None:
        if self.reading.word(measure.last) != "(":
            return None
        place = next((p for p in self.places if measure.last < p.entity.first <= measure.last + 4), None)
        return place.side if place else None

    def _sides(self, measures: list[Measure]) -> list[Statement]:
        """Sides stated for the lesion where no location can take them."""
        statements: list[Statement] = []
        if self.places:
            return statements
        for entity in self.reading.within(self.first, self.last):
            side = entity.get("side")
            if side is None or entity.first in self.side_tokens or entity.has("ignored"):
                continue
            if self.reading.word(entity.first) != "both" and self._of_lesion(entity):
                statements.append(Statement("laterality", side.key, entity.first, entity.last,
                                            negated=entity.first in self.denied, uncertain=entity.first in self.hedged))
        return statements

    def _of_lesion(self, side: Entity) -> bool:
        for k in range(side.last, min(side.last + 6, self.last)):
            word, entity = self.reading.word(k), self.reading.entity(k)
            if word in {",", ";", ".", "(", "of", "to"} or entity and entity.has("ignored", "verb"):
                return False
            if entity and (entity.has("lesion") or any(
                    m.kind == "finding" and m.key in {"haemorrhage", "calcification", "cystic", "compartment", "signal"} for m in entity.meanings)):
                return entity.has("lesion") or entity.last >= self.last or not entity.has("modifier") or self._of_lesion(entity)
        return False


def phrase_sequences(reading: Reading, signal: Entity, first: int, last: int) -> tuple[str, ...]:
    """Sequences named in the phrase of a signal word: "T2-hyperintense", "dark on T1 and T2", "On T1, ... bright"."""
    previous = reading.entity(signal.first - 1)
    if previous and previous.get("sequence"):
        before = reading.word(previous.first - 1)
        if before not in {"on", "in"}:
            return (_key(previous), *_chain_left(reading, previous, first))
    signals = [e for e in reading.within(first, last) if any(m.kind == "finding" and m.key == "signal" for m in e.meanings)]
    following = next((e.first for e in signals if e.first > signal.first), last)
    right = _on_group(reading, signal.last, _phrase_end(reading, signal.last, following))
    if right:
        return right
    if following < last:
        between = [reading.word(k) for k in range(signal.last, following)]
        if set(between) <= {"to", "and", "or", ",", "/"} and len(between) <= 2 and "and" not in between:
            return _on_group(reading, following, last)
    earlier = max((e.last for e in signals if e.last <= signal.first), default=first)
    left = _on_group(reading, earlier, signal.first)
    return left or (_on_group(reading, first, signal.first) if earlier != first else ())


def _phrase_end(reading: Reading, first: int, last: int) -> int:
    """Where the words that can still belong to a signal word end."""
    for k in range(first, last):
        entity = reading.entity(k)
        if reading.word(k) == ";" or entity is not None and entity.first == k and (entity.has("boundary") or any(
                m.kind == "finding" and m.key not in {"signal", "location", "cystic", "margin", "compartment"}
                for m in entity.meanings) and not entity.has("sequence")):
            return k
    return last


def _chain_left(reading: Reading, entity: Entity, first: int) -> tuple[str, ...]:
    """The T1 of "T1 and T2 hyperintense"."""
    k = entity.first - 1
    if k > first and reading.word(k) in {"and", "/", ",", "or"}:
        previous = reading.entity(k - 1)
        if previous and previous.get("sequence"):
            return (_key(previous),)
    return ()


def _key(entity: Entity) -> str:
    meaning = entity.get("sequence")
    return meaning.key if meaning else ""


def _on_group(reading: Reading, first: int, last: int) -> tuple[str, ...]:
    """The sequences of the first "on T1 and T2" in a token range."""
    for entity in reading.within(first, last):
        if not entity.get("sequence"):
            continue
        k = entity.first - 1
        while k >= first - 3 and k >= 0 and (reading.word(k) in {
                "the", "both", "axial", "coronal", "sagittal", "all", "conventional", "(", "weighted"} or _describes(reading, k)):
            k -= 1
        if reading.word(k) not in {"on", "in", "at"}:
            continue
        group = [_key(entity)]
        k = entity.last
        while k < len(reading.tokens) and (reading.mark(k) or reading.word(k) in {
                ",", "and", "/", "or", "weighted", "images", "image", "imaging", "axial", "sagittal", "coronal", "sequences", "on",
                "&", "as", "well"} or _describes(reading, k)):
            other = reading.entity(k)
            if other and other.get("sequence"):
                group.append(_key(other))
                k = other.last
            else:
                k += 1
        return tuple(dict.fromkeys(group))
    return ()


def _describes(reading: Reading, token: int) -> bool:
    entity = reading.entity(token)
    return entity is not None and entity.has("sequence", "caption", "plane", "contrast", "modality") and not entity.has("finding")
