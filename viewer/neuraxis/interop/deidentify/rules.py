"""The allow-list of a de-identified export as data: what each attribute becomes; what is not listed does not leave."""

from __future__ import annotations

import csv
import enum
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from neuraxis.errors import NeuraxisError

FREE_TEXT = frozenset({"LO", "SH", "PN", "LT", "ST", "UT", "UC", "AE", "UR", "UN"})
"""Value representations in which anything may be written; none of them leaves as it came."""


class Action(enum.StrEnum):
    """What becomes of one attribute."""

    KEEP = "keep"
    """As it is: numbers, tables, coded strings of the closed kind (CS)."""
    UID = "uid"
    """Replaced, the same everywhere in the export."""
    CLASS = "class"
    """A UID that DICOM itself defines; any other is dropped."""
    EMPTY = "empty"
    FIXED = "fixed"
    """Replaced by the text of the rule, also where the file is silent."""
    STAND_IN = "stand-in"
    """Replaced by the text of the rule where the file says something."""
    NUMBERED = "numbered"
    """Replaced by a word and a number, the same for the same text throughout the export."""
    MATCH = "match"
    """Kept where all of it has the form of the rule, else emptied."""
    VENDOR = "vendor"
    """Kept where it names a known maker, else replaced."""
    PSEUDONYM = "pseudonym"
    RETAINED = "retained"
    """Emptied, unless the user retains it by name."""
    DATE = "date"
    TIME = "time"
    DATETIME = "datetime"
    CODE = "code"
    """Coded items: published codes with the meaning that the dictionary gives them."""
    ITEMS = "items"
    """A sequence: the same rules in each item."""
    NONE = "none"
    """A sequence that stays, with no items."""
    CONTENT = "content"
    """The content tree of a structured report."""
    PIXELS = "pixels"


@dataclass(frozen=True)
class Rule:
    """What becomes of one attribute; `text` is the replacement, word or form of actions that need one."""

    keyword: str
    action: Action
    text: str = ""

    def matches(self, value: str) -> bool:
        """Whether the whole value has the form of a `match` rule."""
        return re.fullmatch(self.text, value) is not None


@cache
def rules() -> dict[str, Rule]:
    """The allow-list by keyword.

    Raises
    ------
    NeuraxisError
        When the shipped table names an attribute twice or one that DICOM lacks, or would let free text pass.
    """
    found: dict[str, Rule] = {}
    table = files("neuraxis.interop.deidentify").joinpath("attributes.csv").read_text(encoding="utf-8")
    for line, row in enumerate(csv.DictReader(table.splitlines()), start=2):
        rule = _rule(row["keyword"], row["action"], line)
        if rule.keyword in found:
            raise NeuraxisError(f"attributes.csv line {line}: {rule.keyword} is listed twice", expected="one rule")
        found[rule.keyword] = rule
    return found


def _rule(keyword: str, text: str, line: int) -> Rule:
    from pydicom.datadict import dictionary_VR, tag_for_keyword

    name, _, argument = text.partition(":")
    tag = tag_for_keyword(keyword)
    if tag is None or name not in set(Action):
        raise NeuraxisError(
            f"attributes.csv line {line}: {keyword!r}, {name!r}", expected="a DICOM keyword and one of " + ", ".join(Action)
        )
    if Action(name) is Action.KEEP and dictionary_VR(tag) in FREE_TEXT | {"UI", "DA", "TM", "DT", "AS", "SQ"}:
        raise NeuraxisError(
            f"attributes.csv line {line}: {keyword} ({dictionary_VR(tag)}) would leave as it came",
            expected="an action that replaces, maps or checks it",
        )
    return Rule(keyword, Action(name), argument)
