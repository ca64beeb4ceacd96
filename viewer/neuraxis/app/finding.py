"""Masks of one lesion at a point, on every series that shows it, and which of them is the whole lesion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import Vector3
from neuraxis.domain.lesion import LesionMask
from neuraxis.domain.study import Role, Series, Study
from neuraxis.domain.transform import RegistrationSet
from neuraxis.domain.volume import Volume
from neuraxis.errors import NotMeasurableError

LONGER, LONGER_MM = 1.25, 2.5
"""An enhancing mass longer than its calcified part by both of these is measured as the enhancing mass; an enhancing
capsule about calcium is thinner than that."""
LEAST_CONTRAST, LEAST_LENGTH_MM, LEAST_COMPACT = 0.3, 2.5, 0.25
"""On MR: plateau over background less one, longest extent, and volume over that of the ball of that extent."""
ROUND = 0.4
"""Compactness of a mask that only T2 shows: folds of cortex and cisterns are longer than thick."""
ENCLOSED_MM = 16.0
"""How far the outer surface of a calcified or enhancing shell about the point may lie."""
LEAST_SHELL_HU = 130.0


@dataclass(frozen=True, eq=False)
class Found:
    """A mask with the series it was drawn on."""

    series: Series
    mask: LesionMask

    @property
    def extent_mm(self) -> float:
        """Longest side of the mask's box."""
        index = np.argwhere(self.mask.box)
        spacing = np.asarray(self.mask.geometry.spacing_xyz_mm[::-1])
        return float(((index.max(axis=0) - index.min(axis=0) + 1) * spacing).max())

    @property
    def compactness(self) -> float:
        """Volume over that of the ball with the longest extent as diameter."""
        volume = self.mask.voxel_count * self.mask.geometry.voxel_volume_mm3
        return volume / (np.pi / 6 * self.extent_mm**3)


def shell_about(volume: Volume, point_lps_mm: Vector3, least: float) -> LesionMask | None:
    """The closed shell of bright voxels about a point, with what it encloses; None where no shell closes.

    Parameters
    ----------
    volume : CT in HU, or MR after contrast
    point_lps_mm : inside the shell, LPS mm of the volume
    least : smallest value a shell voxel may have

    Notes
    -----
    Thresholds are tried from the brightest down; the first at which the bright voxels enclose the point, alone in a ball
    of `ENCLOSED_MM` (bone goes on beyond it), gives shell and background; the boundary is half way between these.
    """
    from scipy import ndimage

    from neuraxis.lesions.neighbourhood import box_around

    click = volume.geometry.nearest_index(point_lps_mm)
    box = box_around(volume, click, ENCLOSED_MM)
    at = tuple(int(c - s) for c, s in zip(click, box.start_zyx, strict=True))
    values = ndimage.gaussian_filter(box.values, 0.5)
    peak = float(np.percentile(values, 99.8))
    for threshold in np.linspace(0.8 * peak, least, 8) if peak > least else ():
        region = _enclosing(values >= threshold, at)
        if region is None:
            continue
        edge = region & ~ndimage.binary_erosion(region)
        ring = ndimage.binary_dilation(region, iterations=4) & ~ndimage.binary_dilation(region, iterations=2)
        if not ring.any():
            return None
        background, plateau = float(np.median(values[ring])), float(np.percentile(values[region], 90))
        boundary = max(0.5 * (background + plateau), float(threshold)) if plateau > background else float(threshold)
        better = _enclosing(values >= boundary, at)
        inside = better if better is not None else region
        if not edge.any() or values[at] > boundary:
            return None
        return _mask(volume, box.start_zyx, inside, background, plateau, boundary, point_lps_mm)
    return None


def _enclosing(bright: NDArray[np.bool_], at: tuple[int, ...]) -> NDArray[np.bool_] | None:
    """The part of a filled mask that holds a place which was a hole of it; None where it is none, or meets the border."""
    from scipy import ndimage

    if bright[at]:
        return None
    filled = ndimage.binary_fill_holes(ndimage.binary_dilation(bright))
    if not filled[at]:
        return None
    labels, _ = ndimage.label(filled)
    region: NDArray[np.bool_] = labels == labels[at]
    index = np.argwhere(region)
    if (index.min(axis=0) == 0).any() or (index.max(axis=0) == np.asarray(region.shape) - 1).any():
        return None
    return np.asarray(ndimage.binary_erosion(region), dtype=bool)


def _mask(
    volume: Volume, start: tuple[int, int, int], inside: NDArray[np.bool_], background: float, plateau: float,
    boundary: float, seed: Vector3,
) -> LesionMask:
    local = LesionMask.from_full(volume.geometry.cropped(start, _shape(inside)), inside)
    z, y, x = (a + b for a, b in zip(start, local.start_zyx, strict=True))
    unit = volume.unit
    return LesionMask(
        volume.geometry, (z, y, x), local.box, volume.series_id, volume.series_uid,
        f"half-maximum of a closed shell, background {background:.0f} {unit}, plateau {plateau:.0f} {unit}",
        boundary, background, plateau, seed,
    )


def _shape(array: NDArray[np.bool_]) -> tuple[int, int, int]:
    return (array.shape[0], array.shape[1], array.shape[2])


def credible(found: Found) -> bool:
    """Whether a mask on MR stands out, is larger than noise and is in one lump."""
    background, plateau = found.mask.background_value, found.mask.plateau_value
    if background is None or plateau is None:
        return False
    contrast = abs(plateau - background) / max(abs(background), 1e-6)
    return contrast >= LEAST_CONTRAST and found.extent_mm >= LEAST_LENGTH_MM and found.compactness >= LEAST_COMPACT


def enhancing_masses(
    study: Study, at: Vector3, series: Series, registrations: RegistrationSet,
    segment_on: Callable[[Series, Vector3], LesionMask],
) -> Iterator[Found]:
    """Credible masks at a point of a series' frame on the post-contrast series, solid ones and closed shells."""
    for post in study.volumes_of(Role.T1C):
        way = registrations.between(series.frame_of_reference_uid, post.frame_of_reference_uid)
        if way is None or post.geometry is None:
            continue
        x, y, z = (float(v) for v in way.apply(at))
        if not post.geometry.contains((x, y, z)):
            continue
        try:
            found = Found(post, segment_on(post, (x, y, z)))
        except NotMeasurableError:
            found = None
        if found is None or not credible(found):
            volume = post.volume()
            around = float(np.median(volume.array[volume.geometry.nearest_index((x, y, z))[0]]))
            shell = shell_about(volume, (x, y, z), 1.5 * around)
            found = Found(post, shell) if shell is not None else None
        if found is not None and credible(found):
            yield found


def dark_mass(study: Study, at: Vector3, series: Series, registrations: RegistrationSet) -> Found | None:
    """A credible dark mask on T2 at a point of a series' frame, for a lesion that neither calcium nor contrast shows."""
    from neuraxis.lesions import SegmentKind, segment

    for t2 in study.volumes_of(Role.T2):
        way = registrations.between(series.frame_of_reference_uid, t2.frame_of_reference_uid)
        if way is None or t2.geometry is None or not t2.geometry.contains(way.apply(at)):
            continue
        try:
            found = Found(t2, segment(t2.volume(), way.apply(at), kind=SegmentKind.DARK))
        except NotMeasurableError:
            continue
        if credible(found) and found.compactness >= ROUND:
            return found
    return None


def is_the_whole(mass: Found, part: Found) -> bool:
    """Whether an enhancing mass goes clearly beyond its calcified part."""
    return mass.extent_mm > LONGER * part.extent_mm and mass.extent_mm > part.extent_mm + LONGER_MM
