"""Writes one series as DICOM files, one slice each: int16, Explicit VR Little Endian, the same bytes each time."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element, write_dataset, write_file_meta_info
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, MRImageStorage

from neuraxis_phantom.frames import Grid

DATE = "20240115"


def uid(*words: object) -> str:
    """A UID below 2.25 that depends only on `words`."""
    digest = hashlib.sha256("/".join(str(w) for w in words).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:15], 'big') | 1 << 119}"


@dataclass(frozen=True)
class SeriesPlan:
    """What a series is and says of itself."""

    number: int
    folder: str
    description: str
    modality: str
    role: str
    frame: str
    time: str
    attributes: dict[str, Any]
    thickness_mm: float
    slope: float = 1.0
    intercept: float = 0.0
    windows: list[tuple[float, float, str]] = field(default_factory=list)


def decimal(value: float) -> str:
    """A DS value of at most 16 characters."""
    text = f"{value:.10g}"
    return text if len(text) <= 16 else f"{value:.8g}"


def common(case: str, seed: int, plan: SeriesPlan, grid: Grid) -> Dataset:
    """Attributes equal in all slices of the series."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.SOPClassUID = CTImageStorage if plan.modality == "CT" else MRImageStorage
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = DATE
    ds.StudyTime = "090000"
    ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = plan.time
    ds.AccessionNumber = ""
    ds.Modality = plan.modality
    ds.Manufacturer = "Neuraxis phantom"
    ds.ManufacturerModelName = "Implicit head"
    ds.SoftwareVersions = "1"
    ds.ReferringPhysicianName = ""
    ds.StudyDescription = "Synthetic head"
    ds.SeriesDescription = plan.description
    ds.PatientName = "Phantom^Neuraxis"
    ds.PatientID = f"PHANTOM-{case}-{seed}"[:64]
    ds.PatientBirthDate = ""
    ds.PatientSex = "F"
    ds.BodyPartExamined = "HEAD"
    ds.PatientPosition = "HFS"
    ds.StudyInstanceUID = uid("study", case, seed)
    ds.SeriesInstanceUID = uid("series", case, seed, plan.number)
    ds.StudyID = "1"
    ds.SeriesNumber = plan.number
    ds.AcquisitionNumber = 1
    ds.FrameOfReferenceUID = uid("frame", case, seed, plan.frame)
    ds.PositionReferenceIndicator = ""
    ds.ImageComments = "Synthetic image of a digital phantom; not a patient."
    ds.SliceThickness = decimal(plan.thickness_mm)
    if plan.modality == "MR":
        ds.SpacingBetweenSlices = decimal(grid.spacing_xyz_mm[2])
    for keyword, value in plan.attributes.items():
        setattr(ds, keyword, value)
    return ds


def pixel_description(ds: Dataset, plan: SeriesPlan, grid: Grid) -> None:
    """Image Plane and Image Pixel attributes, rescale and windows."""
    ds.ImageOrientationPatient = [decimal(v) for v in np.round(grid.axes[:2], 9).ravel()]
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = grid.shape[1], grid.shape[2]
    ds.PixelSpacing = [decimal(grid.spacing_xyz_mm[1]), decimal(grid.spacing_xyz_mm[0])]
    ds.BitsAllocated = 16
    ds.BitsStored, ds.HighBit = 16, 15
    ds.PixelRepresentation = 1
    if plan.modality == "CT" or plan.slope != 1 or plan.intercept != 0:
        ds.RescaleIntercept, ds.RescaleSlope = decimal(plan.intercept), decimal(plan.slope)
        ds.RescaleType = "HU" if plan.modality == "CT" else "US"
    if plan.windows:
        ds.WindowCenter = [decimal(w[0]) for w in plan.windows]
        ds.WindowWidth = [decimal(w[1]) for w in plan.windows]
        ds.WindowCenterWidthExplanation = [w[2] for w in plan.windows]


VARYING = ("SOPInstanceUID", "InstanceNumber", "ImagePositionPatient", "SliceLocation", "PixelData")
"""Attributes that differ between the slices of a series, in the order of their tags."""


def write_series(
    directory: Path, case: str, seed: int, plan: SeriesPlan, grid: Grid, voxels: NDArray[np.int16]
) -> None:
    """Write IM0001.dcm, ... into the series' folder.

    What all slices share is encoded once; a slice then costs its own attributes and voxels only.
    """
    folder = directory / plan.folder
    folder.mkdir(parents=True, exist_ok=True)
    ds = common(case, seed, plan, grid)
    pixel_description(ds, plan, grid)
    shared = shared_runs(ds)
    for k in range(grid.shape[0]):
        own = Dataset()
        own.SOPInstanceUID = uid("instance", case, seed, plan.number, k)
        own.InstanceNumber = k + 1
        position = grid.points(np.array([k, 0.0, 0.0]))
        own.ImagePositionPatient = [decimal(round(float(v), 6)) for v in position]
        own.SliceLocation = decimal(round(float(position @ grid.axes[2]), 4))
        own.PixelData = np.ascontiguousarray(voxels[k]).astype("<i2").tobytes()
        own["PixelData"].VR = "OW"
        body = [*(part for run, name in zip(shared, VARYING, strict=True) for part in (run, encoded(own, name)))]
        save(folder / f"IM{k + 1:04d}.dcm", ds.SOPClassUID, own.SOPInstanceUID, b"".join(body))


def shared_runs(ds: Dataset) -> list[bytes]:
    """The attributes before each of `VARYING`, encoded (nothing comes after the voxels)."""
    runs, low = [], 0
    for keyword in VARYING:
        high = int(tag_for_keyword(keyword) or 0)
        part = Dataset()
        part.update({element.tag: element for element in ds if low < element.tag < high})
        runs.append(encoded(part))
        low = high
    return runs


def encoded(ds: Dataset, keyword: str = "") -> bytes:
    """Explicit VR Little Endian bytes of a data set, or of one attribute of it."""
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, False
    if keyword:
        write_data_element(out, ds[keyword])
    else:
        write_dataset(out, ds)
    return out.getvalue()


def save(path: Path, sop_class: UID, sop_instance: UID, body: bytes) -> None:
    """Write one file: preamble, meta information, the encoded data set."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = sop_instance
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(uid("implementation"))
    meta.ImplementationVersionName = "NEURAXIS_PHANTOM"
    head = DicomBytesIO()
    head.is_little_endian, head.is_implicit_VR = True, False
    write_file_meta_info(head, meta, enforce_standard=True)
    path.write_bytes(b"\0" * 128 + b"DICM" + head.getvalue() + body)
