"""Legends written from random sets of tags read back as the same panels and claims."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from neuraxis.domain.legend import Claim, LegendFigure, Panel
from neuraxis.domain.lexicon import load_lexicon
from neuraxis.legends import parse_legend, write_legend

_SHOWS = {
    "CT": {"calcification", "attenuation", "bone_change"}, "T1": {"t1_signal"}, "T2": {"t2_signal"}, "FLAIR": {"flair_signal"},
    "DWI": {"dwi_signal", "diffusion_restriction"}, "ADC": {"adc_signal", "diffusion_restriction"},
    "SWI": {"gre_signal", "blooming"}, "GRE": {"gre_signal", "blooming"}, "T1C": {"t1_signal", "enhancement", "dural_tail"},
}
_ONLY_THERE = frozenset().union(*_SHOWS.values())
_DEGREES = {"mild", "moderate", "marked", "severe", "intense"}
_LISTED = {"location", "enhancement", "cystic", "bone_change", "haemorrhage", "margin", "compartment"}
"""Concepts of which a panel may state several values."""


def _claims(sequence: str) -> list[Claim]:
    claims = []
    for term in load_lexicon():
        own = term.concept not in _ONLY_THERE or term.concept in _SHOWS[sequence]
        if not term.value or not own or term.concept.startswith("vasari") or term.concept in {"signal", "phase_sign", "size", "laterality"}:
            continue
        if term.value != "none":
            claims.append(Claim(term.concept, term.value))
        if term.value != "present" and term.value not in _DEGREES:
            claims.append(Claim(term.concept, term.value, negated=True))
    return claims


_POOL = {sequence: _claims(sequence) for sequence in _SHOWS}


def _compatible(claim: Claim, chosen: list[Claim]) -> bool:
    """True where a reader could assert a claim beside the others of the panel."""
    same = [c for c in chosen if c.concept == claim.concept]
    if claim.concept == "location":
        return all(c.value != claim.value for c in same)
    broad = {"none", "present", *_DEGREES}
    return not same or (claim.concept in _LISTED and claim.value not in broad and all(
        c.value not in broad | {claim.value} and c.negated == claim.negated for c in same))


@st.composite
def _panels(draw: st.DrawFn, label: str) -> Panel:
    sequence = draw(st.sampled_from(sorted(_SHOWS)))
    chosen: list[Claim] = []
    for claim in draw(st.lists(st.sampled_from(_POOL[sequence]), max_size=6)):
        if not _compatible(claim, chosen):
            continue
        side: str | None = None
        size: tuple[float, ...] = ()
        if not claim.negated and claim.concept == "location":
            side = draw(st.sampled_from([None, "left", "right", "bilateral", "midline"]))
        if not claim.negated and (claim.concept == "midline_shift" or claim.value == "tonsillar"):
            size = (float(draw(st.integers(2, 20))),)
        if not claim.negated and claim.concept == "midline_shift":
            side = draw(st.sampled_from([None, "left", "right"]))
        uncertain = not claim.negated and draw(st.booleans())
        chosen.append(Claim(claim.concept, claim.value, claim.negated, uncertain, side, size))
    if draw(st.booleans()):
        lengths = draw(st.lists(st.integers(10, 900).map(lambda tenths: tenths / 10), min_size=1, max_size=3))
        chosen.append(Claim("size", "measured", laterality=draw(st.sampled_from([None, "left", "right"])), size_mm=tuple(lengths)))
    is_ct = sequence == "CT"
    return Panel(
        label, "imaging", "CT" if is_ct else "MR", sequence, draw(st.sampled_from([None, "axial", "coronal", "sagittal"])),
        draw(st.sampled_from([None, "bone", "brain", "soft_tissue"])) if is_ct else None,
        "post" if sequence == "T1C" else draw(st.sampled_from([None, "pre"])) if sequence in {"CT", "T1"} else None,
        draw(st.booleans()), draw(st.sampled_from([None, "brain", "foramen_magnum", "cervical_spine", "orbit"])),
        tuple(draw(st.lists(st.sampled_from(["arrow", "arrowhead", "asterisk", "circle"]), unique=True, max_size=2))), tuple(chosen),
    )


@st.composite
def _figures(draw: st.DrawFn) -> LegendFigure:
    count = draw(st.integers(1, 5))
    labels = ["main"] if count == 1 else list("abcde"[:count])
    return LegendFigure("Figure 1", "", tuple(draw(_panels(label)) for label in labels))


@given(_figures())
@settings(max_examples=80, deadline=None)
def test_any_set_of_tags_survives_writing_and_reading(figure: LegendFigure) -> None:
    (read,) = parse_legend(write_legend(figure))
    assert [p.label for p in read.panels] == [p.label for p in figure.panels]
    for panel, again in zip(figure.panels, read.panels, strict=True):
        assert {c.statement for c in again.claims} == {c.statement for c in panel.claims}
        assert set(again.marks) == set(panel.marks)
        for name in ("kind", "modality", "sequence", "plane", "window", "contrast", "zoom", "region"):
            assert getattr(again, name) == getattr(panel, name), name
