"""Bone beside the lesion against the mirrored side: more bone, less bone, or no difference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import FloatArray, VolumeGeometry
from neuraxis.domain.study import Series
from neuraxis.domain.tag import Evidence, Tag, Verdict
from neuraxis.evidence.bone_continuity import bone_numbers
from neuraxis.evidence.calcification import ct_for_values
from neuraxis.evidence.metric import Metric, MetricDescription
from neuraxis.evidence.sampling import sample, voxel_points
from neuraxis.evidence.symmetry import MidlinePlane, midline_of
from neuraxis.evidence.verdicts import Answer, not_assessable, tag_from, unclear

if TYPE_CHECKING:
    from neuraxis.evidence.context import EvidenceContext

REACH_MM = 6.0
FIT_MM = (4.0, 14.0)
BONE_HU = 300.0
THICKEST_MM = 1.5
LATTICE_MM = 1.0
SEARCH_MM = 3.0
CHANGED_MM3, SAME_MM3, REPLACED_MM3 = 100.0, 40.0, 80.0
SAME_SHARE = 0.10
TOUCHING_MM = 0.5
CONTROLS = ((0, 24, 0), (0, -24, 0), (0, 0, 20), (0, 0, -20), (0, 20, -16))
"""Where the two sides are compared away from the lesion, mm from it in the lesion's frame."""
RULE = (
    "hyperostosis: more than 100 mm3 of bone without counterpart, more than 1.5 x any control place and 3 x the "
    "opposite difference; erosion: the same for missing bone; none: at most 40 mm3 and 10 % either way, "
    "where the lesion touches bone at most 40 mm3 less in all [prop]"
)

DESCRIPTION = MetricDescription(
    key="bone_asymmetry",
    title="Bone beside the lesion against the mirrored side",
    concepts=("bone_change",),
    formula="volume of bone (HU >= 300) within 6 mm of the lesion that has no bone within 1 mm on the mirrored side "
    "(more), and of mirrored bone that has none within 1 mm on this side (less); the mirror image is moved by up to 3 mm "
    "to fit best between 4 and 14 mm from the lesion; the repeat error is the larger of the two at mirrored places "
    "without lesion",
    unit="mm3",
    inputs=("CT with slices of at most 1.5 mm", "symmetry plane", "lesion mask"),
    rules=(RULE,),
    limits=(
        "near the midline the mirrored place is the lesion itself: not assessable",
        "a lesion continuous with bone cannot be told from hyperostosis",
        "changes of less than about 1.5 mm are not seen; remodelling and fracture are the reader's",
        "dense parts that do not go on beyond 14 mm from the lesion count as its calcium, not as bone",
        "bone on the mirrored side where the lesion lies: more than 80 mm3 is erosion, 20 to 80 mm3 is not assessable",
    ),
    source="comparison with the mirrored patch; thresholds: project",
    mark="prop",
)


@dataclass(frozen=True)
class BoneAsymmetry:
    """Volumes in mm3: bone near the lesion on both sides, bone without counterpart, and the same at control places."""

    volume_mm3: float
    mirrored_mm3: float
    more_mm3: float
    less_mm3: float
    repeat_mm3: float
    controls: int
    replaced_mm3: float = 0.0
    """Mirrored bone without counterpart where the lesion itself lies."""


def going_on(dense: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The parts that reach the border of the lattice: bone goes on, calcium of the lesion does not."""
    import cc3d

    labels = cc3d.connected_components(dense, connectivity=26)
    edge = np.ones(dense.shape, dtype=bool)
    edge[1:-1, 1:-1, 1:-1] = False
    kept = np.unique(labels[edge])
    result: NDArray[np.bool_] = np.isin(labels, kept[kept > 0])
    return result


def unmatched(own: NDArray[np.bool_], other: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Bone of each side that has none of the other within one lattice step."""
    from scipy import ndimage

    six = ndimage.generate_binary_structure(3, 1)
    return own & ~ndimage.binary_dilation(other, six), other & ~ndimage.binary_dilation(own, six)


def judge(asymmetry: BoneAsymmetry, continuous: bool, touching: bool = False) -> dict[str, Answer]:
    """Verdict for each value but continuity; a lesion that touches bone may have taken the place of some."""
    more, less, repeat = asymmetry.more_mm3, asymmetry.less_mm3, asymmetry.repeat_mm3
    text = (
        f"{more:.0f} mm3 more and {less:.0f} mm3 less bone than on the mirrored side within 6 mm "
        f"({asymmetry.volume_mm3:.0f} and {asymmetry.mirrored_mm3:.0f} mm3 in all; control places up to {repeat:.0f} mm3)"
    )
    larger = max(asymmetry.volume_mm3, asymmetry.mirrored_mm3)
    if larger < 10:
        return _unchanged("there is no bone within 6 mm of the lesion, nor of its mirror image")
    if continuous:
        return unclear("bone_change", f"{text}; the lesion is continuous with bone, so bone of its own cannot be told")
    enough = max(CHANGED_MM3, 1.5 * repeat)
    if more > enough and more > 3 * less:
        return _changed("hyperostosis", text)
    if less > enough and less > 3 * more:
        return _changed("erosion", text)
    if asymmetry.replaced_mm3 > max(REPLACED_MM3, 1.5 * repeat) and more < asymmetry.replaced_mm3:
        return _changed("erosion", f"{text}; {asymmetry.replaced_mm3:.0f} mm3 of bone are missing where the lesion lies")
    if asymmetry.replaced_mm3 > 0.25 * REPLACED_MM3:
        why = f"{text}; the mirrored side has {asymmetry.replaced_mm3:.0f} mm3 of bone where the lesion lies"
        return unclear("bone_change", f"{why}: replaced or displaced is not told")
    if touching and asymmetry.mirrored_mm3 - asymmetry.volume_mm3 > SAME_MM3:
        return unclear("bone_change", f"{text}; the lesion touches bone: a little of it may be replaced")
    if asymmetry.controls and max(more, less) <= min(SAME_MM3, max(5.0, SAME_SHARE * larger)):
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


def measure_asymmetry(context: EvidenceContext, series: Series, plane: MidlinePlane) -> BoneAsymmetry:
    """Bone without counterpart around the lesion, and at control places away from it."""
    half = context.diameter_mm / 2 + FIT_MM[1]
    n = int(2 * half / LATTICE_MM) + 1
    x, y, z = (float(v) for v in np.asarray(context.field.centre_lps_mm) - half)
    lattice = VolumeGeometry.axis_aligned((n, n, n), (LATTICE_MM,) * 3, (x, y, z), context.frame)
    points = voxel_points(lattice)
    distance = context.field.at(points)
    # The first 0.7 mm outside the lesion belong to its blurred edge.
    zone = (distance > 0.7) & (distance <= REACH_MM)
    fit = (distance > FIT_MM[0]) & (distance <= FIT_MM[1])
    own, mirrored, more, less, _ = _compared(context, series, plane, points, zone, fit)
    _, _, _, replaced, _ = _compared(context, series, plane, points, distance <= 0.7, fit)
    repeats = []
    for shift in CONTROLS:
        place = points + np.asarray(shift, dtype=np.float64)
        clear = context.field.at(place) > REACH_MM
        a, b, up, down, seen = _compared(context, series, plane, place, zone & clear, fit)
        if seen > 0.8 and (zone & clear).sum() > 0.6 * zone.sum() and max(a, b) > 0.2 * max(own, mirrored):
            repeats.append(max(up, down))
    return BoneAsymmetry(own, mirrored, more, less, max(repeats, default=0.0), len(repeats), replaced)


def _compared(
    context: EvidenceContext, series: Series, plane: MidlinePlane, points: FloatArray, zone: NDArray[np.bool_],
    fit: NDArray[np.bool_],
) -> tuple[float, float, float, float, float]:
    """Bone (own, mirrored), unmatched bone (own, mirrored) in mm3, and the share of the zone that was scanned."""
    way = context.way_to(series)
    assert way is not None
    volume = context.volume(series)

    def hu_at(where: FloatArray) -> FloatArray:
        return sample(volume.array, volume.geometry, way.apply(where))

    own = hu_at(points)
    fitted = fit & np.isfinite(own)
    mirrored = plane.mirrored(points)
    other = hu_at(mirrored + _best_shift(mirrored[fitted], own[fitted], hu_at))
    seen = np.isfinite(own) & np.isfinite(other)
    a, b = going_on(seen & (own >= BONE_HU)), going_on(seen & (other >= BONE_HU))
    more, less = unmatched(a, b)
    cell = LATTICE_MM**3
    volumes = [float((zone & m).sum()) * cell for m in (a, b, more & seen, less & seen)]
    return volumes[0], volumes[1], volumes[2], volumes[3], float(seen[zone].mean()) if zone.any() else 0.0


def _best_shift(mirrored: FloatArray, own: FloatArray, hu_at: Callable[[FloatArray], FloatArray]) -> FloatArray:
    """Shift of the mirror image, up to `SEARCH_MM`, at which the two sides agree best (heads are not quite symmetric)."""
    if not len(own):
        return np.zeros(3)
    some = slice(None, None, max(1, len(own) // 2500))
    target = np.clip(own[some], -100, 800)
    best, lowest = np.zeros(3), np.inf
    for step in (1.5, 0.75, 0.4):
        start = best.copy()
        for move in np.ndindex(3, 3, 3):
            shift = start + step * (np.array(move) - 1.0)
            if np.abs(shift).max() > SEARCH_MM:
                continue
            values = np.clip(hu_at(mirrored[some] + shift), -100, 800)
            seen = np.isfinite(values)
            error = float(np.abs(values - target)[seen].mean()) if seen.mean() > 0.7 else np.inf
            if error < lowest:
                best, lowest = shift, error
    return best


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
    asymmetry = measure_asymmetry(context, series, plane)
    numbers, _, _ = bone_numbers(context)
    continuous = bool(numbers and numbers.dense and numbers.saddle_hu is not None and numbers.saddle_hu >= 300)
    touching = numbers is not None and numbers.distance_mm is not None and numbers.distance_mm <= TOUCHING_MM
    answers = judge(asymmetry, continuous, touching)
    evidence = Evidence(
        DESCRIPTION.key, asymmetry.more_mm3 - asymmetry.less_mm3, "mm3", series.series_uid, RULE, *answers["none"],
        asymmetry.repeat_mm3, context.field.centre_lps_mm, context.frame,
        (
            f"{asymmetry.controls} control places", f"midline ± {plane.uncertainty_mm:.1f} mm", how,
            f"residual {patch.registration.residual_mm:.2f} mm",
        ),
    )
    return (_without_continuity(tag_from("bone_change", answers, [evidence])),)


def _without_continuity(tag: Tag) -> Tag:
    return replace(tag, values=tuple(v for v in tag.values if v[0] != "continuity"))


METRIC = Metric(DESCRIPTION, assess)
