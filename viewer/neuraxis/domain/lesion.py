"""A lesion: its masks on series, and what was measured on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import Shape3, Vector3, VolumeGeometry
from neuraxis.domain.quantity import Quantity
from neuraxis.errors import GeometryError


@dataclass(frozen=True, eq=False)
class LesionMask:
    """Voxels of a series that belong to a lesion (voxel centre inside the boundary).

    Stored as the lesion's box only.

    Parameters
    ----------
    geometry : of the whole series volume, not of the box
    start_zyx : index of the box's first voxel in the volume
    box : (z, y, x) bool
    series_id, series_uid : series on which it was drawn
    method : how it was made ("half-maximum, background 12 HU, plateau 690 HU")
    boundary_value : value of the half-maximum surface in the volume's unit; None for drawn masks
    background_value, plateau_value : what the boundary lies between
    seed_lps_mm : the point that was clicked
    warnings : what restricts its use
    """

    geometry: VolumeGeometry
    start_zyx: Shape3
    box: NDArray[np.bool_]
    series_id: str = ""
    series_uid: str = ""
    method: str = "drawn"
    boundary_value: float | None = None
    background_value: float | None = None
    plateau_value: float | None = None
    seed_lps_mm: Vector3 | None = None
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        stop = np.add(self.start_zyx, self.box.shape)
        if min(self.start_zyx) < 0 or (stop > np.asarray(self.geometry.shape_zyx)).any():
            raise GeometryError("mask that reaches outside its volume", expected=f"inside {self.geometry.shape_zyx}")

    @classmethod
    def from_full(cls, geometry: VolumeGeometry, full: NDArray[Any], **fields: Any) -> LesionMask:
        """From an array as large as the volume; the box is cut out. An empty mask keeps one False voxel."""
        inside = np.asarray(full, dtype=bool)
        if inside.shape != geometry.shape_zyx:
            raise GeometryError(f"mask of {inside.shape} voxels", expected=f"{geometry.shape_zyx} as the series has")
        spans = []
        for axis in range(3):
            hit = np.flatnonzero(inside.any(axis=tuple(a for a in range(3) if a != axis)))
            spans.append((int(hit[0]), int(hit[-1]) + 1) if hit.size else (0, 1))
        box = inside[tuple(slice(a, b) for a, b in spans)].copy()
        return cls(geometry, (spans[0][0], spans[1][0], spans[2][0]), box, **fields)

    @property
    def box_slices(self) -> tuple[slice, slice, slice]:
        """Where the box lies in the volume's array."""
        z, y, x = (slice(s, s + n) for s, n in zip(self.start_zyx, self.box.shape, strict=True))
        return z, y, x

    @property
    def box_geometry(self) -> VolumeGeometry:
        """Geometry of the box."""
        return self.geometry.cropped(self.start_zyx, (self.box.shape[0], self.box.shape[1], self.box.shape[2]))

    @property
    def voxel_count(self) -> int:
        """Number of voxels inside."""
        return int(np.count_nonzero(self.box))

    def full(self) -> NDArray[np.bool_]:
        """The mask as an array of the volume's shape (z, y, x)."""
        array = np.zeros(self.geometry.shape_zyx, dtype=bool)
        array[self.box_slices] = self.box
        return array

    def points_lps_mm(self) -> NDArray[np.float64]:
        """Centres of the voxels inside, shape (n, 3), LPS mm."""
        return self.geometry.lps_from_index(np.argwhere(self.box) + np.asarray(self.start_zyx))


@dataclass(frozen=True)
class LengthMeasurement:
    """A length with the two points between which it was taken (LPS mm)."""

    quantity: Quantity
    start_lps_mm: Vector3
    end_lps_mm: Vector3
    sop_instance_uid: str = ""


@dataclass(frozen=True)
class IntensityStatistics:
    """Statistics of native voxels inside the mask, in the volume's unit."""

    unit: str
    mean: float
    standard_deviation: float
    minimum: float
    maximum: float
    p10: float
    p90: float
    voxel_count: int


@dataclass(frozen=True)
class LesionMeasurement:
    """Everything measured on one mask; a size that cannot be measured is None and has a warning.

    `long_axis`: longest extent in the slice of largest area (the image plane; said where it is not axial).
    `short_axis`: largest extent perpendicular to it in the same slice. `max_3d_diameter`: largest distance of two
    points of the surface. `volume`: partial-volume integral where the boundary allows it, else sum of voxels.
    """

    series_id: str
    series_uid: str
    frame_of_reference_uid: str
    method: str
    centroid_lps_mm: Vector3
    intensity: IntensityStatistics
    long_axis: LengthMeasurement | None = None
    short_axis: LengthMeasurement | None = None
    max_3d_diameter: LengthMeasurement | None = None
    volume: Quantity | None = None
    volume_voxel_sum: Quantity | None = None
    surface: Quantity | None = None
    distance_to_bone: Quantity | None = None
    slices_spanned: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Lesion:
    """One tracked finding with the mask and the measurement it is known by, and masks on further series."""

    tracking_uid: str
    label: str
    mask: LesionMask
    measurement: LesionMeasurement
    other_masks: tuple[LesionMask, ...] = ()

    @property
    def frame_of_reference_uid(self) -> str:
        """Frame of reference of the primary mask."""
        return self.mask.geometry.frame_of_reference_uid
