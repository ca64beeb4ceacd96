"""Legends written from claims parse back to the same claims."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from neuraxis.domain.legend import Claim, LegendFigure, Panel
from neuraxis.domain.lexicon import load_lexicon
from neuraxis.errors import UsageError
from neuraxis.legends import parse_legend, write_legend

_PICTURE = {
    "t1_signal": ("T1", None), "t2_signal": ("T2", None), "flair_signal": ("FLAIR", None), "dwi_signal": ("DWI", None),
    "adc_signal": ("ADC", None), "gre_signal": ("SWI", None), "blooming": ("SWI", None), "diffusion_restriction": ("DWI", None),
    "enhancement": ("T1C", "post"), "dural_tail": ("T1C", "post"),
}
_DEGREES = {"mild", "moderate", "marked", "severe", "intense"}


def _claims() -> list[Claim]:
    claims = []
    for term in load_lexicon():
        if not term.value or term.concept.startswith("vasari") or term.concept in {"signal", "size", "phase_sign"}:
            continue
        if term.value != "none":
            claims += [Claim(term.concept, term.value), Claim(term.concept, term.value, uncertain=True)]
        if term.value != "present" and term.value not in _DEGREES:
            claims.append(Claim(term.concept, term.value, negated=True))
    claims += [Claim("location", "frontal", laterality=side) for side in ("left", "right", "bilateral")]
    claims += [Claim("size", "measured", size_mm=(11.0, 8.0)), Claim("size", "measured", size_mm=(4.5,), laterality="right"),
               Claim("midline_shift", "present", size_mm=(8.0,), laterality="left"),
               Claim("herniation", "tonsillar", size_mm=(12.0,))]
    return claims


@pytest.mark.parametrize("claim", _claims(), ids=lambda c: "-".join(str(x) for x in c.statement[:5]))
def test_each_claim_survives_writing_and_reading(claim: Claim) -> None:
    sequence, contrast = _PICTURE.get(claim.concept, ("CT", None))
    modality = "CT" if sequence == "CT" else "MR"
    figure = LegendFigure("Figure 1", "", (
        Panel("a", modality=modality, sequence=sequence, plane="axial", contrast=contrast, claims=(claim,)),
        Panel("b", modality="MR", sequence="T2", plane="coronal"),
    ))
    (read,) = parse_legend(write_legend(figure))
    assert [c.statement for c in read.panel("a").claims] == [claim.statement]
    assert read.panel("b").claims == ()


def test_the_attributes_of_a_picture_survive_writing_and_reading() -> None:
    figure = LegendFigure("Figure 3", "", (
        Panel("a", modality="CT", sequence="CT", plane="axial", window="bone", contrast="pre", zoom=True, region="foramen_magnum",
              marks=("arrow",)),
        Panel("b", modality="MR", sequence="T1C", plane="coronal", contrast="post", region="brain"),
        Panel("c", kind="histology", marks=("asterisk",)),
        Panel("d", kind="photo"),
        Panel("e", modality="DSA"),
    ))
    (read,) = parse_legend(write_legend(figure))
    for panel, again in zip(figure.panels, read.panels, strict=True):
        for name in ("label", "kind", "modality", "sequence", "plane", "window", "contrast", "zoom", "region", "marks"):
            assert getattr(again, name) == getattr(panel, name), (panel.label, name)


def test_a_figure_with_many_claims_for_each_panel_survives() -> None:
    figures = json.loads((Path(__file__).parent / "data" / "hand_coded.json").read_text(encoding="utf-8"))
    (first,) = parse_legend(next(f["text"] for f in figures if f["id"] == "h42"))
    (again,) = parse_legend(write_legend(first))
    for panel in first.panels:
        assert {c.statement for c in again.panel(panel.label).claims} == {c.statement for c in panel.claims}


def test_a_claim_without_a_wording_is_refused() -> None:
    figure = LegendFigure("", "", (Panel("a", claims=(Claim("calcification", "striped"),)),))
    with pytest.raises(UsageError, match="calcification = striped"):
        write_legend(figure)
