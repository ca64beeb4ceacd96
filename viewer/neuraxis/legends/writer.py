"""Legends written from panels and claims in plain radiological English that parses back to the same claims."""

from __future__ import annotations

import functools
import tomllib
from importlib import resources

from neuraxis.domain.legend import Claim, LegendFigure, Panel
from neuraxis.domain.lexicon import load_lexicon
from neuraxis.errors import UsageError

_SIGNAL_SEQUENCE = {
    "t1_signal": "T1", "t2_signal": "T2", "flair_signal": "FLAIR", "dwi_signal": "DWI", "adc_signal": "ADC", "gre_signal": "SWI",
}


@functools.cache
def _phrases() -> dict[str, dict[str, str]]:
    return tomllib.loads(resources.files("neuraxis.legends").joinpath("writing.toml").read_text(encoding="utf-8"))


def write_legend(figure: LegendFigure) -> str:
    """A legend for a figure: one sentence for each panel, the picture first, then its claims.

    `parse_legend` reads the same labels, attributes and claims from it, save what the annotation scheme infers (a T1 panel
    in which enhancement is claimed is read as T1 after contrast). A value denied to a degree ("no mild oedema") is written
    as denied altogether. Raises UsageError for a concept or value that has no phrase.
    """
    sentences = [_sentence(panel) for panel in figure.panels]
    heading = f"{figure.id}. " if figure.id else ""
    return heading + " ".join(sentences)


def _sentence(panel: Panel) -> str:
    label = "" if panel.label == "main" else _label(panel.label) + " "
    parts = [_picture(panel), *(_claim(claim) for claim in panel.claims)]
    text = parts[0] + (": " + "; ".join(parts[1:]) if parts[1:] else "")
    return label + text + "."


def _label(label: str) -> str:
    if len(label) <= 2:
        return f"({label})"
    return label.replace("-", " ").capitalize() + ":"


def _picture(panel: Panel) -> str:
    names = _phrases()
    marks = f" ({', '.join(names['mark_name'][m] for m in panel.marks)})" if panel.marks else ""
    zoom = "magnified view of " if panel.zoom else ""
    if panel.kind != "imaging":
        return (zoom + names["kind_name"][panel.kind]).capitalize() + marks
    words = []
    if panel.contrast == "pre":
        words.append("unenhanced")
    if panel.contrast == "post" and panel.sequence != "T1C":
        words.append("contrast-enhanced")
    if panel.plane:
        words.append(names["plane_name"][panel.plane])
    if panel.sequence:
        words.append(names["sequence_name"][panel.sequence])
    else:
        words.append(names["modality_name"][panel.modality] if panel.modality else "image")
    text = " ".join(words)
    if panel.region:
        text += f" of the {names['region_name'][panel.region]}"
    if panel.window:
        text += f" in {names['window_name'][panel.window]}"
    text = zoom + text
    return text[:1].upper() + text[1:] + marks


def _claim(claim: Claim) -> str:
    hedge = "possible " if claim.uncertain else ""
    if claim.concept == "location":
        return _location(claim)
    if claim.concept == "size":
        size = " x ".join(f"{s:g}" for s in claim.size_mm) + " mm"
        side = f" on the {claim.laterality}" if claim.laterality else ""
        return f"size {size}{side}"
    concept = "signal" if claim.concept in _SIGNAL_SEQUENCE else claim.concept
    phrase = _phrase(concept, claim.value, claim.negated)
    if claim.concept == "adc_signal" and claim.value in {"hyper", "hypo"} and not claim.negated:
        return hedge + {"hyper": "high ADC", "hypo": "low ADC"}[claim.value]
    if concept == "signal":
        phrase += f" on {_SIGNAL_SEQUENCE[claim.concept]}"
    if claim.size_mm:
        phrase += " of " + " x ".join(f"{s:g}" for s in claim.size_mm) + " mm"
    if claim.laterality and claim.concept == "midline_shift":
        phrase += f" to the {claim.laterality}"
    return hedge + phrase


def _location(claim: Claim) -> str:
    place = _phrases()["place_name"].get(claim.value) or load_lexicon().term("location", claim.value).meaning
    side = f"{claim.laterality} " if claim.laterality else ""
    hedge = "possible " if claim.uncertain else ""
    return f"{'no ' if claim.negated else hedge}lesion in the {side}{place[:1].lower() + place[1:]}"


def _phrase(concept: str, value: str, negated: bool) -> str:
    entry = _phrases().get(concept, {}).get(value)
    if entry is None or not entry.split("|")[int(negated)]:
        raise UsageError(f"no wording for {concept} = {value}" + (" denied" if negated else ""),
                         expected="a concept and value of the lexicon")
    return entry.split("|")[int(negated)]
