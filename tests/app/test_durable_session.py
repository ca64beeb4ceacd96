"""What a reader makes is in the case file as it is made, and comes back with the study."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.app.session_on_disk import Desk
from tests.app.synthetic_study import CT_FRAME, MR_FRAME, head_study

from neuraxis.app.case_opening import case_path_for, open_case
from neuraxis.app.history import Drawing
from neuraxis.app.panel_state import PanelState
from neuraxis.app.reader_study import STALE
from neuraxis.app.session import StudySession
from neuraxis.app.view_state import Layout
from neuraxis.app.workup import lesion_from_mask
from neuraxis.case.case_file import CaseFile
from neuraxis.case.database import SCHEMA_VERSION
from neuraxis.case.revisions import RevisionKind
from neuraxis.domain.geometry import Vector3
from neuraxis.domain.lesion import Lesion, LesionMask
from neuraxis.domain.study import Role, Study
from neuraxis.domain.tag import Tag, Verdict
from neuraxis.domain.transform import Registration
from neuraxis.domain.window import Window
from neuraxis.evidence.context import DuralTailAnswers

MakeDesk = Callable[[], Desk]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[MakeDesk]:
    """Makes desks over one case folder; each one made is a program that was started anew."""
    made: list[Desk] = []

    def make() -> Desk:
        made.append(Desk(tmp_path / "cases"))
        return made[-1]

    yield make
    for each in made:
        each.session.close()


def mask_on(session: StudySession, seed: int = 0) -> LesionMask:
    series = session.series[0]
    assert series.geometry is not None
    box = np.random.default_rng(seed).random((4, 5, 6)) > 0.3
    return LesionMask(series.geometry, (3, 4, 5), box, series.id, series.series_uid)


def add_lesion(session: StudySession, seed: int = 0) -> Lesion:
    lesion = replace(lesion_from_mask(session.series[0], mask_on(session, seed)), label=f"lesion {seed}")
    session.change("segment lesion", session.case.with_lesion(lesion))
    return lesion


def a_length(uid: str = "2.25.7", millimetres: float = 9.0) -> Drawing:
    return Drawing(uid, "length", "s1", CT_FRAME, ((0.0, 0.0, 0.0), (millimetres, 0.0, 0.0)), (0.0, 0.0, 1.0))


def unsaved(session: StudySession) -> bool:
    return session.has_unsaved_work


def case_file(tmp_path: Path) -> Path:
    (found,) = (tmp_path / "cases").glob("*.neuraxis")
    return found


def test_everything_a_reader_makes_is_there_after_a_restart(desk: MakeDesk) -> None:
    first = desk()
    session = first.open()
    lesion = add_lesion(session)
    tag = Tag("calcification", "dense", Verdict.SUPPORTS, values=(("none", Verdict.CONTRADICTS, "700 HU"),))
    session.change("collect evidence", session.case.with_tags(lesion.tracking_uid, (tag,)))
    session.assert_tag(lesion.tracking_uid, "calcification", "none")
    session.comment_tag(lesion.tracking_uid, "calcification", "rim?")
    session.change("answer dural tail", replace(session.case, dural_tails={
        lesion.tracking_uid: DuralTailAnswers(True, False, True, ((1.0, 2.0, 3.0),), MR_FRAME)}))
    session.add_drawing(a_length())
    session.set_proposal(Registration.from_array(np.eye(4), CT_FRAME, MR_FRAME, 0.4, "known"))
    session.accept_registration()
    session.set_role("s3", Role.FLAIR)
    session.toggle_key_image("s1", (7, 32))
    session.set_window("s1", Window(300.0, 1500.0))
    session.keep_layout(Layout(1, 2, (PanelState("s3"), PanelState("s1", inverted=True))))
    before = session.case
    first.saved()
    session.close()

    again = desk().open()
    now = again.case
    assert now.lesions[0].tracking_uid == lesion.tracking_uid
    assert np.array_equal(now.lesions[0].mask.box, lesion.mask.box)
    assert now.lesions[0].measurement == lesion.measurement
    assert (now.tags, now.drawings, now.registrations, now.roles, now.key_images, now.dural_tails) == (
        before.tags, before.drawings, before.registrations, before.roles, before.key_images, before.dural_tails)
    assert now.tags[lesion.tracking_uid][0].comment == "rim?"
    assert again.find_series("s3").role.role is Role.FLAIR  # type: ignore[union-attr]
    assert "reader" in again.find_series("s3").role.reason  # type: ignore[union-attr]
    assert again.window("s1") == Window(300.0, 1500.0)
    assert again.layout == Layout(1, 2, (PanelState("s3"), PanelState("s1", inverted=True)))
    assert again.saving.startswith("saved, revision")


def test_undo_and_redo_reach_back_across_restarts(desk: MakeDesk) -> None:
    for step in range(3):
        one = desk()
        session = one.open()
        session.add_drawing(a_length(f"2.25.{step}"))
        session.set_window("s1", Window(40.0, 80.0 + step))
        one.saved()
        session.close()
    two = desk()
    session = two.open()
    assert session.undo_label == "draw length"
    for left in (2, 1):
        session.undo()
        two.until(lambda left=left: len(session.case.drawings) == left)  # type: ignore[misc]
    two.saved()
    session.close()
    three = desk()
    session = three.open()
    assert [d.uid for d in session.case.drawings] == ["2.25.0"]
    assert session.redo_label == "draw length"
    session.redo()
    three.until(lambda: len(session.case.drawings) == 2)
    session.redo()
    three.until(lambda: len(session.case.drawings) == 3)
    session.redo()
    session.undo()
    session.undo()
    session.undo()
    three.until(lambda: not session.case.drawings)
    three.saved()
    assert session.undo_label is None
    assert session.window("s1") == Window(40.0, 82.0), "a window is no step of undo"


def test_undo_reaches_past_the_states_in_memory(desk: MakeDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neuraxis.app.history.STATES_IN_MEMORY", 3)
    one = desk()
    session = one.open()
    for step in range(8):
        session.add_drawing(a_length(f"2.25.{step}"))
        one.saved()
    assert [s.before is None for s in session._history.past].count(True) >= 4
    for left in range(7, -1, -1):
        session.undo()
        one.until(lambda left=left: len(session.case.drawings) == left)  # type: ignore[misc]
    assert session.undo_label is None


def test_any_revision_is_shown_read_only_and_restored_as_a_new_step(desk: MakeDesk) -> None:
    one = desk()
    session = one.open()
    add_lesion(session, 1)
    session.add_drawing(a_length())
    session.delete_lesion(session.case.lesions[0].tracking_uid)
    one.saved()
    assert [r.action for r in session.revisions] == ["segment lesion", "draw length", "delete lesion"]
    session.show_revision(2)
    one.until(lambda: session.shown_revision == 2)
    assert (len(session.case.lesions), len(session.case.drawings)) == (1, 1)
    session.delete_drawing("2.25.7")
    session.undo()
    assert len(session.case.drawings) == 1, "an earlier revision cannot be changed"
    assert "Revision 2 is shown" in one.texts
    session.show_present()
    assert session.case.lesions == ()
    session.restore_revision(2)
    one.until(lambda: len(session.case.lesions) == 1)
    one.saved()
    assert (session.revisions[-1].kind, session.revisions[-1].target) == (RevisionKind.RESTORE, 2)
    session.undo()
    assert session.case.lesions == ()
    one.saved()
    session.close()
    assert not desk().open().case.lesions


def test_a_dragged_window_is_one_revision_and_a_stroke_is_not_held_up_by_it(desk: MakeDesk) -> None:
    one = desk()
    session = one.open()
    for width in range(60, 120):
        session.set_window("s1", Window(40.0, float(width)))
    one.saved()
    assert [r.kind for r in session.revisions] == [RevisionKind.ADJUST]
    session.set_window("s1", Window(40.0, 500.0))
    session.add_drawing(a_length())
    one.saved()
    assert [r.action for r in session.revisions] == ["window", "window", "draw length"]


def test_a_stroke_is_saved_at_once_and_measured_after(desk: MakeDesk) -> None:
    one = desk()
    session = one.open()
    lesion = add_lesion(session)
    session.edit_mask(lesion.tracking_uid, mask_on(session, 5))
    assert STALE in session.case.lesions[0].measurement.warnings
    one.saved()
    one.until(lambda: STALE not in session.case.lesions[0].measurement.warnings)
    one.saved()
    measured = session.case.lesions[0].measurement
    assert measured.intensity.voxel_count == mask_on(session, 5).voxel_count
    assert [r.action for r in session.revisions] == ["segment lesion", "edit mask", "measured"]
    session.undo()
    assert session.case.lesions[0].measurement == lesion.measurement
    one.saved()
    session.close()
    two = desk()
    session = two.open()
    session.redo()
    two.until(lambda: session.case.lesions[0].measurement == measured)


def test_a_stroke_that_was_not_measured_before_the_end_is_measured_at_the_next_start(
    desk: MakeDesk, tmp_path: Path
) -> None:
    session = desk().open()
    lesion = add_lesion(session)
    session.edit_mask(lesion.tracking_uid, mask_on(session, 5))
    session.close()  # before the measurement could come back
    with CaseFile.open(case_file(tmp_path)) as case:
        assert case.revisions()[-1].action == "edit mask"
    two = desk()
    session = two.open()
    two.until(lambda: STALE not in session.case.lesions[0].measurement.warnings)
    assert session.case.lesions[0].measurement.intensity.voxel_count == mask_on(session, 5).voxel_count


def test_steps_made_before_the_case_is_open_are_made_on_top_of_it(desk: MakeDesk) -> None:
    one = desk()
    add_lesion(one.open(), 1)
    one.saved()
    one.session.close()
    two = desk()
    two.session.set_study(head_study(32))
    two.session.add_drawing(a_length())
    assert two.session.saving == "opening the case"
    two.saved()
    session = two.session
    assert (len(session.case.lesions), len(session.case.drawings)) == (1, 1)
    session.undo()
    assert (len(session.case.lesions), len(session.case.drawings)) == (1, 0)
    session.undo()
    two.until(lambda: not session.case.lesions)


def test_a_step_made_before_the_case_is_open_is_saved_when_the_study_is_closed_at_once(desk: MakeDesk) -> None:
    session = desk().session
    session.set_study(head_study(32))
    session.add_drawing(a_length())
    session.close_study()
    session.set_study(head_study(32))
    session.add_drawing(a_length("2.25.8"))
    assert session.flush()
    assert not session.has_unsaved_work, "also before the window was told"
    session.close()
    assert len(desk().open().case.drawings) == 2


def test_the_same_study_elsewhere_has_the_same_case_and_other_ids_of_series_are_followed(
    desk: MakeDesk, tmp_path: Path
) -> None:
    one = desk()
    session = one.open()
    add_lesion(session)
    session.set_role("s3", Role.FLAIR)
    session.toggle_key_image("s3", (2, 8))
    session.add_drawing(a_length())
    session.set_window("s1", Window(1.0, 2.0))
    one.saved()
    session.close()
    study = head_study(32)
    renamed = Study("elsewhere", tuple(replace(s, id=f"9-{s.id}") for s in study.series), study.report)
    two = desk()
    session = two.open(renamed)
    assert session.case.lesions[0].mask.series_id == "9-s1"
    assert session.case.lesions[0].measurement.series_id == "9-s1"
    assert dict(session.case.roles) == {"9-s3": Role.FLAIR}
    assert session.case.key_images == (("9-s3", 2),)
    assert session.case.drawings[0].series_id == "9-s1"
    assert session.window("9-s1") == Window(1.0, 2.0)
    session.toggle_key_image("9-s3", (2, 8))
    session.toggle_key_image("9-s4", (3, 8))
    two.saved()
    assert [r.action for r in session.revisions][-2:] == ["key image", "key image"]
    session.close()
    three = desk().open()
    assert three.case.key_images == (("s4", 3),)
    assert three.case.lesions[0].mask.series_id == "s1"
    assert three.saving.startswith("saved")


def moved(study: Study, series_id: str, *, origin: Vector3 | None = None, frame: str = "") -> Study:
    series = study.find(series_id)
    assert series.geometry is not None
    frame = frame or series.frame_of_reference_uid
    geometry = replace(series.geometry, origin_lps_mm=origin or series.geometry.origin_lps_mm, frame_of_reference_uid=frame)
    other = replace(series, geometry=geometry, frame_of_reference_uid=frame)
    return replace(study, series=tuple(other if s is series else s for s in study.series))


def test_what_does_not_match_the_case_is_said_and_kept(desk: MakeDesk) -> None:
    one = desk()
    session = one.open()
    lesion = add_lesion(session)
    session.set_role("s4", Role.FLAIR)
    one.saved()
    session.close()
    study = moved(moved(head_study(32), "s1", origin=(-30.0, -32.0, -32.0)), "s4", frame="1.9")
    study = replace(study, series=tuple(s for s in study.series if s.id != "s5"))
    two = desk()
    session = two.open(study)
    assert "3 of 5 series of the case do not match" in two.texts
    assert "series s1: another geometry" in two.texts
    assert "series s4: another frame of reference" in two.texts
    assert "series s5: not in this study" in two.texts
    assert session.find_series(session.case.lesions[0].mask.series_id) is None, "it is drawn on no other pixels"
    assert session.find_series("s4").role.role is Role.T2  # type: ignore[union-attr]
    session.add_drawing(replace(a_length(), series_id="s3"))
    two.saved()
    session.close()
    three = desk()
    session = three.open()
    assert session.case.lesions[0].mask.series_id == "s1"
    assert session.case.lesions[0].tracking_uid == lesion.tracking_uid
    assert session.find_series("s4").role.role is Role.FLAIR  # type: ignore[union-attr]
    assert len(session.case.drawings) == 1


def test_a_study_of_files_that_was_moved_is_found_again_by_its_case(
    desk: MakeDesk, tmp_path: Path, capnon_folder: Path
) -> None:
    (tmp_path / "one").symlink_to(capnon_folder)
    one = desk()
    session = one.session
    session.open(tmp_path / "one")
    one.until(lambda: session.study is not None and session.saving == "saved as you work", 120)
    t1 = next(s for s in session.series if s.role.role is Role.T1)
    session.set_role(t1.id, Role.FLAIR)
    session.add_drawing(replace(a_length(), series_id=t1.id, frame_of_reference_uid=t1.frame_of_reference_uid))
    one.until(lambda: session.saving == "saved, revision 2")
    case = session.case_path
    assert case is not None
    session.close()
    (tmp_path / "one").rename(tmp_path / "two")

    two = desk()
    session = two.session
    wanted: list[tuple[str, str]] = []
    session.study_wanted.connect(lambda path, why: wanted.append((path, why)))
    session.open(case)
    two.until(lambda: bool(wanted))
    assert wanted[0][0] == str(case)
    session.open(case, study=tmp_path / "two")
    two.until(lambda: session.study is not None and session.saving == "saved, revision 2", 120)
    assert session.find_series(t1.id).role.role is Role.FLAIR  # type: ignore[union-attr]
    assert len(session.case.drawings) == 1
    session.close()
    three = desk()
    three.session.open(case)
    three.until(lambda: three.session.study is not None, 120)
    assert three.session.path == str(tmp_path / "two"), "where it went is remembered"


def test_a_case_of_another_study_is_refused(desk: MakeDesk, tmp_path: Path) -> None:
    one = desk()
    add_lesion(one.open())
    one.saved()
    one.session.close()
    other = head_study(32)
    other = replace(other, series=tuple(
        replace(s, series_uid=f"7.{s.series_uid}", study_uid="7.1.2.3") for s in other.series))
    shutil.copy(case_file(tmp_path), tmp_path / "mine.neuraxis")
    two = desk()
    two.session.set_study(other, case=tmp_path / "mine.neuraxis")
    two.until(lambda: bool(two.messages))
    assert "belongs to another study" in two.texts
    assert two.session.case.lesions == ()
    assert two.session.saving.startswith("not saved")


def test_the_series_of_a_study_may_be_opened_one_at_a_time(desk: MakeDesk) -> None:
    study = head_study(32)
    for number, series in enumerate(study.series[:2]):
        one = desk()
        session = one.open(replace(study, series=(series,)))
        session.toggle_key_image(series.id, (number, 8))
        one.saved()
        session.close()
    session = desk().open(study)
    assert session.case.key_images == (("s1", 0), ("s3", 1))


def test_a_case_whose_first_page_is_damaged_comes_back_from_its_copy_and_says_so(desk: MakeDesk, tmp_path: Path) -> None:
    one = desk()
    add_lesion(one.open())
    one.saved()
    one.session.close()
    path = case_file(tmp_path)
    CaseFile.open(path).close()  # makes a copy
    content = path.read_bytes()
    path.write_bytes(bytes(4096) + content[4096:])
    two = desk()
    assert len(two.open().case.lesions) == 1
    assert "was restored, the damaged file kept as" in two.texts


def test_the_second_program_is_told_who_holds_the_case_and_changes_nothing(desk: MakeDesk) -> None:
    one, two = desk(), desk()
    first = one.open()
    add_lesion(first)
    one.saved()
    second = two.open()
    assert second.is_read_only
    assert f"process {os.getpid()}" in two.texts
    assert "File > Save case as" in two.texts
    assert len(second.case.lesions) == 1
    two.messages.clear()
    second.delete_lesion(second.case.lesions[0].tracking_uid)
    second.segment_at("s1", (-10.0, 8.0, 4.0))
    assert len(second.case.lesions) == 1
    assert "open for reading only" in two.texts
    first.add_drawing(a_length())
    one.saved()
    assert [r.action for r in first.revisions] == ["segment lesion", "draw length"]


def test_a_case_of_a_newer_program_is_shown_and_not_changed(desk: MakeDesk, tmp_path: Path) -> None:
    one = desk()
    add_lesion(one.open())
    one.saved()
    one.session.close()
    with sqlite3.connect(case_file(tmp_path)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    two = desk()
    session = two.open()
    assert "newer program" in two.texts
    assert len(session.case.lesions) == 1
    session.add_drawing(a_length())
    assert session.case.drawings == ()


def test_save_case_as_goes_on_in_the_new_file_and_the_study_finds_it_again(desk: MakeDesk, tmp_path: Path) -> None:
    one = desk()
    session = one.open()
    add_lesion(session)
    session.save_case_as(tmp_path / "kept.neuraxis")
    session.add_drawing(a_length())
    one.until(lambda: session.case_path == tmp_path / "kept.neuraxis")
    one.saved()
    session.undo()
    one.until(lambda: not session.case.drawings)
    session.redo()
    session.toggle_key_image("s1", (3, 32))
    one.saved()
    session.close()
    two = desk()
    session = two.open()
    assert session.case_path == tmp_path / "kept.neuraxis", "the case in the case folder leads there"
    assert (len(session.case.lesions), len(session.case.drawings), session.case.key_images) == (1, 1, (("s1", 3),))
    session.save_case_as(tmp_path / "kept.neuraxis")
    two.until(lambda: "is there already" in two.texts)
    assert session.saving.startswith("saved")
    session.close()
    (tmp_path / "kept.neuraxis").unlink()
    session = desk().open()
    assert session.case.lesions, "where that file is gone, the one in the case folder is open again"


def test_a_read_only_case_is_copied_to_be_edited(desk: MakeDesk, tmp_path: Path) -> None:
    one, two = desk(), desk()
    add_lesion(one.open())
    one.saved()
    session = two.open()
    session.save_case_as(tmp_path / "mine.neuraxis")
    two.until(lambda: not session.is_read_only and session.saving.startswith("saved"))
    session.add_drawing(a_length())
    two.saved()
    assert (len(session.case.lesions), len(session.case.drawings)) == (1, 1)
    assert len(one.session.case.drawings) == 0


def limit_pages(session: StudySession) -> sqlite3.Connection:
    """The file cannot grow: what SQLite answers is that of a full disk."""
    assert session._keeper is not None
    assert session._keeper.case is not None
    connection = session._keeper.case.file._connection
    connection.execute("PRAGMA max_page_count = 1")  # never below what the file has
    return connection


def test_a_full_disk_is_told_once_nothing_is_lost_and_saving_goes_on(
    desk: MakeDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neuraxis.app.case_keeping.RETRY_SECONDS", 0.05)
    one = desk()
    session = one.open()
    add_lesion(session)
    one.saved()
    connection = limit_pages(session)
    made = [add_lesion(session, 100 + step).tracking_uid for step in range(40)]
    one.until(lambda: session.saving.startswith("NOT SAVED"))
    assert unsaved(session)
    assert "the disk is full" in one.texts
    assert len(one.messages) == 1, "said once, not every time it is tried"
    assert "what was saved before is intact" in one.texts
    assert "Save case as" in one.texts
    assert len(session.case.lesions) == 41, "the reader works on"
    with CaseFile.open(case_file(tmp_path)) as other:
        earlier = {o.uid for o in other.objects()}
        other.verify()
    assert 1 <= len(earlier) < 41
    session.undo()
    connection.execute("PRAGMA max_page_count = 1000000")
    one.saved()
    assert "Everything is saved again." in one.texts
    assert not unsaved(session)
    session.close()
    assert {x.tracking_uid for x in desk().open().case.lesions} >= set(made[:-1])


def test_a_case_that_turns_read_only_in_the_middle_is_told_and_can_be_kept_elsewhere(
    desk: MakeDesk, tmp_path: Path
) -> None:
    one = desk()
    session = one.open()
    add_lesion(session, 1)
    one.saved()
    assert session._keeper is not None
    assert session._keeper.case is not None
    session._keeper.case.file._connection.execute("PRAGMA query_only = 1")
    add_lesion(session, 2)
    one.until(lambda: session.saving.startswith("NOT SAVED"))
    assert "readonly" in one.texts
    session.save_case_as(tmp_path / "kept.neuraxis")
    one.until(lambda: session.case_path == tmp_path / "kept.neuraxis")
    one.saved()
    assert [r.action for r in session.revisions] == ["segment lesion", "segment lesion"]
    session.close()


def test_without_a_place_for_cases_the_work_goes_on_and_is_said_to_be_unsaved(tmp_path: Path) -> None:
    (tmp_path / "cases").write_text("a file in the way")
    one = Desk(tmp_path / "cases")
    session = one.open()
    assert "is not saved" in one.texts
    add_lesion(session)
    assert unsaved(session)
    session.save_case_as(tmp_path / "kept.neuraxis")
    one.saved()
    assert [r.action for r in session.revisions] == ["segment lesion"]
    assert not unsaved(session)
    session.close()


def test_the_case_names_no_path_in_plain_text_and_its_folder_is_private(desk: MakeDesk, tmp_path: Path) -> None:
    home = tmp_path / "DOE^JANE" / "study of Jane"
    home.mkdir(parents=True)
    one = desk()
    add_lesion(one.open(path=str(home)))
    one.saved()
    one.session.close()
    content = b"".join(p.read_bytes() for p in (tmp_path / "cases").rglob("*") if p.is_file())
    assert b"DOE" not in content
    assert b"Jane" not in content
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / "cases").stat().st_mode) == 0o700


def many_lesions(path: Path, count: int) -> Study:
    """A case of so many lesions with thirteen tags each."""
    study = head_study(64)
    opened = open_case(path, study)
    lesion = lesion_from_mask(study.series[0], LesionMask(
        study.series[0].geometry, (2, 3, 4), np.random.default_rng(0).random((9, 21, 17)) > 0.5, "s1", "1.2.1"))  # type: ignore[arg-type]
    values = tuple((v, Verdict.NEUTRAL, "12 of 34 voxels") for v in ("a", "b", "c"))
    from neuraxis.domain.tag import Evidence

    evidence = Evidence("metric", 1.5, "HU", "1.2.1", "rule [prop]", Verdict.SUPPORTS, "a reason", 0.2, (1.0, 2.0, 3.0))
    with opened.file as case:
        for number in range(count):
            uid = f"2.25.{number}"
            rng = np.random.default_rng(number)
            mask = replace(lesion.mask, box=rng.random((9, 21, 17)) > 0.5)
            tags = tuple(Tag(f"concept {k}", "a", Verdict.SUPPORTS, (evidence, evidence), values) for k in range(13))
            made = replace(lesion, tracking_uid=uid, mask=mask)
            case.commit("drew", [case.keep("lesion", uid, made, 0), case.keep("tags", uid, tags, 0)], author="x")
    return study


def test_a_case_of_two_hundred_lesions_opens_whole(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    study = many_lesions(tmp_path / "a.neuraxis", 200)
    start = time.process_time()
    opened = open_case(tmp_path / "a.neuraxis", study)
    record_property("cpu_seconds_to_open_200_lesions", time.process_time() - start)
    opened.file.close()
    assert sum(kind == "lesion" for kind, _ in opened.records) == 200
    assert opened.notes == ()


@pytest.mark.parametrize("with_copy", [True, False])
def test_a_damaged_mask_is_named_and_the_rest_opens(desk: MakeDesk, tmp_path: Path, with_copy: bool) -> None:
    one = desk()
    session = one.open()
    lost, kept = add_lesion(session, 1), add_lesion(session, 2)
    one.saved()
    session.close()
    path = case_file(tmp_path)
    if with_copy:
        CaseFile.open(path).close()
    connection = sqlite3.connect(path)
    (key,) = connection.execute("SELECT key FROM array ORDER BY rowid LIMIT 1").fetchone()
    connection.execute("UPDATE array SET content = zeroblob(length(content)) WHERE key = ?", (key,))
    connection.commit()
    connection.close()
    two = desk()
    session = two.open()
    assert key[:12] in two.texts
    if with_copy:
        assert [x.tracking_uid for x in session.case.lesions] == [lost.tracking_uid, kept.tracking_uid]
        assert np.array_equal(session.case.lesions[0].mask.box, lost.mask.box)
        assert "taken from the copy" in two.texts
        return
    assert [x.tracking_uid for x in session.case.lesions] == [kept.tracking_uid]
    assert f"lesion {lost.tracking_uid[-12:]} cannot be read and is left out" in two.texts
    session.add_drawing(a_length())
    two.saved()
    with CaseFile.open(path) as case:
        assert case.version("lesion", lost.tracking_uid) == 1, "it is left as it is, not deleted"


def test_a_damaged_state_is_named_and_the_rest_opens(desk: MakeDesk, tmp_path: Path) -> None:
    one = desk()
    session = one.open()
    session.add_drawing(a_length("2.25.1"))
    session.add_drawing(a_length("2.25.2"))
    one.saved()
    session.close()
    connection = sqlite3.connect(case_file(tmp_path))
    connection.execute("DROP TRIGGER change_is_append_only")
    connection.execute("UPDATE change SET state = zeroblob(length(state)) WHERE uid = '2.25.1'")
    connection.commit()
    connection.close()
    two = desk()
    session = two.open()
    session.restore_revision(1)
    two.until(lambda: "revision 1 is not whole" in two.texts)
    assert [d.uid for d in session.case.drawings] == ["2.25.2"]
    assert "drawing 2.25.1 cannot be read and is left out" in two.texts
    assert "damaged on disk" in two.texts


def test_a_write_that_another_program_got_ahead_of_is_refused_and_said(desk: MakeDesk, tmp_path: Path) -> None:
    """Only a file system that ignores locks lets this happen."""
    one = desk()
    session = one.open()
    session.add_drawing(a_length())
    one.saved()
    connection = sqlite3.connect(case_file(tmp_path))
    (state,) = connection.execute("SELECT state FROM change WHERE uid = '2.25.7'").fetchone()
    connection.execute("INSERT INTO revision VALUES (99, '', 'other', 'moved', 'edit', NULL, '')")
    connection.execute("INSERT INTO change VALUES (99, 'drawing', '2.25.7', 2, ?)", (state,))
    connection.commit()
    connection.close()
    session.add_drawing(a_length("2.25.7", 20.0))
    one.until(lambda: session.saving.startswith("NOT SAVED"))
    assert "changed meanwhile" in one.texts
    assert session.has_unsaved_work


def test_a_reader_that_is_killed_loses_nothing_that_was_told_as_saved() -> None:
    script = Path(__file__).resolve().parents[1] / "case" / "kill_study.py"
    done = subprocess.run([sys.executable, str(script), "--kills", "6", "--seed", "3"], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 lost, 0 cases damaged" in done.stdout


def test_study_folder_and_case_folder_have_no_name_in_common(tmp_path: Path) -> None:
    study = head_study(32)
    path = case_path_for(study, tmp_path)
    assert path.suffix == ".neuraxis"
    assert len(path.stem) == 32
    assert path == case_path_for(replace(study, path="/elsewhere"), tmp_path)
    assert path == case_path_for(replace(study, series=study.series[:2]), tmp_path), "a part of the study is the same study"
