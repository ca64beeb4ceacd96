"""Which words of a legend speak of which panels: rules 7 and 8 of the annotation scheme."""

from __future__ import annotations

from neuraxis.legends.descriptors import has_findings
from neuraxis.legends.reading import Reading
from neuraxis.legends.stretches import Segmentation, State, Stretch
from neuraxis.legends.units import LabelledUnit

_PRONOUNS = {"it", "they", "note", "this", "arrow", "arrows", "arrowhead", "arrowheads", "asterisk", "these", "here"}


def segment(reading: Reading, all_labels: tuple[str, ...]) -> Segmentation:
    """Divides a figure's text among its panels."""
    result, state = Segmentation(), State()
    sentences = reading.sentences
    last_labelled = max((k for k, (a, b) in enumerate(sentences) if _labels_in(reading, a, b)), default=-1)
    for number, (first, last) in enumerate(sentences):
        labelled = bool(_labels_in(reading, first, last))
        if not labelled:
            labels = _unlabelled_scope(reading, state, first, number > last_labelled, all_labels)
            result.scopes.extend(Stretch(labels, a, b, free=True) for a, b in reading.units(first, last))
            if labels is None or not reading.marks:
                result.shared.append(Stretch(None, first, last))
            elif not has_findings(reading, first, last):
                result.shared.append(Stretch(labels, first, last))
            if has_findings(reading, first, last):
                state.described_open = False
            continue
        _labelled_sentence(reading, result, state, first, last)
    return result


def _labels_in(reading: Reading, first: int, last: int) -> list[int]:
    found = []
    for k in range(first, last):
        mark = reading.mark(k)
        if mark and (not mark.reference or _opens(reading, k, first)):
            found.append(k)
    return found


def _opens(reading: Reading, token: int, first: int) -> bool:
    """True for "In A, ..." at the start of a unit."""
    return not reading.marks[reading.tokens[token].label].parenthesised and (
        token == first or (reading.word(token - 1) in {";", "and", "but", "while", "whereas"}
        and reading.word(token + 1) in {",", "a", "the", "there"})
    )


def _unlabelled_scope(
    reading: Reading, state: State, first: int, closing: bool, all_labels: tuple[str, ...]
) -> tuple[str, ...] | None:
    if state.group is None:
        return None
    if state.described_open:
        state.group = tuple(state.described)
        return state.group
    if closing and state.spoken and reading.word(first) not in _PRONOUNS:
        return None if set(state.group) != set(all_labels) else state.group
    return state.group


def _labelled_sentence(reading: Reading, result: Segmentation, state: State, first: int, last: int) -> None:
    if not state.described_open:
        state.described = []
    sentence_found = False
    state.sentence = tuple(x for k in _labels_in(reading, first, last) for x in reading.marks[reading.tokens[k].label].labels)
    for a, b in reading.units(first, last):
        tokens = _labels_in(reading, a, b)
        if not tokens:
            if state.described_open and state.described:
                state.group = tuple(state.described)
            result.scopes.append(Stretch(state.group, a, b, free=True))
            if not has_findings(reading, a, b) and state.group:
                result.shared.append(Stretch(state.group, a, b))
            sentence_found |= has_findings(reading, a, b)
            continue
        found = LabelledUnit(reading, result, state, a, b, tokens).divide()
        sentence_found |= found
        if found:
            state.described_open, state.described = False, []
        else:
            labels = [x for k in tokens for x in reading.marks[reading.tokens[k].label].labels]
            state.described = [*state.described, *(x for x in labels if x not in state.described)]
            state.described_open = True
    state.spoken = sentence_found
    if state.sentence not in result.lists:
        result.lists.append(state.sentence)
