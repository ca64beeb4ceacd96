"""Claims of a legend held against the evidence of a lesion: supported, contradicted, or cannot be decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from neuraxis.domain.legend import Claim, LegendFigure, Panel
from neuraxis.domain.lesion import Lesion
from neuraxis.domain.study import Study
from neuraxis.domain.tag import ClaimVerdict, Evidence, Tag, Verdict
from neuraxis.domain.transform import RegistrationSet
from neuraxis.legends.audit_panels import PanelPicture, find_picture

ROUNDING_MM = 0.5
"""A length stated in millimetres is rounded to the next whole one."""
SIZE_DISAGREEMENT = 0.10
"""Two readers' calipers differ by about this part of a length [prop]; only more than that is contradicted."""
SIDED_ELSEWHERE = ("midline_shift", "herniation")
"""Concepts whose side is a direction and not the lesion's."""

_TURNED = {
    ClaimVerdict.SUPPORTED: ClaimVerdict.CONTRADICTED, ClaimVerdict.CONTRADICTED: ClaimVerdict.SUPPORTED,
    ClaimVerdict.CANNOT_BE_DECIDED: ClaimVerdict.CANNOT_BE_DECIDED,
}
_OF_TAG = {Verdict.SUPPORTS: ClaimVerdict.SUPPORTED, Verdict.CONTRADICTS: ClaimVerdict.CONTRADICTED}

Answer = tuple[ClaimVerdict, str]


@dataclass(frozen=True)
class ClaimAudit:
    """A claim with its verdict, the reason in words and the evidence it rests on."""

    claim: Claim
    verdict: ClaimVerdict
    reason: str
    evidence: tuple[Evidence, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A claim as in the `audit` output of the command line."""
        return {
            **self.claim.to_json(), "verdict": self.verdict.value, "reason": self.reason,
            "evidence": [e.to_json() for e in self.evidence],
        }


@dataclass(frozen=True)
class PanelAudit:
    """A panel with the picture found for it and its claims."""

    panel: Panel
    picture: PanelPicture
    claims: tuple[ClaimAudit, ...]

    @property
    def label(self) -> str:
        """The panel's letter."""
        return self.panel.label

    def to_json(self) -> dict[str, Any]:
        """A panel as in the `audit` output of the command line."""
        series, window = self.picture.series, self.picture.window
        return {
            "label": self.panel.label, "kind": self.panel.kind, "series_uid": series.series_uid if series else None,
            "series_id": series.id if series else None, "plane": self.picture.plane, "window": self.panel.window,
            "window_center": window.center if window else None, "window_width": window.width if window else None,
            "position_lps_mm": self.picture.position_lps_mm, "reason": self.picture.reason,
            "claims": [c.to_json() for c in self.claims],
        }


@dataclass(frozen=True)
class LegendAudit:
    """Every panel of a figure with every claim made in it."""

    figure_id: str
    panels: tuple[PanelAudit, ...]

    @property
    def claims(self) -> tuple[ClaimAudit, ...]:
        """All claims of all panels, in order."""
        return tuple(c for p in self.panels for c in p.claims)

    def count(self, verdict: ClaimVerdict) -> int:
        """How many claims got a verdict."""
        return sum(c.verdict is verdict for c in self.claims)

    def to_json(self) -> dict[str, Any]:
        """The `audit` output of the command line for one figure."""
        return {"id": self.figure_id, "panels": [p.to_json() for p in self.panels]}


def audit(
    legend_figure: LegendFigure, *, study: Study, lesion: Lesion, tags: Sequence[Tag], registrations: RegistrationSet
) -> LegendAudit:
    """Hold every claim of a figure's legend against the tags of the lesion it is about.

    Parameters
    ----------
    legend_figure : parsed legend
    study : in which series, plane and window of each panel are looked up
    lesion : the lesion the legend is about
    tags : what `neuraxis.evidence.collect` gave for it
    registrations : between the study's frames of reference
    """
    by_concept = {tag.concept: tag for tag in tags}
    panels = tuple(
        PanelAudit(
            panel, find_picture(panel, study, lesion, registrations),
            tuple(audit_claim(claim, by_concept, lesion) for claim in panel.claims),
        )
        for panel in legend_figure.panels
    )
    return LegendAudit(legend_figure.id, panels)


def audit_claim(claim: Claim, tags: Mapping[str, Tag], lesion: Lesion) -> ClaimAudit:
    """Verdict on one claim.

    The value is held against the tag of its concept; a denied value turns the verdict round. A stated side must be the
    lesion's side: another side contradicts whatever is claimed, an undecidable side leaves a supported claim undecided.
    """
    tag = tags.get(claim.concept)
    evidence = tag.evidence if tag else ()
    verdict, reason = _size_answer(claim, lesion, tag) if claim.concept == "size" else _value_answer(claim, tag)
    if claim.laterality and claim.concept not in (*SIDED_ELSEWHERE, "size"):
        verdict, reason = _with_side(claim, (verdict, reason), tags)
        side = tags.get("laterality")
        evidence = (*evidence, *(side.evidence if side and claim.concept != "laterality" else ()))
    if claim.uncertain:
        reason = f"{reason} (the legend hedges this claim)"
    return ClaimAudit(claim, verdict, reason, tuple(evidence))


def _value_answer(claim: Claim, tag: Tag | None) -> Answer:
    if tag is None:
        return ClaimVerdict.CANNOT_BE_DECIDED, f"no metric speaks to {claim.concept.replace('_', ' ')}"
    found, reason = tag.verdict_on(claim.value)
    verdict = _OF_TAG.get(found, ClaimVerdict.CANNOT_BE_DECIDED)
    # "none" is itself the denial of the finding: `negated` says the same once more and turns nothing.
    if claim.negated and claim.value != "none":
        if claim.value == "present":
            return _value_answer(Claim(claim.concept, "none"), tag)
        verdict = _TURNED[verdict]
    return verdict, reason


def _with_side(claim: Claim, answer: Answer, tags: Mapping[str, Tag]) -> Answer:
    verdict, reason = answer
    tag = tags.get("laterality")
    if tag is None:
        return _undecided(verdict), f"{reason}; the side was not measured"
    found, why = tag.verdict_on(claim.laterality or "")
    # "No oedema on the left" says nothing of a lesion on the right.
    denied = claim.negated or claim.value == "none"
    if found is Verdict.CONTRADICTS:
        if denied:
            return ClaimVerdict.CANNOT_BE_DECIDED, f"{reason}; said of the {claim.laterality} side, but {why}"
        return ClaimVerdict.CONTRADICTED, f"side: {why}"
    if claim.concept == "laterality" and not claim.negated:
        return _OF_TAG.get(found, ClaimVerdict.CANNOT_BE_DECIDED), why
    if found is Verdict.SUPPORTS:
        return verdict, f"{reason}; side: {why}"
    return _undecided(verdict), f"{reason}; side: {why}"


def _undecided(verdict: ClaimVerdict) -> ClaimVerdict:
    return verdict if verdict is ClaimVerdict.CONTRADICTED else ClaimVerdict.CANNOT_BE_DECIDED


def _size_answer(claim: Claim, lesion: Lesion, tag: Tag | None) -> Answer:
    measured = [length.quantity for length in (lesion.measurement.long_axis, lesion.measurement.short_axis) if length]
    if not claim.size_mm:
        return ClaimVerdict.CANNOT_BE_DECIDED, "the legend states no length"
    if claim.negated:
        return ClaimVerdict.CANNOT_BE_DECIDED, "a denied length says nothing that could be measured"
    if tag is not None and tag.verdict_on("measured")[0] is not Verdict.SUPPORTS:
        return ClaimVerdict.CANNOT_BE_DECIDED, tag.verdict_on("measured")[1]
    if not measured:
        return ClaimVerdict.CANNOT_BE_DECIDED, "; ".join(lesion.measurement.warnings) or "no length was measured"
    stated = sorted(claim.size_mm, reverse=True)
    answers = [_length_answer(s, q.value, q.uncertainty or 0.0) for s, q in zip(stated, measured, strict=False)]
    reason = "; ".join(text for _, text in answers)
    if len(stated) > len(measured):
        reason += "; the third length was not compared"
    verdicts = [v for v, _ in answers]
    for verdict in (ClaimVerdict.CONTRADICTED, ClaimVerdict.CANNOT_BE_DECIDED):
        if verdict in verdicts:
            return verdict, reason
    return ClaimVerdict.SUPPORTED, reason


def _length_answer(stated: float, measured: float, uncertainty: float) -> Answer:
    difference = abs(stated - measured)
    text = f"stated {stated:g} mm, measured {measured:.1f} ± {uncertainty:.1f} mm"
    if difference <= uncertainty + ROUNDING_MM:
        return ClaimVerdict.SUPPORTED, text
    if difference > 2 * uncertainty + ROUNDING_MM + SIZE_DISAGREEMENT * max(stated, measured):
        return ClaimVerdict.CONTRADICTED, text
    return ClaimVerdict.CANNOT_BE_DECIDED, f"{text}: within what two readers differ by"
