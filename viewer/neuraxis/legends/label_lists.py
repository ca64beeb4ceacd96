"""Lists of panel labels: "A-C", "a, b and d", "top left", to canonical labels."""

from __future__ import annotations

import re

POSITIONS = {
    "left": "left", "right": "right", "top": "top", "bottom": "bottom", "upper": "top", "lower": "bottom",
    "middle": "middle", "center": "middle", "centre": "middle", "central": "middle", "inset": "inset",
    "above": "top", "below": "bottom", "first": "first", "second": "second",
}
ORDER = ("top", "bottom", "middle", "left", "right", "inset")
_ITEM = (
    r"(?:(?:fig(?:ure|s)?\.?\s*\d*\s*)|panels?\s+|images?\s+|parts?\s+)?"
    r"(?:(?!t[12]\b)[a-z]['´]?\d{0,2}|\d{1,2}[a-z]|[ivx]{2,4}|\d{1,2}|(?:(?:upper|lower|top|bottom|middle|left|right|cent(?:er|re|ral)|inset)"
    r"(?:[\s-]+(?:upper|lower|top|bottom|middle|left|right|cent(?:er|re|ral)))?(?:\s+(?:panels?|images?|rows?|columns?|sides?|pictures?))?))"
)
_JOIN = r"\s*(?:,\s*and\s+|,|;|&|/|\band\b|\bor\b|\+)\s*"
_RANGE = r"(?:\s*(?:-|\bto\b|\bthrough\b)\s*" + _ITEM + ")"
_LIST = re.compile(rf"(?:{_ITEM}{_RANGE}?)(?:{_JOIN}{_ITEM}{_RANGE}?)*\Z")
_SPLIT = re.compile(_JOIN)
_STAIN = re.compile(r"h\s*(?:&|and)\s*e\b")


def read_labels(expression: str) -> tuple[str, ...]:
    """Canonical labels of a list such as "A-C", "a, b and d", "top left"; () where it is none."""
    expression = re.sub(r"^both\s+", "", expression.strip())
    if _STAIN.match(expression) or not _LIST.match(expression):
        return ()
    labels: list[str] = []
    for item in _SPLIT.split(expression):
        ends = re.split(r"\s*(?:-|\bto\b|\bthrough\b)\s*", _bare_item(item))
        first = _canonical(ends[0]) if len(ends) == 1 or _canonical(ends[0]) not in POSITIONS.values() else _canonical(" ".join(ends))
        labels.extend(_between(first, _canonical(ends[-1])) if len(ends) == 2 and first not in ORDER and "-" not in first
                      else [first])
    return tuple(dict.fromkeys(labels))


def _bare_item(item: str) -> str:
    return re.sub(r"^(?:fig(?:ure|s)?\.?\s*\d*\s*|panels?\s+|images?\s+|parts?\s+)", "", item.strip())


def _canonical(item: str) -> str:
    item = re.sub(r"\s+(?:panels?|images?|rows?|columns?|sides?|pictures?)$", "", item.strip()).replace("'", "").replace("´", "")
    words = [POSITIONS.get(w, w) for w in re.split(r"[\s-]+", item)]
    if len(words) == 2 and all(w in ORDER for w in words):
        words.sort(key=ORDER.index)
    return "-".join(words)


def _between(first: str, last: str) -> list[str]:
    if len(first) == len(last) == 1 and first < last:
        return [chr(c) for c in range(ord(first), ord(last) + 1)]
    if first[:1] == last[:1] and first[1:].isdigit() and last[1:].isdigit():
        return [f"{first[0]}{k}" for k in range(int(first[1:]), int(last[1:]) + 1)]
    if first.isdigit() and last.isdigit() and int(first) < int(last) <= int(first) + 20:
        return [str(k) for k in range(int(first), int(last) + 1)]
    return [first, last]
