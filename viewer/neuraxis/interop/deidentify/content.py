"""The content tree of a structured report: numbers, places, codes and references leave, sentences do not."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from neuraxis.interop.concepts import ASSERTED_BY
from neuraxis.interop.deidentify.codes import clean_code

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from neuraxis.interop.deidentify.cleaner import Cleaner

_AS_THEY_ARE = ("CONTAINER", "CODE", "NUM", "IMAGE", "COMPOSITE", "SCOORD", "SCOORD3D", "UIDREF")
_TRACKING_IDENTIFIER = ("DCM", "112039")
_NAMED = {
    ("DCM", "121008"): "Anonymous", ("DCM", "121013"): "Neuraxis",
    (ASSERTED_BY.scheme, ASSERTED_BY.value): "Anonymous",
}
"""Person Observer Name and Device Observer Name, which templates demand, and that a reader asserted a tag."""


class ContentTree:
    """Cleans content items for one `Cleaner`."""

    def __init__(self, cleaner: Cleaner) -> None:
        self._cleaner = cleaner

    def children(self, items: Iterable[Dataset]) -> list[Dataset]:
        """The items that may leave, cleaned; the others are counted in the findings."""
        cleaned = (self._item(item) for item in items)
        return [item for item in cleaned if item is not None]

    def _item(self, item: Dataset) -> Dataset | None:
        findings = self._cleaner.findings
        name = _code(item, "ConceptNameCodeSequence")
        kind = str(item.get("ValueType", ""))
        named = item.get("ConceptNameCodeSequence")
        if named and clean_code(named[0]) is None:
            findings.unknown_codes += 1
            self._drop(item, "content item with an unknown concept")
            return None
        if kind in ("TEXT", "PNAME"):
            return self._text(item, name, kind)
        if kind not in _AS_THEY_ARE:
            self._drop(item, f"content item {kind or 'without value type'}"[:40])
            return None
        if kind == "CODE" and _code(item, "ConceptCodeSequence") is not None and not self._known_value(item):
            findings.unknown_codes += 1
            self._drop(item, "content item with an unknown code")
            return None
        return self._cleaner.clean(item)

    def _text(self, item: Dataset, name: tuple[str, str] | None, kind: str) -> Dataset | None:
        from pydicom.dataset import Dataset

        findings, substitution = self._cleaner.findings, self._cleaner.substitution
        original = str(item.get("TextValue" if kind == "TEXT" else "PersonName", ""))
        if original:
            findings.free_text[f"content item {kind}"] += 1
            findings.remember(original if kind == "PNAME" else "")
        if name == _TRACKING_IDENTIFIER:
            text = substitution.numbered("Lesion", original)
        elif name in _NAMED:
            text = _NAMED[name]
        elif original in _known_texts():
            text = original
        else:
            findings.removed[f"content item {kind}"] += 1
            return None
        bare = Dataset()
        for element in item:
            if element.keyword not in ("TextValue", "PersonName"):
                bare.add(element)
        cleaned = self._cleaner.clean(bare)
        setattr(cleaned, "TextValue" if kind == "TEXT" else "PersonName", text)
        return cleaned

    def _drop(self, item: Dataset, what: str) -> None:
        self._cleaner.findings.removed[what] += 1
        for element in item:
            self._cleaner.findings.note_text(element, what)

    @staticmethod
    def _known_value(item: Dataset) -> bool:
        return clean_code(item.ConceptCodeSequence[0]) is not None


def _code(item: Dataset, keyword: str) -> tuple[str, str] | None:
    sequence: Any = item.get(keyword)
    if not sequence:
        return None
    return str(sequence[0].get("CodingSchemeDesignator", "")), str(sequence[0].get("CodeValue", ""))


@cache
def _known_texts() -> frozenset[str]:
    """Names of our evidence metrics and units: closed lists that our own reports write as texts."""
    from neuraxis.evidence import metrics
    from neuraxis.interop.concepts import UNIT_TEXTS

    return frozenset(m.describe().key for m in metrics()) | UNIT_TEXTS
