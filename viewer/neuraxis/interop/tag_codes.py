"""Codes of tags: from the lexicon's concept and value keys to DICOM codes, and back."""

from __future__ import annotations

import re

from neuraxis.domain.lexicon import Code, UnknownTermError, load_lexicon
from neuraxis.domain.lexicon.model import PRIVATE_SCHEME
from neuraxis.interop.concepts import private


def term_code(concept: str, value: str = "") -> Code:
    """Code of a concept, or of one of its values; a term the lexicon lacks gets a private code made from its key."""
    lexicon = load_lexicon()
    if (concept, value) in lexicon:
        return lexicon.term(concept, value).code
    key = value or concept
    return private(key.upper().replace("_", "-"), key.replace("_", " "))


def concept_key(code: Code) -> str | None:
    """Key of a concept's code; None where neither the lexicon nor our private scheme has it."""
    return _key(code, None)


def value_key(concept: str, code: Code) -> str | None:
    """Key of a value's code under a concept; None where neither the lexicon nor our private scheme has it."""
    return _key(code, concept)


def _key(code: Code, concept: str | None) -> str | None:
    try:
        terms = load_lexicon().find(code.scheme, code.value)
    except UnknownTermError:
        terms = ()
    if concept is None:
        fit = [(t.code == code, t.concept) for t in terms if not t.value]
    else:
        fit = [(t.code == code, t.value) for t in terms if t.value and t.concept == concept]
    if fit:  # the code that we write ourselves first, then the equivalent ones
        return max(fit, key=lambda hit: hit[0])[1]
    if code.scheme == PRIVATE_SCHEME:
        return re.sub(r"[^a-z0-9]+", "_", code.value.lower()).strip("_")
    return None
