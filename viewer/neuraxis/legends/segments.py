"""Which words of a legend speak of which panels: rules 7 and 8 of the annotation scheme."""

from __future__ import annotations

from dataclasses import dataclass, field

from neuraxis.legends.descriptors import DESCRIBES, has_findings
from neuraxis.legends.reading import Reading

_JOINS = {",", "and", "or", "&", "/", "then", "while", "whereas"}
_PRONOUNS = {"it", "they", "note", "this", "arrow", "arrows", "arrowhead", "arrowheads", "asterisk", "these", "here"}


@dataclass(frozen=True)
class Stretch:
    """Tokens `first` up to `last` and the panels they speak of; `labels` is None for the whole figure."""

    labels: tuple[str, ...] | None
    first: int
    last: int
    leading: bool = True
    """True where the label stands before the words."""
    free: bool = False
    """True where the words carry no label of their own."""


@dataclass
class Segmentation:
    """Stretches that describe single panels, stretches that describe several, and the scopes of statements."""

    own: list[Stretch] = field(default_factory=list)
    shared: list[Stretch] = field(default_factory=list)
    scopes: list[Stretch] = field(default_factory=list)
    lists: list[tuple[str, ...]] = field(default_factory=list)
    """Labels coordinated in one list, in order."""


class _State:
    """What the sentences before have been about."""

    def __init__(self) -> None:
        self.group: tuple[str, ...] | None = None
        self.described: list[str] = []
        self.described_open = False
        self.spoken = False


def segment(reading: Reading, all_labels: tuple[str, ...]) -> Segmentation:
    """Divides a figure's text among its panels."""
    result, state = Segmentation(), _State()
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
        token == first or reading.word(token - 1) in {";", "and", "but", "while", "whereas"}
        and reading.word(token + 1) in {",", "a", "the", "there"}
    )


def _unlabelled_scope(
    reading: Reading, state: _State, first: int, closing: bool, all_labels: tuple[str, ...]
) -> tuple[str, ...] | None:
    if state.group is None:
        return None
    if state.described_open:
        state.group = tuple(state.described)
        return state.group
    if closing and state.spoken and reading.word(first) not in _PRONOUNS:
        return None if set(state.group) != set(all_labels) else state.group
    return state.group


def _labelled_sentence(reading: Reading, result: Segmentation, state: _State, first: int, last: int) -> None:
    if not state.described_open:
        state.described = []
    sentence_found = False
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
        found = _Unit(reading, result, state, a, b, tokens).divide()
        sentence_found |= found
        if found:
            state.described_open, state.described = False, []
        else:
            labels = [x for k in tokens for x in reading.marks[reading.tokens[k].label].labels]
            state.described = [*state.described, *(x for x in labels if x not in state.described)]
            state.described_open = True
    state.spoken = sentence_found
    in_order = tuple(x for k in _labels_in(reading, first, last) for x in reading.marks[reading.tokens[k].label].labels)
    if in_order not in result.lists:
        result.lists.append(in_order)


class _Unit:
    """Divides one unit that holds labels."""

    def __init__(
        self, reading: Reading, result: Segmentation, state: _State, first: int, last: int, tokens: list[int]
    ) -> None:
        self.reading, self.result, self.state = reading, result, state
        self.first, self.last, self.tokens = first, last, tokens
        self.found = False

    def labels(self, token: int) -> tuple[str, ...]:
        return self.reading.marks[self.reading.tokens[token].label].labels

    def leads(self, k: int) -> bool:
        """True where the label's words follow it."""
        token = self.tokens[k]
        if not self.reading.marks[self.reading.tokens[token].label].parenthesised:
            return True
        previous = self.reading.word(token - 1) if token > self.first else ""
        following = self.reading.word(token + 1) if token + 1 < self.last else ""
        entity = self.reading.entity(token + 1) if token + 1 < self.last else None
        if previous in {"", ":", ";", "."}:
            return following != "" or previous == ":"
        before = self.reading.entity(token - 1)
        if before and before.has("verb") and following not in {"", ",", ")", "."} and not (entity and entity.has("verb")):
            return True
        if previous in _JOINS:
            return following not in {"", ",", ")", ".", "and"} and (k == 0 or self._lead[k - 1])
        return bool(k and self._lead[k - 1] and entity and entity.has(*DESCRIBES))

    def divide(self) -> bool:
        """Adds the unit's stretches; True where it states a finding."""
        self._lead: list[bool] = []
        for k in range(len(self.tokens)):
            self._lead.append(self.leads(k))
        position = self.first
        k = 0
        while k < len(self.tokens):
            stop = k
            while stop < len(self.tokens) and self._lead[stop] == self._lead[k]:
                stop += 1
            run = self.tokens[k:stop]
            if self._lead[k]:
                end = self._split_before_trail(run[-1] + 1, self.tokens[stop]) if stop < len(self.tokens) else self.last
                self._leading(position, run, end)
            else:
                end = self.tokens[stop] if stop < len(self.tokens) else self.last
                self._trailing(position, run, end)
            position, k = end, stop
        return self.found

    def _has(self, first: int, last: int) -> bool:
        found = has_findings(self.reading, first, last)
        self.found |= found
        return found

    def _split_before_trail(self, first: int, token: int) -> int:
        """Where the words of a trailing label begin that follows a leading one."""
        for k in range(token - 1, first, -1):
            if self.reading.word(k) in _JOINS:
                return k
        return token

    def _leading(self, position: int, run: list[int], end: int) -> None:
        every = tuple(x for t in run for x in self.labels(t))
        if run[0] > position:
            stretch = Stretch(every, position, run[0])
            self.result.shared.append(stretch)
            self.result.scopes.append(stretch)
            self._has(position, run[0])
        pending: list[tuple[str, ...]] = []
        for k, token in enumerate(run):
            stop = run[k + 1] if k + 1 < len(run) else end
            labels = self.labels(token)
            self.result.own.append(Stretch(labels, token + 1, stop))
            if self._has(token + 1, stop):
                joined = self._joined(run, k)
                group = tuple(x for g in pending for x in g) + labels if joined else labels
                self.result.scopes.append(Stretch(group, token + 1, stop))
                self.state.group, pending = group, []
            else:
                self.result.scopes.append(Stretch(labels, token + 1, stop))
                pending.append(labels)
                self.state.group = tuple(x for g in pending for x in g)
        self.result.lists.append(every)

    def _joined(self, run: list[int], k: int) -> bool:
        """True where the label ends a list of described panels whose statement is theirs in common."""
        if not k:
            return False
        token = run[k]
        stop = run[k + 1] if k + 1 < len(run) else self.last
        conjoined = self.reading.word(token - 1) in {"and", "&", "with"}
        colon = any(self.reading.word(t) == ":" for t in range(token + 2, stop))
        if colon and not conjoined:
            conjoined = self.reading.word(token - 1) == ","
        return conjoined

    def _trailing(self, position: int, run: list[int], end: int) -> None:
        reading = self.reading
        chain: list[str] = []
        for k, token in enumerate(run):
            begin = position
            labels = self.labels(token)
            if k:
                begin = self._tail_split(position, token)
                if begin > position:
                    self._tail(tuple(chain), position, begin)
                    chain = [] if self._has(position, begin) else chain
            stated = self._has(begin, token)
            joined = bool(k) and (begin == token or reading.word(begin) in _JOINS | {"with"}) and not stated
            if not joined and not self._bare_chunk(begin, token):
                chain = []
            chain.extend(labels)
            self.result.own.append(Stretch(labels, begin, token, leading=False))
            self.result.scopes.append(Stretch(self._reach(run, k, begin, labels) if stated else labels, begin, token))
            position = token + 1
        self.state.group = tuple(chain)
        self.result.lists.append(tuple(x for t in run for x in self.labels(t)))
        if position < end:
            self._tail(tuple(chain), position, end)

    def _bare_chunk(self, begin: int, token: int) -> bool:
        return all(self.reading.word(t) in _JOINS for t in range(begin, token))

    def _reach(self, run: list[int], k: int, begin: int, labels: tuple[str, ...]) -> tuple[str, ...]:
        """Labels of a statement that ends in a list of pictures: "a mass on T1 (A), T2 (B) and FLAIR (C)"."""
        reading = self.reading
        describing = [e for e in reading.within(begin, run[k]) if e.has("sequence", "modality", "plane")]
        finding = [e for e in reading.within(begin, run[k]) if e.has("finding")]
        if not describing or not finding or describing[-1].first < finding[-1].first:
            return labels
        reach = list(labels)
        for previous, token in zip(run[k:], run[k + 1:], strict=False):
            if reading.word(previous + 1) not in _JOINS or has_findings(reading, previous + 1, token):
                break
            reach.extend(self.labels(token))
        return tuple(reach)

    def _tail_split(self, position: int, token: int) -> int:
        """First token of the words that belong to the label at `token`; what stands before belongs to the labels before."""
        reading = self.reading
        if reading.word(position) in _JOINS:
            return position
        depth = 0
        for t in range(token - 1, position, -1):
            word = reading.word(t)
            depth += (word == ")") - (word == "(")
            if word in _JOINS and not depth or word == "with" and self._names_picture_after_finding(t, token):
                return t
        describing = [e.first for e in reading.within(position, token) if e.has(*DESCRIBES)]
        return describing[0] if describing and self._has(position, describing[0]) else position

    def _names_picture_after_finding(self, first: int, last: int) -> bool:
        """True for "with no restricted diffusion on DWI"."""
        inside = self.reading.within(first, last)
        named = [e for e in inside if e.has("sequence") and self.reading.word(e.first - 1) in {"on", "in"}]
        return bool(named) and has_findings(self.reading, first, named[0].first)

    def _tail(self, labels: tuple[str, ...], first: int, last: int) -> None:
        stretch = Stretch(labels, first, last, leading=False)
        self.result.scopes.append(stretch)
        self.result.shared.append(stretch)
        self._has(first, last)
