"""Diffusion: apparent diffusion coefficient of the lesion against brain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuraxis.domain.study import Role
from neuraxis.domain.tag import Evidence, Tag, Verdict
from neuraxis.evidence.anatomy import references
from neuraxis.evidence.metric import Metric, MetricDescription
from neuraxis.evidence.signal_ratio import measure_signal
from neuraxis.evidence.verdicts import absent, not_assessable, present, tag_from, unclear

if TYPE_CHECKING:
    from neuraxis.evidence.context import EvidenceContext

RESTRICTED, FREE = 0.8, 1.0
RULE = "restricted: ADC below 0.8 x grey matter; not restricted: at least as high as grey matter [prop]"

DESCRIPTION = MetricDescription(
    key="adc_ratio",
    title="Diffusion restriction",
    concepts=("diffusion_restriction",),
    formula="median ADC of the lesion's core / median ADC of grey matter",
    unit="1",
    inputs=("ADC map", "reference tissue", "lesion mask, registered"),
    rules=(RULE,),
    limits=("needs a core of at least 5 voxels", "calcium and blood lower the ADC by loss of signal: read with SWI and CT"),
    source="project",
    mark="prop",
)


def assess(context: EvidenceContext) -> tuple[Tag, ...]:
    """Restriction from the ADC map; DWI alone cannot tell it from T2 shine-through."""
    series = next(iter(context.series_of(Role.ADC)), None)
    if series is None:
        why = context.reason_without(Role.ADC)
        return (not_assessable("diffusion_restriction", DESCRIPTION.key, RULE, why, "1"),)
    signal = measure_signal(context.patch(series, 15.0))
    tissues = references(context, series)
    reference = tissues.get("grey matter") or tissues.get("white matter")
    if signal is None or not signal.has_core or reference is None or reference.median <= 0:
        why = f"no core of 5 voxels or no reference tissue on {series.title}"
        return (not_assessable("diffusion_restriction", DESCRIPTION.key, RULE, why, "1", series.series_uid),)
    ratio = signal.value / reference.median
    text = f"ADC {ratio:.2f} x {reference.name}"
    if ratio < RESTRICTED:
        answers = present("diffusion_restriction", text, "")
    elif ratio >= FREE:
        answers = absent("diffusion_restriction", text)
    else:
        answers = unclear("diffusion_restriction", f"{text}: between 0.8 and 1")
    verdict, reason = answers.get("present", (Verdict.NEUTRAL, text))
    evidence = Evidence(
        DESCRIPTION.key, ratio, "1", series.series_uid, RULE, verdict, reason, None, context.field.centre_lps_mm,
        context.frame, (str(reference),),
    )
    return (tag_from("diffusion_restriction", answers, [evidence]),)


METRIC = Metric(DESCRIPTION, assess)
