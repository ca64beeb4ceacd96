"""Midline shift: where the fluid spaces of the midline lie against the head's own midline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import FloatArray
from neuraxis.domain.tag import Evidence, Tag
from neuraxis.evidence.metric import Metric, MetricDescription
from neuraxis.evidence.ventricles import STEP_MM, BoolArray, fluid_spaces, rows_across
from neuraxis.evidence.verdicts import Answer, absent, not_assessable, present, tag_from, unclear

if TYPE_CHECKING:
    from neuraxis.evidence.context import EvidenceContext

SHIFTED_MM = 3.0
SEPTUM_MM, THIRD_MM, REACH_MM = 7.0, 13.0, 16.0
FEWEST_ROWS = 12
RULE = "present: displacement less its error above 3 mm; none: displacement with its error below 3 mm [prop]"

DESCRIPTION = MetricDescription(
    key="septum_displacement",
    title="Midline shift",
    concepts=("midline_shift",),
    formula="median distance from the symmetry plane of the head to the midpoints of fluid spaces of the midline, row by "
    "row: between the inner walls of the two lateral ventricles where at most 7 mm part them, and of single spaces at "
    "most 13 mm wide (third and fourth ventricle); rows within 16 mm of the plane, at least 18 mm deep",
    unit="mm",
    inputs=("CT, T2, T1 or FLAIR", "midline"),
    rules=(RULE, "5 mm is the usual limit for concern and is shown as a number only"),
    limits=(
        "the head's symmetry plane is that of skull and face; an asymmetric skull looks like a shift: its error is added",
        "fewer than 12 rows of midline fluid: not assessable",
        "a shift of the front or back of the brain alone, away from the ventricles, is not seen",
    ),
    source="distance of the septum from the ideal midline as in head-injury guidelines; thresholds: project",
    mark="prop",
)


@dataclass(frozen=True)
class Shift:
    """Displacement (mm, positive to the patient's left), its error, the rows it rests on, and where (index z, y, x)."""

    distance_mm: float
    error_mm: float
    rows: int
    where: tuple[float, float, float]
    named: str


def displacement(fluid: BoolArray, left_mm: FloatArray, plane_error_mm: float) -> Shift | None:
    """Displacement of the midline's fluid spaces; None where too few rows show one.

    Parameters
    ----------
    fluid : (z, y, x) on a grid along the midline
    left_mm : (x) distance of the columns from the midline
    plane_error_mm : uncertainty of the midline
    """
    runs = rows_across(fluid)
    if not len(runs):
        return None
    low, high = left_mm[runs[:, 2]] - STEP_MM / 2, left_mm[runs[:, 3] - 1] + STEP_MM / 2
    centre = 0.5 * (low + high)
    septa = _septa(runs, low, high)
    single = (high - low <= THIRD_MM) & (np.abs(centre) <= REACH_MM) & ~_has_neighbour(runs, low, high)
    third = np.column_stack([runs[single, :2], centre[single]])
    chosen, name = (septa, "septum") if len(septa) >= FEWEST_ROWS else (third, "third or fourth ventricle")
    if len(chosen) < FEWEST_ROWS:
        return None
    middle = float(np.median(chosen[:, 2]))
    scatter = 1.4826 * float(np.median(np.abs(chosen[:, 2] - middle)))
    # Neighbouring rows see the same wall: about one in six is a measurement of its own.
    error = float(np.hypot(plane_error_mm, np.hypot(scatter / np.sqrt(len(chosen) / 6), 0.5 * STEP_MM)))
    z, y = np.median(chosen[:, :2], axis=0)
    x = (middle - float(left_mm[0])) / STEP_MM
    return Shift(middle, error, len(chosen), (float(z), float(y), x), name)


def _septa(runs: NDArray[np.int64], low: FloatArray, high: FloatArray) -> FloatArray:
    """Rows (z, y, midpoint) where thin tissue parts two runs of fluid near the midline."""
    same = (runs[1:, 0] == runs[:-1, 0]) & (runs[1:, 1] == runs[:-1, 1])
    gap = low[1:] - high[:-1]
    midpoint = 0.5 * (low[1:] + high[:-1])
    wide = ((high - low)[1:] > 3.0) & ((high - low)[:-1] > 3.0)
    use = same & (gap <= SEPTUM_MM) & (np.abs(midpoint) <= REACH_MM) & wide
    return np.column_stack([runs[1:][use, :2], midpoint[use]])


def _has_neighbour(runs: NDArray[np.int64], low: FloatArray, high: FloatArray) -> BoolArray:
    """Whether another run of the same row lies within 10 mm: sulci and cisterns, not a ventricle of the midline."""
    same = (runs[1:, 0] == runs[:-1, 0]) & (runs[1:, 1] == runs[:-1, 1]) & (low[1:] - high[:-1] < 10.0)
    result: BoolArray = np.concatenate([same, [False]]) | np.concatenate([[False], same])
    return result


def judge(shift: Shift) -> dict[str, Answer]:
    """Verdict for each value of the concept."""
    side = "left" if shift.distance_mm > 0 else "right"
    size = abs(shift.distance_mm)
    text = f"{shift.named} {size:.1f} ± {shift.error_mm:.1f} mm to the {side} of the head's midline ({shift.rows} rows)"
    if size - shift.error_mm > SHIFTED_MM:
        return present("midline_shift", text, "")
    if size + shift.error_mm < SHIFTED_MM:
        return absent("midline_shift", text)
    return unclear("midline_shift", f"{text}: neither clearly below nor above 3 mm")


def assess(context: EvidenceContext) -> tuple[Tag, ...]:
    """Displacement of septum, third or fourth ventricle."""
    spaces = fluid_spaces(context)
    if isinstance(spaces, str):
        return (not_assessable("midline_shift", DESCRIPTION.key, RULE, spaces, "mm"),)
    shift = displacement(spaces.fluid, spaces.left_mm, max(spaces.plane.uncertainty_mm, 0.5))
    if shift is None:
        why = f"too little fluid of the midline was found on {spaces.series.title}"
        return (not_assessable("midline_shift", DESCRIPTION.key, RULE, why, "mm", spaces.series.series_uid),)
    answers = judge(shift)
    verdict, reason = answers["present"]
    evidence = Evidence(
        DESCRIPTION.key, shift.distance_mm, "mm", spaces.series.series_uid, RULE, verdict, reason, shift.error_mm,
        spaces.point_at(np.asarray(shift.where)), context.frame, (f"midline ± {spaces.plane.uncertainty_mm:.1f} mm",),
    )
    return (tag_from("midline_shift", answers, [evidence]),)


METRIC = Metric(DESCRIPTION, assess)

