"""The legend parser on the characters themselves: dashes, spaces, line ends, hostile and overlong text."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from neuraxis.domain.legend import LegendFigure
from neuraxis.legends import parse_legend
from neuraxis.legends.parser import MAX_CHARACTERS

ROUNDS = json.loads((Path(__file__).parent / "data" / "rounds.json").read_text(encoding="utf-8"))


def _spans_fit(figure: LegendFigure) -> bool:
    spans = [c.span for p in figure.panels for c in p.claims if c.span] + [s for p in figure.panels for _, s in p.spans]
    return all(figure.text[s.start:s.end] == s.text for s in (*spans, *figure.not_understood))


def _said(figure: LegendFigure) -> list[tuple[str, object, object]]:
    return [(p.label, p.sequence, sorted(map(str, (c.statement for c in p.claims)))) for p in figure.panels]


@pytest.mark.parametrize(
    ("plain", "printed"), [("-", "\u2013"), ("-", "\u2011"), (" ", "\u00a0"), (" ", "\u2009"), (" x ", " \u00d7 "), ("'", "\u2019")]
)
def test_printed_dashes_and_spaces_read_like_typed_ones_and_spans_index_the_original(plain: str, printed: str) -> None:
    for entry in ROUNDS[::6]:
        (typed,) = parse_legend(entry["text"].replace(printed, plain))
        (figure,) = parse_legend(entry["text"].replace(plain, printed))
        assert _spans_fit(figure)
        assert _said(figure) == _said(typed)


def test_line_ends_of_every_kind_read_the_same_and_spans_index_the_original() -> None:
    for entry in ROUNDS[::6]:
        text = entry["text"].replace(". (", ".\n(")
        (unix,) = parse_legend(text)
        (dos,) = parse_legend(text.replace("\n", "\r\n"))
        assert _spans_fit(unix)
        assert _spans_fit(dos)
        assert _said(unix) == _said(dos)


def test_every_claim_of_the_rounds_keeps_the_words_that_made_it() -> None:
    for entry in ROUNDS:
        (figure,) = parse_legend(entry["text"])
        assert all(c.span is not None for p in figure.panels for c in p.claims)
        assert _spans_fit(figure)


@pytest.mark.parametrize("piece", ["pons and ", "compressing the pons, ", "2 x ", "bilateral, ", "(a: CT, ", "A: "])
def test_endless_lists_are_read_to_their_end(piece: str) -> None:
    for figure in parse_legend("CT: " + piece * (4000 // len(piece))):
        assert _spans_fit(figure)


def test_random_characters_of_all_planes_are_no_error() -> None:
    source = random.Random(3)
    points = [c for c in (source.randrange(0x110000) for _ in range(4000)) if not 0xD800 <= c < 0xE000]
    for figure in parse_legend("".join(map(chr, points))):
        assert _spans_fit(figure)


def test_what_stands_beyond_the_longest_legend_is_listed_not_swallowed() -> None:
    text = "Axial CT shows calcification. " + "x" * MAX_CHARACTERS + " no oedema"
    (figure,) = parse_legend(text)
    assert figure.text == text
    assert figure.not_understood[-1].end == len(text)
    assert [c.concept for c in figure.panels[0].claims] == ["calcification"]
