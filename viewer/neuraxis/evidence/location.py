"""Where the lesion sits: the level of the foramen magnum on CT, the only site that bone alone gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.study import Role
from neuraxis.domain.tag import Evidence, Tag, Verdict
from neuraxis.evidence.anatomy import anatomy_of
from neuraxis.evidence.metric import Metric, MetricDescription
from neuraxis.evidence.symmetry import midline_of
from neuraxis.evidence.verdicts import Answer, tag_from

if TYPE_CHECKING:
    from neuraxis.evidence.context import EvidenceContext

FORAMEN_MM2 = 1300.0
"""Largest area of the opening taken for the foramen magnum (30 x 35 mm is about 820 mm2)."""
CAVITY_MM2 = 2600.0
NEAR_MM, FAR_MM = 10.0, 25.0
RULE = "at the foramen magnum: within 10 mm of its level and of its opening; elsewhere: more than 25 mm away [prop]"

DESCRIPTION = MetricDescription(
    key="foramen_magnum_level",
    title="Level of the foramen magnum",
    concepts=("location",),
    formula="area enclosed by bone in axial slices, from the posterior fossa downwards: the level at which it falls below "
    "1300 mm2; height of the lesion's centroid above that level",
    unit="mm",
    inputs=("CT from the posterior fossa to C1", "lesion mask"),
    rules=(RULE,),
    limits=("no other site is told from voxels: not assessable", "needs the posterior fossa above in the field of view"),
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
    answer: Answer = (Verdict.NOT_ASSESSABLE, f"{text}: neither clearly at it nor away")
    if abs(height) <= NEAR_MM and aside <= 5:
        answer = (Verdict.SUPPORTS, text)
    elif abs(height) > FAR_MM or aside > FAR_MM:
        answer = (Verdict.CONTRADICTS, text)
    uid = plane.series_uid if plane else ""
    evidence = Evidence(
        DESCRIPTION.key, height, "mm", uid, RULE, *answer, 5.0,
        (foramen.centre_xy_mm[0], foramen.centre_xy_mm[1], foramen.level_mm), context.frame,
        (f"opening {foramen.area_mm2:.0f} mm2",),
    )
    return (tag_from("location", {"foramen_magnum": answer}, [evidence], other),)


METRIC = Metric(DESCRIPTION, assess)
