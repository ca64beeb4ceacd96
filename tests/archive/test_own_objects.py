"""Our own objects in a real Orthanc: never under a SOP Instance UID that it holds already, and read back."""

from __future__ import annotations

import io
from pathlib import Path

import pydicom
import pytest
from tests.archive.conftest import Orthanc, by_uid, instance_bytes

from neuraxis.app.archive import connected, new_uid, pull, push
from neuraxis.errors import NeuraxisError
from neuraxis.interop.archive.outgoing import collect_outgoing
from neuraxis.interop.archive.query import is_uid
from neuraxis.interop.dicom_file import IMPLEMENTATION_CLASS_UID, encode

pytestmark = pytest.mark.slow
STUDY, SERIES = "1.2.77", "1.2.77.1"
SEGMENTATION, REPORT, OTHER = f"{SERIES}.1", f"{SERIES}.2", f"{SERIES}.3"


def own(number: int, comment: str, refers_to: str = "") -> bytes:
    """An object that this program wrote, about another one."""
    dataset = pydicom.dcmread(io.BytesIO(instance_bytes(number, series_uid=SERIES, study_uid=STUDY, rows=16)))
    dataset.ImageComments = comment
    if refers_to:
        item = pydicom.Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = dataset.SOPClassUID, refers_to
        dataset.ReferencedImageSequence = [item]
    dataset.file_meta.ImplementationClassUID = pydicom.uid.UID(IMPLEMENTATION_CLASS_UID)
    return encode(dataset)


def written(folder: Path, *contents: bytes) -> Path:
    folder.mkdir()
    for number, content in enumerate(contents):
        (folder / f"{number}.dcm").write_bytes(content)
    return folder


@pytest.mark.parametrize("way", ["web", "dimse"])
def test_a_changed_object_of_ours_goes_out_under_a_new_uid_with_those_that_refer_to_it(
    orthanc: Orthanc, tmp_path: Path, way: str
) -> None:
    entry = getattr(orthanc, way)
    known = orthanc.credentials if way == "web" else None
    first = written(tmp_path / "first", own(1, "first"), own(2, "same", SEGMENTATION), own(3, "same"))
    push(entry, [first], credentials=known)
    changed = own(1, f"second by {way}")
    second = written(tmp_path / "second", changed, own(2, "same", SEGMENTATION), own(3, "same"))

    done = push(entry, [second], credentials=known)
    assert done.renamed.keys() == {SEGMENTATION, REPORT}
    assert set(done.sent) == set(done.renamed.values())
    assert all(is_uid(u) and u.startswith("2.25.") for u in done.sent)
    assert done.already_there == (OTHER,)

    pull(orthanc.web, STUDY, tmp_path / "got", credentials=orthanc.credentials)
    held = {uid: pydicom.dcmread(io.BytesIO(content)) for uid, content in by_uid(tmp_path / "got").items()}
    assert held[SEGMENTATION].ImageComments == "first", "the old object is as it was"
    assert held[done.renamed[SEGMENTATION]].ImageComments == f"second by {way}"
    assert held[done.renamed[REPORT]].ReferencedImageSequence[0].ReferencedSOPInstanceUID == done.renamed[SEGMENTATION]
    assert held[REPORT].ReferencedImageSequence[0].ReferencedSOPInstanceUID == SEGMENTATION
    assert by_uid(second)[SEGMENTATION] == changed, "the file on this machine is left as it is"


def test_orthanc_says_stored_and_keeps_the_old_one_which_is_why_everything_is_read_back(
    orthanc: Orthanc, tmp_path: Path
) -> None:
    push(orthanc.web, [written(tmp_path / "first", own(1, "first"))], credentials=orthanc.credentials)
    (other,) = collect_outgoing([written(tmp_path / "second", own(1, "another"))]).objects
    with connected(orthanc.web, credentials=orthanc.credentials) as archive:
        assert archive.store([other], lambda _count: None) == {}
    pull(orthanc.web, STUDY, tmp_path / "got", series_uids=[SERIES], credentials=orthanc.credentials)
    assert pydicom.dcmread(io.BytesIO(by_uid(tmp_path / "got")[SEGMENTATION])).ImageComments == "first"


def test_a_foreign_image_under_a_uid_that_is_taken_is_refused_before_anything_is_sent(orthanc: Orthanc, tmp_path: Path) -> None:
    push(orthanc.web, [written(tmp_path / "a", instance_bytes(1, study_uid="1.2.78", series_uid="1.2.78.1"))], credentials=orthanc.credentials)
    other = written(
        tmp_path / "b", instance_bytes(1, study_uid="1.2.78", series_uid="1.2.78.1", seed=1),
        instance_bytes(2, study_uid="1.2.78", series_uid="1.2.78.1"),
    )
    with pytest.raises(NeuraxisError, match=r"something else under the SOP Instance UID of 0.dcm.*nothing was sent"):
        push(orthanc.web, [other], credentials=orthanc.credentials)
    assert pull(orthanc.web, "1.2.78", tmp_path / "got", credentials=orthanc.credentials).instances == 1


@pytest.mark.parametrize("modality", ["CT_small", "JPEG2000", "JPEG-lossy"])
def test_compressed_and_foreign_files_come_back_as_they_are(orthanc: Orthanc, tmp_path: Path, modality: str) -> None:
    from pydicom.data import get_testdata_file

    name = get_testdata_file(f"{modality}.dcm", download=False)
    if name is None:
        pytest.skip("that file is not among pydicom's own")
    sent = pydicom.dcmread(str(name))
    folder = written(tmp_path / "sent", Path(str(name)).read_bytes())
    push(orthanc.dimse, [folder])
    pull(orthanc.dimse, str(sent.StudyInstanceUID), tmp_path / "got")
    held = pydicom.dcmread(io.BytesIO(by_uid(tmp_path / "got")[sent.SOPInstanceUID]))
    assert held.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID
    assert held.PixelData == sent.PixelData


@pytest.mark.parametrize("change", ["gone", "longer", "shorter"])
def test_a_file_that_changes_while_it_is_sent_is_told(tmp_path: Path, change: str) -> None:
    (item,) = collect_outgoing([written(tmp_path / "a", instance_bytes(1))]).objects
    if change == "gone":
        item.path.unlink()
    else:
        item.path.write_bytes(instance_bytes(1) + b"x" if change == "longer" else instance_bytes(1)[:-1])
    with pytest.raises(NeuraxisError, match=r"0\.dcm (can no longer be read|changed while it was sent)"):
        list(item.blocks(1000))


def test_new_uids_are_uids_and_never_the_same() -> None:
    made = {new_uid() for _ in range(1000)}
    assert len(made) == 1000
    assert all(is_uid(uid) for uid in made)
