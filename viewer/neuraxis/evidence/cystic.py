"""Cystic part: fluid-like signal on every sequence at once, without enhancement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import FloatArray
from neuraxis.domain.study import Role, Series
from neuraxis.domain.tag import Evidence, Tag
from neuraxis.evidence.anatomy import references
from neuraxis.evidence.calcification import DENSE_FRACTION, calcium_of
from neuraxis.evidence.enhancement import LARGEST_RESIDUAL_MM, difference_of
from neuraxis.evidence.metric import Metric, MetricDescription
from neuraxis.evidence.sampling import padded_to_nan, sample
from neuraxis.evidence.verdicts import Answer, absent, not_assessable, present, tag_from, unclear

if TYPE_CHECKING:
    from neuraxis.evidence.context import EvidenceContext, Patch

SMALLEST_MM, SMALLEST_CORE = 6.0, 20
CYSTIC_SHARE, SOLID_SHARE = 0.3, 0.9
TAKES_UP, TAKES_NONE = 0.25, 0.12
RULE = (
    "present: at least 30 % of the core is fluid-like on T2 and on T1 or FLAIR and takes up no contrast; none: at least 90 % "
    "of the core takes up contrast, or calcium fills it [prop]"
)

DESCRIPTION = MetricDescription(
    key="fluid_share",
    title="Cystic part",
    concepts=("cystic",),
    formula="share of the lesion's core whose T2, T1 and FLAIR lie nearer to CSF than to grey matter, with enhancement "
    "index below 0.12 where pre- and post-contrast T1 are at hand; beside it the share with index above 0.25",
    unit="1",
    inputs=("T2 with T1 or FLAIR", "reference tissue", "optional: T1 before and after contrast"),
    rules=(RULE, "necrotic, septated, mural nodule and fluid level: the reader's"),
    limits=(
        "a cyst with protein or blood is not like CSF: without fluid-like signal nothing is contradicted",
        "below 6 mm, or with fewer than 20 voxels in the core: not assessable",
        "a cistern or ventricle inside a mask drawn too wide looks like a cyst",
    ),
    source="fluid signal on all sequences, as in textbooks; shares: project",
    mark="prop",
)


@dataclass(frozen=True)
class CystNumbers:
    """Shares of the core: fluid-like and without contrast; taking up contrast (None where that is not known)."""

    fluid: float
    taking_up: float | None
    voxels: int
    used: tuple[str, ...]


def measure(
    core: NDArray[np.bool_], fluid_like: list[NDArray[np.bool_]], index: FloatArray | None, used: tuple[str, ...]
) -> CystNumbers:
    """Shares of the core that are fluid-like on every sequence, and that take up contrast.

    Parameters
    ----------
    core : (z, y, x) voxels of the lesion without its edge
    fluid_like : a mask for each sequence
    index : (z, y, x) enhancement index on the same voxels, NaN where unknown
    """
    fluid = np.logical_and.reduce(fluid_like)
    taking_up = None
    if index is not None:
        known = np.isfinite(index)
        fluid = fluid & (~known | (index < TAKES_NONE))
        taking_up = float((core & known & (index > TAKES_UP)).sum() / max(1, int((core & known).sum())))
    share = float(fluid[core].mean()) if core.any() else 0.0  # a lesion full of calcium may be smaller than its edge
    return CystNumbers(share, taking_up, int(core.sum()), used)


def judge(numbers: CystNumbers, f130: float) -> dict[str, Answer]:
    """Verdict for each value of the concept."""
    text = f"{100 * numbers.fluid:.0f} % of the core is like CSF on {', '.join(numbers.used)}"
    if numbers.taking_up is not None:
        text += f", {100 * numbers.taking_up:.0f} % takes up contrast"
    if numbers.fluid >= CYSTIC_SHARE:
        return present("cystic", text, "the kind is told by the reader")
    if numbers.fluid < 0.05 and numbers.taking_up is not None and numbers.taking_up >= SOLID_SHARE:
        return absent("cystic", f"{text}: solid")
    if f130 >= DENSE_FRACTION:
        return absent("cystic", f"{text}; calcium fills the lesion")
    return unclear("cystic", f"{text}: a cyst that is not like CSF would look the same as solid tissue")


def assess(context: EvidenceContext) -> tuple[Tag, ...]:
    """Fluid in the lesion, on the T2 grid."""
    calcium, _, _ = calcium_of(context)
    f130 = calcium.f130 if calcium else 0.0
    t2 = next(iter(context.series_of(Role.T2, Role.CISS)), None)
    if t2 is None:
        return (_without(context.reason_without(Role.T2)),)
    if context.diameter_mm < SMALLEST_MM and f130 < DENSE_FRACTION:
        return (_without(f"the lesion measures {context.diameter_mm:.1f} mm: below 6 mm its core is too small"),)
    patch = context.patch(t2, 15.0)
    core = np.isfinite(patch.values) & (patch.distance_mm <= -max(1.0, patch.pixel_mm, 0.4 * patch.slice_mm))
    masks, used = [], []
    others = (next(iter(context.series_of(role)), None) for role in (Role.T1, Role.FLAIR))
    for series in (t2, *others):
        like = None if series is None else _fluid_like(context, series, patch)
        if like is None or series is None:
            continue
        masks.append(like)
        used.append(series.role.role.value)
    if len(used) < 2 or used[0] != t2.role.role.value:
        return (_without("T2 and T1 or FLAIR with CSF and grey matter to compare with are needed together"),)
    if core.sum() < SMALLEST_CORE and f130 < DENSE_FRACTION:
        return (_without(f"{int(core.sum())} voxels of {t2.title} lie in the lesion's core: too few"),)
    numbers = measure(core, masks, _index_on(context, patch), tuple(used))
    answers = judge(numbers, f130)
    evidence = Evidence(
        DESCRIPTION.key, numbers.fluid, "1", t2.series_uid, RULE, *answers["present"], None, context.field.centre_lps_mm,
        context.frame, (f"{numbers.voxels} voxels", f"residual {patch.registration.residual_mm:.2f} mm"),
    )
    return (tag_from("cystic", answers, [evidence]),)


def _without(why: str) -> Tag:
    return not_assessable("cystic", DESCRIPTION.key, RULE, why, "1")


def _fluid_like(context: EvidenceContext, series: Series, patch: Patch) -> NDArray[np.bool_] | None:
    """Voxels of the patch whose signal on a series lies beyond half way from grey matter to CSF; None without these."""
    tissues = references(context, series)
    grey, csf, way = tissues.get("grey matter"), tissues.get("CSF"), context.way_to(series)
    if grey is None or csf is None or way is None or abs(csf.median - grey.median) < 0.2 * grey.median:
        return None
    volume = context.volume(series)
    values = sample(padded_to_nan(volume), volume.geometry, way.apply(patch.points_lps_mm))
    half = 0.5 * (grey.median + csf.median)
    return np.asarray(values > half if csf.median > grey.median else values < half, dtype=bool)


def _index_on(context: EvidenceContext, patch: Patch) -> FloatArray | None:
    difference = difference_of(context)
    if isinstance(difference, str) or difference.residual_mm > LARGEST_RESIDUAL_MM:
        return None
    way = difference.patch.registration
    return sample(difference.index, difference.patch.geometry, way.apply(patch.points_lps_mm))


METRIC = Metric(DESCRIPTION, assess)
