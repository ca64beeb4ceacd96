"""Bone, the space inside skull and spinal canal, and reference tissue, found from the voxels around a lesion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuraxis.domain.geometry import FloatArray, VolumeGeometry
from neuraxis.domain.study import Role, Series
from neuraxis.errors import NeuraxisError
from neuraxis.evidence.sampling import sample

if TYPE_CHECKING:
    from neuraxis.evidence.context import EvidenceContext

GRID_MM = 1.0
HALF_HEIGHT_MM = 35.0
BONE_HU = 250.0
"""On the 1 mm grid; thin bone is averaged with its surroundings there, hence below the 300 HU of the bone mask."""

CSF, GREY, WHITE, MUSCLE, BRAIN = 1, 2, 3, 4, 5
NAMES = {CSF: "CSF", GREY: "grey matter", WHITE: "white matter", MUSCLE: "muscle", BRAIN: "brain"}
PURE = 0.12
"""Largest distance from a tissue's centre, signals scaled to 1 between their 5th and 95th percentile, of pure voxels."""

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Labels on a 1 mm grid of the lesion's frame of reference; for choosing voxels, never for measuring sizes.

    Parameters
    ----------
    geometry : isotropic axis-aligned grid, the whole head across, `HALF_HEIGHT_MM` above and below the lesion
    inside : (z, y, x) True in the cranial cavity and spinal canal
    bone : (z, y, x) True in bone; all False without CT
    labels : (z, y, x) uint8, CSF, GREY, WHITE, MUSCLE, BRAIN (CT alone: not told apart) or 0
    pure : labels only where the voxel is far from an edge and near the tissue's centre
    found_by : how, in words
    """

    geometry: VolumeGeometry
    inside: BoolArray
    bone: BoolArray
    labels: NDArray[np.uint8]
    pure: NDArray[np.uint8]
    found_by: str

    @property
    def brain(self) -> BoolArray:
        """Grey and white matter, with what lies between them."""
        brain: BoolArray = np.isin(self.labels, (GREY, WHITE, BRAIN))
        return brain

    def at(self, points_lps_mm: ArrayLike) -> NDArray[np.uint8]:
        """Label at points (..., 3) of the lesion's frame."""
        values = sample(self.labels, self.geometry, points_lps_mm, order=0, outside=0.0)
        return values.astype(np.uint8)

    def flag_at(self, flags: BoolArray, points_lps_mm: ArrayLike) -> BoolArray:
        """One of the masks at points (..., 3), nearest voxel."""
        held: BoolArray = np.asarray(
            sample(flags.astype(np.float32), self.geometry, points_lps_mm, order=0, outside=0.0) > 0.5, dtype=bool
        )
        return held


def anatomy_of(context: EvidenceContext) -> tuple[Anatomy | None, str]:
    """Anatomy around the lesion, or None with the reason. Made once a context."""
    return context.remember("anatomy", lambda: _anatomy(context))


def _anatomy(context: EvidenceContext) -> tuple[Anatomy | None, str]:
    ct = next(iter(_non_contrast(context.series_of(Role.CT))), None)
    t2 = next(iter(context.series_of(Role.T2, Role.CISS)), None)
    t1 = next(iter(context.series_of(Role.T1)), None) or next(iter(context.series_of(Role.T1C)), None)
    guide = ct or t2 or t1
    if guide is None:
        return None, "no CT, T1 or T2 volume is registered to the lesion"
    grid = _grid(context, guide)
    try:
        values = {s.id: _resampled(context, s, grid) for s in (ct, t2, t1) if s is not None}
    except NeuraxisError as error:
        return None, error.found
    lesion = context.field.at(_points(grid)) <= 0
    if ct is not None:
        hu = values[ct.id]
        bone = hu > BONE_HU
        inside = cranial_cavity(bone & ~lesion, hu)
        muscle = (hu > 35) & (hu < 85)
        how = f"inside of bone on {ct.title}"
    else:
        signal = values[(t2 or t1).id]  # type: ignore[union-attr]
        inside, bone = brain_by_opening(signal), np.zeros(grid.shape_zyx, dtype=bool)
        muscle = np.zeros(grid.shape_zyx, dtype=bool)
        how = f"largest connected part of the head on {guide.title} (no CT)"
    if inside.sum() < 2000:
        return None, f"no cranial cavity was found around the lesion on {guide.title}"
    if t1 or t2:
        labels, pure = classify(inside & ~lesion, values[t1.id] if t1 else None, values[t2.id] if t2 else None)
    else:
        labels, pure = brain_on_ct(inside & ~lesion, values[guide.id])
    if ct is not None:
        where = _muscle(muscle, inside, bone)
        labels[where] = pure[where] = MUSCLE
    return Anatomy(grid, inside, bone, labels, pure, how), ""


def _non_contrast(series: tuple[Series, ...]) -> tuple[Series, ...]:
    plain = tuple(s for s in series if not s.acquisition.contrast_agent)
    return plain or series


def _grid(context: EvidenceContext, guide: Series) -> VolumeGeometry:
    way = context.way_to(guide)
    assert way is not None
    assert guide.geometry is not None
    corners = way.inverse.apply(guide.geometry.corners_lps_mm())
    low, high = corners.min(axis=0), corners.max(axis=0)
    centre = np.asarray(context.field.centre_lps_mm)
    reach = np.array([105.0, 125.0, HALF_HEIGHT_MM + context.diameter_mm / 2])
    low, high = np.maximum(low, centre - reach), np.minimum(high, centre + reach)
    nx, ny, nz = (int(n) for n in np.maximum(np.floor((high - low) / GRID_MM), 1))
    return VolumeGeometry.axis_aligned(
        (nz, ny, nx), (GRID_MM,) * 3, (float(low[0]), float(low[1]), float(low[2])), context.frame
    )


def _points(grid: VolumeGeometry) -> FloatArray:
    from neuraxis.evidence.sampling import voxel_points

    return voxel_points(grid)


def _resampled(context: EvidenceContext, series: Series, grid: VolumeGeometry) -> FloatArray:
    from neuraxis.align import resample

    volume = context.volume(series)
    way = context.way_to(series)
    if way is not None and volume.frame_of_reference_uid == grid.frame_of_reference_uid:
        way = None
    result = resample(volume, grid, way)
    values: FloatArray = result.array.astype(np.float64)
    if result.padding is not None:
        values[result.padding] = np.nan
    return values


def cranial_cavity(bone: BoolArray, hu: FloatArray, step_mm: float = GRID_MM) -> BoolArray:
    """Space enclosed by bone, slice by slice: cranial cavity and spinal canal.

    Parameters
    ----------
    bone : (z, y, x) on an isotropic grid of `step_mm` with axial slices
    hu : the CT there

    Notes
    -----
    In each slice the bone is closed by 7 mm, what it encloses and is soft tissue or fluid is kept, and of all that the
    largest connected part after an erosion by 2 mm.
    """
    import edt
    from scipy import ndimage

    soft = (hu > -25) & (hu < 150)
    enclosed = np.zeros(bone.shape, dtype=bool)
    for z in range(bone.shape[0]):
        if bone[z].sum() < 50:
            continue
        grown = edt.edt(~bone[z], black_border=False) * step_mm <= 7
        filled = ndimage.binary_fill_holes(grown)
        closed = edt.edt(filled, black_border=True) * step_mm > 7
        enclosed[z] = closed & ~bone[z] & soft[z]
    steps = max(1, round(2 / step_mm))
    core = ndimage.binary_erosion(enclosed, iterations=steps)
    cavity: BoolArray = _largest(core, grow=steps) & enclosed
    return cavity


def brain_by_opening(signal: FloatArray, step_mm: float = GRID_MM) -> BoolArray:
    """Brain with its fluid on MR alone: what stays in one piece after an erosion by 4 mm of everything not dark."""
    from scipy import ndimage

    finite = np.nan_to_num(signal, nan=0.0)
    high = float(np.percentile(finite, 99))
    bright = ndimage.gaussian_filter(finite, 1.0 / step_mm) > 0.15 * high
    core = ndimage.binary_erosion(bright, iterations=max(1, round(4 / step_mm)))
    brain: BoolArray = ndimage.binary_fill_holes(_largest(core, grow=max(1, round(3 / step_mm)))).astype(bool)
    return brain


def _largest(mask: BoolArray, grow: int) -> BoolArray:
    import cc3d
    from scipy import ndimage

    labels = cc3d.connected_components(mask, connectivity=6)
    counts = np.bincount(labels.ravel())
    if len(counts) < 2:
        return np.zeros(mask.shape, dtype=bool)
    counts[0] = 0
    grown: BoolArray = ndimage.binary_dilation(labels == int(counts.argmax()), iterations=grow)
    return grown


def _muscle(soft: BoolArray, inside: BoolArray, bone: BoolArray) -> BoolArray:
    from scipy import ndimage

    outside = soft & ~ndimage.binary_dilation(inside | bone, iterations=3)
    thick: BoolArray = ndimage.binary_erosion(outside, iterations=3)
    return thick


def brain_on_ct(inside: BoolArray, hu: FloatArray) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Brain as a whole on CT alone: 18 to 50 HU inside the skull after smoothing. Labels, and those far from an edge."""
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(np.nan_to_num(hu), 1.5)
    brain = inside & (smooth > 18) & (smooth < 50)
    return np.where(brain, BRAIN, 0).astype(np.uint8), np.where(
        ndimage.binary_erosion(brain, iterations=2), BRAIN, 0
    ).astype(np.uint8)


def classify(
    inside: BoolArray, t1: FloatArray | None, t2: FloatArray | None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """CSF, grey and white matter by three clusters of the signals inside the skull.

    Parameters
    ----------
    inside : (z, y, x) where to look
    t1, t2 : signals there; at least one

    Returns
    -------
    labels, and the labels of pure voxels only (flat neighbourhood, near the centre of their cluster)

    Notes
    -----
    Lloyd's iteration from percentiles (CSF darkest on T1 and brightest on T2, white matter the other way round), on
    signals scaled by their 5th to 95th percentile; then each centre moves to the mode of flat voxels, because cortex
    and folia are mostly partial volume with CSF. Voxels far from every cluster (vessels, calcium) get no label.
    """
    features = [f for f in (t1, t2) if f is not None]
    signs = [1.0 if f is t1 else -1.0 for f in features]
    usable = inside & np.all([np.isfinite(f) for f in features], axis=0)
    labels, pure = np.zeros(inside.shape, dtype=np.uint8), np.zeros(inside.shape, dtype=np.uint8)
    if usable.sum() < 500:
        return labels, pure
    data = np.stack([s * f[usable] for f, s in zip(features, signs, strict=True)], axis=1)
    low, high = np.percentile(data, [5, 95], axis=0)
    scale = np.maximum(high - low, 1e-6)
    data = (data - low) / scale
    slope = _slope(features, scale)[usable]
    centres = _modes(data[slope < np.percentile(slope, 35)], _clusters(data))
    distance = np.linalg.norm(data[:, None, :] - centres[None], axis=2)
    nearest = distance.argmin(axis=1)
    code = np.array([CSF, GREY, WHITE], dtype=np.uint8)[nearest]
    labels[usable] = np.where(distance.min(axis=1) > 0.6, 0, code)
    flat = np.zeros(len(code), dtype=bool)
    for k in range(3):
        near = (nearest == k) & (distance[:, k] < PURE)
        if near.any():
            flat |= near & (slope <= np.percentile(slope[near], 50))
    pure[usable] = np.where(flat, code, 0)
    return labels, pure


def _slope(features: list[FloatArray], scale: FloatArray) -> FloatArray:
    from scipy import ndimage

    parts = [
        ndimage.gaussian_gradient_magnitude(np.nan_to_num(f / s), 0.7) for f, s in zip(features, scale, strict=True)
    ]
    result: FloatArray = np.sqrt(np.sum(np.square(parts), axis=0))
    return result


def _clusters(data: FloatArray) -> FloatArray:
    sub = data[:: max(1, len(data) // 40000)]
    centres: FloatArray = np.percentile(sub, [4, 45, 85], axis=0)
    for _ in range(15):
        nearest = np.linalg.norm(sub[:, None, :] - centres[None], axis=2).argmin(axis=1)
        centres = np.stack([
            np.median(sub[nearest == k], axis=0) if (nearest == k).sum() > 20 else centres[k] for k in range(3)
        ])
    return centres


def _modes(flat: FloatArray, centres: FloatArray) -> FloatArray:
    moved = centres.copy()
    for k in range(len(centres)):
        nearest = np.linalg.norm(flat[:, None, :] - centres[None], axis=2).argmin(axis=1) == k
        own = flat[nearest]
        for radius in (0.3, 0.2, 0.15, PURE, PURE):
            near = own[np.linalg.norm(own - moved[k], axis=1) < radius]
            if len(near) < 30:
                break
            moved[k] = near.mean(axis=0)
    return moved


@dataclass(frozen=True)
class ReferenceTissue:
    """Signal of a reference tissue on native voxels of one series.

    Parameters
    ----------
    name : "grey matter", "white matter", "CSF", "muscle"
    median, standard_deviation : of the voxels (robust: 1.4826 x median absolute deviation)
    voxel_count : how many
    where_lps_mm : the voxel nearest to their middle, in the lesion's frame of reference
    """

    name: str
    median: float
    standard_deviation: float
    voxel_count: int
    where_lps_mm: tuple[float, float, float]

    def __str__(self) -> str:
        return f"{self.name} {self.median:.4g} ± {self.standard_deviation:.2g} (n={self.voxel_count})"


def references(context: EvidenceContext, series: Series) -> dict[str, ReferenceTissue]:
    """Reference tissues on a series: pure voxels, at least 6 mm from the lesion, nearest slices first."""
    return context.remember(("references", series.id), lambda: _references(context, series))


def _references(context: EvidenceContext, series: Series) -> dict[str, ReferenceTissue]:
    found: dict[str, ReferenceTissue] = {}
    for name, point in context.answers.reference_lps_mm:
        patch = context.patch(series, 60.0)
        near = (np.linalg.norm(patch.points_lps_mm - np.asarray(point), axis=-1) < 3.0) & np.isfinite(patch.values)
        if near.any():
            found[name] = _measured(name, patch.values[near], patch.points_lps_mm[near])
    anatomy, _ = anatomy_of(context)
    way = context.way_to(series)
    if anatomy is None or way is None:
        return found
    volume = context.volume(series)
    reaches = (max(2 * volume.geometry.slice_distance_mm, 4.0), 12.0, 25.0, HALF_HEIGHT_MM + 10)
    for code, name in NAMES.items():
        points = anatomy.geometry.lps_from_index(np.argwhere(anatomy.pure == code))
        if name in found or not len(points):
            continue
        points = points[context.field.at(points) > 6.0]
        values = sample(volume.array, volume.geometry, way.apply(points), order=0)
        height = np.abs(points[:, 2] - context.field.centre_lps_mm[2])
        for reach in reaches:
            chosen = (height <= reach) & np.isfinite(values)
            if chosen.sum() >= 60:
                found[name] = _measured(name, values[chosen], points[chosen])
                break
    return found


def _measured(name: str, values: FloatArray, points: FloatArray) -> ReferenceTissue:
    median = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - median)))
    x, y, z = points[np.linalg.norm(points - np.median(points, axis=0), axis=1).argmin()]
    return ReferenceTissue(name, median, spread, len(values), (float(x), float(y), float(z)))
