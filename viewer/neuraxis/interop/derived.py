"""Data sets of objects that highdicom has no class for: patient and study of a source image, our equipment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from neuraxis.domain.study import InstanceReference, Series
from neuraxis.interop.dicom_file import pin_identity, write_object
from neuraxis.interop.identity import MANUFACTURER, Authorship, software_version
from neuraxis.interop.seg import SERIES_NUMBER_OFFSET, copy_body_part

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom.dataset import Dataset

PATIENT_AND_STUDY = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate", "StudyTime",
    "StudyID", "AccessionNumber", "ReferringPhysicianName",
)

IDENTITY_REMOVED = ("PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence")


def derived_dataset(source: Dataset, sop_class_uid: str, modality: str, description: str, number_offset: int) -> Dataset:
    """A data set of `sop_class_uid` about the patient and study of `source`, with the program as its equipment.

    `number_offset` counts thousands: it keeps our kinds of series apart in a list sorted by number.
    """
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian

    d = Dataset()
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    d.SpecificCharacterSet = "ISO_IR 192"
    d.SOPClassUID = UID(sop_class_uid)
    for keyword in PATIENT_AND_STUDY:
        setattr(d, keyword, source.get(keyword, ""))
    for keyword in IDENTITY_REMOVED:
        if source.get(keyword):
            setattr(d, keyword, source.get(keyword))
    d.Modality, d.SeriesDescription, d.InstanceNumber = modality, description[:64], 1
    d.SeriesNumber = number_offset * SERIES_NUMBER_OFFSET + int(source.get("SeriesNumber") or 0)
    d.DeviceSerialNumber = software_version()
    d.Manufacturer = MANUFACTURER
    d.ContentDate = d.ContentTime = ""
    copy_body_part(source, d)
    return d


def instance_references(instances: Iterable[InstanceReference]) -> list[Dataset]:
    """Referenced SOP Sequence items."""
    from pydicom.dataset import Dataset

    items = []
    for instance in instances:
        item = Dataset()
        item.ReferencedSOPClassUID = instance.sop_class_uid
        item.ReferencedSOPInstanceUID = instance.sop_instance_uid
        items.append(item)
    return items


def referenced_series(series: Sequence[Series]) -> list[Dataset]:
    """Referenced Series Sequence items with all instances of the series (Common Instance Reference module)."""
    from pydicom.dataset import Dataset

    items = []
    for one in series:
        item = Dataset()
        item.SeriesInstanceUID = one.series_uid
        item.ReferencedInstanceSequence = instance_references(one.instances)
        items.append(item)
    return items


def finish(dataset: Dataset, path: Path, authorship: Authorship, *, kind: str, series_key: Sequence[str]) -> str:
    """Pin clock and identifiers, write, return the SOP Instance UID."""
    pin_identity(dataset, authorship, kind=kind, series_key=series_key)
    return write_object(dataset, path, authorship.uids)
