"""Studies made in memory with known geometry: every voxel's value tells where it lies."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import Vector3, VolumeGeometry
from neuraxis.domain.study import (
    Acquisition,
    Confidence,
    InstanceReference,
    LoadReport,
    Role,
    RoleAssignment,
    Series,
    SkippedFile,
    Study,
)
from neuraxis.domain.volume import ValueKind, Volume

CT_FRAME, MR_FRAME = "1.2.826.1", "1.2.826.2"


class MemorySource:
    """Hands out a volume; counts how often; may fail."""

    def __init__(self, volume: Volume, error: Exception | None = None) -> None:
        self.volume, self.error, self.reads = volume, error, 0

    def read_volume(self) -> Volume:
        self.reads += 1
        if self.error is not None:
            raise self.error
        return self.volume

    def read_slice(self, index: int) -> NDArray[Any]:
        if self.error is not None:
            raise self.error
        return np.asarray(self.volume.array[index])

    def read_picture(self, index: int) -> NDArray[np.uint8]:
        return np.asarray(np.clip(self.read_slice(index), 0, 255), dtype=np.uint8)


def geometry_of(kind: str, frame: str = CT_FRAME) -> VolumeGeometry:
    """Acquisitions as they come: named by what is special about them. Steps and shapes all differ."""
    shape = (18, 26, 34)
    c, s = float(np.cos(np.radians(15))), float(np.sin(np.radians(15)))
    sx, sy, sz = 1.1, 0.9, 2.0
    steps: dict[str, tuple[Vector3, Vector3, Vector3]] = {
        "axial": ((sx, 0, 0), (0, sy, 0), (0, 0, sz)),
        "axial feet last": ((sx, 0, 0), (0, sy, 0), (0, 0, -sz)),
        "sagittal": ((0, sx, 0), (0, 0, -sy), (-sz, 0, 0)),
        "coronal": ((sx, 0, 0), (0, 0, -sy), (0, sz, 0)),
        "tilted": ((sx, 0, 0), (0, sy * c, sy * s), (0, -sz * s, sz * c)),
        "gantry tilt": ((sx, 0, 0), (0, sy * c, sy * s), (0, 0, sz)),
        "mirrored": ((-sx, 0, 0), (0, sy, 0), (0, 0, sz)),
        "prone": ((-sx, 0, 0), (0, -sy, 0), (0, 0, sz)),
    }
    x, y, z = steps[kind]
    return VolumeGeometry(shape, (-12.0, 7.0, 31.0), x, y, z, frame)


ACQUISITIONS = (
    "axial", "axial feet last", "sagittal", "coronal", "tilted", "gantry tilt", "mirrored", "prone",
)


def place_volume(geometry: VolumeGeometry, series_id: str = "s1", kind: ValueKind = ValueKind.HU) -> Volume:
    """Voxel (z, y, x) holds 1000 z + 30 y + x - 9000: each value occurs once, so that it names its voxel."""
    z, y, x = np.indices(geometry.shape_zyx)
    array = (1000 * z + 34 * y + x - 9000).astype(np.int16)
    return Volume(array, geometry, kind, slice_thickness_mm=2.0, series_id=series_id, series_uid=f"1.2.{series_id[1:]}")


def sphere_volume(
    geometry: VolumeGeometry, centre_lps_mm: Vector3, radius_mm: float, inside: float, outside: float,
    series_id: str = "s1", kind: ValueKind = ValueKind.HU,
) -> Volume:
    """A sphere of known place and size with partial volume at its border."""
    points = geometry.lps_from_index(np.moveaxis(np.indices(geometry.shape_zyx), 0, -1))
    distance = np.linalg.norm(points - np.asarray(centre_lps_mm), axis=-1)
    share = np.clip((radius_mm - distance) / min(geometry.spacing_xyz_mm) + 0.5, 0, 1)
    noise = np.random.default_rng(7).normal(0.0, 4.0, geometry.shape_zyx)
    array = np.rint(outside + share * (inside - outside) + noise).astype(np.int16)
    return Volume(array, geometry, kind, slice_thickness_mm=1.0, series_id=series_id, series_uid=f"1.2.{series_id[1:]}")


def series_of(
    volume: Volume, role: Role, number: int, description: str, error: Exception | None = None, **fields: object
) -> Series:
    n = volume.geometry.shape_zyx
    return Series(
        id=volume.series_id, series_uid=volume.series_uid, study_uid="1.2.3",
        frame_of_reference_uid=volume.frame_of_reference_uid, number=number, description=description,
        modality="CT" if role is Role.CT else "MR",
        role=RoleAssignment(role, Confidence.CERTAIN, "made so"), instances=(InstanceReference("1.2", "1.2.1", "f"),),
        frames=n[0], rows=n[1], columns=n[2], geometry=volume.geometry, refusal=None,
        source=MemorySource(volume, error), acquisition=Acquisition(slice_thickness_mm=2.0), **fields,  # type: ignore[arg-type]
    )


def study_of(*series: Series) -> Study:
    report = LoadReport(
        files_seen=42, files_loaded=40, skipped=(SkippedFile("notes.txt", "no DICOM: text"),),
        set_apart=(SkippedFile("dose.dcm", "dose report, no image"),),
    )
    return Study("memory", series, report)


def head_study(size: int = 64) -> Study:
    """CT with a dense 6 mm sphere, and four MR series in a frame of their own that is shifted by (2, -3, 1) mm."""
    ct_geometry = VolumeGeometry.axis_aligned((size // 2, size, size), (1.0, 1.0, 2.0), (-32.0, -32.0, -32.0), CT_FRAME)
    mr_geometry = VolumeGeometry.axis_aligned(
        (size // 4, size, size), (1.0, 1.0, 4.0), (-30.0, -35.0, -31.0), MR_FRAME
    )
    ct = sphere_volume(ct_geometry, (-10.0, 8.0, 4.0), 3.0, 700, 35, "s1")
    all_series = [series_of(ct, Role.CT, 2, "head 0.6 H31")]
    for number, (role, inside) in enumerate(
        ((Role.T1, 120), (Role.T2, 60), (Role.SWI, 10), (Role.T1C, 300)), start=3
    ):
        volume = sphere_volume(
            mr_geometry, (-8.0, 5.0, 5.0), 3.0, inside, 200, f"s{number}", ValueKind.SIGNAL
        )
        all_series.append(series_of(volume, role, number, f"{role.value} ax"))
    return study_of(*all_series)
