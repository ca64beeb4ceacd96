"""Blooming: how far the signal void on SWI reaches beyond the lesion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neuraxis.domain.geometry import FloatArray
from neuraxis.domain.study import Role, Series
from neuraxis.domain.tag import Evidence, Tag, Verdict
from neuraxis.evidence.anatomy import references
from neuraxis.evidence.calcification import calcium_of
from neuraxis.evidence.metric import Metric, MetricDescription
from neuraxis.evidence.sampling import sample
from neuraxis.evidence.verdicts import Answer, absent, not_assessable, present, tag_from, unclear

if TYPE_CHECKING:
    from neuraxis.evidence.context import EvidenceContext, Patch

PRESENT_RATIO, MARKED_RATIO = 1.1, 1.5
DEEP_VOID, SHALLOW_VOID = 0.5, 0.3
SPOTS_FROM_MM = 2.5
DARK_SURROUNDINGS = 0.5
"""Signal of the surroundings as a part of the brain's, below which no void can stand out."""
RAYS = 72
RAY_STEP_MM, STAYS_RISEN_MM = 0.1, 1.5
RULE = (
    "none: the signal falls by less than 30 % of its surroundings; blooming ratio (diameter) of a void at least half as deep: "
    "present >= 1.1, marked >= 1.5, below 1.1 not assessable (a dark lesion without blooming) [prop]"
)

DESCRIPTION = MetricDescription(
    key="blooming_ratio",
    title="Blooming ratio",
    concepts=("blooming",),
    formula="BR = D_SWI / D_ref; D_SWI twice the median radius, in the image plane, at which the magnitude has risen "
    "half way from the lesion's minimum to the local background; D_ref twice the median radius of the lesion's surface "
    "(CT half-maximum where the mask is from CT) along the same directions",
    unit="1",
    inputs=("SWI magnitude or T2* magnitude, never a minIP", "lesion mask, registered"),
    rules=(RULE, "within the uncertainty of a threshold: not assessable"),
    limits=(
        "depends on echo time, field strength and voxel, which are stored with it: comparable only at equal ones",
        "needs 3 voxels across the reference",
        "directions in which bone, air or a vessel continues the void are left out",
        "surroundings darker than half of the brain (bone, air): not assessable",
        "SWI magnitude cannot tell calcium from blood",
    ),
    source="dependence on TE: Liu 2012 (PMC4297605); thresholds: project",
    mark="prop",
)


@dataclass(frozen=True)
class Void:
    """Signal void at the lesion in the image plane of a series.

    Parameters
    ----------
    depth : (background - minimum) / background
    diameter_mm : at half depth; nan where no direction rises again
    reference_mm : diameter of the lesion's surface along the same directions
    free_directions : share of the directions that were used
    """

    depth: float
    diameter_mm: float
    reference_mm: float
    free_directions: float
    minimum: float
    background: float
    focal_depth: float = 0.0
    """Depth of the darkest four touching voxels well inside the lesion: calcified or bled spots of a larger lesion."""


def focal_minimum(patch: Patch, depth_mm: float) -> float | None:
    """Lowest value below which four touching voxels at least that deep in the lesion lie; None where it has no such part."""
    import cc3d

    deep = (patch.distance_mm <= -max(depth_mm, 0.75 * patch.pixel_mm)) & np.isfinite(patch.values)
    if deep.sum() < 8:
        return None
    for level in np.quantile(patch.values[deep], np.linspace(0.005, 0.5, 25)):
        labels = cc3d.connected_components(deep & (patch.values <= level), connectivity=18)
        if labels.max() and np.bincount(labels.ravel())[1:].max() >= 4:
            return float(level)
    return None


def measure_void(
    patch: Patch, centre_lps_mm: FloatArray, distance_at: object, reach_mm: float, spots_from_mm: float = SPOTS_FROM_MM
) -> Void | None:
    """Void around a point, measured along rays in the image plane through its centre.

    Parameters
    ----------
    patch : native magnitude voxels
    centre_lps_mm : centre of the lesion in the series' frame of reference
    distance_at : function from LPS points of the series' frame to signed distance from the lesion's surface
    reach_mm : length of the rays
    spots_from_mm : dark spots count from this depth on; nearer to the surface bone, air and vessels reach in
    """
    assert callable(distance_at)
    inside = (patch.distance_mm <= 0) & np.isfinite(patch.values)
    if not inside.any():
        return None
    # The darkest quarter, not the single darkest voxel: a vessel or bone at the edge is no void of the lesion.
    minimum = float(np.percentile(patch.values[inside], 25))
    start = centre_lps_mm
    angles = np.linspace(0, 2 * np.pi, RAYS, endpoint=False)
    column, row, _ = (np.asarray(v) for v in patch.geometry.direction_lps)
    directions = np.cos(angles)[:, None] * column + np.sin(angles)[:, None] * row
    radii = np.arange(0.0, reach_mm, RAY_STEP_MM)
    points = start + radii[None, :, None] * directions[:, None, :]
    values = sample(patch.values, patch.geometry, points)
    surface = np.asarray(distance_at(points))
    shell = (surface > 2.0) & (surface < 10.0) & np.isfinite(values)
    if shell.sum() < 50:
        return None
    # The bright half of the surroundings: voids of bone and vessels are not background.
    background = float(np.percentile(values[shell], 65))
    if background <= 0:
        return None
    depth = (background - minimum) / background
    half = minimum + 0.5 * (background - minimum)
    lowest = focal_minimum(patch, spots_from_mm)
    focal = depth if lowest is None else max(depth, (background - lowest) / background)
    outer, reference = _radii(values, surface, radii, half)
    free = np.isfinite(outer)
    if free.sum() < 0.25 * RAYS:
        return Void(depth, float("nan"), 2 * float(np.nanmedian(reference)), float(free.mean()), minimum, background, focal)
    return Void(
        depth, 2 * float(np.median(outer[free])), 2 * float(np.median(reference[free])), float(free.mean()),
        minimum, background, focal,
    )


def _radii(values: FloatArray, surface: FloatArray, radii: FloatArray, half: float) -> tuple[FloatArray, FloatArray]:
    """Radius at half depth and radius of the lesion's surface on each ray; nan where the void does not end."""
    outer = np.full(len(values), np.nan)
    reference = np.full(len(values), np.nan)
    for ray, (line, distance) in enumerate(zip(values, surface, strict=True)):
        outside = np.flatnonzero(distance > 0)
        reference[ray] = radii[outside[0]] if len(outside) else np.nan
        if not len(outside):
            continue
        # The void must rise and stay risen, else bone or a vessel continues it; phase wraps draw a bright ring of less
        # than that width into SWI, beyond which the void goes on.
        above = line >= half
        first_inside = np.flatnonzero(~above)
        if not len(first_inside) or first_inside[0] > outside[0] + 20:
            outer[ray] = 0.0
            continue
        start = first_inside[0]
        run = round(STAYS_RISEN_MM / RAY_STEP_MM)
        held = np.convolve(above[start:], np.ones(run), mode="valid") == run
        if held.any():
            outer[ray] = radii[start + int(held.argmax())]
    return outer, reference


def judge(void: Void, pixel_mm: float, residual_mm: float) -> dict[str, Answer]:
    """Verdict for each value of the concept."""
    if void.depth < SHALLOW_VOID <= void.focal_depth:
        why = f"dark spots in the lesion (signal falls by {100 * void.focal_depth:.0f} %), most of it is not dark"
        return unclear("blooming", f"{why}: no extent to measure a ratio of")
    if void.depth < SHALLOW_VOID:
        return absent("blooming", f"no signal void: minimum {void.minimum:.3g} against background {void.background:.3g}")
    if void.depth < DEEP_VOID:
        return unclear("blooming", f"the signal falls by only {100 * void.depth:.0f} %: too shallow to call a void")
    if not np.isfinite(void.diameter_mm):
        return unclear("blooming", "the void merges with bone, air or vessels in most directions")
    if void.reference_mm < 3 * pixel_mm:
        return unclear("blooming", f"lesion of {void.reference_mm:.1f} mm on {pixel_mm:.2g} mm pixels: under 3 voxels")
    ratio, error = void.diameter_mm / void.reference_mm, ratio_error(void, pixel_mm, residual_mm)
    text = f"void {void.diameter_mm:.1f} mm, lesion {void.reference_mm:.1f} mm: ratio {ratio:.2f} ± {error:.2f}"
    if ratio + error < PRESENT_RATIO:
        return unclear("blooming", f"{text}: a void no larger than the lesion, which is dark by itself")
    if ratio - error < PRESENT_RATIO:
        return unclear("blooming", f"{text}: within its uncertainty of 1.1")
    answers = present("blooming", text, "")
    if ratio - error >= MARKED_RATIO:
        answers["marked"] = (Verdict.SUPPORTS, text)
    else:
        # Beyond a large lesion a void of the same width gives a smaller ratio: below 1.5 the grade is the reader's.
        answers["marked"] = (Verdict.NEUTRAL, f"{text}: below 1.5 the grade is told by the reader")
    return answers


def ratio_error(void: Void, pixel_mm: float, residual_mm: float) -> float:
    """Uncertainty of the ratio: half a pixel on the void's and a quarter on the lesion's diameter, and the residual."""
    edge = np.hypot(0.5 * pixel_mm / max(void.diameter_mm, 0.1), 0.25 * pixel_mm / void.reference_mm)
    # Off-centre rays shorten one radius and lengthen the opposite one; the median keeps a second-order share.
    off_centre = residual_mm**2 / void.reference_mm**2
    return float(void.diameter_mm / void.reference_mm * np.hypot(edge, off_centre))


def void_of(context: EvidenceContext) -> tuple[Void | None, Series | None, str]:
    """Void at the lesion on the magnitude series, or the reason why none was measured. Made once a context."""
    return context.remember("void", lambda: _void(context))


def _void(context: EvidenceContext) -> tuple[Void | None, Series | None, str]:
    series = next(iter(context.series_of(Role.SWI)), None) or next(iter(context.series_of(Role.GRE)), None)
    if series is None:
        return None, None, context.reason_without(Role.SWI, Role.GRE)
    patch = context.patch(series, 16.0)
    way = patch.registration
    centre = way.apply(context.field.centre_lps_mm)
    back = way.inverse
    calcium, _, _ = calcium_of(context)
    calcified = calcium is not None and calcium.calcified_voxels > 0
    void = measure_void(
        patch, centre, lambda points: context.field.at(back.apply(points)), context.diameter_mm / 2 + 12.0,
        0.5 if calcified else SPOTS_FROM_MM,
    )
    if void is None:
        return None, series, f"no voxel of {series.title} lies inside the lesion"
    brain = [t.median for name, t in references(context, series).items() if name in ("grey matter", "white matter", "brain")]
    if brain and void.background < DARK_SURROUNDINGS * min(brain):
        share = void.background / min(brain)
        return None, series, f"the surroundings give {share:.2f} of the brain's signal: a void in bone or air is not seen"
    return void, series, ""


def assess(context: EvidenceContext) -> tuple[Tag, ...]:
    """Blooming on susceptibility-weighted magnitude."""
    void, series, why = void_of(context)
    if void is None or series is None:
        return (not_assessable("blooming", DESCRIPTION.key, RULE, why, "1", series.series_uid if series else ""),)
    patch = context.patch(series, 16.0)
    answers = judge(void, patch.pixel_mm, patch.registration.residual_mm)
    verdict, reason = answers["present"]
    a = series.acquisition
    spacing = " x ".join(f"{v:.2g}" for v in patch.geometry.spacing_xyz_mm)
    measured = np.isfinite(void.diameter_mm) and void.depth >= SHALLOW_VOID
    value = void.diameter_mm / void.reference_mm if measured else None
    evidence = Evidence(
        DESCRIPTION.key, value, "1", series.series_uid, RULE, verdict, reason,
        ratio_error(void, patch.pixel_mm, patch.registration.residual_mm) if value else None,
        context.field.centre_lps_mm, context.frame,
        (
            f"TE {a.echo_time_ms or '?'} ms", f"B0 {a.field_strength_t or '?'} T", f"voxel {spacing} mm",
            f"depth {100 * void.depth:.0f} %", f"{100 * void.free_directions:.0f} % of directions free",
            f"reference: surface on {context.lesion.mask.method}",
            f"residual {patch.registration.residual_mm:.2f} mm",
        ),
    )
    return (tag_from("blooming", answers, [evidence]),)


METRIC = Metric(DESCRIPTION, assess, of_the_mask=True)
