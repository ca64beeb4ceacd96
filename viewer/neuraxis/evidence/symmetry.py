"""The head's own midline: the plane about which its voxels mirror best."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuraxis.domain.geometry import FloatArray, Vector3, VolumeGeometry
from neuraxis.domain.study import Role, Series
from neuraxis.evidence.sampling import sample, voxel_points

if TYPE_CHECKING:
    from neuraxis.evidence.context import EvidenceContext

COARSE_MM, FINE_MM = 8.0, 4.0
MAX_POINTS = 12000
LOWEST_SIMILARITY = 0.5
"""Correlation of the head with its mirror image below which no midline is stated [prop]."""

MIDLINE_ROLES = (Role.CT, Role.T1, Role.T2, Role.T1C, Role.FLAIR, Role.PD, Role.GRE)


@dataclass(frozen=True)
class MidlinePlane:
    """Mid-sagittal plane in one frame of reference.

    Parameters
    ----------
    point_lps_mm : a point of the plane
    normal_lps : unit normal, to the patient's left
    similarity : correlation of the head with its mirror image, at most 1
    uncertainty_mm : largest change of the plane at `point_lps_mm` when parts of the head are left out
    series_uid : series it was estimated on
    """

    point_lps_mm: Vector3
    normal_lps: Vector3
    similarity: float
    uncertainty_mm: float
    series_uid: str = ""

    def distance_mm(self, points_lps_mm: ArrayLike) -> FloatArray:
        """Signed distance of points (..., 3) from the plane, positive to the patient's left."""
        offset = np.asarray(points_lps_mm, dtype=np.float64) - np.asarray(self.point_lps_mm)
        result: FloatArray = offset @ np.asarray(self.normal_lps)
        return result

    def mirrored(self, points_lps_mm: ArrayLike) -> FloatArray:
        """Points (..., 3) reflected through the plane."""
        points = np.asarray(points_lps_mm, dtype=np.float64)
        result: FloatArray = points - 2 * self.distance_mm(points)[..., None] * np.asarray(self.normal_lps)
        return result


def estimate_midline(
    array: NDArray[Any], geometry: VolumeGeometry, about_lps_mm: ArrayLike | None = None
) -> MidlinePlane:
    """Plane that maximises the correlation of a volume with its mirror image.

    Parameters
    ----------
    array : (z, y, x), any contrast; NaN where nothing was scanned
    geometry : its grid
    about_lps_mm : place at which the uncertainty is stated; default: the centre of the grid

    Notes
    -----
    Search over offset, yaw and roll: a lattice at 8 mm, then a simplex at 4 mm. The plane is estimated again with the
    anterior, posterior, upper and lower half alone; the largest move at `about_lps_mm` is the uncertainty.
    """
    fine = _Head.of(array, geometry, FINE_MM)
    start = _coarse(_Head.of(fine.array, fine.geometry, COARSE_MM, MAX_POINTS // 4))
    best = _simplex(fine, start)
    plane = fine.plane(best)
    about = np.asarray(geometry.lps_from_index((np.asarray(geometry.shape_zyx) - 1) / 2))
    about = np.asarray(about_lps_mm, dtype=np.float64) if about_lps_mm is not None else about
    foot = about - plane.distance_mm(about) * np.asarray(plane.normal_lps)
    moves = [abs(float(part.plane(_simplex(part, best, 60)).distance_mm(foot))) for part in fine.halves()]
    x, y, z = foot
    # The middle two of four: one half without bone (a vertex, a face) must not decide alone.
    spread = float(np.sort(moves)[1:3].mean()) if len(moves) == 4 else float(max(moves, default=0.0))
    return replace(plane, point_lps_mm=(float(x), float(y), float(z)), uncertainty_mm=spread)


@dataclass(frozen=True, eq=False)
class _Head:
    """Values on a coarse grid with the points that take part."""

    array: FloatArray
    geometry: VolumeGeometry
    points: FloatArray
    values: FloatArray
    centre: FloatArray

    @classmethod
    def of(
        cls, array: NDArray[Any], geometry: VolumeGeometry, step_mm: float, most_points: int = MAX_POINTS
    ) -> _Head:
        from scipy import ndimage

        stride = [max(1, round(step_mm / s)) for s in reversed(geometry.spacing_xyz_mm)]
        finite = np.nan_to_num(np.asarray(array, dtype=np.float32), nan=float(np.nanmin(array)))
        smooth = finite
        for axis, size in enumerate(stride):
            picked = [slice(None)] * 3
            picked[axis] = slice(None, None, size)
            smooth = ndimage.uniform_filter1d(smooth, size, axis=axis)[tuple(picked)]
        grid = VolumeGeometry(
            (smooth.shape[0], smooth.shape[1], smooth.shape[2]), geometry.origin_lps_mm,
            _scaled(geometry.step_x_mm, stride[2]), _scaled(geometry.step_y_mm, stride[1]),
            _scaled(geometry.step_z_mm, stride[0]), geometry.frame_of_reference_uid,
        )
        low, high = np.percentile(smooth, [1, 99])
        floor = low + 0.15 * (high - low)
        points = voxel_points(grid)
        head = ndimage.binary_dilation(smooth > floor, iterations=1)
        centre: FloatArray = points[smooth > floor].mean(axis=0) if (smooth > floor).any() else points.mean(axis=(0, 1, 2))
        scaled = np.clip((smooth - low) / max(high - low, 1e-6), 0, 1).astype(np.float64)
        chosen = points[head][:: max(1, int(head.sum()) // most_points)]
        values = scaled[head][:: max(1, int(head.sum()) // most_points)]
        return cls(scaled, grid, chosen, values, centre)

    def plane(self, parameters: FloatArray) -> MidlinePlane:
        """Plane of (offset mm, yaw rad, roll rad)."""
        offset, yaw, roll = parameters
        normal = np.array([np.cos(yaw) * np.cos(roll), np.sin(yaw) * np.cos(roll), np.sin(roll)])
        x, y, z = self.centre + offset * normal
        nx, ny, nz = normal
        similarity = self.similarity(normal, (x, y, z))
        return MidlinePlane((float(x), float(y), float(z)), (float(nx), float(ny), float(nz)), similarity, 0.0)

    def similarity(self, normal: FloatArray, point: ArrayLike) -> float:
        """Correlation of the values with those at the mirrored points."""
        distance = (self.points - np.asarray(point)) @ normal
        other = sample(self.array, self.geometry, self.points - 2 * distance[:, None] * normal)
        both = np.isfinite(other)
        if both.mean() < 0.4:
            return -1.0
        a, b = self.values[both], other[both]
        a, b = a - a.mean(), b - b.mean()
        norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
        # A plane that throws half of the head out of the picture must not win by what is left.
        return float((a * b).sum()) / norm * float(both.mean()) ** 0.25 if norm > 0 else -1.0

    def cost(self, parameters: FloatArray) -> float:
        """Negative similarity of a plane."""
        offset, yaw, roll = parameters
        normal = np.array([np.cos(yaw) * np.cos(roll), np.sin(yaw) * np.cos(roll), np.sin(roll)])
        return -self.similarity(normal, self.centre + offset * normal)

    def halves(self) -> list[_Head]:
        """Anterior, posterior, lower and upper half."""
        parts = []
        for axis in (1, 2):
            below = self.points[:, axis] < np.median(self.points[:, axis])
            parts += [replace(self, points=self.points[k], values=self.values[k]) for k in (below, ~below)]
        return parts


def _scaled(step: Vector3, factor: int) -> Vector3:
    return (step[0] * factor, step[1] * factor, step[2] * factor)


def _coarse(head: _Head) -> FloatArray:
    angles = np.deg2rad([-16.0, -8.0, 0.0, 8.0, 16.0])
    lattice = [(o, yaw, roll) for o in np.arange(-16.0, 17.0, 4.0) for yaw in angles for roll in angles]
    best = min(lattice, key=lambda p: head.cost(np.array(p)))
    return np.array(best)


def _simplex(head: _Head, start: FloatArray, evaluations: int = 100) -> FloatArray:
    from scipy import optimize

    steps = np.array([[0, 0, 0], [2.5, 0, 0], [0, 0.06, 0], [0, 0, 0.06]])
    found = optimize.minimize(
        head.cost, start, method="Nelder-Mead",
        options={"initial_simplex": start + steps, "xatol": 0.002, "fatol": 1e-5, "maxfev": evaluations},
    )
    result: FloatArray = np.asarray(found.x, dtype=np.float64)
    return result


def midline_of(context: EvidenceContext) -> tuple[MidlinePlane | None, str]:
    """Mid-sagittal plane in the lesion's frame of reference, or None with the reason. Made once a context."""
    return context.remember("midline", lambda: _midline(context))


def _midline(context: EvidenceContext) -> tuple[MidlinePlane | None, str]:
    candidates = [s for role in MIDLINE_ROLES for s in context.series_of(role)]
    if not candidates:
        return None, "no CT or MR volume of the head is registered to the lesion"
    why = ""
    for series in candidates[:3]:
        plane = _on_series(context, series)
        if plane.similarity >= LOWEST_SIMILARITY:
            return plane, f"symmetry plane of {series.title}, similarity {plane.similarity:.2f}"
        why = f"the head in {series.title} is too asymmetric (similarity {plane.similarity:.2f})"
    return None, why


def _on_series(context: EvidenceContext, series: Series) -> MidlinePlane:
    volume = context.volume(series)
    way = context.way_to(series)
    assert way is not None
    values = np.asarray(volume.array, dtype=np.float32)
    if series.modality == "CT":
        values = np.clip(values, -300, 400)
    if volume.padding is not None:
        values = np.where(volume.padding, values.min(), values)
    there = estimate_midline(values, volume.geometry, way.apply(context.field.centre_lps_mm))
    back = way.inverse
    x, y, z = back.apply(there.point_lps_mm)
    nx, ny, nz = back.array[:3, :3] @ np.asarray(there.normal_lps)
    return replace(
        there, point_lps_mm=(float(x), float(y), float(z)), normal_lps=(float(nx), float(ny), float(nz)),
        uncertainty_mm=float(np.hypot(there.uncertainty_mm, way.residual_mm)), series_uid=series.series_uid,
    )
