"""MR signal of the lesion as a ratio to named reference tissue of the same series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.study import Role, Series
from neuraxis.domain.tag import Evidence, Tag, Verdict
from neuraxis.evidence.anatomy import ReferenceTissue, references
from neuraxis.evidence.calcification import DENSE_FRACTION, calcium_of
from neuraxis.evidence.extent import calcified_at
from neuraxis.evidence.metric import Metric, MetricDescription
from neuraxis.evidence.verdicts import SIGNAL_VALUES, Answer, not_assessable, tag_from, unclear

if TYPE_CHECKING:
    from neuraxis.evidence.context import EvidenceContext, Patch

HYPO, HYPER, BAND = 0.8, 1.2, 0.04
THICK_MM, THICK_ERROR = 2.0, 0.1
"""Cortex on thicker slices is mixed with fluid: the reference is uncertain by that part [prop]."""
ROLES: Mapping[str, tuple[Role, ...]] = {
    "t1_signal": (Role.T1,),
    "t2_signal": (Role.T2,),
    "flair_signal": (Role.FLAIR,),
    "dwi_signal": (Role.DWI,),
    "adc_signal": (Role.ADC,),
    "gre_signal": (Role.SWI, Role.GRE),
}
RULE = "R = lesion / grey matter: hypo R < 0.8, iso 0.8 to 1.2, hyper R > 1.2 [prop]"


@dataclass(frozen=True)
class LesionSignal:
    """Signal of the lesion: median of its core, or the lowest smoothed value where no core is left."""

    value: float
    uncertainty: float
    spread: float
    voxels: int
    has_core: bool


def measure_signal(patch: Patch, left_out: NDArray[np.bool_] | None = None) -> LesionSignal | None:
    """Signal of the lesion on native voxels; None where not one voxel centre lies inside.

    `left_out`, (z, y, x): calcified voxels of a lesion that is calcified in part.
    """
    from scipy import ndimage

    finite = np.isfinite(patch.values)
    if left_out is not None:
        finite &= ~left_out
    depth = patch.pixel_mm + min(patch.registration.residual_mm, 0.5)
    core = finite & (patch.distance_mm <= -depth)
    # A voxel reaches half its slice beyond its centre; a core voxel must lie inside with all of it.
    if patch.slice_mm > 1.5 * patch.pixel_mm:
        core &= patch.distance_mm <= -0.5 * patch.slice_mm
    if core.sum() >= 5:
        values = patch.values[core]
        spread = 1.4826 * float(np.median(np.abs(values - np.median(values))))
        return LesionSignal(
            float(np.median(values)), 2 * spread / float(np.sqrt(len(values))), spread, int(core.sum()), True
        )
    inside = finite & (patch.distance_mm <= 0)
    if not inside.any():
        return None
    filled = np.where(finite, patch.values, np.nanmedian(patch.values))
    smooth = ndimage.uniform_filter(filled, size=(1, 2, 2))
    return LesionSignal(
        float(min(smooth[inside].min(), np.median(patch.values[inside]))), float(np.std(patch.values[inside])),
        float(np.std(patch.values[inside])), int(inside.sum()), False,
    )


def judge(ratio: float, uncertainty: float, has_core: bool, csf_ratio: float | None, spread: float) -> dict[str, Answer]:
    """Verdict for each value of a signal concept.

    Parameters
    ----------
    ratio : lesion / grey matter
    has_core : False where every voxel also holds surroundings; then only hypo can be told
    csf_ratio : CSF / grey matter on the series; None where CSF was not found
    spread : robust standard deviation inside the lesion / grey matter
    """
    text = f"{ratio:.2f} x grey matter"
    margin = max(BAND, min(uncertainty, 0.1))
    if not has_core:
        return _judge_small(ratio, csf_ratio, text)
    answers: dict[str, Answer] = {"mixed": (Verdict.NEUTRAL, f"variation inside the lesion {spread:.2f} x grey matter")}
    hypo, hyper = ratio < HYPO - margin, ratio > HYPER + margin
    iso = HYPO + margin < ratio < HYPER - margin
    if not (hypo or hyper or iso):
        return unclear("t1_signal", f"{text}: too near a threshold (0.8 or 1.2) to call")
    for name, true in (("hypo", hypo), ("hyper", hyper), ("iso", iso)):
        answers[name] = (Verdict.SUPPORTS if true else Verdict.CONTRADICTS, text)
    answers["iso_hypo"] = (Verdict.CONTRADICTS, text) if hyper else (Verdict.NEUTRAL, text)
    answers["iso_hyper"] = (Verdict.CONTRADICTS, text) if hypo else (Verdict.NEUTRAL, text)
    answers["normal"] = (Verdict.NEUTRAL, text) if iso else (Verdict.CONTRADICTS, text)
    answers["csf"] = _like_csf(ratio, csf_ratio)
    return answers


def _judge_small(ratio: float, csf_ratio: float | None, text: str) -> dict[str, Answer]:
    mixed = f"{text} in voxels that also hold surroundings: only a low signal could be told"
    answers = unclear("t1_signal", mixed)
    # CSF darker than grey matter (T1, FLAIR) makes any small lesion in a cistern look dark.
    if csf_ratio is not None and csf_ratio < HYPO and ratio > csf_ratio:
        reason = f"{text}, CSF around it {csf_ratio:.2f}: partial volume with CSF alone would make it dark"
        return unclear("t1_signal", reason)
    if ratio < HYPO - BAND:
        for name in SIGNAL_VALUES:
            answers[name] = (Verdict.CONTRADICTS, text)
        answers["hypo"] = (Verdict.SUPPORTS, text)
        answers["mixed"] = answers["iso_hypo"] = (Verdict.NEUTRAL, mixed)
        if csf_ratio is not None and csf_ratio < 1:
            answers["csf"] = (Verdict.NEUTRAL, mixed)
    return answers


def _like_csf(ratio: float, csf_ratio: float | None) -> Answer:
    if csf_ratio is None or csf_ratio <= 0:
        return Verdict.NOT_ASSESSABLE, "no CSF was found to compare with"
    to_csf = ratio / csf_ratio
    text = f"{to_csf:.2f} x CSF"
    if 0.7 < to_csf < 1.4:
        # Fluid is told by T1, T2 and FLAIR together; one sequence alone cannot support it.
        return Verdict.NEUTRAL, f"{text}: one sequence alone does not tell fluid"
    return Verdict.CONTRADICTS, text


def assess_one(concept: str, context: EvidenceContext) -> tuple[Tag, ...]:
    """Signal of one sequence against grey matter, white matter and CSF."""
    key = f"{concept}_ratio"
    series_list = context.series_of(*ROLES[concept])
    if not series_list:
        return (not_assessable(concept, key, RULE, context.reason_without(*ROLES[concept]), "1"),)
    series = series_list[0]
    tissues = references(context, series)
    reference = tissues.get("grey matter") or tissues.get("white matter")
    patch = context.patch(series, 15.0)
    signal = measure_signal(patch, uncalcified_part_only(context, patch))
    if reference is None or reference.median <= 0:
        why = f"no reference tissue was found automatically on {series.title}; place one by hand"
        return (not_assessable(concept, key, RULE, why, "1", series.series_uid),)
    if signal is None:
        why = f"no voxel of {series.title} lies inside the lesion: too small for its voxels"
        return (not_assessable(concept, key, RULE, why, "1", series.series_uid),)
    return (_tag(concept, context, series, signal, reference, tissues),)


def uncalcified_part_only(context: EvidenceContext, patch: Patch) -> NDArray[np.bool_] | None:
    """Calcified voxels, where calcium fills less than the lesion; None where there is none or it fills it."""
    numbers, _, _ = calcium_of(context)
    if numbers is None or not numbers.calcified_voxels or numbers.f130 >= DENSE_FRACTION:
        return None
    return calcified_at(context, patch.points_lps_mm)


def _tag(
    concept: str, context: EvidenceContext, series: Series, signal: LesionSignal, reference: ReferenceTissue,
    tissues: Mapping[str, ReferenceTissue],
) -> Tag:
    ratio = signal.value / reference.median
    patch = context.patch(series, 15.0)
    thick = THICK_ERROR if patch.slice_mm > THICK_MM else 0.0
    parts = (signal.uncertainty / max(signal.value, 1e-6), _error(reference), thick)
    uncertainty = ratio * float(np.linalg.norm(parts))
    csf = tissues.get("CSF")
    csf_ratio = csf.median / reference.median if csf else None
    answers = judge(ratio, uncertainty, signal.has_core, csf_ratio, signal.spread / reference.median)
    if concept == "adc_signal":
        answers["csf"] = _like_csf(ratio, csf_ratio)
    named = [n for n in ("hypo", "iso", "hyper") if answers[n][0] is Verdict.SUPPORTS]
    verdict, reason = answers[named[0]] if named else answers["hypo"]
    rule = RULE if reference.name == "grey matter" else RULE.replace("grey matter", reference.name)
    inputs = (
        f"reference: {reference}", *(f"{t}: R = {signal.value / t.median:.2f}" for t in tissues.values() if t.median > 0),
        f"{signal.voxels} voxels, {'core' if signal.has_core else 'lowest smoothed value, no core'}",
        f"residual {patch.registration.residual_mm:.2f} mm",
    )
    evidence = Evidence(
        f"{concept}_ratio", ratio, "1", series.series_uid, rule, verdict, reason, uncertainty,
        context.field.centre_lps_mm, context.frame, inputs,
    )
    shown = Evidence(
        f"{concept}_reference", reference.median, "signal", series.series_uid, "reference tissue, found automatically",
        Verdict.NEUTRAL, str(reference), reference.standard_deviation, reference.where_lps_mm, context.frame,
    )
    return tag_from(concept, answers, [evidence, shown])


def _error(reference: ReferenceTissue) -> float:
    return 2 * reference.standard_deviation / reference.median / float(np.sqrt(max(1, reference.voxel_count / 10)))


def _metric(concept: str) -> Metric:
    names = "/".join(r.value for r in ROLES[concept])
    return Metric(
        MetricDescription(
            key=f"{concept}_ratio",
            title=f"{names} signal relative to reference tissue",
            concepts=(concept,),
            formula="R = median(lesion core, eroded by one voxel) / median(grey matter in neighbouring slices); white "
            "matter, CSF and muscle beside it. Without a core (small lesion, thick slices) the lowest smoothed value",
            unit="1",
            inputs=(f"{names} volume", "T1 and T2 for the reference tissue", "lesion mask, registered"),
            rules=(RULE, "between 0.76 and 0.84, or 1.16 and 1.24: not assessable [prop]"),
            limits=(
                "in a lesion that is calcified in part the calcified voxels are left out",
                "without a core only hypointensity is called, and not where dark CSF would explain it",
                "partial volume with CSF raises T2 and lowers T1",
                "slices above 2 mm: the reference in cortex is uncertain by 10 %",
                "signal voids also come from flow, air and metal: read with CT",
            ),
            source="ratio to contralateral tissue is an accepted form; grades in papers are visual against cortex "
            "(PMC3205511, PubMed 1592917); no validated cut-off was found",
            mark="prop",
        ),
        partial(assess_one, concept),
    )


METRICS = tuple(_metric(concept) for concept in ROLES)
