"""Mass effect: distance of the lesion to brain, and how far it reaches into where brain is on the other side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import FloatArray
from neuraxis.domain.study import Role, Series
from neuraxis.domain.tag import Evidence, Tag, Verdict
from neuraxis.evidence.anatomy import anatomy_of, references
from neuraxis.evidence.metric import Metric, MetricDescription
from neuraxis.evidence.oedema import bright_tissue
from neuraxis.evidence.sampling import sample
from neuraxis.evidence.symmetry import midline_of
from neuraxis.evidence.verdicts import Answer, absent, not_assessable, tag_from, unclear

if TYPE_CHECKING:
    from neuraxis.evidence.anatomy import Anatomy
    from neuraxis.evidence.context import EvidenceContext, Patch

SURROUNDED = 0.75
RAY_STEP_MM, REACH_MM, EDGE_MM = 0.25, 8.0, 2.0
FEWEST_CONTACTS = 0.03
MOST_INDENTED, HIDDEN_MM3 = 0.65, 50.0
MILD_MM, MODERATE_MM = 3.0, 6.0
RULE = (
    "none: CSF between lesion and brain in every direction; present: contact, and the lesion reaches "
    "into mirrored brain by more than its error; mild: by at most 3 mm, midline kept [prop]"
)

DESCRIPTION = MetricDescription(
    key="indentation_depth",
    title="Mass effect: contact and indentation",
    concepts=("mass_effect",),
    formula="gap = distance from the lesion's surface to brain behind CSF (T2 above half way between grey matter and "
    "CSF), smallest of 300 directions; contact = share of directions in which brain follows without CSF; indentation = deepest place of the "
    "lesion inside the mirror image of the other side's brain; half-widths of the brain from the midline on both sides "
    "at the lesion's height; residual CSF within 5 mm, ratio of the two sides",
    unit="mm",
    inputs=("T2 (or CISS)", "reference tissue", "midline", "lesion mask, registered"),
    rules=(RULE, "moderate and severe: the reader's; numbers are shown"),
    limits=(
        "oedema hides the border of brain and CSF: not assessable",
        "a lesion surrounded by brain, or mostly inside where brain would be, shows no indentation: not assessable",
        "near the midline there is no other side to compare with",
        "normal asymmetry of 1 to 2 mm limits what can be called",
    ),
    source="no published scale for the foramen magnum was found; ordinal scale: project",
    mark="prop",
)


@dataclass(frozen=True)
class MassNumbers:
    """Distances in mm; None where they cannot be measured."""

    gap_mm: float | None
    contact: float
    indentation_mm: float | None
    indentation_error_mm: float
    half_width_ratio: float | None
    residual_csf_ratio: float | None
    voxel_mm: float
    residual_mm: float
    diameter_mm: float = 100.0
    bright_mm3: float = 0.0


def assess(context: EvidenceContext) -> tuple[Tag, ...]:
    """Contact, indentation and residual CSF on T2."""
    series = next(iter(context.series_of(Role.T2, Role.CISS)), None)
    if series is None:
        why = context.reason_without(Role.T2, Role.CISS)
        return (not_assessable("mass_effect", DESCRIPTION.key, RULE, why, "mm"),)
    anatomy, why = anatomy_of(context)
    tissues = references(context, series)
    if anatomy is None or "CSF" not in tissues or "grey matter" not in tissues:
        why = why or f"brain and CSF were not told apart on {series.title}"
        return (not_assessable("mass_effect", DESCRIPTION.key, RULE, why, "mm", series.series_uid),)
    numbers = _measure(context, series, anatomy, tissues["grey matter"].median, tissues["CSF"].median)
    answers = judge(numbers)
    verdict, reason = answers["present"]
    place = (series.series_uid, RULE, verdict, reason)
    where = (context.field.centre_lps_mm, context.frame)
    evidence = [
        Evidence("brain_gap", numbers.gap_mm, "mm", *place, numbers.voxel_mm + numbers.residual_mm, *where,
                 (f"contact {100 * numbers.contact:.0f} % of the surface", f"residual {numbers.residual_mm:.2f} mm")),
        Evidence(DESCRIPTION.key, numbers.indentation_mm, "mm", *place, numbers.indentation_error_mm, *where),
    ]
    for key, value in (("half_width_ratio", numbers.half_width_ratio), ("residual_csf_ratio", numbers.residual_csf_ratio)):
        text = "not measurable" if value is None else f"{value:.2f} of the other side"
        evidence.append(Evidence(key, value, "1", series.series_uid, "shown; no threshold", Verdict.NEUTRAL, text))
    return (tag_from("mass_effect", answers, evidence),)


def judge(numbers: MassNumbers) -> dict[str, Answer]:
    """Verdict for each value of the concept."""
    error = numbers.voxel_mm + numbers.residual_mm
    if numbers.bright_mm3 > HIDDEN_MM3:
        why = f"{numbers.bright_mm3:.0f} mm3 of bright tissue around the lesion hide the border of brain and CSF"
        return unclear("mass_effect", why)
    if numbers.gap_mm is None:
        return unclear("mass_effect", "no brain was found within 15 mm of the lesion")
    text = f"gap to brain {numbers.gap_mm:.1f} ± {error:.1f} mm, contact {100 * numbers.contact:.0f} % of the surface"
    if numbers.gap_mm > 0.5 * error:
        return absent("mass_effect", f"{text}: CSF between lesion and brain")
    if numbers.contact < FEWEST_CONTACTS:
        return unclear("mass_effect", f"{text}: too little of it to call contact")
    if numbers.contact > SURROUNDED:
        return unclear("mass_effect", f"{text}: surrounded by brain, no surface to be indented")
    if numbers.indentation_mm is None:
        return unclear("mass_effect", f"{text}; near the midline there is no other side to compare with")
    depth, depth_error = numbers.indentation_mm, numbers.indentation_error_mm
    text = f"{text}; reaches {depth:.1f} ± {depth_error:.1f} mm into mirrored brain"
    if depth > MOST_INDENTED * numbers.diameter_mm:
        return unclear("mass_effect", f"{text}: most of it lies where brain would be, in or against brain is not told")
    if depth <= depth_error:
        return unclear("mass_effect", f"{text}: contact without measurable deformity")
    answers: dict[str, Answer] = dict.fromkeys(("moderate", "severe"), (Verdict.NEUTRAL, f"{text}; the degree is told by the reader"))
    answers["none"] = (Verdict.CONTRADICTS, text)
    answers["present"] = (Verdict.SUPPORTS, text)
    if depth + depth_error <= MILD_MM + 0.5 and numbers.contact < SURROUNDED:
        answers["mild"] = (Verdict.SUPPORTS, f"{text}: contour flattened, at most 3 mm")
        answers["severe"] = (Verdict.CONTRADICTS, text)
    elif depth - depth_error > MODERATE_MM:
        answers["mild"] = (Verdict.CONTRADICTS, text)
    else:
        answers["mild"] = (Verdict.NEUTRAL, f"{text}; the degree is told by the reader")
    return answers


def _measure(
    context: EvidenceContext, series: Series, anatomy: Anatomy, grey: float, csf: float
) -> MassNumbers:
    patch = context.patch(series, 15.0)
    half = 0.5 * (grey + csf)
    brain = _brain(patch.values, anatomy.flag_at(anatomy.inside, patch.points_lps_mm), half, grey)
    brain &= patch.distance_mm > 0
    voxel = max(patch.pixel_mm, 0.5 * patch.slice_mm)
    gap, contact = _gap_and_contact(context, patch, half, 0.5 * grey)
    plane, _ = midline_of(context)
    indentation, error, csf_ratio = None, 0.0, None
    away = abs(float(plane.distance_mm(context.field.centre_lps_mm))) if plane else 0.0
    if plane is not None and away > context.diameter_mm / 2 + 2.0:
        mirrored_points = plane.mirrored(patch.points_lps_mm)
        values = sample(
            context.volume(series).array, context.volume(series).geometry, patch.registration.apply(mirrored_points)
        )
        other = _brain(values, anatomy.flag_at(anatomy.inside, mirrored_points), half, grey)
        indentation, error = indentation_depth(
            patch.distance_mm, brain, other, patch.geometry.spacing_xyz_mm[::-1]
        )
        error = float(np.hypot(error, patch.registration.residual_mm))
        near = (patch.distance_mm > 0) & (patch.distance_mm < 5)
        fluid, fluid_m = (patch.values > half) & near, (values > half) & near
        csf_ratio = float(fluid.sum() / fluid_m.sum()) if fluid_m.sum() > 20 else None
    ratio = _half_width_ratio(context, patch, brain) if plane is not None else None
    bright = bright_tissue(context)
    return MassNumbers(
        gap, contact, indentation, error, ratio, csf_ratio, voxel, patch.registration.residual_mm, context.diameter_mm,
        0.0 if isinstance(bright, str) else bright.numbers.volume_mm3 - (bright.numbers.mirrored_mm3 or 0.0),
    )


def _brain(values: FloatArray, inside: NDArray[np.bool_], half: float, grey: float) -> NDArray[np.bool_]:
    """Voxels of brain: inside the skull, below half way to CSF, above half of grey matter (not vessel or dura)."""
    import cc3d

    brain = inside & (values < half) & (values > 0.5 * grey)
    labels = cc3d.connected_components(brain, connectivity=6)
    counts = np.bincount(labels.ravel())
    counts[0] = 0
    keep = counts >= 200
    kept: NDArray[np.bool_] = keep[labels]
    return kept


def _gap_and_contact(context: EvidenceContext, patch: Patch, half: float, lowest: float) -> tuple[float | None, float]:
    """Gap and contact along 300 directions from the lesion's centre."""
    n = 300
    k = np.arange(n) + 0.5
    phi, theta = np.arccos(1 - 2 * k / n), np.pi * (1 + 5**0.5) * k
    directions = np.stack([np.cos(theta) * np.sin(phi), np.sin(theta) * np.sin(phi), np.cos(phi)], axis=1)
    centre = np.asarray(context.field.centre_lps_mm)
    radii = np.arange(0.0, context.diameter_mm + 10.0, RAY_STEP_MM)
    points = centre + radii[None, :, None] * directions[:, None, :]
    values = sample(patch.values, patch.geometry, patch.registration.apply(points))
    return gap_and_contact(values, context.field.at(points), half, lowest)


def gap_and_contact(
    values: FloatArray, distance_mm: FloatArray, half: float, lowest: float
) -> tuple[float | None, float]:
    """Smallest CSF gap between lesion and brain, and the share of directions in which brain follows without CSF.

    Parameters
    ----------
    values : (rays, samples) T2 signal outwards, `RAY_STEP_MM` apart
    distance_mm : (rays, samples) signed distance to the lesion's surface
    half : signal half way between brain and CSF
    lowest : signal below which it is neither (bone, vessel, calcium)

    Returns
    -------
    gap in mm (0 with contact; None where no ray meets brain within 8 mm), share of rays with contact
    """
    gaps, contacts = [], 0
    run = round(1.0 / RAY_STEP_MM)
    for line, distance in zip(values, distance_mm, strict=True):
        outside = np.flatnonzero((distance > 0) & (distance <= REACH_MM))
        if len(outside) < run:
            continue
        signal, away = line[outside], distance[outside]
        brain = (signal < half) & (signal > lowest)
        sustained = np.convolve(brain, np.ones(run), mode="valid") == run
        if not sustained.any():
            continue
        first = int(sustained.argmax())
        before = signal[:first]
        if (before >= half).any():
            gaps.append(float(away[first]))
        # What lies between must be the blurred edge of the lesion, not a vessel or bone of its own.
        elif away[first] <= EDGE_MM:
            contacts += 1
    if contacts:
        return 0.0, contacts / len(values)
    return (min(gaps) if gaps else None), 0.0


def indentation_depth(
    distance_mm: FloatArray, brain: NDArray[np.bool_], mirrored: NDArray[np.bool_],
    spacing_zyx_mm: tuple[float, ...],
) -> tuple[float, float]:
    """How deep the lesion reaches into mirrored brain, and the asymmetry of the two brain surfaces elsewhere.

    Parameters
    ----------
    distance_mm : (z, y, x) signed distance to the lesion
    brain, mirrored : brain of this side, and of the other side reflected onto it
    spacing_zyx_mm : voxel size

    Returns
    -------
    depth in mm (negative: it does not reach the mirrored surface), error in mm
    """
    import edt

    spacing = tuple(float(s) for s in spacing_zyx_mm)
    depth = _signed(edt, mirrored, spacing)
    own = _signed(edt, brain, spacing)
    # Offset of the two surfaces away from the lesion: normal asymmetry, which is taken off, and its scatter.
    elsewhere = (distance_mm > 3.0) & (distance_mm < 12.0) & (np.abs(depth) < 3.0) & (np.abs(own) < 6.0)
    offset = depth[elsewhere] - own[elsewhere]
    shift = float(np.median(offset)) if elsewhere.sum() > 50 else 0.0
    scatter = 1.4826 * float(np.median(np.abs(offset - shift))) if elsewhere.sum() > 50 else 2.0
    inside = distance_mm <= 0
    if not inside.any():
        return 0.0, 2.0
    deepest = float(np.percentile(depth[inside], 99.5)) - shift
    return deepest, max(scatter, 0.3)


def _signed(edt: object, mask: NDArray[np.bool_], spacing: tuple[float, ...]) -> FloatArray:
    transform = edt.edt  # type: ignore[attr-defined]
    result: FloatArray = transform(mask, anisotropy=spacing) - transform(~mask, anisotropy=spacing)
    return result


def _half_width_ratio(context: EvidenceContext, patch: Patch, brain: NDArray[np.bool_]) -> float | None:
    """Extent of brain from the midline on the lesion's side over the other side, along the line through the lesion."""
    plane, _ = midline_of(context)
    if plane is None:
        return None
    centre = np.asarray(context.field.centre_lps_mm)
    toward = np.asarray(plane.normal_lps) * np.sign(float(plane.distance_mm(centre)))
    foot = centre - float(plane.distance_mm(centre)) * np.asarray(plane.normal_lps)
    steps = np.arange(0.0, 30.0, 0.25)
    widths = []
    for sign in (1.0, -1.0):
        points = foot + sign * steps[:, None] * toward
        held = sample(brain.astype(np.float32), patch.geometry, patch.registration.apply(points), outside=np.nan)
        ends = np.flatnonzero(~(held > 0.5))
        if not len(ends) or ends[0] == 0 or not np.isfinite(held[ends[0]]):
            return None
        widths.append(float(steps[ends[0]]))
    return widths[0] / widths[1] if widths[1] > 1 else None


METRIC = Metric(DESCRIPTION, assess)
