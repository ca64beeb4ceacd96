"""Margin: width of the lesion's edge, where the lesion is large enough for that to say anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuraxis.domain.geometry import FloatArray
from neuraxis.domain.tag import Evidence, Tag, Verdict
from neuraxis.evidence.metric import Metric, MetricDescription
from neuraxis.evidence.verdicts import Answer, not_assessable, tag_from

if TYPE_CHECKING:
    from neuraxis.evidence.context import EvidenceContext

SMALLEST_MM = 10.0
SHARP_VOXELS = 2.5
RULE = "well defined: 10 to 90 % of the edge within 2.5 voxels; below 10 mm the scanner's blur decides: not assessable [prop]"

DESCRIPTION = MetricDescription(
    key="edge_width",
    title="Margin, edge width",
    concepts=("margin",),
    formula="distance over which the mean signal, as a function of the signed distance to the surface, goes from 10 to "
    "90 % of the step between inside and outside, on the series on which the lesion was drawn",
    unit="mm",
    inputs=("the series of the lesion mask",),
    rules=(RULE,),
    limits=("below 10 mm not contradictable", "smooth, lobulated and irregular are the reader's; no number is ranked"),
    source="radial profile; threshold: project",
    mark="prop",
)


def edge_width_mm(values: FloatArray, distance_mm: FloatArray) -> float | None:
    """10 to 90 % width of the mean profile across the surface; None where there is no step."""
    bins = np.arange(-4.0, 4.01, 0.25)
    flat, signal = distance_mm.ravel(), values.ravel()
    keep = np.isfinite(signal) & (np.abs(flat) < 4)
    which = np.digitize(flat[keep], bins)
    centres, profile = [], []
    for n in range(1, len(bins)):
        here = signal[keep][which == n]
        if len(here) >= 5:
            centres.append(float(bins[n - 1] + 0.125))
            profile.append(float(np.median(here)))
    if len(profile) < 12 or centres[0] > -2:
        return None
    x, y = np.array(centres), np.array(profile)
    inner, outer = float(np.median(y[x < -2])), float(np.median(y[x > 2]))
    if abs(inner - outer) < 1e-6:
        return None
    share = (y - outer) / (inner - outer)
    high, low = np.flatnonzero(share < 0.9), np.flatnonzero(share > 0.1)
    if not len(high) or not len(low):
        return None
    return max(0.0, float(x[low[-1]] - x[high[0]]))


def assess(context: EvidenceContext) -> tuple[Tag, ...]:
    """Well or ill defined, from 10 mm on; never contradicted below."""
    if context.diameter_mm < SMALLEST_MM:
        why = f"the lesion measures {context.diameter_mm:.1f} mm: below 10 mm the edge is the scanner's blur"
        return (not_assessable("margin", DESCRIPTION.key, RULE, why, "mm", context.lesion.mask.series_uid),)
    series = next((s for s in context.study.series if s.id == context.lesion.mask.series_id), None)
    if series is None or not series.is_volume:
        return (not_assessable("margin", DESCRIPTION.key, RULE, "the series of the mask is not in the study", "mm"),)
    patch = context.patch(series, 15.0)
    width = edge_width_mm(patch.values, patch.distance_mm)
    if width is None:
        return (not_assessable("margin", DESCRIPTION.key, RULE, "no step of signal across the surface", "mm"),)
    voxel = max(patch.pixel_mm, 0.5 * patch.slice_mm)
    text = f"edge of {width:.1f} mm on {voxel:.2g} mm voxels"
    answers: dict[str, Answer] = dict.fromkeys(
        ("lobulated", "irregular", "smooth"), (Verdict.NEUTRAL, "shape is told by the reader")
    )
    sharp = width <= SHARP_VOXELS * voxel
    # A mask that follows the half-maximum makes its own edge look sharp: only a sharp edge is decided.
    answers["well_defined"] = (Verdict.SUPPORTS if sharp else Verdict.NOT_ASSESSABLE, text)
    answers["ill_defined"] = (Verdict.CONTRADICTS if sharp else Verdict.NOT_ASSESSABLE, text)
    evidence = Evidence(
        DESCRIPTION.key, width, "mm", series.series_uid, RULE, *answers["well_defined"], voxel,
        context.field.centre_lps_mm, context.frame,
    )
    return (tag_from("margin", answers, [evidence]),)


METRIC = Metric(DESCRIPTION, assess)
