"""The open study with its case file: opened with it, kept up to date, given up last; how saving stands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

from psygnal import Signal

from neuraxis.app.case_keeping import CaseKeeper, Write
from neuraxis.app.case_opening import case_path_for, continue_in, continued_from
from neuraxis.app.case_records import changes_between, records_of, state_of, view_of, with_changes
from neuraxis.app.history import CaseState, History, Step
from neuraxis.app.jobs import Deliver
from neuraxis.app.open_study import Message, OpenStudy
from neuraxis.app.view_state import Layout, ViewState
from neuraxis.case.holder import user_name
from neuraxis.case.revisions import Revision, RevisionKind
from neuraxis.domain.study import Study
from neuraxis.errors import NeuraxisError

NO_VIEW = ViewState()


class KeptStudy(OpenStudy):
    """The open study with its case file.

    Without a `case_folder` (tests, benchmarks) nothing is written and the work lasts as long as the session.

    Signals
    -------
    case_changed(CaseState) : lesions, tags, drawings, registrations, roles
    revisions_changed : a step is in the file, another revision is shown, or saving stands otherwise
    message_posted(Message)
    """

    case_changed = Signal(object)
    revisions_changed = Signal()
    message_posted = Signal(object)

    def __init__(self, deliver: Deliver) -> None:
        super().__init__(deliver)
        self._deliver = deliver
        self.reader = ""
        self.case_folder: Path | None = None
        """Where the cases of studies that are opened are kept; None keeps none."""
        self.revisions: tuple[Revision, ...] = ()
        """Every step that is in the case file, oldest first."""
        self.shown_revision: int | None = None
        """Number of the earlier revision that is shown instead of the present state."""
        self._history = History()
        self._shown: CaseState | None = None
        self._view = NO_VIEW
        self._keeper: CaseKeeper | None = None
        self._coming: CaseKeeper | None = None
        self._is_adopted = False
        self._trouble = ""
        """What stands in the way of saving, in words."""

    @property
    def case(self) -> CaseState:
        """Everything the reader made; while an earlier revision is shown, what it was then."""
        return self._history.state if self._shown is None else self._shown

    @property
    def undo_label(self) -> str | None:
        """What undo would take back."""
        return self._history.undo_label

    @property
    def redo_label(self) -> str | None:
        """What redo would bring back."""
        return self._history.redo_label

    @property
    def layout(self) -> Layout | None:
        """How the study hung when it was open last, where the reader had chosen that."""
        return self._view.layout

    @property
    def case_path(self) -> Path | None:
        """The case file."""
        return self._keeper.path if self._keeper is not None else None

    @property
    def is_looking_back(self) -> bool:
        """Whether an earlier revision is shown instead of the present state."""
        return self._shown is not None

    @property
    def is_read_only(self) -> bool:
        """Whether the case may be looked at only."""
        return self._is_adopted and self._keeper is not None and not self._keeper.is_writable

    @property
    def has_unsaved_work(self) -> bool:
        """Whether something would be lost if the session ended now."""
        keeper = self._keeper
        if keeper is None or not self._is_adopted or not keeper.is_writable:
            return any(step.number is None for step in self._history.past)
        return not keeper.is_written

    @property
    def saving(self) -> str:
        """How saving stands, in words for the window; "" without a study."""
        keeper = self._keeper
        if self.study is None:
            return ""
        if keeper is None:
            return "not saved: there is no case file"
        if not self._is_adopted:
            return "opening the case"
        if not keeper.is_writable:
            return "read-only"
        if self._trouble:
            return f"NOT SAVED, tried again: {self._trouble}"
        if keeper.is_pending:
            return "saving"
        return f"saved, revision {self.revisions[-1].number}" if self.revisions else "saved as you work"

    def _prepare_case(self, study: Study, place: str, path: Path | None = None) -> CaseKeeper | None:
        """Begin to open the case of a study that is about to be shown; called in a background thread.

        None where it has to wait: there is no folder for cases, or the case is the one that is open now.
        """
        try:
            path = path or self._kept_path(study)
        except OSError:  # it is tried again, and told, when the study is shown
            return None
        if path is None or path == self.case_path:
            return None
        if self._coming is not None:
            self._coming.close()
        self._coming = CaseKeeper(path, study, place, self._deliver)
        return self._coming

    def _kept_path(self, study: Study) -> Path | None:
        """The case kept for a study in the case folder, which is made; OSError where it cannot be made."""
        if self.case_folder is None:
            return None
        self.case_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return continued_from(case_path_for(study, self.case_folder))

    def _begin_case(self, keeper: CaseKeeper | None, path: Path | None) -> None:
        """Open or take over the case of the study that was just opened; what it holds comes in when it is there."""
        coming, self._coming = self._coming, None
        if coming is not None and coming is not keeper:
            coming.close()
        if keeper is None and self.study is not None:
            try:
                path = path or self._kept_path(self.study)
            except OSError as error:
                self._tell_not_saved(f"{self.case_folder} cannot be made ({error.strerror})")
                return
            keeper = None if path is None else CaseKeeper(path, self.study, self.path, self._deliver)
        self._listen_to(keeper)

    def _listen_to(self, keeper: CaseKeeper | None) -> None:
        self._keeper, self._is_adopted, self._trouble = keeper, False, ""
        if keeper is None:
            return
        keeper.opened.connect(self._adopt_case)
        keeper.written.connect(self._on_written)
        keeper.failed.connect(self._on_failed)
        keeper.recovered.connect(self._on_recovered)
        if keeper.is_open.is_set():
            self._adopt_case()

    def _end_case(self, seconds: float = 5.0) -> None:
        """Write what waits and let go of the file."""
        if self._history.past:
            self.flush(seconds)
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            for signal, slot in ((keeper.opened, self._adopt_case), (keeper.written, self._on_written),
                                 (keeper.failed, self._on_failed), (keeper.recovered, self._on_recovered)):
                signal.disconnect(slot, missing_ok=True)
            keeper.close(seconds)
        self._history, self._view, self._shown = History(), NO_VIEW, None
        self.shown_revision, self.revisions = None, ()
        self._is_adopted = False

    def _adopt_case(self) -> None:
        """Take what the case holds; steps that were made before it was open are made again on top of it."""
        keeper = self._keeper
        if keeper is None or self._is_adopted or not keeper.is_open.is_set():
            return
        opened = keeper.case
        if opened is None:
            self._keeper = None
            if keeper.failure is not None:
                self._tell_not_saved(keeper.failure.found)
            return
        mine, view, roles = self._history.steps_after(opened.last_number), self._view, dict(self._history.state.roles)
        kept = view_of(opened.records)
        self._history = History(state_of(opened.records), opened.past, opened.future)
        self._view = ViewState(MappingProxyType({**kept.windows, **view.windows}), view.layout or kept.layout)
        self.revisions, self._is_adopted = opened.revisions, True
        for series_id, window in kept.windows.items():
            if series_id not in view.windows:
                self._windows[series_id] = window
        for step, before, after in mine:
            changes = changes_between(records_of(before, NO_VIEW), records_of(after, NO_VIEW))
            again = state_of(with_changes(records_of(self._history.state, NO_VIEW), changes))
            self._save(step.label, step=self._history.push(step.label, again))
        for note in opened.notes:
            self.message_posted.emit(Message(note, remedy=self._read_only_remedy(), is_error=False))
        if dict(self.case.roles) != roles or self._view.layout != view.layout:
            self.study_changed.emit()  # it hangs by the corrected roles, and as it hung before
        self._after_case_change()

    def _read_only_remedy(self) -> str:
        return "File > Save case as… makes a copy to edit" if self.is_read_only else ""

    def _tell_not_saved(self, why: str) -> None:
        self.message_posted.emit(Message(f"the work on this study is not saved: {why}", "a case file that may be written",
                                         "File > Save case as… keeps it in another place"))
        self.revisions_changed.emit()

    def save_case_as(self, path: Path) -> None:
        """Go on in another case file, which begins as a copy of this one with all its revisions."""
        if self.study is None:
            return
        keeper = self._keeper

        def done(leads_there: bool) -> None:
            old, self._keeper = self._keeper, None
            if self.study is None or old is not keeper:
                return
            if old is not None:
                old.close()
            self._shown, self.shown_revision = None, None
            self._listen_to(CaseKeeper(path, self.study, self.path, self._deliver))
            remedy = "" if leads_there else "open that file to go on; opening the study does not lead there"
            self.message_posted.emit(Message(f"the case is kept in {path.name} from now on", "", remedy, is_error=False))

        if keeper is None or not self._is_adopted:
            done(False)
        else:
            keeper.ask(lambda opened: continue_in(opened.file, path), done, self.post_error)

    def flush(self, seconds: float = 2.0) -> bool:
        """Wait until everything is in the file; False where it is not after that time."""
        keeper = self._keeper
        if keeper is None:
            return True
        if not self._is_adopted and keeper.is_open.wait(seconds):
            self._adopt_case()
        return self._is_adopted and keeper.flush(seconds)

    def _save(self, label: str, kind: RevisionKind = RevisionKind.EDIT, *, step: Step | None = None,
              of: Step | None = None, target: int | None = None) -> None:
        if self._keeper is not None and self._is_adopted and self._keeper.is_writable:
            author = self.reader or user_name()
            state = self._history.state
            self._keeper.submit(Write(label, author, state, self._view, kind, step, of, target))

    def _after_case_change(self) -> None:
        self.case_changed.emit(self.case)
        self.revisions_changed.emit()

    def _on_written(self, revision: Revision | None) -> None:
        if revision is not None:
            self.revisions = (*self.revisions, revision)
        self.revisions_changed.emit()

    def _on_failed(self, error: NeuraxisError) -> None:
        self._trouble = error.found
        self.message_posted.emit(Message(
            f"{error.found}. It is tried again until it works; what was saved before is intact", error.expected,
            "; ".join(part for part in (error.remedy, "or File > Save case as… keeps it in another place") if part),
        ))
        self.revisions_changed.emit()

    def _on_recovered(self) -> None:
        self._trouble = ""
        self.post_notice("Everything is saved again.")
        self.revisions_changed.emit()

    def post_error(self, error: NeuraxisError) -> None:
        """Tell the user."""
        self.message_posted.emit(Message.from_error(error))

    def post_notice(self, text: str) -> None:
        """Tell the user something that is no error."""
        self.message_posted.emit(Message(text, is_error=False))

    def guard(self, action: Callable[[], None]) -> None:
        """Run something that may refuse; a refusal becomes a message."""
        try:
            action()
        except NeuraxisError as error:
            self.post_error(error)
