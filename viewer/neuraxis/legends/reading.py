"""One figure's text with everything found in it: tokens, entities, panel labels, sentences."""

from __future__ import annotations

import bisect
import functools
import re
from dataclasses import dataclass, field

from neuraxis.domain.legend import TextSpan
from neuraxis.legends.labels import LabelMark, find_labels
from neuraxis.legends.phrases import Entity, Meaning, PhraseBook
from neuraxis.legends.text import Token, abbreviation_ranges, is_sentence_end, normalise, tokenise
from neuraxis.legends.vocabulary import words


@functools.cache
def _starters() -> re.Pattern[str]:
    alternatives = "|".join(re.escape(w) for w in sorted(words("starters", "labels"), key=len, reverse=True))
    return re.compile(rf"\s*(?:an?\s+)?(?:{alternatives})")


@dataclass(frozen=True)
class Reading:
    """Tokens and entities of one figure; `at[i]` is the index of the entity that covers token i, or -1."""

    text: str
    norm: str
    tokens: list[Token]
    entities: list[Entity]
    marks: list[LabelMark]
    at: list[int] = field(default_factory=list)

    def span(self, first: int, last: int) -> TextSpan:
        """The text of tokens `first` up to, not including, `last`."""
        start, end = self.tokens[first].start, self.tokens[max(last, first + 1) - 1].end
        return TextSpan(start, end, self.text[start:end])

    def entity(self, token: int) -> Entity | None:
        """The entity that covers a token."""
        index = self.at[token] if 0 <= token < len(self.at) else -1
        return self.entities[index] if index >= 0 else None

    def within(self, first: int, last: int) -> list[Entity]:
        """Entities that begin in a token range."""
        return self.entities[bisect.bisect_left(self._firsts, first):bisect.bisect_left(self._firsts, last)]

    @functools.cached_property
    def _firsts(self) -> list[int]:
        return [e.first for e in self.entities]

    def word(self, token: int) -> str:
        """A token's text, or "" outside the text."""
        return self.tokens[token].text if 0 <= token < len(self.tokens) else ""

    def mark(self, token: int) -> LabelMark | None:
        """The label that stands at a token."""
        index = self.tokens[token].label if 0 <= token < len(self.tokens) else -1
        return self.marks[index] if index >= 0 else None

    @functools.cached_property
    def sentences(self) -> list[tuple[int, int]]:
        """Token ranges of the sentences, without their full stop."""
        ranges, first = [], 0
        for index in range(len(self.tokens)):
            if is_sentence_end(self.norm, self.tokens, index):
                stop = index if self.tokens[index].text in {".", "?", "!"} else index + 1
                ranges.append((first, stop))
                first = index + 1
        ranges.append((first, len(self.tokens)))
        return [(a, b) for a, b in ranges if b > a]

    def units(self, first: int, last: int) -> list[tuple[int, int]]:
        """Parts of a sentence between semicolons that stand outside brackets."""
        ranges, depth, start = [], 0, first
        for index in range(first, last):
            word = self.tokens[index].text
            depth += (word in "([") - (word in ")]") if len(word) == 1 else 0
            if word == ";" and depth <= 0:
                ranges.append((start, index))
                start = index + 1
        ranges.append((start, last))
        return [(a, b) for a, b in ranges if b > a]


_WITHOUT, _WITH = frozenset({"without", "before", "pre"}), frozenset({"with", "after", "post", "following"})
_AGENT = ("contrast", "gadolin", "gd", "gad", "enhanc", "intravenous", "iv")


def _with_contrast_pairs(tokens: list[Token], entities: list[Entity]) -> list[Entity]:
    """Gives each word of "without (A) and with (B) contrast" and of "pre- and post-contrast" its own meaning."""
    words_of = [t.text for t in tokens]
    added: dict[int, Meaning] = {}
    for k, word in enumerate(words_of):
        if word not in _WITHOUT | _WITH:
            continue
        following = [j for j in range(k + 1, min(k + 8, len(tokens))) if tokens[j].label < 0]
        if len(following) < 3 or words_of[following[0]] not in {"and", "/", ",", "or"}:
            continue
        second = following[1] if words_of[following[1]] != "and" else following[2]
        first_is_pre = word in _WITHOUT
        partner = words_of[second]
        if partner not in (_WITH if first_is_pre else _WITHOUT) and not partner.startswith(
                ("postcontrast", "postgad") if first_is_pre else ("precontrast",)):
            continue
        agent = list(words_of[second:second + 5])
        if not any(w.startswith(_AGENT) or "contrast" in w for w in agent):
            continue
        added[k] = Meaning("contrast", "pre" if first_is_pre else "post")
        if partner in _WITH | _WITHOUT:
            added.setdefault(second, Meaning("contrast", "post" if first_is_pre else "pre"))
    if not added:
        return entities
    kept = [e for e in entities if not any(e.first <= k < e.last for k in added)]
    return sorted(kept + [Entity(k, k + 1, (m,)) for k, m in added.items()], key=lambda e: e.first)


_WINDOWS = {"bone": "bone", "brain": "brain", "parenchymal": "brain", "tissue": "soft_tissue"}


def _with_window_pairs(tokens: list[Token], entities: list[Entity]) -> list[Entity]:
    """Gives "brain" in "brain (A) and bone (B) windows" the meaning of a window."""
    added: dict[int, Meaning] = {}
    for k, token in enumerate(tokens):
        if token.text not in _WINDOWS or any(e.first <= k < e.last and e.has("window") for e in entities):
            continue
        ahead = [t.text for t in tokens[k + 1:k + 9] if t.label < 0]
        stop = next((j for j, w in enumerate(ahead) if w.startswith(("window", "algorithm", "kernel"))), -1)
        if stop >= 0 and (not stop or not {"and", ",", "/"}.isdisjoint(ahead[:stop])) and all(w in {"and", ",", "/", "soft", *_WINDOWS} for w in ahead[:stop]):
            added[k] = Meaning("window", _WINDOWS[token.text])
    kept = [e for e in entities if not any(e.first <= k < e.last for k in added)] if added else entities
    return sorted(kept + [Entity(k, k + 1, (m,)) for k, m in added.items()], key=lambda e: e.first)


def read(text: str, heading_end: int, book: PhraseBook) -> Reading:
    """Finds labels, tokens and entities in one figure's text; the heading's characters are left out."""
    norm = normalise(text)
    skipped = [(0, heading_end)] if heading_end else []
    skipped += abbreviation_ranges(text, norm)
    body = " " * heading_end + norm[heading_end:]
    marks = [m for m in find_labels(text, body, _starters()) if all(m.end <= s or m.start >= e for s, e in skipped)]
    tokens = tokenise(body, skipped, [(m.start, m.end) for m in marks])
    entities = _with_window_pairs(tokens, _with_contrast_pairs(tokens, book.find(tokens)))
    at = [-1] * len(tokens)
    for index, entity in enumerate(entities):
        at[entity.first:entity.last] = [index] * (entity.last - entity.first)
    return Reading(text, norm, tokens, entities, marks, at)
