"""Coded items that may leave: codes that a dictionary knows, each with the meaning the dictionary gives it."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from neuraxis.domain.lexicon.model import PRIVATE_SCHEME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom.dataset import Dataset

    from neuraxis.domain.lexicon import Code

_WITHOUT_DICTIONARY = {
    ("RFC5646", "en-US"): "English (United States)", ("UCUM", "{-1:1}"): "{-1:1}", ("UCUM", "{pixels}"): "Pixels",
    ("UCUM", "{1}"): "no units",
}
"""What the templates of PS3.16 write themselves and pydicom's tables lack."""
_METRIC_KEY = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_SCHEMES = ("DCM", "SCT", "UCUM", "LN", "NCIt", "RADLEX", "IBSI", "UMLS", "FMA", "MDC", "NEU")


def clean_code(item: Dataset) -> Dataset | None:
    """The item with a meaning that nobody typed; None where no dictionary knows the code.

    An unknown value may be a patient's number that looks like a code, so it does not leave. Dictionaries are PS3.16 as
    pydicom holds it, the lexicon, and the codes that our own objects write. Modifiers of the item do not leave.
    """
    from pydicom.dataset import Dataset

    value = str(item.get("CodeValue") or item.get("LongCodeValue") or "")
    scheme = str(item.get("CodingSchemeDesignator") or "")
    meaning = _meanings().get((scheme, value)) or _metric_name(scheme, value)
    if meaning is None:
        return None
    cleaned = Dataset()
    if len(value) <= 16:
        cleaned.CodeValue = value
    else:
        cleaned.LongCodeValue = value
    cleaned.CodingSchemeDesignator = scheme
    cleaned.CodeMeaning = meaning[:64]
    return cleaned


def _metric_name(scheme: str, value: str) -> str | None:
    """Our reports name each number of evidence by the metric's key, which the program writes and nobody types."""
    if scheme == PRIVATE_SCHEME and len(value) <= 32 and _METRIC_KEY.fullmatch(value):
        return value.replace("_", " ")
    return None


@cache
def _meanings() -> dict[tuple[str, str], str]:
    """Meaning by (scheme, value)."""
    from pydicom.sr.codedict import codes

    from neuraxis.interop.concepts import SUPERSEDED_CODES

    known = {
        (scheme, code.value): code.meaning
        for scheme in _SCHEMES for code in getattr(codes, scheme).concepts.values()
    }
    known.update({(code.scheme, code.value): code.meaning for code in _own_codes()})
    known.update(_WITHOUT_DICTIONARY)
    known.update({old: known[new] for old, new in SUPERSEDED_CODES.items() if new in known})
    return known


def _own_codes() -> Iterator[Code]:
    from neuraxis.domain.lexicon import Code, load_lexicon
    from neuraxis.interop import concepts

    for term in load_lexicon():
        yield from term.codes
    for found in vars(concepts).values():
        yield from [found] if isinstance(found, Code) else []
        yield from [c for c in found.values() if isinstance(c, Code)] if isinstance(found, dict) else []
