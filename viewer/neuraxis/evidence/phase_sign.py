"""Sign of the susceptibility from filtered phase, against a vein of the same patient and never against a vendor table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neuraxis.domain.geometry import FloatArray
from neuraxis.domain.study import Role, Series
from neuraxis.domain.tag import Evidence, Tag, Verdict
from neuraxis.domain.volume import ValueKind
from neuraxis.evidence.metric import Metric, MetricDescription
from neuraxis.evidence.sampling import sample
from neuraxis.evidence.verdicts import not_assessable, tag_from

if TYPE_CHECKING:
    from neuraxis.evidence.context import EvidenceContext, Patch

SURE_CORRELATION = 0.35
VEIN_RADIUS_MM = 1.0
RULE = (
    "same sign as the reference vein: paramagnetic; opposite: diamagnetic; |correlation| with the dipole < 0.35 or "
    "wrapped phase: not assessable [prop]"
)

DESCRIPTION = MetricDescription(
    key="phase_sign",
    title="Phase sign, calcium or blood",
    concepts=("phase_sign", "haemorrhage"),
    formula="correlation of the phase around the lesion with the field of a sphere, (3 cos^2 t - 1) / r^3, t from B0 "
    "(patient z); its sign times the sign of the phase inside the reference vein (a vein within 54 degrees of B0)",
    unit="1",
    inputs=("filtered phase in rad", "a point in a large vein along B0, marked by the reader", "lesion mask, registered"),
    rules=(RULE,),
    limits=(
        "without a reference in the same patient nothing is said: handedness differs by vendor and processing",
        "phase wraps near the lesion: refused",
        "a vein across B0 shows the opposite sign: mark one that runs head to foot",
    ),
    source="opposite phase of veins and calcification: AJNR 2020;41:1405; threshold: project",
    mark="prop",
)


@dataclass(frozen=True)
class PhaseSign:
    """Correlation with the dipole, the vein's phase, and what follows (None: not decided)."""

    correlation: float
    vein_rad: float
    paramagnetic: bool | None
    text: str
    series_uid: str


def dipole_correlation(phase_rad: FloatArray, distance_mm: FloatArray, offset_mm: FloatArray, radius_mm: float) -> float:
    """Correlation of phase with the outer field of a sphere magnetised along z.

    Parameters
    ----------
    phase_rad : (z, y, x)
    distance_mm : signed distance to the surface
    offset_mm : (z, y, x, 3) vector from the centre, LPS
    radius_mm : of the lesion
    """
    r = np.maximum(np.linalg.norm(offset_mm, axis=-1), 1e-6)
    template = (3 * (offset_mm[..., 2] / r) ** 2 - 1) / (r / max(radius_mm, 0.5)) ** 3
    use = (distance_mm > 0.7) & (r < 2.5 * radius_mm + 2.0) & np.isfinite(phase_rad)
    if use.sum() < 30:
        return 0.0
    a, b = phase_rad[use] - phase_rad[use].mean(), template[use] - template[use].mean()
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / norm if norm > 0 else 0.0


def sign_of(context: EvidenceContext) -> tuple[PhaseSign | None, str]:
    """The sign, or the reason why there is none. Made once a context."""
    return context.remember("phase sign", lambda: _sign(context))


def _sign(context: EvidenceContext) -> tuple[PhaseSign | None, str]:
    series = next(
        (s for s in context.series_of(Role.SWI_PHASE) if context.volume(s).kind is ValueKind.PHASE), None
    )
    if series is None:
        return None, context.reason_without(Role.SWI_PHASE)
    vein = context.answers.paramagnetic_vein_lps_mm
    if vein is None:
        return None, "no reference vein was marked in this patient; handedness differs by vendor"
    patch = context.patch(series, 12.0)
    if _wrapped(patch):
        return None, f"the phase of {series.title} wraps near the lesion"
    return _judged(context, series, patch, np.asarray(vein))


def _judged(
    context: EvidenceContext, series: Series, patch: Patch, vein: FloatArray
) -> tuple[PhaseSign | None, str]:
    volume = context.volume(series)
    around = vein + np.array([[0, 0, 0], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]]) * 0.5 * VEIN_RADIUS_MM
    inside = float(np.nanmedian(sample(volume.array, volume.geometry, around)))
    if not np.isfinite(inside) or abs(inside) < 0.05:
        return None, f"the phase at the marked vein is {inside:.2f} rad: no reference"
    offset = patch.points_lps_mm - np.asarray(context.field.centre_lps_mm)
    correlation = dipole_correlation(patch.values, patch.distance_mm, offset, context.diameter_mm / 2)
    if abs(correlation) < SURE_CORRELATION:
        return None, f"phase around the lesion fits the field of a sphere only with correlation {correlation:.2f}"
    paramagnetic = correlation * inside > 0
    name = "paramagnetic" if paramagnetic else "diamagnetic"
    text = f"{name}: dipole correlation {correlation:+.2f}, phase in the reference vein {inside:+.2f} rad"
    return PhaseSign(correlation, inside, paramagnetic, text, series.series_uid), ""


def _wrapped(patch: Patch) -> bool:
    near = (patch.distance_mm > 0.7) & (patch.distance_mm < 6.0)
    for axis in range(3):
        jump = np.abs(np.diff(patch.values, axis=axis)) > np.pi
        both = np.take(near, range(jump.shape[axis]), axis=axis)
        if float((jump & both).sum()) > 0.01 * max(1.0, float(both.sum())):
            return True
    return False


def assess(context: EvidenceContext) -> tuple[Tag, ...]:
    """Diamagnetic or paramagnetic, against the patient's own vein."""
    sign, why = sign_of(context)
    if sign is None or sign.paramagnetic is None:
        return (not_assessable("phase_sign", DESCRIPTION.key, RULE, why, "1"),)
    name, other = ("paramagnetic", "diamagnetic") if sign.paramagnetic else ("diamagnetic", "paramagnetic")
    answers = {name: (Verdict.SUPPORTS, sign.text), other: (Verdict.CONTRADICTS, sign.text)}
    evidence = Evidence(
        DESCRIPTION.key, sign.correlation, "1", sign.series_uid, RULE, Verdict.SUPPORTS, sign.text, None,
        context.field.centre_lps_mm, context.frame, (f"vein {sign.vein_rad:+.2f} rad",),
    )
    return (tag_from("phase_sign", answers, [evidence]),)


METRIC = Metric(DESCRIPTION, assess, of_the_mask=True)
