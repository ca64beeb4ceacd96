"""Everything that is measured on one mask, sub-voxel where the boundary allows it, with uncertainties."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuraxis.domain.geometry import FloatArray, Vector3
from neuraxis.domain.lesion import IntensityStatistics, LengthMeasurement, LesionMask, LesionMeasurement
from neuraxis.domain.quantity import Quantity
from neuraxis.domain.volume import ValueKind, Volume
from neuraxis.errors import NotMeasurableError
from neuraxis.lesions.bone import BONE_HU, SEARCH_MM, BoneMask, find_bone
from neuraxis.lesions.limits import Limits, limits_of
from neuraxis.lesions.model import SizeModel, fit_size_model
from neuraxis.lesions.neighbourhood import BoolVoxels, Neighbourhood, box_of_mask, crop_to_mask, require_same_grid
from neuraxis.lesions.surface import Axes, Mesh, farthest_pair, level_field, mesh_of, perpendicular_axes, slice_contour

MARGIN_MM = 4.0
SEARCH_STEPS_MM = (5.0, 10.0, SEARCH_MM)
"""Bone is looked for nearby first: a box of 20 mm around holds sixteen times the voxels of one of 5 mm."""


@dataclass(frozen=True, eq=False)
class _Subject:
    """A mask in its box with the surface it has there.

    `sign` is -1 for lesions darker than their background, whose values are used negated.
    """

    volume: Volume
    mask: LesionMask
    box: Neighbourhood
    inside: BoolVoxels
    sign: float
    mesh: Mesh
    axes: Axes | None
    in_plane_pixel_mm: float
    slice_step_mm: float

    @property
    def is_threshold(self) -> bool:
        return self.mask.boundary_value is not None


def measure(volume: Volume, mask: LesionMask, *, bone_mask: BoneMask | None = None) -> LesionMeasurement:
    """Sizes, volume, surface, statistics and distance to bone of one mask.

    Masks with a boundary value (from `segment`) are measured at their sub-voxel half-maximum surface and corrected for
    the scanner's blur; drawn masks are measured midway between the voxels inside and outside.

    Parameters
    ----------
    volume : native voxels of the series on which the mask lies
    mask : on the same grid
    bone_mask : bone to measure the distance to; found within 20 mm on CT when None

    Returns
    -------
    LesionMeasurement
        A size that cannot be measured is None and named in `warnings`.

    Raises
    ------
    NotMeasurableError
        When the mask is empty or the volume is not for measurement.
    GeometryError
        When mask and volume have different grids.
    """
    require_same_grid(volume, mask)
    if not volume.is_measurable:
        raise NotMeasurableError(
            f"series {volume.series_id or '(unknown)'} is not for measurement: {'; '.join(volume.caveats) or 'stored values'}",
            expected="voxels in real-world units",
        )
    if mask.voxel_count == 0:
        raise NotMeasurableError("mask without any voxel", expected="at least one voxel", remedy="segment or draw it again")
    subject = _subject(volume, mask)
    limits = limits_of(volume, mask, _equivalent_mm(subject.mesh.volume_mm3))
    model = fit_size_model(volume, mask, subject.box, subject.inside, subject.sign) if subject.is_threshold else None
    return _assemble(subject, limits, model, bone_mask)


def _subject(volume: Volume, mask: LesionMask) -> _Subject:
    box, inside = box_of_mask(volume, mask, MARGIN_MM)
    sign, values, boundary, contrast = 1.0, None, 0.5, 1.0
    if mask.boundary_value is not None:
        background, plateau = mask.background_value, mask.plateau_value
        if background is None or plateau is None:
            raise NotMeasurableError("mask with a boundary value but without background and plateau")
        sign = 1.0 if plateau >= background else -1.0
        values, boundary, contrast = box.values * np.float32(sign), sign * mask.boundary_value, abs(plateau - background)
    field = level_field(values, inside, boundary, contrast)
    mesh = mesh_of(field, box.geometry)
    areas = np.count_nonzero(inside, axis=(1, 2))
    middle = int(np.argmax(areas))
    axes = perpendicular_axes(slice_contour(field, box.geometry, middle), box.geometry, middle + box.start_zyx[0])
    sx, sy, _ = volume.geometry.spacing_xyz_mm
    return _Subject(volume, mask, box, inside, sign, mesh, axes, max(sx, sy), abs(volume.geometry.slice_distance_mm))


def _equivalent_mm(volume_mm3: float) -> float:
    """Diameter of the sphere of that volume."""
    return float((6 * volume_mm3 / np.pi) ** (1 / 3))


def _assemble(
    subject: _Subject, limits: Limits, model: SizeModel | None, bone: BoneMask | None
) -> LesionMeasurement:
    volume, mask = subject.volume, subject.mask
    long_axis, short_axis = _axes(subject, model)
    diameter: LengthMeasurement | None = _diameter(subject, model)
    integral: Quantity | None
    surface: Quantity | None
    integral, voxel_sum, surface = _volumes(subject, model)
    distance, notes = _distance_to_bone(subject, bone)
    warnings = [*mask.warnings, *limits.warnings, *(model.notes if model else ()), *notes]
    if limits.in_plane_cut:
        long_axis = short_axis = None
    if limits.through_plane_unknown:
        diameter = surface = None
    if limits.volume_unknown:
        integral = None
    elif limits.thick and integral is not None:
        integral = _as_range(integral, model)
    warnings += _measurability(long_axis, short_axis, subject)
    return LesionMeasurement(
        volume.series_id, volume.series_uid, volume.frame_of_reference_uid, mask.method, _centroid(subject, model),
        _statistics(subject), long_axis, short_axis, diameter, integral, voxel_sum, surface, distance,
        int(np.count_nonzero(subject.inside.any(axis=(1, 2)))), tuple(dict.fromkeys(warnings)),
    )


def _vector(point: FloatArray) -> Vector3:
    x, y, z = (float(v) for v in point)
    return (x, y, z)


def _centroid(subject: _Subject, model: SizeModel | None) -> Vector3:
    if model is not None:
        return _vector(model.centre_lps_mm)
    return _vector(subject.mask.points_lps_mm().mean(axis=0))


def _statistics(subject: _Subject) -> IntensityStatistics:
    values = subject.box.values[subject.inside].astype(np.float64)
    p10, p90 = (float(v) for v in np.percentile(values, (10, 90)))
    return IntensityStatistics(
        subject.volume.unit, float(values.mean()), float(values.std()), float(values.min()), float(values.max()),
        p10, p90, int(values.size),
    )


def _length(subject: _Subject, mm: float, ends: FloatArray, uncertainty: float, method: str) -> LengthMeasurement:
    uids = subject.volume.sop_instance_uids
    index = int(np.clip(np.rint(subject.volume.geometry.index_from_lps(ends.mean(axis=0))[0]), 0, max(len(uids) - 1, 0)))
    return LengthMeasurement(
        Quantity(mm, "mm", uncertainty, method), _vector(ends[0]), _vector(ends[1]), uids[index] if uids else ""
    )


def _axes(subject: _Subject, model: SizeModel | None) -> tuple[LengthMeasurement | None, LengthMeasurement | None]:
    axes = subject.axes
    if axes is None:
        return None, None
    if model is None:
        half = subject.in_plane_pixel_mm
        rule = "edge to edge, midway between voxels inside and outside" if not subject.is_threshold else \
            "edge to edge at half-maximum, not corrected for blur"
        return (
            _length(subject, axes.long_mm, axes.long_ends, half, f"longest diameter in the slice of largest area, {rule}"),
            _length(subject, axes.short_mm, axes.short_ends, half, f"longest chord perpendicular to it, {rule}"),
        )
    rule = model.rule
    return (
        _length(subject, model.long.value, model.long_ends(axes), model.long.uncertainty,
                f"longest diameter in the slice of largest area, {rule}"),
        _length(subject, model.short.value, model.short_ends(axes), model.short.uncertainty,
                f"longest chord perpendicular to it, {rule}"),
    )


def _diameter(subject: _Subject, model: SizeModel | None) -> LengthMeasurement:
    vertices = subject.mesh.vertices_lps_mm
    # an ellipsoid's model knows its own direction, and the search is slow
    known = model is not None and model.is_ellipsoid
    ends = vertices[:2] if known else vertices[list(farthest_pair(vertices))]
    if model is None:
        measured = float(np.linalg.norm(ends[0] - ends[1]))
        return _length(
            subject, measured, ends, float(np.hypot(subject.in_plane_pixel_mm, subject.slice_step_mm / 2)),
            "largest distance of two surface points",
        )
    return _length(
        subject, model.largest.value, model.largest_ends(ends), model.largest.uncertainty,
        f"largest distance of two surface points, {model.rule}",
    )


def _volumes(subject: _Subject, model: SizeModel | None) -> tuple[Quantity, Quantity, Quantity]:
    voxel = subject.volume.geometry.voxel_volume_mm3
    count = subject.mask.voxel_count
    shell = subject.mesh.area_mm2 * subject.in_plane_pixel_mm
    voxel_sum = Quantity(
        count * voxel, "mm3", max(voxel, 0.5 * shell), "sum of voxels whose centre lies inside the boundary"
    )
    if model is None:
        return (
            Quantity(count * voxel, "mm3", max(voxel, 0.5 * shell), "sum of voxels (drawn boundary)"), voxel_sum,
            Quantity(subject.mesh.area_mm2, "mm2", 0.15 * subject.mesh.area_mm2, "area of the triangulated surface"),
        )
    return (
        Quantity(model.volume.value, "mm3", model.volume.uncertainty, model.volume_rule), voxel_sum,
        Quantity(model.surface.value, "mm2", model.surface.uncertainty, f"area of the surface, {model.rule}"),
    )


def _as_range(volume: Quantity, model: SizeModel | None) -> Quantity:
    """A volume as the range that thick slices allow; as wide as the value itself where nothing better is known."""
    half = volume.uncertainty if model is not None and volume.uncertainty is not None else volume.value
    low, high = max(volume.value - half, 0.0), volume.value + half
    return Quantity(
        volume.value, "mm3", half, f"range {low:.0f} to {high:.0f} mm3: the slices are too thick for one number; {volume.method}"
    )


def _distance_to_bone(subject: _Subject, bone: BoneMask | None) -> tuple[Quantity | None, tuple[str, ...]]:
    """Smallest distance of lesion and bone surfaces; bone's surface is the 300 HU level, sub-voxel."""
    if bone is None and subject.volume.kind is not ValueKind.HU:
        return None, ()
    for reach_mm in SEARCH_STEPS_MM:
        distance = _distance_within(subject, bone, reach_mm)
        if distance is not None and (distance < reach_mm - 1.0 or reach_mm == SEARCH_MM):
            break
    if distance is None:
        return None, (f"no bone within {SEARCH_MM:g} mm of the lesion",)
    uncertainty = float(np.hypot(subject.in_plane_pixel_mm, 0.5 * subject.slice_step_mm))
    how = "smallest distance between the lesion's surface and the 300 HU surface of bone"
    return Quantity(distance, "mm", uncertainty, how), ()


def _distance_within(subject: _Subject, bone: BoneMask | None, reach_mm: float) -> float | None:
    """Distance to the bone in a box of that margin, mm; None where there is none."""
    from scipy.spatial import cKDTree

    box, inside = box_of_mask(subject.volume, subject.mask, reach_mm)
    there = bone.within(box) if bone is not None else find_bone(box, subject.volume.geometry.shape_zyx, inside)
    there = there & ~inside
    there = _nearest_part(there, box, subject.mesh.vertices_lps_mm)
    if not there.any():
        return None
    part, start = crop_to_mask(there, box.start_zyx)
    low = np.subtract(start, box.start_zyx)
    values = box.values[tuple(slice(int(a), int(a) + n) for a, n in zip(low, part.shape, strict=True))]
    ct = subject.volume.kind is ValueKind.HU
    field = level_field(values if ct else None, part, BONE_HU if ct else 0.5, 2 * BONE_HU if ct else 1.0)
    geometry = subject.volume.geometry.cropped(start, (part.shape[0], part.shape[1], part.shape[2]))
    surface = mesh_of(field, geometry).vertices_lps_mm
    return float(cKDTree(surface).query(subject.mesh.vertices_lps_mm)[0].min())


def _nearest_part(bone: BoolVoxels, box: Neighbourhood, surface: FloatArray) -> BoolVoxels:
    """The bone that can be nearest to a surface: what lies farther from its middle than the nearest bone does by the
    spread of the surface's own radii, and two voxels, cannot.
    """
    index = np.argwhere(bone)
    if not index.size:
        return bone
    middle = surface.mean(axis=0)
    radii = np.linalg.norm(surface - middle, axis=1)
    distance = np.linalg.norm(box.geometry.lps_from_index(index) - middle, axis=1)
    near = index[distance <= distance.min() + radii.max() - radii.min() + 2 * float(np.linalg.norm(box.geometry.spacing_xyz_mm))]
    out = np.zeros_like(bone)
    out[tuple(near.T)] = True
    return out


def _measurability(
    long_axis: LengthMeasurement | None, short_axis: LengthMeasurement | None, subject: _Subject
) -> list[str]:
    """RECIST 1.1 and RANO measurability; no response category is ever derived."""
    if long_axis is None:
        return ["longest diameter in the slice not measurable: the lesion is cut by the edge of the picture"]
    notes = []
    thickness = subject.volume.slice_thickness_mm or subject.slice_step_mm
    if long_axis.quantity.value < max(10.0, 2 * thickness):
        notes.append(f"non-measurable by RECIST 1.1 (longest diameter below {max(10.0, 2 * thickness):g} mm)")
    if short_axis is not None and min(long_axis.quantity.value, short_axis.quantity.value) < max(10.0, 2 * thickness):
        notes.append("non-measurable by RANO (two perpendicular diameters of 10 mm on slices of at most 5 mm)")
    return notes
