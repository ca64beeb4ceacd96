"""Tools on the picture: length, bidirectional, angle, regions of interest, probe; points in LPS mm, native voxels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuraxis.domain.geometry import FloatArray, Vector3, VolumeGeometry
from neuraxis.domain.lesion import IntensityStatistics, LengthMeasurement
from neuraxis.domain.quantity import Quantity
from neuraxis.domain.volume import Volume
from neuraxis.errors import NotMeasurableError, UsageError
from neuraxis.lesions.editing import polygon_contains
from neuraxis.lesions.neighbourhood import require_measurable

PLACING_PIXELS = 1.0
"""A reader places a caliper's end to about one pixel (95 %)."""


@dataclass(frozen=True)
class Bidirectional:
    """Two lengths at right angles, as a reader drew them."""

    long_axis: LengthMeasurement
    short_axis: LengthMeasurement


@dataclass(frozen=True)
class RegionStatistics:
    """Area and statistics of the voxels whose centre lies in a region of interest."""

    area: Quantity
    intensity: IntensityStatistics
    method: str


@dataclass(frozen=True)
class Probe:
    """One voxel's stored value in real-world units, and where it is."""

    value: float
    unit: str
    index_zyx: tuple[int, int, int]
    centre_lps_mm: Vector3


def _point(values: ArrayLike) -> FloatArray:
    p = np.asarray(values, dtype=np.float64)
    if p.shape != (3,) or not np.isfinite(p).all():
        raise UsageError(f"point {np.asarray(values).tolist()}", expected="three finite LPS coordinates in mm")
    return p


def _vector(p: FloatArray) -> Vector3:
    return (float(p[0]), float(p[1]), float(p[2]))


def pixel_along_mm(geometry: VolumeGeometry, direction_lps: ArrayLike) -> float:
    """How far one can go along a direction before a voxel ends: the grid's resolution along it, mm."""
    d = np.asarray(direction_lps, dtype=np.float64)
    norm = float(np.linalg.norm(d))
    if norm == 0:
        return float(min(geometry.spacing_xyz_mm))
    per_mm = np.abs(geometry.affine_xyz_from_lps[:3, :3] @ (d / norm))
    return float(1.0 / per_mm.max())


def length(start_lps_mm: ArrayLike, end_lps_mm: ArrayLike, volume: Volume | None = None) -> LengthMeasurement:
    """Distance of two points; with a volume, the uncertainty of placing both ends on its voxels and the instance."""
    a, b = _point(start_lps_mm), _point(end_lps_mm)
    mm = float(np.linalg.norm(b - a))
    uncertainty, uid = None, ""
    if volume is not None:
        uncertainty = float(np.sqrt(2)) * PLACING_PIXELS * pixel_along_mm(volume.geometry, b - a)
        uid = _instance_of(volume, (a, b))
    return LengthMeasurement(Quantity(mm, "mm", uncertainty, "two points placed by hand"), _vector(a), _vector(b), uid)


def _instance_of(volume: Volume, points: tuple[FloatArray, ...]) -> str:
    """SOPInstanceUID of the slice in which all points lie; "" where they do not lie in one."""
    slices = {int(np.rint(volume.geometry.index_from_lps(p)[0])) for p in points}
    if len(slices) != 1:
        return ""
    z = slices.pop()
    return volume.sop_instance_uids[z] if 0 <= z < len(volume.sop_instance_uids) else ""


def bidirectional(
    long_start: ArrayLike, long_end: ArrayLike, short_start: ArrayLike, short_end: ArrayLike,
    volume: Volume | None = None,
) -> Bidirectional:
    """Two diameters at right angles; the longer one is the long axis whichever was drawn first.

    Raises
    ------
    UsageError
        When the two enclose less than 80 degrees.
    """
    first, second = length(long_start, long_end, volume), length(short_start, short_end, volume)
    u = np.subtract(first.end_lps_mm, first.start_lps_mm)
    w = np.subtract(second.end_lps_mm, second.start_lps_mm)
    norm = float(np.linalg.norm(u) * np.linalg.norm(w))
    degrees = float(np.degrees(np.arccos(min(1.0, abs(float(u @ w)) / norm)))) if norm > 0 else 0.0
    if degrees < 80.0:
        raise UsageError(f"two diameters at {degrees:.0f} degrees", expected="a right angle", remedy="draw the second again")
    pair = sorted((first, second), key=lambda m: -m.quantity.value)
    return Bidirectional(pair[0], pair[1])


def angle(first_lps_mm: ArrayLike, vertex_lps_mm: ArrayLike, second_lps_mm: ArrayLike) -> Quantity:
    """Angle at the vertex between two arms, 0 to 180 degrees."""
    v = _point(vertex_lps_mm)
    a, b = _point(first_lps_mm) - v, _point(second_lps_mm) - v
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    if norm == 0:
        raise UsageError("angle with an arm of no length", expected="three different points")
    # atan2 keeps its precision near 0 and 180 degrees, where arccos loses it
    degrees = float(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)))
    return Quantity(degrees, "deg", None, "three points placed by hand")


def polygon_statistics(volume: Volume, corners_lps_mm: ArrayLike) -> RegionStatistics:
    """Area and statistics inside a closed polygon (n, 3) on any plane, oblique ones too.

    Voxels count whose centre lies within half a voxel of the plane and inside the polygon seen along the normal.
    """
    corners = np.asarray(corners_lps_mm, dtype=np.float64)
    if corners.ndim != 2 or corners.shape[1] != 3 or len(corners) < 3:
        raise UsageError(f"polygon of shape {corners.shape}", expected="at least three LPS points")
    centre = corners.mean(axis=0)
    _, singular, axes = np.linalg.svd(corners - centre)
    if singular[1] < 1e-9:
        raise UsageError("polygon whose corners lie on one line", expected="an area")
    flat = (corners - centre) @ axes[:2].T
    x, y = flat.T
    area = abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
    points, values = _near_plane(volume, centre, axes[2], float(np.linalg.norm(flat, axis=1).max()))
    inside = polygon_contains(flat, (points - centre) @ axes[:2].T)
    return _statistics(volume, values[inside], area, "polygon")


def ellipse_statistics(
    volume: Volume, centre_lps_mm: ArrayLike, first_half_axis_mm: ArrayLike, second_half_axis_mm: ArrayLike
) -> RegionStatistics:
    """Area and statistics inside an ellipse on any plane.

    Parameters
    ----------
    centre_lps_mm : middle
    first_half_axis_mm, second_half_axis_mm : vectors from the middle to two vertices, at right angles
    """
    centre, a, b = _point(centre_lps_mm), _point(first_half_axis_mm), _point(second_half_axis_mm)
    la, lb = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    if la == 0 or lb == 0 or abs(float(a @ b)) > 0.02 * la * lb:
        raise UsageError("ellipse whose half axes are not at right angles", expected="two perpendicular vectors")
    normal = np.cross(a, b) / (la * lb)
    points, values = _near_plane(volume, centre, normal / np.linalg.norm(normal), max(la, lb))
    d = points - centre
    inside = (d @ a / la**2) ** 2 + (d @ b / lb**2) ** 2 <= 1.0
    return _statistics(volume, values[inside], float(np.pi * la * lb), "ellipse")


def _near_plane(
    volume: Volume, centre: FloatArray, normal: FloatArray, radius_mm: float
) -> tuple[FloatArray, NDArray[np.float64]]:
    """Centres and values of native voxels within half a voxel of a plane and a radius of its middle."""
    require_measurable(volume)
    g = volume.geometry
    steps = np.array([g.step_x_mm, g.step_y_mm, g.step_z_mm])
    half = 0.5 * float(np.abs(steps @ normal).max())
    reach = (radius_mm + half) * np.linalg.norm(g.affine_xyz_from_lps[:3, :3], axis=1)[::-1]
    middle = g.index_from_lps(centre)
    low = np.clip(np.floor(middle - reach), 0, g.shape_zyx).astype(int)
    high = np.clip(np.ceil(middle + reach) + 1, low, g.shape_zyx).astype(int)
    place = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    index = np.moveaxis(np.mgrid[place], 0, -1).reshape(-1, 3)
    points = g.lps_from_index(index)
    across = (points - centre) @ normal
    usable = (across > -half - 1e-9) & (across <= half - 1e-9)
    if volume.padding is not None:
        usable &= ~volume.padding[place].ravel()
    return points[usable], volume.array[place].ravel()[usable].astype(np.float64)


def _statistics(volume: Volume, values: NDArray[np.float64], area_mm2: float, shape: str) -> RegionStatistics:
    if values.size == 0:
        raise NotMeasurableError(
            f"{shape} that holds no voxel centre", expected="a region of at least one voxel inside the volume"
        )
    p10, p90 = (float(v) for v in np.percentile(values, (10, 90)))
    intensity = IntensityStatistics(
        volume.unit, float(values.mean()), float(values.std()), float(values.min()), float(values.max()), p10, p90,
        int(values.size),
    )
    return RegionStatistics(
        Quantity(area_mm2, "mm2", None, f"area of the {shape}"), intensity,
        f"native voxels whose centre lies within half a voxel of the plane and inside the {shape}",
    )


def probe(volume: Volume, point_lps_mm: ArrayLike) -> Probe:
    """The voxel in which a point lies; GeometryError outside the volume, NotMeasurableError in padding."""
    index = volume.geometry.nearest_index(point_lps_mm)
    if volume.padding is not None and bool(volume.padding[index]):
        raise NotMeasurableError("point outside the scanned field (padding)", expected="a point in the scanned field")
    centre = volume.geometry.lps_from_index(index)
    return Probe(float(volume.array[index]), volume.unit, index, _vector(centre))
