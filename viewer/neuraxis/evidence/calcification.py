"""Calcium in the lesion on CT: how dense, how much of it, in which pattern."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import FloatArray, Vector3
from neuraxis.domain.study import Role, Series
from neuraxis.domain.tag import Evidence, Tag, Verdict
from neuraxis.domain.volume import ValueKind
from neuraxis.evidence.metric import Metric, MetricDescription
from neuraxis.evidence.verdicts import Answer, absent, not_assessable, tag_from, unclear

if TYPE_CHECKING:
    from neuraxis.evidence.context import EvidenceContext, Patch

CALCIFIED_HU, COUNTED_HU, METAL_HU = 100.0, 130.0, 2500.0
DENSE_MEAN_HU, DENSE_MAX_HU, DENSE_FRACTION = 300.0, 500.0, 0.8
RIM_RATIO, RIM_VOXELS, PATTERN_VOXELS = 1.5, 6.0, 8.0
PUNCTATE_MM = 2.0
THICKEST_FOR_NONE_MM = 2.5
BORDER_MM, FADING_MM = 3.5, (1.0, 2.0)
FADING_SHARE = (0.15, 0.6)
"""Excess over the background, as a part of the mask's mean excess, between 1 and 2 mm outside: an edge that fades."""
HALF_OF_DIRECTIONS = 4
ALL_AROUND = 6
"""Of 8 directions: a calcified rim lies all around a mask drawn inside it, skull base on one side or two."""
STRAY_SHARE = 0.02
"""Dense voxels of a mask drawn on MR, fewer than this part of it, may be bone that the registration let in [prop]."""
HYPERDENSE_HU = 60.0
"""A 90th percentile (noise taken off) above this is denser than brain: it may be chronic blood as well as calcium."""

PRESENCE_RULE = "calcified: at least 3 touching voxels >= 100 HU, one of them >= 130 HU [lit: 100 HU; prop: 3 voxels]"
PATTERN_RULE = "dense: (mean >= 300 or max >= 500 HU) and f130 >= 0.8; amorphous: 100 <= mean < 300 HU, f130 < 0.8 [prop]"

DESCRIPTION = MetricDescription(
    key="calcification",
    title="Calcification on CT",
    concepts=("calcification",),
    formula="HU max, mean and P90 of native voxels in the lesion; f130 = N(HU >= 130) / N(lesion); components of "
    "HU >= 100 with the length of what reaches 130 HU and half of their maximum; shell (outer 1 mm) mean / core mean",
    unit="HU",
    inputs=("CT without contrast, values in HU", "lesion mask"),
    rules=(
        PRESENCE_RULE,
        PATTERN_RULE,
        "punctate: every component <= 2 mm (plus one voxel); contradicted when one exceeds 4 mm [prop]",
        "rim: shell/core >= 1.5 and at least 6 voxels across [prop]",
    ),
    limits=(
        "below 8 voxels across only none, intermediate and dense are told apart",
        "hyperdense (P90, noise taken off, at least 60 HU) but below 100 HU: calcium or blood, not assessable",
        "slices above 2.5 mm cannot exclude calcification: small foci are averaged out",
        "contrast-enhanced CT: iodine may exceed 100 HU, not assessable",
        "coarse, gyriform and laminated patterns are the reader's",
        "voxels above 2500 HU (metal) are left out",
        "a mask drawn on MR with 100 HU and more around it in 6 of 8 directions: bone or a calcified rim, not assessable",
        "an edge that fades over more than a millimetre in 4 of 8 directions: the mask holds the densest part only, dense "
        "and amorphous are not told apart",
    ),
    source="100 HU: doi 10.1055/a-1556-4801; 130 HU: doi 10.1371/journal.pone.0334597; pattern rules: project",
    mark="prop",
)


@dataclass(frozen=True)
class CalciumNumbers:
    """What was measured on CT inside the lesion."""

    maximum: float
    mean: float
    p90: float
    f130: float
    calcified_voxels: int
    component_lengths_mm: tuple[float, ...]
    shell_over_core: float | None
    voxels_across: float
    noise: float
    peak_lps_mm: Vector3
    bordering_octants: int = 0
    """In how many of 8 directions 100 HU and more lie within `BORDER_MM` outside the mask."""
    fading_octants: int = 0
    """In how many of 8 directions the density fades outwards instead of ending at the mask's edge."""


def ct_for_values(context: EvidenceContext) -> tuple[Series | None, str]:
    """The CT series from which HU are taken: no contrast, thinnest slices; or None with the reason."""
    series = context.series_of(Role.CT)
    plain = [s for s in series if not s.acquisition.contrast_agent and context.volume(s).kind is ValueKind.HU]
    if plain:
        return plain[0], ""
    if series:
        return None, f"CT {series[0].id} was taken with contrast (or not in HU): iodine may exceed 100 HU"
    return None, context.reason_without(Role.CT)


def lesion_voxels(context: EvidenceContext, patch: Patch) -> NDArray[np.bool_]:
    """Native voxels of the lesion: the mask itself on its own series, else what is inside by more than the residual."""
    if patch.series.id == context.lesion.mask.series_id or patch.series.series_uid == context.lesion.mask.series_uid:
        return patch.distance_mm <= 0
    return patch.distance_mm <= -min(0.3 + patch.registration.residual_mm, 0.2 * context.diameter_mm)


def measure_calcium(
    values: FloatArray, inside: NDArray[np.bool_], distance_mm: FloatArray, spacing_zyx_mm: Vector3,
    points_lps_mm: FloatArray, diameter_mm: float,
) -> CalciumNumbers:
    """Calcium numbers of one lesion.

    Parameters
    ----------
    values : (z, y, x) HU
    inside : (z, y, x) voxels of the lesion
    distance_mm : signed distance to its surface
    spacing_zyx_mm : voxel size
    points_lps_mm : (z, y, x, 3) voxel centres
    """
    import cc3d

    inside = inside & np.isfinite(values) & (values < METAL_HU)
    hu = values[inside]
    calcified = inside & (values >= CALCIFIED_HU)
    labels = cc3d.connected_components(calcified, connectivity=6)
    count = 0
    lengths = []
    for label in range(1, int(labels.max()) + 1):
        where = labels == label
        if where.sum() < 3 or values[where].max() < COUNTED_HU:
            continue
        count += int(where.sum())
        # Spots that touch only in each other's blur are parts of their own: half of the brightest parts them.
        dense = where & (values >= max(COUNTED_HU, 0.5 * float(values[where].max())))
        parts = cc3d.connected_components(dense, connectivity=26)
        lengths.append(max(_length_mm(parts == part, spacing_zyx_mm) for part in range(1, int(parts.max()) + 1)))
    shell, core = hu[distance_mm[inside] > -1.0], hu[distance_mm[inside] <= -1.0]
    ratio = float(shell.mean() / core.mean()) if len(shell) > 4 and len(core) > 4 and core.mean() > 1 else None
    ring = (distance_mm > 2) & (distance_mm < 12) & (values > -20) & (values < 90)
    noise = 1.4826 * float(np.median(np.abs(values[ring] - np.median(values[ring])))) if ring.sum() > 50 else 10.0
    background = float(np.median(values[ring])) if ring.sum() > 50 else 35.0
    x, y, z = points_lps_mm[inside][int(hu.argmax())]
    octant = (points_lps_mm > points_lps_mm[inside].mean(axis=0)) @ np.array([1, 2, 4])
    border = (distance_mm > 0) & (distance_mm <= BORDER_MM) & (values >= CALCIFIED_HU)
    edge = (distance_mm > FADING_MM[0]) & (distance_mm <= FADING_MM[1]) & np.isfinite(values)
    low, high = (background + share * (float(hu.mean()) - background) for share in FADING_SHARE)
    medians = [float(np.median(values[k])) if (k := edge & (octant == n)).any() else -np.inf for n in range(8)]
    return CalciumNumbers(
        float(hu.max()), float(hu.mean()), float(np.percentile(hu, 90)), float((hu >= COUNTED_HU).mean()), count,
        tuple(sorted(lengths, reverse=True)), ratio, diameter_mm / max(spacing_zyx_mm[1:]), noise,
        (float(x), float(y), float(z)), sum(bool((border & (octant == n)).sum() >= 8) for n in range(8)),
        sum(low < m < high for m in medians),
    )


def _length_mm(component: NDArray[np.bool_], spacing_zyx_mm: Vector3) -> float:
    where = np.argwhere(component)
    extent = (where.max(axis=0) - where.min(axis=0) + 1) * np.asarray(spacing_zyx_mm)
    return float(extent.max())


def calcium_of(context: EvidenceContext) -> tuple[CalciumNumbers | None, Series | None, str]:
    """Calcium numbers with their series, or the reason why there are none. Made once a context."""
    return context.remember("calcium", lambda: _calcium(context))


def _calcium(context: EvidenceContext) -> tuple[CalciumNumbers | None, Series | None, str]:
    series, why = ct_for_values(context)
    if series is None:
        return None, None, why
    patch = context.patch(series, 15.0)
    inside = lesion_voxels(context, patch)
    if inside.sum() < 4:
        return None, series, f"fewer than 4 voxels of CT {series.id} lie inside the lesion"
    sx, sy, sz = patch.geometry.spacing_xyz_mm
    numbers = measure_calcium(
        patch.values, inside, patch.distance_mm, (sz, sy, sx), patch.points_lps_mm, context.diameter_mm
    )
    return numbers, series, ""


def assess(context: EvidenceContext) -> tuple[Tag, ...]:
    """Presence of calcium, and its pattern where enough voxels span the lesion."""
    numbers, series, why = calcium_of(context)
    if numbers is None or series is None:
        return (not_assessable("calcification", DESCRIPTION.key, PRESENCE_RULE, why, "HU"),)
    patch = context.patch(series, 15.0)
    answers = judge(numbers, patch.slice_mm, series.id == context.lesion.mask.series_id)
    inputs = (
        f"kernel {series.acquisition.convolution_kernel or 'not stated'}", f"{series.acquisition.kvp or '?'} kV",
        f"slice {patch.slice_mm:.2g} mm", f"noise {numbers.noise:.0f} HU",
        f"residual {patch.registration.residual_mm:.2f} mm",
    )
    base = Evidence(
        "hu_max", numbers.maximum, "HU", series.series_uid, PRESENCE_RULE, *answers["present"], 2 * numbers.noise,
        numbers.peak_lps_mm, context.frame, inputs,
    )
    return (tag_from("calcification", answers, _evidence(base, numbers, answers)),)


def _evidence(base: Evidence, numbers: CalciumNumbers, answers: dict[str, Answer]) -> list[Evidence]:
    def also(metric: str, value: float, unit: str, rule: str, answer: Answer, *inputs: str) -> Evidence:
        return replace(
            base, metric=metric, value=value, unit=unit, rule=rule, verdict=answer[0], reason=answer[1],
            uncertainty=None, inputs=inputs or base.inputs,
        )

    found = [
        base,
        also("hu_mean", numbers.mean, "HU", PATTERN_RULE, answers["dense"]),
        also("hu_p90", numbers.p90, "HU", "shown with mean and maximum; no threshold",
             (Verdict.NEUTRAL, f"90th percentile {numbers.p90:.0f} HU")),
        also("f130", numbers.f130, "1", PATTERN_RULE, answers["dense"]),
    ]
    if numbers.component_lengths_mm:
        found.append(also(
            "calcified_components", float(len(numbers.component_lengths_mm)), "1", DESCRIPTION.rules[2],
            answers["punctate"], f"longest {numbers.component_lengths_mm[0]:.1f} mm",
        ))
    if numbers.shell_over_core is not None:
        found.append(also("shell_over_core", numbers.shell_over_core, "1", DESCRIPTION.rules[3], answers["rim"]))
    return found


def judge(numbers: CalciumNumbers, slice_mm: float, drawn_on_ct: bool = True) -> dict[str, Answer]:
    """Verdict for each value of the concept; `drawn_on_ct`: the mask's edge is that of the density."""
    brightest = f"maximum {numbers.maximum:.0f} HU, mean {numbers.mean:.0f} HU in the lesion"
    if not numbers.calcified_voxels:
        if not drawn_on_ct and numbers.bordering_octants >= ALL_AROUND:
            reason = f"{brightest}, 100 HU and more around it in {numbers.bordering_octants} of 8 directions: bone or calcium"
            return unclear("calcification", reason)
        if numbers.maximum >= CALCIFIED_HU + 4 * numbers.noise:
            return unclear("calcification", f"{brightest}: single voxels above 100 HU, too few to call calcium")
        if slice_mm > THICKEST_FOR_NONE_MM:
            reason = f"{brightest}, but {slice_mm:.1f} mm slices average small calcifications out"
            return unclear("calcification", reason)
        if numbers.p90 - 1.28 * numbers.noise >= HYPERDENSE_HU:
            reason = f"{brightest}: hyperdense but below 100 HU, faint calcium or blood are not told apart"
            return unclear("calcification", reason)
        return absent("calcification", f"{brightest}: below 100 HU")
    if not drawn_on_ct and numbers.bordering_octants and numbers.f130 < STRAY_SHARE:
        reason = f"{brightest}: {numbers.calcified_voxels} voxels at or above 100 HU, with bone or calcium at the mask's border"
        return unclear("calcification", reason)
    reason = f"{brightest}: {numbers.calcified_voxels} voxels at or above 100 HU"
    few = f"{numbers.voxels_across:.0f} voxels across the lesion are too few to tell a pattern"
    answers: dict[str, Answer] = dict.fromkeys(
        ("coarse", "gyriform"), (Verdict.NEUTRAL, f"{reason}; this pattern is told by the reader")
    )
    answers["none"] = (Verdict.CONTRADICTS, reason)
    answers["present"] = (Verdict.SUPPORTS, reason)
    answers["punctate"] = _punctate(numbers)
    enough = numbers.voxels_across >= PATTERN_VOXELS
    rim = numbers.shell_over_core is not None and numbers.shell_over_core >= RIM_RATIO
    answers["rim"] = _rim(numbers) if enough else (Verdict.NOT_ASSESSABLE, few)
    answers["dense"] = (Verdict.NEUTRAL, "denser at the edge than inside") if rim else _dense(numbers)
    answers["amorphous"] = _amorphous(numbers, enough, few)
    if numbers.fading_octants >= HALF_OF_DIRECTIONS:
        why = f"{reason}; the density fades outwards in {numbers.fading_octants} of 8 directions: its extent is not sharp"
        for name in ("dense", "amorphous", "rim"):
            if answers[name][0] is not Verdict.SUPPORTS or name == "dense":
                answers[name] = (Verdict.NOT_ASSESSABLE, why)
    return answers


def _dense(numbers: CalciumNumbers) -> Answer:
    text = f"mean {numbers.mean:.0f} HU, maximum {numbers.maximum:.0f} HU, {100 * numbers.f130:.0f} % of it >= 130 HU"
    bright = numbers.mean >= DENSE_MEAN_HU or numbers.maximum >= DENSE_MAX_HU
    if bright and numbers.f130 >= DENSE_FRACTION:
        return Verdict.SUPPORTS, text
    if numbers.f130 < 0.6 or (numbers.mean < 0.7 * DENSE_MEAN_HU and numbers.maximum < 0.8 * DENSE_MAX_HU):
        return Verdict.CONTRADICTS, text
    return Verdict.NOT_ASSESSABLE, f"{text}: between dense and partly calcified"


def _punctate(numbers: CalciumNumbers) -> Answer:
    longest = numbers.component_lengths_mm[0] if numbers.component_lengths_mm else 0.0
    text = f"{len(numbers.component_lengths_mm)} calcified parts, the longest {longest:.1f} mm"
    if longest > 2 * PUNCTATE_MM or numbers.f130 >= DENSE_FRACTION:
        return Verdict.CONTRADICTS, text
    if longest <= PUNCTATE_MM + 0.6 and numbers.f130 < 0.3:
        return Verdict.SUPPORTS, text
    return Verdict.NOT_ASSESSABLE, f"{text}: blur makes small foci look larger than 2 mm"


def _rim(numbers: CalciumNumbers) -> Answer:
    if numbers.shell_over_core is None:
        return Verdict.NOT_ASSESSABLE, "no core is left inside the outer millimetre"
    text = f"outer millimetre {numbers.shell_over_core:.2f} x as dense as the core"
    if numbers.shell_over_core >= RIM_RATIO:
        return Verdict.SUPPORTS, text
    return (Verdict.CONTRADICTS if numbers.shell_over_core < 1.1 else Verdict.NOT_ASSESSABLE), text


def _amorphous(numbers: CalciumNumbers, enough: bool, few: str) -> Answer:
    text = f"mean {numbers.mean:.0f} HU, {100 * numbers.f130:.0f} % of the lesion >= 130 HU"
    if numbers.mean >= 1.3 * DENSE_MEAN_HU and numbers.f130 >= DENSE_FRACTION:
        return Verdict.CONTRADICTS, text
    if not enough:
        return Verdict.NOT_ASSESSABLE, few
    large = bool(numbers.component_lengths_mm) and numbers.component_lengths_mm[0] > 2 * PUNCTATE_MM
    if CALCIFIED_HU <= numbers.mean < DENSE_MEAN_HU and numbers.f130 < DENSE_FRACTION and large:
        return Verdict.SUPPORTS, text
    return Verdict.NOT_ASSESSABLE, text


METRIC = Metric(DESCRIPTION, assess)
