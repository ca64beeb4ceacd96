"""The sub-voxel surface of a lesion: contour and diameters in a slice, mesh, largest distance of two points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import FloatArray, VolumeGeometry
from neuraxis.lesions.neighbourhood import BoolVoxels, FloatVoxels


@dataclass(frozen=True, eq=False)
class Axes:
    """Two perpendicular diameters in a slice, end points in LPS mm, lengths in mm."""

    long_mm: float
    long_ends: FloatArray
    short_mm: float
    short_ends: FloatArray
    slice_index: int


@dataclass(frozen=True, eq=False)
class Mesh:
    """A closed triangle surface: vertices (n, 3) LPS mm, area and enclosed volume."""

    vertices_lps_mm: FloatArray
    area_mm2: float
    volume_mm3: float


def level_field(
    values: FloatVoxels | None, inside: BoolVoxels, boundary: float = 0.5, contrast: float = 1.0
) -> FloatVoxels:
    """Field that is 0 on the lesion's surface and positive inside, padded by one voxel all round.

    Parameters
    ----------
    values : signed so that the lesion is brighter; None for drawn masks, whose surface lies midway between voxels
    inside : the mask in the same box
    boundary, contrast : value on the surface; distance of plateau and background

    Notes
    -----
    Where mask and threshold disagree (a neighbour cut off, a hole filled), the surface lies midway between voxels.
    """
    padded = np.pad(inside, 1)
    if values is None:
        return np.where(padded, np.float32(0.5), np.float32(-0.5))
    field = np.pad(values, 1, mode="edge") - np.float32(boundary)
    # half the contrast makes both sides of a disputed face weigh alike
    half = np.float32(0.5 * contrast)
    field = np.where(padded & (field <= 0), half, field)
    return np.where(~padded & (field >= 0), -half, field).astype(np.float32)


def mesh_of(field: FloatVoxels, geometry: VolumeGeometry) -> Mesh:
    """Marching cubes of a padded level field; `geometry` is that of the box without padding."""
    from skimage.measure import marching_cubes

    vertices, faces, _, _ = marching_cubes(field, 0.0, allow_degenerate=False)
    points = geometry.lps_from_index(vertices - 1.0)
    a, b, c = (points[faces[:, i]] for i in range(3))
    normal = np.cross(b - a, c - a)
    centre = points.mean(axis=0)
    volume = abs(float(((a - centre) * normal).sum())) / 6.0
    return Mesh(points, float(np.linalg.norm(normal, axis=1).sum()) / 2.0, volume)


def slice_contour(field: FloatVoxels, geometry: VolumeGeometry, slice_index: int) -> FloatArray:
    """Closed contour (n, 3) LPS mm of the largest part of the lesion in a slice of the box (marching squares)."""
    from skimage.measure import find_contours

    contours = find_contours(field[slice_index + 1], 0.0)
    if not contours:
        return np.zeros((0, 3))
    largest = max(contours, key=lambda c: abs(_shoelace(c)))
    index = np.column_stack([np.full(len(largest), float(slice_index)), largest - 1.0])
    return geometry.lps_from_index(index)


def _shoelace(points: FloatArray) -> float:
    x, y = points[:, 0], points[:, 1]
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2.0


def perpendicular_axes(contour_lps_mm: FloatArray, geometry: VolumeGeometry, slice_index: int) -> Axes | None:
    """Largest distance of two contour points, and the longest chord at right angles to it.

    The chord runs between the outermost crossings of a line with the contour, so its ends lie on the boundary as a
    caliper's would (not the projected width, not the smallest Feret diameter).
    """
    if len(contour_lps_mm) < 3:
        return None
    e1, e2 = plane_basis(geometry)
    origin = contour_lps_mm.mean(axis=0)
    flat = (contour_lps_mm - origin) @ np.stack([e1, e2], axis=1)
    i, j = farthest_pair(flat)
    long_mm = float(np.linalg.norm(flat[i] - flat[j]))
    if long_mm == 0:
        return None
    u = (flat[j] - flat[i]) / long_mm
    w = np.array([-u[1], u[0]])
    short_mm, ends = _longest_chord(flat @ u, flat @ w)
    points = ends[:, :1] * u + ends[:, 1:] * w
    back = np.stack([e1, e2])
    return Axes(long_mm, contour_lps_mm[[i, j]], short_mm, points @ back + origin, slice_index)


def plane_basis(geometry: VolumeGeometry) -> tuple[FloatArray, FloatArray]:
    """Two perpendicular unit vectors in the plane of the slices."""
    e1 = np.asarray(geometry.direction_lps[0])
    normal = np.asarray(geometry.slice_normal_lps)
    e2 = np.cross(normal, e1)
    return e1, e2 / np.linalg.norm(e2)


def _longest_chord(along: NDArray[np.float64], across: NDArray[np.float64]) -> tuple[float, FloatArray]:
    """Longest extent across at one position along; ends as rows (along, across)."""
    a0, a1 = along, np.roll(along, -1)
    c0, c1 = across, np.roll(across, -1)
    positions = np.unique(np.concatenate([along, np.linspace(along.min(), along.max(), 65)[1:-1]]))
    step = max(1, positions.size // 400)
    positions = positions[::step]
    low, high = np.minimum(a0, a1), np.maximum(a0, a1)
    crosses = (positions[:, None] >= low) & (positions[:, None] <= high) & (high > low)
    with np.errstate(divide="ignore", invalid="ignore"):
        at = c0 + (positions[:, None] - a0) / (a1 - a0) * (c1 - c0)
    top = np.where(crosses, at, -np.inf).max(axis=1)
    bottom = np.where(crosses, at, np.inf).min(axis=1)
    best = int(np.argmax(np.where(np.isfinite(top - bottom), top - bottom, -np.inf)))
    ends = np.array([[positions[best], bottom[best]], [positions[best], top[best]]])
    return float(top[best] - bottom[best]), ends


def farthest_pair(points: FloatArray) -> tuple[int, int]:
    """Indices of the two points farthest apart, in two or three dimensions (exact, through the convex hull)."""
    from scipy.spatial import ConvexHull, QhullError, cKDTree

    candidates = np.arange(len(points))
    if len(points) > 4 * points.shape[1]:
        try:
            candidates = ConvexHull(points).vertices
        except QhullError:  # all points in one plane or line
            candidates = np.arange(len(points))
    hull = points[candidates]
    best, pair = -1.0, (0, 0)
    if len(hull) > 1500:
        # no pair beats the distance already found unless its first point lies far enough from the middle
        tree = cKDTree(hull)
        far = int(tree.query(hull.mean(axis=0), k=len(hull))[1][-1])
        best = float(np.linalg.norm(hull - hull[far], axis=1).max())
        radius = np.linalg.norm(hull - hull.mean(axis=0), axis=1)
        keep = radius >= best - radius.max()
        candidates, hull = candidates[keep], hull[keep]
        best = -1.0
    for start in range(0, len(hull), 512):
        d = ((hull[start : start + 512, None, :] - hull[None]) ** 2).sum(axis=-1)
        at = int(d.argmax())
        if float(d.flat[at]) > best:
            best = float(d.flat[at])
            pair = (start + at // len(hull), at % len(hull))
    return int(candidates[pair[0]]), int(candidates[pair[1]])
