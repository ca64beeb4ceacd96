"""What a legend says of the picture itself: sequence, plane, window, contrast, region, kind, marks."""

from __future__ import annotations

import bisect
import itertools
from dataclasses import dataclass, field

from neuraxis.domain.legend import CT_SEQUENCES, TextSpan
from neuraxis.legends.phrases import Entity, Meaning
from neuraxis.legends.reading import Reading
from neuraxis.legends.views import is_level, is_region, names_place

DESCRIBES = ("sequence", "modality", "plane", "window", "contrast", "kind", "zoom", "caption")
_BREAKS = frozenset({",", "and", "/", "&", ";", ":", "or", "+"})


@dataclass
class Element:
    """One picture in a list of pictures: "contrast-enhanced axial T1"."""

    sequence: str | None = None
    modality: str | None = None
    plane: str | None = None
    window: str | None = None
    contrast: str | None = None
    spans: dict[str, TextSpan] = field(default_factory=dict)

    def put(self, name: str, value: str, span: TextSpan) -> None:
        """Sets an attribute that is not set yet."""
        if getattr(self, name) is None:
            setattr(self, name, value)
            self.spans[name] = span

    @property
    def names_picture(self) -> bool:
        """True where a sequence or a modality is named."""
        return self.sequence is not None or self.modality is not None


@dataclass
class Description:
    """All that a stretch of text says of its pictures; `elements` in the order of the text."""

    elements: list[Element] = field(default_factory=list)
    kind: str | None = None
    region: str | None = None
    zoom: bool = False
    marks: list[str] = field(default_factory=list)
    same: bool = False
    kind_first: bool = False
    spans: dict[str, TextSpan] = field(default_factory=dict)
    planes: list[str] = field(default_factory=list)
    windows: list[str] = field(default_factory=list)
    contrasts: list[str] = field(default_factory=list)
    """Planes, windows and contrasts in the order of the text."""


def is_finding(reading: Reading, entity: Entity) -> bool:
    """True where an entity states something of the lesion rather than of the picture."""
    if entity.has("sequence", "contrast", "modality", "window", "plane", "zoom", "ignored", "target"):
        return False
    return entity.has("finding") and not is_region(reading, entity) and not (names_place(reading, entity.first) and is_level(reading, entity))


def has_findings(reading: Reading, first: int, last: int) -> bool:
    """True where a token range states a finding, a place or a size."""
    if any(is_finding(reading, e) for e in reading.within(first, last)):
        return True
    histology = any(e.has("kind") for e in reading.within(first, last))
    if histology:
        return False
    return any(
        reading.word(k + 1) in {"mm", "cm"} and reading.word(k).replace(".", "").isdigit() for k in range(first, last - 1)
    )


def _zone_end(reading: Reading, first: int, last: int, leading: bool) -> int:
    """Where the description of the picture ends and the statement begins."""
    seen = False
    for k in range(first, last):
        word = reading.word(k)
        entity = reading.entity(k)
        seen = seen or (entity is not None and entity.has("sequence", "modality", "plane", "kind"))
        if word == ":" and seen and leading and not _names_picture_next(reading, k + 1, last):
            return k
        if entity and entity.first == k and leading and seen:
            if entity.has("verb") and word not in {"that", "which", "there"}:
                return k
            if is_finding(reading, entity) and not _is_adjunct(reading, entity):
                return k
    return last


def _names_picture_next(reading: Reading, first: int, last: int) -> bool:
    """True for what follows the colon of "MRI at 3 months: sagittal T2-weighted image"."""
    opening = reading.within(first, min(last, first + 3))
    return bool(opening) and opening[0].has("plane", "sequence", "contrast") and not opening[0].has("finding") and any(
        e.has("sequence") for e in opening)


def _is_adjunct(reading: Reading, entity: Entity) -> bool:
    return entity.get("finding") is not None and entity.meanings[0].key == "location" and is_region(reading, entity)


def describe(reading: Reading, first: int, last: int, *, leading: bool = True, named_later: bool = True) -> Description:
    """The description in a token range; words after the statement has begun count only where nothing stands before.

    `named_later` lets a statement name the picture ("a mass, dark on T2").
    """
    result = Description()
    zone = _zone_end(reading, first, last, leading)
    result.elements = _elements(reading, first, zone)
    if named_later and not any(e.names_picture for e in result.elements):
        later = [e for e in _elements(reading, zone, last) if e.names_picture][:1]
        if later and not result.elements[0].spans:
            result.elements = later
        elif later:
            _name(result.elements[0], later[0].sequence, later[0].modality, next(iter(later[0].spans.values())))
    for entity in reading.within(first, zone):
        for kind, found in (("plane", result.planes), ("window", result.windows), ("contrast", result.contrasts)):
            if meaning := entity.get(kind):
                found.append(meaning.key)
        _rest(reading, entity, reading.span(entity.first, entity.last), result)
    _outside_zone(reading, zone, last, result)
    return result


def _elements(reading: Reading, first: int, last: int) -> list[Element]:
    """The pictures listed in a token range, each with the attributes that stand on its side of the commas."""
    names: list[Entity] = []
    elements: list[Element] = []
    for entity in reading.within(first, last):
        if any(m.key == "adc_signal" for m in entity.meanings) and not names:
            elements[:] = [Element()]
            names.append(entity)
            _name(elements[0], "ADC", None, reading.span(entity.first, entity.last))
            continue
        if not entity.has("sequence", "modality") or entity.has("ignored", "finding") or _unseen(reading, entity):
            continue
        current = elements[-1] if elements else None
        if current is None or not _continues(reading, entity, names[-1], current):
            elements.append(Element())
            names.append(entity)
        sequence, modality = entity.get("sequence"), entity.get("modality")
        _name(elements[-1], sequence.key if sequence else None, modality.key if modality else None,
              reading.span(entity.first, entity.last))
    if not elements:
        elements.append(Element())
    bounds = [_boundary(reading, one.last, two.first) for one, two in itertools.pairwise(names)]
    for entity in reading.within(first, last):
        if entity.has("ignored"):
            continue
        element = elements[bisect.bisect_right(bounds, entity.first)]
        span = reading.span(entity.first, entity.last)
        for kind in ("plane", "window", "contrast"):
            meaning = entity.get(kind)
            if meaning and not (kind == "contrast" and _is_statement(reading, entity)):
                element.put(kind, meaning.key, span)
    return elements


def _unseen(reading: Reading, entity: Entity) -> bool:
    """True for a name with "(not shown)" right after it."""
    k = entity.last + (reading.word(entity.last) == "(")
    return (reading.word(k), reading.word(k + 1)) in {("not", "shown"), ("not", "included"), ("not", "depicted"), ("not", "displayed")}


def _boundary(reading: Reading, first: int, last: int) -> int:
    """Where the words of the next picture begin: at the last comma or "and" before its name, else at the name."""
    for k in range(last - 1, first - 1, -1):
        if reading.word(k) in _BREAKS:
            return k
    return last


def _continues(reading: Reading, entity: Entity, previous: Entity, element: Element) -> bool:
    """True where a name tells more of the picture already named: "MRI ... T1", "diffusion-weighted imaging (DWI)"."""
    sequence, modality = entity.get("sequence"), entity.get("modality")
    between = [reading.word(k) for k in range(previous.last, entity.first)]
    broken = any(w in _BREAKS and w not in {",", ":"} for w in between)
    family = "CT" if sequence and sequence.key in CT_SEQUENCES else "MR" if sequence else modality.key if modality else ""
    if element.sequence is None:
        return element.modality == family and not broken
    if sequence is None:
        return family == ("CT" if element.sequence in CT_SEQUENCES else "MR")
    if sequence.key == element.sequence:
        return "(" in between or (not broken and "," not in between)
    if sequence.key in {"T1", "T2", "CT"} and not broken and "," not in between:
        return (sequence.key == "T2" and element.sequence in {"FLAIR", "GRE", "SWI", "CISS", "STIR"}) or (
            sequence.key == "T1" and element.sequence == "T1C")
    return element.sequence in {"T1", "T2"} and not between and sequence.key not in {"T1", "T2", "T1C"}


def _name(element: Element, sequence: str | None, modality: str | None, span: TextSpan) -> None:
    if sequence:
        element.put("sequence", sequence, span)
        element.put("modality", "CT" if sequence in CT_SEQUENCES else "MR", span)
        if sequence == "T1C":
            element.put("contrast", "post", span)
    elif modality:
        element.put("modality", modality, span)


def _is_statement(reading: Reading, entity: Entity) -> bool:
    """True for "enhanced" with a lesion, and for a contrast word after "no"."""
    return reading.word(entity.first - 1) in {"no", "lack", "absence"}


def _rest(reading: Reading, entity: Entity, span: TextSpan, result: Description) -> None:
    kind, region = entity.get("kind"), entity.get("region")
    if kind and result.kind is None:
        result.kind = kind.key
        result.kind_first = not any(e.names_picture for e in result.elements)
        result.spans["kind"] = span
    if region and result.region is None and is_region(reading, entity):
        result.region = region.key
        result.spans["region"] = span
    if entity.has("same"):
        result.same = True


def _outside_zone(reading: Reading, zone: int, last: int, result: Description) -> None:
    for entity in reading.within(zone, last):
        span = reading.span(entity.first, entity.last)
        if entity.has("ignored"):
            continue
        window, contrast, plane = entity.get("window"), entity.get("contrast"), entity.get("plane")
        element = result.elements[-1]
        if window and element.window is None:
            element.put("window", window.key, span)
        if plane and not result.planes and reading.word(entity.first - 1) not in {"in", "on"}:
            element.put("plane", plane.key, span)
        wanted = element.contrast is None and element.sequence in {None, "T1", "CT"}
        if contrast and wanted and not _hidden(reading, entity, last) and not _is_statement(reading, entity):
            element.put("contrast", contrast.key, span)
        _rest(reading, entity, span, result)


def _hidden(reading: Reading, entity: Entity, last: int) -> bool:
    return any(reading.word(k) == "not" and reading.word(k + 1) in {"shown", "included"} for k in range(entity.last, last))


def marks_and_zoom(reading: Reading, first: int, last: int) -> tuple[list[tuple[Entity, str]], TextSpan | None]:
    """Marks named in a token range, and the words that say the picture is magnified."""
    marks: list[tuple[Entity, str]] = []
    zoom = None
    for entity in reading.within(first, last):
        mark = entity.get("mark")
        span = reading.span(entity.first, entity.last)
        if mark and (mark.key not in {"letter", "circle", "box", "line"} or _is_mark(reading, entity)):
            marks.append((entity, mark.key))
        if entity.has("zoom") and zoom is None:
            zoom = span
    marks.extend((Entity(k, k + 1, (Meaning("mark", "letter"),)), "letter") for k in range(first, last) if _is_letter(reading, k))
    return marks, zoom


def _is_letter(reading: Reading, token: int) -> bool:
    """True for the capital of "the tumour (T)", which is written on the picture; (L) and (R) are sides."""
    if (reading.word(token - 1), reading.word(token + 1)) != ("(", ")") or reading.tokens[token].label >= 0:
        return False
    piece = reading.text[reading.tokens[token].start:reading.tokens[token].end]
    return len(piece) == 1 and piece.isascii() and piece.isupper() and piece not in "LR" and bool(reading.marks)


def _is_mark(reading: Reading, entity: Entity) -> bool:
    """True where a word such as "line" is drawn on the picture: in brackets, in the plural or with a colour."""
    opened = any(reading.word(k) == "(" for k in range(max(0, entity.first - 4), entity.first))
    coloured = entity.last - entity.first > 1
    previous = reading.word(entity.first - 1)
    return opened or coloured or (previous in {
        "white", "red", "yellow", "black", "blue", "green", "dashed", "dotted", "by", "orange", "the", ""
    } and entity.meanings[0].key != "letter") or reading.word(entity.first + 1) in {":", "indicates", "marks", "shows"}
