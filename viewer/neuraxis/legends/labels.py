"""Panel labels in a legend: "(a)", "A:", "B-D", "Left panel:", "(top right)", "in A", "Fig. 1A"."""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass, replace

from neuraxis.legends.label_grids import name_grid, name_nested
from neuraxis.legends.label_lists import ORDER, POSITIONS, read_labels

_MARK_WORDS = re.compile(
    r"\b(?:(?:white|black|red|yellow|blue|green|orange|long|short|thick|thin|open|solid|small|large|curved|dashed|dotted|"
    r"hollow|double|single|in|and|the|of|see|at|with|by|shown|indicated|marked)\s+)*(?:arrow\s?heads?|arrows?|asterisks?|stars?|circles?|box(?:es)?|"
    r"lines?|\*)"
)
_PAREN = re.compile(r"[(\[]\s*([^()\[\]]{1,60}?)\s*[)\]]")
_NESTED = re.compile(r"\((?:see\s+)?figs?(?:ures?)?\.?\s*s?\d+\s*\([a-z]\)(?:[\s,;&-]*(?:and|to)?\s*(?:figs?(?:ures?)?\.?\s*)?(?:s?\d+)?\s*\([a-z]\))*\s*\)")
_RESPECTIVELY = re.compile(r"^respectively,?\s+|,?\s+respectively$")
_START = r"(?:(?<=^)|(?<=[.;:,!?\n(]\s)|(?<=[.;:,\n(])|(?<=\band\s)|(?<=[.;:,]\s\s))"
_LETTERS = r"(?!t[12]\b)[a-z]\d?(?:\s*(?:-|,|&|/|\band\b|\bto\b|,\s*and\b)\s*(?!t[12]\b)[a-z]\d?\b)*"
_BARE = re.compile(rf"{_START}\s*(?P<list>{_LETTERS})(?P<end>\s*\)|\s*:|\.|,|;|(?=\s))(?=\s|$)")
_NAMED = re.compile(
    rf"\b(?:(?:panels?|images?|part)\s+|fig(?:ure|s)?\.?\s*\d+(?:\s?\(|-)?)(?P<list>{_LETTERS})\)?(?P<end>\s*[:,.;]|(?=[\s,.;)]|$))"
)
_REFERENCE = re.compile(r"\b(?:in|on|see)\s+(?:panels?\s+|images?\s+|fig(?:ure|s)?\.?\s*\d*\s*)?(?P<list>[a-z](?:(?:\s*(?:,|-|&|\band\b)\s*)[a-z]\b)*)(?=[\s,.;:)]|$)")
_POSITIONAL = re.compile(
    rf"{_START}\s*(?:the\s+|in the\s+|on the\s+)?(?P<list>(?:(?:upper|lower|top|bottom|middle|left|right|cent(?:er|re|ral)|far left|far right)[\s-]*){{1,2}}"
    r"|inset)(?P<noun>\s*(?:panels?|images?|row|column|side|picture|figure))?(?P<end>\s*[:,;]|(?=\s))"
)
_NUMBERED = re.compile(rf"{_START}\s*(?:panel\s+)?(?P<list>\d{{1,2}})(?P<end>\)|:|\.(?=\s))")


_ROMANS = frozenset(["i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x"])


@dataclass(frozen=True)
class LabelMark:
    """A label as it stands in the text; `reference` where it points back to panels ("arrow in B")."""

    start: int
    end: int
    labels: tuple[str, ...]
    reference: bool = False
    weak: bool = False
    positional: bool = False
    row: bool = False
    parenthesised: bool = False
    inside: bool = False
    """True where the label stands in brackets together with its own words: "(A: sagittal T1; B: coronal T2)"."""


def find_labels(text: str, norm: str, is_descriptor: re.Pattern[str]) -> list[LabelMark]:
    """Panel labels of one figure's text in order, without overlap.

    Parameters
    ----------
    text, norm : the text and its normalised form, same length
    is_descriptor : matches at the words with which the description of a panel may begin
    """
    found = [*_with_words_in_brackets(norm, is_descriptor), *_parenthesised(norm, is_descriptor), *_named(norm), *_bare(text, norm, is_descriptor), *_positional(norm)]
    marks = _without_overlap(found)
    marks = _in_rows(norm, _without_heading_range(norm, _without_articles(text, _without_figure_number(marks))))
    accepted = _accepted(marks)
    references = [m for m in _references(text, norm) if set(m.labels) <= accepted]
    chosen = [m for m in marks if set(m.labels) <= accepted]
    return _without_overlap(sorted(chosen + references, key=lambda m: m.start)) if accepted else []


def _without_figure_number(marks: list[LabelMark]) -> list[LabelMark]:
    """(1A), (1B) name the panels a and b where all carry one number."""
    numbers = {x[:-1] for m in marks for x in m.labels if re.fullmatch(r"\d{1,2}[a-z]", x)}
    if len(numbers) != 1:
        return marks
    return [replace(m, labels=tuple(re.sub(r"^\d{1,2}(?=[a-z]$)", "", x) for x in m.labels)) for m in marks]


def _without_articles(text: str, marks: list[LabelMark]) -> list[LabelMark]:
    """Leaves out the article "A" where "(A)" is the label; a small "a" before a capital is no article."""
    strong = {x for m in marks if not m.weak for x in m.labels}
    return [m for m in marks if not (m.weak and m.labels == ("a",) and "a" in strong and m.end - m.start <= 1 and not (
        text[m.start].islower() and text[m.end:].lstrip()[:1].isupper()))]


def _without_heading_range(norm: str, marks: list[LabelMark]) -> list[LabelMark]:
    """Leaves out the range of "Figure 5A-C. Sagittal (A) ..." where each of its labels comes again."""
    first = marks[0] if marks else None
    if first is None or len(first.labels) < 2 or norm[:first.start].strip():
        return marks
    again = {x for m in marks[1:] if m.labels != first.labels for x in m.labels}
    every = {x for m in marks for x in m.labels}
    return marks[1:] if set(first.labels) <= again and (not first.parenthesised or every <= set(first.labels)) else marks


def _in_rows(norm: str, marks: list[LabelMark]) -> list[LabelMark]:
    """Pictures that are named by row and column: "Top: DWI (left) and ADC (right)" has top-left and top-right."""
    placed = [(m.start, m.labels, m.parenthesised) for m in marks if m.positional]
    names = name_grid(placed, norm) or name_nested(placed)
    return [replace(m, labels=names.get(m.start, m.labels)) for m in marks if names.get(m.start) != ()]


def _accepted(marks: list[LabelMark]) -> set[str]:
    romans = {x for m in marks if not m.weak for x in m.labels if x in _ROMANS}
    if {"i", "ii"} <= romans and "h" not in {x for m in marks for x in m.labels}:
        return romans
    letters = _run(marks, str.isalpha)
    if len(letters) >= 2:
        return letters
    digits = _run([m for m in marks if not m.reference], str.isdigit)
    if len(digits) >= 2:
        return digits
    numbered = {x for m in marks for x in m.labels if re.fullmatch(r"[a-z]\d{1,2}", x)}
    if len(numbered) >= 2:
        return numbered | letters
    positions = {x for m in marks if m.positional for x in m.labels}
    explicit = {x for m in marks if m.positional and (m.row or "inset" in m.labels) for x in m.labels}
    if len(positions) >= 2:
        return positions
    return explicit or (letters if any(not m.weak for m in marks if set(m.labels) <= letters) else set())


def _run(marks: list[LabelMark], kind: object) -> set[str]:
    """Labels that count up from the first one without a gap, as far as they go."""
    is_kind = str.isalpha if kind is str.isalpha else str.isdigit
    strong = {x for m in marks if not m.weak for x in m.labels if is_kind(x) and len(x) <= 2 and x not in POSITIONS}
    every = strong | {x for m in marks if m.weak for x in m.labels if is_kind(x) and len(x) <= 2 and x not in POSITIONS}
    letters = is_kind is str.isalpha
    first = "a" if letters else "1"
    if first not in every:
        if not strong or not letters or min(strong) > "d":
            return set()
        first = min(strong)
    run: list[str] = []
    current = first
    while current in every:
        run.append(current)
        current = chr(ord(current) + 1) if letters else str(int(current) + 1)
    rest = strong - set(run)
    if letters and run and rest and all(x < "n" and ord(x) - ord(run[-1]) <= 3 for x in sorted(rest)[:1]):
        run.extend(x for x in sorted(rest) if len(x) == 1 and x < "n")
    return set(run)


def _parenthesised(norm: str, is_descriptor: re.Pattern[str]) -> list[LabelMark]:
    found = []
    for match in _NESTED.finditer(norm):
        labels = read_labels(re.sub(r"[()]|fig(?:ure|s)?\.?\s*s?\d+", " ", match.group()[1:-1]).strip())
        if labels:
            found.append(_mark(match.start(), match.end(), labels, parenthesised=True))
    for match in _PAREN.finditer(norm):
        content = _RESPECTIVELY.sub("", match.group(1))
        labels = read_labels(content)
        if labels:
            found.append(_mark(match.start(), match.end(), labels, parenthesised=True))
            continue
        closing = _AT_END.search(norm, *match.span(1))
        if closing and is_descriptor.match(norm, match.start(1)) and (labels := read_labels(closing["list"])):
            found.append(_mark(closing.start(), closing.end(), labels, parenthesised=True))
            continue
        bare = _MARK_WORDS.sub(" ", content)
        if bare == content:
            continue
        rest = re.sub(r"^[\s,;:]+|[\s,;:]+$", "", re.sub(r"\b(?:in|on|of|panels?|images?)\b", " ", bare)).strip()
        labels = read_labels(rest) if rest else ()
        if not labels and rest:
            labels = read_labels(re.sub(r"\s*[,;:]\s*", ",", rest))
        if labels and (rest[0] in content[:2] or any(x in POSITIONS.values() or "-" in x for x in labels)
                       or re.search(r"\b(?:in|on|of)\s|,|;", content)):
            reference = not content.startswith(rest[:1]) or bool(re.search(r"\b(?:in|on)\b", content))
            found.append(replace(_mark(match.start(), match.end(), labels, parenthesised=True), reference=reference))
    return found


_AT_END = re.compile(r"\s*[,;:]\s*(?:panels?\s+)?(?P<list>[a-z](?:\s*(?:-|,|&|and)\s*[a-z])*)\Z")
_WORDS_FIRST = re.compile(r"[^:;]{3,60}(?P<end>\s*[:=]\s*(?P<list>[a-z](?:\s*(?:-|,|&|and)\s*[a-z])*))\s*\Z")
_BRACKETED = re.compile(r"\(([^()]{4,200})\)")
_SEPARATORS = (re.compile(r"[;,]\s*(?:and\s+)?(?=[a-z]\s*(?:[:=]|\s\w))|\s+and\s+(?=[a-z]\s*(?:[:=]|\s\w))"), re.compile(r";"))
_SEMICOLON = _SEPARATORS[-1]
_PART = re.compile(rf"\s*(?:and\s+)?(?:(?P<list>{_LETTERS})\s*(?P<end>[:,=])\s*|(?P<one>[a-z])\s+)")


def _with_words_in_brackets(norm: str, is_descriptor: re.Pattern[str]) -> list[LabelMark]:
    """The labels of "(A: sagittal T1; B: coronal T2)" and "(C, T1 post-contrast)"."""
    found: list[LabelMark] = []
    for match in _BRACKETED.finditer(norm):
        readings = [[_inside(norm, *piece, is_descriptor) for piece in _pieces(norm, *match.span(1), s)] for s in _SEPARATORS]
        readings.append([_after_words(norm, *piece, is_descriptor) for piece in _pieces(norm, *match.span(1), _SEMICOLON)])
        marks = max((r for r in readings if all(r)), key=len, default=[])
        found.extend(m for m in marks if m)
    return found


def _pieces(norm: str, start: int, end: int, separator: re.Pattern[str]) -> list[tuple[int, int]]:
    """Character ranges between the separators."""
    cuts = list(separator.finditer(norm, start, end))
    return list(zip([start, *(c.end() for c in cuts)], [*(c.start() for c in cuts), end], strict=True))


def _inside(norm: str, start: int, end: int, is_descriptor: re.Pattern[str]) -> LabelMark | None:
    """The label at the start of a piece that goes on with a description."""
    label = _PART.match(norm, start, end)
    labels = read_labels(label["list"] or label["one"]) if label else ()
    if label is None or not labels or label.end() >= end:
        return None
    if label["end"] != ":" and not is_descriptor.match(norm, label.end()):
        return None
    return LabelMark(label.start("list" if label["list"] else "one"), label.end(), labels, inside=True)


def _after_words(norm: str, start: int, end: int, is_descriptor: re.Pattern[str]) -> LabelMark | None:
    """The label at the end of a piece such as "axial T2: A"."""
    piece = _WORDS_FIRST.match(norm[start:end].lstrip())
    offset = start + len(norm[start:end]) - len(norm[start:end].lstrip())
    if piece is None or not is_descriptor.match(norm, offset) or not (labels := read_labels(piece["list"])):
        return None
    return LabelMark(offset + piece.start("end"), offset + piece.end("list"), labels, parenthesised=True)


def _mark(
    start: int, end: int, labels: tuple[str, ...], *, weak: bool = False, row: bool = False, parenthesised: bool = False
) -> LabelMark:
    positional = all(part in ORDER for x in labels for part in x.split("-"))
    return LabelMark(start, end, labels, weak=weak, positional=positional, row=row, parenthesised=parenthesised)


def _named(norm: str) -> list[LabelMark]:
    return [_mark(m.start(), m.end(), labels) for m in _NAMED.finditer(norm) if (labels := read_labels(m["list"]))]


def _bare(text: str, norm: str, is_descriptor: re.Pattern[str]) -> list[LabelMark]:
    found = []
    for match in _BARE.finditer(norm):
        labels = read_labels(match["list"])
        end = match["end"].strip()
        if not labels or not _same_case(text[match.start("list"):match.end("list")]):
            continue
        before = norm[:match.start("list")].rstrip()
        begins = not before or before[-1] in ".;:\n!?"
        follows = is_descriptor.match(norm, match.end()) is not None
        if end in {")", ":"}:
            weak = False
        elif (end == "." and not (begins or len(labels) > 1)) or end == ";":
            continue
        elif ((end in {",", "."} or len(labels) > 1) and (begins or follows)) or (end == "" and follows and (begins or before.endswith((",", "and")))) or (end == "" and begins and len(labels) == 1 and labels[0] not in {"a", "i"} and norm[match.end():].lstrip()[:1].isalpha()) or (end == "" and begins and text[match.end():].lstrip()[:1].isupper()) or (end == "" and begins and text[match.start("list")].islower() and text != norm and norm[match.end():].lstrip()[:1].isalnum()):
            weak = True
        else:
            continue
        found.append(_mark(match.start("list"), match.end(), labels, weak=weak))
    return found + [
        _mark(m.start("list"), m.end(), (m["list"],), weak=m["end"] == ".") for m in _NUMBERED.finditer(norm)
    ]


def _same_case(piece: str) -> bool:
    letters = re.findall(r"\b[A-Za-z]\d?\b", piece)
    return all(x.isupper() for x in letters) or all(x.islower() for x in letters)


def _positional(norm: str) -> list[LabelMark]:
    found = []
    for match in _POSITIONAL.finditer(norm):
        noun, end = (match["noun"] or "").strip(), match["end"].strip()
        if (not noun and end not in {":", ","}) or (not noun and end == "," and match["list"].strip() not in POSITIONS):
            continue
        labels = read_labels(match["list"].strip())
        if labels and noun != "side":
            found.append(_mark(match.start("list"), match.end(), labels, row=bool(noun) or "inset" in labels))
    return found


def _references(text: str, norm: str) -> list[LabelMark]:
    found = []
    for match in _REFERENCE.finditer(norm):
        piece = text[match.start("list"):match.end("list")]
        explicit = bool(re.search(r"panel|image|fig", match.group()))
        if (labels := read_labels(match["list"])) and (piece[0].isupper() or explicit):
            found.append(LabelMark(match.start(), match.end(), labels, reference=True))
    return found


def _without_overlap(marks: list[LabelMark]) -> list[LabelMark]:
    """Marks in order; of two that overlap the longer one, of equals the stronger one."""
    chosen: list[LabelMark] = []
    for mark in sorted(marks, key=lambda m: (m.weak, m.reference, m.start - m.end, m.start)):
        place = bisect.bisect_left(chosen, mark.start, key=lambda m: m.start)
        free = not any(mark.end > m.start and mark.start < m.end for m in chosen[max(place - 1, 0):place + 1])
        if free:
            chosen.insert(place, mark)
    return chosen
