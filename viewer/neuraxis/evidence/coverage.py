"""Concepts that need more of the head than the lesion's neighbourhood, and those no metric speaks to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuraxis.domain.tag import Tag
from neuraxis.evidence.metric import Metric, MetricDescription
from neuraxis.evidence.verdicts import not_assessable

if TYPE_CHECKING:
    from neuraxis.evidence.context import EvidenceContext

REASONS = {
    "herniation": "descent of the tonsils, the cingulate gyrus and the uncus is not measured: it needs these structures to "
    "be outlined; the shift of the midline is measured on its own",
}
RULE = "no metric"

DESCRIPTION = MetricDescription(
    key="not_measured",
    title="Concepts without a metric",
    concepts=tuple(REASONS),
    formula="none",
    unit="",
    inputs=(),
    rules=("always not assessable",),
    limits=tuple(REASONS.values()),
    source="project",
    mark="prop",
)


def assess(_context: EvidenceContext) -> tuple[Tag, ...]:
    """Says of each that it was not measured, so that no claim of it goes unanswered."""
    return tuple(not_assessable(concept, DESCRIPTION.key, RULE, why) for concept, why in REASONS.items())


METRIC = Metric(DESCRIPTION, assess)
