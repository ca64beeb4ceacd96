"""From a legend and a lesion to the recipe of the figure that the legend describes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuraxis.align.planes import Plane
from neuraxis.domain import legend
from neuraxis.domain.geometry import Vector3
from neuraxis.domain.legend import LegendFigure
from neuraxis.domain.lesion import Lesion, LesionMask
from neuraxis.domain.study import Role, Series, Study
from neuraxis.domain.transform import RegistrationSet
from neuraxis.domain.volume import ValueKind, Volume
from neuraxis.figures.annotations import TypeSizes
from neuraxis.figures.layout import Box, lay_out
from neuraxis.figures.panel_windows import paired_windows, panel_window
from neuraxis.figures.panels import furniture
from neuraxis.figures.placement import finding_on_panel, place_arrow
from neuraxis.figures.recipe import (
    Layout,
    Mark,
    PicturePanel,
    PlaceholderPanel,
    PlaneSpec,
    Recipe,
    SeriesReference,
    VolumePanel,
    caption_literal,
)
from neuraxis.figures.sampling import PixelGrid, sample_grid
from neuraxis.figures.series_choice import choose_series, standard_plane
from neuraxis.figures.source import VolumeShelf, pixel_sha256

REGION_FIELD_MM = {
    "brain": 230.0, "posterior_fossa": 130.0, "foramen_magnum": 80.0, "craniocervical": 120.0, "skull_base": 140.0,
    "sella": 70.0, "orbit": 100.0, "cpa": 90.0, "temporal_bone": 80.0, "midbrain": 70.0, "neck": 180.0,
    "cervical_spine": 180.0, "thoracic_spine": 300.0, "lumbar_spine": 280.0, "spine": 300.0,
}
"""Field of view of a region that a legend names [prop]."""
NATIVE_PLANE_DEGREES = 30.0
"""Acquired slices within this angle of the asked plane are shown as acquired, not resampled askew."""
SNAP_FROM_MM = 1.5
"""Slices at least this far apart are shown as acquired; between thinner ones a plane may lie anywhere."""

SOFT_TISSUE_SLAB_MM = 3.0
"""Largest thickness over which thin CT slices are averaged for brain and soft tissue windows."""

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
    sizes = Recipe(panels=tuple(panels), layout=legend_layout(legend_figure, base["width_mm"]), **base)
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
    return Recipe(
        panels=tuple(finished), caption=caption_literal(legend_figure.text), layout=sizes.layout, notes=tuple(notes),
        **base,
    )


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
    spec = _plane(stated, series, volume, point, _field_of_view(stated, target.size_mm))
    slab = _soft_tissue_slab(stated, volume, target.size_mm)
    spec = spec.model_copy(update={"slab_mm": slab})
    spec = _moved_inside(spec, volume)
    values = _preview(spec, volume, registrations)
    panel = VolumePanel(
        letter=stated.label, plane=spec, window=panel_window(stated.window, volume, values),
        series=SeriesReference(
            series_uid=series.series_uid, series_id=series.id, role=series.role.role.value,
            pixel_sha256=pixel_sha256(volume),
        ),
        show_window=volume.kind is ValueKind.HU, scale_bar_mm=10.0 if spec.field_of_view_mm[0] < 170 else 50.0, text=_heading(stated, series),
    )
    notes = [choice.note] if choice.note else []
    if stated.plane is None:
        notes.append("no plane stated: axial")
    return _Drawn(panel, stated, series, volume, point), "; ".join(notes)


def _placeholder(stated: legend.Panel, reason: str) -> PlaceholderPanel:
    return PlaceholderPanel(letter=stated.label, reason=reason[:400])


def _heading(stated: legend.Panel, series: Series) -> str:
    """What stands in the panel's corner: the sequence, and the window's name where the legend states one."""
    role = series.role.role
    names = {Role.T1C: "T1 + C", Role.SWI_MINIP: "SWI minIP", Role.SWI_PHASE: "SWI phase"}
    window = {"bone": " bone", "soft_tissue": " soft tissue", "brain": " brain"}.get(stated.window or "", "")
    return names.get(role, role.value) + (window if role is Role.CT else "")


def _field_of_view(stated: legend.Panel, size_mm: float | None) -> float:
    """Side of the square field of view in mm: the stated region, else enough around the lesion to know the place."""
    size = 11.5 if size_mm is None else size_mm
    if stated.region is not None and stated.region in REGION_FIELD_MM:
        field = REGION_FIELD_MM[stated.region]
        return max(min(field, 80.0), 1.5 * size) if stated.zoom else max(field, 1.3 * size)
    if stated.zoom:
        return float(np.clip(14 * size, 60.0, 140.0))
    return float(np.clip(20 * size, 100.0, 230.0))


def _plane(stated: legend.Panel, series: Series, volume: Volume, point: Vector3, field_mm: float) -> PlaneSpec:
    geometry = volume.geometry
    index = float(geometry.index_from_lps(point)[0])
    acquired = Plane.of_slice(geometry, index)
    name = stated.plane or "axial"
    if name == "oblique":
        plane = acquired
    else:
        plane = standard_plane(name, point)
        angle = np.degrees(np.arccos(np.clip(abs(np.dot(plane.normal_lps, acquired.normal_lps)), 0, 1)))
        plane = acquired if angle <= NATIVE_PLANE_DEGREES else plane
    if plane is acquired and geometry.slice_distance_mm >= SNAP_FROM_MM:
        plane = Plane.of_slice(geometry, float(np.clip(round(index), 0, geometry.shape_zyx[0] - 1)))
    # centred on the lesion, without leaving the slice
    offset = float(plane.distance_mm(point))
    centre = np.asarray(point) - offset * np.asarray(plane.normal_lps)
    return PlaneSpec(
        name=name, frame_of_reference_uid=series.frame_of_reference_uid, centre_lps_mm=_rounded(centre, 3),  # type: ignore[arg-type]
        right=plane.row_lps, down=plane.column_lps, field_of_view_mm=(field_mm, field_mm),
    )


def _soft_tissue_slab(stated: legend.Panel, volume: Volume, size_mm: float | None) -> float:
    """Mean over some thin CT slices in soft windows, whose noise would hide brain; never thicker than the lesion."""
    if volume.kind is not ValueKind.HU or stated.window == "bone":
        return 0.0
    if volume.geometry.slice_distance_mm >= SNAP_FROM_MM:
        return 0.0
    return round(float(np.clip(0.6 * (5.0 if size_mm is None else size_mm), 1.0, SOFT_TISSUE_SLAB_MM)), 1)


def _rounded(vector: Any, digits: int) -> Vector3:
    x, y, z = (round(float(v), digits) + 0.0 for v in vector)
    return x, y, z


def _preview(spec: PlaneSpec, volume: Volume, registrations: RegistrationSet) -> Any:
    width, height = spec.field_of_view_mm
    grid = PixelGrid(spec, 160, max(8, round(160 * height / width)))
    return sample_grid(volume, grid, "linear", registrations)


def _moved_inside(spec: PlaneSpec, volume: Volume) -> PlaneSpec:
    """The plane shifted so that less of it lies outside the scanned field; the lesion keeps off the outer fifth."""
    there = np.isfinite(_preview(spec, volume, RegistrationSet()))
    if there.all() or not there.any():
        return spec
    mm = spec.field_of_view_mm[0] / there.shape[1]
    rows, columns = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
    down = _shift(int(rows[0]), there.shape[0] - 1 - int(rows[-1])) * mm
    across = _shift(int(columns[0]), there.shape[1] - 1 - int(columns[-1])) * mm
    limit = 0.3 * min(spec.field_of_view_mm)
    down, across = (float(np.clip(v, -limit, limit)) for v in (down, across))
    centre = np.asarray(spec.centre_lps_mm) + down * np.asarray(spec.down) + across * np.asarray(spec.right)
    return spec.model_copy(update={"centre_lps_mm": _rounded(centre, 3)})


def _shift(before: int, after: int) -> float:
    """Pixels by which to move towards the data, given empty pixels before and after it."""
    if before and after:
        return (before - after) / 2
    return float(before - after)


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
    marks: list[Mark] = []
    for kind in dict.fromkeys(wanted):
        if kind == "circle":
            radius = (finding.radius_mm + 1.0) * per_mm
            centre = grid.lps_from_mm(*(v * per_mm for v in finding.centre_mm))
            marks.append(Mark(kind="circle", anchor_lps_mm=_rounded(centre, 2), radius_mm=round(radius, 2)))
            continue
        # boxes, lines and letters of a legend become the arrow, which points at the same
        arrow = "arrowhead" if kind == "arrowhead" else "arrow"
        if any(m.kind == arrow for m in marks):
            continue
        length = float(np.clip(0.095 * box.width_mm, 3.2, 6.0)) * (0.6 if arrow == "arrowhead" else 1.0)
        place = place_arrow(finding, grey, box, furniture(panel, box, sizes), length, lateral)
        tip = grid.lps_from_mm(*(v * per_mm for v in place.tip_mm))
        marks.append(
            Mark(
                kind=arrow, anchor_lps_mm=_rounded(tip, 2), direction_deg=round(place.direction_deg, 1),  # type: ignore[arg-type]
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


def legend_layout(figure: LegendFigure, width_mm: float) -> Layout:
    """Rows of a legend's panels in its order: two rows for 5 to 8, broken where the modality changes if that is even enough."""
    labels = [p.label for p in figure.panels]
    count = len(labels)
    if width_mm < 110 or count <= 4 or count > 8:
        return Layout()
    middle = [k for k in range(2, count - 1) if 2 <= k <= 4 and 2 <= count - k <= 4]
    modality = [(p.kind, p.modality) for p in figure.panels]
    best = min(middle, key=lambda k: (modality[k - 1] == modality[k], abs(count - 2 * k), -k))
    return Layout(rows=(tuple(labels[:best]), tuple(labels[best:])))


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
