"""Flow voids: tubes without signal on T2 that are neither bone nor calcium nor air on CT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import FloatArray
from neuraxis.domain.study import Role
from neuraxis.domain.tag import Evidence, Tag, Verdict
from neuraxis.evidence.anatomy import references
from neuraxis.evidence.calcification import ct_for_values
from neuraxis.evidence.metric import Metric, MetricDescription
from neuraxis.evidence.sampling import sample
from neuraxis.evidence.verdicts import Answer, absent, not_assessable, tag_from, unclear

if TYPE_CHECKING:
    from neuraxis.evidence.context import EvidenceContext, Patch

VOID, REACH_MM, THICKEST_MM = 0.45, 3.0, 3.5
SMALLEST_VOXELS, SMALLEST_MM3 = 4, 1.5
SOFT_HU = (-30.0, 100.0)
RULE = "none: no dark tissue (T2 below 0.45 grey matter, CT -30 to 100 HU) of 1.5 mm3 in the lesion or within 3 mm [prop]"

DESCRIPTION = MetricDescription(
    key="tubular_voids",
    title="Flow voids",
    concepts=("flow_void",),
    formula="volume of connected voxels with T2 below 0.45 of grey matter in the lesion and within 3 mm of it, leaving out "
    "what CT shows as bone or calcium (100 HU and above, grown by 1 mm) or air; length over thickness of each part",
    unit="mm3",
    inputs=("T2 with slices of at most 3.5 mm", "CT without contrast", "reference tissue"),
    rules=(RULE, "present: never decided, neutral with the voids' size and shape"),
    limits=(
        "a normal vessel beside the lesion, old blood and fibrous tissue are dark as well: presence is the reader's",
        "vessels thinner than two voxels are not seen: absence means none of that size",
        "without CT dark calcium cannot be left out: not assessable",
    ),
    source="signal void of flowing blood on spin echo, as in textbooks; thresholds: project",
    mark="prop",
)


@dataclass(frozen=True)
class Voids:
    """Dark soft tissue: total volume, number of parts, elongation of the largest (length over thickness)."""

    volume_mm3: float
    parts: int
    elongation: float


def measure(dark: NDArray[np.bool_], spacing_zyx_mm: FloatArray) -> Voids:
    """Parts of at least 4 voxels and 1.5 mm3.

    Parameters
    ----------
    dark : (z, y, x) dark soft tissue at the lesion
    spacing_zyx_mm : voxel size
    """
    import cc3d

    labels = cc3d.connected_components(dark, connectivity=26)
    counts = np.bincount(labels.ravel())
    counts[0] = 0
    voxel = float(np.prod(spacing_zyx_mm))
    large = np.flatnonzero((counts >= SMALLEST_VOXELS) & (counts * voxel >= SMALLEST_MM3))
    if not len(large):
        return Voids(0.0, 0, 0.0)
    points = np.argwhere(labels == large[counts[large].argmax()]) * spacing_zyx_mm
    spread = np.linalg.eigvalsh(np.cov((points - points.mean(axis=0)).T)) + np.min(spacing_zyx_mm) ** 2 / 12
    return Voids(float(counts[large].sum()) * voxel, len(large), float(np.sqrt(spread[2] / spread[1])))


def judge(voids: Voids) -> dict[str, Answer]:
    """Verdict for each value of the concept."""
    if voids.parts == 0:
        return absent("flow_void", "no dark tissue that is neither bone nor calcium nor air within 3 mm of the lesion")
    shape = "tubular" if voids.elongation >= 2.5 else "compact"
    text = (
        f"{voids.parts} dark parts ({voids.volume_mm3:.0f} mm3, the largest {shape}, {voids.elongation:.1f} times longer "
        "than thick): vessel of the lesion, normal vessel, blood or fibrous tissue is told by the reader"
    )
    return {"none": (Verdict.NEUTRAL, text), "present": (Verdict.NEUTRAL, text)}


def assess(context: EvidenceContext) -> tuple[Tag, ...]:
    """Dark soft tissue on T2 in the lesion and next to it."""
    series = next(iter(context.series_of(Role.T2)), None)
    ct, why = ct_for_values(context)
    if series is None or ct is None:
        why = why if series is not None else context.reason_without(Role.T2)
        return (not_assessable("flow_void", DESCRIPTION.key, RULE, why, "mm3"),)
    grey = references(context, series).get("grey matter")
    patch = context.patch(series, 15.0)
    if grey is None or patch.slice_mm > THICKEST_MM:
        why = "no grey matter to compare with" if grey is None else f"{patch.slice_mm:.1f} mm slices hide thin vessels"
        return (not_assessable("flow_void", DESCRIPTION.key, RULE, why, "mm3", series.series_uid),)
    soft = soft_on_ct(context, patch)
    near = (patch.distance_mm <= REACH_MM) & np.isfinite(patch.values)
    voids = measure(near & (patch.values < VOID * grey.median) & soft, np.asarray(patch.geometry.spacing_xyz_mm[::-1]))
    hidden = near & (patch.distance_mm <= 0)
    answers = judge(voids)
    if voids.parts == 0 and hidden.any() and soft[hidden].mean() < 0.5:
        answers = unclear("flow_void", "calcium fills most of the lesion: a void in it could not be told")
    evidence = Evidence(
        DESCRIPTION.key, voids.volume_mm3, "mm3", series.series_uid, RULE, *answers["present"], None,
        context.field.centre_lps_mm, context.frame, (str(grey), f"residual {patch.registration.residual_mm:.2f} mm"),
    )
    return (tag_from("flow_void", answers, [evidence]),)


def soft_on_ct(context: EvidenceContext, patch: Patch) -> NDArray[np.bool_]:
    """Voxels of a patch that are soft tissue or fluid on CT, a millimetre and the residual off bone, calcium and air."""
    from scipy import ndimage

    series, _ = ct_for_values(context)
    assert series is not None
    ct = context.patch(series, 15.0)
    hard = (ct.values < SOFT_HU[0]) | (ct.values >= SOFT_HU[1])
    sz, sy, sx = ct.geometry.spacing_xyz_mm[::-1]
    reach = 1.0 + patch.registration.residual_mm
    near = ndimage.distance_transform_edt(~hard, sampling=(sz, sy, sx)) <= reach if hard.any() else hard
    held = sample((~near).astype(np.float32), ct.geometry, ct.registration.apply(patch.points_lps_mm), order=0, outside=0.0)
    result: NDArray[np.bool_] = held > 0.5
    return result


METRIC = Metric(DESCRIPTION, assess)
