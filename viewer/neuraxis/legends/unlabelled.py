"""Panels of a legend without labels: one picture, several in order of mention, or a picture with an inset."""

from __future__ import annotations

from neuraxis.legends.descriptors import describe, has_findings
from neuraxis.legends.phrases import Entity
from neuraxis.legends.reading import Reading
from neuraxis.legends.stretches import Segmentation, Stretch


def labels_without_marks(reading: Reading, *, inset: bool = False) -> tuple[tuple[str, ...], Segmentation]:
    """Labels ("main", or "1", "2", ... in order of mention) and the stretches of each."""
    parts = Segmentation()
    sentences = reading.sentences
    if inset:
        return _with_inset(reading, parts)
    described = _described_sentences(reading)
    if len(described) > 1:
        return _one_each(reading, parts, described)
    count, opening = _pictures(reading)
    clauses = _picture_clauses(reading) if count < 2 else []
    if len(clauses) > 1:
        return _one_each(reading, parts, clauses)
    labels = ("main",) if count < 2 else tuple(str(k + 1) for k in range(count))
    if opening is not None:
        parts.own.append(Stretch(labels, *opening))
    for first, last in sentences:
        if opening is None or (first, last) != opening:
            target = Stretch(labels if count < 2 else None, first, last)
            (parts.own if count < 2 else parts.shared).append(target)
        parts.scopes.extend(Stretch(labels, a, b, free=(first, last) != opening) for a, b in reading.units(first, last))
    if count > 1:
        parts.lists.append(labels)
    return labels, parts


def _pictures(reading: Reading) -> tuple[int, tuple[int, int] | None]:
    """How many pictures the first sentence that names any lists, and that sentence."""
    for first, last in reading.sentences:
        named = [e for e in describe(reading, first, last).elements if e.names_picture]
        if len(named) == 1 and (planes := _planes_of_images(reading, first, last)):
            return planes, (first, last)
        if named:
            listed = [e for e in named if e.sequence is not None]
            return (len(listed) if len(listed) == len(named) else 1), (first, last)
    return 1, None


def _planes_of_images(reading: Reading, first: int, last: int) -> int:
    """How many planes open "Coronal and axial T2-weighted images show ..."; 0 where it is no such list."""
    k, planes = first, set()
    while k < last and (entity := reading.entity(k)) is not None and entity.get("plane") is not None:
        planes.add(entity.meanings[0].key)
        k = entity.last
        while reading.word(k) in {",", "and"}:
            k += 1
    plural = any(reading.word(j) == "images" for j in range(k, min(k + 8, last)))
    return len(planes) if plural and len(planes) > 1 else 0


def _described_sentences(reading: Reading) -> list[tuple[int, int]]:
    """Sentences that begin with their own picture: "Axial CT image shows ... Axial T2-weighted image shows ..."."""
    found: list[tuple[int, int]] = []
    for first, last in reading.sentences:
        opening: list[Entity] = []
        stated = False
        for k in range(first, last):
            entity = reading.entity(k)
            if entity is None and reading.word(k) not in {"-", ","}:
                break
            if entity and entity.first == k:
                stated = (entity.has("verb") or reading.word(k) in {"of", "through"}) and bool(opening)
                if stated or entity.has("verb") or not entity.has("sequence", "modality", "plane", "contrast", "caption", "article", "window"):
                    break
                opening.append(entity)
        names = any(e.has("sequence", "modality") for e in opening)
        pictured = any(reading.word(e.first).startswith(("image", "scan", "section", "view")) for e in opening)
        described = pictured or (stated and any(e.has("plane", "contrast") for e in opening))
        present = stated and bool(found) and reading.word(opening[-1].last).endswith("s")
        if names and (described or (present and not _pictured_before(reading, opening, found))):
            found.append((first, last))
    return found


def _pictured_before(reading: Reading, opening: list[Entity], found: list[tuple[int, int]]) -> bool:
    """True where the sequence of an opening has been named by a sentence before."""
    names = {m.key for e in opening if (m := e.get("sequence"))}
    return not names or any(m.key in names for a, b in found for e in reading.within(a, b) if (m := e.get("sequence")))


def _picture_clauses(reading: Reading) -> list[tuple[int, int]]:
    """Clauses with a picture of their own: "T1: dark, T2: bright", "CT shows ...; on T2WI, ...". A list of two at least, or none."""
    found: list[tuple[int, int]] = []
    names: set[str] = set()
    for sentence in reading.sentences:
        for first, last in reading.units(*sentence):
            starts = [first, *(k for k in range(first + 1, last) if reading.word(k - 1) == "," and _named_before_colon(reading, k, last)
                               and has_findings(reading, first, k))]
            for a, b in zip(starts, [*starts[1:], last], strict=True):
                name = _opening_name(reading, a, b)
                if name and not any(reading.word(k) == "not" and reading.word(k + 1) == "shown" for k in range(a, b)):
                    found.append((a, b))
                    names.add(name)
    return found if len(names) == len(found) > 1 and found[0][0] <= reading.sentences[0][1] else []


def _named_before_colon(reading: Reading, first: int, last: int) -> bool:
    """True where a picture's name of at most five words ends in a colon."""
    colon = next((k for k in range(first, min(first + 6, last)) if reading.word(k) == ":"), None)
    return colon is not None and any(e.has("sequence", "contrast") for e in reading.within(first, colon))


def _opening_name(reading: Reading, first: int, last: int) -> str:
    """The picture with which a clause opens, where a colon, a comma after "on" or the figure's start sets it off."""
    opening = first == reading.sentences[0][0]
    located = reading.word(first) in {"on", "in"}
    colon = _named_before_colon(reading, first, last)
    if not (opening or located or colon):
        return ""
    elements = [e for e in describe(reading, first, min(first + 8, last)).elements if e.names_picture or e.contrast]
    first_name = next((e for e in reading.within(first, min(first + 4, last)) if e.has("sequence", "modality", "contrast")), None)
    if not elements or first_name is None:
        return ""
    return f"{elements[0].sequence} {elements[0].modality} {elements[0].contrast}"


def _one_each(
    reading: Reading, parts: Segmentation, described: list[tuple[int, int]]
) -> tuple[tuple[str, ...], Segmentation]:
    labels = tuple(str(k + 1) for k in range(len(described)))
    number = {start: k for k, (start, _) in enumerate(described)}
    current: tuple[str, ...] | None = None
    for sentence in reading.sentences:
        for unit in reading.units(*sentence):
            cuts = sorted({unit[0], *(s for s in number if unit[0] < s < unit[1])})
            for first, last in zip(cuts, [*cuts[1:], unit[1]], strict=True):
                if first in number:
                    current = (labels[number[first]],)
                    parts.own.append(Stretch(current, first, last))
                elif current is None:
                    parts.shared.append(Stretch(None, first, last))
                parts.scopes.append(Stretch(current, first, last, free=current is None))
    return labels, parts


def _with_inset(reading: Reading, parts: Segmentation) -> tuple[tuple[str, ...], Segmentation]:
    token = next(k for k in range(len(reading.tokens)) if reading.mark(k) and not reading.marks[reading.tokens[k].label].reference)
    parenthesised = reading.marks[reading.tokens[token].label].parenthesised
    bounds = next((s for s in reading.sentences if s[0] <= token < s[1]), (0, len(reading.tokens)))
    main, inset = ("main",), ("inset",)
    for first, last in reading.sentences:
        for a, b in reading.units(first, last):
            if a <= token < b:
                pieces = [(main, a, token), (inset, token + 1, b)] if not parenthesised else [(inset, a, b)]
            else:
                pieces = [(main if not a > bounds[1] else inset, a, b)]
            for labels, x, y in pieces:
                if y > x:
                    parts.own.append(Stretch(labels, x, y))
                    parts.scopes.append(Stretch(labels, x, y))
    return ("main", "inset"), parts
