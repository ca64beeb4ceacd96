"""Voxels of one series on one regular grid, and what their numbers mean."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import Shape3, VolumeGeometry
from neuraxis.errors import GeometryError


class ValueKind(enum.Enum):
    """What a voxel's number means; the value is the unit shown to the user."""

    HU = "HU"
    """CT attenuation, Hounsfield units; only where RescaleType and modality allow it."""
    SIGNAL = "signal"
    """MR magnitude in arbitrary units, comparable inside the series only."""
    PHASE = "rad"
    """MR phase in radians."""
    ADC = "mm2/s"
    """Apparent diffusion coefficient."""
    COEFFICIENT = "coefficient"
    """A real world value with a unit of its own (see `Volume.unit`)."""
    STORED = "stored value"
    """Numbers without a known meaning: to look at, not to measure."""


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels in real-world units with their place in the patient.

    Parameters
    ----------
    array : (z, y, x) = (slice, row, column), real-world units (HU for CT), int16 or float32
    geometry : the grid; `geometry.shape_zyx == array.shape`
    kind : what the numbers mean
    unit : unit as shown; defaults to the kind's
    slice_thickness_mm : thickness of the excited or reconstructed slab, which limits partial volume; the
        distance of slices is in the geometry
    padding : (z, y, x) True where a voxel is outside the scanned field; None when there is none
    missing_slices : indices of slices for which no instance exists (array holds the lowest value there and
        `padding` is True); never interpolated silently
    series_id, series_uid : the series it came from
    sop_instance_uids : one a slice; "" for a missing or computed slice
    caveats : reasons why a measurement is restricted ("lossy compression: not for measurement")
    refused_slices : those of `missing_slices` whose file is there but could not be used (damaged, contradictory)
    """

    array: NDArray[Any]
    geometry: VolumeGeometry
    kind: ValueKind
    unit: str = ""
    slice_thickness_mm: float | None = None
    padding: NDArray[np.bool_] | None = None
    missing_slices: tuple[int, ...] = ()
    series_id: str = ""
    series_uid: str = ""
    sop_instance_uids: tuple[str, ...] = ()
    caveats: tuple[str, ...] = field(default=())
    refused_slices: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.array.shape != self.geometry.shape_zyx:
            raise GeometryError(
                f"array of {self.array.shape} voxels", expected=f"{self.geometry.shape_zyx} as the geometry says"
            )
        if not self.unit:
            object.__setattr__(self, "unit", self.kind.value)

    @property
    def frame_of_reference_uid(self) -> str:
        """FrameOfReferenceUID of the geometry."""
        return self.geometry.frame_of_reference_uid

    @property
    def is_measurable(self) -> bool:
        """Whether values may be measured at all (not: whether a given lesion is large enough)."""
        return self.kind is not ValueKind.STORED and not any("not for measurement" in c for c in self.caveats)

    def cropped(self, start_zyx: Shape3, stop_zyx: Shape3) -> Volume:
        """The part between two corners (stop excluded), clipped to the volume, sharing memory."""
        start = tuple(max(0, s) for s in start_zyx)
        stop = tuple(min(n, s) for n, s in zip(self.array.shape, stop_zyx, strict=True))
        box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
        array = self.array[box]
        geometry = self.geometry.cropped(
            (start[0], start[1], start[2]), (array.shape[0], array.shape[1], array.shape[2])
        )
        return replace(
            self, array=array, geometry=geometry,
            padding=None if self.padding is None else self.padding[box],
            missing_slices=tuple(i - start[0] for i in self.missing_slices if start[0] <= i < stop[0]),
            sop_instance_uids=self.sop_instance_uids[start[0] : stop[0]],
            refused_slices=tuple(i - start[0] for i in self.refused_slices if start[0] <= i < stop[0]),
        )
