"""What a metric is: a computation on voxels that describes itself and returns tags with evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neuraxis.domain.tag import Tag

if TYPE_CHECKING:
    from neuraxis.evidence.context import EvidenceContext


@dataclass(frozen=True)
class MetricDescription:
    """How a metric works, for the manual and for the evidence sheet.

    Parameters
    ----------
    key : short name, the `metric` of its evidence
    title : what it measures, in a few words
    concepts : concepts of the legend schema that it speaks to
    formula : how the number is computed
    unit : unit of the number
    inputs : series and structures it needs
    rules : one line a threshold, each ending in its mark
    limits : when it answers not_assessable, and what it cannot see
    source : where formula and thresholds come from
    mark : 'lit' (from a source), 'T' (from simulations), 'prop' (project default without validation)
    """

    key: str
    title: str
    concepts: tuple[str, ...]
    formula: str
    unit: str
    inputs: tuple[str, ...]
    rules: tuple[str, ...]
    limits: tuple[str, ...]
    source: str
    mark: str

    def to_markdown(self) -> str:
        """The metric's section of the manual."""
        lines = [f"### {self.title} (`{self.key}`)", "", f"Speaks to: {', '.join(self.concepts)}.", ""]
        lines += [f"- Formula: {self.formula}", f"- Unit: {self.unit}", f"- Inputs: {'; '.join(self.inputs)}"]
        lines += [f"- Rule: {rule}" for rule in self.rules]
        lines += [f"- Limit: {limit}" for limit in self.limits]
        lines += [f"- Source: {self.source}", f"- Status: [{self.mark}] {_STATUS[self.mark]}"]
        return "\n".join(lines)


_STATUS = {
    "lit": "threshold from a published source",
    "T": "threshold from simulations on synthetic data, not validated on patients",
    "prop": "project default without validation",
}


@dataclass(frozen=True)
class Metric:
    """A description together with the function that assesses a lesion.

    `assess` returns at most one tag a concept; tags of the same concept from several metrics are merged by `collect`.
    `of_the_mask` says that the metric speaks of the mask as it is (a calcified part) even where the lesion goes on
    beyond it; the others then look at the whole.
    """

    description: MetricDescription
    assess: Callable[[EvidenceContext], tuple[Tag, ...]]
    of_the_mask: bool = False

    def describe(self) -> MetricDescription:
        """Formula, unit, inputs, rules, limits and source."""
        return self.description
