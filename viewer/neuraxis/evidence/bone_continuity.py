"""Continuity of the lesion with bone: saddle HU for dense lesions, clear distance for soft ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neuraxis.domain.geometry import Vector3
from neuraxis.domain.study import Series
from neuraxis.domain.tag import Evidence, Tag, Verdict
from neuraxis.evidence.calcification import calcium_of, ct_for_values
from neuraxis.evidence.metric import Metric, MetricDescription
from neuraxis.evidence.verdicts import Answer, suggested

if TYPE_CHECKING:
    from neuraxis.evidence.context import EvidenceContext

APART_HU, CONTINUOUS_HU = 100.0, 300.0
THICKEST_MM = 1.5
DENSE_ENOUGH_HU = 250.0
CLEAR_GAP_MM = 2.0
RULE = "saddle HU <= 100: not continuous; >= 300: continuous; between: a gap below about 1.5 mm is not resolved [T]"
SOFT_RULE = "lesion without calcium: not continuous when bone is more than 2 mm (and the residual) away [prop]"

DESCRIPTION = MetricDescription(
    key="saddle_hu",
    title="Continuity with bone, saddle HU and distance",
    concepts=("bone_change",),
    formula="the highest threshold T at which {HU > T} still connects the lesion's peak with bone (bisection on "
    "connected components); distance from the lesion's surface to bone (HU >= 300, opened, parts of at least 1 cm3)",
    unit="HU; mm",
    inputs=("CT with slices of at most 1.5 mm", "lesion mask"),
    rules=(RULE, SOFT_RULE),
    limits=(
        "slices above 1.5 mm: not assessable unless the saddle is below 100 HU or the gap is wide",
        "the saddle speaks only for lesions denser than 250 HU; soft ones are judged by distance",
    ),
    source="simulation of gaps of 0 to 3 mm and of a 1.2 mm stalk; not validated on patients",
    mark="T",
)


@dataclass(frozen=True)
class BoneNumbers:
    """Saddle (None: no bone within reach) and distance (None: no bone within 20 mm), with the nearest bone point."""

    saddle_hu: float | None
    distance_mm: float | None
    nearest_lps_mm: Vector3 | None
    dense: bool
    slice_mm: float
    residual_mm: float
    voxel_mm: float


def judge(numbers: BoneNumbers) -> Answer:
    """Verdict on continuity."""
    far = numbers.distance_mm is None
    gap = "no bone within 20 mm" if far else f"bone {numbers.distance_mm:.1f} mm from the lesion"
    clear = far or (numbers.distance_mm or 0.0) > CLEAR_GAP_MM + numbers.residual_mm + numbers.voxel_mm
    if not numbers.dense:
        if clear and numbers.slice_mm <= 2 * THICKEST_MM:
            return Verdict.CONTRADICTS, f"{gap}; the lesion is not dense, so distance decides"
        return Verdict.NOT_ASSESSABLE, f"{gap}: soft tissue next to bone has no saddle that would tell"
    saddle = "no bone within 12 mm" if numbers.saddle_hu is None else f"saddle {numbers.saddle_hu:.0f} HU"
    text = f"{saddle}, {gap}"
    if numbers.saddle_hu is None or numbers.saddle_hu <= APART_HU:
        return Verdict.CONTRADICTS, text
    if numbers.slice_mm > THICKEST_MM:
        return Verdict.NOT_ASSESSABLE, f"{text}; {numbers.slice_mm:.1f} mm slices are too thick"
    if numbers.saddle_hu >= CONTINUOUS_HU:
        return Verdict.SUPPORTS, text
    return Verdict.NOT_ASSESSABLE, f"{text}: a gap below about 1.5 mm cannot be resolved"


def bone_numbers(context: EvidenceContext) -> tuple[BoneNumbers | None, Series | None, str]:
    """Saddle and distance on the thinnest CT, or the reason why not. Made once a context."""
    return context.remember("bone numbers", lambda: _bone_numbers(context))


def _bone_numbers(context: EvidenceContext) -> tuple[BoneNumbers | None, Series | None, str]:
    from neuraxis.lesions import bone_mask, saddle_hu

    series, why = ct_for_values(context)
    calcium, _, _ = calcium_of(context)
    if series is None or calcium is None:
        return None, series, why or "no voxel of the CT lies inside the lesion"
    volume = context.volume(series)
    patch = context.patch(series, 15.0)
    own = context.lesion.mask if context.lesion.mask.series_id == series.id else None
    dense = calcium.p90 >= DENSE_ENOUGH_HU and own is not None
    centre = patch.registration.apply(context.field.centre_lps_mm)
    if own is not None:
        bone = bone_mask(volume, lesion=own)
    else:
        bone = bone_mask(volume, centre_lps_mm=centre, radius_mm=20.0 + context.diameter_mm / 2)
    saddle = saddle_hu(volume, own) if own is not None and dense else None
    points = bone.box_geometry.lps_from_index(np.argwhere(bone.box))
    distance, nearest = None, None
    if len(points):
        home = patch.registration.inverse.apply(points)
        gaps = context.field.at(home)
        # Bone inside a mask from another series is partly the residual of the registration.
        best = int(gaps.argmin())
        x, y, z = home[best]
        distance, nearest = float(gaps[best]) - 0.5 * patch.pixel_mm, (float(x), float(y), float(z))
    numbers = BoneNumbers(
        saddle, None if distance is None else max(0.0, distance), nearest, dense, patch.slice_mm,
        patch.registration.residual_mm, patch.pixel_mm,
    )
    return numbers, series, ""


def assess(context: EvidenceContext) -> tuple[Tag, ...]:
    """Only the value 'continuity' of bone change; the other values come from the mirrored side."""
    numbers, series, why = bone_numbers(context)
    if numbers is None or series is None:
        evidence = Evidence(DESCRIPTION.key, None, "HU", "", RULE, Verdict.NOT_ASSESSABLE, why)
        return (_tag((Verdict.NOT_ASSESSABLE, why), [evidence]),)
    verdict, reason = judge(numbers)
    place = numbers.nearest_lps_mm or context.field.centre_lps_mm
    inputs = (
        f"kernel {series.acquisition.convolution_kernel or 'not stated'}", f"slice {numbers.slice_mm:.2g} mm",
        f"residual {numbers.residual_mm:.2f} mm",
    )
    evidence_list = [
        Evidence("bone_distance", numbers.distance_mm, "mm", series.series_uid, SOFT_RULE, verdict, reason,
                 numbers.voxel_mm + numbers.residual_mm, place, context.frame, inputs),
    ]
    if numbers.dense:
        evidence_list.insert(0, Evidence(
            DESCRIPTION.key, numbers.saddle_hu, "HU", series.series_uid, RULE, verdict, reason, None, place,
            context.frame, inputs,
        ))
    return (_tag((verdict, reason), evidence_list),)


def _tag(answer: Answer, evidence: list[Evidence]) -> Tag:
    return suggested(
        Tag("bone_change", None, Verdict.NOT_ASSESSABLE, tuple(evidence), (("continuity", *answer),))
    )


METRIC = Metric(DESCRIPTION, assess)
