"""Values of the lexicon: codes, terms and the lookup over them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field

from neuraxis.errors import NeuraxisError

PRIVATE_SCHEME = "99NEURAXIS"
"""Coding Scheme Designator of the codes no published scheme has."""


class UnknownTermError(NeuraxisError, KeyError):
    """A concept, value or code the lexicon does not hold; the message names the nearest known ones."""

    def __str__(self) -> str:
        return NeuraxisError.__str__(self)


@dataclass(frozen=True)
class Code:
    """A coded entry (Code Sequence item): Coding Scheme Designator, Code Value, Code Meaning and where it was read.

    Two codes are the same when scheme and value are; the English meaning takes no part in the comparison.
    """

    scheme: str
    value: str
    meaning: str = field(compare=False)
    source: str = field(compare=False, default="")

    @property
    def is_private(self) -> bool:
        """True where the scheme designator starts with 99 (PS3.16 section 8.2)."""
        return self.scheme.startswith("99")


@dataclass(frozen=True)
class Term:
    """A concept (`value` empty) or one value of it.

    Parameters
    ----------
    concept, value : keys as in the JSON of `tag` and `legend` ("bone_change", "erosion")
    meaning : label in plain English
    codes : the first one is written to DICOM; the others are equivalent or nearest published codes
    wordings : phrases in a legend that state the term by themselves; see `neuraxis.legends.phrases` for the syntax
    modifiers : phrases that turn a wording of the concept's `present` value into this value ("rim" with "enhancement")
    evidence : keys of the metrics that may speak to the term
    """

    concept: str
    value: str
    meaning: str
    codes: tuple[Code, ...]
    wordings: tuple[str, ...] = ()
    modifiers: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()

    @property
    def code(self) -> Code:
        """The code written to DICOM."""
        return self.codes[0]


@dataclass(frozen=True)
class Lexicon:
    """All terms, in the order of the tables, found by (concept, value) or by code."""

    terms: tuple[Term, ...]
    _by_key: dict[tuple[str, str], Term] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_key", {(t.concept, t.value): t for t in self.terms})

    def __iter__(self) -> Iterator[Term]:
        return iter(self.terms)

    def __contains__(self, key: object) -> bool:
        return key in self._by_key

    @property
    def concepts(self) -> tuple[str, ...]:
        """Keys of all concepts."""
        return tuple(t.concept for t in self.terms if not t.value)

    def values(self, concept: str) -> tuple[str, ...]:
        """Keys of the values a concept can take. Raises UnknownTermError for an unknown concept."""
        self.term(concept)
        return tuple(t.value for t in self.terms if t.concept == concept and t.value)

    def term(self, concept: str, value: str = "") -> Term:
        """The term of a concept, or of one of its values.

        Raises UnknownTermError, which names the known terms that come nearest.
        """
        found = self._by_key.get((concept, value))
        if found is not None:
            return found
        if (concept, "") not in self._by_key:
            raise _unknown("concept", concept, self.concepts)
        raise _unknown(f"value of {concept}", value, tuple(v for c, v in self._by_key if c == concept and v))

    def codes(self, concept: str, value: str = "") -> tuple[Code, ...]:
        """Codes of a concept or of one of its values; the first one is written to DICOM."""
        return self.term(concept, value).codes

    def evidence_for(self, concept: str, value: str = "") -> tuple[str, ...]:
        """Keys of the metrics that may speak to the term."""
        return self.term(concept, value).evidence

    def find(self, scheme: str, code_value: str) -> tuple[Term, ...]:
        """Terms that carry a code, matched by scheme and value, never by meaning.

        Raises UnknownTermError where none does.
        """
        wanted = Code(scheme, code_value, "")
        found = tuple(t for t in self.terms if wanted in t.codes)
        if not found:
            known = tuple(f"{c.scheme}:{c.value}" for t in self.terms for c in t.codes)
            raise _unknown("code", f"{scheme}:{code_value}", known)
        return found


def _unknown(kind: str, key: str, known: tuple[str, ...]) -> UnknownTermError:
    near = difflib.get_close_matches(key, known, n=3, cutoff=0.5)
    listed = ", ".join(known) if len(known) <= 40 else f"{len(known)} terms, see load_lexicon()"
    return UnknownTermError(
        f"the lexicon has no {kind} {key!r}",
        expected=f"one of {listed}",
        remedy=f"did you mean {', '.join(near)}?" if near else "add the term in a lexicon file of your own",
    )
