"""Compartment: hints from what borders on the lesion; the reader decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuraxis.domain.study import Role
from neuraxis.domain.tag import Evidence, Tag, Verdict
from neuraxis.evidence.anatomy import CSF, anatomy_of
from neuraxis.evidence.metric import Metric, MetricDescription
from neuraxis.evidence.verdicts import Answer, tag_from

if TYPE_CHECKING:
    from neuraxis.evidence.context import EvidenceContext

RULE = "hints only, no verdict: what borders on the lesion; the compartment is the reader's"

DESCRIPTION = MetricDescription(
    key="bordering_tissue",
    title="Compartment hints",
    concepts=("compartment",),
    formula="of the shell 0.5 to 2.5 mm around the lesion: shares that are CSF (cleft), brain and bone or dura-sided "
    "(outside the cranial cavity)",
    unit="1",
    inputs=("anatomy from CT, T1 and T2", "lesion mask"),
    rules=(RULE,),
    limits=("a cleft thinner than a voxel is not seen", "a claw of brain and a broad base need the eye"),
    source="signs as described in textbooks; no threshold",
    mark="prop",
)


def assess(context: EvidenceContext) -> tuple[Tag, ...]:
    """Shares of CSF, brain and outside in the shell; a compartment stated by the reader is carried along."""
    anatomy, why = anatomy_of(context)
    asserted = context.answers.compartment
    if anatomy is None or not context.series_of(Role.T2, Role.T1, Role.CISS):
        why = why or context.reason_without(Role.T2, Role.T1)
        evidence = [Evidence(DESCRIPTION.key, None, "1", "", RULE, Verdict.NOT_ASSESSABLE, why)]
        return (_tag({}, evidence, asserted, (Verdict.NOT_ASSESSABLE, why)),)
    from neuraxis.evidence.sampling import voxel_points

    distance = context.field.at(voxel_points(anatomy.geometry))
    shell = (distance > 0.5) & (distance <= 2.5)
    total = max(1, int(shell.sum()))
    fluid = float((shell & (anatomy.labels == CSF)).sum()) / total
    brain = float((shell & anatomy.brain).sum()) / total
    outside = float((shell & ~anatomy.inside).sum()) / total
    text = (
        f"around it {100 * fluid:.0f} % CSF, {100 * brain:.0f} % brain, {100 * outside:.0f} % bone or dura: a hint, the "
        "compartment is told by the reader"
    )
    evidence = [
        Evidence(key, float(np.round(share, 3)), "1", "", RULE, Verdict.NEUTRAL, text, None,
                 context.field.centre_lps_mm, context.frame)
        for key, share in (("csf_cleft", fluid), ("brain_border", brain), ("broad_base", outside))
    ]
    return (_tag({}, evidence, asserted, (Verdict.NEUTRAL, text)),)


def _tag(answers: dict[str, Answer], evidence: list[Evidence], asserted: str | None, otherwise: Answer) -> Tag:
    tag = tag_from("compartment", answers, evidence, otherwise)
    return Tag(tag.concept, asserted, tag.verdict, tag.evidence, tag.values, None, "reader" if asserted else "")


METRIC = Metric(DESCRIPTION, assess)
