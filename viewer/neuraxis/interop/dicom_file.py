"""Write a finished DICOM object: all of it, compared after writing, or nothing."""

from __future__ import annotations

import errno
import hashlib
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from neuraxis.errors import WriteError
from neuraxis.interop.identity import MANUFACTURER, Authorship, UidSource, software_version

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

IMPLEMENTATION_CLASS_UID = "2.25.6931482719741232394587054310678139948"
"""Names Neuraxis as the writer in file meta information."""


UNNAMED = "2.25." + 39 * "9"
"""Stands for the SOP Instance UID until the content is known; as long as every UID of `UidSource`."""


def pin_identity(dataset: Dataset, authorship: Authorship, *, kind: str, series_key: Sequence[str]) -> None:
    """Replace clock, random UIDs and foreign device traces by what `authorship` says, in place.

    The SOP Instance UID stays open until `write_object` knows the content.

    Parameters
    ----------
    kind : what the object is ("SEG"); part of every derived UID
    series_key : what makes the object's series (source series, tracking UID)
    """
    for keyword in ("ContentDate", "InstanceCreationDate", "PresentationCreationDate", "SeriesDate"):
        if keyword in dataset or keyword == "SeriesDate":
            setattr(dataset, keyword, authorship.content_date)
    for keyword in ("ContentTime", "InstanceCreationTime", "PresentationCreationTime", "SeriesTime"):
        if keyword in dataset or keyword == "SeriesTime":
            setattr(dataset, keyword, authorship.content_time)
    if "ContributingEquipmentSequence" in dataset:
        del dataset.ContributingEquipmentSequence
    dataset.Manufacturer = MANUFACTURER
    dataset.ManufacturerModelName = MANUFACTURER
    dataset.SoftwareVersions = software_version()
    dataset.SeriesInstanceUID = authorship.uids.uid(kind, "series", *series_key)
    _replace_dimension_uids(dataset, authorship.uids.uid(kind, "dimensions", *series_key))
    _set_instance_uid(dataset, UNNAMED)


def _replace_dimension_uids(dataset: Dataset, uid: str) -> None:
    for item in (*dataset.get("DimensionOrganizationSequence", ()), *dataset.get("DimensionIndexSequence", ())):
        if "DimensionOrganizationUID" in item:
            item.DimensionOrganizationUID = uid


def _set_instance_uid(dataset: Dataset, uid: str) -> None:
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian

    dataset.SOPInstanceUID = uid
    old = getattr(dataset, "file_meta", None)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(dataset.SOPClassUID)
    meta.MediaStorageSOPInstanceUID = UID(uid)
    meta.TransferSyntaxUID = old.TransferSyntaxUID if old is not None else ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = f"NEURAXIS_{software_version()}"[:16]
    dataset.file_meta = meta


def encode(dataset: Dataset) -> bytes:
    """Bytes of the whole file (preamble, file meta information, data set)."""
    import pydicom

    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def write_object(dataset: Dataset, path: Path, uids: UidSource) -> str:
    """Name a DICOM object by its content, write it and return its SOP Instance UID.

    An object that differs in one byte has another UID, so an archive never holds two contents under one UID. The bytes
    are parsed again and compared before anything is written; the old file stays until the new one is whole.

    Raises
    ------
    WriteError
        When the place cannot be written (full disk, no permission) or the bytes do not read back equal.
    """
    import pydicom

    unnamed = encode(dataset)
    uid = uids.uid(str(dataset.SOPClassUID), "instance", hashlib.sha256(unnamed).hexdigest())
    content = unnamed.replace(UNNAMED.encode(), uid.encode())
    again = pydicom.dcmread(io.BytesIO(content))
    if again.get("SOPInstanceUID") != uid or encode(again) != content:
        raise WriteError(
            "the object does not read back as it was written", expected="equal bytes after reading",
            remedy="report this with the program version; nothing was written",
        )
    write_atomically(content, path)
    return uid


def write_atomically(content: bytes, path: Path) -> None:
    """Put `content` at `path` through a temporary file in the same folder, flushed to disk before the rename.

    Raises
    ------
    WriteError
        With the reason; the former file, if any, is untouched and no temporary file stays.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise _write_error(path, error, len(content)) from error


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # Windows has no directory handles to flush; the rename itself is journalled
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_error(path: Path, error: OSError, size: int) -> WriteError:
    reasons = {
        errno.ENOSPC: ("the disk is full", "free some space and write again"),
        errno.EDQUOT: ("the disk quota is used up", "free some space and write again"),
        errno.EFBIG: ("the file would be larger than allowed here", "choose another place"),
        errno.EACCES: ("no permission to write there", "choose a folder that may be written"),
        errno.EPERM: ("no permission to write there", "choose a folder that may be written"),
        errno.EROFS: ("the place is read-only", "choose a folder that may be written"),
        errno.ENOENT: ("the folder does not exist", "make the folder or choose another"),
        errno.EISDIR: ("a folder has that name", "choose another file name"),
    }
    reason, remedy = reasons.get(error.errno or 0, (error.strerror or str(error), "choose another place"))
    return WriteError(
        f"cannot write {path.name}: {reason}", expected=f"{size:,} bytes written; nothing was left behind",
        remedy=remedy,
    )
