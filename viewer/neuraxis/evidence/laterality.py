"""Side of the lesion, from the head's own midline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuraxis.domain.tag import Evidence, Tag, Verdict
from neuraxis.evidence.metric import Metric, MetricDescription
from neuraxis.evidence.symmetry import midline_of
from neuraxis.evidence.verdicts import Answer, not_assessable, tag_from, unclear

if TYPE_CHECKING:
    from neuraxis.evidence.context import EvidenceContext

NEAR_MIDLINE_MM = 5.0
RULE = "side: centroid at least 5 mm (and twice the midline's uncertainty) from the symmetry plane [prop]"

DESCRIPTION = MetricDescription(
    key="midline_distance",
    title="Side, from the midline of the head",
    concepts=("laterality",),
    formula="signed distance of the lesion's centroid from the plane about which CT (else MR) mirrors best",
    unit="mm (positive to the patient's left)",
    inputs=("CT or MR of the head", "lesion mask"),
    rules=(RULE, "a tag or claim of the other side is contradicted: this blocks"),
    limits=("nearer than 5 mm: not assessable", "a head with large asymmetry (craniectomy) has no such plane"),
    source="project",
    mark="prop",
)


def judge(distance_mm: float, uncertainty_mm: float) -> dict[str, Answer]:
    """Verdict for each side; distance positive to the patient's left."""
    side, other = ("left", "right") if distance_mm > 0 else ("right", "left")
    text = f"centroid {abs(distance_mm):.1f} ± {uncertainty_mm:.1f} mm to the {side} of the midline"
    if abs(distance_mm) < NEAR_MIDLINE_MM or abs(distance_mm) < 2 * uncertainty_mm:
        return unclear("laterality", f"{text}: too near to call a side")
    return {
        side: (Verdict.SUPPORTS, text), other: (Verdict.CONTRADICTS, text), "midline": (Verdict.CONTRADICTS, text),
        "bilateral": (Verdict.NEUTRAL, f"{text}; one lesion was measured, others may exist"),
    }


def assess(context: EvidenceContext) -> tuple[Tag, ...]:
    """Side of the lesion's centroid."""
    plane, how = midline_of(context)
    if plane is None:
        return (not_assessable("laterality", DESCRIPTION.key, RULE, how, "mm"),)
    distance = float(plane.distance_mm(context.field.centre_lps_mm))
    answers = judge(distance, max(plane.uncertainty_mm, 0.5))
    side = next((n for n in ("left", "right") if answers[n][0] is Verdict.SUPPORTS), None)
    verdict, reason = answers[side or "left"]
    evidence = Evidence(
        DESCRIPTION.key, distance, "mm", plane.series_uid, RULE, verdict, reason, max(plane.uncertainty_mm, 0.5),
        context.field.centre_lps_mm, context.frame, (how,),
    )
    tag = tag_from("laterality", answers, [evidence])
    return (Tag(tag.concept, tag.value, tag.verdict, tag.evidence, tag.values, side),)


METRIC = Metric(DESCRIPTION, assess)
