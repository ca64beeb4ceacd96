"""Patient and day of a study, read from its first image for the screen: in folders, in archives, in any character set."""

from __future__ import annotations

import datetime
import zipfile
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from neuraxis.app.study_labels import StudyLabel, read_label, same_patient
from neuraxis.domain.study import InstanceReference


def written(path: Path, **attributes: str) -> InstanceReference:
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = CTImageStorage
    header.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3")
    header.SOPClassUID, header.SOPInstanceUID = CTImageStorage, "1.2.3"
    for keyword, value in attributes.items():
        setattr(header, keyword, value)
    header.save_as(path, enforce_file_format=True)
    return InstanceReference(CTImageStorage, "1.2.3", str(path))


def test_name_id_day_and_description_are_read_in_their_character_set(tmp_path: Path) -> None:
    reference = written(
        tmp_path / "a.dcm", SpecificCharacterSet="ISO_IR 192", PatientName="Müller^Jürgen", PatientID="17",
        StudyDate="20240301", StudyTime="101500", StudyDescription="Kopf",
    )
    label = read_label(reference)
    assert label == StudyLabel("Müller Jürgen", "17", datetime.date(2024, 3, 1), "101500", "Kopf")
    assert label.day == "2024-03-01"


def test_a_study_in_an_archive_has_its_label_too(tmp_path: Path) -> None:
    written(tmp_path / "a.dcm", PatientName="Doe", StudyDate="20200102")
    with zipfile.ZipFile(tmp_path / "study.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.write(tmp_path / "a.dcm", "inner/a.dcm")
    label = read_label(InstanceReference("", "1.2.3", f"{tmp_path / 'study.zip'}!/inner/a.dcm"))
    assert label is not None
    assert (label.patient_name, label.day) == ("Doe", "2020-01-02")


def test_a_study_without_a_date_says_none(tmp_path: Path) -> None:
    label = read_label(written(tmp_path / "a.dcm", StudyDate=""))
    assert label is not None
    assert label.date is None
    assert label.day == ""


def test_what_cannot_be_read_has_no_label(tmp_path: Path) -> None:
    (tmp_path / "text.dcm").write_text("no DICOM")
    for path in ("text.dcm", "gone.dcm", "text.dcm!/a", "."):
        assert read_label(InstanceReference("", "", str(tmp_path / path))) is None


def test_patients_are_the_same_by_id_or_by_name_without_one() -> None:
    assert same_patient(StudyLabel("A", "1"), StudyLabel("B", "1"))
    assert not same_patient(StudyLabel("A", "1"), StudyLabel("A", "2"))
    assert same_patient(StudyLabel("A"), StudyLabel("A"))
    assert not same_patient(StudyLabel("A"), StudyLabel("B"))
