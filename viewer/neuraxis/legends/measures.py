"""Lengths in a legend, in millimetres, with the side stated for them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from neuraxis.legends.reading import Reading

_NUMBER = re.compile(r"\d+(?:[.,]\d+)?\Z")


@dataclass(frozen=True)
class Measure:
    """Lengths in millimetres that stand together ("11 x 8 mm"), with the side stated for them."""

    first: int
    last: int
    size_mm: tuple[float, ...]
    side: str | None
    side_tokens: frozenset[int]


def find_measures(reading: Reading, first: int, last: int) -> list[Measure]:
    """Lengths in a token range; thickness of slices, scale bars and areas are left out."""
    found, k = [], first
    while k < last:
        measure = _measure(reading, k, last) if _NUMBER.match(reading.word(k)) else None
        if measure is None:
            k += 1
            continue
        k = measure.last
        if not _is_of_the_picture(reading, measure, first, last):
            found.append(measure)
    return found


def _measure(reading: Reading, first: int, last: int) -> Measure | None:
    values: list[tuple[float, str]] = []
    k = first
    while k < last and len(values) < 4 and _NUMBER.match(reading.word(k)):
        value = float(reading.word(k).replace(",", "."))
        k += 1
        unit = ""
        if reading.word(k) in {"mm", "cm", "millimeter", "millimeters", "millimetres", "millimetre", "centimeter", "centimeters", "centimetre",
                               "centimetres"}:
            unit = "cm" if reading.word(k).startswith("c") else "mm"
            k += 1
        values.append((value, unit))
        joint = k
        while reading.word(joint) in {"(", "ap", "cc", "tr", "transverse", ")", "in"} and joint < k + 3 and unit:
            joint += 1
        if reading.word(joint) in {"x", "*", "by"} and _NUMBER.match(reading.word(joint + 1)):
            k = joint + 1
        elif reading.word(k) in {"x", "*", "by"} and _NUMBER.match(reading.word(k + 1)):
            k += 1
        else:
            break
    unit = next((u for _, u in reversed(values) if u), "")
    if not unit or reading.word(k) in {"2", "3", "^", "s", "/"}:
        return None
    scale = [10.0 if (u or unit) == "cm" else 1.0 for _, u in values]
    side, used = _measure_side(reading, k, last)
    sizes = tuple(round(v * s, 4) for (v, _), s in zip(values, scale, strict=True))
    return Measure(first, k, sizes, side, used)


def _measure_side(reading: Reading, last: int, stop: int) -> tuple[str | None, frozenset[int]]:
    k = last
    bracketed = reading.word(k) == "("
    if bracketed:
        k += 1
    elif reading.word(k) in {"on", "in"} and reading.word(k + 1) == "the":
        k += 2
    else:
        return None, frozenset()
    entity = reading.entity(k) if k < stop else None
    side = entity.get("side") if entity else None
    if entity and not bracketed and reading.word(entity.last) not in {"", ",", ";", ".", ")", "and", "side"}:
        return None, frozenset()
    return (side.key, frozenset(range(entity.first, entity.last))) if side and entity else (None, frozenset())


def _is_of_the_picture(reading: Reading, measure: Measure, first: int, last: int) -> bool:
    after = " ".join(reading.word(k) for k in range(measure.last, min(measure.last + 3, last)))
    before = " ".join(reading.word(k) for k in range(max(first, measure.first - 4), measure.first))
    return bool(
        re.search(r"^(?:thick )?(?:slices?|sections?|cuts?|intervals?|slice|section|axial|images?|gap)\b", after)
        or re.search(r"(?:slice thickness|section thickness|thickness of slices|scale bars?|bars?)\s*(?:of|is|:|=|\d*)?\s*$", before)
    )
