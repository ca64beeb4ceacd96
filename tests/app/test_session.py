"""The session without a window: volumes in the background, linked points, undo, errors as messages."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.app.synthetic_study import CT_FRAME, MR_FRAME, MemorySource, head_study, series_of, sphere_volume, study_of

from neuraxis.app.jobs import Job, JobCancelledError, JobRunner, UnexpectedError
from neuraxis.app.open_study import Message, default_window
from neuraxis.app.session import StudySession
from neuraxis.domain.study import Role
from neuraxis.domain.tag import Tag, Verdict
from neuraxis.domain.transform import Registration
from neuraxis.domain.volume import ValueKind
from neuraxis.domain.window import Window, window_preset
from neuraxis.errors import NeuraxisError, ReadError


class Mailbox:
    """Delivers on the test's thread when asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Callable[[], None]] = []

    def deliver(self, function: Callable[[], None]) -> None:
        with self._lock:
            self._waiting.append(function)

    def run_until(self, condition: Callable[[], bool], seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "nothing came back"
            with self._lock:
                ready, self._waiting = self._waiting, []
            for function in ready:
                function()
            time.sleep(0.002)


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def session(mailbox: Mailbox) -> Iterator[StudySession]:
    made = StudySession(mailbox.deliver)
    yield made
    made.close()


def load(session: StudySession, mailbox: Mailbox) -> None:
    session.set_study(head_study())
    for series in session.series:
        session.request_volume(series.id)
    mailbox.run_until(lambda: not session.jobs.jobs)


def test_a_volume_is_read_once_whoever_asks(session: StudySession, mailbox: Mailbox) -> None:
    study = head_study()
    session.set_study(study)
    for _ in range(3):
        session.request_volume("s1")
    mailbox.run_until(lambda: session.volume("s1") is not None and not session.jobs.jobs)
    series = session.find_series("s1")
    assert series is not None
    assert series.volume() is session.volume("s1")
    source = study.series[0].source
    assert isinstance(source, MemorySource)
    assert source.reads == 1
    assert session.window("s1") == window_preset("brain")


def test_a_series_that_cannot_be_read_is_told_with_its_remedy(session: StudySession, mailbox: Mailbox) -> None:
    good = head_study().series[0]
    volume = good.volume()
    bad = series_of(volume, Role.CT, 1, "bad", ReadError("frame 3 is truncated", remedy="copy the file again"))
    session.set_study(study_of(bad))
    told: list[Any] = []
    session.volume_failed.connect(lambda series_id, message: told.append((series_id, message)))
    session.request_volume("s1")
    mailbox.run_until(lambda: bool(told))
    assert told == [("s1", Message("frame 3 is truncated", "", "copy the file again"))]
    assert session.failure("s1") == told[0][1]


def test_a_fault_of_the_program_becomes_a_message_and_the_thread_lives(mailbox: Mailbox) -> None:
    runner = JobRunner(mailbox.deliver, threads=1)
    failed: list[NeuraxisError] = []
    done: list[int] = []

    def broken(_job: Job) -> None:
        raise KeyError("secret")

    runner.start("breaking", "a", broken, done.append, failed.append)
    runner.start("working", "b", lambda _job: 7, done.append, failed.append)
    mailbox.run_until(lambda: bool(done and failed))
    assert isinstance(failed[0], UnexpectedError)
    assert "breaking failed: KeyError" in failed[0].found
    assert isinstance(failed[0].__cause__, KeyError)
    assert done == [7]
    runner.close()


def test_a_cancelled_job_reports_nothing(mailbox: Mailbox) -> None:
    runner = JobRunner(mailbox.deliver, threads=1)
    started, go = threading.Event(), threading.Event()
    results: list[Any] = []

    def slow(job: Job) -> int:
        started.set()
        go.wait(5)
        job.report(0.5)
        return 1

    job = runner.start("slow", "slow", slow, results.append, results.append)
    assert started.wait(5)
    job.cancel()
    with pytest.raises(JobCancelledError):
        job.report(0.1)
    go.set()
    mailbox.run_until(lambda: not runner.jobs)
    assert results == []
    runner.close()


def test_urgent_work_goes_first(mailbox: Mailbox) -> None:
    runner = JobRunner(mailbox.deliver, threads=1)
    started, gate = threading.Event(), threading.Event()
    order: list[str] = []

    def hold(_job: Job) -> None:
        started.set()
        gate.wait(5)

    runner.start("first", "first", hold, lambda _: order.append("first"), lambda _: None)
    assert started.wait(5)
    runner.start("later", "later", lambda _j: None, lambda _: order.append("later"), lambda _: None)
    runner.start("seen", "seen", lambda _j: None, lambda _: order.append("seen"), lambda _: None, urgent=True)
    gate.set()
    mailbox.run_until(lambda: len(order) == 3)
    assert order == ["first", "seen", "later"]
    runner.close()


def test_points_cross_frames_only_by_a_registration(session: StudySession, mailbox: Mailbox) -> None:
    load(session, mailbox)
    ct, t1 = session.find_series("s1"), session.find_series("s3")
    assert ct is not None
    assert t1 is not None
    start = session.point_in(t1)
    session.set_point(ct, (-10.0, 8.0, 4.0))
    assert session.point_in(t1) == start
    shift = np.eye(4)
    shift[:3, 3] = (2.0, -3.0, 1.0)
    session.set_proposal(Registration.from_array(shift, CT_FRAME, MR_FRAME, 0.4, "known"))
    assert session.point_in(t1) == pytest.approx((-8.0, 5.0, 5.0)), "a proposal can be looked at"
    assert not session.case.registrations.registrations, "but counts for nothing yet"
    session.accept_registration()
    assert session.unlinked_frames() == ()
    session.undo()
    assert session.unlinked_frames() == (MR_FRAME,)


def test_segmenting_measuring_and_undoing(session: StudySession, mailbox: Mailbox) -> None:
    load(session, mailbox)
    session.segment_at("s1", (-10.0, 8.0, 4.0))
    mailbox.run_until(lambda: not session.jobs.jobs)
    lesion = session.case.lesions[0]
    assert session.active_lesion == lesion.tracking_uid
    axis = lesion.measurement.long_axis
    assert axis is not None
    assert axis.quantity.value == pytest.approx(6.0, abs=0.5)
    session.undo()
    assert not session.case.lesions
    assert not session.active_lesion
    session.redo()
    assert session.case.lesion(lesion.tracking_uid) is lesion
    session.delete_lesion(lesion.tracking_uid)
    assert session.case.lesions == ()


def test_a_click_on_nothing_becomes_a_message(session: StudySession, mailbox: Mailbox) -> None:
    load(session, mailbox)
    told: list[Message] = []
    session.message_posted.connect(told.append)
    session.segment_at("s1", (500.0, 0.0, 0.0))
    mailbox.run_until(lambda: bool(told))
    assert told[0].is_error
    assert session.case.lesions == ()


def test_the_readers_word_outlives_new_evidence_and_takes_the_verdict_on_it(
    session: StudySession, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(session, mailbox)
    session.segment_at("s1", (-10.0, 8.0, 4.0))
    mailbox.run_until(lambda: not session.jobs.jobs)
    suggested = Tag(
        "calcification", "dense", Verdict.SUPPORTS,
        values=(("dense", Verdict.SUPPORTS, "600 HU"), ("none", Verdict.CONTRADICTS, "600 HU")),
    )
    monkeypatch.setattr("neuraxis.evidence.collect", lambda context: (suggested,))
    uid = session.active_lesion
    session.collect_tags(uid)
    mailbox.run_until(lambda: bool(session.case.tags.get(uid)))
    assert session.case.tags[uid][0].asserted_by == ""
    session.assert_tag(uid, "calcification", "none")
    assert session.case.tags[uid][0].verdict is Verdict.CONTRADICTS
    session.collect_tags(uid)
    mailbox.run_until(lambda: not session.jobs.jobs)
    assert session.case.tags[uid][0].value == "none"
    assert session.case.tags[uid][0].asserted_by
    session.assert_tag(uid, "calcification", None)
    assert session.case.tags[uid][0].value is None


def test_a_corrected_role_changes_the_series_everywhere(session: StudySession, mailbox: Mailbox) -> None:
    load(session, mailbox)
    session.set_role("s3", Role.T1C)
    series = session.find_series("s3")
    assert series is not None
    assert series.role.role is Role.T1C
    assert "reader" in series.role.reason
    assert session.current_study.find("s3").role.role is Role.T1C
    session.undo()
    assert session.find_series("s3").role.role is Role.T1  # type: ignore[union-attr]


def test_another_study_lets_go_of_the_one_before(session: StudySession, mailbox: Mailbox) -> None:
    import gc
    import weakref

    load(session, mailbox)
    volume = session.volume("s1")
    assert volume is not None
    kept = weakref.ref(volume.array.base if volume.array.base is not None else volume.array)
    session.segment_at("s1", (-10.0, 8.0, 4.0))
    mailbox.run_until(lambda: not session.jobs.jobs)
    del volume
    session.close_study()
    assert session.series == ()
    assert session.case.lesions == ()
    gc.collect()
    assert kept() is None


def test_the_study_behind_a_series_without_a_frame_stands_alone(session: StudySession) -> None:
    volume = sphere_volume(head_study().series[0].volume().geometry, (0, 0, 0), 3.0, 100, 0, "s9")
    lonely = series_of(volume, Role.CT, 1, "no frame")
    object.__setattr__(lonely, "frame_of_reference_uid", "")
    session.set_study(study_of(lonely))
    series = session.find_series("s9")
    assert series is not None
    session.set_point(series, (1.0, 2.0, 3.0))
    assert session.point_in(series) == (1.0, 2.0, 3.0)


def test_post_minus_pre_shows_what_enhances_and_nothing_else(session: StudySession, mailbox: Mailbox) -> None:
    load(session, mailbox)
    pre, post, ct = (session.find_series(k) for k in ("s3", "s6", "s1"))
    assert pre is not None
    assert post is not None
    assert ct is not None
    session.subtract(post, pre)
    mailbox.run_until(lambda: not session.jobs.jobs)
    made = session.series[-1]
    difference = made.volume()
    inside = difference.array[difference.geometry.nearest_index((-8.0, 5.0, 5.0))]
    outside = difference.array[difference.geometry.nearest_index((20.0, 20.0, 5.0))]
    assert inside == pytest.approx(180, abs=25)
    assert outside == pytest.approx(0, abs=25)
    assert not difference.is_measurable
    assert "computed" in made.description
    told: list[Message] = []
    session.message_posted.connect(told.append)
    assert session.subtract(post, ct) is None
    assert "not registered" in told[0].text


@pytest.mark.parametrize(("window", "used"), [(Window(150, 200), True), (Window(2048, 4096), False),
                                              (Window(5000, 10), False), (Window(0, 90000), False)])
def test_a_files_window_that_would_show_flat_grey_is_not_taken(window: Window, used: bool) -> None:
    volume = replace(head_study().series[1].volume(), kind=ValueKind.PHASE, unit="rad")
    small = replace(volume, array=(volume.array / 4).astype(np.float32)) if not used else volume
    series = series_of(small, Role.SWI_PHASE, 1, "phase", windows=(window,))
    assert (default_window(series, small) == window) is used
