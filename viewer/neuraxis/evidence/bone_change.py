"""Bone beside the lesion against the mirrored side: more bone, less bone, or no difference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import FloatArray
from neuraxis.domain.study import Series
from neuraxis.domain.tag import Evidence, Tag, Verdict
from neuraxis.evidence.bone_continuity import bone_numbers
from neuraxis.evidence.calcification import ct_for_values
from neuraxis.evidence.metric import Metric, MetricDescription
from neuraxis.evidence.sampling import sample
from neuraxis.evidence.symmetry import MidlinePlane, midline_of
from neuraxis.evidence.verdicts import Answer, not_assessable, tag_from, unclear

if TYPE_CHECKING:
    from neuraxis.evidence.context import EvidenceContext

REACH_MM = 10.0
BONE_HU = 300.0
THICKEST_MM = 1.5
LATTICE_MM = 1.0
SEARCH_MM = 3.0
ERODED, GROWN = -0.25, 0.25
SAME = 0.12
RULE = (
    "bone volume within 10 mm relative to the mirrored side: erosion below -25 %, hyperostosis above +25 %, each beyond "
    "3 x the repeat error; no change within 12 % and 2 x the repeat error [prop]"
)

DESCRIPTION = MetricDescription(
    key="bone_asymmetry",
    title="Bone beside the lesion against the mirrored side",
    concepts=("bone_change",),
    formula="(V - V_m) / max(V, V_m) with V the volume of HU >= 300 within 10 mm of the lesion's surface (lesion left "
    "out) and V_m the same around the mirrored lesion, the mirror image moved by up to 3 mm to fit best; the repeat "
    "error is the median absolute value of the same quotient at mirrored places without lesion",
    unit="1",
    inputs=("CT with slices of at most 1.5 mm", "symmetry plane", "lesion mask"),
    rules=(RULE,),
    limits=(
        "near the midline the mirrored place is the lesion itself: not assessable",
        "a lesion continuous with bone cannot be told from hyperostosis",
        "remodelling and fracture are the reader's",
        "change of shape without change of volume is not seen",
    ),
    source="comparison with the mirrored patch; thresholds: project",
    mark="prop",
)


@dataclass(frozen=True)
class BoneAsymmetry:
    """Bone volumes (mm3) of the two sides, quotient, repeat error and HU of bone on both sides."""

    volume_mm3: float
    mirrored_mm3: float
    quotient: float
    repeat_error: float
    hu: float
    mirrored_hu: float
    controls: int


def quotient_of(volume: float, mirrored: float) -> float:
    """(V - V_m) / max(V, V_m); 0 where neither side has bone."""
    return (volume - mirrored) / max(volume, mirrored) if max(volume, mirrored) > 0 else 0.0


def judge(asymmetry: BoneAsymmetry, continuous: bool) -> dict[str, Answer]:
    """Verdict for each value but continuity."""
    q, error = asymmetry.quotient, asymmetry.repeat_error
    text = (
        f"bone within 10 mm {asymmetry.volume_mm3:.0f} mm3, mirrored side {asymmetry.mirrored_mm3:.0f} mm3: "
        f"{100 * q:+.0f} % (repeat error {100 * error:.0f} %)"
    )
    if max(asymmetry.volume_mm3, asymmetry.mirrored_mm3) < 30:
        return _unchanged("there is no bone within 10 mm of the lesion, nor of its mirror image")
    if continuous:
        return unclear("bone_change", f"{text}; the lesion is continuous with bone, so bone of its own cannot be told")
    if q > max(GROWN, 3 * error):
        return _changed("hyperostosis", text)
    if q < min(ERODED, -3 * error):
        return _changed("erosion", text)
    if abs(q) <= max(SAME, 2 * error) and error < 0.15:
        return _unchanged(text)
    return unclear("bone_change", f"{text}: neither clearly the same nor clearly different")


def _unchanged(text: str) -> dict[str, Answer]:
    answers: dict[str, Answer] = dict.fromkeys(("present", "erosion", "hyperostosis"), (Verdict.CONTRADICTS, text))
    answers["none"] = (Verdict.SUPPORTS, text)
    for name in ("remodelling", "fracture"):
        answers[name] = (Verdict.NEUTRAL, f"{text}; a change of shape without change of volume is not seen")
    return answers


def _changed(kind: str, text: str) -> dict[str, Answer]:
    other = "erosion" if kind == "hyperostosis" else "hyperostosis"
    return {
        "none": (Verdict.CONTRADICTS, text), "present": (Verdict.SUPPORTS, text), kind: (Verdict.SUPPORTS, text),
        other: (Verdict.CONTRADICTS, text),
        "remodelling": (Verdict.NEUTRAL, f"{text}; told by the reader"),
        "fracture": (Verdict.NEUTRAL, f"{text}; told by the reader"),
    }


def measure_asymmetry(
    array: NDArray[np.generic], context: EvidenceContext, series: Series, plane: MidlinePlane
) -> BoneAsymmetry:
    """Bone volumes around the lesion and its mirror image, and the repeat error at places without lesion."""
    from neuraxis.domain.geometry import VolumeGeometry

    centre = np.asarray(context.field.centre_lps_mm)
    half = context.diameter_mm / 2 + REACH_MM + 2
    n = int(2 * half / LATTICE_MM) + 1
    x, y, z = (float(v) for v in centre - half)
    lattice = VolumeGeometry.axis_aligned((n, n, n), (LATTICE_MM,) * 3, (x, y, z), context.frame)
    from neuraxis.evidence.sampling import voxel_points

    points = voxel_points(lattice).reshape(-1, 3)
    distance = context.field.at(points)
    # 1 mm next to the lesion belongs to its blurred edge.
    chosen = (distance > 1.0) & (distance <= REACH_MM)
    points = points[chosen]
    way = context.way_to(series)
    assert way is not None
    geometry = context.volume(series).geometry

    def hu_at(where: FloatArray) -> FloatArray:
        return sample(array, geometry, way.apply(where))

    own = hu_at(points)
    other = hu_at(_fitted(points, own, plane, hu_at))
    controls = []
    for shift in ((0, 24, 0), (0, -24, 0), (0, 0, 20), (0, 0, -20), (0, 20, 16), (0, -20, 16), (0, 20, -16)):
        place = points + np.asarray(shift, dtype=np.float64)
        clear = context.field.at(place) > 1.0
        a = hu_at(place)
        b = hu_at(_fitted(place, a, plane, hu_at))
        both = np.isfinite(a) & np.isfinite(b) & clear
        if both.mean() < 0.6:
            continue
        va, vb = float((a[both] >= BONE_HU).sum()), float((b[both] >= BONE_HU).sum())
        if max(va, vb) > 0.3 * max(1.0, float((own >= BONE_HU).sum())):
            controls.append(abs(quotient_of(va, vb)))
    both = np.isfinite(own) & np.isfinite(other)
    volume, mirrored = float((own[both] >= BONE_HU).sum()), float((other[both] >= BONE_HU).sum())
    cell = LATTICE_MM**3
    return BoneAsymmetry(
        volume * cell, mirrored * cell, quotient_of(volume, mirrored),
        float(np.median(controls)) if len(controls) >= 2 else 0.2, _mean_hu(own), _mean_hu(other), len(controls),
    )


def _mean_hu(values: FloatArray) -> float:
    bone = values[values >= BONE_HU]
    return float(bone.mean()) if len(bone) else float("nan")


def _fitted(points: FloatArray, own: FloatArray, plane: MidlinePlane, hu_at: object) -> FloatArray:
    """Mirrored points, moved by up to `SEARCH_MM` so that the two sides agree best (heads are not quite symmetric)."""
    assert callable(hu_at)
    mirrored = plane.mirrored(points)
    some = slice(None, None, max(1, len(points) // 3000))
    target = np.clip(own[some], -100, 800)
    best, lowest = np.zeros(3), np.inf
    for step in (1.5, 0.75):
        start = best.copy()
        for dz in (-step, 0.0, step):
            for dy in (-step, 0.0, step):
                for dx in (-step, 0.0, step):
                    shift = start + (dx, dy, dz)
                    if np.abs(shift).max() > SEARCH_MM:
                        continue
                    error = float(np.nanmean(np.abs(np.clip(hu_at(mirrored[some] + shift), -100, 800) - target)))
                    if error < lowest:
                        best, lowest = shift, error
    result: FloatArray = mirrored + best
    return result


def assess(context: EvidenceContext) -> tuple[Tag, ...]:
    """None, erosion, hyperostosis from the mirrored side."""
    series, why = ct_for_values(context)
    plane, how = midline_of(context)
    if series is None or plane is None:
        reason = why if series is None else how
        return (_without_continuity(not_assessable("bone_change", DESCRIPTION.key, RULE, reason, "1")),)
    patch = context.patch(series, 15.0)
    if patch.slice_mm > THICKEST_MM:
        reason = f"{patch.slice_mm:.1f} mm slices; cortical bone needs at most 1.5 mm"
        return (_without_continuity(not_assessable("bone_change", DESCRIPTION.key, RULE, reason, "1", series.series_uid)),)
    away = abs(float(plane.distance_mm(context.field.centre_lps_mm)))
    if away < 0.5 * context.diameter_mm + 3.0:
        reason = f"the lesion is {away:.1f} mm from the midline: its mirror image overlaps it"
        return (_without_continuity(not_assessable("bone_change", DESCRIPTION.key, RULE, reason, "1", series.series_uid)),)
    asymmetry = measure_asymmetry(context.volume(series).array, context, series, plane)
    numbers, _, _ = bone_numbers(context)
    continuous = bool(numbers and numbers.dense and numbers.saddle_hu is not None and numbers.saddle_hu >= 300)
    answers = judge(asymmetry, continuous)
    verdict, reason = answers["none"]
    evidence = Evidence(
        DESCRIPTION.key, asymmetry.quotient, "1", series.series_uid, RULE, verdict, reason, 2 * asymmetry.repeat_error,
        context.field.centre_lps_mm, context.frame,
        (
            f"mean HU of bone {asymmetry.hu:.0f}, mirrored {asymmetry.mirrored_hu:.0f}",
            f"{asymmetry.controls} control places", f"midline ± {plane.uncertainty_mm:.1f} mm", how,
        ),
    )
    return (_without_continuity(tag_from("bone_change", answers, [evidence])),)


def _without_continuity(tag: Tag) -> Tag:
    values = tuple(v for v in tag.values if v[0] != "continuity")
    return Tag(tag.concept, tag.value, tag.verdict, tag.evidence, values, tag.laterality, tag.asserted_by, tag.comment)


METRIC = Metric(DESCRIPTION, assess)
