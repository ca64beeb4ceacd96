"""A box of voxels around a place: everything about a lesion is computed there and not in the whole volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuraxis.domain.geometry import FloatArray, Shape3, VolumeGeometry
from neuraxis.domain.lesion import LesionMask
from neuraxis.domain.volume import Volume
from neuraxis.errors import GeometryError, NotMeasurableError

FloatVoxels = NDArray[np.float32]
BoolVoxels = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """A box cut out of a volume.

    Parameters
    ----------
    values : (z, y, x) float32, the volume's unit
    start_zyx : index of the first voxel in the volume
    geometry : of the box
    usable : (z, y, x) False in padding and missing slices; None where all voxels count
    """

    values: FloatVoxels
    start_zyx: Shape3
    geometry: VolumeGeometry
    usable: BoolVoxels | None

    def open_borders(self, volume_shape: Shape3) -> tuple[tuple[bool, bool], ...]:
        """For each axis, whether the volume goes on beyond the lower and the upper face of the box."""
        ends = zip(self.start_zyx, self.values.shape, volume_shape, strict=True)
        return tuple((start > 0, start + n < total) for start, n, total in ends)


def reach_in_voxels(geometry: VolumeGeometry, radius_mm: float) -> FloatArray:
    """How many voxels along z, y, x a ball of that radius reaches from its centre (sheared grids too)."""
    rows = np.linalg.norm(geometry.affine_xyz_from_lps[:3, :3], axis=1)
    reach: FloatArray = radius_mm * rows[::-1]
    return reach


def voxel_points_mm(geometry: VolumeGeometry) -> FloatArray:
    """Centres of all voxels of a box, shape (z, y, x, 3), LPS mm."""
    return geometry.lps_from_index(np.moveaxis(np.indices(geometry.shape_zyx), 0, -1))


def cut_box(volume: Volume, low_zyx: ArrayLike, high_zyx: ArrayLike) -> Neighbourhood:
    """The box between two corner indices (upper one excluded), clipped to the volume, as float32."""
    part = volume.cropped(_shape3(np.asarray(low_zyx)), _shape3(np.asarray(high_zyx)))
    low = tuple(max(0, int(v)) for v in np.asarray(low_zyx))
    values = part.array.astype(np.float32)
    usable = None if part.padding is None or not part.padding.any() else ~part.padding
    finite = np.isfinite(values) if values.dtype.kind == "f" and part.array.dtype.kind == "f" else None
    if finite is not None and not finite.all():
        usable = finite if usable is None else usable & finite
        values = np.where(finite, values, np.float32(0))
    return Neighbourhood(values, _shape3(low), part.geometry, usable)


def box_around(volume: Volume, index_zyx: ArrayLike, radius_mm: float) -> Neighbourhood:
    """The box that holds the ball of that radius around a voxel, clipped to the volume."""
    reach = np.ceil(reach_in_voxels(volume.geometry, radius_mm)).astype(int)
    centre = np.asarray(index_zyx, dtype=int)
    return cut_box(volume, centre - reach, centre + reach + 1)


def box_of_mask(volume: Volume, mask: LesionMask, margin_mm: float) -> tuple[Neighbourhood, BoolVoxels]:
    """The box of a mask with a margin, and the mask in it."""
    require_same_grid(volume, mask)
    reach = np.ceil(reach_in_voxels(volume.geometry, margin_mm)).astype(int)
    start = np.asarray(mask.start_zyx)
    box = cut_box(volume, start - reach, start + np.asarray(mask.box.shape) + reach)
    inside = np.zeros(box.values.shape, dtype=bool)
    place = tuple(
        slice(a - b, a - b + n) for a, b, n in zip(mask.start_zyx, box.start_zyx, mask.box.shape, strict=True)
    )
    inside[place] = mask.box
    return box, inside


def require_same_grid(volume: Volume, mask: LesionMask) -> None:
    """Raises GeometryError when the mask was drawn on another grid than the volume's."""
    if not mask.geometry.is_close_to(volume.geometry):
        raise GeometryError(
            f"mask on a grid of {mask.geometry.shape_zyx} voxels of series {mask.series_id or '(unknown)'}",
            expected=f"the grid of the volume, {volume.geometry.shape_zyx} voxels of {volume.series_id or '(unknown)'}",
            remedy="copy the mask to this series through a registration",
        )


def require_measurable(volume: Volume) -> None:
    """Raises NotMeasurableError when the volume's numbers have no meaning or are not for measurement."""
    if not volume.is_measurable:
        reason = "; ".join(c for c in volume.caveats if "not for measurement" in c) or "stored values without a unit"
        raise NotMeasurableError(
            f"series {volume.series_id or '(unknown)'} cannot be measured: {reason}",
            expected="voxels in real-world units", remedy="choose another series",
        )


def ball_footprint(geometry: VolumeGeometry, radius_mm: float) -> BoolVoxels:
    """(z, y, x) offsets whose voxel centre lies within `radius_mm` of the middle one."""
    nz, ny, nx = (max(0, int(v)) for v in np.floor(reach_in_voxels(geometry, radius_mm) + 1e-9))
    offsets = np.moveaxis(np.mgrid[-nz : nz + 1, -ny : ny + 1, -nx : nx + 1], 0, -1)
    steps = np.array([geometry.step_z_mm, geometry.step_y_mm, geometry.step_x_mm])
    footprint: BoolVoxels = np.linalg.norm(offsets @ steps, axis=-1) <= radius_mm + 1e-9
    return footprint


def distance_from_mm(inside: BoolVoxels, geometry: VolumeGeometry, *, most_step_mm: float = np.inf) -> FloatVoxels:
    """For voxels outside, distance in mm to the nearest voxel centre inside; 0 inside.

    `most_step_mm` counts thick slices as no farther apart than that, so that a neighbouring one is never out of reach. On sheared grids the shear is neglected: good enough to choose voxels a few millimetres around a lesion.
    """
    import edt

    sx, sy, _ = geometry.spacing_xyz_mm
    spacing = (min(abs(geometry.slice_distance_mm), most_step_mm), sy, sx)
    if not inside.any():
        return np.full(inside.shape, np.inf, dtype=np.float32)
    distance: FloatVoxels = edt.edt(~inside, anisotropy=spacing, black_border=False)
    return distance


def connected_part(inside: BoolVoxels, index_zyx: ArrayLike) -> BoolVoxels:
    """The face-connected component that holds a voxel; empty where that voxel is not inside."""
    from scipy import ndimage

    z, y, x = (int(v) for v in np.asarray(index_zyx))
    if not inside[z, y, x]:
        return np.zeros_like(inside)
    labels, _ = ndimage.label(inside)
    part: BoolVoxels = labels == labels[z, y, x]
    return part


def without_holes(inside: BoolVoxels) -> BoolVoxels:
    """The mask with every background part filled that does not reach the border of the box."""
    from scipy import ndimage

    labels, count = ndimage.label(~inside)
    if count <= 1:
        return inside
    outer: set[int] = set()
    for axis in range(3):
        for end in (0, -1):
            outer.update(np.unique(np.take(labels, end, axis)).tolist())
    table = np.ones(count + 1, dtype=bool)
    table[[label for label in outer if label]] = False
    filled: BoolVoxels = table[labels]
    return filled


def crop_to_mask(inside: BoolVoxels, start_zyx: Shape3) -> tuple[BoolVoxels, Shape3]:
    """The smallest box around the True voxels, and its place in the volume."""
    spans = []
    for axis in range(3):
        hit = np.flatnonzero(inside.any(axis=tuple(a for a in range(3) if a != axis)))
        spans.append((int(hit[0]), int(hit[-1]) + 1) if hit.size else (0, 1))
    box = inside[tuple(slice(a, b) for a, b in spans)].copy()
    return box, _shape3([s + a for s, (a, _) in zip(start_zyx, spans, strict=True)])


def robust_noise(values: NDArray[Any]) -> float:
    """Standard deviation from the median absolute deviation."""
    if values.size == 0:
        return 0.0
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def _shape3(values: ArrayLike) -> Shape3:
    z, y, x = (int(v) for v in np.asarray(values))
    return (z, y, x)
