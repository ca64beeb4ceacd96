"""Enhancement: post-contrast minus pre-contrast signal, each relative to tissue that does not enhance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import FloatArray
from neuraxis.domain.study import Acquisition, Role, Series
from neuraxis.domain.tag import Evidence, Tag, Verdict
from neuraxis.evidence.anatomy import anatomy_of
from neuraxis.evidence.calcification import DENSE_FRACTION, calcium_of
from neuraxis.evidence.metric import Metric, MetricDescription
from neuraxis.evidence.sampling import padded_to_nan, sample, voxel_points
from neuraxis.evidence.verdicts import Answer, absent, not_assessable, present, tag_from, unclear

if TYPE_CHECKING:
    from neuraxis.evidence.anatomy import Anatomy
    from neuraxis.evidence.context import EvidenceContext, Patch

LARGEST_RESIDUAL_MM = 0.5
CAPSULE_MM = 1.2
"""By how much an enhancing capsule and its blur widen a mask drawn on MR."""
PRESENT_INDEX, ABSENT_INDEX = 0.08, 0.04
ENHANCING_OCTANTS = 4
RIM_RATIO = 1.5
EVEN, UNEVEN = 0.12, 0.30

RULE = (
    "enhances: index >= 0.08, above 3 SD of control places, and from at least 4 of 8 directions; none: index < 0.04 "
    "and within 2 SD of them; pre-post residual <= 0.5 mm [T: residual; prop: index]"
)
PATTERN_RULE = (
    "rim against solid only from 6 mm with slices <= 1 mm, or 10 mm with slices <= 3 mm, residual <= 0.5 mm [T]; "
    "rim: shell/core >= 1.5; homogeneous: no rim and variation of the core below 12 %, heterogeneous above 30 % [prop]"
)

DESCRIPTION = MetricDescription(
    key="enhancement_index",
    title="Enhancement index",
    concepts=("enhancement",),
    formula="EI = post/S_ref,post - pre/S_ref,pre with S_ref the median of brain (not enhancing), post moved onto pre by "
    "the local shift that least squares finds; mean over the lesion and 1 mm around it; the same at control places of "
    "equal shape",
    unit="1 (signal of the reference tissue)",
    inputs=("T1 before and after contrast with the same TR, TE, TI and flip angle within 5 %", "lesion mask, registered"),
    rules=(RULE, PATTERN_RULE),
    limits=(
        "without a pre-contrast T1 of the same kind nothing is said",
        "at 4 mm rim and solid enhancement cannot be told apart: one voxel of misregistration looks like a rim",
        "calcified voxels cannot enhance and are left out of the pattern; in a lesion filled by calcium that enhances "
        "nowhere around it, none is not assessable",
        "a vessel that touches the lesion enhances too; it is asked to come from 4 of 8 directions for that reason",
        "grades (mild, intense) and shapes other than rim and homogeneous are the reader's",
    ),
    source="simulation of a 0.8 mm rim at 3 % noise (sensitivity at 95 % specificity); index threshold: project",
    mark="T",
)


@dataclass(frozen=True, eq=False)
class Difference:
    """Normalised difference of post and pre on native voxels of the pre-contrast series."""

    pre: Series
    post: Series
    patch: Patch
    index: FloatArray
    residual_mm: float
    shift_mm: float
    reference: str


@dataclass(frozen=True)
class EnhancementNumbers:
    """What was measured on a difference."""

    index: float
    control_median: float
    control_sd: float
    octants: int
    shell_over_core: float | None
    variation: float | None


def matching_pair(context: EvidenceContext) -> tuple[Series, Series] | str:
    """Pre- and post-contrast series of the same kind, or the reason why there are none."""
    post = context.series_of(Role.T1C)
    pre = context.series_of(Role.T1)
    if not post:
        return context.reason_without(Role.T1C)
    if not pre:
        return context.reason_without(Role.T1) + ": without it enhancement cannot be told from high signal"
    for b in post:
        for a in pre:
            if same_sequence(a.acquisition, b.acquisition):
                return a, b
    return f"{pre[0].title} and {post[0].title} differ in TR, TE, TI or flip angle by more than 5 %"


def same_sequence(a: Acquisition, b: Acquisition) -> bool:
    """Whether TR, TE, TI and flip angle agree within 5 % wherever both files state them."""
    pairs = (
        (a.repetition_time_ms, b.repetition_time_ms), (a.echo_time_ms, b.echo_time_ms),
        (a.inversion_time_ms, b.inversion_time_ms), (a.flip_angle_deg, b.flip_angle_deg),
    )
    return all(x is None or y is None or abs(x - y) <= 0.05 * max(abs(x), abs(y)) for x, y in pairs)


def local_shift(
    fixed: FloatArray, moving: FloatArray, use: NDArray[np.bool_], spacing_zyx_mm: tuple[float, float, float]
) -> tuple[FloatArray, float]:
    """Shift (z, y, x) in mm that carries `moving` onto `fixed`, and its standard error in mm.

    Least squares of `moving - a * fixed - b = -gradient . shift` over the voxels of `use` (one Gauss-Newton step,
    valid for shifts below a voxel), with voxels of large difference left out.
    """
    gradient = np.stack(list(np.gradient(moving, *spacing_zyx_mm)), axis=-1)
    use = use & np.isfinite(gradient).all(axis=-1) & np.isfinite(fixed) & np.isfinite(moving)
    for _ in range(3):
        if use.sum() < 50:
            return np.zeros(3), float("inf")
        columns = np.concatenate([gradient[use], fixed[use][:, None], np.ones((int(use.sum()), 1))], axis=1)
        solution, *_ = np.linalg.lstsq(columns, moving[use], rcond=None)
        full = gradient @ solution[:3] + fixed * solution[3] + solution[4]
        error = np.abs(moving - full)
        scale = 1.4826 * float(np.median(error[use]))
        kept = use & (error < 4 * max(scale, 1e-9))
        if kept.sum() == use.sum():
            break
        use = kept
    covariance = np.linalg.pinv(columns.T @ columns) * scale**2
    # Neighbouring voxels are not independent (interpolation, point spread): about 8 share one measurement.
    standard_error = float(np.sqrt(8 * np.trace(covariance[:3, :3])))
    shift: FloatArray = solution[:3]
    return shift, standard_error


def difference_of(context: EvidenceContext) -> Difference | str:
    """The normalised difference around the lesion, or the reason why there is none. Made once a context."""
    return context.remember("difference", lambda: _difference(context))


def _difference(context: EvidenceContext) -> Difference | str:
    pair = matching_pair(context)
    if isinstance(pair, str):
        return pair
    pre, post = pair
    anatomy, why = anatomy_of(context)
    if anatomy is None:
        return why
    patch = context.patch(pre, 22.0)
    way = context.way_to(post)
    assert way is not None
    step = patch.registration.inverse.then(way) if pre.frame_of_reference_uid != post.frame_of_reference_uid else None
    moved = _post_at(context, post, patch, step.array if step else np.eye(4), np.zeros(3))
    brain = anatomy.flag_at(anatomy.brain, patch.points_lps_mm) & (patch.distance_mm > 3)
    brain &= np.isfinite(patch.values) & np.isfinite(moved)
    if brain.sum() < 60:
        return f"too little brain around the lesion on {pre.title} to normalise to"
    before, after = float(np.median(patch.values[brain])), float(np.median(moved[brain]))
    if before <= 0 or after <= 0:
        return f"no signal in the reference tissue of {pre.title} or {post.title}"
    spacing = patch.geometry.spacing_xyz_mm[::-1]
    use = (patch.distance_mm > 1.5) & anatomy.flag_at(anatomy.inside, patch.points_lps_mm)
    shift, error = local_shift(patch.values / before, moved / after, use, (spacing[0], spacing[1], spacing[2]))
    size = float(np.linalg.norm(shift))
    if np.isfinite(error) and size > 0.05:
        moved = _post_at(context, post, patch, step.array if step else np.eye(4), -shift)
    residual = float(np.hypot(2 * error, max(0.0, size - 2.0)))
    after = float(np.median(moved[brain & np.isfinite(moved)]))
    reference = f"brain {before:.4g} before, {after:.4g} after contrast (n={int(brain.sum())})"
    return Difference(pre, post, patch, moved / after - patch.values / before, residual, size, reference)


def _post_at(
    context: EvidenceContext, post: Series, patch: Patch, matrix: FloatArray, shift_zyx_mm: FloatArray
) -> FloatArray:
    volume = context.volume(post)
    z, y, x = (np.asarray(v) for v in reversed(patch.geometry.direction_lps))
    offset = shift_zyx_mm[0] * z + shift_zyx_mm[1] * y + shift_zyx_mm[2] * x
    points = (voxel_points(patch.geometry) + offset) @ matrix[:3, :3].T + matrix[:3, 3]
    if volume.padding is None:
        return sample(volume.array, volume.geometry, points)
    return sample(padded_to_nan(volume), volume.geometry, points)


def measure_enhancement(
    difference: Difference, anatomy: Anatomy, centre: FloatArray, calcified: NDArray[np.bool_] | None = None
) -> EnhancementNumbers | None:
    """Index, controls, direction count and, where a core is left, shell against core.

    `calcified` voxels cannot enhance and take no part in core and shell; where they leave too little of the core,
    there is no pattern.
    """
    patch, index = difference.patch, difference.index
    inside = (patch.distance_mm <= 1.0) & np.isfinite(index)
    if inside.sum() < 4:
        return None
    value = float(index[inside].mean())
    controls = control_means(difference, inside, anatomy)
    shell = (patch.distance_mm > -1.2) & (patch.distance_mm <= 1.0) & np.isfinite(index)
    octant = ((patch.points_lps_mm - centre) > 0) @ np.array([1, 2, 4])
    limit = max(PRESENT_INDEX, float(np.median(controls)) + 2 * _spread(controls)) if len(controls) else PRESENT_INDEX
    octants = sum(
        bool((k := shell & (octant == n)).any() and index[k].mean() >= limit) for n in range(8)
    )
    core = (patch.distance_mm <= -1.2 - 0.5 * patch.slice_mm * (patch.slice_mm > 1.5)) & np.isfinite(index)
    rim = (patch.distance_mm > -1.2) & (patch.distance_mm <= 0.4) & np.isfinite(index)
    if calcified is not None and (core & calcified).any():
        free = core & ~calcified
        enough = free.sum() >= max(20, 0.3 * core.sum())
        core, rim = (free, rim & ~calcified) if enough else (np.zeros_like(core), rim)
    ratio = float(index[rim].mean() / max(index[core].mean(), 0.02)) if core.sum() >= 5 and rim.sum() >= 5 else None
    variation = float(index[core].std() / max(index[core].mean(), 0.02)) if core.sum() >= 20 else None
    return EnhancementNumbers(
        value, float(np.median(controls)) if len(controls) else 0.0, _spread(controls) if len(controls) > 5 else 0.05,
        octants, ratio, variation,
    )


def control_means(difference: Difference, inside: NDArray[np.bool_], anatomy: Anatomy) -> FloatArray:
    """Mean index at places of the lesion's shape elsewhere inside the skull, at least 5 mm from the lesion."""
    patch, index = difference.patch, difference.index
    allowed = anatomy.flag_at(anatomy.inside, patch.points_lps_mm) & (patch.distance_mm > 5) & np.isfinite(index)
    where = np.argwhere(inside)
    middle = np.rint(where.mean(axis=0)).astype(int)
    offsets = where - middle
    candidates = np.argwhere(allowed)
    candidates = candidates[:: max(1, len(candidates) // 300)]
    means = []
    for place in candidates:
        at = place + offsets
        fits = ((at >= 0) & (at < np.asarray(index.shape))).all(axis=1)
        if fits.mean() < 1.0:
            continue
        cells = tuple(at.T)
        if allowed[cells].mean() > 0.9:
            means.append(float(np.nanmean(index[cells])))
    return np.array(means)


def _spread(values: FloatArray) -> float:
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def pattern_allowed(diameter_mm: float, slice_mm: float, residual_mm: float) -> str | None:
    """None where rim against solid may be decided, else the physical reason why not."""
    if residual_mm > LARGEST_RESIDUAL_MM:
        return f"pre-post residual {residual_mm:.2f} mm is above 0.5 mm: misregistration looks like a rim"
    if (diameter_mm >= 6 and slice_mm <= 1.05) or (diameter_mm >= 10 and slice_mm <= 3.05):
        return None
    return (
        f"a lesion of {diameter_mm:.1f} mm on {slice_mm:.1f} mm slices is too small to tell a rim from solid "
        "enhancement (from 6 mm with 1 mm slices, or 10 mm with 3 mm slices)"
    )


def judge(numbers: EnhancementNumbers, residual_mm: float, forbidden: str | None) -> dict[str, Answer]:
    """Verdict for each value of the concept."""
    text = (
        f"index {numbers.index:.2f} (control places {numbers.control_median:.2f} ± {numbers.control_sd:.2f}), "
        f"from {numbers.octants} of 8 directions"
    )
    if residual_mm > LARGEST_RESIDUAL_MM:
        return unclear("enhancement", f"{text}, but pre and post agree only within {residual_mm:.2f} mm (> 0.5 mm)")
    above = (numbers.index - numbers.control_median) / max(numbers.control_sd, 0.005)
    if numbers.index < ABSENT_INDEX and above < 2 and numbers.octants < ENHANCING_OCTANTS:
        return absent("enhancement", text)
    if numbers.index < PRESENT_INDEX or above < 3 or numbers.octants < ENHANCING_OCTANTS:
        return unclear("enhancement", f"{text}: between none and enhancing")
    answers = present("enhancement", text, "kind and grade are told by the reader")
    if forbidden is not None:
        for name in ("rim", "homogeneous", "heterogeneous", "central"):
            answers[name] = (Verdict.NOT_ASSESSABLE, forbidden)
        return answers
    if numbers.shell_over_core is None:
        why = "no core without calcium is left: a rim around calcium and solid enhancement look alike"
        for name in ("rim", "homogeneous", "heterogeneous", "central"):
            answers[name] = (Verdict.NOT_ASSESSABLE, why)
    else:
        ratio = f"{text}; outer part {numbers.shell_over_core:.2f} x the core"
        rim, solid = numbers.shell_over_core >= RIM_RATIO, numbers.shell_over_core < 1.15
        middle = (Verdict.NOT_ASSESSABLE, ratio)
        answers["rim"] = (Verdict.SUPPORTS, ratio) if rim else (Verdict.CONTRADICTS, ratio) if solid else middle
        answers["homogeneous"] = (Verdict.CONTRADICTS, ratio) if rim else middle
        if solid and numbers.variation is not None:
            varied = f"{ratio}; variation in the core {100 * numbers.variation:.0f} %"
            even, uneven = numbers.variation < EVEN, numbers.variation > UNEVEN
            answers["homogeneous"] = (
                (Verdict.SUPPORTS, varied) if even else (Verdict.CONTRADICTS, varied) if uneven
                else (Verdict.NOT_ASSESSABLE, varied)
            )
            answers["heterogeneous"] = (
                (Verdict.SUPPORTS, varied) if uneven else (Verdict.CONTRADICTS, varied) if even
                else (Verdict.NOT_ASSESSABLE, varied)
            )
    return answers


def _least_diameter_mm(context: EvidenceContext) -> float:
    """The diameter less its uncertainty: a rim drawn on MR makes a small lesion look larger than it is."""
    long_axis = context.lesion.measurement.long_axis
    uncertainty = long_axis.quantity.uncertainty if long_axis else None
    on_mr = any(s.id == context.lesion.mask.series_id and s.modality != "CT" for s in context.study.series)
    return context.diameter_mm - max(uncertainty or 0.0, CAPSULE_MM if on_mr else 0.0)


def assess(context: EvidenceContext) -> tuple[Tag, ...]:
    """Whether the lesion enhances, and in which pattern where its size allows that."""
    difference = difference_of(context)
    anatomy, _ = anatomy_of(context)
    if isinstance(difference, str) or anatomy is None:
        why = difference if isinstance(difference, str) else "no anatomy"
        return (not_assessable("enhancement", DESCRIPTION.key, RULE, why, "1"),)
    centre = np.asarray(context.field.centre_lps_mm)
    from neuraxis.evidence.extent import calcified_at

    calcified = calcified_at(context, difference.patch.points_lps_mm)
    numbers = measure_enhancement(difference, anatomy, centre, calcified)
    if numbers is None:
        why = f"fewer than 4 voxels of {difference.pre.title} lie in the lesion"
        return (not_assessable("enhancement", DESCRIPTION.key, RULE, why, "1", difference.post.series_uid),)
    patch = difference.patch
    forbidden = pattern_allowed(_least_diameter_mm(context), patch.slice_mm, difference.residual_mm)
    answers = judge(numbers, difference.residual_mm, forbidden)
    calcium, _, _ = calcium_of(context)
    if answers["none"][0] is Verdict.SUPPORTS and calcium is not None and calcium.f130 >= DENSE_FRACTION:
        why = "calcium fills the lesion and leaves no signal in which enhancement could show; none around it"
        told = numbers.octants == 0 and forbidden is None
        kept = answers["rim"] if told else (Verdict.NOT_ASSESSABLE, forbidden or answers["none"][1])
        answers = {**unclear("enhancement", f"{answers['none'][1]}; {why}"), "rim": kept}
    base = Evidence(
        DESCRIPTION.key, numbers.index, "1", difference.post.series_uid, RULE, *answers["present"],
        2 * numbers.control_sd, context.field.centre_lps_mm, context.frame,
        (
            f"reference: {difference.reference}", f"pre {difference.pre.id}, post {difference.post.id}",
            f"pre-post shift {difference.shift_mm:.2f} mm corrected, residual {difference.residual_mm:.2f} mm",
            f"lesion to MR residual {patch.registration.residual_mm:.2f} mm", f"slice {patch.slice_mm:.1f} mm",
        ),
    )
    rim = replace(
        base, metric="shell_over_core_enhancement", value=numbers.shell_over_core, rule=PATTERN_RULE,
        verdict=answers["rim"][0], reason=answers["rim"][1], uncertainty=None,
    )
    return (tag_from("enhancement", answers, [base, rim]),)


METRIC = Metric(DESCRIPTION, assess)
