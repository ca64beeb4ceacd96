"""Perilesional oedema: brain next to the lesion that is brighter than grey matter and is not fluid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import FloatArray
from neuraxis.domain.study import Role, Series
from neuraxis.domain.tag import Evidence, Tag
from neuraxis.evidence.anatomy import ReferenceTissue, anatomy_of, references
from neuraxis.evidence.metric import Metric, MetricDescription
from neuraxis.evidence.sampling import sample
from neuraxis.evidence.symmetry import midline_of
from neuraxis.evidence.verdicts import Answer, absent, not_assessable, present, tag_from, unclear

if TYPE_CHECKING:
    from neuraxis.evidence.anatomy import Anatomy
    from neuraxis.evidence.context import EvidenceContext, Patch

REACH_MM, TOUCH_MM = 20.0, 3.0
SMALLEST_VOXELS, SMALLEST_MM3 = 5, 20.0

RULE = (
    "absent: V_oed < max(5 voxels, 20 mm3), or no more than on the mirrored side; present: V_oed above that and twice "
    "the mirrored side [prop]"
)

DESCRIPTION = MetricDescription(
    key="oedema_volume",
    title="Perilesional oedema volume",
    concepts=("perilesional_oedema",),
    formula="V_oed = volume of FLAIR (else T2) voxels of brain above max(white matter + 3 SD, grey matter + 2 SD), not "
    "CSF nor next to CSF, connected to the lesion and within 20 mm of it; the same at the mirrored place; edema index "
    "V_oed / V_lesion",
    unit="mm3",
    inputs=("FLAIR or T2", "reference tissue", "midline", "lesion masks"),
    rules=(RULE, "degrees (mild, moderate, marked): the reader's; the index V_oed / V_lesion is shown"),
    limits=(
        "T2 without FLAIR: voxels next to CSF are left out, so a film of oedema at the brain surface is not seen",
        "flow and inflow at the foramen magnum disturb FLAIR there",
        "near the midline there is no mirrored side to compare with",
    ),
    source="definition of the index: PubMed 18262249; thresholds: project",
    mark="prop",
)


@dataclass(frozen=True)
class OedemaNumbers:
    """Volumes in mm3; `mirrored_mm3` is None where there is no mirrored side."""

    volume_mm3: float
    voxels: int
    mirrored_mm3: float | None
    threshold: float
    ceiling: float
    brain_mm3: float
    voxel_mm3: float


def measure_oedema(
    values: FloatArray, distance_mm: FloatArray, brain: NDArray[np.bool_], fluid: NDArray[np.bool_],
    voxel_mm3: float, threshold: float, clear_mm: float, spacing_zyx_mm: tuple[float, float, float],
) -> tuple[float, int, NDArray[np.bool_]]:
    """Volume of bright brain connected to the lesion.

    Parameters
    ----------
    values : (z, y, x) signal
    distance_mm : signed distance to the lesion
    brain : voxels of the space inside the skull that hold brain
    fluid : voxels of CSF
    threshold : signal above which brain counts as oedematous
    clear_mm : voxels this near to the lesion are partial volume and left out

    Returns
    -------
    volume in mm3, number of voxels, their mask
    """
    import cc3d
    from scipy import ndimage

    next_to_fluid = ndimage.binary_dilation(fluid, ndimage.generate_binary_structure(3, 1), iterations=1)
    bright = brain & ~next_to_fluid & (values > threshold) & (distance_mm > clear_mm) & (distance_mm <= REACH_MM)
    # Single bright voxels are noise: a voxel counts when at least two of its six neighbours are bright too.
    six = ndimage.generate_binary_structure(3, 1).astype(np.uint8)
    neighbours = ndimage.convolve(bright.astype(np.uint8), six, mode="constant")
    bright &= neighbours >= 3
    labels = cc3d.connected_components(bright, connectivity=6)
    touching = np.unique(labels[bright & (distance_mm <= clear_mm + max(TOUCH_MM, *spacing_zyx_mm))])
    connected = np.isin(labels, touching[touching > 0])
    count = int(connected.sum())
    return count * voxel_mm3, count, connected


@dataclass(frozen=True, eq=False)
class BrightTissue:
    """Bright brain around the lesion: numbers, voxels of the patch, and the reference tissue it was held against."""

    series: Series
    patch: Patch
    inside: NDArray[np.bool_]
    numbers: OedemaNumbers
    tissues: tuple[ReferenceTissue, ...]


def bright_tissue(context: EvidenceContext) -> BrightTissue | str:
    """Bright brain connected with the lesion, or the reason why it was not measured. Made once a context."""
    return context.remember("bright tissue", lambda: _bright_tissue(context))


def _bright_tissue(context: EvidenceContext) -> BrightTissue | str:
    series = next(iter(context.series_of(Role.FLAIR)), None) or next(iter(context.series_of(Role.T2)), None)
    if series is None:
        return context.reason_without(Role.FLAIR, Role.T2)
    anatomy, why = anatomy_of(context)
    tissues = references(context, series)
    grey, white, csf = (tissues.get(n) for n in ("grey matter", "white matter", "CSF"))
    if anatomy is None or grey is None or white is None or csf is None:
        return why or f"no white matter, grey matter and CSF were found on {series.title} to compare with"
    return _measure(context, series, anatomy, (grey, white, csf))


def assess(context: EvidenceContext) -> tuple[Tag, ...]:
    """Presence of oedema on FLAIR or T2."""
    found = bright_tissue(context)
    if isinstance(found, str):
        return (not_assessable("perilesional_oedema", DESCRIPTION.key, RULE, found, "mm3"),)
    numbers = found.numbers
    lesion_mm3 = context.lesion.mask.voxel_count * context.lesion.mask.geometry.voxel_volume_mm3
    answers = judge(numbers)
    verdict, reason = answers["present"]
    mirrored = "no mirrored side" if numbers.mirrored_mm3 is None else f"mirrored side {numbers.mirrored_mm3:.0f} mm3"
    evidence = Evidence(
        DESCRIPTION.key, numbers.volume_mm3, "mm3", found.series.series_uid, RULE, verdict, reason,
        numbers.mirrored_mm3, context.field.centre_lps_mm, context.frame,
        (
            *(str(t) for t in found.tissues), f"threshold {numbers.threshold:.4g}", mirrored,
            f"index V_oed / V_lesion {numbers.volume_mm3 / max(lesion_mm3, 1e-6):.2f}",
            f"brain within 20 mm {numbers.brain_mm3:.0f} mm3",
            f"residual {found.patch.registration.residual_mm:.2f} mm",
        ),
    )
    return (tag_from("perilesional_oedema", answers, [evidence]),)


def _measure(
    context: EvidenceContext, series: Series, anatomy: Anatomy,
    tissues: tuple[ReferenceTissue, ReferenceTissue, ReferenceTissue],
) -> BrightTissue:
    grey, white, csf = tissues
    patch = context.patch(series, REACH_MM + 5)
    flair = series.role.role is Role.FLAIR
    threshold = max(white.median + 3 * white.standard_deviation, grey.median + 2 * grey.standard_deviation)
    ceiling = float("inf") if flair else 0.5 * (grey.median + csf.median)
    inside = anatomy.flag_at(anatomy.inside, patch.points_lps_mm) & np.isfinite(patch.values)
    fluid = inside & (anatomy.at(patch.points_lps_mm) == 1) if flair else inside & (patch.values >= ceiling)
    brain = inside & ~fluid
    clear = patch.pixel_mm + patch.registration.residual_mm + 0.25 * patch.slice_mm
    sz, sy, sx = patch.geometry.spacing_xyz_mm[::-1]
    distance = np.minimum(patch.distance_mm, _distance_to_other_masks(context, patch))
    voxel = patch.geometry.voxel_volume_mm3
    volume, count, bright = measure_oedema(
        patch.values, distance, brain, fluid, voxel, threshold, clear, (sz, sy, sx)
    )
    mirrored = _mirrored(context, series, anatomy, threshold, ceiling, clear)
    near = brain & (distance > 0) & (distance <= REACH_MM)
    numbers = OedemaNumbers(volume, count, mirrored, threshold, ceiling, float(near.sum()) * voxel, voxel)
    return BrightTissue(series, patch, bright, numbers, tissues)


def _distance_to_other_masks(context: EvidenceContext, patch: Patch) -> FloatArray:
    from neuraxis.evidence.field import LesionField

    distance = np.full(patch.values.shape, np.inf)
    for number, mask in enumerate(context.lesion.other_masks):
        way = context.registrations.between(context.frame, mask.geometry.frame_of_reference_uid)
        if way is None:
            continue
        other = context.remember(("other field", number), lambda mask=mask: LesionField.from_mask(mask))  # type: ignore[misc]
        distance = np.minimum(distance, other.at(way.apply(patch.points_lps_mm)))
    return distance


def _mirrored(
    context: EvidenceContext, series: Series, anatomy: Anatomy, threshold: float, ceiling: float, clear: float
) -> float | None:
    """The same measurement at the mirrored place: values of the other side on the lesion side's voxels."""
    plane, _ = midline_of(context)
    centre = np.asarray(context.field.centre_lps_mm)
    if plane is None or abs(float(plane.distance_mm(centre))) < context.diameter_mm / 2 + 4.0:
        return None
    patch = context.patch(series, REACH_MM + 5)
    points = plane.mirrored(patch.points_lps_mm)
    values = sample(context.volume(series).array, context.volume(series).geometry, patch.registration.apply(points))
    inside = anatomy.flag_at(anatomy.inside, points) & np.isfinite(values) & (context.field.at(points) > clear)
    fluid = inside & ((anatomy.at(points) == 1) if not np.isfinite(ceiling) else (values >= ceiling))
    sz, sy, sx = patch.geometry.spacing_xyz_mm[::-1]
    volume, _, _ = measure_oedema(
        np.nan_to_num(values), patch.distance_mm, inside & ~fluid, fluid, patch.geometry.voxel_volume_mm3, threshold,
        clear, (sz, sy, sx),
    )
    return volume


def judge(numbers: OedemaNumbers) -> dict[str, Answer]:
    """Verdict for each value of the concept."""
    limit = max(SMALLEST_VOXELS * numbers.voxel_mm3, SMALLEST_MM3)
    other = "" if numbers.mirrored_mm3 is None else f", mirrored side {numbers.mirrored_mm3:.0f} mm3"
    text = f"{numbers.volume_mm3:.0f} mm3 of bright brain at the lesion{other} (limit {limit:.0f} mm3)"
    if numbers.brain_mm3 < 100:
        return unclear("perilesional_oedema", f"{text}; too little brain lies within 20 mm of the lesion")
    if numbers.volume_mm3 < limit:
        return absent("perilesional_oedema", text)
    excess = numbers.volume_mm3 - (numbers.mirrored_mm3 or 0.0)
    if numbers.mirrored_mm3 is None:
        if numbers.volume_mm3 > 10 * limit:
            return present("perilesional_oedema", text, "the degree is told by the reader")
        return unclear("perilesional_oedema", f"{text}; near the midline there is no other side to compare with")
    if excess < limit:
        return absent("perilesional_oedema", f"{text}: no more than on the other side")
    if numbers.volume_mm3 > 2 * numbers.mirrored_mm3 + limit:
        return present("perilesional_oedema", text, "the degree is told by the reader")
    return unclear("perilesional_oedema", f"{text}: more than on the other side, but not clearly")


METRIC = Metric(DESCRIPTION, assess)
__all__ = ["DESCRIPTION", "METRIC", "OedemaNumbers", "assess", "judge", "measure_oedema"]
