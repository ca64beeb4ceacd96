"""The reader's steps on a study: made, undone, redone across restarts; earlier revisions shown and restored."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from neuraxis.app.case_opening import OpenedCase, states_around
from neuraxis.app.case_records import Key, Records, read_records, records_of, state_of, with_changes
from neuraxis.app.history import CaseState, Step
from neuraxis.app.jobs import Deliver
from neuraxis.app.kept_study import NO_VIEW, KeptStudy
from neuraxis.app.open_study import Message
from neuraxis.app.view_state import Layout, ViewState
from neuraxis.case.revisions import RevisionKind
from neuraxis.domain.window import Window
from neuraxis.errors import NeuraxisError, ReadError


class SteppedStudy(KeptStudy):
    """The open study with the steps of the reader's work; each goes into the case file as it is made."""

    def __init__(self, deliver: Deliver) -> None:
        super().__init__(deliver)
        self._is_recalling = False
        self.window_changed.connect(self._keep_window)

    def _end_case(self, seconds: float = 5.0) -> None:
        super()._end_case(seconds)
        self._is_recalling = False

    def may_change(self) -> bool:
        """Whether the reader may change something now; a message says why not."""
        if self._shown is not None:
            self.post_notice(f"Revision {self.shown_revision} is shown. Restore it, or go back to the present, to go on.")
            return False
        if self.is_read_only and self._keeper is not None and self._keeper.case is not None:
            notes = self._keeper.case.file.notes
            self.message_posted.emit(Message(
                "this case is open for reading only: " + "; ".join(notes), "a case open for writing",
                "File > Save case as… makes a copy to edit"))
            return False
        return True

    def change(self, label: str, state: CaseState) -> None:
        """One step that can be undone; refused with a message where nothing may be changed."""
        if self.may_change():
            self._save(label, step=self._history.push(label, state))
            self._after_case_change()

    def adjust(self, label: str, state: CaseState) -> None:
        """A change that is no step of its own: what was computed from a step."""
        if self._shown is None and not self.is_read_only:
            self._history.replace(state)
            self._save(label, RevisionKind.ADJUST)
            self._after_case_change()

    def undo(self) -> None:
        """Take back the last step, also one of an earlier session."""
        past = self._history.past
        if not past or not self.may_change():
            return
        if past[-1].before is None:
            self._recall(past[-1], before=True, then=self.undo)
            return
        step = self._history.undo()
        if step is not None:
            self._save(f"undo: {step.label}", RevisionKind.UNDO, of=step)
            self._after_case_change()

    def redo(self) -> None:
        """Bring back what was taken back last, also in an earlier session."""
        future = self._history.future
        if not future or not self.may_change():
            return
        if future[-1].after is None:
            self._recall(future[-1], before=False, then=self.redo)
            return
        step = self._history.redo()
        if step is not None:
            self._save(f"redo: {step.label}", RevisionKind.REDO, of=step)
            self._after_case_change()

    def _recall(self, step: Step, *, before: bool, then: Callable[[], None]) -> None:
        """Bring a state back from the file, then go on."""
        keeper, number = self._keeper, step.number
        if keeper is None or number is None or self._is_recalling:
            return
        self._is_recalling = True
        history = self._history

        def done(found: tuple[Records, tuple[Key, ...]]) -> None:
            self._is_recalling = False
            side = history.past if before else history.future
            if self._history is not history or not side or side[-1] is not step:
                return
            changes, order = found
            state = state_of(with_changes(records_of(history.state, NO_VIEW), changes, order))
            if before:
                step.before = state
            else:
                step.after = state
            then()

        def failed(error: NeuraxisError) -> None:
            self._is_recalling = False
            self.post_error(error)

        keeper.ask(lambda opened: states_around(opened, number, before=before), done, failed)

    def show_revision(self, number: int) -> None:
        """Show the work as it was after a revision, until `show_present`; nothing can be changed meanwhile."""
        if self.revisions and number == self.revisions[-1].number:
            self.show_present()
            return

        def show(state: CaseState) -> None:
            self._shown, self.shown_revision = state, number
            self._after_case_change()

        self._read_revision(number, show)

    def restore_revision(self, number: int) -> None:
        """Make a revision the present state, as a new step that can be undone itself; windows and layout stay."""
        def restore(state: CaseState) -> None:
            self._shown, self.shown_revision = None, None
            if self.may_change():
                label = f"restored revision {number}"
                self._save(label, RevisionKind.RESTORE, step=self._history.push(label, state), target=number)
            self._after_case_change()

        self._read_revision(number, restore, whole=True)

    def _read_revision(self, number: int, done: Callable[[CaseState], None], *, whole: bool = False) -> None:
        """Read the work as it was after a revision; where only a `whole` one will do, damage is an error."""
        keeper = self._keeper
        if keeper is None or not self._is_adopted:
            return

        def read(opened: OpenedCase) -> tuple[CaseState, tuple[str, ...]]:
            records, damaged = read_records(opened.file, number, opened.names.here)
            return state_of(records), damaged

        def take(found: tuple[CaseState, tuple[str, ...]]) -> None:
            if self._keeper is not keeper:
                return
            if found[1] and whole:
                self.post_error(ReadError(f"revision {number} is not whole: {'; '.join(found[1])}",
                                          expected="the bytes that were written", remedy="restore another revision"))
                return
            for text in found[1]:
                self.post_notice(text)
            done(found[0])

        keeper.ask(read, take, self.post_error)

    def show_present(self) -> None:
        """Back from an earlier revision."""
        if self._shown is not None:
            self._shown, self.shown_revision = None, None
            self._after_case_change()

    def _keep_window(self, series_id: str) -> None:
        window = self._windows.get(series_id)
        if isinstance(window, Window):
            self._keep_view(ViewState(MappingProxyType({**self._view.windows, series_id: window}), self._view.layout),
                            "window")

    def keep_layout(self, layout: Layout) -> None:
        """Remember how the study hangs, in the case, for the next time it is opened."""
        if self.study is not None and layout != self._view.layout:
            self._keep_view(ViewState(self._view.windows, layout), "layout")

    def _keep_view(self, view: ViewState, label: str) -> None:
        self._view = view
        if self._shown is None:
            self._save(label, RevisionKind.ADJUST)
