"""Edits of a lesion mask as pure functions: each gives a new, drawn mask; undo is keeping the old one."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from neuraxis.align.sampling import map_between
from neuraxis.domain.geometry import FloatArray, Shape3, VolumeGeometry
from neuraxis.domain.lesion import LesionMask
from neuraxis.domain.transform import Registration
from neuraxis.errors import GeometryError, NotMeasurableError, UsageError
from neuraxis.lesions.neighbourhood import (
    BoolVoxels,
    ball_footprint,
    crop_to_mask,
    reach_in_voxels,
    without_holes,
)


def empty_mask(geometry: VolumeGeometry, series_id: str = "", series_uid: str = "") -> LesionMask:
    """A mask without voxels, to draw on."""
    return LesionMask(geometry, (0, 0, 0), np.zeros((1, 1, 1), dtype=bool), series_id, series_uid)


def paint_ball(mask: LesionMask, centre_lps_mm: ArrayLike, radius_mm: float, *, erase: bool = False) -> LesionMask:
    """Add (or take away) the voxels whose centre lies within `radius_mm` of a point."""
    return _paint(mask, centre_lps_mm, radius_mm, None, erase)


def paint_disc(
    mask: LesionMask, centre_lps_mm: ArrayLike, radius_mm: float, *, normal_lps: ArrayLike | None = None,
    erase: bool = False,
) -> LesionMask:
    """Add (or take away) a disc: voxels within `radius_mm` of a point and half a voxel of the plane through it.

    Parameters
    ----------
    normal_lps : normal of the plane that is painted on; the slice normal if None
    """
    normal = np.asarray(mask.geometry.slice_normal_lps if normal_lps is None else normal_lps, dtype=np.float64)
    return _paint(mask, centre_lps_mm, radius_mm, normal / np.linalg.norm(normal), erase)


def _paint(
    mask: LesionMask, centre: ArrayLike, radius_mm: float, normal: FloatArray | None, erase: bool
) -> LesionMask:
    if not radius_mm > 0:
        raise UsageError(f"brush of radius {radius_mm:g} mm", expected="more than 0 mm")
    middle = mask.geometry.index_from_lps(centre)
    reach = reach_in_voxels(mask.geometry, radius_mm) + 1
    low = np.clip(np.floor(middle - reach), 0, mask.geometry.shape_zyx).astype(int)
    high = np.clip(np.ceil(middle + reach) + 1, low, mask.geometry.shape_zyx).astype(int)
    if (high <= low).any():
        return mask
    index = np.moveaxis(np.mgrid[tuple(slice(a, b) for a, b in zip(low, high, strict=True))], 0, -1)
    offset = mask.geometry.lps_from_index(index) - np.asarray(centre, dtype=np.float64)
    brush: BoolVoxels = np.linalg.norm(offset, axis=-1) <= radius_mm
    if normal is not None:
        steps = np.array([mask.geometry.step_x_mm, mask.geometry.step_y_mm, mask.geometry.step_z_mm])
        # half of the voxel's largest step across the plane: no gaps and no doubles on slices
        half = 0.5 * float(np.abs(steps @ normal).max())
        across = offset @ normal
        brush &= (across > -half - 1e-9) & (across <= half - 1e-9) if half else brush
    box, start = _joined(mask, (int(low[0]), int(low[1]), int(low[2])), brush.shape)
    place = tuple(slice(int(a) - s, int(a) - s + n) for a, s, n in zip(low, start, brush.shape, strict=True))
    box[place] = box[place] & ~brush if erase else box[place] | brush
    return _drawn(mask, box, start, "erased by brush" if erase else "painted by brush")


def _joined(mask: LesionMask, low: Shape3, shape: tuple[int, ...]) -> tuple[BoolVoxels, Shape3]:
    """The mask in the smallest box that also holds another box."""
    start = tuple(min(a, b) for a, b in zip(mask.start_zyx, low, strict=True))
    stop = [max(a + n, b + m) for a, n, b, m in zip(mask.start_zyx, mask.box.shape, low, shape, strict=True)]
    box = np.zeros([b - a for a, b in zip(start, stop, strict=True)], dtype=bool)
    box[tuple(slice(a - s, a - s + n) for a, s, n in zip(mask.start_zyx, start, mask.box.shape, strict=True))] = mask.box
    return box, (start[0], start[1], start[2])


def _with_margin(mask: LesionMask, margin_mm: float) -> tuple[BoolVoxels, Shape3]:
    reach = np.ceil(reach_in_voxels(mask.geometry, margin_mm)).astype(int)
    low = np.maximum(np.asarray(mask.start_zyx) - reach, 0)
    high = np.minimum(np.asarray(mask.start_zyx) + mask.box.shape + reach, mask.geometry.shape_zyx)
    shape = tuple(int(n) for n in high - low)
    return _joined(mask, (int(low[0]), int(low[1]), int(low[2])), shape)


def _drawn(mask: LesionMask, box: BoolVoxels, start: Shape3, what: str) -> LesionMask:
    """A mask whose boundary no longer follows a value: measured voxel by voxel from here on."""
    part, place = crop_to_mask(box, start)
    steps = [s for s in mask.method.split("; ") if s != "drawn"]
    method = "; ".join([*steps, what] if not steps or steps[-1] != what else steps)
    return LesionMask(
        mask.geometry, place, part, mask.series_id, mask.series_uid, method, None, None, None, mask.seed_lps_mm,
        mask.warnings,
    )


def grow(mask: LesionMask, distance_mm: float) -> LesionMask:
    """Every voxel whose centre is within `distance_mm` of one inside."""
    box, start = _with_margin(mask, distance_mm)
    return _drawn(mask, _dilated(box, mask.geometry, distance_mm), start, f"grown by {distance_mm:g} mm")


def shrink(mask: LesionMask, distance_mm: float) -> LesionMask:
    """Only voxels whose centre is farther than `distance_mm` from every one outside (the volume's edge is no outside)."""
    box, start = _with_margin(mask, distance_mm)
    return _drawn(mask, box & ~_dilated(~box, mask.geometry, distance_mm), start, f"shrunk by {distance_mm:g} mm")


def _dilated(box: BoolVoxels, geometry: VolumeGeometry, distance_mm: float) -> BoolVoxels:
    from scipy import ndimage

    if not distance_mm > 0:
        raise UsageError(f"distance of {distance_mm:g} mm", expected="more than 0 mm")
    if not box.any():
        return box.copy()
    grown: BoolVoxels
    if not geometry.is_sheared:
        sx, sy, _ = geometry.spacing_xyz_mm
        distance = ndimage.distance_transform_edt(~box, sampling=(geometry.slice_distance_mm, sy, sx))
        grown = distance <= distance_mm + 1e-9
    else:
        grown = ndimage.binary_dilation(box, ball_footprint(geometry, distance_mm))
    return grown


def smooth(mask: LesionMask, sigma_mm: float = 0.7) -> LesionMask:
    """The half level of the mask under a Gaussian: corners go, and a ball of radius r loses 3 s^2 / r^2 of its volume."""
    from scipy import ndimage

    box, start = _with_margin(mask, 2 * sigma_mm)
    sx, sy, _ = mask.geometry.spacing_xyz_mm
    sigma = [sigma_mm / s for s in (mask.geometry.slice_distance_mm, sy, sx)]
    soft = ndimage.gaussian_filter(box.astype(np.float32), sigma, mode="nearest")
    return _drawn(mask, soft >= 0.5, start, f"smoothed over {sigma_mm:g} mm")


def fill(mask: LesionMask) -> LesionMask:
    """Holes filled: background that no way through faces of voxels leads out of."""
    box, start = np.pad(mask.box, 1), mask.start_zyx
    filled = without_holes(box)[1:-1, 1:-1, 1:-1]
    return _drawn(mask, filled, start, "holes filled")


def keep_largest(mask: LesionMask) -> LesionMask:
    """Only the part with the most voxels (face neighbours)."""
    from scipy import ndimage

    labels, count = ndimage.label(mask.box)
    if count <= 1:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return _drawn(mask, labels == int(sizes.argmax()), mask.start_zyx, "largest part kept")


def interpolate_slices(mask: LesionMask) -> LesionMask:
    """Slices left empty between drawn ones, filled by blending the signed distances of the two neighbours drawn."""
    from scipy import ndimage

    sx, sy, _ = mask.geometry.spacing_xyz_mm

    def signed(slice_mask: BoolVoxels) -> FloatArray:
        outside = ndimage.distance_transform_edt(~slice_mask, sampling=(sy, sx))
        within = ndimage.distance_transform_edt(slice_mask, sampling=(sy, sx))
        distance: FloatArray = np.where(slice_mask, 0.5 * min(sx, sy) - within, outside - 0.5 * min(sx, sy))
        return distance

    padded = np.pad(mask.box, ((0, 0), (1, 1), (1, 1)))
    drawn = np.flatnonzero(padded.any(axis=(1, 2)))
    out = padded.copy()
    for below, above in pairwise(drawn.tolist()):
        if above - below < 2:
            continue
        low, high = signed(padded[below]), signed(padded[above])
        for z in range(below + 1, above):
            share = (z - below) / (above - below)
            out[z] = (1 - share) * low + share * high <= 0
    return _drawn(mask, out[:, 1:-1, 1:-1], mask.start_zyx, "interpolated between drawn slices")


def fill_polygon(mask: LesionMask, points_lps_mm: ArrayLike, *, erase: bool = False) -> LesionMask:
    """Lasso: voxels of the nearest slice whose centre lies inside a closed polygon drawn on it, (n, 3) LPS mm."""
    index = mask.geometry.index_from_lps(points_lps_mm)
    if index.ndim != 2 or len(index) < 3:
        raise UsageError(f"lasso of {len(np.atleast_2d(index))} points", expected="at least three")
    z = int(np.rint(np.median(index[:, 0])))
    if not 0 <= z < mask.geometry.shape_zyx[0] or float(np.abs(index[:, 0] - z).max()) > 0.75:
        raise GeometryError("lasso that does not lie in one slice", expected="points on one slice of the mask's series")
    low = np.clip(np.floor(index[:, 1:].min(axis=0)).astype(int), 0, np.asarray(mask.geometry.shape_zyx[1:]) - 1)
    high = np.clip(np.ceil(index[:, 1:].max(axis=0)).astype(int) + 1, low + 1, mask.geometry.shape_zyx[1:])
    rows, columns = np.mgrid[low[0] : high[0], low[1] : high[1]]
    inside = polygon_contains(index[:, 1:], np.stack([rows, columns], axis=-1))[None]
    box, start = _joined(mask, (z, int(low[0]), int(low[1])), inside.shape)
    at = (z - start[0], int(low[0]) - start[1], int(low[1]) - start[2])
    place = tuple(slice(a, a + n) for a, n in zip(at, inside.shape, strict=True))
    box[place] = box[place] & ~inside if erase else box[place] | inside
    return _drawn(mask, box, start, "erased by lasso" if erase else "drawn by lasso")


def polygon_contains(corners: FloatArray, points: ArrayLike) -> BoolVoxels:
    """Whether points (..., 2) lie inside a closed polygon (n, 2), even-odd rule."""
    p = np.asarray(points, dtype=np.float64)
    inside = np.zeros(p.shape[:-1], dtype=bool)
    for (a0, b0), (a1, b1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        between = (a0 > p[..., 0]) != (a1 > p[..., 0])
        if a0 != a1:
            inside ^= between & (p[..., 1] < (b1 - b0) * (p[..., 0] - a0) / (a1 - a0) + b0)
    return inside


def combine(
    first: LesionMask, second: LesionMask, how: Callable[[BoolVoxels, BoolVoxels], BoolVoxels], name: str
) -> LesionMask:
    """Two masks of one grid joined voxel by voxel, for example with `np.logical_or`."""
    if not first.geometry.is_close_to(second.geometry):
        raise GeometryError("masks on different grids", expected="one grid", remedy="copy one to the other's series first")
    a, start = _joined(first, second.start_zyx, second.box.shape)
    b, _ = _joined(second, first.start_zyx, first.box.shape)
    return _drawn(first, how(a, b), start, name)


def copy_to(
    mask: LesionMask, onto: VolumeGeometry, registration: Registration | None = None, *, series_id: str = "",
    series_uid: str = "",
) -> LesionMask:
    """The mask on another series' grid: voxels whose centre falls inside its surface (linear between its voxels).

    Parameters
    ----------
    onto : grid of the other series
    registration : maps points of the mask's frame of reference to `onto`'s; not needed where they are the same

    Raises
    ------
    GeometryError
        When the frames differ and no fitting registration is given.
    NotMeasurableError
        When nothing of the mask falls into the other series.
    """
    from scipy import ndimage

    forward = map_between(mask.geometry.frame_of_reference_uid, onto.frame_of_reference_uid, registration)
    corners = mask.box_geometry.corners_lps_mm() @ forward[:3, :3].T + forward[:3, 3]
    index = onto.index_from_lps(corners)
    low = np.clip(np.floor(index.min(axis=0)), 0, onto.shape_zyx).astype(int)
    high = np.clip(np.ceil(index.max(axis=0)) + 1, low, onto.shape_zyx).astype(int)
    inside = np.zeros(tuple(high - low), dtype=bool)
    if inside.size:
        grid = np.moveaxis(np.mgrid[tuple(slice(a, b) for a, b in zip(low, high, strict=True))], 0, -1)
        back = np.linalg.inv(forward)
        points = onto.lps_from_index(grid) @ back[:3, :3].T + back[:3, 3]
        at = np.moveaxis(mask.geometry.index_from_lps(points) - np.asarray(mask.start_zyx) + 1, -1, 0)
        soft = ndimage.map_coordinates(np.pad(mask.box, 1).astype(np.float32), at, order=1, mode="constant")
        inside = soft >= 0.5
    if not inside.any():
        raise NotMeasurableError(
            "no voxel of the other series has its centre inside the mask",
            expected="a lesion that the other series shows", remedy="segment the lesion on that series itself",
        )
    start: Shape3 = (int(low[0]), int(low[1]), int(low[2]))
    box, place = crop_to_mask(inside, start)
    residual = f", residual {registration.residual_mm:.2g} mm" if registration is not None else ""
    return LesionMask(
        onto, place, box, series_id, series_uid,
        f"copied from series {mask.series_id or mask.series_uid or '(unknown)'}{residual}; {mask.method}",
        warnings=mask.warnings,
    )
