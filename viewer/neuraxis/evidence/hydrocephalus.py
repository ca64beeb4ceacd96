"""Width of the ventricles: Evans' index of the frontal horns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neuraxis.domain.study import Role
from neuraxis.domain.tag import Evidence, Tag, Verdict
from neuraxis.evidence.location import opening_level
from neuraxis.evidence.metric import Metric, MetricDescription
from neuraxis.evidence.ventricles import STEP_MM, BoolArray, FluidSpaces, fluid_spaces
from neuraxis.evidence.verdicts import Answer, absent, not_assessable, tag_from

if TYPE_CHECKING:
    from neuraxis.evidence.context import EvidenceContext

WIDE = 0.30
SMALLEST_HORN_MM2, FARTHEST_LATERAL_MM, NARROWEST_MM = 25.0, 38.0, 4.0
"""A horn is wider than the fissure between the hemispheres and ends before the insular cistern."""
LEAST_SKULL_MM, ABOVE_FORAMEN_MM = 100.0, 58.0
RULE = "Evans' index above 0.30: wide ventricles [lit]; none: index with its error below 0.30 [lit; prop: error]"

DESCRIPTION = MetricDescription(
    key="evans_index",
    title="Width of the ventricles, Evans' index",
    concepts=("hydrocephalus",),
    formula="largest width of the two frontal horns together / largest width inside the skull in the same slice, slices "
    "perpendicular to the midline; fluid told from brain half way between them, at least 18 mm inside the skull",
    unit="1",
    inputs=("CT that shows the frontal horns", "midline"),
    rules=(RULE, "wide ventricles: present and its degrees neutral, for hydrocephalus and atrophy have the same width"),
    limits=(
        "on MR alone not assessable: the skull's inner table is not outlined there",
        "not assessable where the frontal horns are outside the field or were not found on both sides",
        "a trapped temporal horn or a wide fourth ventricle alone is not looked for",
        "slices follow the scan's head-foot direction, not the line between the commissures",
    ),
    source="Evans 1942 (upper limit of normal 0.30); thresholds of depth and error: project",
    mark="lit",
)


@dataclass(frozen=True)
class Horns:
    """Widths in mm at the slice of the largest index; `where` is the index (z, y, x) between the horns."""

    width_mm: float
    skull_mm: float
    where: tuple[float, float, float]

    @property
    def index(self) -> float:
        """Evans' index."""
        return self.width_mm / self.skull_mm

    @property
    def error(self) -> float:
        """One grid step on the width of the horns, and on that of the skull."""
        return self.index * float(np.hypot(STEP_MM / self.width_mm, STEP_MM / self.skull_mm))


def frontal_horns(fluid: BoolArray, inside: BoolArray) -> Horns | None:
    """The widest pair of frontal horns; None where no slice shows one on each side.

    Parameters
    ----------
    fluid, inside : (z, y, x) on a grid whose middle column is the midline, front first

    Notes
    -----
    Only slices at least 58 mm above the foramen magnum (or above the lowest slice that shows the skull's inside): below
    lie the cisterns of the base. In each slice: connected fluid in the front half of the skull's length, reaching at least 25 mm2 on each side of the
    midline between it and 38 mm, and reaching nearer than 12 mm to it. Horns must show in two neighbouring slices.
    """
    from scipy import ndimage

    middle = fluid.shape[2] // 2
    best: Horns | None = None
    before = False
    areas = inside.sum(axis=(1, 2)) * STEP_MM**2
    lowest = opening_level(areas)
    if lowest is None:
        lowest = int(np.flatnonzero(areas)[0]) if areas.any() else fluid.shape[0]
    for z in range(lowest + round(ABOVE_FORAMEN_MM / STEP_MM), fluid.shape[0]):
        found = _pair(ndimage, fluid[z], inside[z], middle, z)
        if found is not None and before and (best is None or found.index > best.index):
            best = found
        before = found is not None
    return best


def _pair(ndimage: object, fluid: BoolArray, inside: BoolArray, middle: int, z: int) -> Horns | None:
    rows = np.flatnonzero(inside.any(axis=1))
    if not len(rows) or not fluid.any():
        return None
    columns = np.flatnonzero(inside.any(axis=0))
    skull = (columns[-1] - columns[0] + 1) * STEP_MM
    length = rows[-1] - rows[0] + 1
    if skull < LEAST_SKULL_MM or length * STEP_MM < LEAST_SKULL_MM:
        return None
    front = np.zeros_like(fluid)
    front[rows[0] + length // 5 : rows[0] + length // 2] = True
    reach = round(FARTHEST_LATERAL_MM / STEP_MM)
    front[:, : middle - reach] = front[:, middle + reach + 1 :] = False
    labels, count = ndimage.label(fluid & front)  # type: ignore[attr-defined]
    ends: dict[bool, list[int]] = {True: [], False: []}
    rows_used = []
    for n in range(1, count + 1):
        y, x = np.nonzero(labels == n)
        for left in (True, False):
            own = x > middle if left else x < middle
            wide_enough = own.any() and np.ptp(x[own]) * STEP_MM >= NARROWEST_MM
            if wide_enough and own.sum() * STEP_MM**2 >= SMALLEST_HORN_MM2 and np.abs(x[own] - middle).min() * STEP_MM <= 12.0:
                ends[left].append(int(x[own].max() if left else x[own].min()))
                rows_used.append(float(y[own].mean()))
    if not ends[True] or not ends[False]:
        return None
    width = (max(ends[True]) - min(ends[False]) + 1) * STEP_MM
    return Horns(float(width), float(skull), (float(z), float(np.mean(rows_used)), float(middle)))


def judge(horns: Horns) -> dict[str, Answer]:
    """Verdict for each value of the concept."""
    text = (
        f"Evans' index {horns.index:.2f} ± {horns.error:.2f} (frontal horns {horns.width_mm:.0f} mm, "
        f"skull {horns.skull_mm:.0f} mm inside)"
    )
    if horns.index + horns.error < WIDE:
        return absent("hydrocephalus", text)
    if horns.index - horns.error > WIDE:
        why = f"{text}: wide ventricles; hydrocephalus and atrophy are told apart by the reader"
        return dict.fromkeys(("none", "present", "mild", "moderate", "severe"), (Verdict.NEUTRAL, why))
    why = f"{text}: within its error of 0.30"
    return dict.fromkeys(("none", "present", "mild", "moderate", "severe"), (Verdict.NOT_ASSESSABLE, why))


def assess(context: EvidenceContext) -> tuple[Tag, ...]:
    """Width of the frontal horns."""
    spaces = fluid_spaces(context)
    if isinstance(spaces, str):
        return (not_assessable("hydrocephalus", DESCRIPTION.key, RULE, spaces, "1"),)
    if spaces.series.role.role is not Role.CT:
        why = f"the inner table of the skull is not outlined on {spaces.series.title}: Evans' index needs CT"
        return (not_assessable("hydrocephalus", DESCRIPTION.key, RULE, why, "1", spaces.series.series_uid),)
    horns = frontal_horns(spaces.fluid, spaces.inside)
    if horns is None:
        why = f"no pair of frontal horns was found on {spaces.series.title}: outside the field, or too narrow"
        return (not_assessable("hydrocephalus", DESCRIPTION.key, RULE, why, "1", spaces.series.series_uid),)
    return (tag_from("hydrocephalus", answers := judge(horns), [_evidence(context, spaces, horns, answers)]),)


def _evidence(context: EvidenceContext, spaces: FluidSpaces, horns: Horns, answers: dict[str, Answer]) -> Evidence:
    return Evidence(
        DESCRIPTION.key, horns.index, "1", spaces.series.series_uid, RULE, *answers["present"], horns.error,
        spaces.point_at(np.asarray(horns.where)), context.frame,
        (f"midline ± {spaces.plane.uncertainty_mm:.1f} mm", f"slice {spaces.series.title}"),
    )


METRIC = Metric(DESCRIPTION, assess)
