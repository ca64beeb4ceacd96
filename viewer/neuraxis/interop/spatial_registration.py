"""A rigid registration of two frames of reference as DICOM Spatial Registration."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neuraxis.domain.study import Series
from neuraxis.domain.transform import Registration
from neuraxis.errors import GeometryError, ReadError, UsageError
from neuraxis.interop.derived import derived_dataset, finish, instance_references, referenced_series
from neuraxis.interop.identity import Author, Authorship, UidSource
from neuraxis.interop.source_images import read_header

if TYPE_CHECKING:
    import datetime

    from pydicom.dataset import Dataset

SPATIAL_REGISTRATION = "1.2.840.10008.5.1.4.1.1.66.1"
UNKNOWN_RESIDUAL_MM = math.inf
"""Of a foreign registration that does not state its error: nothing may be taken as accurate from it."""


def write_registration(
    registration: Registration, moving: Series, fixed: Series, path: Path, *, author: Author | None, uids: UidSource,
    written_at: datetime.datetime,
) -> str:
    """Write the map from the frame of `moving` to that of `fixed`; return the SOP Instance UID.

    The object lies in the study of `fixed`. The matrix maps LPS mm of `moving` to LPS mm of `fixed` (left-multiplied);
    the comment holds residual and method.

    Raises
    ------
    UsageError
        When the series are not in the registration's two frames of reference.
    ReadError, WriteError
        As in `write_seg`.
    """
    frames = (moving.frame_of_reference_uid, fixed.frame_of_reference_uid)
    if frames != (registration.from_frame, registration.to_frame):
        raise UsageError(
            f"series {moving.id} and {fixed.id} are not in the registration's frames of reference",
            expected="moving in its from_frame, fixed in its to_frame", remedy="give the series in that order",
        )
    source = read_header(fixed.instances[0])
    d = derived_dataset(source, SPATIAL_REGISTRATION, "REG", "Neuraxis registration", 3)
    d.FrameOfReferenceUID, d.PositionReferenceIndicator = registration.to_frame, ""
    d.ContentLabel, d.ContentDescription = "REGISTRATION", registration.method[:64]
    d.ContentCreatorName = author.name if author else ""
    comment = f"residual {registration.residual_mm!r} mm; {registration.method}"[:64]
    d.RegistrationSequence = [
        _item(fixed, np.eye(4), "fixed"), _item(moving, registration.array, comment),
    ]
    same_study = moving.study_uid == fixed.study_uid
    d.ReferencedSeriesSequence = referenced_series((fixed, moving) if same_study else (fixed,))
    if not same_study:
        d.StudiesContainingOtherReferencedInstancesSequence = [_other_study(moving)]
    return finish(d, path, Authorship(author, written_at, uids), kind="REG", series_key=frames)


def _item(series: Series, matrix: np.ndarray[tuple[int, ...], np.dtype[np.float64]], comment: str) -> Dataset:
    from pydicom.dataset import Dataset
    from pydicom.valuerep import format_number_as_ds

    one = Dataset()
    one.FrameOfReferenceTransformationMatrixType = "RIGID"
    one.FrameOfReferenceTransformationMatrix = [format_number_as_ds(float(v)) for v in np.asarray(matrix).ravel()]
    steps = Dataset()
    steps.FrameOfReferenceTransformationComment = comment
    steps.RegistrationTypeCodeSequence = []
    steps.MatrixSequence = [one]
    item = Dataset()
    item.FrameOfReferenceUID = series.frame_of_reference_uid
    item.ReferencedImageSequence = instance_references(series.instances)
    item.MatrixRegistrationSequence = [steps]
    return item


def _other_study(series: Series) -> Dataset:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.StudyInstanceUID = series.study_uid
    item.ReferencedSeriesSequence = referenced_series((series,))
    return item


def read_registration(path: Path) -> tuple[Registration, ...]:
    """Registrations of a Spatial Registration object, each from a frame of reference to that of the object.

    A residual that is not stated reads as infinite. Identities are left out.

    Raises
    ------
    ReadError
        When the file is no spatial registration or has no matrix.
    GeometryError
        When a matrix is not a rigid transform.
    """
    import pydicom
    from pydicom.errors import InvalidDicomError

    path = Path(path)
    try:
        d = pydicom.dcmread(path, stop_before_pixels=True)
    except (OSError, InvalidDicomError, EOFError, ValueError) as error:
        raise ReadError(f"cannot read {path.name}: {error}", expected="a DICOM Spatial Registration") from error
    if d.get("SOPClassUID") != SPATIAL_REGISTRATION or not d.get("RegistrationSequence"):
        raise ReadError(f"{path.name} is no rigid spatial registration", expected="a DICOM Spatial Registration",
                        remedy="deformable registrations are not read")
    to_frame = str(d.get("FrameOfReferenceUID", ""))
    found = []
    for item in d.RegistrationSequence:
        from_frame = str(item.get("FrameOfReferenceUID", ""))
        if from_frame and from_frame != to_frame:
            found.append(_registration(item, from_frame, to_frame, path))
    return tuple(found)


def _registration(item: Dataset, from_frame: str, to_frame: str, path: Path) -> Registration:
    steps = item.get("MatrixRegistrationSequence")
    matrices = [m for s in steps or () for m in s.get("MatrixSequence", ())]
    if not matrices:
        raise ReadError(f"{path.name} names a frame of reference without a matrix", expected="a 4 x 4 matrix")
    total = np.eye(4)
    for one in matrices:  # in the order of application (PS3.3 C.20.2.1.1)
        values = [float(v) for v in one.get("FrameOfReferenceTransformationMatrix") or ()]
        if len(values) != 16:
            raise ReadError(f"{path.name} has a matrix of {len(values)} numbers", expected="16 numbers")
        kind = str(one.get("FrameOfReferenceTransformationMatrixType", ""))
        if kind != "RIGID":
            raise GeometryError(f"{path.name} holds a transform of type {kind}", expected="RIGID",
                                remedy="register the series here instead")
        total = np.array(values).reshape(4, 4) @ total
    comment = str(steps[0].get("FrameOfReferenceTransformationComment", ""))
    stated = re.fullmatch(r"residual (\S+) mm; (.*)", comment, re.DOTALL)
    residual = float(stated[1]) if stated else UNKNOWN_RESIDUAL_MM
    return Registration.from_array(total, from_frame, to_frame, residual, stated[2] if stated else comment or "not stated")
