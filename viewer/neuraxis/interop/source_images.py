"""The source images of a series as DICOM headers, matched to the slices of its grid by position."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.study import InstanceReference, Series
from neuraxis.errors import GeometryError, ReadError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

TYPE_2_TEXT = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime",
    "AccessionNumber", "ReferringPhysicianName", "PositionReferenceIndicator", "Manufacturer", "SeriesNumber",
)
"""Attributes that must be there, empty or not; de-identified files often lack them and highdicom then fails."""

LARGEST_HEADER = 64 * 1024 * 1024
"""Bytes; a file whose header claims more is not a source image."""


@dataclass(frozen=True, eq=False)
class SourceImage:
    """One slice of the grid and the image it came from.

    Parameters
    ----------
    slice_index : z in the series' volume
    header : the instance's header without pixels, Type 2 attributes filled in on this copy
    frame_number : 1-based frame of a multi-frame instance, None for a single-frame one
    """

    slice_index: int
    header: Dataset
    frame_number: int | None

    @property
    def frame_numbers(self) -> list[int] | None:
        """As highdicom's references want it."""
        return None if self.frame_number is None else [self.frame_number]


def source_images(series: Series, slices: Sequence[int]) -> tuple[SourceImage, ...]:
    """Source image of each slice index of a volume series, in the order asked for.

    Matched by position along the slice normal and in the plane (half a step at most), never by order, name or number.

    Raises
    ------
    ReadError
        When a file is gone or cannot be read.
    GeometryError
        When a slice has no image, several, or one that is not where the grid says.
    """
    if series.geometry is None:
        raise GeometryError(
            f"series {series.id} has no grid in the patient", expected="a volume",
            remedy="choose a series that is listed as a volume",
        )
    if len(series.instances) == 1 and series.instances[0].frames > 1:
        return _from_multi_frame(series, series.geometry, slices)
    return _from_single_frames(series, series.geometry, slices)


def _from_single_frames(series: Series, geometry: VolumeGeometry, slices: Sequence[int]) -> tuple[SourceImage, ...]:
    headers: dict[int, Dataset] = {}  # by place among the instances: no file is read twice
    found: dict[int, Dataset] = {}
    for index in slices:  # most readers keep instances in slice order: try that place first
        if len(series.instances) == geometry.shape_zyx[0]:
            headers[index] = read_header(series.instances[index])
            if _slice_of(headers[index], geometry) == index:
                found[index] = headers[index]
    if len(found) < len(set(slices)):
        found = {}
        for number, instance in enumerate(series.instances):
            header = headers.get(number) or read_header(instance)
            place = _slice_of(header, geometry)
            if place is not None and place in found and found[place].SOPInstanceUID != header.SOPInstanceUID:
                raise GeometryError(
                    f"two images of series {series.id} lie in slice {place + 1}", expected="one image a slice",
                    remedy="open the study again; the series has to be split",
                )
            if place is not None:
                found[place] = header
    lost = [i for i in slices if i not in found]
    if lost:
        raise GeometryError(
            f"{len(lost)} of {len(slices)} slices have no source image, first slice {lost[0] + 1}",
            expected="an image for every slice that the lesion touches",
            remedy="the slice is missing from the series; draw the lesion on slices that exist",
        )
    return tuple(SourceImage(i, found[i], None) for i in slices)


def _slice_of(header: Dataset, geometry: VolumeGeometry) -> int | None:
    position, orientation = header.get("ImagePositionPatient"), header.get("ImageOrientationPatient")
    if position is None or orientation is None or (int(header.Rows), int(header.Columns)) != geometry.shape_zyx[1:]:
        return None
    return slice_at(geometry, [float(v) for v in position], [float(v) for v in orientation])


def slice_at(geometry: VolumeGeometry, position_lps_mm: Sequence[float], orientation: Sequence[float]) -> int | None:
    """Index of the grid's slice whose first voxel lies at a position, with the same row and column direction."""
    rows = np.asarray(geometry.direction_lps[:2]).ravel()
    if np.abs(rows - np.asarray(orientation, dtype=np.float64)).max() > 1e-3:
        return None
    z, y, x = geometry.index_from_lps(position_lps_mm)
    index = round(float(z))
    if not 0 <= index < geometry.shape_zyx[0] or abs(z - index) >= 0.5 or abs(y) > 0.5 or abs(x) > 0.5:
        return None
    return index


def _from_multi_frame(series: Series, geometry: VolumeGeometry, slices: Sequence[int]) -> tuple[SourceImage, ...]:
    header = read_header(series.instances[0])
    places: dict[int, list[int]] = {}
    for number, (position, orientation) in enumerate(frame_planes(header), start=1):
        index = slice_at(geometry, position, orientation)
        if index is not None:
            places.setdefault(index, []).append(number)
    for index in slices:
        if len(places.get(index, ())) != 1:
            raise GeometryError(
                f"slice {index + 1} of series {series.id} has {len(places.get(index, ()))} frames at its place",
                expected="one frame a slice", remedy="export the contrast or echo as a series of its own first",
            )
    return tuple(SourceImage(i, header, places[i][0]) for i in slices)


def frame_planes(header: Dataset) -> list[tuple[list[float], list[float]]]:
    """Position and orientation of every frame of a multi-frame header; ReadError where one has none."""
    shared = header.get("SharedFunctionalGroupsSequence") or [None]
    planes = []
    for number, frame in enumerate(header.get("PerFrameFunctionalGroupsSequence") or (), start=1):
        position = _group(frame, shared[0], "PlanePositionSequence")
        orientation = _group(frame, shared[0], "PlaneOrientationSequence")
        if position is None or orientation is None:
            raise ReadError(
                f"frame {number} has no position in the patient", expected="Plane Position and Plane Orientation",
                remedy="the object cannot be placed in the patient",
            )
        planes.append((
            [float(v) for v in position.ImagePositionPatient],
            [float(v) for v in orientation.ImageOrientationPatient],
        ))
    return planes


def share_common_macros(header: Dataset) -> None:
    """Put pixel measures and orientation that every frame repeats into the shared groups too, in place.

    highdicom looks for them there only; some scanners (Siemens XA) write them per frame.

    Raises GeometryError where the frames differ in them.
    """
    frames = header.get("PerFrameFunctionalGroupsSequence")
    if not frames:
        return
    shared = header.SharedFunctionalGroupsSequence[0]
    for keyword in ("PixelMeasuresSequence", "PlaneOrientationSequence"):
        if keyword in shared:
            continue
        first = frames[0].get(keyword)
        if first is None or any(f.get(keyword) != first for f in frames):
            raise GeometryError(
                f"the frames of the multi-frame source differ in {keyword}", expected="the same for all frames",
                remedy="export the stack as a series of its own first",
            )
        setattr(shared, keyword, first)


def _group(frame: Any, shared: Any, keyword: str) -> Any:
    for groups in (frame, shared):
        sequence = groups.get(keyword) if groups is not None else None
        if sequence:
            return sequence[0]
    return None


def read_header(instance: InstanceReference) -> Dataset:
    """Header of an instance on disk, without pixels, with missing Type 2 attributes added empty.

    Raises
    ------
    ReadError
        When the file is inside an archive, gone, unreadable, or another instance than when the study was opened.
    """
    import pydicom
    from pydicom.errors import InvalidDicomError

    path = Path(instance.path)
    if not path.is_file():
        raise _missing(path)
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, force=True, defer_size=LARGEST_HEADER)
    except (OSError, InvalidDicomError, ValueError, EOFError) as error:
        raise ReadError(
            f"cannot read the source image {path.name}: {error}", expected="a DICOM file",
            remedy="open the study again",
        ) from error
    if str(header.get("SOPInstanceUID", "")) != instance.sop_instance_uid:
        raise ReadError(
            f"{path.name} now holds another image than when the study was opened",
            expected="the same SOP Instance UID", remedy="open the study again",
        )
    fill_type_2(header)
    return header


def _missing(path: Path) -> ReadError:
    archive = next((p for p in path.parents if p.is_file() and zipfile.is_zipfile(p)), None)
    if archive is not None:
        return ReadError(
            f"the source images lie inside the archive {archive.name}",
            expected="files in a folder: an object refers to the headers of its source images",
            remedy="unpack the archive and open the folder; masks and tags are kept by the case",
        )
    return ReadError(
        f"the source image {path.name} is not there any more", expected="the files the study was opened from",
        remedy="bring the files back or open the study from its new place",
    )


def fill_type_2(header: Dataset) -> None:
    """Make a header fit to be copied from, in place: the file itself is not touched.

    Type 2 attributes that are absent are added empty; dates, times and sexes that DICOM does not know are emptied,
    because an object that repeats them would not be valid; a de-identification without method is said to be one.
    """
    from pydicom.valuerep import DA, TM

    for keyword in TYPE_2_TEXT:
        if keyword not in header:
            setattr(header, keyword, None if keyword == "SeriesNumber" else "")
    for keyword, parse in (("PatientBirthDate", DA), ("StudyDate", DA), ("StudyTime", TM)):
        try:
            parse(str(header.get(keyword) or ""))
        except ValueError:
            setattr(header, keyword, "")
    if str(header.get("PatientSex") or "") not in ("", "M", "F", "O"):
        header.PatientSex = ""
    if header.get("PatientIdentityRemoved") == "YES" and not (
        header.get("DeidentificationMethod") or header.get("DeidentificationMethodCodeSequence")
    ):
        header.DeidentificationMethod = "not stated by the source"


def patient_differs(dataset: Dataset, series: Sequence[Series]) -> bool | None:
    """Whether an object names another Patient ID than the images of these series; None where no image can be read."""
    known = set()
    for study_uid in {s.study_uid for s in series}:
        first = next((s for s in series if s.study_uid == study_uid and s.instances), None)
        if first is None:
            continue
        try:
            known.add(str(read_header(first.instances[0]).get("PatientID", "")))
        except ReadError:
            continue  # answered as None below: the caller says that nothing was compared
    return None if not known else str(dataset.get("PatientID", "")) not in known
