"""Fills the disk under a session at ever other moments and counts what was lost: `disk_study.py --points 50`.

Each round forks a process that opens a case with work in it, may then write so many more bytes to any file (the limit
of the operating system for a process), works on until saving fails, and gets space again. The message must have come,
the earlier state must have stayed whole, and everything must be in the file in the end. Then the case is opened while
nothing longer than that may be written at all: it must show what it holds, or say why not, and be whole afterwards.
Exit code 1 where anything is not so.
"""

from __future__ import annotations

import argparse
import os
import queue
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.app.synthetic_study import head_study
from tests.case.kill_study import Reader

from neuraxis.app import case_keeping
from neuraxis.app.case_opening import case_path_for, open_case
from neuraxis.app.session import StudySession
from neuraxis.domain.study import Study
from neuraxis.errors import NeuraxisError

BYTES_A_POINT = 2311
"""No multiple of a page, so that the limit falls on every kind of write."""


class SilentError(Exception):
    """The session did not do what it has to."""


def pump(waiting: queue.SimpleQueue[Callable[[], None]], until: Callable[[], bool], what: str) -> None:
    """Run what the session delivers until something is so."""
    end = time.monotonic() + 30
    while not until():
        if time.monotonic() > end:
            raise SilentError(f"{what} never came")
        while not waiting.empty():
            waiting.get()()
        time.sleep(0.001)


def work_on_a_full_disk(study: Study, folder: Path, point: int) -> str:
    """What went wrong, in words; "" where everything was as it must be."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    case_keeping.RETRY_SECONDS = 0.02
    waiting: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    session = StudySession(waiting.put)
    session.case_folder = folder
    told: list[str] = []
    session.message_posted.connect(lambda m: told.append(m.text))
    session.set_study(study)
    pump(waiting, lambda: session.saving != "opening the case", "the case")
    reader = Reader(session, point)
    for _ in range(6):
        reader.segment()
    pump(waiting, lambda: session.saving.startswith("saved, revision 6"), "the first six steps")
    path = case_path_for(study, folder)
    largest = max(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest + point * BYTES_A_POINT, unlimited[1]))
    for _ in range(400):
        reader.segment()
        while not waiting.empty():
            waiting.get()()
        if session.saving.startswith("NOT SAVED"):
            break
        time.sleep(0.001)
    pump(waiting, lambda: session.saving.startswith("NOT SAVED"), "the failure")
    if not told or "cannot save" not in told[0]:
        return f"no message: {told}"
    before = open_case(path, study)  # as another program, which reads
    saved = {uid for kind, uid in before.records if kind == "lesion"}
    before.file.verify()
    before.file.close()
    if len(saved) < 6:
        return "an earlier step is gone"
    resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    pump(waiting, lambda: session.saving.startswith("saved"), "saving again")
    made = {x.tracking_uid for x in session.case.lesions}
    session.close()
    after = open_case(path, study)
    there = {uid for kind, uid in after.records if kind == "lesion"}
    after.file.verify()
    after.file.close()
    return open_on_a_full_disk(study, folder, point, made) if there == made else f"{len(made - there)} steps lost"


def open_on_a_full_disk(study: Study, folder: Path, point: int, made: set[str]) -> str:
    """What went wrong, in words, when the case was opened with no room; "" where it was as it must be."""
    waiting: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    session = StudySession(waiting.put)
    session.case_folder = folder
    told: list[str] = []
    session.message_posted.connect(lambda m: told.append(m.text))
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (point * BYTES_A_POINT, unlimited[1]))
    session.set_study(study)
    pump(waiting, lambda: session.saving != "opening the case", "the case on a full disk")
    seen = {x.tracking_uid for x in session.case.lesions}
    session.close()
    resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    again = open_case(case_path_for(study, folder), study)
    there = {uid for kind, uid in again.records if kind == "lesion"}
    again.file.verify()
    again.file.close()
    if there != made:
        return "steps lost by opening on a full disk"
    return "" if seen == made or told else "opened empty without a word"


def one_point(study: Study, folder: Path, point: int) -> str:
    """One round in a process of its own."""
    reading, report = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            said = work_on_a_full_disk(study, folder, point)
        except (SilentError, NeuraxisError) as error:
            said = str(error)
        os.write(report, said.encode() or b"\0")
        os._exit(0)
    os.close(report)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(child, 0)
    return "" if said == "\0" else said or "the process died"


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=50)
    parser.add_argument("--first", type=int, default=0)
    given = parser.parse_args()
    study, wrong = head_study(24), 0
    for point in range(given.first, given.first + given.points):
        with tempfile.TemporaryDirectory() as name:
            said = one_point(study, Path(name) / "cases", point)
        if said:
            wrong += 1
            print(f"{point * BYTES_A_POINT} bytes more: {said}", file=sys.stderr)
    print(f"disk full at {given.points} moments: {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
