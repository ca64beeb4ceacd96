"""The VASARI features that fit: every option with the code of the AIM template, and metrics that speak to them."""

from __future__ import annotations

import pytest

from neuraxis.domain.lexicon import load_lexicon

OPTIONS = {
    "vasari_f4": {67, 68, 69, 699}, "vasari_f5": {54, 55, 56, 57, 58, 59, 60, 53}, "vasari_f11": {880, 81, 82, 882, 8882},
    "vasari_f12": {12, 11, 10, 100}, "vasari_f14": {28, 29, 30, 31, 32, 33, 34, 27}, "vasari_f16": {105, 106, 1066},
    "vasari_f17": {110, 111, 112, 113, 1133}, "vasari_f25": {135, 136, 1366},
}


@pytest.mark.parametrize("concept", [*OPTIONS, "vasari_f2", "vasari_size"])
def test_every_feature_that_fits_is_there_with_the_codes_of_its_options(concept: str) -> None:
    lexicon = load_lexicon()
    assert lexicon.term(concept).meaning
    written = [lexicon.term(concept, value).codes[0] for value in lexicon.values(concept)]
    assert {c.value for c in written if c.scheme == "VASARI"} == {str(n) for n in OPTIONS.get(concept, ())}
    assert len({(c.scheme, c.value) for c in written}) == len(written)


def test_features_whose_number_differs_between_sources_are_not_written() -> None:
    assert not [c for c in load_lexicon().concepts if c.startswith(("vasari_f26", "vasari_f27", "vasari_f28"))]
