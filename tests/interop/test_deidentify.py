"""A de-identified export: nothing that identifies leaves, everything that measures stays, references still resolve."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.datadict import keyword_for_tag, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import EncapsulatedPDFStorage

from neuraxis import open_study
from neuraxis.domain.quantity import Quantity
from neuraxis.domain.study import Study
from neuraxis.errors import UsageError
from neuraxis.interop.deidentify import DeidentificationReport, Substitution, deidentify_study
from neuraxis.interop.deidentify.cleaner import Cleaner
from neuraxis.interop.deidentify.codestream import blank_comments
from neuraxis.interop.deidentify.rules import Action, rules
from neuraxis.interop.key_objects import write_key_objects
from neuraxis.interop.seg import write_seg
from neuraxis.interop.seg_read import read_segments
from neuraxis.interop.sr import write_sr
from neuraxis.interop.sr_lesions import report_lesions
from neuraxis.interop.sr_read import read_sr

SECRET = b"sixteen bytes or more"
MARK = re.compile(rb"QZX\d{5}")
PERMITTED = {  # PS3.15 Table E.1-1: what each code of the profile allows an attribute to become
    "X": {Action.RETAINED}, "Z": {Action.EMPTY, Action.PSEUDONYM, Action.RETAINED, Action.DATE, Action.TIME},
    "D": {Action.STAND_IN, Action.PSEUDONYM, Action.DATE, Action.TIME, Action.DATETIME, Action.CONTENT, Action.ITEMS},
    "U": {Action.UID},
}
CLEANED = {"GraphicAnnotationSequence", "ReferencedImageSequence", "SourceImageSequence"}
DUMMY_DATES = {"PresentationCreationDate", "PresentationCreationTime"}


def marked(dataset: Dataset) -> int:
    """Write a unique mark into every element that can hold a sentence, a name or a number of a person."""
    for keyword in (
        "InstitutionName", "InstitutionAddress", "StationName", "OperatorsName", "PatientComments", "ImageComments",
        "RequestedProcedureDescription", "AdditionalPatientHistory", "OtherPatientIDs", "PatientAddress", "StudyComments",
        "AccessionNumber", "ContentDescription", "DerivationDescription", "IssuerOfPatientID", "ReasonForStudy",
        "AcquisitionComments", "ProtocolName", "Occupation", "PatientTelephoneNumbers", "PatientMotherBirthName",
    ):
        setattr(dataset, keyword, "x")
    block = dataset.private_block(0x0013, "MAKER", create=True)
    block.add_new(1, "LO", "x")
    block.add_new(2, "UT", "x")
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "1", "99X", "x"
    dataset.ProcedureCodeSequence = Sequence([item])
    dataset.AnatomicRegionSequence = Sequence([item])
    structural = {"CodeValue", "CodingSchemeDesignator", "LongCodeValue"}
    marks = 0
    for element in dataset.iterall():
        if element.VR in ("LO", "SH", "PN", "LT", "ST", "UT", "UC") and element.keyword not in structural:
            element.value = f"QZX{marks:05d}"
            marks += 1
    return marks


@pytest.fixture
def shared_case(scene: Any, tmp_path: Path) -> tuple[Study, list[Path], Path]:
    """A study on disk as the reader opens it, its SEG, SR and KOS, and a new folder to export to."""
    study = open_study(scene.series.instances[0].path.rsplit("/", 1)[0])
    seg, sr, kos = tmp_path / "seg.dcm", tmp_path / "sr.dcm", tmp_path / "kos.dcm"
    write_seg(scene.lesion, scene.series, seg, **scene.made_by)
    write_sr(scene.lesion, scene.tags, scene.series, sr, seg_path=seg, **scene.made_by)
    write_key_objects(((scene.series, 2),), kos, **scene.made_by)
    return study, [seg, sr, kos], tmp_path / "export"


def replace_method(quantity: Quantity | None) -> Quantity:
    """The number without the words on how it was measured: sentences do not leave."""
    assert quantity is not None
    return replace(quantity, method="")


def export(case: tuple[Study, list[Path], Path], **options: object) -> DeidentificationReport:
    study, objects, folder = case
    return deidentify_study(study, folder, Substitution(SECRET), objects=objects, **options)  # type: ignore[arg-type]


def test_every_attribute_of_the_basic_profile_is_left_out_or_becomes_what_the_profile_allows() -> None:
    table = Path(__file__).parent / "data" / "basic_profile_2026c.csv"
    with table.open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if "&" not in row["tag"]]
    assert len(rows) > 600
    for row in rows:
        rule = rules().get(keyword_for_tag(int(row["tag"], 16)) or "")
        if rule is None or rule.keyword in CLEANED | DUMMY_DATES:
            continue
        allowed = set().union(*(PERMITTED.get(code, set()) for code in row["action"].split("/")))
        if "X" in row["action"] or "Z" in row["action"]:
            allowed |= {Action.NONE}
        assert rule.action in allowed, f"{rule.keyword}: {rule.action} where the profile says {row['action']}"


def test_no_mark_planted_in_images_or_objects_is_left_in_any_byte(shared_case: tuple[Study, list[Path], Path]) -> None:
    study, objects, folder = shared_case
    planted = 0
    for path in [*(Path(i.path) for s in study.series for i in s.instances), *objects]:
        dataset = pydicom.dcmread(path)
        planted += marked(dataset)
        dataset.preamble = b"QZX99999" + bytes(120)
        dataset.file_meta.SourceApplicationEntityTitle = "QZX99998"
        dataset.save_as(path)
        assert MARK.search(path.read_bytes())
    report = deidentify_study(
        open_study(study.path), folder, Substitution(SECRET), objects=objects,
    )
    assert planted > 700
    assert len(report.written) == 12 + len(objects)
    assert not report.left_out
    for path in report.written:
        assert not MARK.findall(path.read_bytes()), path.name
        assert re.fullmatch(r"\d{3}/\d{5}\.dcm|objects/\d{5}\.dcm", path.relative_to(folder).as_posix())
    assert report.free_text["private"] > 0
    assert "QZX" not in str(report.to_json()["free_text"])


def test_the_exported_study_gives_the_same_voxels_lesion_and_numbers(shared_case: tuple[Study, list[Path], Path]) -> None:
    study, objects, folder = shared_case
    report = export(shared_case)
    again = open_study(str(folder))
    old, new = study.series[0], again.series[0]
    assert new.geometry is not None
    assert old.geometry is not None
    assert new.series_uid != old.series_uid
    assert np.array_equal(new.volume().array, old.volume().array)
    corners = [(z, y, x) for z in (0, 11) for y in (0, 39) for x in (0, 47)]
    assert np.allclose(new.geometry.lps_from_index(corners), old.geometry.lps_from_index(corners), atol=1e-9)
    seg, sr, _ = [p for p in report.written if p.parent.name == "objects"]
    before, after = read_segments(objects[0], study)[0], read_segments(seg, again)[0]
    assert np.array_equal(before.mask.box, after.mask.box)
    lesion = report_lesions(read_sr(objects[1], study), study)[0]
    reread = report_lesions(read_sr(sr, again), again)[0]
    assert lesion.measurement is not None
    assert reread.measurement is not None
    assert reread.measurement.volume is not None
    assert reread.measurement.volume == replace_method(lesion.measurement.volume)
    assert reread.tracking_uid == after.tracking_uid != before.tracking_uid
    assert {(t.concept, t.value, t.verdict) for t in reread.tags} == {
        (t.concept, t.value, t.verdict) for t in lesion.tags
    }


def test_exported_objects_are_valid_and_say_what_was_done(
    shared_case: tuple[Study, list[Path], Path], validator_errors: Callable[[Path], list[str]],
) -> None:
    for path in export(shared_case).written:
        dataset = pydicom.dcmread(path)
        assert dataset.PatientIdentityRemoved == "YES"
        assert {i.CodeValue for i in dataset.DeidentificationMethodCodeSequence} >= {"113100", "113104"}
        assert dataset.LongitudinalTemporalInformationModified == "REMOVED"
        assert str(dataset.PatientName) == dataset.PatientID == "ANON"
        assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
        if path.parent.name == "objects":
            assert validator_errors(path) == []
            assert dataset.get("VerificationFlag", "UNVERIFIED") == "UNVERIFIED"


def test_references_between_the_exported_files_resolve_and_name_no_old_uid(
    shared_case: tuple[Study, list[Path], Path],
) -> None:
    study = shared_case[0]
    old = {i.sop_instance_uid for s in study.series for i in s.instances} | {study.series[0].series_uid}
    files = [pydicom.dcmread(p) for p in export(shared_case).written]
    present = {str(d.SOPInstanceUID) for d in files}
    references = {
        str(e.value) for d in files for e in d.iterall() if e.keyword == "ReferencedSOPInstanceUID"
    }
    assert references
    assert references <= present
    assert not old & (present | references)


def test_intervals_survive_when_dates_are_moved(shared_case: tuple[Study, list[Path], Path]) -> None:
    study, _, folder = shared_case
    substitution = Substitution(SECRET, keep_intervals=True)
    report = deidentify_study(study, folder, substitution)
    dataset = pydicom.dcmread(report.written[0])
    assert dataset.StudyDate not in ("", "20260101")
    assert dataset.ContentDate == dataset.StudyDate
    assert dataset.LongitudinalTemporalInformationModified == "MODIFIED"


def test_what_is_no_image_or_known_object_is_left_out_and_named(
    shared_case: tuple[Study, list[Path], Path], tmp_path: Path,
) -> None:
    study, objects, folder = shared_case
    pdf = pydicom.dcmread(objects[1])
    pdf.SOPClassUID = pdf.file_meta.MediaStorageSOPClassUID = EncapsulatedPDFStorage
    pdf.save_as(tmp_path / "document.dcm")
    report = deidentify_study(study, folder, Substitution(SECRET), objects=[tmp_path / "document.dcm"])
    assert [Path(s.path).name for s in report.left_out] == ["document.dcm"]
    assert "Encapsulated PDF" in report.left_out[0].reason


def test_images_with_burned_in_text_leave_only_when_allowed_by_name(scene: Any, tmp_path: Path) -> None:
    def burn(dataset: Dataset, _index: int) -> None:
        dataset.BurnedInAnnotation = "YES"

    folder = Path(scene.variant("burned", burn).series.instances[0].path).parent
    refused = deidentify_study(open_study(str(folder)), tmp_path / "a", Substitution(SECRET))
    assert not refused.written
    assert "burned_in" in refused.left_out[0].reason
    allowed = deidentify_study(open_study(str(folder)), tmp_path / "b", Substitution(SECRET), allow=["burned_in"])
    assert len(allowed.written) == 12


def test_a_folder_that_holds_something_is_refused_and_left_alone(shared_case: tuple[Study, list[Path], Path]) -> None:
    folder = shared_case[2]
    folder.mkdir()
    (folder / "kept.txt").write_text("mine")
    with pytest.raises(UsageError, match="new or empty"):
        export(shared_case)
    assert [p.name for p in folder.iterdir()] == ["kept.txt"]


def test_the_same_secret_gives_the_same_bytes_and_another_one_other_uids(
    shared_case: tuple[Study, list[Path], Path], tmp_path: Path,
) -> None:
    study, objects, _ = shared_case
    first, second, other = (
        deidentify_study(study, tmp_path / name, Substitution(secret), objects=objects).written
        for name, secret in (("a", SECRET), ("b", SECRET), ("c", b"another secret of mine"))
    )
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    assert pydicom.dcmread(first[0]).SOPInstanceUID != pydicom.dcmread(other[0]).SOPInstanceUID


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    keyword=st.sampled_from(sorted(rules())), text=st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ^", min_size=17, max_size=40),
)
def test_no_sentence_leaves_in_any_allowed_attribute(keyword: str, text: str) -> None:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    vr = pydicom.datadict.dictionary_VR(tag)
    if vr in ("SQ", "OB", "OW", "OF", "OD", "OB or OW", "US or SS", "US or OW") or rules()[keyword].action is Action.PIXELS:
        return
    dataset = Dataset()
    with pydicom.config.disable_value_validation():
        dataset.add(DataElement(tag, "LO" if vr in ("DS", "IS", "US", "FD", "SS", "FL", "AT", "UL", "SL") else vr, text))
    cleaned = Cleaner(Substitution(SECRET)).clean(dataset)
    assert text not in str(cleaned)


def test_comments_in_compressed_frames_become_blanks_and_no_offset_moves() -> None:
    comment = b"\xff\xfe" + (2 + 12).to_bytes(2, "big") + b"DOE^JANE1950"
    exif = b"\xff\xe1" + (2 + 6).to_bytes(2, "big") + b"Exif\0X"
    jpeg = b"\xff\xd8" + comment + exif + b"\xff\xda\x00\x02" + b"\xff\xfeDOE^JANE" + b"\xff\xd9"
    j2k = b"\xff\x4f\xff\x64" + (4 + 8).to_bytes(2, "big") + b"\0\1DOE^JANE" + b"\xff\x90\x00\x02"
    data = b"".join(
        b"\xfe\xff\x00\xe0" + len(part).to_bytes(4, "little") + part for part in (b"", jpeg, j2k)
    ) + b"\xfe\xff\xdd\xe0\0\0\0\0"
    cleaned, count = blank_comments(data)
    assert count == 3
    assert len(cleaned) == len(data)
    assert cleaned.count(b"DOE^JANE") == 1  # entropy-coded bytes behind the start of scan are picture, not text
    assert b"Exif" not in cleaned
