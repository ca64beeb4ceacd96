"""From a legend and a lesion to the recipe of the figure that the legend describes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuraxis.domain import legend
from neuraxis.domain.geometry import Vector3
from neuraxis.domain.legend import LegendFigure
from neuraxis.domain.lesion import Lesion, LesionMask
from neuraxis.domain.study import Role, Series, Study
from neuraxis.domain.transform import RegistrationSet
from neuraxis.domain.volume import ValueKind, Volume
from neuraxis.figures.annotations import TypeSizes
from neuraxis.figures.layout import Box, lay_out
from neuraxis.figures.legend_layout import is_positional, legend_layout
from neuraxis.figures.panel_planes import panel_plane, preview, rounded_point
from neuraxis.figures.panel_windows import paired_windows, panel_window
from neuraxis.figures.panels import furniture
from neuraxis.figures.placement import finding_on_panel, place_arrow
from neuraxis.figures.recipe import (
    Mark,
    PicturePanel,
    PlaceholderPanel,
    Recipe,
    SeriesReference,
    VolumePanel,
    caption_literal,
)
from neuraxis.figures.recipe_file import recipe_from_data
from neuraxis.figures.sampling import PixelGrid, sample_grid
from neuraxis.figures.source import VolumeShelf, pixel_sha256
from neuraxis.legends.series_choice import choose_series

ASTERISK_FITS_MM = 4.0
"""Radius on the page from which a finding carries an asterisk; a smaller one has it beside, so that it stays visible."""

AnyPanel = VolumePanel | PicturePanel | PlaceholderPanel


@dataclass(frozen=True, eq=False)
class _Target:
    """What the panels are centred on: a lesion, or a mere point of interest (no size, no mask)."""

    point_lps_mm: Vector3
    frame: str
    size_mm: float | None
    masks: tuple[LesionMask, ...]

    @classmethod
    def of_lesion(cls, lesion: Lesion) -> _Target:
        long_axis = lesion.measurement.long_axis
        return cls(
            lesion.measurement.centroid_lps_mm, lesion.frame_of_reference_uid,
            long_axis.quantity.value if long_axis else 10.0, (lesion.mask, *lesion.other_masks),
        )


@dataclass(frozen=True, eq=False)
class _Drawn:
    """A volume panel in the making."""

    panel: VolumePanel
    stated: legend.Panel
    series: Series
    volume: Volume
    point: Vector3


def recipe_from_legend(
    study: Study, legend_figure: LegendFigure, lesion: Lesion, registrations: RegistrationSet, *,
    width_mm: float = 174.0, dpi: int = 300, volumes: Iterable[Volume] = (),
    pictures: Mapping[str, PicturePanel] | None = None,
) -> Recipe:
    """The recipe of the figure that a legend describes, centred on a lesion.

    Series come from sequence, contrast and window; the plane from the legend (axial where it states none), as acquired
    where the series has slices of that plane; the field of view from its words; arrows stand where the legend states
    marks, and on every panel where it states none at all.

    Parameters
    ----------
    registrations : take the lesion's centre into each series' frame of reference
    volumes : volumes in memory already, used by their `series_id`
    pictures : panels for what is no imaging (histology, photographs), by label

    Returns
    -------
    Recipe
        A panel that cannot be made is a placeholder that says why; substitutions stand in `notes`.
    """
    base = {"width_mm": width_mm, "dpi": dpi, "measurements": measured_fields(lesion)}
    return _recipe(
        study, legend_figure, _Target.of_lesion(lesion), registrations, VolumeShelf(study, volumes), pictures or {}, base
    )


def recipe_at_point(
    study: Study, legend_figure: LegendFigure, point_lps_mm: Vector3, frame_of_reference_uid: str,
    registrations: RegistrationSet | None = None, *, width_mm: float = 174.0, dpi: int = 300,
    volumes: Iterable[Volume] = (), pictures: Mapping[str, PicturePanel] | None = None,
) -> Recipe:
    """The recipe of a legend's figure through a point of interest, where no lesion was segmented.

    As `recipe_from_legend`, but fields of view are those of the head unless the legend states a region or zoom, and
    marks stand only where the legend states them.
    """
    target = _Target(point_lps_mm, frame_of_reference_uid, None, ())
    return _recipe(
        study, legend_figure, target, registrations or RegistrationSet(), VolumeShelf(study, volumes), pictures or {},
        {"width_mm": width_mm, "dpi": dpi},
    )


def _recipe(
    study: Study, legend_figure: LegendFigure, target: _Target, registrations: RegistrationSet, shelf: VolumeShelf,
    pictures: Mapping[str, PicturePanel], base: dict[str, Any],
) -> Recipe:
    drafts: list[_Drawn | AnyPanel] = []
    notes: list[str] = []
    for stated in legend_figure.panels:
        draft, note = _draft(study, stated, target, registrations, shelf, pictures)
        drafts.append(draft)
        if note:
            notes.append(f"panel {stated.label}: {note}")
    drafts = _with_paired_windows(drafts, registrations)
    panels = [d.panel if isinstance(d, _Drawn) else d for d in drafts]
    layout = legend_layout(legend_figure, base["width_mm"])
    sizes = recipe_from_data({"panels": tuple(panels), "layout": layout, **base})
    page = lay_out(
        [p.letter for p in panels], [_aspect(p) for p in panels], sizes.layout, sizes.width_mm, sizes.dpi
    )
    sides = {c.laterality for p in legend_figure.panels for c in p.claims} & {"left", "right"}
    unmarked = bool(target.masks) and not any(p.marks for p in legend_figure.panels)
    type_sizes = TypeSizes(sizes.font_size_pt, sizes.letter_size_pt)
    finished: list[AnyPanel] = []
    for draft in drafts:
        if isinstance(draft, _Drawn):
            wanted = ("arrow",) if unmarked else draft.stated.marks
            finished.append(
                _marked(
                    draft, wanted, target, registrations, page.boxes[draft.panel.letter], type_sizes,
                    _lateral(draft, sides),
                )
            )
        else:
            finished.append(draft)
    return recipe_from_data({
        "panels": tuple(finished), "caption": caption_literal(legend_figure.text), "layout": layout,
        "notes": tuple(note[:600] for note in notes), **base,
    })


def _draft(
    study: Study, stated: legend.Panel, target: _Target, registrations: RegistrationSet, shelf: VolumeShelf,
    pictures: Mapping[str, PicturePanel],
) -> tuple[_Drawn | AnyPanel, str]:
    if stated.kind != "imaging":
        given = pictures.get(stated.label)
        if given is not None:
            return given.model_copy(update={"letter": stated.label}), ""
        return _placeholder(stated, f"{stated.kind}: give a picture file for panel {stated.label} in the recipe"), ""
    if stated.plane == "3d":
        return _placeholder(stated, "the legend asks for a 3D view; figures show planes and slabs"), ""
    choice = choose_series(study, stated, target.point_lps_mm, target.frame, registrations)
    if choice.series is None or choice.point_lps_mm is None:
        return _placeholder(stated, choice.reason), ""
    series, point = choice.series, choice.point_lps_mm
    volume = shelf.volume(series)
    spec = panel_plane(stated, series, volume, point, target.size_mm)
    values = preview(spec, volume, registrations)
    window = panel_window(stated.window, volume, values)
    panel = VolumePanel(
        letter=stated.label, plane=spec, window=window,
        series=SeriesReference(
            series_uid=series.series_uid, series_id=series.id, role=series.role.role.value,
            pixel_sha256=pixel_sha256(volume),
        ),
        show_letter=not is_positional(stated.label), show_window=volume.kind is ValueKind.HU, scale_bar_mm=10.0 if spec.field_of_view_mm[0] < 170 else 50.0, text=panel_heading(series, window.name),
    )
    notes = [choice.note] if choice.note else []
    if stated.plane is None:
        notes.append("no plane stated: axial")
    if {"line", "letter"} & set(stated.marks):
        notes.append("words do not tell where a line or letter stands: an arrow points at the finding instead")
    return _Drawn(panel, stated, series, volume, point), "; ".join(notes)


def _placeholder(stated: legend.Panel, reason: str) -> PlaceholderPanel:
    return PlaceholderPanel(letter=stated.label, reason=reason[:400])


def panel_heading(series: Series, window_name: str) -> str:
    """What stands in the panel's corner: the sequence, for CT with the name of the window."""
    role = series.role.role
    names = {Role.T1C: "T1 + C", Role.SWI_MINIP: "SWI minIP", Role.SWI_PHASE: "SWI phase"}
    named = role is Role.CT and window_name not in ("automatic", "")
    return f"CT {window_name}"[:60] if named else names.get(role, role.value)


def _with_paired_windows(
    drafts: list[_Drawn | AnyPanel], registrations: RegistrationSet
) -> list[_Drawn | AnyPanel]:
    """T1 before and after contrast get one window, each where it is the only one of its role or in the order of panels."""
    before = [d for d in drafts if isinstance(d, _Drawn) and d.series.role.role is Role.T1]
    after = [d for d in drafts if isinstance(d, _Drawn) and d.series.role.role is Role.T1C]
    replaced: dict[int, _Drawn] = {}
    for pre, post in zip(before, after, strict=False):
        grid = PixelGrid(post.panel.plane, 160, 160)
        if registrations.between(post.panel.plane.frame_of_reference_uid, pre.volume.frame_of_reference_uid) is None:
            continue
        values = [sample_grid(d.volume, grid, "linear", registrations) for d in (pre, post)]
        windows = paired_windows(
            values[0], values[1], pre.panel.window, post.panel.window, (pre.panel.letter, post.panel.letter)
        )
        if windows is not None:
            for draft, window in zip((pre, post), windows, strict=True):
                panel = draft.panel.model_copy(update={"window": window})
                replaced[id(draft)] = _Drawn(panel, draft.stated, draft.series, draft.volume, draft.point)
    return [replaced.get(id(d), d) for d in drafts]


def _marked(
    draft: _Drawn, wanted: tuple[str, ...], target: _Target, registrations: RegistrationSet, box: Box, sizes: TypeSizes,
    lateral: tuple[float, float] | None,
) -> VolumePanel:
    """The panel with its marks, placed on the pixels as they will be printed."""
    panel = draft.panel
    if not wanted:
        return panel
    grid = PixelGrid(panel.plane, box.width_px, box.height_px)
    values = sample_grid(draft.volume, grid, panel.interpolation, registrations)
    grey = panel.window.window().to_grey(values, inverted=draft.series.inverted)
    finding = finding_on_panel(
        _mask_for(draft.series, target), grid, grey, box.pixel_mm, centre_lps_mm=draft.point,
        radius_mm=(target.size_mm or 2.0) / 2, registrations=registrations,
    )
    per_mm = grid.pixel_mm / box.pixel_mm
    middle = rounded_point(grid.lps_from_mm(*(v * per_mm for v in finding.centre_mm)), 2)
    marks: list[Mark] = []
    for kind in dict.fromkeys(wanted):
        if kind in ("circle", "box"):
            radius = round((finding.radius_mm + 1.0) * per_mm, 2)
            around = {"radius_mm": radius} if kind == "circle" else {"sides_mm": (2 * radius, 2 * radius)}
            marks.append(Mark.model_validate({"kind": kind, "anchor_lps_mm": middle, **around}))
            continue
        if kind == "asterisk" and finding.radius_mm >= ASTERISK_FITS_MM:
            marks.append(Mark(kind="asterisk", anchor_lps_mm=middle))
            continue
        # where lines and letters stand no words tell: the arrow points at the same
        arrow = kind if kind in ("arrowhead", "asterisk") else "arrow"
        if any(m.kind == arrow for m in marks):
            continue
        shares = {"arrow": 1.0, "arrowhead": 0.6, "asterisk": 0.5}
        length = float(np.clip(0.095 * box.width_mm, 3.2, 6.0)) * shares[arrow]
        place = place_arrow(finding, grey, box, furniture(panel, box, sizes), length, lateral)
        if arrow == "asterisk":
            beside = grid.lps_from_mm(*(v * per_mm for v in place.at(length / 2)))
            marks.append(Mark(kind="asterisk", anchor_lps_mm=rounded_point(beside, 2)))
            continue
        tip = grid.lps_from_mm(*(v * per_mm for v in place.tip_mm))
        marks.append(
            Mark(
                kind=arrow, anchor_lps_mm=rounded_point(tip, 2), direction_deg=round(place.direction_deg, 1),  # type: ignore[arg-type]
                length_mm=round(length, 1),
            )
        )
    return panel.model_copy(update={"marks": tuple(marks)})


def _lateral(draft: _Drawn, sides: set[str | None]) -> tuple[float, float] | None:
    """Screen direction (right, down) of the one side that the claims state, where the panel shows it."""
    if len(sides) != 1:
        return None
    x = 1.0 if sides == {"left"} else -1.0
    across, down = x * draft.panel.plane.right[0], x * draft.panel.plane.down[0]
    return (across, down) if max(abs(across), abs(down)) > 0.7 else None


def _mask_for(series: Series, target: _Target) -> LesionMask | None:
    """The lesion's mask on this series where there is one, else the one it is known by."""
    on_it = [m for m in target.masks if m.series_id == series.id]
    return next(iter((*on_it, *target.masks)), None)


def _aspect(panel: AnyPanel) -> float:
    if isinstance(panel, VolumePanel):
        return panel.plane.field_of_view_mm[0] / panel.plane.field_of_view_mm[1]
    if isinstance(panel, PicturePanel) and panel.crop_px is not None:
        return panel.crop_px[2] / panel.crop_px[3]
    return panel.aspect if isinstance(panel, PlaceholderPanel) else 1.0


def measured_fields(lesion: Lesion) -> dict[str, str]:
    """Measurements as text for caption fields, rounded to what their uncertainty allows."""
    m = lesion.measurement
    fields = {
        "long_axis": m.long_axis.quantity.display() if m.long_axis else None,
        "short_axis": m.short_axis.quantity.display() if m.short_axis else None,
        "max_3d_diameter": m.max_3d_diameter.quantity.display() if m.max_3d_diameter else None,
        "volume": m.volume.display() if m.volume else None,
        "distance_to_bone": m.distance_to_bone.display() if m.distance_to_bone else None,
        "mean": f"{m.intensity.mean:.4g} {m.intensity.unit}", "max": f"{m.intensity.maximum:.4g} {m.intensity.unit}",
    }
    return {key: value for key, value in fields.items() if value is not None}
