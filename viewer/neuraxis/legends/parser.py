"""Figure legends to panels and claims: a deterministic grammar over the lexicon."""

from __future__ import annotations

import re

from neuraxis.domain.legend import Claim, LegendFigure, Panel, TextSpan
from neuraxis.domain.lexicon import Lexicon
from neuraxis.legends.claims import mark_pictures, state_claims
from neuraxis.legends.coordination import spread_planes
from neuraxis.legends.drafts import Draft
from neuraxis.legends.panels import draft_panels
from neuraxis.legends.reading import Reading, read
from neuraxis.legends.segments import segment
from neuraxis.legends.unlabelled import labels_without_marks
from neuraxis.legends.vocabulary import phrase_book, words

_HEADING = re.compile(
    r"(?:^|(?<=\n)|(?<=[.;)]\s)(?=fig(?:ure|\.)?\s*s?\d+\s*[.:|]\s))[ \t]*(?P<name>(?:supplementa(?:ry|l)\s+)?fig(?:ure|\.)?\s*(?P<number>s?\d+))(?P<letters>(?=-?[a-z]\b|\s?\())?"
    r"(?(letters)|[ \t]*(?:[.:|)\u2013]|-(?![a-z]\b))*)", re.I
)


def parse_legend(text: str, lexicon: Lexicon | None = None) -> tuple[LegendFigure, ...]:
    """Panels and claims of a figure legend, or of several in one text.

    Parameters
    ----------
    text : legend in English, with or without its heading ("Figure 1. ..."); a heading at the start of a line opens a figure
    lexicon : vocabulary; by default the built-in one (`load_lexicon(path)` adds terms of your own)

    Returns one figure for each heading number, or one figure with an empty id where there is no heading. Spans count
    characters from the start of that figure's own `text`. Nothing is guessed: words that took part in no reading are listed.
    """
    return tuple(_figure(name, part, heading_end, lexicon) for name, part, heading_end in _figures(text))


def _figures(text: str) -> list[tuple[str, str, int]]:
    headings = [h for h in _HEADING.finditer(text) if _begins(text, h.start())]
    if not headings:
        return [("", text, 0)]
    starts: list[tuple[str, int, int]] = []
    for heading in headings:
        name = f"Figure {heading['number'].upper()}"
        if starts and starts[-1][0] == name:
            continue
        starts.append((name, heading.start("name"), heading.start("name") if heading["letters"] is not None else heading.end()))
    parts = []
    lead = text[:starts[0][1]]
    if lead.strip():
        starts.insert(0, ("", 0, 0))
    ends = [s[1] for s in starts[1:]] + [len(text)]
    for (name, start, body), end in zip(starts, ends, strict=True):
        parts.append((name, text[start:end], body - start))
    return parts


def _begins(text: str, start: int) -> bool:
    """True at the start of the text, after a finished sentence and after an empty line; a wrapped "see Figure 2" is none."""
    before = text[:start]
    return not before.strip() or before.rstrip()[-1] in ".;:!?)]\"" or before.endswith("\n\n")


MAX_CHARACTERS = 20_000
"""Characters of one figure that are read; what comes after is listed as not understood. Real legends have some hundreds."""


def _figure(name: str, text: str, heading_end: int, lexicon: Lexicon | None) -> LegendFigure:
    reading = read(text[:MAX_CHARACTERS], heading_end, phrase_book(lexicon))
    unread = (TextSpan(MAX_CHARACTERS, len(text), text[MAX_CHARACTERS:]),) if len(text) > MAX_CHARACTERS else ()
    if not any(reading.tokens):
        return LegendFigure(name, text, (), unread)
    labels = tuple(dict.fromkeys(x for m in reading.marks if not m.reference for x in m.labels))
    labels = tuple(sorted(labels)) if all(len(x) == 1 for x in labels) else labels
    if labels:
        parts = segment(reading, labels)
        if labels == ("inset",):
            labels, parts = labels_without_marks(reading, inset=True)
    else:
        labels, parts = labels_without_marks(reading)
    drafts = draft_panels(reading, labels, parts)
    spread_planes(reading, drafts, parts)
    mark_pictures(reading, drafts, parts)
    claims = state_claims(reading, drafts, parts)
    panels = tuple(_panel(drafts[label], claims[label]) for label in labels)
    return LegendFigure(name, text, panels, (*_not_understood(reading), *unread))


def _panel(draft: Draft, claims: list[Claim]) -> Panel:
    imaging = draft.kind in {None, "imaging"}
    spans = tuple(sorted(draft.spans.items()))
    if not imaging:
        return Panel(draft.label, kind=draft.kind or "other", zoom=draft.zoom, marks=tuple(draft.marks), spans=spans)
    return Panel(
        draft.label, "imaging", draft.modality, draft.sequence, draft.plane, draft.window, draft.contrast, draft.zoom,
        draft.region, tuple(draft.marks), tuple(claims), spans,
    )


def _not_understood(reading: Reading) -> tuple[TextSpan, ...]:
    known = words("common", "plain")
    spans = []
    for k, token in enumerate(reading.tokens):
        if reading.at[k] >= 0 or token.label >= 0 or token.text in known or not any(c.isalpha() for c in token.text):
            continue
        spans.append(TextSpan(token.start, token.end, reading.text[token.start:token.end]))
    return tuple(spans)

