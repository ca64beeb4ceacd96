"""Kills a session that is being worked in, again and again, and counts what was lost: `kill_study.py --kills 1000`.

Each round forks a process that opens the case of a study and works as a reader does (lesions, strokes, tags, drawings,
roles, windows, undo and redo), kills it with SIGKILL at a random moment, also while the case is being opened, and
looks at the file: every revision that the session had reported as saved must be there with its digest, the chain of
digests whole, every object readable, and the case free to write. Exit code 1 where anything is lost.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import random
import select
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.app.synthetic_study import CT_FRAME, head_study

from neuraxis.app.case_opening import case_path_for, open_case
from neuraxis.app.history import Drawing
from neuraxis.app.session import StudySession
from neuraxis.app.workup import lesion_from_mask
from neuraxis.domain.lesion import Lesion, LesionMask
from neuraxis.domain.study import Role, Study
from neuraxis.domain.tag import Tag, Verdict
from neuraxis.domain.window import Window

KILLS_A_CASE = 10
"""Then a new case is begun, so that checking the chain of digests stays quick."""


@dataclass
class Count:
    """What the rounds came to."""

    kills: int = 0
    while_opening: int = 0
    acknowledged: int = 0
    lost: int = 0
    unopenable: int = 0


class Reader:
    """Works in a session without pause."""

    def __init__(self, session: StudySession, seed: int) -> None:
        self.session, self.dice = session, random.Random(seed)
        self.numbers = np.random.default_rng(seed)

    def step(self) -> None:
        """One thing that a reader does."""
        session, dice = self.session, self.dice
        acts: list[Callable[[], None]] = [self.segment, self.stroke, self.stroke, self.tag, self.draw, session.undo,
                                          session.redo, self.window, self.role, self.key_image, self.delete]
        dice.choice(acts)()

    def _mask(self) -> LesionMask:
        series = self.session.series[0]
        assert series.geometry is not None
        box = self.numbers.random((7, 9, 8)) > 0.4
        return LesionMask(series.geometry, (4, 5, 6), box, series.id, series.series_uid)

    def _any_lesion(self) -> Lesion | None:
        lesions = self.session.case.lesions
        return self.dice.choice(lesions) if lesions else None

    def segment(self) -> None:
        """A new lesion."""
        lesion = lesion_from_mask(self.session.series[0], self._mask())
        self.session.change("segment lesion", self.session.case.with_lesion(lesion))

    def stroke(self) -> None:
        """Another mask for a lesion; it is measured in the background."""
        lesion = self._any_lesion()
        if lesion is not None:
            self.session.edit_mask(lesion.tracking_uid, self._mask())

    def tag(self) -> None:
        """A word on a lesion."""
        lesion = self._any_lesion()
        if lesion is not None:
            tags = (Tag("calcification", self.dice.choice(("dense", "none")), Verdict.SUPPORTS, asserted_by="reader"),)
            self.session.change("tag calcification", self.session.case.with_tags(lesion.tracking_uid, tags))

    def draw(self) -> None:
        """A length."""
        points = ((0.0, 0.0, 0.0), (self.dice.uniform(1, 20), 0.0, 0.0))
        uid = self.session.new_drawing_uid()
        self.session.add_drawing(Drawing(uid, "length", "s1", CT_FRAME, points, (0.0, 0.0, 1.0)))

    def window(self) -> None:
        """A window that is dragged."""
        for width in range(3):
            self.session.set_window("s1", Window(40.0, self.dice.uniform(60, 400) + width))

    def role(self) -> None:
        """A series is something else."""
        self.session.set_role("s3", self.dice.choice((Role.T1, Role.T1C, Role.FLAIR)))

    def key_image(self) -> None:
        """A slice is marked."""
        self.session.toggle_key_image("s1", (self.dice.randrange(20), 20))

    def delete(self) -> None:
        """A lesion goes, seldom."""
        lesion = self._any_lesion()
        if lesion is not None and self.dice.random() < 0.2:
            self.session.delete_lesion(lesion.tracking_uid)


def work_until_killed(study: Study, folder: Path, seed: int, report: int) -> None:
    """Open the case and work; each revision is written to the pipe when the session says that it is saved."""
    waiting: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    session = StudySession(waiting.put)
    session.case_folder = folder
    told = 0

    def tell() -> None:
        nonlocal told
        for revision in session.revisions[told:]:
            os.write(report, json.dumps([revision.number, revision.digest]).encode() + b"\n")
        told = len(session.revisions)

    session.revisions_changed.connect(tell)
    session.set_study(replace(study))
    reader = Reader(session, seed)
    while True:
        reader.step()
        end = time.monotonic() + reader.dice.uniform(0, 0.01)
        while time.monotonic() < end or not waiting.empty():
            while not waiting.empty():
                waiting.get()()
            time.sleep(0.0005)


def one_round(study: Study, folder: Path, dice: random.Random, count: Count) -> None:
    """Fork, work, kill, look."""
    reading, report = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            work_until_killed(study, folder, dice.randrange(2**31), report)
        finally:
            os._exit(3)
    os.close(report)
    if dice.random() < 0.8:
        select.select([reading], [], [], 30.0)  # until the first step is told as saved
        time.sleep(dice.uniform(0, 0.25))
    else:
        time.sleep(dice.uniform(0, 0.3))  # while the case is being opened, or soon after
    os.kill(child, signal.SIGKILL)
    with os.fdopen(reading, "rb") as pipe:
        lines = pipe.read().split(b"\n")[:-1]
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        raise SystemExit("the reader stopped by itself: that is a fault of the study")
    count.kills += 1
    count.while_opening += not lines
    acknowledged = [tuple(json.loads(line)) for line in lines]
    count.acknowledged += len(acknowledged)
    path = case_path_for(study, folder)
    if not path.exists() and not acknowledged:
        return
    try:
        opened = open_case(path, study)
    except Exception as error:  # whatever it is, the case did not open
        print(f"did not open: {error}", file=sys.stderr)
        count.unopenable += 1
        count.lost += len(acknowledged)
        return
    with opened.file as case:
        there = {(r.number, r.digest) for r in case.revisions()}
        lost = [number for number, digest in acknowledged if (number, digest) not in there]
        if opened.notes or not case.is_writable:
            print(f"opened with: {opened.notes}", file=sys.stderr)
            count.unopenable += 1
        try:
            case.verify()
        except Exception as error:
            print(f"chain broken: {error}", file=sys.stderr)
            count.unopenable += 1
        if lost:
            print(f"lost revisions: {lost}", file=sys.stderr)
        count.lost += len(lost)


def run(kills: int, seed: int) -> Count:
    """So many rounds."""
    dice, count, study = random.Random(seed), Count(), head_study(24)
    with tempfile.TemporaryDirectory() as name:
        for number in range(kills):
            folder = Path(name) / str(number // KILLS_A_CASE)
            one_round(study, folder, dice, count)
    return count


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    count = run(given.kills, given.seed)
    print(f"{count.kills} kills ({count.while_opening} before the first saved step was told), "
          f"{count.acknowledged} steps told as saved: {count.lost} lost, {count.unopenable} cases damaged or not opened")
    return 1 if count.lost or count.unopenable else 0


if __name__ == "__main__":
    sys.exit(main())
