"""Divides a unit of a sentence that holds labels: words that follow a label, words that lead up to one."""

from __future__ import annotations

from neuraxis.legends.clauses import last_clause, names_picture_after_finding
from neuraxis.legends.descriptors import DESCRIBES, has_findings, is_finding
from neuraxis.legends.phrase_sequences import stands_on
from neuraxis.legends.reading import Reading
from neuraxis.legends.stretches import Segmentation, State, Stretch
from neuraxis.legends.views import names_place

_OPENS = frozenset({"with", "without", "that", "which", "showing"})
_CLOSES = frozenset({"located", "situated", "centred", "centered", "arising", "occupying"})
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
        mark = self.reading.marks[self.reading.tokens[token].label]
        if not mark.parenthesised:
            return not mark.inside
        previous = self.reading.word(token - 1) if token > self.first else ""
        following = self.reading.word(token + 1) if token + 1 < self.last else ""
        entity = self.reading.entity(token + 1) if token + 1 < self.last else None
        if previous == "as" and following not in {"", ",", "and"}:
            return True
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
                end = self._split_before_trail(run, self.tokens[stop]) if stop < len(self.tokens) else self.last
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

    def _split_before_trail(self, run: list[int], token: int) -> int:
        """Where the words of a trailing label begin that follows leading ones: "(b-d) MRI: bright on T1 (b)"."""
        first = run[-1] + 1
        colon = next((k for k in range(first, token) if self.reading.word(k) == ":"), None)
        if colon is not None and set(self.labels(token)) <= set(self.labels(run[-1])):
            return colon
        joined = next((k for k in range(token - 1, first, -1) if self.reading.word(k) in _JOINS), token)
        paired = next((k for k in range(token - 1, first, -1) if self.reading.word(k) == "with" and any(
            e.has("sequence") or any(m.key == "adc_signal" for m in e.meanings) for e in self.reading.within(k, min(token, k + 5)))), joined)
        return max(paired, joined) if joined < token else paired

    def _leading(self, position: int, run: list[int], end: int) -> None:
        every = tuple(x for t in run for x in self.labels(t))
        titled = self.reading.word(run[0] - 1) == ":"
        if titled and self.state.group is None and not has_findings(self.reading, position, run[0]):
            self.result.shared.append(Stretch(None, position, run[0]))
        self._share(self.state.sentence if titled else every, position, run[0])
        pending: list[str] = []
        for k, token in enumerate(run):
            stop = run[k + 1] if k + 1 < len(run) else end
            labels = self.labels(token)
            self.result.own.append(Stretch(labels, token + 1, stop))
            if self._has(token + 1, stop):
                joined = self._joined(run, k)
                group = (*pending, *labels) if joined else labels
                self.result.scopes.append(Stretch(group, token + 1, stop))
                self.state.group, pending = group, []
            else:
                self.result.scopes.append(Stretch(labels, token + 1, stop))
                pending.extend(labels)
        self.state.group = tuple(pending) or self.state.group
        self._ellipses(run, end)
        self.result.lists.append(every)

    def _ellipses(self, run: list[int], end: int) -> None:
        """The statement of "(A) cysts in the pons and (B) the thalamus" holds for B, the place of "(a) dark and (b) bright in the pons" for a."""
        reading = self.reading
        for one, two, stop in zip(run, run[1:], [*run[2:], end], strict=False):
            if reading.word(two - 1) not in {"and", "&"}:
                continue
            before, after = (
                [e for e in reading.within(a, b) if is_finding(reading, e)] for a, b in ((one, two), (two, stop)))
            first = next((e.first for e in before if names_place(reading, e.first)), None)
            verb = any(e.has("verb", *DESCRIBES) for e in reading.within(two, stop))
            if first is not None and after and not verb and first > before[0].first and all(names_place(reading, e.first) for e in after):
                self.result.scopes.append(Stretch(self.labels(two), one + 1, first))
            place = next((e.first for e in after if names_place(reading, e.first)), None)
            if first is None and before and place is not None and not any(e.has("verb") for e in reading.within(one, stop)):
                start = next((k for k in range(place, two, -1) if reading.word(k) in {"in", "of", "within"}), None)
                if start is not None:
                    self.result.scopes.append(Stretch(self.labels(one), start, stop))

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
        position = self._common_subject(self._common_opening(position, run), run)
        position = self._common_statement(self._common_adjectives(position, run), run)
        position = self._last_clause(position, run[0])
        for k, token in enumerate(run):
            begin = position
            labels = self.labels(token)
            if k:
                begin = self._tail_split(position, token)
                if begin > position:
                    self._share(self._qualified(run[:k]) or tuple(chain), position, begin, leading=False)
                    chain = [] if self._has(position, begin) else chain
            stated = self._has(begin, token)
            joined = bool(k) and (begin == token or reading.word(begin) in _JOINS | {"with"}) and not stated
            if not joined and not self._bare_chunk(begin, token):
                chain = []
            chain.extend(labels)
            self.result.own.append(Stretch(labels, begin, token, leading=False))
            self.result.scopes.append(Stretch(self._reach(run, k, begin, labels) if stated else labels, begin, token))
            position = self._after_label(run, k)
        self.state.group = tuple(chain)
        self.result.lists.append(tuple(x for t in run for x in self.labels(t)))
        closing = {self.reading.word(t) for t in (position, position + 1)} & _CLOSES
        every = tuple(x for t in run for x in self.labels(t))
        joined = self.reading.word(position) in {"and", "with", "without"} and any(
            self._qualified(run[:k + 1]) for k in range(1, len(run)))
        self._share(self._qualified(run) or (every if closing or joined else tuple(chain)), position, end, leading=False)

    def _last_clause(self, position: int, token: int) -> int:
        """Gives "the mass was dark on T2" to the panels before where only "and showed no enhancement (C)" ends in the label."""
        if not self.state.group or position != self.first:
            return position
        start = last_clause(self.reading, position, token)
        self._share(tuple(self.state.group), position, start)
        return start

    def _qualified(self, run: list[int]) -> tuple[str, ...]:
        """All labels of "T1 hyperintense (a), T2 hypointense (b) lesion": the noun that follows the last one is that of all."""
        k = run[-1] + 1
        while (following := self.reading.entity(k)) is not None and not following.has("lesion") and (
                following.has("side", "modifier") or names_place(self.reading, k)):
            k = following.last
        if following is None or not following.has("lesion") or following.has("verb"):
            return ()
        return tuple(x for t in run for x in self.labels(t))

    def _after_label(self, run: list[int], k: int) -> int:
        """Where the words after a label begin; those in its brackets are its own: "angiography (B: lateral view)"."""
        token = run[k]
        if not self.reading.marks[self.reading.tokens[token].label].inside:
            return token + 1
        closing = next((t for t in range(token, self.last) if self.reading.word(t) == ")"), self.last - 1)
        stop = min([closing, *run[k + 1:k + 2]])
        self.result.own.append(Stretch(self.labels(token), token + 1, stop))
        self.result.scopes.append(Stretch(self.labels(token), token + 1, stop))
        return stop if stop < closing else closing + 1

    def _common_opening(self, position: int, run: list[int]) -> int:
        """Gives what stands before a colon to the whole list: "MRI showing a mass: T1 (A), T2 (B)"."""
        colon = next((t for t in range(position + 1, run[0]) if self.reading.word(t) == ":"), None)
        if colon is None or not any(e.has(*DESCRIBES) for e in self.reading.within(colon, run[0])):
            return position
        self._share(tuple(x for t in run for x in self.labels(t)), position, colon)
        return colon + 1

    def _common_subject(self, position: int, run: list[int]) -> int:
        """Gives the subject of "the pontine mass (arrow) is dark on T1 (A), bright on T2 (B)" to the whole list."""
        verb = next((e for e in self.reading.within(position, run[0]) if e.has("verb") and e.first > position), None)
        if verb is None or len(run) < 2 or any(e.has(*DESCRIBES) for e in self.reading.within(position, verb.first)):
            return position
        named = [e for e in self.reading.within(verb.first, run[0]) if e.has("sequence") and stands_on(self.reading, e, verb.first)]
        if not named or not any(e.has("lesion") for e in self.reading.within(position, verb.first)):
            return position
        self._share(tuple(x for t in run for x in self.labels(t)), position, verb.first)
        return verb.first

    def _common_adjectives(self, position: int, run: list[int]) -> int:
        """Gives the size of "a 4 cm T1-hypointense (A), T2-hyperintense (B) mass" to the whole list."""
        if not any(self._qualified(run[:k + 1]) for k in range(1, len(run))):
            return position
        own = next((e.first for e in self.reading.within(position, run[0]) if e.has("sequence", "contrast")), position)
        verb = max((e.last for e in self.reading.within(position, own) if e.has("verb")), default=position)
        if own > verb > position:
            self._share(tuple(x for t in run for x in self.labels(t)), verb, own)
        return position

    def _common_statement(self, position: int, run: list[int]) -> int:
        """Gives the statement of "cysts in the left frontal (A), right parietal (B) lobes" to the whole list; only the places differ."""
        reading = self.reading
        stated = [[e for e in reading.within(a, b) if is_finding(reading, e)] for a, b in zip([position, *(t + 1 for t in run)], run, strict=False)]
        places = [all(names_place(reading, e.first) for e in entities) and bool(entities) for entities in stated]
        if len(run) < 2 or places[0] or not all(places[1:]) or not names_place(reading, stated[0][-1].first if stated[0] else -1):
            return position
        if any(e.has(*DESCRIBES, "verb") for e in reading.within(run[0], run[-1])) or any(
                (opening := reading.entity(t + 1 + (reading.word(t + 1) in _JOINS))) is None
                or not opening.has("finding", "side", "preposition", "article") for t in run[:-1]):
            return position
        start = next((k for k in range(stated[0][-1].first, position, -1) if reading.word(k) in {"in", "of", "at", "within"}), position)
        if start > position:
            self._share(tuple(x for t in run for x in self.labels(t)), position, start)
        return start

    def _bare_chunk(self, begin: int, token: int) -> bool:
        return all(self.reading.word(t) in _JOINS for t in range(begin, token))

    def _reach(self, run: list[int], k: int, begin: int, labels: tuple[str, ...]) -> tuple[str, ...]:
        """Labels of a statement that ends in a list of pictures: "a mass on T1 (A), T2 (B) and FLAIR (C)"."""
        reading = self.reading
        bare: list[str] = list(labels)
        for one, two in zip(run[k:], run[k + 1:], strict=False):
            if two == one + 1 or not self._bare_chunk(one + 1, two):
                break
            bare.extend(self.labels(two))
        if len(bare) > len(labels):
            return tuple(bare)
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
        opens_with = reading.word(position) in _OPENS and names_picture_after_finding(reading, position, token)
        if reading.word(position) in _JOINS or opens_with:
            return position
        depth = 0
        for t in range(token - 1, position, -1):
            word = reading.word(t)
            depth += (word == ")") - (word == "(")
            if (word in _JOINS and not depth) or (word in _OPENS and names_picture_after_finding(reading, t, token)):
                return t
        describing = [e for e in reading.within(position, token) if e.has(*DESCRIBES)]
        if not describing or not self._has(position, describing[0].first):
            return position
        if reading.word(position) == ":" and stands_on(reading, describing[0], position):
            return max((e.first for e in reading.within(position, describing[0].first) if e.has("verb")), default=position)
        return describing[0].first
