"""Clauses within a unit that holds labels: which of them name a picture, and where the last one begins."""

from __future__ import annotations

from neuraxis.legends.descriptors import DESCRIBES, has_findings
from neuraxis.legends.phrase_sequences import stands_on
from neuraxis.legends.reading import Reading


def last_clause(reading: Reading, first: int, token: int) -> int:
    """Where "and showed no enhancement (C)" begins in "the mass was dark on T2 and showed no enhancement (C)"; else `first`."""
    opening = next(iter(reading.within(first, token)), None)
    if opening is None or opening.has(*DESCRIBES):
        return first
    for t in range(token - 1, first, -1):
        verb = reading.entity(t + 1)
        if reading.word(t) != "and" or verb is None or not verb.has("verb"):
            continue
        named = [e for e in reading.within(first, t) if e.has("sequence") and stands_on(reading, e, first)]
        if named and not any(e.has("sequence") for e in reading.within(t, token)) and has_findings(reading, t, token):
            return t
    return first


def names_picture_after_finding(reading: Reading, first: int, last: int) -> bool:
    """True for "with no restricted diffusion on DWI" and "without enhancement after contrast"."""
    named = [e for e in reading.within(first + 1, last) if (
        e.has("sequence") and stands_on(reading, e, first)) or (e.has("contrast") and (
            reading.word(e.first) in {"after", "following"} or reading.word(e.first - 1) in {"on", "the"}))]
    return bool(named) and has_findings(reading, first, named[0].first)
