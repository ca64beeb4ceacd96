"""A case leaves as DICOM objects and comes back the same; other people's objects come in with their doubts named."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pydicom
import pytest
from tests.app.session_on_disk import Desk

from neuraxis import open_study
from neuraxis.app.case_objects import write_case_objects
from neuraxis.app.history import CaseState
from neuraxis.app.taking_in import take_in
from neuraxis.app.workup import lesion_from_mask, segment_on
from neuraxis.domain.lesion import LesionMask
from neuraxis.domain.study import Study
from neuraxis.domain.tag import Tag, Verdict
from neuraxis.domain.transform import Registration, RegistrationSet
from neuraxis.interop.identity import Author
from neuraxis.interop.lossless_json import read_lesions_json

WHEN = datetime.datetime(2026, 3, 4, 5, 6, 7)


@pytest.fixture(scope="module")
def study(capnon_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The phantom's thin CT and its T1 after contrast."""
    folder = tmp_path_factory.mktemp("two")
    for name in ("01_ct_thin", "10_t1_contrast"):
        (folder / name).symlink_to(capnon_folder / name, target_is_directory=True)
    return open_study(str(folder))


@pytest.fixture(scope="module")
def case(study: Study, capnon_folder: Path) -> CaseState:
    """The lesion on the CT with a mask on the T1C, tags, a registration and two key images."""
    from neuraxis.app.demo import sample_click

    point, _ = sample_click(capnon_folder)
    ct, t1c = study.series
    assert t1c.geometry is not None
    box = np.zeros((3, 4, 5), dtype=bool)
    box[1, 1:3, 1:4] = box[0, 2, 2] = True
    other = LesionMask(t1c.geometry, (40, 100, 120), box, t1c.id, t1c.series_uid)
    lesion = replace(lesion_from_mask(ct, segment_on(ct, point), (other,)), label="Right foramen magnum")
    tags = (
        Tag("calcification", "dense", Verdict.SUPPORTS, asserted_by="Reader^One", comment="uniform"),
        Tag("compartment", "extra_axial", Verdict.NEUTRAL, asserted_by="Reader^One"),
        Tag("blooming", "marked", Verdict.SUPPORTS),
    )
    matrix = np.eye(4)
    matrix[:3, 3] = 1.25, -2.5, 0.3
    moved = Registration.from_array(matrix, t1c.frame_of_reference_uid, ct.frame_of_reference_uid, 0.18, "rigid")
    return CaseState(
        (lesion,), MappingProxyType({lesion.tracking_uid: tags}), RegistrationSet((moved,)),
        key_images=((ct.id, 70), (ct.id, 71)),
    )


@pytest.fixture(scope="module")
def objects(case: CaseState, study: Study, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return write_case_objects(
        case, study, tmp_path_factory.mktemp("objects"), author=Author("Reader^One"), written_at=WHEN
    )


def test_a_case_comes_back_from_its_dicom_objects(case: CaseState, study: Study, objects: tuple[Path, ...]) -> None:
    dicom = [p for p in objects if p.suffix == ".dcm"]
    taken = take_in(dicom[::-1], study, CaseState())
    (before,), (after,) = case.lesions, taken.state.lesions
    assert taken.lesions == (before.tracking_uid,)
    assert (after.tracking_uid, after.label) == (before.tracking_uid, before.label)
    assert np.array_equal(after.mask.full(), before.mask.full())
    assert [np.argwhere(m.full()).tolist() for m in after.other_masks] == [
        np.argwhere(m.full()).tolist() for m in before.other_masks
    ]
    for name in ("long_axis", "short_axis", "max_3d_diameter"):
        old, new = getattr(before.measurement, name), getattr(after.measurement, name)
        assert new.quantity == old.quantity
        assert new.start_lps_mm == pytest.approx(old.start_lps_mm, abs=2e-5)
        assert new.end_lps_mm == pytest.approx(old.end_lps_mm, abs=2e-5)
    assert after.measurement.volume == before.measurement.volume
    assert after.measurement.intensity == before.measurement.intensity
    told = [(t.concept, t.value, t.verdict, t.asserted_by, t.comment) for t in case.tags[before.tracking_uid]]
    assert [
        (t.concept, t.value, t.verdict, t.asserted_by, t.comment) for t in taken.state.tags[after.tracking_uid]
    ] == told
    (registration,) = taken.state.registrations.registrations
    assert np.array_equal(registration.array, case.registrations.registrations[0].array)
    assert registration.residual_mm == 0.18
    assert taken.state.key_images == case.key_images


def test_the_json_beside_the_objects_loses_nothing(case: CaseState, objects: tuple[Path, ...]) -> None:
    (path,) = [p for p in objects if p.suffix == ".json"]
    document = read_lesions_json(path)
    assert document.lesions[0].lesion.measurement == case.lesions[0].measurement
    assert document.lesions[0].tags == case.tags[case.lesions[0].tracking_uid]
    assert document.registrations == case.registrations.registrations


def test_what_cannot_be_taken_in_is_named_and_the_rest_comes_in(
    study: Study, objects: tuple[Path, ...], tmp_path: Path,
) -> None:
    (tmp_path / "notes.txt").write_text("no DICOM")
    image = Path(study.series[0].instances[0].path)
    seg = next(p for p in objects if p.name == "seg-1.dcm")
    taken = take_in([tmp_path / "notes.txt", image, seg], study, CaseState())
    assert len(taken.state.lesions) == 1
    assert any(note.startswith("notes.txt: no DICOM object") for note in taken.notes)
    assert any(image.name in note and "not taken in" in note for note in taken.notes)


def test_two_reports_with_one_identifier_that_differ_are_asked_about(
    study: Study, objects: tuple[Path, ...], tmp_path: Path,
) -> None:
    sr = next(p for p in objects if p.name == "sr.dcm")
    other = pydicom.dcmread(sr)
    other.SeriesDescription = "another version"
    other.save_as(tmp_path / "other.dcm")
    seg = next(p for p in objects if p.name == "seg-1.dcm")
    taken = take_in([seg, sr, tmp_path / "other.dcm"], study, CaseState())
    assert len(taken.state.lesions) == 1
    assert not taken.state.tags
    assert any("same UID but differ" in note for note in taken.notes)


def test_a_report_without_its_mask_gives_no_numbers(study: Study, objects: tuple[Path, ...]) -> None:
    sr = next(p for p in objects if p.name == "sr.dcm")
    taken = take_in([sr], study, CaseState())
    assert taken.state.lesions == ()
    assert any("has no mask here" in note for note in taken.notes)


def test_an_object_of_another_study_is_refused_by_name(
    objects: tuple[Path, ...], schwannoma_folder: Path,
) -> None:
    other = open_study(str(schwannoma_folder / "01_ct_thin"))
    taken = take_in([p for p in objects if p.name == "seg-1.dcm"], other, CaseState())
    assert taken.state.lesions == ()
    assert any("frame of reference" in note or "patient" in note for note in taken.notes)


def test_a_session_writes_the_case_takes_it_in_again_and_undoes_both(
    study: Study, case: CaseState, tmp_path: Path,
) -> None:
    desk = Desk(tmp_path / "cases")
    session = desk.open(study)
    session.reader = "Reader^One"
    session.change("as in the fixture", case)
    session.write_case(tmp_path / "out")
    desk.saved()
    session.delete_lesion(case.lesions[0].tracking_uid)
    session.take_in([tmp_path / "out" / "lesion-1" / name for name in ("seg-1.dcm", "sr.dcm")])
    desk.saved()
    assert session.active_lesion == case.lesions[0].tracking_uid
    assert np.array_equal(session.case.lesions[0].mask.full(), case.lesions[0].mask.full())
    session.undo()
    desk.saved()
    assert not session.case.lesions
    session.undo()
    desk.saved()
    assert len(session.case.lesions) == 1
    session.close()


def test_a_session_writes_study_and_case_without_identifiers(study: Study, case: CaseState, tmp_path: Path) -> None:
    ct = Study(study.path, study.series[:1], study.report)
    desk = Desk(tmp_path / "cases")
    session = desk.open(ct)
    session.change("as in the fixture", replace(case, lesions=(replace(case.lesions[0], other_masks=()),)))
    session.deidentify(tmp_path / "out")
    desk.saved()
    written = open_study(str(tmp_path / "out"))
    assert [s.frames for s in written.series] == [ct.series[0].frames]
    taken = take_in(sorted((tmp_path / "out" / "objects").iterdir()), written, CaseState())
    assert [one.label for one in taken.state.lesions] == ["Lesion 1"]
    assert np.array_equal(taken.state.lesions[0].mask.full(), case.lesions[0].mask.full())
    assert "look at its pixels" in desk.texts
    session.close()
