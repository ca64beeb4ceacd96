"""Panels of a legend without labels: one picture, several in order of mention, or a picture with an inset."""

from __future__ import annotations

from neuraxis.legends.descriptors import describe
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
        if named:
            listed = [e for e in named if e.sequence is not None]
            return (len(listed) if len(listed) == len(named) else 1), (first, last)
    return 1, None


def _described_sentences(reading: Reading) -> list[tuple[int, int]]:
    """Sentences that begin with their own picture: "Axial CT image shows ... Axial T2-weighted image shows ..."."""
    found = []
    for first, last in reading.sentences:
        opening = []
        for k in range(first, last):
            entity = reading.entity(k)
            if entity is None and reading.word(k) not in {"-", ","}:
                break
            if entity and entity.first == k:
                if entity.has("verb") or not entity.has("sequence", "modality", "plane", "contrast", "caption", "article", "window"):
                    break
                opening.append(entity)
        names = any(e.has("sequence", "modality") for e in opening)
        if names and any(reading.word(e.first).startswith(("image", "scan", "section", "view")) for e in opening):
            found.append((first, last))
    return found


def _one_each(
    reading: Reading, parts: Segmentation, described: list[tuple[int, int]]
) -> tuple[tuple[str, ...], Segmentation]:
    labels = tuple(str(k + 1) for k in range(len(described)))
    current: tuple[str, ...] | None = None
    for first, last in reading.sentences:
        if (first, last) in described:
            current = (labels[described.index((first, last))],)
            parts.own.append(Stretch(current, first, last))
        elif current is None:
            parts.shared.append(Stretch(None, first, last))
        parts.scopes.extend(Stretch(current, a, b, free=current is None) for a, b in reading.units(first, last))
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
