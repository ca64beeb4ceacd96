"""Growth of a half-maximum region from a peak, in a box that grows with it, cut where it runs into a neighbour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import Shape3
from neuraxis.domain.volume import Volume
from neuraxis.errors import NotMeasurableError
from neuraxis.lesions.bone import BoneMask
from neuraxis.lesions.neighbourhood import (
    BoolVoxels,
    FloatVoxels,
    Neighbourhood,
    box_around,
    connected_part,
    distance_from_mm,
    reach_in_voxels,
    without_holes,
)

FIRST_BOX_MM = 6.0
BOX_GROWTH = 1.7
RING_MM = (1.2, 3.2)
"""Where the local background is read: far enough for the blur to end, near enough to be local."""
SPLIT_BOX_MM = 14.0
THROUGH_MM = 15.0
SETTLED = 0.02
"""Part of the contrast by which the threshold may still move: it shifts the boundary by a hundredth of a millimetre."""
SADDLE_LIMIT = 0.8
"""A lesion whose saddle to its neighbour is higher than this part of its contrast is not a lesion of its own."""


class MergedError(NotMeasurableError):
    """What was clicked is continuous with something larger, such as bone."""


@dataclass(frozen=True, eq=False)
class Grown:
    """A region with the values its boundary was made from (in the volume's unit)."""

    inside: BoolVoxels
    start_zyx: Shape3
    background: float
    plateau: float
    boundary: float
    warnings: tuple[str, ...] = ()

    @property
    def contrast(self) -> float:
        """Distance of plateau and background."""
        return abs(self.plateau - self.background)


@dataclass(frozen=True, eq=False)
class _Signed:
    """A box whose lesion is brighter than its surroundings, whatever the picture says, and the peak in it."""

    box: Neighbourhood
    values: FloatVoxels
    allowed: BoolVoxels | None
    peak: Shape3

    def above(self, threshold: float) -> BoolVoxels:
        """The part connected with the peak at or above a threshold."""
        inside = self.values >= threshold
        if self.allowed is not None:
            inside &= self.allowed
        inside[self.peak] = True
        return connected_part(inside, self.peak)


def _signed_box(volume: Volume, peak: Shape3, sign: float, radius_mm: float, bone: BoneMask | None) -> _Signed:
    box = box_around(volume, peak, radius_mm)
    values = box.values if sign > 0 else -box.values
    allowed = box.usable
    if bone is not None:
        free = ~bone.within(box)
        allowed = free if allowed is None else allowed & free
    local = tuple(int(p - s) for p, s in zip(peak, box.start_zyx, strict=True))
    return _Signed(box, values, allowed, (local[0], local[1], local[2]))


def grow_half_maximum(
    volume: Volume, peak: Shape3, sign: float, *, limit_mm: float, bone: BoneMask | None = None
) -> Grown:
    """The region around a peak above the mean of its own background and plateau.

    Parameters
    ----------
    peak : (z, y, x) of a local maximum (`sign` 1) or minimum (-1)
    limit_mm : beyond this distance from the peak the region counts as merged with its surroundings
    bone : voxels the region may not enter

    Raises
    ------
    MergedError
        When the region runs into something larger and no valley lies between.
    """
    radius = FIRST_BOX_MM
    cut = _signed_box(volume, peak, sign, radius, bone)
    if bone is not None and cut.allowed is not None and not cut.allowed[cut.peak]:
        raise _merged(volume, sign, float(cut.values[cut.peak]))
    background, plateau = _first_guess(cut)
    threshold = (background + plateau) / 2
    region = cut.above(threshold)
    ring_of = 0
    for _ in range(12):
        if _leaves(region, cut.box, volume.geometry.shape_zyx):
            if radius >= limit_mm:
                return _split(volume, peak, sign, (background, plateau), bone)
            radius = min(radius * BOX_GROWTH, limit_mm)
            cut = _signed_box(volume, peak, sign, radius, bone)
            region = cut.above(threshold)
            continue
        count = int(np.count_nonzero(region))
        if abs(count - ring_of) > 0.2 * count:
            background, ring_of = _ring_background(cut, region, threshold, background), count
        plateau = _plateau(cut, region, plateau)
        following = (background + plateau) / 2
        if abs(following - threshold) <= SETTLED * (plateau - background):
            break
        threshold = following
        region = cut.above(threshold)
    if _leaves(region, cut.box, volume.geometry.shape_zyx):
        return _split(volume, peak, sign, (background, plateau), bone)
    if _spans(region, cut.box, volume.geometry.shape_zyx):
        raise _merged(volume, sign, threshold)
    region = without_holes(region)
    return Grown(region, cut.box.start_zyx, sign * background, sign * plateau, sign * threshold)


def _first_guess(cut: _Signed) -> tuple[float, float]:
    values = cut.values if cut.allowed is None else cut.values[cut.allowed]
    z, y, x = cut.peak
    core = cut.values[max(0, z - 1) : z + 2, max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
    plateau = float(np.sort(core.ravel())[-max(3, core.size // 3) :].mean())
    # a third of the voxels is enough for a first guess
    sample = np.sort(values.ravel()[::3])
    low = sample[: int(np.searchsorted(sample, 0.5 * (plateau + float(sample[sample.size // 10]))))]
    return float(low[low.size // 2]) if low.size else float(sample[0]), plateau


def _leaves(region: BoolVoxels, box: Neighbourhood, volume_shape: Shape3) -> bool:
    """Whether the region touches a face of the box beyond which the volume goes on."""
    for axis, (below, above) in enumerate(box.open_borders(volume_shape)):
        if below and bool(np.take(region, 0, axis).any()):
            return True
        if above and bool(np.take(region, -1, axis).any()):
            return True
    return False


def _spans(region: BoolVoxels, box: Neighbourhood, volume_shape: Shape3) -> bool:
    """Whether the region runs through the whole volume from one face to the opposite one: skull, not a lesion."""
    for axis, spacing in enumerate(reversed(box.geometry.spacing_xyz_mm)):
        whole = region.shape[axis] == volume_shape[axis] and spacing * volume_shape[axis] > THROUGH_MM
        if whole and bool(np.take(region, 0, axis).any()) and bool(np.take(region, -1, axis).any()):
            return True
    return False


def _ring_background(cut: _Signed, region: BoolVoxels, threshold: float, fallback: float) -> float:
    """Median around the region, without voxels near anything else that is as bright."""
    outer = max(RING_MM[1], 2.2 * max(cut.box.geometry.spacing_xyz_mm))
    part = _around(region, np.ceil(reach_in_voxels(cut.box.geometry, outer)).astype(int))
    near, here = cut.values[part], region[part]
    distance = distance_from_mm(here, cut.box.geometry)
    others = (near >= threshold) & ~here
    ring = (distance >= RING_MM[0]) & (distance <= outer)
    if cut.box.usable is not None:
        ring &= cut.box.usable[part]
    if others.any():
        ring &= distance_from_mm(others, cut.box.geometry) >= RING_MM[0]
    values = near[ring]
    return float(np.median(values)) if values.size >= 12 else fallback


def _around(region: BoolVoxels, reach: NDArray[np.int_]) -> tuple[slice, ...]:
    """The box of a region and its surroundings."""
    spans = []
    for axis, margin in enumerate(reach):
        hit = np.flatnonzero(region.any(axis=tuple(a for a in range(3) if a != axis)))
        low, high = (int(hit[0]), int(hit[-1])) if hit.size else (0, region.shape[axis] - 1)
        spans.append(slice(max(0, low - int(margin)), high + int(margin) + 1))
    return tuple(spans)


def _plateau(cut: _Signed, region: BoolVoxels, first: float) -> float:
    """Value of the lesion away from its blurred edge: a high percentile, higher the fewer voxels there are."""
    values = cut.values[region]
    if values.size < 30:
        return max(first, float(np.percentile(values, 90))) if values.size else first
    return float(np.percentile(values, 75 if values.size < 1000 else 60))


def _split(
    volume: Volume, peak: Shape3, sign: float, levels: tuple[float, float], bone: BoneMask | None
) -> Grown:
    """Cut a region that runs into a neighbour along the valley between the two."""
    from skimage.segmentation import watershed

    cut = _signed_box(volume, peak, sign, SPLIT_BOX_MM, bone)
    background, plateau = levels
    threshold = (background + plateau) / 2
    low, high = threshold, plateau
    shape = volume.geometry.shape_zyx
    if _leaves(cut.above(high), cut.box, shape):
        raise _merged(volume, sign, plateau)
    for _ in range(9):
        middle = (low + high) / 2
        low, high = (middle, high) if _leaves(cut.above(middle), cut.box, shape) else (low, middle)
    saddle = high
    if saddle > background + SADDLE_LIMIT * (plateau - background):
        raise _merged(volume, sign, saddle)
    core = cut.above(saddle)
    whole = cut.above(threshold)
    rest = (cut.values >= saddle) & ~core & whole
    faces = np.zeros_like(rest)
    for axis in range(3):
        index: list[slice | int] = [slice(None)] * 3
        for end in (0, -1):
            index[axis] = end
            faces[tuple(index)] = True
    rest |= whole & faces & ~core
    markers = core.astype(np.int32) + 2 * rest.astype(np.int32)
    region = watershed(-cut.values, markers, mask=whole) == 1
    background = _ring_background(cut, region, threshold, background)
    plateau = _plateau(cut, region, plateau)
    boundary = (background + plateau) / 2
    region = connected_part((region & (cut.values >= boundary)) | core, cut.peak)
    note = (
        f"touches a neighbour (saddle at {sign * saddle:.0f} {volume.unit}): cut along the valley between the two, "
        "sizes towards it are less certain"
    )
    return Grown(
        without_holes(region), cut.box.start_zyx, sign * background, sign * plateau, sign * boundary, (note,)
    )


def _merged(volume: Volume, sign: float, saddle: float) -> MergedError:
    what = "bone or another large bright structure" if sign > 0 else "a larger dark structure"
    return MergedError(
        f"the place clicked is continuous with {what} (no valley down to {sign * saddle:.0f} {volume.unit})",
        expected="a lesion that stands apart from its surroundings",
        remedy="give a radius, or draw the lesion by hand",
    )
