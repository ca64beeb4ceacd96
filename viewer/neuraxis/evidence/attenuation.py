"""CT attenuation of the lesion relative to brain in the same study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuraxis.domain.tag import Evidence, Tag, Verdict
from neuraxis.evidence.anatomy import references
from neuraxis.evidence.calcification import calcium_of
from neuraxis.evidence.metric import Metric, MetricDescription
from neuraxis.evidence.verdicts import Answer, not_assessable, tag_from, unclear

if TYPE_CHECKING:
    from neuraxis.evidence.context import EvidenceContext

STEP_HU, SAME_HU = 10.0, 5.0
FLUID_HU, FAT_HU = (-5.0, 18.0), -20.0
RULE = "hyper: more than 10 HU above brain, hypo: more than 10 HU below, iso: within 5 HU [prop]"

DESCRIPTION = MetricDescription(
    key="attenuation_difference",
    title="CT attenuation relative to brain",
    concepts=("attenuation",),
    formula="mean HU in the lesion - median HU of grey and white matter",
    unit="HU",
    inputs=("CT without contrast in HU", "reference tissue", "lesion mask"),
    rules=(RULE, "fluid: mean between -5 and 18 HU; fat: mean below -20 HU [lit: reference HU; prop: limits]"),
    limits=("mixed attenuation is the reader's; the spread is shown", "small lesions on thick slices are averaged"),
    source="reference HU of tissues: neurosurgicalatlas.com quick reference; limits: project",
    mark="prop",
)


def judge(difference: float, error: float, mean: float) -> dict[str, Answer]:
    """Verdict for each value; difference lesion - brain in HU."""
    text = f"mean {mean:.0f} HU, {difference:+.0f} ± {error:.0f} HU against brain"
    hyper, hypo = difference - error > STEP_HU, difference + error < -STEP_HU
    iso = abs(difference) + error < STEP_HU and abs(difference) <= SAME_HU
    if not (hyper or hypo or iso):
        return unclear("attenuation", f"{text}: between iso and hyper or hypo")
    answers: dict[str, Answer] = {
        name: (Verdict.SUPPORTS if true else Verdict.CONTRADICTS, text)
        for name, true in (("hyper", hyper), ("hypo", hypo), ("iso", iso))
    }
    answers["mixed"] = (Verdict.NEUTRAL, f"{text}; told by the reader")
    answers["iso_hyper"] = (Verdict.CONTRADICTS if hypo else Verdict.NEUTRAL, text)
    answers["iso_hypo"] = (Verdict.CONTRADICTS if hyper else Verdict.NEUTRAL, text)
    fluid = FLUID_HU[0] + error < mean < FLUID_HU[1] - error
    near = FLUID_HU[0] - error <= mean <= FLUID_HU[1] + error
    answers["fluid"] = (Verdict.SUPPORTS if fluid else Verdict.NEUTRAL if near else Verdict.CONTRADICTS, text)
    answers["fat"] = (Verdict.SUPPORTS if mean + error < FAT_HU else Verdict.CONTRADICTS, text)
    return answers


def assess(context: EvidenceContext) -> tuple[Tag, ...]:
    """Attenuation against grey and white matter."""
    numbers, series, why = calcium_of(context)
    if numbers is None or series is None:
        return (not_assessable("attenuation", DESCRIPTION.key, RULE, why, "HU"),)
    tissues = references(context, series)
    brain = [t for name, t in tissues.items() if name in ("grey matter", "white matter")]
    if not brain:
        why = f"no brain was found on {series.title} to compare with"
        return (not_assessable("attenuation", DESCRIPTION.key, RULE, why, "HU", series.series_uid),)
    reference = float(np.mean([t.median for t in brain]))
    difference = numbers.mean - reference
    error = float(np.hypot(2.0, 2 * numbers.noise / np.sqrt(max(4, context.lesion.mask.voxel_count / 8))))
    answers = judge(difference, error, numbers.mean)
    named = next((n for n in ("hyper", "hypo", "iso") if answers[n][0] is Verdict.SUPPORTS), "iso")
    evidence = Evidence(
        DESCRIPTION.key, difference, "HU", series.series_uid, RULE, *answers[named], error,
        context.field.centre_lps_mm, context.frame, (*(str(t) for t in brain), f"P90 {numbers.p90:.0f} HU"),
    )
    return (tag_from("attenuation", answers, [evidence]),)


METRIC = Metric(DESCRIPTION, assess)
