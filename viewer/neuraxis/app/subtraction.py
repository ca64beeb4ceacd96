"""Post-contrast minus pre-contrast, as a picture: scaled to each other, on the grid of the post-contrast series."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neuraxis.align import resample
from neuraxis.domain.study import Acquisition, Confidence, Role, RoleAssignment, Series
from neuraxis.domain.transform import Registration
from neuraxis.domain.volume import ValueKind, Volume
from neuraxis.errors import NotMeasurableError

AIR_SHARE = 0.1
"""Voxels below this share of the 99th percentile are air and take no part in the scaling."""


def subtract(post: Volume, pre: Volume, registration: Registration | None = None) -> Volume:
    """`post - k * pre` on the grid of `post`, float32; k is the median ratio where neither is air.

    For looking at only: enhancement is measured by the evidence metrics on native voxels against reference tissue.

    Raises
    ------
    NotMeasurableError
        When the two fields of view share no tissue.
    """
    onto = resample(pre, post.geometry, registration)
    a, b = post.array.astype(np.float32), onto.array.astype(np.float32)
    tissue = (a > AIR_SHARE * np.percentile(a, 99)) & (b > AIR_SHARE * np.percentile(b, 99))
    if onto.padding is not None:
        tissue &= ~onto.padding
    if not bool(tissue.any()):
        raise NotMeasurableError("two series that share no tissue", expected="overlapping fields of view")
    factor = float(np.median(a[tissue] / b[tissue]))
    difference = a - np.float32(factor) * b
    if onto.padding is not None:
        difference[onto.padding] = 0.0
    return Volume(
        difference, post.geometry, ValueKind.STORED, "difference", post.slice_thickness_mm,
        caveats=(f"computed: post minus {factor:.3g} x pre; not for measurement",),
    )


def subtraction_series(post: Series, pre: Series, volume: Volume, number: int) -> Series:
    """The difference as a series beside those of the file."""
    from neuraxis.app.open_study import HeldVolume

    series_id = f"computed{number}"
    held = replace(volume, series_id=series_id)
    return replace(
        post, id=series_id, series_uid="", number=None, instances=(), windows=(), warnings=volume.caveats,
        description=f"{post.role.role.value} minus {pre.role.role.value} (computed)",
        role=RoleAssignment(Role.SECONDARY, Confidence.CERTAIN, f"computed from {post.title} and {pre.title}"),
        acquisition=Acquisition(slice_thickness_mm=post.acquisition.slice_thickness_mm), source=HeldVolume(held),
    )
