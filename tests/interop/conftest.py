"""Small CT series with known geometry, written as DICOM, and the lesion that every object here describes."""

from __future__ import annotations

import datetime
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.lesion import IntensityStatistics, LengthMeasurement, Lesion, LesionMask, LesionMeasurement
from neuraxis.domain.quantity import Quantity
from neuraxis.domain.study import (
    Acquisition,
    Confidence,
    InstanceReference,
    LoadReport,
    Role,
    RoleAssignment,
    Series,
    Study,
)
from neuraxis.domain.tag import Evidence, Tag, Verdict
from neuraxis.domain.volume import ValueKind, Volume
from neuraxis.interop.identity import Author, UidSource

STUDY_UID, SERIES_UID, FRAME_UID = "1.2.826.0.1.1", "1.2.826.0.1.2", "1.2.826.0.1.3"
WHEN = datetime.datetime(2026, 3, 4, 5, 6, 7)
AUTHOR = Author("Reader^One", "Example Hospital")
UIDS = UidSource("test case, revision 1")


class ArraySource:
    """Voxels from memory."""

    def __init__(self, volume: Volume) -> None:
        self.volume = volume

    def read_volume(self) -> Volume:
        return self.volume

    def read_slice(self, index: int) -> NDArray[Any]:
        plane: NDArray[Any] = self.volume.array[index]
        return plane

    def read_picture(self, index: int) -> NDArray[np.uint8]:
        grey: NDArray[np.uint8] = np.clip(self.volume.array[index] // 4, 0, 255).astype(np.uint8)
        return grey


def ct_geometry(shape: tuple[int, int, int] = (12, 40, 48)) -> VolumeGeometry:
    """Slices of 0.6 mm, pixels of 0.45 mm columns and 0.5 mm rows: no two axes alike."""
    return VolumeGeometry.axis_aligned(shape, (0.45, 0.5, 0.6), (-10.5, 12.25, -33.0), FRAME_UID)


def ct_slice(geometry: VolumeGeometry, index: int, pixels: NDArray[np.int16]) -> Dataset:
    """One CT image with every attribute that the CT Image IOD asks for."""
    d = Dataset()
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    d.SpecificCharacterSet = "ISO_IR 192"
    d.SOPClassUID, d.SOPInstanceUID = CTImageStorage, f"{SERIES_UID}.{index + 1}"
    d.StudyInstanceUID, d.SeriesInstanceUID, d.FrameOfReferenceUID = STUDY_UID, SERIES_UID, FRAME_UID
    d.ImageType, d.Modality, d.Manufacturer = ["ORIGINAL", "PRIMARY", "AXIAL"], "CT", "Synthetic"
    d.PatientName, d.PatientID, d.PatientBirthDate, d.PatientSex = "Phantom^Case", "P1", "19950101", "F"
    d.StudyDate, d.StudyTime, d.StudyID, d.AccessionNumber = "20260101", "120000", "1", "A1"
    d.ContentDate, d.ContentTime, d.ReferringPhysicianName = "20260101", "120100", ""
    d.SeriesNumber, d.InstanceNumber, d.AcquisitionNumber = 3, index + 1, 1
    d.BodyPartExamined, d.PatientPosition, d.KVP, d.ConvolutionKernel = "HEAD", "HFS", "120", "H30s"
    d.SliceThickness, d.PositionReferenceIndicator = "0.6", ""
    row, column = geometry.direction_lps[0], geometry.direction_lps[1]
    d.ImageOrientationPatient = [*row, *column]
    d.ImagePositionPatient = [round(float(v), 6) for v in geometry.lps_from_index((index, 0, 0))]
    d.PixelSpacing = [geometry.spacing_xyz_mm[1], geometry.spacing_xyz_mm[0]]
    d.Rows, d.Columns = pixels.shape
    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 16, 15, 1
    d.RescaleIntercept, d.RescaleSlope, d.RescaleType = "0", "1", "HU"
    d.PixelData = pixels.tobytes()
    return d


def sphere(geometry: VolumeGeometry, center: tuple[float, float, float], radius_mm: float) -> NDArray[np.bool_]:
    """Voxels whose centre lies in a sphere, shape of the geometry."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in geometry.shape_zyx), indexing="ij"), axis=-1)
    inside: NDArray[np.bool_] = np.linalg.norm(geometry.lps_from_index(index) - np.asarray(center), axis=-1) <= radius_mm
    return inside


CENTER = (0.3, 22.25, -29.4)


def write_ct(
    folder: Path, geometry: VolumeGeometry, change: Callable[[Dataset, int], None] | None = None,
) -> tuple[Series, NDArray[np.bool_]]:
    """A CT series on disk, files named so that no order of names or numbers is the order of slices."""
    folder.mkdir(parents=True, exist_ok=True)
    inside = sphere(geometry, CENTER, 2.0)
    array = np.where(inside, 700, 15).astype(np.int16)
    instances = []
    for index in range(geometry.shape_zyx[0]):
        dataset = ct_slice(geometry, index, array[index])
        dataset.InstanceNumber = (index * 7) % 100 + 1
        if change:
            change(dataset, index)
        path = folder / f"im{(index * 5 + 3) % 1009:04d}.dcm"
        pydicom.dcmwrite(path, dataset, enforce_file_format=True)
        instances.append(InstanceReference(CTImageStorage, str(dataset.SOPInstanceUID), str(path)))
    instances.sort(key=lambda i: i.path)
    volume = Volume(array, geometry, ValueKind.HU, series_id="ct1", series_uid=SERIES_UID, slice_thickness_mm=0.6)
    series = Series(
        "ct1", SERIES_UID, STUDY_UID, FRAME_UID, 3, "head", "CT",
        RoleAssignment(Role.CT, Confidence.CERTAIN, "modality CT"), tuple(instances), geometry.shape_zyx[0],
        geometry.shape_zyx[1], geometry.shape_zyx[2], geometry, None, ArraySource(volume),
        acquisition=Acquisition(slice_thickness_mm=0.6),
    )
    return series, inside


def study_of(*series: Series) -> Study:
    """A study that holds these series."""
    return Study("", series, LoadReport())


def make_lesion(series: Series, inside: NDArray[np.bool_]) -> Lesion:
    """The sphere as a lesion, measured by hand: lines end on points of known position."""
    assert series.geometry is not None
    geometry = series.geometry
    mask = LesionMask.from_full(
        geometry, inside, series_id=series.id, series_uid=series.series_uid,
        method="half-maximum, background 15 HU, plateau 700 HU", boundary_value=357.5, background_value=15.0,
        plateau_value=700.0, seed_lps_mm=CENTER,
    )
    x, y, z = (float(v) for v in geometry.lps_from_index((6, 20, 24)))
    long = LengthMeasurement(Quantity(4.1, "mm", 0.45, "edge to edge"), (x - 2.05, y, z), (x + 2.05, y, z))
    short = LengthMeasurement(Quantity(3.9, "mm", 0.45, "edge to edge"), (x, y - 1.95, z), (x, y + 1.95, z))
    widest = LengthMeasurement(Quantity(4.2, "mm", 0.6, "surface"), (x, y, z - 2.1), (x, y, z + 2.1))
    voxels = float(mask.voxel_count * geometry.voxel_volume_mm3)
    measurement = LesionMeasurement(
        series.id, series.series_uid, geometry.frame_of_reference_uid, "half-maximum", CENTER,
        IntensityStatistics("HU", 700.0, 0.0, 700.0, 700.0, 700.0, 700.0, mask.voxel_count),
        long, short, widest, Quantity(33.5103216, "mm3", 5.0, "partial-volume integral"),
        Quantity(voxels, "mm3", 5.0, "sum of voxels"), Quantity(1 / 3, "mm2"), Quantity(2.0, "mm", 0.3),
        slices_spanned=7, warnings=("through-plane extent is known to one slice",),
    )
    return Lesion("2.25.4711", "Lesion 1", mask, measurement)


def make_tags() -> tuple[Tag, ...]:
    """Reader's tags and one suggestion, with evidence of every verdict."""
    hu = Evidence("hu_max", 1 / 3, "HU", SERIES_UID, ">= 500 HU [prop]", Verdict.SUPPORTS, "700 HU inside", 8.0,
                  CENTER, FRAME_UID, ("background 15 HU",))
    none = Evidence("bone_distance_mm", None, "mm", SERIES_UID, "thin bone kernel [prop]", Verdict.NOT_ASSESSABLE,
                    "no bone kernel")
    return (
        Tag("calcification", "dense", Verdict.SUPPORTS, (hu,), asserted_by="Reader^One", comment="uniform"),
        Tag("bone_change", "none", Verdict.NOT_ASSESSABLE, (none,), asserted_by="Reader^One"),
        Tag("compartment", "extra_axial", Verdict.NEUTRAL, (), asserted_by="Reader^One"),
        Tag("location", "foramen_magnum", Verdict.NEUTRAL, (), laterality="right", asserted_by="Reader^One"),
        Tag("blooming", "marked", Verdict.SUPPORTS, (hu,)),
        Tag("perilesional_oedema", None, Verdict.NOT_ASSESSABLE, ()),
    )


@dataclass
class Scene:
    """A CT with a 4 mm sphere, the lesion on it, its tags, and the ways to make variants of them."""

    folder: Path
    series: Series
    inside: NDArray[np.bool_]
    lesion: Lesion
    tags: tuple[Tag, ...]

    @property
    def made_by(self) -> dict[str, Any]:
        """Author, identifiers and clock, as every writer takes them."""
        return {"author": AUTHOR, "uids": UIDS, "written_at": WHEN}

    @property
    def study(self) -> Study:
        return study_of(self.series)

    def variant(self, name: str, change: Callable[[Dataset, int], None] | None = None,
                geometry: VolumeGeometry | None = None) -> Scene:
        """The same scene written anew, with the headers changed."""
        return make_scene(self.folder / name, geometry or ct_geometry(), change)


def make_scene(folder: Path, geometry: VolumeGeometry, change: Callable[[Dataset, int], None] | None = None) -> Scene:
    """Write the series and describe the sphere in it."""
    series, inside = write_ct(folder / "ct", geometry, change)
    return Scene(folder, series, inside, make_lesion(series, inside), make_tags())


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A 12-slice CT with a 4 mm sphere of 700 HU."""
    return make_scene(tmp_path, ct_geometry())


@pytest.fixture(scope="session")
def validator_errors() -> Callable[[Path], list[str]]:
    """Error lines of dciodvfy for a file."""
    return dciodvfy


def dciodvfy(path: Path) -> list[str]:
    """Error lines of the validator; skips where it is not installed, fails where CI says it must be there."""
    program = shutil.which("dciodvfy")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("dciodvfy (Debian package dicom3tools) must be present in CI")
        pytest.skip("dciodvfy (Debian package dicom3tools) is not installed")
    result = subprocess.run([program, "-new", str(path)], capture_output=True, text=True, check=False)
    return [line for line in (result.stderr + result.stdout).splitlines() if line.startswith("Error")]
