"""Whether the mask holds the whole lesion: enhancing tissue that goes on beyond a calcified part."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import FloatArray
from neuraxis.domain.lesion import Lesion, LesionMask
from neuraxis.evidence.anatomy import anatomy_of
from neuraxis.evidence.calcification import COUNTED_HU, ct_for_values
from neuraxis.evidence.enhancement import difference_of
from neuraxis.evidence.sampling import sample

if TYPE_CHECKING:
    from neuraxis.evidence.context import EvidenceContext

BEYOND_MM = (1.5, 2.5)
"""A shell that the blur of an enhancing rim does not reach."""
ENHANCING_INDEX = 0.25
OCTANTS = 4
REACH_MM = 15.0
NECK_MM = 1.5
"""Vessels and dural tails thinner than twice this are cut off."""


def grown_from(
    index: FloatArray, distance_mm: FloatArray, allowed: NDArray[np.bool_], spacing_zyx_mm: tuple[float, float, float]
) -> NDArray[np.bool_]:
    """Enhancing voxels connected with the lesion, without thin continuations, and the lesion itself.

    Parameters
    ----------
    index : (z, y, x) enhancement index
    distance_mm : signed distance to the known part of the lesion
    allowed : voxels it may take
    spacing_zyx_mm : voxel size
    """
    import cc3d
    import edt
    from scipy import ndimage

    core = distance_mm <= 0
    shell = (distance_mm > 0.5) & (distance_mm <= BEYOND_MM[1]) & np.isfinite(index)
    level = float(np.median(index[shell])) if shell.any() else 0.0
    bright = (np.nan_to_num(index) > max(ENHANCING_INDEX, 0.5 * level)) & allowed & (distance_mm <= REACH_MM)
    whole = ndimage.binary_fill_holes(bright | core)
    thick = edt.edt(whole, anisotropy=spacing_zyx_mm) > NECK_MM
    labels = cc3d.connected_components(thick, connectivity=6)
    own = np.unique(labels[(distance_mm <= 1.0) & thick])
    body = np.isin(labels, own[own > 0])
    opened: NDArray[np.bool_] = (edt.edt(~body, anisotropy=spacing_zyx_mm) <= NECK_MM) & whole
    return opened | core


def octants_beyond(index: FloatArray, distance_mm: FloatArray, offset_mm: FloatArray) -> int:
    """In how many of 8 directions the shell `BEYOND_MM` outside the lesion enhances."""
    shell = (distance_mm > BEYOND_MM[0]) & (distance_mm <= BEYOND_MM[1]) & np.isfinite(index)
    octant = (offset_mm > 0) @ np.array([1, 2, 4])
    return sum(bool((k := shell & (octant == n)).any() and np.median(index[k]) > ENHANCING_INDEX) for n in range(8))


def enhancing_extent(context: EvidenceContext) -> LesionMask | None:
    """The whole lesion on the pre-contrast grid where enhancing tissue goes on beyond the mask; None where it does not.

    Needs T1 before and after contrast, registered. The calcified part stays inside the result.
    """
    difference = difference_of(context)
    anatomy, _ = anatomy_of(context)
    if isinstance(difference, str) or anatomy is None:
        return None
    patch, index = difference.patch, difference.index
    offset = patch.points_lps_mm - np.asarray(context.field.centre_lps_mm)
    if octants_beyond(index, patch.distance_mm, offset) < OCTANTS:
        return None
    sz, sy, sx = patch.geometry.spacing_xyz_mm[::-1]
    allowed = ~anatomy.flag_at(anatomy.bone, patch.points_lps_mm)
    inside = grown_from(index, patch.distance_mm, allowed, (sz, sy, sx))
    volume = context.volume(difference.pre)
    start = np.rint(volume.geometry.index_from_lps(patch.geometry.origin_lps_mm)).astype(int)
    full = LesionMask.from_full(patch.geometry, inside)
    a, b, c = (int(s + f) for s, f in zip(start, full.start_zyx, strict=True))
    return LesionMask(
        volume.geometry, (a, b, c), full.box, difference.pre.id, difference.pre.series_uid,
        f"enhancing tissue connected with the mask on {difference.post.title}",
    )


def widened(context: EvidenceContext) -> EvidenceContext | None:
    """The context with the whole lesion as primary mask, in its own frame; None where the mask is the whole lesion."""
    return context.remember("widened", lambda: _widened(context))


def _widened(context: EvidenceContext) -> EvidenceContext | None:
    mask = enhancing_extent(context)
    if mask is None:
        return None
    known = context.lesion
    before = known.mask.voxel_count * known.mask.geometry.voxel_volume_mm3
    after = mask.voxel_count * mask.geometry.voxel_volume_mm3
    if after < 1.5 * before:
        return None
    x, y, z = mask.points_lps_mm().mean(axis=0)
    measurement = replace(
        known.measurement, series_id=mask.series_id, series_uid=mask.series_uid,
        frame_of_reference_uid=mask.geometry.frame_of_reference_uid, method=mask.method,
        centroid_lps_mm=(float(x), float(y), float(z)), long_axis=None, short_axis=None, max_3d_diameter=None,
        volume=None, volume_voxel_sum=None, surface=None, distance_to_bone=None,
    )
    lesion = Lesion(known.tracking_uid, known.label, mask, measurement, (known.mask, *known.other_masks))
    return context.with_lesion(lesion)


def calcified_at(context: EvidenceContext, points_lps_mm: FloatArray) -> NDArray[np.bool_]:
    """Whether calcium (130 HU and above, grown by one millimetre) lies at points of the lesion's frame; False without CT."""
    from scipy import ndimage

    series, _ = ct_for_values(context)
    if series is None:
        return np.zeros(points_lps_mm.shape[:-1], dtype=bool)
    patch = context.patch(series, 6.0)
    dense = (patch.values >= COUNTED_HU) & (patch.distance_mm <= 1.0)
    sz, sy, sx = patch.geometry.spacing_xyz_mm[::-1]
    grown = ndimage.distance_transform_edt(~dense, sampling=(sz, sy, sx)) <= 1.0 if dense.any() else dense
    held = sample(grown.astype(np.float32), patch.geometry, patch.registration.apply(points_lps_mm), order=0, outside=0.0)
    result: NDArray[np.bool_] = held > 0.5
    return result
