"""One open study and everything that panels, sheets and napari layers show of it: the model behind all views."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from psygnal import Signal

from neuraxis.app.case_keeping import CaseKeeper
from neuraxis.app.case_opening import study_place
from neuraxis.app.exchanging_study import ExchangingStudy
from neuraxis.app.jobs import Job
from neuraxis.case.database import is_case_file
from neuraxis.domain.study import Study

CASE_WAIT_SECONDS = 0.5
"""A study is shown without its case where that takes longer to open; the work comes in when it is there."""


@dataclass(frozen=True, eq=False)
class FoundStudy:
    """A study that was read, where it lies, and its case where that was opened with it."""

    study: Study
    path: str
    keeper: CaseKeeper | None = None
    case: Path | None = None


class StudySession(ExchangingStudy):
    """An open study with its volumes, linked points, windows, and the reader's work with undo, kept in a case file.

    All methods are called on one thread, the owner's; long work runs in background threads and comes back through
    `deliver`. Signals are emitted on the owner's thread only. Views ask for changes through the methods and never keep
    a state of their own. What it can do is stacked by meaning: `OpenStudy` (voxels and windows), `KeptStudy` (the case
    file), `SteppedStudy` (steps and revisions), `LinkedStudy` (the linked point), `ReaderStudy` (what a reader does),
    `ExchangingStudy` (what leaves and comes in).

    Signals
    -------
    study_wanted(case path, why) : the study of a case is not where it was; `open(case path, study)` goes on
    """

    study_wanted = Signal(str, str)

    def open(self, path: str | Path, study: str | Path | None = None) -> Job:
        """Read what is under a path in the background and make it the open study, with its case.

        A case file opens the study it belongs to: the one at `study`, or where that was when it was open last.
        """
        where = Path(path)
        is_case = is_case_file(where)

        def work(job: Job) -> FoundStudy | None:
            return self._find_study(where, study, job) if is_case else self._read(str(where), job)

        def done(found: FoundStudy | None) -> None:
            if found is None:
                self.study_wanted.emit(str(where), f"the study of {where.name} is not where it was when it was open last")
            else:
                self.set_study(found.study, found.path, keeper=found.keeper, case=found.case)

        return self.jobs.start(f"reading {where.name}", "open", work, done, self.post_error, urgent=True)

    def _read(self, where: str, job: Job) -> FoundStudy:
        from neuraxis.app.workup import open_input

        study = open_input(where, progress=job.report)
        keeper = self._prepare_case(study, where)
        if keeper is not None:
            keeper.is_open.wait(CASE_WAIT_SECONDS)
        return FoundStudy(study, where, keeper)

    def _find_study(self, case: Path, study: str | Path | None, job: Job) -> FoundStudy | None:
        """The study of a case file, None where the user has to be asked for it; ReadError where it is another one."""
        from neuraxis.app.workup import open_input

        place = study_place(case) if study is None else Path(study)
        if place is None:
            return None
        found = open_input(str(place), progress=job.report)
        keeper = self._prepare_case(found, str(place), case)
        if keeper is not None:
            keeper.is_open.wait()
            if keeper.case is None and keeper.failure is not None:
                raise keeper.failure
        return FoundStudy(found, str(place), keeper, case)

    def set_study(
        self, study: Study, path: str = "", *, keeper: CaseKeeper | None = None, case: Path | None = None
    ) -> None:
        """Make a study the open one; everything of the one before is let go.

        Its case is the one that `keeper` holds, or the file `case`, or the one kept for this study in the case folder.
        """
        self._forget()
        self._take_study(study, path)
        self._links.place_in_middle(self.series)
        self._begin_case(keeper, case)
        self.study_changed.emit()
        self._after_case_change()

    def close_study(self) -> None:
        """Let go of the open study; what was made is in its case."""
        self._forget()
        self._begin_case(None, None)
        self.study_changed.emit()
        self._after_case_change()

    def close(self) -> None:
        """Stop all work; the session cannot be used afterwards."""
        self.jobs.close()
        self._forget()
        self._begin_case(None, None)

    def _forget(self) -> None:
        self._end_case()
        self._forget_study()
        self.active_lesion = self.active_drawing = ""
        self._unlink()
