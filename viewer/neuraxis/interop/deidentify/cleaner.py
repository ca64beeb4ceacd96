"""One data set rebuilt from what the allow-list lets through."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from neuraxis.interop.deidentify.codes import clean_code
from neuraxis.interop.deidentify.content import ContentTree
from neuraxis.interop.deidentify.rules import FREE_TEXT, Action, Rule, rules

if TYPE_CHECKING:
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

    from neuraxis.interop.deidentify.substitution import Substitution

RETAINABLE = {
    "PatientSex": ("M", "F", "O"), "PatientAge": r"\d{3}[DWMY]", "PatientSize": None, "PatientWeight": None,
    "SeriesDescription": None, "StudyDescription": None, "ProtocolName": None,
}
"""What a user may retain by name (PS3.15 options Retain Patient Characteristics and Clean Descriptors): allowed values,
their form, or None where the user answers for them."""
_VENDORS = (
    "SIEMENS", "SIEMENS HEALTHINEERS", "GE MEDICAL SYSTEMS", "GE HEALTHCARE", "PHILIPS", "PHILIPS MEDICAL SYSTEMS",
    "PHILIPS HEALTHCARE", "TOSHIBA", "TOSHIBA_MEC", "CANON", "CANON_MEC", "CANON MEDICAL SYSTEMS", "HITACHI",
    "HITACHI MEDICAL CORPORATION", "FUJIFILM", "UIH", "SHIMADZU", "NEUSOFT", "NEURAXIS",
)
_TELLING = ("AccessionNumber", "InstitutionName", "InstitutionAddress", "StationName", "DeviceSerialNumber")
SHORTEST_TELLING_TEXT = 6
"""Characters; shorter names occur by chance in other words."""
_CLASSES_TOO_NEW = ("1.2.840.10008.5.1.4.1.1.66.7",)
"""Label Map Segmentation Storage (2024): pydicom's dictionary lacks it."""
_CODED_STRING = re.compile(r"[A-Z0-9_ ]{0,16}")


@dataclass
class Findings:
    """What was left out, for the exporter's review; holds no values."""

    removed: Counter[str] = field(default_factory=Counter)
    """Attributes that did not leave, by keyword (private ones as "private"), with how often."""
    free_text: Counter[str] = field(default_factory=Counter)
    """Of them those in which somebody may have written something."""
    unknown_codes: int = 0
    """Coded items dropped because no dictionary knows the code."""
    identities: set[str] = field(default_factory=set, repr=False)
    """Names and numbers of persons and places met: kept in memory for the last check, never reported."""

    def drop(self, element: DataElement) -> None:
        """Note one attribute that does not leave."""
        name = "private" if element.tag.is_private else element.keyword or str(element.tag)
        self.removed[name] += 1
        self.note_text(element, name)

    def note_text(self, element: DataElement, name: str) -> None:
        """Remember the texts of an attribute that were replaced or dropped."""
        if element.VR == "SQ":
            for item in element.value:
                for nested in item:
                    self.note_text(nested, name)
        elif element.VR in FREE_TEXT and element.value not in (None, "", b""):
            self.free_text[name] += 1
            if element.VR == "PN" or element.tag.group == 0x0010 or element.keyword in _TELLING:
                for value in _values(element.value):
                    self.remember(str(value))

    def remember(self, text: str) -> None:
        """Take a name or number, and each part of a name, into what the last check looks for."""
        parts = (text, *re.split(r"[\^=]", text))
        self.identities.update(p.strip() for p in parts if len(p.strip()) >= SHORTEST_TELLING_TEXT)


@dataclass
class Cleaner:
    """Applies the allow-list to data sets of one export.

    Parameters
    ----------
    substitution : what stands in for identifiers
    retained : keywords of `RETAINABLE` that leave as they are
    findings : filled while cleaning
    """

    substitution: Substitution
    retained: frozenset[str] = frozenset()
    findings: Findings = field(default_factory=Findings)

    def clean(self, dataset: Dataset) -> Dataset:
        """A new data set (nested ones too) of what may leave; the given one is not changed."""
        from pydicom.dataset import Dataset

        cleaned = Dataset()
        table = rules()
        for element in dataset:
            rule = None if element.tag.is_private else table.get(element.keyword)
            if rule is None or not _has_its_own_vr(element):
                self.findings.drop(element)
                continue
            self._apply(rule, element, cleaned)
        return cleaned

    def _apply(self, rule: Rule, element: DataElement, cleaned: Dataset) -> None:
        from pydicom.dataelem import DataElement

        if rule.action in (Action.CODE, Action.ITEMS, Action.CONTENT, Action.NONE):
            if element.VR != "SQ":
                self.findings.drop(element)
                return
            items = self._items(rule, element.value)
            if items or not len(element.value) or rule.action is Action.NONE:
                cleaned.add(DataElement(element.tag, "SQ", items))
            return
        value = self._value(rule, element)
        if value is None:
            self.findings.drop(element)
            return
        if value != element.value:
            self.findings.note_text(element, element.keyword)
        cleaned.add(DataElement(element.tag, element.VR, value))

    def _items(self, rule: Rule, items: Iterable[Dataset]) -> list[Dataset]:
        if rule.action is Action.NONE:
            return []
        if rule.action is Action.CODE:
            found = [clean_code(item) for item in items]
            self.findings.unknown_codes += found.count(None)
            return [item for item in found if item is not None]
        if rule.action is Action.CONTENT:
            return ContentTree(self).children(items)
        return [self.clean(item) for item in items]

    def _value(self, rule: Rule, element: DataElement) -> Any:
        """What the attribute becomes; None where it does not leave."""
        handlers: dict[Action, Callable[[Rule, DataElement], Any]] = {
            Action.KEEP: lambda _, e: _plain(e), Action.PIXELS: lambda _, e: e.value,
            Action.UID: lambda _, e: _each(e.value, self.substitution.uid),
            Action.CLASS: lambda _, e: e.value if _standard_uid(e.value) else None,
            Action.EMPTY: lambda *_: "", Action.FIXED: lambda r, _: r.text,
            Action.STAND_IN: lambda r, e: r.text if e.value not in (None, "") else "",
            Action.NUMBERED: lambda r, e: self.substitution.numbered(r.text, str(e.value)),
            Action.MATCH: lambda r, e: e.value if all(r.matches(str(v)) for v in _values(e.value)) else "",
            Action.VENDOR: lambda _, e: e.value if str(e.value).strip().upper() in _VENDORS else "REMOVED",
            Action.PSEUDONYM: lambda *_: self.substitution.pseudonym,
            Action.RETAINED: lambda _, e: self._retained(e),
            Action.DATE: lambda r, e: self.substitution.date(str(e.value)) or r.text,
            Action.TIME: lambda r, e: (_time(str(e.value)) if self.substitution.keep_intervals else "") or r.text,
            Action.DATETIME: lambda _, e: self.substitution.date_time(str(e.value)) or None,
        }
        return handlers[rule.action](rule, element)

    def _retained(self, element: DataElement) -> Any:
        if element.keyword not in self.retained:
            return "" if element.keyword == "PatientSex" else None  # Type 2 there, Type 3 elsewhere
        allowed = RETAINABLE[element.keyword]
        text = str(element.value or "")
        if isinstance(allowed, tuple):
            return text if text in allowed else ""
        if isinstance(allowed, str):
            return text if re.fullmatch(allowed, text) else None
        return element.value


def _has_its_own_vr(element: DataElement) -> bool:
    """Whether the file gives the attribute the value representation of the dictionary: a text sent as Rows is a text."""
    from pydicom.datadict import dictionary_VR

    return element.VR in dictionary_VR(element.tag).split(" or ")


def _plain(element: DataElement) -> Any:
    """The value where it is what its value representation promises; a name written into a number does not leave."""
    values = [v for v in _values(element.value) if v not in (None, "")]
    if element.VR == "CS" and not all(_CODED_STRING.fullmatch(str(v)) for v in values):
        return None
    if element.VR in ("DS", "IS"):
        try:
            [float(v) for v in values]
        except (TypeError, ValueError):
            return None
    return element.value


def _values(value: Any) -> list[Any]:
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        return [value]
    return list(value)


def _each(value: Any, change: Callable[[str], str]) -> Any:
    if value in (None, ""):
        return ""
    changed = [change(str(v)) for v in _values(value)]
    return changed[0] if len(changed) == 1 else changed


def _standard_uid(value: Any) -> bool:
    from pydicom.uid import UID

    return isinstance(value, str) and (value in _CLASSES_TOO_NEW or UID(value).name != value)


def _time(value: str) -> str:
    return value[:6] if value[:6].isdigit() and len(value[:6]) == 6 else ""
