"""The case file: what was acknowledged is there, whatever happens to program, disk or file."""

from __future__ import annotations

import datetime
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuraxis.case.binding import BindingState, bind, find_bound
from neuraxis.case.case_file import CaseFile, ConflictError
from neuraxis.case.database import SCHEMA_VERSION, copies_of
from neuraxis.case.revisions import ObjectChange, RevisionKind
from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.lesion import LesionMask
from neuraxis.domain.study import Confidence, LoadReport, Role, RoleAssignment, Series, Study
from neuraxis.domain.tag import Tag, Verdict
from neuraxis.errors import ReadError, WriteError

BY = "Reader^One"


def fixed_clock() -> datetime.datetime:
    return datetime.datetime(2026, 3, 4, 5, 6, 7, tzinfo=datetime.UTC)


def set_note(case: CaseFile, uid: str, value: Any, version: int | None = None) -> None:
    expected = case.version("note", uid) if version is None else version
    case.commit(f"wrote {value}", [ObjectChange("note", uid, value, expected)], author=BY)


def notes(case: CaseFile, at: int | None = None) -> dict[str, Any]:
    return {o.uid: o.value for o in case.objects(at)}


def a_mask(seed: int = 0, shape: tuple[int, int, int] = (9, 21, 17)) -> LesionMask:
    geometry = VolumeGeometry.axis_aligned((40, 64, 64), (0.45, 0.5, 0.6), (-1 / 3, 2.0, 3.0), "1.2.3")
    box = np.random.default_rng(seed).random(shape) > 0.5
    return LesionMask(geometry, (5, 6, 7), box, "ct", "1.2", "drawn", None, 1 / 3, float("inf"), (1.0, 2.0, 3.0))


def test_a_step_is_there_after_reopening(tmp_path: Path) -> None:
    with CaseFile.open(tmp_path / "a.nxcase", clock=fixed_clock) as case:
        assert case.is_writable
        set_note(case, "a", "first")
    with CaseFile.open(tmp_path / "a.nxcase") as case:
        assert notes(case) == {"a": "first"}
        (revision,) = case.revisions()
        assert (revision.number, revision.author, revision.action) == (1, BY, "wrote first")
        assert revision.at == "2026-03-04T05:06:07+00:00"
        case.verify()


def test_domain_values_come_back_equal(tmp_path: Path) -> None:
    mask = a_mask()
    tag = Tag("calcification", "dense", Verdict.SUPPORTS, values=(("dense", Verdict.SUPPORTS, "700 HU"),))
    with CaseFile.open(tmp_path / "a.nxcase") as case:
        case.commit("drew", [case.keep("mask", "m", mask, 0), case.keep("tag", "t", tag, 0)], author=BY)
    with CaseFile.open(tmp_path / "a.nxcase") as case:
        stored = {o.uid: o for o in case.objects()}
        back = case.read(LesionMask, stored["m"])
        assert np.array_equal(back.box, mask.box)
        assert back.geometry == mask.geometry
        assert (back.background_value, back.plateau_value, back.seed_lps_mm) == (1 / 3, float("inf"), (1.0, 2.0, 3.0))
        assert case.read(Tag, stored["t"]) == tag


def test_undo_reaches_back_across_restarts_and_redo_goes_forward(tmp_path: Path) -> None:
    path = tmp_path / "a.nxcase"
    for value in ("one", "two", "three"):
        with CaseFile.open(path) as case:
            set_note(case, "a", value)
    with CaseFile.open(path) as case:
        case.undo(author=BY)
        assert notes(case) == {"a": "two"}
    with CaseFile.open(path) as case:
        case.undo(author=BY)
        case.undo(author=BY)
        assert notes(case) == {}
        assert case.undo(author=BY) is None
        case.redo(author=BY)
        assert notes(case) == {"a": "one"}
        set_note(case, "b", "new")
        assert case.redo(author=BY) is None, "a new step ends what could be redone"
        case.undo(author=BY)
        assert notes(case) == {"a": "one"}
        assert len(case.revisions()) == 9, "nothing is ever removed from the history"
        case.verify()


def test_any_revision_is_shown_and_restored(tmp_path: Path) -> None:
    with CaseFile.open(tmp_path / "a.nxcase") as case:
        set_note(case, "a", 1)
        set_note(case, "b", 2)
        case.commit("deleted", [ObjectChange("note", "a", None, 1)], author=BY)
        set_note(case, "b", 3)
        assert notes(case, 2) == {"a": 1, "b": 2}
        revision = case.restore(2, author="Reader^Two")
        assert revision.kind is RevisionKind.RESTORE
        assert notes(case) == {"a": 1, "b": 2}
        case.undo(author=BY)
        assert notes(case) == {"b": 3}
        case.verify()


def test_a_write_with_a_version_that_is_not_the_newest_is_refused(tmp_path: Path) -> None:
    with CaseFile.open(tmp_path / "a.nxcase") as case:
        set_note(case, "a", "mine")
        before = case.revisions()
        with pytest.raises(ConflictError, match=r"version 1.*expected: version 0"):
            case.commit("late", [ObjectChange("note", "b", 1, 0), ObjectChange("note", "a", "theirs", 0)], author=BY)
        assert notes(case) == {"a": "mine"}
        assert case.revisions() == before


def test_the_second_program_reads_and_is_told_who_writes(tmp_path: Path) -> None:
    path = tmp_path / "a.nxcase"
    with CaseFile.open(path) as first, CaseFile.open(path) as second:
        assert first.is_writable
        assert not second.is_writable
        assert second.holder is not None
        assert second.holder.process == os.getpid()
        assert str(os.getpid()) in second.notes[0]
        set_note(first, "a", "seen at once")
        assert notes(second) == {"a": "seen at once"}
        with pytest.raises(WriteError, match="open for reading only"):
            set_note(second, "a", "no")
        with pytest.raises(WriteError, match="open for reading only"):
            second.undo(author=BY)
    with CaseFile.open(path) as third:
        assert third.is_writable


def test_a_case_of_a_newer_program_is_read_only(tmp_path: Path) -> None:
    path = tmp_path / "a.nxcase"
    with CaseFile.open(path) as case:
        set_note(case, "a", 1)
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    with CaseFile.open(path) as case:
        assert not case.is_writable
        assert "newer program" in case.notes[0]
        assert notes(case) == {"a": 1}


READER = """
import os, sys, pathlib
from neuraxis.case.case_file import CaseFile
from neuraxis.case.revisions import ObjectChange
from neuraxis.errors import WriteError
import neuraxis.domain.lesion, getpass, encodings.idna
if os.getuid() == 0:
    os.setuid(65534)  # permissions do not bind the superuser
case = CaseFile.open(pathlib.Path(sys.argv[1]))
print(case.is_writable, [o.value for o in case.objects()], case.notes[0])
"""


def test_a_read_only_case_opens_for_reading() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with CaseFile.open(folder / "a.nxcase") as case:
            set_note(case, "a", 1)
        for path in folder.iterdir():
            path.chmod(0o444)
        folder.chmod(0o555)
        try:
            result = subprocess.run([sys.executable, "-c", READER, str(folder / "a.nxcase")], capture_output=True,
                                    text=True, check=False)
        finally:
            folder.chmod(0o755)
        assert result.stdout.startswith("False [1] "), result.stderr
        assert "may not be written" in result.stdout


@pytest.mark.parametrize("damage", ["empty", "first page", "middle"])
def test_a_damaged_case_is_replaced_by_its_newest_copy_and_says_so(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.nxcase"
    with CaseFile.open(path) as case:
        for k in range(40):
            set_note(case, f"n{k}", "x" * 3000 + str(random.Random(k).random()) * 200)
        case.copy()
    content = bytearray(path.read_bytes())
    if damage == "empty":
        content = bytearray()
    elif damage == "first page":
        content[:4096] = bytes(4096)
    else:
        for page in range(2, len(content) // 4096):
            content[page * 4096 : page * 4096 + 64] = os.urandom(64)
    path.write_bytes(content)
    with CaseFile.open(path) as case:
        assert "restored" in case.notes[0]
        assert len(notes(case)) == 40
        case.verify()
    kept = [p for p in tmp_path.glob("a.nxcase.damaged-*") if not p.name.endswith(("-wal", "-shm"))]
    assert len(kept) == 1


def test_a_damaged_case_without_a_copy_is_an_error_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.nxcase"
    path.write_bytes(b"not a database at all" * 300)
    with pytest.raises(ReadError, match="damaged or no case"):
        CaseFile.open(path)
    assert path.read_bytes().startswith(b"not a database")
    other = sqlite3.connect(tmp_path / "b.nxcase")
    other.execute("CREATE TABLE t (x)")
    other.close()
    with pytest.raises(ReadError, match="no Neuraxis case"):
        CaseFile.open(tmp_path / "b.nxcase")


def test_a_change_made_behind_our_back_breaks_the_chain(tmp_path: Path) -> None:
    path = tmp_path / "a.nxcase"
    with CaseFile.open(path) as case:
        set_note(case, "a", 1)
        set_note(case, "a", 2)
    connection = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="append only"):
        connection.execute("UPDATE revision SET author = 'Mallory'")
    connection.execute("DROP TRIGGER revision_is_append_only")
    connection.execute("UPDATE revision SET author = 'Mallory' WHERE number = 1")
    connection.commit()
    connection.close()
    with CaseFile.open(path) as case, pytest.raises(ReadError, match=r"revision 1 .* was changed"):
        case.verify()


def test_ten_copies_are_kept(tmp_path: Path) -> None:
    moments = iter(range(100))

    def clock() -> datetime.datetime:
        return fixed_clock() + datetime.timedelta(seconds=next(moments))

    with CaseFile.open(tmp_path / "a.nxcase", clock=clock) as case:
        set_note(case, "a", 1)
        for _ in range(13):
            newest = case.copy()
    assert len(copies_of(tmp_path / "a.nxcase")) == 10
    assert copies_of(tmp_path / "a.nxcase")[0] == newest


FULL_DISK = """
import resource, sys, pathlib
from neuraxis.case.case_file import CaseFile
from neuraxis.case.revisions import ObjectChange
from neuraxis.errors import WriteError
import os, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
case = CaseFile.open(pathlib.Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
saved = 0
try:
    for k in range(2000):
        case.commit(f"step {k}", [ObjectChange("note", str(k), os.urandom(2000).hex(), 0)], author="x")
        saved += 1
except WriteError as error:
    print(saved, error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
case.commit("goes on", [ObjectChange("note", "after", 1, 0)], author="x")
print(len(case.objects()))
"""


def test_a_full_disk_is_said_keeps_what_was_saved_and_goes_on_with_space(tmp_path: Path) -> None:
    result = subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path / "a.nxcase")], capture_output=True, text=True,
                            check=True)
    first, second = result.stdout.splitlines()
    saved = int(first.split()[0])
    assert saved > 10
    assert "cannot save to a.nxcase" in first
    assert int(second) == saved + 1
    with CaseFile.open(tmp_path / "a.nxcase") as case:
        assert len(case.objects()) == saved + 1
        case.verify()


EDITOR = """
import sys, pathlib, os
from neuraxis.case.case_file import CaseFile
from neuraxis.case.revisions import ObjectChange
case = CaseFile.open(pathlib.Path(sys.argv[1]))
n = case.version("count", "c")
while True:
    n += 1
    change = [ObjectChange("count", "c", n, n - 1), ObjectChange("stroke", str(n), os.urandom(3000).hex(), 0)]
    case.commit(f"stroke {n}", change, author="x")
    os.write(1, f"{n}\\n".encode())
"""


def kill_while_editing(path: Path, wait: float) -> int:
    """Edit in another process, kill it without warning, return the last acknowledged edit."""
    process = subprocess.Popen([sys.executable, "-c", EDITOR, str(path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(wait)
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read()
    process.wait()
    process.stdout.close()
    complete = (first + rest).rpartition(b"\n")[0]
    return int(complete.splitlines()[-1])


def test_nothing_acknowledged_is_lost_by_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "a.nxcase"
    moments = random.Random(4)
    for _ in range(int(os.environ.get("NEURAXIS_KILLS", "12"))):
        acknowledged = kill_while_editing(path, moments.uniform(0, 0.05))
        with CaseFile.open(path) as case:
            assert case.is_writable, "the lock of a killed program is free"
            count = {o.uid: o.value for o in case.objects()}
            assert count["c"] >= acknowledged
            assert all(str(k) in count for k in range(1, acknowledged + 1))
            assert not [n for n in case.notes if "restored" in n]
    with CaseFile.open(path) as case:
        case.verify()


def test_two_processes_never_lose_an_edit(tmp_path: Path) -> None:
    """Two connections write the same object with compare-and-swap, as two programs that both got past the lock would."""
    path = tmp_path / "a.nxcase"
    code = (
        "import sys, pathlib\n"
        "from neuraxis.case import case_file, database\n"
        "from neuraxis.case.case_file import CaseFile, ConflictError\n"
        "from neuraxis.case.revisions import ObjectChange\n"
        "class NoLock(case_file.WriteLock):\n"
        "    def take(self, holder): return True\n"
        "case_file.WriteLock = NoLock\n"
        "case = CaseFile.open(pathlib.Path(sys.argv[1]))\n"
        "done = 0\n"
        "while done < 100:\n"
        "    version = case.version('count', 'c')\n"
        "    value = next((o.value for o in case.objects() if o.uid == 'c' and o.version == version), None)\n"
        "    if value is None and version: continue\n"
        "    try:\n"
        "        case.commit('add', [ObjectChange('count', 'c', (value or 0) + 1, version)], author='x')\n"
        "        done += 1\n"
        "    except ConflictError: pass\n"
    )
    CaseFile.open(path).close()
    both = [subprocess.Popen([sys.executable, "-c", code, str(path)]) for _ in range(2)]
    assert [p.wait(timeout=120) for p in both] == [0, 0]
    with CaseFile.open(path) as case:
        assert notes(case) == {"c": 200}
        case.verify()


def a_series(geometry: VolumeGeometry, uid: str = "1.2", series_id: str = "ct") -> Series:
    return Series(
        series_id, uid, "1", geometry.frame_of_reference_uid, 1, "", "CT",
        RoleAssignment(Role.CT, Confidence.CERTAIN, ""), (), 1, 1, 1, geometry, None, None,  # type: ignore[arg-type]
    )


def test_a_case_finds_its_series_wherever_the_files_lie(tmp_path: Path) -> None:
    geometry = VolumeGeometry.axis_aligned((10, 20, 30), (0.5, 0.5, 1.0), (1.0, 2.0, 3.0), "1.9")
    moved = replace(geometry, origin_lps_mm=(1.0, 2.0, 3.5))
    with CaseFile.open(tmp_path / "a.nxcase") as case:
        case.bind([bind(a_series(geometry)), bind(a_series(geometry, "1.5"))])
    with CaseFile.open(tmp_path / "a.nxcase") as case:
        known, gone = case.bindings()
    study = Study("elsewhere", (a_series(geometry, series_id="7"),), LoadReport())
    state, series = find_bound(known, study)
    assert (state, series and series.id) == (BindingState.SAME, "7")
    assert find_bound(gone, study) == (BindingState.MISSING, None)
    state, _ = find_bound(known, Study("", (a_series(moved),), LoadReport()))
    assert state is BindingState.OTHER_GEOMETRY


def test_a_case_copied_with_its_folder_opens_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    with CaseFile.open(tmp_path / "one" / "a.nxcase") as case:
        set_note(case, "a", 1)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    with CaseFile.open(tmp_path / "two" / "a.nxcase") as case:
        assert case.is_writable
        assert notes(case) == {"a": 1}


def test_two_hundred_lesions_open_within_a_second(tmp_path: Path) -> None:
    with CaseFile.open(tmp_path / "a.nxcase") as case:
        for k in range(200):
            case.commit("drew", [case.keep("mask", str(k), a_mask(k, (30, 50, 50)), 0)], author=BY)
    start = time.process_time()
    with CaseFile.open(tmp_path / "a.nxcase") as case:
        masks = [case.read(LesionMask, o) for o in case.objects()]
    assert time.process_time() - start < 1.0
    assert len(masks) == 200


def test_a_large_stroke_is_durable_within_a_fifth_of_a_second(tmp_path: Path) -> None:
    mask = LesionMask(
        VolumeGeometry.axis_aligned((60, 512, 512), (0.5, 0.5, 1.0)), (0, 0, 0), np.zeros((60, 400, 400), dtype=bool)
    )
    mask.box[10:50, 100:300, 100:300] = True
    with CaseFile.open(tmp_path / "a.nxcase") as case:
        start = time.process_time()
        case.commit("drew", [case.keep("mask", "m", mask, 0)], author=BY)
        assert time.process_time() - start < 0.2


def test_the_limits_of_the_machine_are_as_before() -> None:
    """The full-disk test changes the limits of another process only."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
