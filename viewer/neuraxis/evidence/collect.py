"""All metrics, and the tags that they give for one lesion."""

from __future__ import annotations

from neuraxis.domain.tag import Tag
from neuraxis.errors import NeuraxisError
from neuraxis.evidence import (
    attenuation,
    blooming,
    bone_change,
    bone_continuity,
    calcification,
    compartment,
    coverage,
    cystic,
    diffusion,
    dural_tail,
    enhancement,
    flow_void,
    haemorrhage,
    hydrocephalus,
    laterality,
    location,
    margin,
    mass_effect,
    midline_shift,
    oedema,
    phase_sign,
    signal_ratio,
    size,
)
from neuraxis.evidence.context import EvidenceContext
from neuraxis.evidence.extent import widened
from neuraxis.evidence.metric import Metric
from neuraxis.evidence.partial import partial_reason, withheld
from neuraxis.evidence.verdicts import merged, not_assessable

_METRICS: tuple[Metric, ...] = (
    size.METRIC, laterality.METRIC, location.METRIC, compartment.METRIC, calcification.METRIC, attenuation.METRIC,
    bone_continuity.METRIC, bone_change.METRIC, *signal_ratio.METRICS, diffusion.METRIC, blooming.METRIC,
    phase_sign.METRIC, haemorrhage.METRIC, enhancement.METRIC, dural_tail.METRIC, oedema.METRIC, mass_effect.METRIC,
    margin.METRIC, cystic.METRIC, flow_void.METRIC, midline_shift.METRIC, hydrocephalus.METRIC, coverage.METRIC,
)


def metrics() -> tuple[Metric, ...]:
    """Every metric, in the order of the tag sheet."""
    return _METRICS


def describe_all() -> str:
    """The manual's page on evidence, Markdown, built from what each metric says of itself."""
    head = (
        "## Evidence\n\nThe reader asserts a tag; each metric says what the voxels say of it: supports, contradicts, "
        "neutral, not assessable. Status of thresholds: [lit] from a source, [T] from simulations, [prop] project "
        "default without validation."
    )
    return "\n\n".join([head, *(m.describe().to_markdown() for m in _METRICS)]) + "\n"


def collect(context: EvidenceContext) -> tuple[Tag, ...]:
    """One tag a concept: suggested value, verdict, evidence and a verdict for every value that can be asked about.

    A metric that fails with a `NeuraxisError` (a volume that cannot be read, a mask that is empty) leaves its concepts
    not assessable with that reason; the others go on. Where enhancing tissue goes on beyond a mask that holds only a
    calcified part, the metrics look at the whole lesion (`extent.widened`); where the rest does not enhance, what would
    be said of the whole is taken back (`partial.withheld`).
    """
    tags: list[Tag] = []
    whole = widened(context) or context
    for metric in _METRICS:
        description = metric.describe()
        try:
            tags.extend(metric.assess(context if metric.of_the_mask else whole))
        except NeuraxisError as error:
            tags.extend(
                not_assessable(concept, description.key, description.rules[0], str(error), description.unit)
                for concept in description.concepts
            )
    result = merged(tags)
    reason = partial_reason(whole)
    return withheld(result, reason) if reason else result
