"""One click to a lesion mask: the half-maximum surface between local background and plateau."""

from __future__ import annotations

import enum
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuraxis.domain.geometry import Shape3, Vector3
from neuraxis.domain.lesion import LesionMask
from neuraxis.domain.volume import ValueKind, Volume
from neuraxis.errors import NotMeasurableError
from neuraxis.lesions.bone import BoneMask
from neuraxis.lesions.growing import Grown, MergedError, grow_half_maximum
from neuraxis.lesions.neighbourhood import (
    BoolVoxels,
    FloatVoxels,
    Neighbourhood,
    box_around,
    connected_part,
    crop_to_mask,
    reach_in_voxels,
    require_measurable,
    robust_noise,
    voxel_points_mm,
    without_holes,
)

SNAP_MM = 2.0
"""How far from the lesion's boundary a click may be."""
CLIMB_MM = 7.0
"""How far a click may be from the lesion's peak."""
FLOOR_BOXES_MM = (7.0, 16.0, 34.0)
"""Boxes in which the background is looked for, until one is larger than the lesion."""
LEAST_CONTRAST_HU = 50.0
NOISE_FACTOR = 6.0
"""A peak counts when it stands out by this many standard deviations of the smoothed noise."""
DEFAULT_LIMIT_MM = 40.0


class SegmentKind(enum.Enum):
    """What is looked for at the click."""

    CALCIFICATION = "calcification"
    """Brighter than its surroundings on CT."""
    DARK = "dark"
    """Darker than its surroundings: on T2, SWI, minIP."""
    ENHANCING = "enhancing"
    """Brighter than its surroundings on MR after contrast."""
    REGION = "region"
    """Connected voxels of values like those at the click, inside a ball."""


class _Peak(NamedTuple):
    at: Shape3
    value: float
    distance_mm: float


def segment(
    volume: Volume, point_lps_mm: ArrayLike, *, kind: SegmentKind = SegmentKind.CALCIFICATION,
    bone: BoneMask | None = None, radius_mm: float | None = None,
) -> LesionMask:
    """The lesion at (or within 2 mm of) a point, bounded by half of the way from background to plateau.

    Parameters
    ----------
    volume : native voxels; CT in HU for CALCIFICATION
    point_lps_mm : (x, y, z) LPS mm in the volume's frame of reference
    kind : what to look for
    bone : bone that the lesion may not enter; without it, a lesion that touches bone is cut at the valley between
        the two where there is one
    radius_mm : the lesion is looked for in this ball around the click (REGION: default 15 mm; others 40 mm)

    Returns
    -------
    LesionMask
        Voxels whose centre lies inside the boundary, holes filled; with background, plateau and boundary value.

    Raises
    ------
    NotMeasurableError
        When nothing stands out within 2 mm of the point, when it is bone, or when values are not for measurement.
    GeometryError
        When the point is outside the volume.
    """
    require_measurable(volume)
    if kind is SegmentKind.CALCIFICATION and volume.kind is not ValueKind.HU:
        raise NotMeasurableError(
            f"series {volume.series_id or '(unknown)'} holds {volume.unit}, not HU",
            expected="CT in Hounsfield units for a calcification", remedy="use DARK or ENHANCING on MR",
        )
    click = volume.geometry.nearest_index(point_lps_mm)
    seed = _vector(point_lps_mm)
    if kind is SegmentKind.REGION:
        return _region(volume, click, seed, radius_mm or 15.0)
    sign = -1.0 if kind is SegmentKind.DARK else 1.0
    peaks: list[_Peak] = []
    for floor_mm in FLOOR_BOXES_MM:
        peaks = peaks or _peaks_near(volume, click, seed, sign, kind, floor_mm)
    failure: NotMeasurableError | None = None
    for peak in peaks[:3]:
        try:
            grown = grow_half_maximum(volume, peak.at, sign, limit_mm=radius_mm or DEFAULT_LIMIT_MM, bone=bone)
        except MergedError as error:
            failure = failure or error
            if radius_mm is not None and kind is not SegmentKind.CALCIFICATION:
                return _cut_by_ball(volume, peak.at, seed, sign, radius_mm)
            continue
        if grown.contrast < _least_contrast(kind, grown.background):
            continue
        return _as_mask(volume, grown, seed)
    raise failure or _nothing_here(volume, click, seed, kind)


def _vector(point: ArrayLike) -> Vector3:
    x, y, z = (float(v) for v in np.asarray(point, dtype=np.float64))
    return (x, y, z)


def _least_contrast(kind: SegmentKind, background: float) -> float:
    return LEAST_CONTRAST_HU if kind is SegmentKind.CALCIFICATION else 0.12 * abs(background)


def _nothing_here(volume: Volume, click: Shape3, point: Vector3, kind: SegmentKind) -> NotMeasurableError:
    value = float(volume.array[click])
    where = ", ".join(f"{v:.1f}" for v in point)
    darker = kind is SegmentKind.DARK
    return NotMeasurableError(
        f"nothing at ({where}) mm is {'darker' if darker else 'brighter'} than its surroundings "
        f"(value there {value:.0f} {volume.unit})",
        expected=f"a {kind.value} lesion within {SNAP_MM:g} mm of the point",
        remedy="click on the lesion, or draw it by hand",
    )


def smoothed(box: Neighbourhood, sigma_mm: float = 0.35) -> FloatVoxels:
    """The box under a small Gaussian, so that single noisy voxels are no peaks."""
    from scipy import ndimage

    sx, sy, _ = box.geometry.spacing_xyz_mm
    sigma = [sigma_mm / s for s in (abs(box.geometry.slice_distance_mm), sy, sx)]
    out: FloatVoxels = ndimage.gaussian_filter(box.values, sigma, truncate=2.5, mode="nearest")
    return out


def _floor(volume: Volume, click: Shape3, sign: float, radius_mm: float) -> float:
    """Signed value of what is not lesion: the 20th percentile of every other voxel in a box."""
    box = box_around(volume, click, radius_mm)
    values = box.values[::2, ::2, ::2] if box.usable is None else box.values[box.usable]
    return float(np.percentile(values * np.float32(sign), 20)) if values.size else 0.0


def _peaks_near(
    volume: Volume, click: Shape3, point: Vector3, sign: float, kind: SegmentKind, floor_mm: float
) -> list[_Peak]:
    """Peaks up to which the voxels within 2 mm of the click climb, the one whose flank is nearest first."""
    box = box_around(volume, click, CLIMB_MM)
    if box.usable is not None:
        fill = float(np.median(box.values[box.usable])) if box.usable.any() else 0.0
        box = Neighbourhood(
            np.where(box.usable, box.values, np.float32(fill)), box.start_zyx, box.geometry, box.usable
        )
    values = smoothed(box)
    signed = values * np.float32(sign)
    floor = float(np.percentile(signed[::2], 20)) if floor_mm <= CLIMB_MM else _floor(volume, click, sign, floor_mm)
    noise = robust_noise((box.values - values)[:, ::3, ::3])
    spacing = max(box.geometry.spacing_xyz_mm)
    near, distance = _voxels_near(box, point, max(SNAP_MM, 0.75 * spacing))
    tops = _climb(signed, near)
    least = max(_least_contrast(kind, sign * floor), NOISE_FACTOR * 0.5 * noise)
    found: list[_Peak] = []
    for top in np.unique(tops):
        height = float(signed.ravel()[top]) - floor
        if height < least or (floor_mm > CLIMB_MM and kind is SegmentKind.CALCIFICATION and signed.ravel()[top] < 100):
            continue
        flank = distance[(tops == top) & (signed.ravel()[near] >= floor + 0.5 * height)]
        if flank.size == 0:
            continue
        z, y, x = np.unravel_index(int(top), values.shape)
        index = (int(z) + box.start_zyx[0], int(y) + box.start_zyx[1], int(x) + box.start_zyx[2])
        found.append(_Peak(index, height, float(flank.min())))
    # a click inside the lesion has a flank at distance 0; among noise peaks of one plateau the highest speaks
    return sorted(found, key=lambda p: (round(p.distance_mm / (0.5 * spacing)), -p.value))


def _voxels_near(box: Neighbourhood, point: Vector3, radius_mm: float) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Flat indices of the voxels of a box within a distance of a point, and their distances in mm."""
    middle = box.geometry.index_from_lps(point)
    reach = reach_in_voxels(box.geometry, radius_mm)
    low = np.clip(np.ceil(middle - reach), 0, box.values.shape).astype(int)
    high = np.clip(np.floor(middle + reach) + 1, low, box.values.shape).astype(int)
    index = np.moveaxis(np.mgrid[tuple(slice(a, b) for a, b in zip(low, high, strict=True))], 0, -1).reshape(-1, 3)
    distance = np.linalg.norm(box.geometry.lps_from_index(index) - np.asarray(point), axis=-1)
    inside = distance <= radius_mm
    flat: NDArray[np.intp] = np.ravel_multi_index(tuple(index[inside].T), box.values.shape)
    return flat, distance[inside]


def _climb(signed: FloatVoxels, starts: NDArray[np.intp]) -> NDArray[np.intp]:
    """Flat indices of the local maxima that steepest ascent reaches from flat start indices."""
    padded = np.pad(signed, 1, constant_values=-np.inf)
    strides = (padded.shape[1] * padded.shape[2], padded.shape[2], 1)
    around27 = np.moveaxis(np.mgrid[-1:2, -1:2, -1:2], 0, -1).reshape(-1, 3)
    offsets = around27 @ np.asarray(strides)
    flat = padded.ravel()
    z, y, x = np.unravel_index(starts, signed.shape)
    at = (z + 1) * strides[0] + (y + 1) * strides[1] + (x + 1)
    for _ in range(4 * max(signed.shape)):
        around = at[:, None] + offsets
        following = around[np.arange(at.size), flat[around].argmax(axis=1)]
        if np.array_equal(following, at):
            break
        at = following
    z, y, x = np.unravel_index(at, padded.shape)
    tops: NDArray[np.intp] = np.ravel_multi_index((z - 1, y - 1, x - 1), signed.shape)
    return tops


def _as_mask(volume: Volume, grown: Grown, seed: Vector3) -> LesionMask:
    box, start = crop_to_mask(grown.inside, grown.start_zyx)
    unit = volume.unit
    return LesionMask(
        volume.geometry, start, box, volume.series_id, volume.series_uid,
        f"half-maximum, background {grown.background:.0f} {unit}, plateau {grown.plateau:.0f} {unit}",
        grown.boundary, grown.background, grown.plateau, seed, grown.warnings,
    )


def _cut_by_ball(volume: Volume, peak: Shape3, seed: Vector3, sign: float, radius_mm: float) -> LesionMask:
    """What lies beyond the half-maximum inside the ball the reader gave, where the lesion runs on outside it."""
    box = box_around(volume, peak, 2 * radius_mm)
    signed = box.values * np.float32(sign)
    distance = np.linalg.norm(voxel_points_mm(box.geometry) - np.asarray(seed), axis=-1)
    ball = distance <= radius_mm
    shell = (distance > radius_mm) & (distance <= 2 * radius_mm)
    if box.usable is not None:
        ball, shell = ball & box.usable, shell & box.usable
    local = tuple(int(p - s) for p, s in zip(peak, box.start_zyx, strict=True))
    background, plateau = float(np.percentile(signed[shell], 50)), float(smoothed(box)[local] * sign)
    boundary = (background + plateau) / 2
    if plateau <= background:
        raise _nothing_here(volume, peak, seed, SegmentKind.DARK if sign < 0 else SegmentKind.ENHANCING)
    inside = (signed >= boundary) & ball
    inside[local] = True
    note = f"cut by the ball of {radius_mm:g} mm it was looked for in: it is continuous with something outside"
    grown = Grown(
        without_holes(connected_part(inside, local)), box.start_zyx, sign * background, sign * plateau,
        sign * boundary, (note,),
    )
    return _as_mask(volume, grown, seed)


def _region(volume: Volume, click: Shape3, seed: Vector3, radius_mm: float) -> LesionMask:
    """Connected voxels within three standard deviations or a quarter of the value at the click, inside a ball."""
    box = box_around(volume, click, radius_mm)
    local = np.subtract(click, box.start_zyx)
    around = box.values[tuple(slice(max(0, int(c) - 1), int(c) + 2) for c in local)]
    centre = float(np.median(around))
    noise = max(robust_noise(box.values - smoothed(box)), float(around.std()))
    width = max(3.0 * noise, 0.25 * abs(centre))
    ball = np.linalg.norm(voxel_points_mm(box.geometry) - np.asarray(seed), axis=-1) <= radius_mm
    alike = (np.abs(smoothed(box) - centre) <= width) & ball
    if box.usable is not None:
        alike &= box.usable
    alike[tuple(int(c) for c in local)] = True
    part: BoolVoxels = without_holes(connected_part(alike, local))
    inside, start = crop_to_mask(part, box.start_zyx)
    warnings = ("cut by the ball it was looked for in",) if bool((part & _shell(ball)).any()) else ()
    return LesionMask(
        volume.geometry, start, inside, volume.series_id, volume.series_uid,
        f"region of {centre - width:.0f} to {centre + width:.0f} {volume.unit} within {radius_mm:g} mm",
        seed_lps_mm=seed, warnings=warnings,
    )


def _shell(ball: BoolVoxels) -> BoolVoxels:
    from scipy import ndimage

    shell: BoolVoxels = ball & ~ndimage.binary_erosion(ball)
    return shell
