"""Which plane and field of view a legend's panel shows of a series."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.align.planes import Plane
from neuraxis.domain import legend
from neuraxis.domain.geometry import Vector3
from neuraxis.domain.study import Series
from neuraxis.domain.transform import RegistrationSet
from neuraxis.domain.volume import ValueKind, Volume
from neuraxis.figures.recipe import PlaneSpec
from neuraxis.figures.sampling import PixelGrid, sample_grid
from neuraxis.legends.series_choice import standard_plane

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


def panel_plane(
    stated: legend.Panel, series: Series, volume: Volume, point_lps_mm: Vector3, size_mm: float | None
) -> PlaneSpec:
    """The plane, field of view and slab of a panel around a point of the series' frame.

    Parameters
    ----------
    stated : what the legend says of plane, region and zoom
    size_mm : of the lesion; None where only a point is known
    """
    spec = _plane(stated, series, volume, point_lps_mm, _field_of_view(stated, size_mm))
    spec = spec.model_copy(update={"slab_mm": _soft_tissue_slab(stated, volume, size_mm)})
    return _moved_inside(spec, volume)


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
        name=name, frame_of_reference_uid=series.frame_of_reference_uid, centre_lps_mm=rounded_point(centre, 3),  # type: ignore[arg-type]
        right=plane.row_lps, down=plane.column_lps, field_of_view_mm=(field_mm, field_mm),
    )


def _soft_tissue_slab(stated: legend.Panel, volume: Volume, size_mm: float | None) -> float:
    """Mean over some thin CT slices in soft windows, whose noise would hide brain; never thicker than the lesion."""
    if volume.kind is not ValueKind.HU or stated.window == "bone":
        return 0.0
    if volume.geometry.slice_distance_mm >= SNAP_FROM_MM:
        return 0.0
    return round(float(np.clip(0.6 * (5.0 if size_mm is None else size_mm), 1.0, SOFT_TISSUE_SLAB_MM)), 1)


def rounded_point(vector: Any, digits: int) -> Vector3:
    """A point with so many digits after the point, never -0."""
    x, y, z = (round(float(v), digits) + 0.0 for v in vector)
    return x, y, z


def preview(spec: PlaneSpec, volume: Volume, registrations: RegistrationSet) -> NDArray[np.float32]:
    """Coarse values of a panel, to choose windows and shifts by."""
    width, height = spec.field_of_view_mm
    grid = PixelGrid(spec, 160, max(8, round(160 * height / width)))
    return sample_grid(volume, grid, "linear", registrations)


def _moved_inside(spec: PlaneSpec, volume: Volume) -> PlaneSpec:
    """The plane shifted so that less of it lies outside the scanned field; the lesion keeps off the outer fifth."""
    there = np.isfinite(preview(spec, volume, RegistrationSet()))
    if there.all() or not there.any():
        return spec
    mm = spec.field_of_view_mm[0] / there.shape[1]
    rows, columns = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
    down = _shift(int(rows[0]), there.shape[0] - 1 - int(rows[-1])) * mm
    across = _shift(int(columns[0]), there.shape[1] - 1 - int(columns[-1])) * mm
    limit = 0.3 * min(spec.field_of_view_mm)
    down, across = (float(np.clip(v, -limit, limit)) for v in (down, across))
    centre = np.asarray(spec.centre_lps_mm) + down * np.asarray(spec.down) + across * np.asarray(spec.right)
    return spec.model_copy(update={"centre_lps_mm": rounded_point(centre, 3)})


def _shift(before: int, after: int) -> float:
    """Pixels by which to move towards the data, given empty pixels before and after it."""
    if before and after:
        return (before - after) / 2
    return float(before - after)
