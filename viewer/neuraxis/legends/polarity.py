"""Which statements of a stretch are denied and which are hedged (rules 2 and 3 of the annotation scheme)."""

from __future__ import annotations

from neuraxis.legends.descriptors import is_finding
from neuraxis.legends.phrases import Entity
from neuraxis.legends.reading import Reading

_STOPS = frozenset({".", ";", ":"})
_OR = frozenset({"or", "nor", "/"})
_NOUNS = frozenset(["in", "at", "within", "around", "along", "on", "from", "after", "between", "to", "into", "during", "over", "adjacent", "throughout"])
_LESION_NOUNS = frozenset(["lesion", "lesions", "focus", "foci", "abnormality", "mass", "nodule", "collection", "invasion", "extension", "involvement", "spread"])
_PASSED = frozenset(["of", "the", "a", "an", "any", "evidence", "sign", "signs", "definite", "obvious", "for"])


def denied(reading: Reading, first: int, last: int) -> set[int]:
    """Indices of the tokens that a negation covers."""
    tokens: set[int] = set()
    for entity in reading.within(first, last):
        if entity.has("negated_after") and _is_predicate(reading, entity):
            tokens.update(_subject(reading, entity.first, first))
        elif entity.has("negator_next"):
            tokens.update(_next_finding(reading, entity.last, last))
        elif entity.has("negator", "negated_after"):
            tokens.update(_object(reading, entity, last))
    return tokens


def _is_predicate(reading: Reading, entity: Entity) -> bool:
    """True for "X is absent", "X absent." and "X not seen"; false for "absent X"."""
    previous = reading.word(entity.first - 1)
    if not entity.has("negator"):
        return True
    if previous in {"is", "was", "are", "were", "has", "have", "had", "been", "be", "being"}:
        return True
    following = reading.word(entity.last)
    closed = following in {"", ".", ",", ";", ")", "and", "on", "in"} and reading.word(entity.first) in {"absent", "resolved", "lacking"}
    return closed and previous not in {"", ",", ";", "with"}


def _subject(reading: Reading, stop: int, first: int) -> range:
    k = stop - 1
    while k >= first:
        word, entity = reading.word(k), reading.entity(k)
        if word in _STOPS or reading.mark(k):
            break
        if entity and (entity.has("boundary") or (entity.has("verb") and word not in {
                "is", "was", "are", "were", "has", "have", "had", "there", "appear", "appears"})):
            break
        if word == "," and not _list_comma(reading, k, first):
            break
        if word == "and" and k + 1 < stop and reading.word(k - 1) == ",":
            break
        k -= 1
    return range(k + 1, stop)


def _list_comma(reading: Reading, comma: int, first: int) -> bool:
    before = reading.entity(comma - 1)
    return comma - 1 >= first and before is not None and before.has("finding") and not _clause_verb(reading, first, comma)


def _clause_verb(reading: Reading, first: int, last: int) -> bool:
    return any(e.has("verb") for e in reading.within(first, last))


def _next_finding(reading: Reading, first: int, last: int) -> range:
    """Tokens up to the end of the next finding, and of those joined to it by "or"."""
    end = first
    for k in range(first, min(last, first + 9)):
        word, entity = reading.word(k), reading.entity(k)
        if word in _STOPS or word == "," or (entity is not None and entity.has("boundary")):
            break
        if entity and is_finding(reading, entity):
            end = entity.last
            if reading.word(end) not in _OR:
                break
    return range(first, end)


def _object(reading: Reading, negator: Entity, last: int) -> set[int]:
    """Tokens of the noun phrases that follow "no", "without", "neither" ..."""
    covered: set[int] = set()
    found = paused = unknown = False
    k = negator.last
    while k < last:
        word, entity = reading.word(k), reading.entity(k)
        if word in _STOPS or word == ")" or _ends(reading, entity, k, negator):
            break
        if word == "," and not _goes_on(reading, k + 1, last):
            break
        if word in {"and", "&"} and not _bare_head(reading, k + 1, last):
            break
        if word in _OR or word == ",":
            paused = False
        elif (found or unknown) and word in _NOUNS:
            paused = True
        if not paused:
            covered.add(k)
        found = found or (entity is not None and is_finding(reading, entity))
        unknown = unknown or (entity is None and word.isalpha() and word not in _PASSED)
        k += 1
    return covered


def _ends(reading: Reading, entity: Entity | None, token: int, negator: Entity) -> bool:
    if entity is None or entity.first != token or token == negator.last:
        return False
    if entity.has("negator", "negator_next") and reading.word(token) != "nor":
        return True
    if entity.has("boundary"):
        joined = reading.word(token) == "with" and reading.word(token - 1) in {"associated", "accompanied"}
        return reading.word(token) != "including" and not joined and reading.word(token) != "accompanied"
    return entity.has("verb") and reading.word(token) not in {
        "seen", "noted", "identified", "detected", "visible", "appearing", "is", "are", "was", "were", "demonstrated", "identif"}


def _goes_on(reading: Reading, first: int, last: int) -> bool:
    """True where the list of denied findings continues after a comma."""
    k = first
    while k < last:
        word, entity = reading.word(k), reading.entity(k)
        if word in _OR:
            return True
        if word in _STOPS or word in {"and", ")", "but"} or (entity is not None and entity.has("boundary", "verb", "negator")):
            break
        k += 1
    return _bare_head(reading, first + (reading.word(first) == "and"), last) and k - first <= 4


def _bare_head(reading: Reading, first: int, last: int) -> bool:
    """True where a finding follows without article, degree or verb, and nothing is said of it."""
    k = first
    while k < last and reading.word(k) in {"the", "surrounding", "perilesional", "associated", "adjacent", "any", "or", "midline", "mass"}:
        if reading.entity(k) and reading.entity(k).has("finding"):  # type: ignore[union-attr]
            break
        k += 1
    entity = reading.entity(k)
    if entity is None or not is_finding(reading, entity) or entity.get("finding") is None:
        return False
    meaning = entity.get("finding")
    if meaning is not None and meaning.key in {"signal", "attenuation", "location", "margin", "compartment"}:
        return False
    following = reading.word(entity.last)
    return entity.last >= last or following in {"", ".", ",", ";", "and", "or", ")", "(", "was", "were", "is", "are", "in", "on", "of", "could"}


def hedged(reading: Reading, first: int, last: int) -> set[int]:
    """Indices of the tokens that a hedge covers."""
    tokens: set[int] = set()
    for entity in reading.within(first, last):
        if entity.has("hedge_after"):
            tokens.update(_subject(reading, entity.first, first))
        elif entity.has("hedge"):
            tokens.update(_hedge_object(reading, entity, first, last))
    return tokens


def _hedge_object(reading: Reading, hedge: Entity, first: int, last: int) -> set[int]:
    if reading.word(hedge.first) in {"suggested", "suspected", "likely"} and reading.word(hedge.last) in {"", ".", ",", ";"}:
        return set(_subject(reading, hedge.first, first)) if reading.word(hedge.first - 1) in {"is", "was", "were", "are"} else set()
    covered: set[int] = set()
    found, unknown = False, False
    k = hedge.last
    while k < last:
        word, entity = reading.word(k), reading.entity(k)
        if word in _STOPS or word in {")", "but", "with", "which", "while"} or (word == "," and not _adjectives(reading, k, found)):
            break
        if entity and entity.first == k and entity.has("negator", "negator_next"):
            break
        if word == "and" and found and not _bare_head(reading, k + 1, last):
            break
        if word in {"in", "of", "from", "due", "within", "at"} and unknown and not found:
            break
        if entity is not None and is_finding(reading, entity):
            meaning = entity.get("finding")
            found = found or (meaning is not None and meaning.key != "location")
        elif word in _LESION_NOUNS:
            found = True
        elif entity is None or (entity.has("lesion") and not entity.has("modifier")):
            unknown = unknown or (word.isalpha() and word not in _PASSED)
        covered.add(k)
        k += 1
    return covered if found else set()


def _adjectives(reading: Reading, comma: int, found: bool) -> bool:
    entity = reading.entity(comma + 1)
    return not found and entity is not None and entity.has("modifier", "side")
