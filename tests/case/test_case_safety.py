"""What may go wrong around a case file, through processes: another program, no room, a file that is gone."""

from __future__ import annotations

import datetime
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.app.session_on_disk import Desk
from tests.app.synthetic_study import head_study
from tests.case.test_case_file import notes, set_note

from neuraxis.app.case_opening import case_path_for
from neuraxis.case import database
from neuraxis.case.case_file import CaseFile
from neuraxis.errors import ReadError, WriteError

HERE = Path(__file__).resolve().parent
NEURAXIS = Path(sys.executable).with_name("neuraxis")


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(HERE / script), *arguments], capture_output=True, text=True, check=False)


def test_a_disk_that_fills_up_under_the_session_costs_nothing() -> None:
    done = run("disk_study.py", "--points", "1", "--first", "3")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of sixteen megabytes, where one may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if not (sys.platform.startswith("linux") and mount and umount and os.geteuid() == 0) or subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)], capture_output=True, check=False
    ).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run([umount, "-l", str(folder)], check=True)


def test_a_real_disk_without_room_is_said_and_saving_goes_on_when_there_is_some(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.app.test_durable_session import a_length, add_lesion

    monkeypatch.setattr("neuraxis.app.case_keeping.RETRY_SECONDS", 0.05)
    desk = Desk(small_disk / "cases")
    session = desk.open(head_study(24))
    add_lesion(session, 1)
    desk.saved()
    ballast = small_disk / "ballast"
    handle = os.open(ballast, os.O_WRONLY | os.O_CREAT)
    while shutil.disk_usage(small_disk).free:
        os.write(handle, bytes(4096))
    os.close(handle)
    for number in range(60):
        session.add_drawing(a_length(f"2.25.{number}"))
    desk.until(lambda: session.saving.startswith("NOT SAVED"))
    assert "disk" in desk.texts
    with CaseFile.open(case_path_for(head_study(24), small_disk / "cases")) as other:
        other.verify()
        assert other.revisions()
    ballast.unlink()
    desk.saved()
    assert len(session.revisions) == 61
    session.close()
    with CaseFile.open(case_path_for(head_study(24), small_disk / "cases")) as case:
        assert len([o for o in case.objects() if o.kind == "drawing"]) == 60


def test_a_case_that_cannot_be_read_now_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.neuraxis"
    with CaseFile.open(path) as case:
        set_note(case, "a", 1)
        case.copy()
    before = path.read_bytes()

    def no_room(_path: Path) -> sqlite3.Connection:
        error = sqlite3.OperationalError("unable to open database file")
        error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
        raise error

    with monkeypatch.context() as full:
        full.setattr(database, "open_for_reading", no_room)
        with pytest.raises(ReadError, match="cannot be read now"):
            CaseFile.open(path)
    assert path.read_bytes() == before
    assert not list(tmp_path.glob("*.damaged*")), "no room is no damage"
    with CaseFile.open(path) as case:
        assert (notes(case), case.notes, case.is_writable) == ({"a": 1}, (), True)


def test_a_case_that_is_gone_comes_back_from_its_newest_copy_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.neuraxis"
    with CaseFile.open(path) as case:
        set_note(case, "a", 1)
        case.copy()
    path.unlink()
    with CaseFile.open(path) as case:
        assert notes(case) == {"a": 1}
        assert "was gone" in case.notes[0]


def test_without_room_for_the_copy_a_damaged_case_is_not_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.neuraxis"
    with CaseFile.open(path) as case:
        set_note(case, "a", 1)
        case.copy()
    path.write_bytes(b"damaged" * 1000)

    def no_room(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", no_room)
    with pytest.raises(ReadError, match="damaged or no case"):
        CaseFile.open(path)
    assert path.read_bytes().startswith(b"damaged")


def test_a_case_without_room_for_a_second_copy_opens_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.neuraxis"
    with CaseFile.open(path) as case:
        set_note(case, "a", 1)

    def no_room(*_: object) -> None:
        raise WriteError("x.copy cannot be written: disk full")

    monkeypatch.setattr(database, "write_copy", no_room)
    with CaseFile.open(path) as case:
        assert case.is_writable
        assert "no second copy" in case.notes[0]


def test_two_programs_that_make_the_same_case_at_once_use_one_file(tmp_path: Path) -> None:
    path = tmp_path / "a.neuraxis"
    with CaseFile.open(path) as first:
        database.create(path)  # what a second program does that looked a moment earlier
        set_note(first, "a", 1)
    with CaseFile.open(path) as case:
        assert notes(case) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir() if p.name.endswith(".new")] == []


HOLDER = """
import sys, pathlib, time
from neuraxis.case.case_file import CaseFile
case = CaseFile.open(pathlib.Path(sys.argv[1]))
print(case.is_writable, flush=True)
time.sleep(600)
"""


def test_a_case_that_another_process_holds_opens_read_only_and_is_free_when_that_is_killed(tmp_path: Path) -> None:
    path = case_path_for(head_study(24), tmp_path / "cases")
    path.parent.mkdir()
    other = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        desk = Desk(tmp_path / "cases")
        session = desk.open(head_study(24))
        assert session.is_read_only
        assert f"process {other.pid}" in desk.texts
        session.close()
    finally:
        other.kill()
        other.wait()
        assert other.stdout is not None
        other.stdout.close()
    again = Desk(tmp_path / "cases")
    assert again.open(head_study(24)).saving == "saved as you work"
    again.session.close()


def test_copies_are_made_while_one_works_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neuraxis.app.case_keeping.COPY_SECONDS", 0.0)
    monkeypatch.setattr("neuraxis.app.case_keeping.RETRY_SECONDS", 0.02)
    desk = Desk(tmp_path / "cases")
    session = desk.open(head_study(24))
    assert session.case_path is not None
    path = session.case_path
    desk.until(lambda: bool(database.copies_of(path)))
    session.close()
    assert datetime.datetime.strptime(database.copies_of(path)[0].stem, "%Y%m%dT%H%M%S%f").year >= 2020


@pytest.mark.parametrize(("arguments", "code", "said"), [
    (["nowhere.neuraxis"], 1, "does not exist"),
    (["{study}", "--study", "{study}"], 2, "only a case file takes a study"),
    (["{case}", "--study", "nowhere"], 1, "nowhere does not exist"),
])
def test_the_command_line_says_what_does_not_fit(tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    CaseFile.open(tmp_path / "a.neuraxis").close()
    given = [a.format(study=tmp_path, case=tmp_path / "a.neuraxis") for a in arguments]
    done = subprocess.run([str(NEURAXIS), "open", *given], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
