"""Sizes of the lesion as measured, with their uncertainty."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuraxis.domain.quantity import Quantity
from neuraxis.domain.tag import Evidence, Tag, Verdict
from neuraxis.evidence.calcification import HALF_OF_DIRECTIONS, calcium_of
from neuraxis.evidence.extent import widened
from neuraxis.evidence.metric import Metric, MetricDescription
from neuraxis.evidence.verdicts import tag_from

if TYPE_CHECKING:
    from neuraxis.evidence.context import EvidenceContext

SMALLEST_MEASURABLE_MM = 10.0
RULE = "a stated length is supported within the measurement's uncertainty and the rounding of the statement"

DESCRIPTION = MetricDescription(
    key="size",
    title="Size",
    concepts=("size",),
    formula="long axis: largest extent of the half-maximum contour in the slice of largest area; short axis: largest "
    "extent perpendicular to it there; volume: partial-volume integral",
    unit="mm, mm3",
    inputs=("lesion mask and the series it was made on",),
    rules=(RULE, "below 10 mm a lesion is non-measurable under RECIST 1.1 and RANO: no response category [lit]"),
    limits=(
        "a length across slices is no better than the slice distance",
        "a mask drawn on MR with bone or calcium around it in 4 of 8 directions: no length is compared",
    ),
    source="RECIST 1.1 (PMC2872013); half-maximum boundary: doi 10.1371/journal.pone.0334597 and simulation",
    mark="T",
)


def assess(context: EvidenceContext) -> tuple[Tag, ...]:
    """Lengths and volume of the primary mask."""
    m = context.lesion.measurement
    lengths = [("long_axis", m.long_axis), ("short_axis", m.short_axis), ("max_3d_diameter", m.max_3d_diameter)]
    sizes = [(name, length.quantity, length.start_lps_mm) for name, length in lengths if length is not None]
    if m.volume is not None:
        sizes.append(("volume", m.volume, m.centroid_lps_mm))
    reason = "; ".join(f"{name.replace('_', ' ')} {quantity.display()}" for name, quantity, _ in sizes)
    verdict = Verdict.SUPPORTS if m.long_axis is not None else Verdict.NOT_ASSESSABLE
    evidence = [
        Evidence(name, q.value, q.unit, m.series_uid, RULE, verdict, q.display(), q.uncertainty, where, context.frame,
                 (q.method or m.method,))
        for name, q, where in sizes
    ]
    if m.long_axis is not None and m.long_axis.quantity.value < SMALLEST_MEASURABLE_MM:
        reason += "; below 10 mm: non-measurable under RECIST 1.1 and RANO"
    text = reason or "; ".join(m.warnings) or "no size was measured"
    whole = widened(context)
    if whole is not None:
        verdict = Verdict.NOT_ASSESSABLE
        text += (
            f"; the mask holds only the part that stands out, enhancing tissue goes on beyond it (as a sphere about "
            f"{whole.field.equivalent_diameter_mm:.0f} mm): segment the whole lesion to compare sizes"
        )
    elif (octants := _dense_around(context)) >= HALF_OF_DIRECTIONS:
        verdict = Verdict.NOT_ASSESSABLE
        text += (
            f"; drawn on MR, with 100 HU and more around it in {octants} of 8 directions on CT: bone, or a calcified part "
            "of the lesion that the mask leaves out"
        )
    return (tag_from("size", {"measured": (verdict, text)}, evidence),)


def _dense_around(context: EvidenceContext) -> int:
    """In how many of 8 directions bone or calcium borders on a mask that was drawn on another series than CT."""
    numbers, series, _ = calcium_of(context)
    drawn_on_ct = series is not None and series.id == context.lesion.mask.series_id
    return 0 if numbers is None or drawn_on_ct else numbers.bordering_octants


def length_of(context: EvidenceContext) -> Quantity | None:
    """The long axis; None where it was not measured."""
    return context.lesion.measurement.long_axis.quantity if context.lesion.measurement.long_axis else None


METRIC = Metric(DESCRIPTION, assess, of_the_mask=True)
