"""The words the legend parser knows: lexicon wordings and the grammar's own."""

from __future__ import annotations

import functools
import tomllib
from importlib import resources

from neuraxis.domain.lexicon import Lexicon, load_lexicon
from neuraxis.legends.phrases import Meaning, PhraseBook

SIGNAL = "signal"
"""Concept of the lexicon that holds the wordings of every sequence's signal."""


@functools.cache
def _grammar() -> dict[str, dict[str, str]]:
    text = resources.files("neuraxis.legends").joinpath("grammar.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def words(name: str, section: str = "words") -> frozenset[str]:
    """Single words of a list in the grammar."""
    return frozenset(_grammar()[section][name].split("|"))


def phrase_book(lexicon: Lexicon | None = None) -> PhraseBook:
    """The phrases of a lexicon (by default the built-in one) and of the grammar; the built-in one is made once."""
    return _builtin_book() if lexicon is None else _book(lexicon)


@functools.cache
def _builtin_book() -> PhraseBook:
    return _book(load_lexicon())


def _book(lexicon: Lexicon) -> PhraseBook:
    book = PhraseBook()
    for term in lexicon:
        for wording in term.wordings:
            book.add(wording, Meaning("finding", term.concept, term.value))
        for wording in term.modifiers:
            book.add(wording, Meaning("modifier", term.concept, term.value))
    for section, entries in _grammar().items():
        if section in {"plurals", "labels", "plain"}:
            continue
        for key, wordings in entries.items():
            meaning = Meaning(key, "") if section == "words" else Meaning(section, key)
            if key.startswith("side_"):
                meaning = Meaning("side", key[5:])
            for wording in wordings.split("|"):
                book.add(wording, meaning)
    return book
