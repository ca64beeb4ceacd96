"""Dural tail: the three criteria of Goldsher as a structured question, with the path the reader drew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuraxis.domain.study import Role, Series
from neuraxis.domain.tag import Evidence, Tag, Verdict
from neuraxis.evidence.metric import Metric, MetricDescription
from neuraxis.evidence.verdicts import Answer, absent, not_assessable, present, tag_from, unclear

if TYPE_CHECKING:
    from neuraxis.evidence.context import DuralTailAnswers, EvidenceContext

ISOTROPIC_MM = 1.5
RULE = (
    "present: all three criteria answered yes (two or more consecutive sections in more than one plane; thickest at the "
    "tumour and tapering; enhances more than the tumour) [lit]; absent: all answered no, on post-contrast T1 in two "
    "planes or isotropic 3D [lit]"
)

DESCRIPTION = MetricDescription(
    key="dural_tail_criteria",
    title="Dural tail, structured question",
    concepts=("dural_tail",),
    formula="number of Goldsher criteria answered yes (0 to 3); length of the drawn path",
    unit="1",
    inputs=("post-contrast T1 in two planes or isotropic 3D", "the reader's three answers", "optional: drawn path"),
    rules=(RULE,),
    limits=("there is no automatic detection: without the reader's answers nothing is decided",
            "not specific: seen in many lesions other than meningioma"),
    source="Goldsher 1990 as quoted in PMC2999017; sensitivity 58.6 %, specificity 94.0 % (Rokni-Yazdi 2006)",
    mark="lit",
)


def adequate_series(context: EvidenceContext) -> tuple[tuple[Series, ...], str]:
    """Post-contrast series on which absence could be judged, and in words why (or why not)."""
    post = context.series_of(Role.T1C)
    if not post:
        return (), context.reason_without(Role.T1C)
    planes = set()
    for series in post:
        assert series.geometry is not None
        spacing = series.geometry.spacing_xyz_mm
        thickness = max(series.geometry.slice_distance_mm, series.acquisition.slice_thickness_mm or 0.0)
        if max(*spacing[:2], thickness) <= ISOTROPIC_MM:
            return post, f"{series.title} is nearly isotropic ({max(*spacing[:2], thickness):.1f} mm)"
        planes.add(int(np.abs(series.geometry.slice_normal_lps).argmax()))
    if len(planes) > 1:
        return post, "post-contrast T1 in more than one plane"
    thickness = max(post[0].geometry.slice_distance_mm if post[0].geometry else 0.0,
                    post[0].acquisition.slice_thickness_mm or 0.0)
    return (), f"post-contrast T1 in one plane with {thickness:.1f} mm slices only"


def path_length_mm(answers: DuralTailAnswers) -> float | None:
    """Length of the drawn path; None without one."""
    points = np.asarray(answers.path_lps_mm, dtype=np.float64)
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum()) if len(points) > 1 else None


def judge(answers: DuralTailAnswers | None, adequate: bool, how: str) -> dict[str, Answer]:
    """Verdict for each value of the concept."""
    if answers is None:
        return unclear("dural_tail", f"the reader has not answered the three criteria; there is no automatic detection ({how})")
    ticks = (answers.consecutive_sections, answers.tapers_from_tumour, answers.enhances_more)
    text = f"{sum(ticks)} of 3 criteria by the reader's answers; {how}"
    if all(ticks):
        return present("dural_tail", text, "")
    if any(ticks):
        return unclear("dural_tail", text)
    if not adequate:
        return unclear("dural_tail", f"{text}: not enough to call it absent")
    return absent("dural_tail", text)


def assess(context: EvidenceContext) -> tuple[Tag, ...]:
    """The reader's answers held against what the series allow."""
    series, how = adequate_series(context)
    if not context.series_of(Role.T1C):
        return (not_assessable("dural_tail", DESCRIPTION.key, RULE, how, "1"),)
    answers = context.answers.dural_tail
    verdicts = judge(answers, bool(series), how)
    ticks = None
    inputs: tuple[str, ...] = (how,)
    if answers is not None:
        ticks = float(answers.consecutive_sections + answers.tapers_from_tumour + answers.enhances_more)
        length = path_length_mm(answers)
        inputs += (f"path {length:.1f} mm",) if length is not None else ()
    verdict, reason = verdicts["present"]
    uid = context.series_of(Role.T1C)[0].series_uid
    evidence = [Evidence(DESCRIPTION.key, ticks, "1", uid, RULE, verdict, reason, inputs=inputs)]
    return (tag_from("dural_tail", verdicts, evidence, (Verdict.NOT_ASSESSABLE, reason)),)


METRIC = Metric(DESCRIPTION, assess)
