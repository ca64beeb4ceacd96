"""Where the lesion sits: the level of the foramen magnum on CT, and hints to sites that lie about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.study import Role
from neuraxis.domain.tag import Evidence, Tag, Verdict
from neuraxis.evidence.anatomy import anatomy_of
from neuraxis.evidence.metric import Metric, MetricDescription
from neuraxis.evidence.symmetry import MidlinePlane, midline_of
from neuraxis.evidence.verdicts import Answer, tag_from

if TYPE_CHECKING:
    from neuraxis.evidence.context import EvidenceContext

FORAMEN_MM2 = 1300.0
"""Largest area of the opening taken for the foramen magnum (30 x 35 mm is about 820 mm2)."""
CAVITY_MM2 = 2600.0
NEAR_MM, FAR_MM = 10.0, 25.0
ABOVE_TENTORIUM_MM = 75.0
REMOTE = (
    "supratentorial", "frontal", "parietal", "temporal", "occipital", "insula", "cerebral_hemisphere", "corpus_callosum",
    "basal_ganglia", "thalamus", "hypothalamus", "hippocampus", "lateral_ventricle", "third_ventricle", "foramen_of_monro",
    "sylvian_fissure", "interhemispheric", "sella", "suprasellar", "parasellar", "cavernous_sinus", "pineal", "sphenoid_wing",
    "olfactory_groove", "falx", "parasagittal", "tentorium", "convexity", "sagittal_sinus", "orbit", "optic_nerve",
    "lumbar_spine", "sacral_spine", "thoracic_spine", "conus",
)
"""Sites that nobody's foramen magnum is near."""
HINTS: Mapping[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "cpa": ((12.0, 32.0), (-28.0, 6.0), (12.0, 40.0)),
    "jugular_foramen": ((14.0, 34.0), (-20.0, 12.0), (0.0, 18.0)),
    "petrous": ((20.0, 60.0), (-30.0, 20.0), (6.0, 34.0)),
    "clivus": ((0.0, 12.0), (-48.0, -16.0), (2.0, 44.0)),
    "prepontine": ((0.0, 14.0), (-40.0, -22.0), (16.0, 44.0)),
    "cisterna_magna": ((0.0, 18.0), (8.0, 40.0), (-10.0, 16.0)),
    "fourth_ventricle": ((0.0, 10.0), (-8.0, 10.0), (14.0, 38.0)),
    "medulla": ((0.0, 11.0), (-20.0, 8.0), (-4.0, 20.0)),
    "cerebellum": ((0.0, 55.0), (4.0, 70.0), (2.0, 50.0)),
}
"""Where sites lie in an adult head: mm from the midline, behind (positive) the middle of the foramen, above its level [prop]."""
RULE = "at the foramen magnum: within 10 mm of its level and of its opening; elsewhere: more than 25 mm away [prop]"

DESCRIPTION = MetricDescription(
    key="foramen_magnum_level",
    title="Level of the foramen magnum",
    concepts=("location",),
    formula="area enclosed by bone in axial slices, from the posterior fossa downwards: the level at which it falls below "
    "1300 mm2; height of the lesion's centroid above that level",
    unit="mm",
    inputs=("CT from the posterior fossa to C1", "lesion mask"),
    rules=(
        RULE,
        "at the foramen: supratentorial, lumbar and other far sites are contradicted; 75 mm above it: infratentorial is [prop]",
        "sites of the posterior fossa whose usual place holds the lesion's centre: neutral, a hint; never supported [prop]",
    ),
    limits=(
        "every other site is the reader's: not assessable", "needs the posterior fossa above in the field of view",
        "the usual places are those of an adult head lying straight; a hint is no finding",
    ),
    source="project",
    mark="prop",
)


@dataclass(frozen=True)
class Foramen:
    """Level (z in the lesion's frame) and centre of the opening."""

    level_mm: float
    centre_xy_mm: tuple[float, float]
    area_mm2: float


def opening_level(areas_mm2: NDArray[np.float64]) -> int | None:
    """Index of the uppermost slice below the wide cavity in which the enclosed area is that of a foramen.

    Parameters
    ----------
    areas_mm2 : enclosed area a slice, from the feet upwards
    """
    wide = np.flatnonzero(areas_mm2 > CAVITY_MM2)
    if not len(wide):
        return None
    for z in range(int(wide[0]), -1, -1):
        if 0 < areas_mm2[z] <= FORAMEN_MM2:
            return z
    return None


def foramen_of(context: EvidenceContext) -> tuple[Foramen | None, str]:
    """The foramen magnum, or the reason why it was not found. Made once a context."""
    return context.remember("foramen", lambda: _foramen(context))


def _foramen(context: EvidenceContext) -> tuple[Foramen | None, str]:
    anatomy, why = anatomy_of(context)
    if anatomy is None or not context.series_of(Role.CT):
        return None, why or context.reason_without(Role.CT)
    areas = anatomy.inside.sum(axis=(1, 2)).astype(np.float64)
    z = opening_level(areas)
    if z is None:
        return None, "the foramen magnum was not found within 35 mm above or below the lesion"
    y, x = (float(v) for v in np.argwhere(anatomy.inside[z]).mean(axis=0))
    point = anatomy.geometry.lps_from_index((float(z), y, x))
    return Foramen(float(point[2]), (float(point[0]), float(point[1])), float(areas[z])), ""


def assess(context: EvidenceContext) -> tuple[Tag, ...]:
    """At the foramen magnum or not; every other site is the reader's."""
    foramen, why = foramen_of(context)
    other = (Verdict.NOT_ASSESSABLE, "no metric tells this site from voxels; the reader's word stands alone")
    plane, _ = midline_of(context)
    if foramen is None:
        evidence = Evidence(DESCRIPTION.key, None, "mm", "", RULE, Verdict.NOT_ASSESSABLE, why)
        return (tag_from("location", {"foramen_magnum": (Verdict.NOT_ASSESSABLE, why)}, [evidence], other),)
    centre = np.asarray(context.field.centre_lps_mm)
    height = float(centre[2]) - foramen.level_mm
    radius = float(np.sqrt(foramen.area_mm2 / np.pi))
    aside = max(0.0, float(np.hypot(*(centre[:2] - np.asarray(foramen.centre_xy_mm)))) - radius)
    text = f"{abs(height):.0f} mm {'above' if height > 0 else 'below'} the level of the foramen magnum"
    text += f", {aside:.0f} mm outside its opening" if aside > 0 else ", within its opening"
    answers = _answers(height, aside, text)
    answers |= _hints(context, plane, foramen, {n for n, a in answers.items() if a[0] is not Verdict.NOT_ASSESSABLE})
    uid = plane.series_uid if plane else ""
    evidence = Evidence(
        DESCRIPTION.key, height, "mm", uid, RULE, *answers["foramen_magnum"], 5.0,
        (foramen.centre_xy_mm[0], foramen.centre_xy_mm[1], foramen.level_mm), context.frame,
        (f"opening {foramen.area_mm2:.0f} mm2",),
    )
    return (tag_from("location", answers, [evidence], other),)


def _answers(height: float, aside: float, text: str) -> dict[str, Answer]:
    """Verdicts that the level of the foramen magnum decides."""
    if abs(height) <= NEAR_MM and aside <= 5:
        far = (Verdict.CONTRADICTS, f"{text}: at the foramen magnum")
        return {"foramen_magnum": (Verdict.SUPPORTS, text), **dict.fromkeys(REMOTE, far)}
    if abs(height) > FAR_MM or aside > FAR_MM:
        answers: dict[str, Answer] = {"foramen_magnum": (Verdict.CONTRADICTS, text)}
        if height > ABOVE_TENTORIUM_MM:
            above = (Verdict.CONTRADICTS, f"{text}: above the tentorium")
            answers |= dict.fromkeys(("infratentorial", "posterior_fossa", "cerebellum", "brainstem", "medulla", "pons"), above)
        return answers
    return {"foramen_magnum": (Verdict.NOT_ASSESSABLE, f"{text}: neither clearly at it nor away")}


def _hints(
    context: EvidenceContext, plane: MidlinePlane | None, foramen: Foramen, decided: set[str]
) -> dict[str, Answer]:
    """Sites of the posterior fossa in whose usual place the lesion's centre lies: neutral."""
    if plane is None:
        return {}
    centre = np.asarray(context.field.centre_lps_mm)
    place = (
        abs(float(plane.distance_mm(centre))), float(centre[1]) - foramen.centre_xy_mm[1],
        float(centre[2]) - foramen.level_mm,
    )
    text = f"{place[0]:.0f} mm off the midline, {place[1]:+.0f} mm behind and {place[2]:+.0f} mm above the foramen magnum"
    return {
        site: (Verdict.NEUTRAL, f"{text}: where the {site.replace('_', ' ')} usually lies; told by the reader")
        for site, ranges in HINTS.items()
        if site not in decided and all(low <= v <= high for v, (low, high) in zip(place, ranges, strict=True))
    }


METRIC = Metric(DESCRIPTION, assess)
