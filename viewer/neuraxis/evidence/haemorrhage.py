"""Blood products: signal void on SWI, CT attenuation, T1 signal and, with a reference, the sign of the phase."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuraxis.domain.tag import Evidence, Tag, Verdict
from neuraxis.evidence.blooming import DEEP_VOID, SHALLOW_VOID, void_of
from neuraxis.evidence.calcification import CALCIFIED_HU, calcium_of
from neuraxis.evidence.metric import Metric, MetricDescription
from neuraxis.evidence.phase_sign import PhaseSign, sign_of
from neuraxis.evidence.verdicts import Answer, absent, not_assessable, present, tag_from, unclear

if TYPE_CHECKING:
    from neuraxis.evidence.context import EvidenceContext

RULE = (
    "none: no signal void on SWI (depth < 30 %) [prop]; a void with calcium on CT, or with HU < 100, is calcium or blood: "
    "decided only by the phase sign [lit: 100 HU]"
)

DESCRIPTION = MetricDescription(
    key="blood_products",
    title="Haemorrhage",
    concepts=("haemorrhage",),
    formula="depth of the SWI void = (background - minimum) / background, with the maximum HU at the same place and the "
    "sign of the phase relative to a vein the reader marked",
    unit="1",
    inputs=("SWI or T2* magnitude", "CT", "optional: phase and a reference vein"),
    rules=(RULE,),
    limits=(
        "SWI magnitude cannot tell calcium from blood; below 100 HU CT cannot either",
        "blood outside the lesion (subarachnoid, intraventricular, subdural) is not looked for",
    ),
    source="doi 10.1055/a-1556-4801; EJRNM 2020 (SWI specificity for calcification 50 %)",
    mark="prop",
)


def judge(depth: float, maximum_hu: float | None, sign: PhaseSign | None) -> dict[str, Answer]:
    """Verdict for each value."""
    hu = "no CT" if maximum_hu is None else f"CT maximum {maximum_hu:.0f} HU"
    text = f"signal falls by {100 * depth:.0f} % on SWI, {hu}"
    if depth < SHALLOW_VOID:
        answers = absent("haemorrhage", f"{text}: no void")
    elif depth < DEEP_VOID:
        answers = unclear("haemorrhage", f"{text}: too shallow to call")
    elif sign is not None and sign.paramagnetic is True:
        answers = present("haemorrhage", f"{text}; {sign.text}", "the kind is told by the reader")
    elif sign is not None and sign.paramagnetic is False:
        answers = absent("haemorrhage", f"{text}; {sign.text}: calcium explains the void")
    else:
        why = "calcium explains the void, blood beside it cannot be excluded without a phase reference"
        if maximum_hu is None or maximum_hu < CALCIFIED_HU:
            why = "calcium or blood: not told apart without a phase reference"
        answers = unclear("haemorrhage", f"{text}: {why}")
    for name in ("intraventricular", "subarachnoid", "subdural", "extradural"):
        answers[name] = (Verdict.NOT_ASSESSABLE, "blood outside the lesion is not looked for")
    return answers


def assess(context: EvidenceContext) -> tuple[Tag, ...]:
    """Blood products in the lesion."""
    void, series, why = void_of(context)
    if void is None or series is None:
        return (not_assessable("haemorrhage", DESCRIPTION.key, RULE, why, "1"),)
    calcium, _, _ = calcium_of(context)
    maximum = calcium.maximum if calcium is not None else None
    sign, sign_reason = sign_of(context)
    answers = judge(max(void.depth, void.focal_depth), maximum, sign)
    evidence = Evidence(
        DESCRIPTION.key, float(np.round(max(void.depth, void.focal_depth), 4)), "1", series.series_uid, RULE, *answers["present"], None,
        context.field.centre_lps_mm, context.frame,
        (f"TE {series.acquisition.echo_time_ms or '?'} ms", "phase: " + (sign.text if sign else sign_reason)),
    )
    return (tag_from("haemorrhage", answers, [evidence]),)


METRIC = Metric(DESCRIPTION, assess, of_the_mask=True)
