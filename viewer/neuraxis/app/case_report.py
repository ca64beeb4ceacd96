"""Reports: from a point of a study, or from what a reader made of it, to what the report page shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neuraxis.app.case_records import SeriesNames, read_records, state_of
from neuraxis.app.history import CaseState, shown
from neuraxis.app.workup import Progress, Workup, audit_workup, imaging_figure, silent, work_up
from neuraxis.domain.geometry import Vector3
from neuraxis.domain.lesion import Lesion
from neuraxis.domain.study import Confidence, Role, RoleAssignment, Study
from neuraxis.errors import UsageError

if TYPE_CHECKING:
    from neuraxis.domain.legend import LegendFigure
    from neuraxis.figures.report_content import ReportInput

_STANDARD_PANELS = (
    (Role.CT, "CT", "CT", "brain", None), (Role.CT, "CT", "CT", "bone", None), (Role.T1, "MR", "T1", None, None),
    (Role.T2, "MR", "T2", None, None), (Role.FLAIR, "MR", "FLAIR", None, None), (Role.SWI, "MR", "SWI", None, None),
    (Role.T1C, "MR", "T1C", None, "post"),
)
"""Role, modality, sequence, window and contrast of the panels that a report shows where no legend asks for others."""


def report_at_point(
    study: Study, at: Vector3, *, legend: str = "", series_key: str | None = None, allow: Iterable[str] = (),
    progress: Progress = silent,
) -> ReportInput:
    """The report of the lesion at a point: measured, tagged, its legend audited, drawn.

    Parameters
    ----------
    at : (L, P, S) in mm, in the frame of reference of the series (default: the CT with the thinnest slices)
    legend : text of the legend to audit and to draw; "" for an axial panel of each series at the lesion
    allow : privacy refusals that are overridden by name
    """
    workup = work_up(study, at, series_key=series_key, progress=lambda f, t: progress(0.8 * f, t))
    return report_of_workup(workup, legend=legend, allow=allow, progress=lambda f, t: progress(0.8 + 0.2 * f, t))


def report_of_workup(
    workup: Workup, *, legend: str = "", allow: Iterable[str] = (), progress: Progress = silent
) -> ReportInput:
    """The report of a lesion that was worked up; see `report_at_point`."""
    from neuraxis.figures import draw_figure, recipe_from_legend
    from neuraxis.figures.report_content import Finding, ReportInput

    progress(0.1, "auditing the legend" if legend else "choosing panels")
    audits = audit_workup(workup, legend) if legend else ()
    wanted = imaging_figure(legend) if legend else standard_figure(workup.study)
    progress(0.5, "drawing the figure")
    recipe = recipe_from_legend(workup.study, wanted, workup.lesion, workup.registrations)
    figure = draw_figure(recipe, workup.study, registrations=workup.registrations, allow=allow)
    return ReportInput((Finding(workup.lesion, workup.tags, audits),), figure, workup.study.series, workup.notes)


def report_of_case(
    state: CaseState, study: Study, *, legend: str = "", at: Vector3 | None = None, allow: Iterable[str] = (),
    progress: Progress = silent,
) -> ReportInput:
    """The report of everything a reader made of a study.

    Parameters
    ----------
    study : whose series the case belongs to
    legend : is audited against the lesion nearest to `at`, or the first one, which the figure is centred on
    at : (L, P, S) in mm of that lesion's frame of reference

    Raises
    ------
    UsageError
        When the case holds no lesion, or none of a series of this study.
    """
    from neuraxis.figures.report_content import Finding, ReportInput

    here = {s.series_uid for s in study.series}
    lesions = [lesion for lesion in state.lesions if lesion.mask.series_uid in here]
    if not lesions:
        held = f"{len(state.lesions)} lesions, none of a series of this study" if state.lesions else "no lesion"
        raise UsageError(f"the case holds {held}", expected="a lesion", remedy="segment one, or give the study of the case")
    study = with_roles(study, state)
    chosen = lesions[0] if at is None else min(lesions, key=lambda lesion: _distance_mm(lesion, at))
    ordered = [chosen, *(lesion for lesion in lesions if lesion is not chosen)]
    first = report_of_workup(_workup_of(chosen, state, study), legend=legend, allow=allow, progress=progress)
    others = tuple(Finding(lesion, tuple(state.tags.get(lesion.tracking_uid, ()))) for lesion in ordered[1:])
    lost = len(state.lesions) - len(lesions)
    notes = (f"{lost} lesions of the case lie on series that this study does not hold; they are left out",) if lost else ()
    return ReportInput((*first.findings, *others), first.figure, study.series, (*first.notes, *notes), _readings(state))


def report_of_case_file(
    path: Path, study: Study, *, legend: str = "", at: Vector3 | None = None, allow: Iterable[str] = (),
    progress: Progress = silent,
) -> ReportInput:
    """The report of a case file on the images it belongs to; as `report_of_case`.

    Raises
    ------
    ReadError
        When the case cannot be read.
    """
    from neuraxis.case.binding import find_bound
    from neuraxis.case.case_file import CaseFile

    with CaseFile.open(path) as case:
        names = SeriesNames({b.series_id: s.id for b in case.bindings() if (s := find_bound(b, study)[1]) is not None})
        records, damaged = read_records(case, name=names.here)
        damaged = (*damaged, *case.recovered)
    made_from = report_of_case(state_of(records), study, legend=legend, at=at, allow=allow, progress=progress)
    return replace(made_from, notes=(*made_from.notes, *damaged))


def _workup_of(lesion: Lesion, state: CaseState, study: Study) -> Workup:
    series = next(s for s in study.series if s.series_uid == lesion.mask.series_uid)
    return Workup(study, series, lesion, state.registrations, tuple(state.tags.get(lesion.tracking_uid, ())))


def with_roles(study: Study, state: CaseState) -> Study:
    """The study with the roles that the reader corrected."""
    series = tuple(
        replace(s, role=RoleAssignment(state.roles[s.id], Confidence.CERTAIN, "set by the reader"))
        if s.id in state.roles else s
        for s in study.series
    )
    return replace(study, series=series)


def _distance_mm(lesion: Lesion, at: Vector3) -> float:
    return float(np.linalg.norm(np.subtract(lesion.measurement.centroid_lps_mm, at)))


def _readings(state: CaseState) -> tuple[tuple[str, str, str], ...]:
    """The marks of the measuring tools as rows: tool, what it reads, what restricts it."""
    return tuple(
        (drawing.tool, "; ".join(f"{name} {shown(q)}".strip() for name, q in drawing.quantities), "; ".join(drawing.warnings))
        for drawing in state.drawings if drawing.quantities
    )


def standard_figure(study: Study) -> LegendFigure:
    """An axial panel of each kind of series the study has, in reading order, without a caption."""
    from neuraxis.domain.legend import LegendFigure, Panel

    there = {s.role.role for s in study.series if s.is_volume}
    asked = [fields for fields in _STANDARD_PANELS if fields[0] in there]
    if not asked:
        raise UsageError(
            "the study has no series that a report could show", expected="a CT or MR volume whose role is known",
            remedy="give a legend with --legend, or correct the roles",
        )
    panels = tuple(
        Panel(chr(ord("a") + i), modality=modality, sequence=sequence, plane="axial", window=window, contrast=contrast)
        for i, (_role, modality, sequence, window, contrast) in enumerate(asked)
    )
    return LegendFigure("", "", panels)
