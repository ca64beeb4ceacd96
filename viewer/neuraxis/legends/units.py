"""Divides a unit of a sentence that holds labels: words that follow a label, words that lead up to one."""

from __future__ import annotations

from neuraxis.legends.descriptors import DESCRIBES, has_findings
from neuraxis.legends.reading import Reading
from neuraxis.legends.stretches import Segmentation, State, Stretch

_JOINS = {",", "and", "or", "&", "/", "then", "while", "whereas"}


class LabelledUnit:
    """Tokens `first` up to `last` with labels at `tokens`; stretches go to `result`, the group spoken of to `state`."""

    def __init__(
        self, reading: Reading, result: Segmentation, state: State, first: int, last: int, tokens: list[int]
    ) -> None:
        self.reading, self.result, self.state = reading, result, state
        self.first, self.last, self.tokens = first, last, tokens
        self.found = False
        self._lead: list[bool] = []

    def labels(self, token: int) -> tuple[str, ...]:
        """The labels at a token."""
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
        if all(self.reading.marks[self.reading.tokens[t].label].inside for t in self.tokens):
            self._bracketed()
            return self.found
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

    def _share(self, labels: tuple[str, ...], first: int, last: int, *, leading: bool = True) -> None:
        if last > first:
            stretch = Stretch(labels, first, last, leading=leading)
            self.result.scopes.append(stretch)
            self.result.shared.append(stretch)
            self._has(first, last)

    def _bracketed(self) -> None:
        """A unit whose labels stand in brackets with their own words."""
        reading = self.reading
        opening = next((t for t in range(self.tokens[0], self.first, -1) if reading.word(t) == "("), self.tokens[0])
        closing = next((t for t in range(self.tokens[-1], self.last) if reading.word(t) == ")"), self.last - 1)
        every = tuple(x for t in self.tokens for x in self.labels(t))
        for k, token in enumerate(self.tokens):
            stop = self.tokens[k + 1] if k + 1 < len(self.tokens) else closing
            self.result.own.append(Stretch(self.labels(token), token + 1, stop))
            self.result.scopes.append(Stretch(self.labels(token), token + 1, stop))
            self._has(token + 1, stop)
        self._share(every, self.first, opening)
        self._share(every, closing + 1, self.last)
        self.result.lists.append(every)
        self.state.group = every

    def _split_before_trail(self, first: int, token: int) -> int:
        """Where the words of a trailing label begin that follows a leading one."""
        return next((k for k in range(token - 1, first, -1) if self.reading.word(k) in _JOINS), token)

    def _leading(self, position: int, run: list[int], end: int) -> None:
        every = tuple(x for t in run for x in self.labels(t))
        self._share(self.state.sentence if self.reading.word(run[0] - 1) == ":" else every, position, run[0])
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
        colon = any(self.reading.word(t) == ":" for t in range(token + 2, stop))
        return self.reading.word(token - 1) in {"and", "&", "with"} or (colon and self.reading.word(token - 1) == ",")

    def _trailing(self, position: int, run: list[int], end: int) -> None:
        reading = self.reading
        chain: list[str] = []
        position = self._common_opening(position, run)
        for k, token in enumerate(run):
            begin = position
            labels = self.labels(token)
            if k:
                begin = self._tail_split(position, token)
                if begin > position:
                    self._share(tuple(chain), position, begin, leading=False)
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
        self._share(tuple(chain), position, end, leading=False)

    def _common_opening(self, position: int, run: list[int]) -> int:
        """Gives what stands before a colon to the whole list: "MRI showing a mass: T1 (A), T2 (B)"."""
        colon = next((t for t in range(position + 1, run[0]) if self.reading.word(t) == ":"), None)
        if colon is None or not any(e.has(*DESCRIBES) for e in self.reading.within(colon, run[0])):
            return position
        self._share(tuple(x for t in run for x in self.labels(t)), position, colon)
        return colon + 1

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
        """First token of the words that belong to the label at `token`; those before belong to the labels before."""
        reading = self.reading
        opens_with = reading.word(position) == "with" and self._names_picture_after_finding(position, token)
        if reading.word(position) in _JOINS or opens_with:
            return position
        depth = 0
        for t in range(token - 1, position, -1):
            word = reading.word(t)
            depth += (word == ")") - (word == "(")
            if (word in _JOINS and not depth) or (word == "with" and self._names_picture_after_finding(t, token)):
                return t
        describing = [e.first for e in reading.within(position, token) if e.has(*DESCRIBES)]
        return describing[0] if describing and self._has(position, describing[0]) else position

    def _names_picture_after_finding(self, first: int, last: int) -> bool:
        """True for "with no restricted diffusion on DWI"."""
        inside = self.reading.within(first, last)
        named = [e for e in inside if e.has("sequence") and self.reading.word(e.first - 1) in {"on", "in"}]
        return bool(named) and has_findings(self.reading, first, named[0].first)
