"""Tags and the evidence that speaks for or against them."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from neuraxis.domain.geometry import Vector3


class Verdict(enum.Enum):
    """What the voxels say of a tag."""

    SUPPORTS = "supports"
    CONTRADICTS = "contradicts"
    NEUTRAL = "neutral"
    NOT_ASSESSABLE = "not_assessable"


class ClaimVerdict(enum.Enum):
    """What the voxels say of a legend's claim."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    CANNOT_BE_DECIDED = "cannot_be_decided"


@dataclass(frozen=True)
class Evidence:
    """One metric's value and what it means for one concept.

    Parameters
    ----------
    metric : key of the metric ("saddle_hu")
    value, unit : the number; None when it could not be computed
    series_uid : series it was measured on ("" when it has none)
    rule : the rule applied, with its threshold and mark [lit], [T] or [prop]
    verdict, reason : for the value of the tag it stands with, in words a reader understands
    uncertainty : half width of the 95 % interval, same unit
    where_lps_mm : a point in `frame_of_reference_uid` that shows it in the picture
    inputs : further numbers that entered ("TE 20 ms", "residual 0.3 mm", "reference: white matter 412")
    """

    metric: str
    value: float | None
    unit: str
    series_uid: str
    rule: str
    verdict: Verdict
    reason: str
    uncertainty: float | None = None
    where_lps_mm: Vector3 | None = None
    frame_of_reference_uid: str = ""
    inputs: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """As in the `tag` and `audit` output of the command line."""
        return {
            "metric": self.metric, "value": self.value, "unit": self.unit, "uncertainty": self.uncertainty,
            "series_uid": self.series_uid, "rule": self.rule, "verdict": self.verdict.value, "reason": self.reason,
            "where_lps_mm": self.where_lps_mm, "inputs": list(self.inputs),
        }


@dataclass(frozen=True)
class Tag:
    """A concept with the value that the voxels suggest (None: nothing to suggest) and how well they back it.

    `values` holds, for every value of the concept that the metrics can speak to, their verdict: a claim of that value
    is held against it. `asserted_by` is empty until a reader takes the tag; "not reported" is a tag without value.
    """

    concept: str
    value: str | None
    verdict: Verdict
    evidence: tuple[Evidence, ...] = ()
    values: tuple[tuple[str, Verdict, str], ...] = ()
    """(value, verdict, reason) for each value that can be asked about."""
    laterality: str | None = None
    asserted_by: str = ""
    comment: str = ""

    def verdict_on(self, value: str) -> tuple[Verdict, str]:
        """Verdict and reason for one value of the concept; not_assessable where no metric speaks to it."""
        for known, verdict, reason in self.values:
            if known == value:
                return verdict, reason
        return Verdict.NOT_ASSESSABLE, f"no metric speaks to {self.concept} = {value}"

    def to_json(self) -> dict[str, object]:
        """As in the `tag` output of the command line."""
        return {
            "concept": self.concept, "value": self.value, "verdict": self.verdict.value,
            "laterality": self.laterality, "evidence": [e.to_json() for e in self.evidence],
            "values": [{"value": v, "verdict": d.value, "reason": r} for v, d, r in self.values],
        }
