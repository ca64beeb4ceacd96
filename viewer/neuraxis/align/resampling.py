"""A volume on another grid, through a registration where the frames of reference differ."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neuraxis.align.sampling import Interpolation, map_between, sample_lattice
from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.transform import Registration
from neuraxis.domain.volume import Volume


def resample(
    volume: Volume, onto: VolumeGeometry, registration: Registration | None = None,
    interpolation: Interpolation = Interpolation.LINEAR,
) -> Volume:
    """The volume's values at the voxel centres of another grid, float32; for pictures and fusion, not for sizes.

    Parameters
    ----------
    onto : the grid to fill
    registration : maps points of `onto`'s frame of reference to the volume's (what `register(fixed, moving)` gives for
        `fixed` = the series of `onto`); not needed where the frames are the same
    interpolation : between voxel centres

    Returns
    -------
    Volume
        On `onto`; what lies outside the source is the source's lowest value and flagged in `padding`.

    Raises
    ------
    GeometryError
        When the frames differ and no fitting registration is given.
    """
    matrix = map_between(onto.frame_of_reference_uid, volume.frame_of_reference_uid, registration)
    if registration is None and onto.is_close_to(volume.geometry, 1e-4):
        return replace(volume, geometry=onto)
    to_index = volume.geometry.affine_xyz_from_lps[:3, :3] @ matrix[:3, :3]
    per_slice, per_row, per_column = (
        (to_index @ np.asarray(step))[::-1] for step in (onto.step_z_mm, onto.step_y_mm, onto.step_x_mm)
    )
    first = volume.geometry.index_from_lps(matrix[:3, :3] @ np.asarray(onto.origin_lps_mm) + matrix[:3, 3])
    out = np.empty(onto.shape_zyx, dtype=np.float32)
    for z in range(onto.shape_zyx[0]):
        out[z] = sample_lattice(
            volume, first + z * per_slice, per_row, per_column, (onto.shape_zyx[1], onto.shape_zyx[2]), interpolation
        )
    outside = np.isnan(out)
    padding = outside if bool(outside.any()) else None
    if padding is not None:
        out[padding] = float(volume.array.min())
    return Volume(
        out, onto, volume.kind, volume.unit, volume.slice_thickness_mm, padding, (), volume.series_id,
        volume.series_uid, (), (*volume.caveats, "resampled: not for measurement of sizes"),
    )
