"""A mask that holds one calcified spot of something larger: what then must not be said of the lesion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from neuraxis.domain.tag import Tag, Verdict
from neuraxis.evidence.calcification import COUNTED_HU, calcium_of, ct_for_values
from neuraxis.evidence.oedema import bright_tissue
from neuraxis.evidence.sampling import sample
from neuraxis.evidence.verdicts import suggested

if TYPE_CHECKING:
    from neuraxis.evidence.context import EvidenceContext

SMALL_MM, LARGE_INDEX = 3.0, 20.0
OTHER_CALCIUM_MM3 = 1.0

OF_THE_WHOLE = (
    "size", "t1_signal", "t2_signal", "flair_signal", "gre_signal", "dwi_signal", "adc_signal", "attenuation",
    "diffusion_restriction", "enhancement", "perilesional_oedema", "mass_effect", "margin", "bone_change", "cystic",
    "flow_void",
)
"""Concepts that a verdict on one spot would get wrong; side, site, presence of calcium and blooming stay."""


def partial_reason(context: EvidenceContext) -> str | None:
    """Why the mask is probably only a part of the lesion; None where nothing speaks for that.

    Bright tissue on FLAIR or T2 around a dense mask that holds further calcium apart from the mask, or that is more
    than 20 times as large as a mask below 3 mm [prop].
    """
    numbers, _, _ = calcium_of(context)
    found = bright_tissue(context)
    if numbers is None or not numbers.calcified_voxels or isinstance(found, str):
        return None
    volume = context.lesion.mask.voxel_count * context.lesion.mask.geometry.voxel_volume_mm3
    if found.numbers.volume_mm3 < volume:
        return None
    around = f"{found.numbers.volume_mm3:.0f} mm3 of bright tissue around it on {found.series.title}"
    if (apart := _calcium_apart_mm3(context)) >= OTHER_CALCIUM_MM3:
        return f"the mask holds one calcified part of something larger: {around}, with {apart:.0f} mm3 of calcium in it"
    if context.diameter_mm < SMALL_MM and found.numbers.volume_mm3 > LARGE_INDEX * volume:
        return f"the mask measures {context.diameter_mm:.1f} mm and has {around}: lesion or oedema cannot be told"
    return None


def _calcium_apart_mm3(context: EvidenceContext) -> float:
    """Calcium inside the bright tissue (or within 2 mm of it), more than 1.5 mm outside the mask, not bone."""
    import cc3d
    from scipy import ndimage

    found = bright_tissue(context)
    series, _ = ct_for_values(context)
    if isinstance(found, str) or series is None:
        return 0.0
    patch = context.patch(series, 20.0)
    sz, sy, sx = found.patch.geometry.spacing_xyz_mm[::-1]
    near = ndimage.distance_transform_edt(~found.inside, sampling=(sz, sy, sx)) <= 2.0
    way = found.patch.registration
    held = sample(near.astype(np.float32), found.patch.geometry, way.apply(patch.points_lps_mm), order=0, outside=0.0)
    dense = (patch.values >= COUNTED_HU) & (patch.distance_mm > 0.5)
    labels = cc3d.connected_components(dense, connectivity=26)
    voxel = patch.geometry.voxel_volume_mm3
    counts = np.bincount(labels.ravel())
    bone = counts * voxel > 500.0
    spots = dense & ~bone[labels] & (held > 0.5) & (patch.distance_mm > 1.5)
    return float(spots.sum()) * voxel


def withheld(tags: Sequence[Tag], reason: str) -> tuple[Tag, ...]:
    """The tags with every verdict that would speak of the whole lesion taken back, for that reason."""
    return tuple(_withheld(tag, reason) for tag in tags)


def _withheld(tag: Tag, reason: str) -> Tag:
    if tag.concept == "calcification":
        kept: tuple[str, ...] = ("none", "present")
    elif tag.concept in OF_THE_WHOLE:
        kept = ()
    else:
        return tag
    values = tuple(v if v[0] in kept else (v[0], Verdict.NOT_ASSESSABLE, reason) for v in tag.values)
    return suggested(replace(tag, value=None, values=values))
