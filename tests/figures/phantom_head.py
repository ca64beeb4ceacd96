"""Synthetic heads with closed-form content for the tests of figures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import Vector3, VolumeGeometry
from neuraxis.domain.study import (
    Acquisition,
    Confidence,
    LoadReport,
    Role,
    RoleAssignment,
    Series,
    Study,
)
from neuraxis.domain.volume import ValueKind, Volume

FRAME_CT = "1.2.826.0.1.3680043.8.498.1"
FRAME_MR = "1.2.826.0.1.3680043.8.498.2"


@dataclass
class Shelf:
    """Gives one volume, counting how often it was read."""

    volume: Volume
    reads: int = 0

    def read_volume(self) -> Volume:
        self.reads += 1
        return self.volume

    def read_slice(self, index: int) -> NDArray[Any]:
        return np.asarray(self.volume.array[index])

    def read_picture(self, index: int) -> NDArray[np.uint8]:
        return np.zeros(self.volume.array.shape[1:], dtype=np.uint8)


@cache
def head(
    *, spacing: Vector3 = (1.0, 1.0, 1.0), lesion_lps_mm: Vector3 = (-20.0, 10.0, 5.0), lesion_mm: float = 4.0,
    frame: str = FRAME_CT, hu: bool = True, lesion_value: float = 700.0, shift: Vector3 = (0.0, 0.0, 0.0),
    nose: bool = False, shape: tuple[int, int, int] = (120, 200, 170), series_id: str = "ct",
) -> Volume:
    """An ellipsoidal head: air, skull shell, brain, and a sphere, all moved by `shift`; a block on its left marks the side."""
    n = (round(shape[0] / spacing[2]), round(shape[1] / spacing[1]), round(shape[2] / spacing[0]))
    origin = tuple(-(c - 1) / 2 * s for c, s in zip(n[::-1], spacing, strict=True))
    geometry = VolumeGeometry.axis_aligned(n, spacing, (origin[0], origin[1], origin[2]), frame)
    x, y, z = (
        np.asarray(o + s * np.arange(c) - d, dtype=np.float32).reshape([-1 if a == 2 - i else 1 for a in range(3)])
        for i, (o, s, c, d) in enumerate(zip(origin, spacing, n[::-1], shift, strict=True))
    )
    radius = np.sqrt((x / 70) ** 2 + (y / 85) ** 2 + (z / 75) ** 2)
    array: NDArray[Any] = np.full(n, -1000 if hu else 0, dtype=np.int16)
    array[radius < 1.0] = 40.0 if hu else 300.0
    array[(radius < 0.97) & (radius > 0.9)] = 1000.0 if hu else 40.0
    array[(radius < 0.9)] = 35.0 if hu else 200.0
    # a bright block on the patient's left, anterior, head: it must come out on the right, top, top of the screen
    array[(np.abs(x - 35) < 6) & (np.abs(y + 30) < 6) & (np.abs(z - 30) < 8)] = 75.0 if hu else 400.0
    distance = np.sqrt((x - lesion_lps_mm[0]) ** 2 + (y - lesion_lps_mm[1]) ** 2 + (z - lesion_lps_mm[2]) ** 2)
    array[distance < lesion_mm / 2] = lesion_value
    if nose:
        tip = np.hypot(y + 85, (z + 20) / 1.2) < 18
        array[tip & (np.abs(x) < 14) & (radius >= 0.97)] = 40.0 if hu else 300.0
    kind = ValueKind.HU if hu else ValueKind.SIGNAL
    uid = f"1.2.826.0.1.3680043.8.498.100.{sum(map(ord, series_id))}"
    return Volume(array, geometry, kind, slice_thickness_mm=spacing[2], series_id=series_id, series_uid=uid)


def series_of(
    volume: Volume, role: Role, *, modality: str = "CT", description: str = "", **acquisition: Any
) -> Series:
    """A series around a volume in memory."""
    nz, ny, nx = volume.array.shape
    return Series(
        id=volume.series_id, series_uid=volume.series_uid, study_uid="1.2.826.0.1.3680043.8.498.9",
        frame_of_reference_uid=volume.frame_of_reference_uid, number=None, description=description, modality=modality,
        role=RoleAssignment(role, Confidence.CERTAIN, "made for the test"), instances=(), frames=nz, rows=ny, columns=nx,
        geometry=volume.geometry, refusal=None, source=Shelf(volume), acquisition=Acquisition(**acquisition),
    )


def study_of(*series: Series) -> Study:
    """A study of these series."""
    return Study("study", tuple(series), LoadReport())
