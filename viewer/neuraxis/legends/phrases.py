"""Phrases of the lexicon and the grammar, compiled for longest-match search over tokens."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from neuraxis.legends.text import Token

GAP = "..."
MAX_GAP = 6
"""Words that `...` may stand for."""


@dataclass(frozen=True)
class Meaning:
    """What a phrase stands for: `kind` ("finding", "modifier", "sequence", ...), and up to two keys."""

    kind: str
    key: str
    value: str = ""


@dataclass(frozen=True)
class Entity:
    """A phrase found in a legend: tokens `first` up to, not including, `last`, and all it may mean."""

    first: int
    last: int
    meanings: tuple[Meaning, ...]

    def get(self, kind: str) -> Meaning | None:
        """The first meaning of a kind."""
        return next((m for m in self.meanings if m.kind == kind), None)

    def has(self, *kinds: str) -> bool:
        """True where the phrase has a meaning of one of the kinds."""
        return any(m.kind in kinds for m in self.meanings)

    def modifies(self, concept: str) -> Meaning | None:
        """The meaning as a modifier of a concept ("rim" of enhancement)."""
        return next((m for m in self.meanings if m.kind == "modifier" and m.key == concept), None)


@dataclass(frozen=True)
class _Phrase:
    slots: tuple[tuple[str, ...], ...]
    forbidden: tuple[str, ...]
    required: tuple[str, ...]
    meaning: Meaning


def expand(phrase: str) -> list[tuple[tuple[str, ...], ...]]:
    """All sequences of word slots a phrase stands for.

    `word*` matches words that begin so, `a/b` either word, `word?` may be missing, `...` up to six words.
    `!word` (must not follow) and `>word` (one of these must follow) take no slot.
    """
    results: list[tuple[tuple[str, ...], ...]] = [()]
    for word in phrase.split():
        if word[0] in "!>":
            continue
        optional = word.endswith("?")
        slot = ("/",) if word == "/" else tuple(word.rstrip("?").split("/"))
        longer = [(*r, slot) for r in results]
        results = longer + results if optional else longer
    return [r for r in results if r]


def word_matches(pattern: str, word: str) -> bool:
    """True where a slot's pattern fits a word; a final `*` stands for any ending."""
    if len(pattern) > 1 and pattern.endswith("*") and pattern != "t2*":
        return word.startswith(pattern[:-1])
    return word == pattern


class PhraseBook:
    """Finds the longest phrase at each token."""

    def __init__(self) -> None:
        self._exact: dict[str, list[_Phrase]] = defaultdict(list)
        self._stems: dict[str, list[_Phrase]] = defaultdict(list)

    def add(self, wording: str, meaning: Meaning) -> None:
        """Adds a wording (phrase syntax as in `expand`)."""
        forbidden = tuple(w[1:] for w in wording.split() if w[0] == "!")
        required = tuple(w[1:] for w in wording.split() if w[0] == ">")
        for slots in expand(wording):
            phrase = _Phrase(slots, forbidden, required, meaning)
            for pattern in slots[0]:
                if len(pattern) > 1 and pattern.endswith("*") and pattern != "t2*":
                    self._stems[pattern[:3].rstrip("*")].append(phrase)
                else:
                    self._exact[pattern].append(phrase)

    def find(self, tokens: list[Token]) -> list[Entity]:
        """Entities in order, not overlapping; at each token the longest phrase wins, ties keep all meanings."""
        entities: list[Entity] = []
        index = 0
        while index < len(tokens):
            last, meanings = self._at(tokens, index)
            if meanings:
                entities.append(Entity(index, last, tuple(dict.fromkeys(meanings))))
                index = last
            else:
                index += 1
        return entities

    def _at(self, tokens: list[Token], index: int) -> tuple[int, list[Meaning]]:
        word = tokens[index].text
        best, meanings = index, []
        candidates = self._exact.get(word, ())
        stems = (*self._stems.get(word[:3], ()), *self._stems.get(word[:2], ())) if len(word) > 1 else ()
        for phrase in (*candidates, *stems):
            last = _match(phrase, tokens, index)
            if last > best:
                best, meanings = last, [phrase.meaning]
            elif last == best and last > index:
                meanings.append(phrase.meaning)
        return best, meanings


def _match(phrase: _Phrase, tokens: list[Token], index: int) -> int:
    position = index
    slots = phrase.slots
    count = len(tokens)
    for k, slot in enumerate(slots):
        if slot[0] == GAP:
            position = _after_gap(slots[k + 1], tokens, position)
            if position < 0:
                return index
            continue
        if position >= count:
            return index
        word = tokens[position].text
        for pattern in slot:
            if word_matches(pattern, word):
                break
        else:
            return index
        position += 1
    following = tokens[position].text if position < count else ""
    if any(word_matches(pattern, following) for pattern in phrase.forbidden):
        return index
    return position if not phrase.required or _is_followed(phrase.required, tokens, position) else index


def _is_followed(required: tuple[str, ...], tokens: list[Token], position: int) -> bool:
    """True where one of the words comes next, a side or an article aside."""
    while position < len(tokens) and tokens[position].text in {"left", "right", "both", "bilateral", "the"}:
        position += 1
    return position < len(tokens) and any(word_matches(pattern, tokens[position].text) for pattern in required)


def _after_gap(slot: tuple[str, ...], tokens: list[Token], position: int) -> int:
    for ahead in range(position, min(position + MAX_GAP + 1, len(tokens))):
        word = tokens[ahead].text
        if word in {".", ";", ":", "but"} or tokens[ahead].label >= 0:
            return -1
        if any(word_matches(pattern, word) for pattern in slot):
            return ahead
    return -1
