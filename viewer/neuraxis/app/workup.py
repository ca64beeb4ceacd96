"""From an open study and one point to the lesion, its registrations and tags: the path every front end takes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from neuraxis.app.linking import representative
from neuraxis.app.open_study import CachedSource
from neuraxis.domain.geometry import Vector3
from neuraxis.domain.lesion import Lesion, LesionMask, LesionMeasurement
from neuraxis.domain.study import Role, Series, Study
from neuraxis.domain.tag import Tag
from neuraxis.domain.transform import RegistrationSet
from neuraxis.errors import NotMeasurableError, ReadError, UsageError

if TYPE_CHECKING:
    from neuraxis.domain.legend import LegendFigure
    from neuraxis.figures import Figure, Recipe
    from neuraxis.figures.recipe import PicturePanel
    from neuraxis.legends.audit import LegendAudit

Progress = Callable[[float, str], None]

_WITHOUT_CT = (Role.T1C, Role.T2, Role.T1, Role.FLAIR, Role.SWI, Role.GRE, Role.CISS, Role.PD)


def silent(_fraction: float, _text: str) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, eq=False)
class Workup:
    """What is known of one lesion of a study."""

    study: Study
    series: Series
    lesion: Lesion
    registrations: RegistrationSet
    tags: tuple[Tag, ...] = ()
    notes: tuple[str, ...] = ()
    """What could not be done on the way, in words ("MR not registered: ...")."""
    parts: tuple[LesionMeasurement, ...] = ()
    """Sizes of the lesion's further masks, such as the calcified part of a mass that is measured whole."""


def open_input(path: str | Path, progress: Progress = silent) -> Study:
    """The study under a path; the voxels of each series are read once, when first asked for, and kept.

    Raises
    ------
    ReadError
        When nothing there is DICOM, or nothing in it can be shown.
    """
    from neuraxis.dicom import open_study

    study = open_study(path, progress=progress)
    if not study.series:
        left_out = study.report.skipped[:3]
        because = "; ".join(f"{Path(f.path).name}: {f.reason}" for f in left_out)
        raise ReadError(
            f"no DICOM images in {path} ({study.report.files_seen} files seen{': ' + because if because else ''})",
            expected="a folder, zip, DICOMDIR or file with DICOM images",
            remedy="give the folder that holds the series; `neuraxis scan PATH` lists every file that was left out",
        )
    return replace(study, series=tuple(replace(s, source=CachedSource(s)) for s in study.series))


def lesion_series(study: Study, key: str | None = None) -> Series:
    """The series on which a point is given: the named one, else the CT volume with the thinnest slices.

    Without a CT a point is still clear where all volumes share one frame of reference: then the series with the best
    contrast for a lesion stands in (T1C, T2, T1, ...).
    """
    if key is not None:
        series = study.find(key)
        if not series.is_volume:
            raise UsageError(
                f"series {series.id} ({series.title}) is no volume: {series.refusal or 'pictures only'}",
                remedy="choose a series that `neuraxis scan` lists as a volume",
            )
        return series
    series_of_ct = study.volumes_of(Role.CT)
    if not series_of_ct and len({s.frame_of_reference_uid for s in study.series if s.is_volume}) == 1:
        series_of_ct = tuple(s for role in _WITHOUT_CT for s in study.volumes_of(role))
    if not series_of_ct:
        volumes = ", ".join(f"{s.id} ({s.title})" for s in study.series if s.is_volume)
        raise UsageError(
            "the study has no CT volume, so the frame of reference of the point is not clear",
            expected="a series named with --series", remedy=f"choose one of: {volumes or 'no series is a volume'}",
        )
    return series_of_ct[0]


def segment_on(series: Series, at: Vector3) -> LesionMask:
    """Lesion mask from one point in the frame of reference of a series, by the rule that fits its role."""
    from neuraxis.lesions import SegmentKind, segment

    kinds = {
        Role.CT: SegmentKind.CALCIFICATION, Role.T1C: SegmentKind.ENHANCING, Role.T2: SegmentKind.DARK,
        Role.SWI: SegmentKind.DARK, Role.GRE: SegmentKind.DARK,
    }
    return segment(series.volume(), at, kind=kinds.get(series.role.role, SegmentKind.REGION))


def lesion_from_mask(series: Series, mask: LesionMask, others: tuple[LesionMask, ...] = ()) -> Lesion:
    """Measured lesion with a tracking UID that depends on nothing but what was segmented."""
    from neuraxis.lesions import measure

    measurement = measure(series.volume(), mask)
    digest = hashlib.sha256(
        f"{series.series_uid} {mask.start_zyx} {mask.box.shape}".encode() + mask.box.tobytes()
    ).digest()
    tracking_uid = f"2.25.{int.from_bytes(digest[:16], 'big') | (1 << 127)}"
    return Lesion(tracking_uid, "lesion 1", mask, measurement, others)


def register_frames(
    study: Study, series: Series, focus: Vector3, progress: Progress = silent
) -> tuple[RegistrationSet, tuple[str, ...]]:
    """Registrations from the frame of reference of a series to every other one of the study, and what failed."""
    from neuraxis.align import register

    registrations = RegistrationSet()
    notes = []
    home = series.frame_of_reference_uid
    frames = dict.fromkeys(
        s.frame_of_reference_uid for s in study.series if s.is_volume and s.frame_of_reference_uid not in ("", home)
    )
    for number, frame in enumerate(frames):
        moving = representative(study, frame)
        if moving is None:
            continue
        fixed = representative(study, home) or series
        progress(number / len(frames), f"registering {fixed.title} to {moving.title}")
        try:
            registration = register(fixed.volume(), moving.volume(), focus_lps_mm=focus)
        except NotMeasurableError as error:
            notes.append(f"{moving.title} is not registered: {error.found}")
        else:
            registrations = registrations.with_registration(registration)
    return registrations, tuple(notes)


def find_lesion(
    study: Study, at: Vector3, series: Series, registrations: RegistrationSet
) -> tuple[Series, Lesion]:
    """The lesion at a point of a series' frame of reference.

    It is measured on that series. Three cases lead elsewhere, all said in the measurement's method: a calcified shell
    that encloses the point on CT is taken with what it holds; nothing calcified at the point of a CT but an enhancing
    mass on the post-contrast series, or else a dark one on T2; or an enhancing mass clearly longer than the calcified
    part it holds.
    """
    from neuraxis.app.finding import LEAST_SHELL_HU, Found, dark_mass, enhancing_masses, is_the_whole, shell_about

    is_ct = series.role.role is Role.CT
    post = next(enhancing_masses(study, at, series, registrations, segment_on), None) if is_ct else None
    shell = shell_about(series.volume(), at, LEAST_SHELL_HU) if is_ct else None
    try:
        mask = shell or segment_on(series, at)
    except NotMeasurableError:
        other = post or (dark_mass(study, at, series, registrations) if is_ct else None)
        if other is None:
            raise
        return other.series, lesion_from_mask(other.series, other.mask)
    lesion = lesion_from_mask(series, mask)
    if post is None:
        return series, lesion
    if is_the_whole(post, Found(series, mask)):
        return post.series, lesion_from_mask(post.series, post.mask, (mask,))
    return series, Lesion(lesion.tracking_uid, lesion.label, mask, lesion.measurement, (post.mask,))


def measured_parts(study: Study, masks: tuple[LesionMask, ...]) -> tuple[LesionMeasurement, ...]:
    """Sizes of a lesion's further masks, each on its own series.

    These are the calcified part of a mass measured whole, or the enhancing tissue about a calcified part. Masks whose series cannot be measured are left out.
    """
    from neuraxis.lesions import measure

    parts = []
    for mask in masks:
        series = next((s for s in study.series if s.id == mask.series_id and s.is_volume), None)
        if series is None:
            continue
        try:
            parts.append(measure(series.volume(), mask))
        except NotMeasurableError:
            continue
    return tuple(parts)


def work_up(
    study: Study, at: Vector3, *, series_key: str | None = None, with_tags: bool = True, progress: Progress = silent
) -> Workup:
    """Everything the voxels say of the lesion at a point.

    Parameters
    ----------
    at : (L, P, S) in mm, in the frame of reference of the series (default: the CT with the thinnest slices)
    series_key : id, unambiguous UID or number of that series
    with_tags : also collect evidence for the tags
    """
    series = lesion_series(study, series_key)
    assert series.geometry is not None
    series.geometry.nearest_index(at)  # a point outside is refused before minutes are spent
    progress(0.1, "registering frames of reference")
    registrations, notes = register_frames(study, series, at, progress)
    progress(0.6, "segmenting and measuring")
    measured_on, lesion = find_lesion(study, at, series, registrations)
    tags: tuple[Tag, ...] = ()
    further = lesion.other_masks
    if with_tags:
        from neuraxis.evidence import EvidenceContext, collect
        from neuraxis.evidence.extent import widened

        progress(0.75, "collecting evidence")
        context = EvidenceContext(study=study, lesion=lesion, registrations=registrations)
        tags = collect(context)
        whole = widened(context)
        further = (whole.lesion.mask, *further) if whole is not None else further
    progress(1.0, "done")
    return Workup(study, measured_on, lesion, registrations, tags, notes, measured_parts(study, further))


def tag_lesion(study: Study, *, at: Vector3, series: str | None = None) -> tuple[Tag, ...]:
    """Tags of the lesion at a point with the evidence for each (the Python face of `neuraxis tag`)."""
    return work_up(study, at, series_key=series).tags


def audit_legend(study: Study, *, legend: str, at: Vector3, series: str | None = None) -> tuple[LegendAudit, ...]:
    """Each claim of a legend text held against the voxels, one audit a figure (the face of `neuraxis audit`)."""
    return audit_workup(work_up(study, at, series_key=series), legend)


def audit_workup(workup: Workup, legend: str) -> tuple[LegendAudit, ...]:
    """Each claim of a legend text held against what is known of a lesion; one audit a figure of the text."""
    from neuraxis.legends import audit, parse_legend

    return tuple(
        audit(figure, study=workup.study, lesion=workup.lesion, tags=workup.tags, registrations=workup.registrations)
        for figure in parse_legend(legend)
    )


def legend_recipe(workup: Workup, legend: str) -> Recipe:
    """Recipe of the first figure of a legend that has imaging panels, centred on the lesion."""
    from neuraxis.figures import recipe_from_legend

    return recipe_from_legend(workup.study, imaging_figure(legend), workup.lesion, workup.registrations)


def point_recipe(
    study: Study, at: Vector3, legend: str, *, series_key: str | None = None,
    pictures: Mapping[str, PicturePanel] | None = None, progress: Progress = silent,
) -> tuple[Recipe, tuple[str, ...]]:
    """Recipe of a legend's figure at a point: centred on the lesion there, or on the point where there is none.

    `pictures` are the panels for what is no imaging, by label.

    Returns
    -------
    the recipe, and notes on what was not found on the way
    """
    from neuraxis.figures import recipe_at_point, recipe_from_legend

    figure = imaging_figure(legend)
    try:
        workup = work_up(study, at, series_key=series_key, with_tags=False, progress=progress)
    except NotMeasurableError as error:
        series = lesion_series(study, series_key)
        registrations, notes = register_frames(study, series, at, progress)
        recipe = recipe_at_point(
            study, figure, at, series.frame_of_reference_uid, registrations, pictures=pictures
        )
        return recipe, (f"no lesion at the point, which is the centre of the panels: {error.found}", *notes)
    recipe = recipe_from_legend(study, figure, workup.lesion, workup.registrations, pictures=pictures)
    return recipe, workup.notes


def imaging_figure(legend: str) -> LegendFigure:
    """The first figure of a legend text that has imaging panels; UsageError where there is none."""
    from neuraxis.legends import parse_legend

    for figure in parse_legend(legend):
        if any(panel.kind == "imaging" for panel in figure.panels):
            return figure
    raise UsageError(
        "the legend describes no imaging panel", expected="panels such as '(a) Axial CT, bone window'",
        remedy="`neuraxis legend FILE` shows what was understood",
    )


def draw_study_figure(
    study: Study, *, recipe: Recipe | None = None, legend: str = "", at: Vector3 | None = None, series: str | None = None
) -> Figure:
    """A figure from a recipe, or from a legend and the lesion's point (the Python face of `neuraxis figure`)."""
    from neuraxis.figures import draw_figure

    if recipe is None:
        if at is None or not legend:
            raise UsageError("neither a recipe nor a legend with a point", expected="recipe=, or legend= and at=")
        recipe, _notes = point_recipe(study, at, legend, series_key=series)
    return draw_figure(recipe, study)
