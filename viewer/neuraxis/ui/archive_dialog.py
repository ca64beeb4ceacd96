"""The archive: search it, retrieve a study and open it, send what was made of the open one."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from neuraxis.app.archive import find, keep_sign_in, pull, push_case, sign_in
from neuraxis.app.archive_entries import ArchiveEntry, keep_archive, load_archives
from neuraxis.app.jobs import Job
from neuraxis.app.session import StudySession
from neuraxis.errors import NeuraxisError
from neuraxis.ui.archive_forms import ArchiveForm, SignIn, SignInForm
from neuraxis.ui.archive_search import SearchForm, StudyList
from neuraxis.ui.connections import Connections
from neuraxis.ui.texts import say

if TYPE_CHECKING:
    from neuraxis.interop.archive.credentials import Credentials
    from neuraxis.interop.archive.query import StudyMatch

LISTED = 200
_KEY = "archive"


class ArchiveDialog(QDialog):
    """Nothing is contacted before the user searches, retrieves or sends; all of it happens off the GUI thread.

    Signals
    -------
    study_received(folder) : a study is there, whole
    """

    study_received = Signal(str)

    def __init__(self, session: StudySession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.setWindowTitle(say("archive_dialog.archive"))
        self._signed_in: dict[str, Credentials] = {}
        self._entries: dict[str, ArchiveEntry] = {}
        self._job: Job | None = None
        column = QVBoxLayout(self)
        column.addLayout(self._archive_row())
        self.form, self.results = SearchForm(self), StudyList(self)
        self.form.confirmed.connect(self.search)
        self.results.itemSelectionChanged.connect(self._refresh)
        column.addWidget(self.form)
        column.addWidget(self.results, 1)
        column.addWidget(self._status_line())
        column.addLayout(self._action_row())
        self._links = Connections(self)
        self._links.connect(session.jobs.changed, self._refresh)
        self._timer = self.startTimer(150)
        self.resize(900, 600)
        self.reload()
        self.tell(say("archive_dialog.nothing_is_contacted") if self._entries else say("archive_dialog.no_archive_yet"))

    def detach(self) -> None:
        """Stop listening."""
        self.killTimer(self._timer)
        self._links.release()

    def _archive_row(self) -> QHBoxLayout:
        self.archives = QComboBox(self)
        self.archives.setAccessibleName(say("archive_dialog.archives"))
        row = QHBoxLayout()
        row.addWidget(self.archives, 1)
        row.addWidget(self._button(say("archive_dialog.add"), say("archive_dialog.name_an_archive"), self.ask_archive))
        self.sign_in_button = self._button(
            say("archive_dialog.sign_in"), say("archive_dialog.give_the_password"), self.ask_sign_in
        )
        row.addWidget(self.sign_in_button)
        return row

    def _status_line(self) -> QLabel:
        self.status = QLabel(self)
        self.status.setWordWrap(True)
        self.status.setTextFormat(Qt.TextFormat.PlainText)
        self.status.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        return self.status

    def _action_row(self) -> QHBoxLayout:
        self.bar = QProgressBar(self)
        self.bar.setAccessibleName(say("archive_dialog.progress"))
        self.search_button = self._button(say("archive_dialog.search"), "", self.search)
        self.search_button.setDefault(True)
        self.retrieve_button = self._button(
            say("archive_dialog.retrieve"), say("archive_dialog.into_a_folder"), self.ask_retrieve
        )
        self.send_button = self._button(say("archive_dialog.send_case"), say("archive_dialog.as_dicom_objects"), self.send_case)
        self.stop_button = self._button(say("archive_dialog.stop"), "", self.stop)
        row = QHBoxLayout()
        for button in (self.search_button, self.retrieve_button, self.send_button):
            row.addWidget(button)
        row.addWidget(self.bar, 1)
        row.addWidget(self.stop_button)
        return row

    def _button(self, text: str, tip: str, does: Callable[[], None]) -> QPushButton:
        button = QPushButton(text, self)
        button.setToolTip(tip)
        button.setAutoDefault(False)
        button.clicked.connect(lambda _checked=False: does())
        return button

    def tell(self, text: str) -> None:
        """Show a message."""
        self.status.setText(text)

    def _tell_error(self, error: NeuraxisError) -> None:
        lines = ["⚠ " + error.found]
        if error.expected:
            lines.append(say("archive_dialog.expected", expected=error.expected))
        if error.remedy:
            lines.append(say("archive_dialog.what_to_do", remedy=error.remedy))
        self.tell("\n".join(lines))

    # Archives and signing in

    def reload(self) -> None:
        """Read the named archives anew."""
        chosen = self.archives.currentText()
        try:
            self._entries = {e.name: e for e in load_archives()}
        except NeuraxisError as error:
            self._tell_error(error)
        self.archives.clear()
        for name, entry in self._entries.items():
            self.archives.addItem(name)
            self.archives.setItemData(self.archives.count() - 1, entry.where, Qt.ItemDataRole.ToolTipRole)
        self.archives.setCurrentText(chosen)
        self._refresh()

    @property
    def entry(self) -> ArchiveEntry | None:
        """The chosen archive."""
        return self._entries.get(self.archives.currentText())

    def ask_archive(self) -> None:
        """Ask how an archive is reached."""
        form = ArchiveForm(self)
        form.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        form.accepted.connect(lambda: self.add_archive(form.entry))
        form.open()

    def add_archive(self, entry: ArchiveEntry) -> None:
        """Keep an archive and choose it."""
        try:
            keep_archive(entry)
        except NeuraxisError as error:
            self._tell_error(error)
            return
        self.reload()
        self.archives.setCurrentText(entry.name)
        self.tell(say("archive_dialog.nothing_is_contacted"))

    def ask_sign_in(self) -> None:
        """Ask for the password or token."""
        if self.entry is not None:
            form = SignInForm(self.entry.name, self)
            form.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            form.accepted.connect(lambda: self.sign_in(form.entered))
            form.open()

    def sign_in(self, entered: SignIn) -> None:
        """Use credentials from now on; the keyring keeps them where that is wished."""
        entry = self.entry
        if entry is None:
            return
        try:
            self._signed_in[entry.name] = sign_in(entry, entered.user, entered.secret)
        except NeuraxisError as error:
            self._tell_error(error)
            return
        self.tell(say("archive_dialog.signed_in"))
        if entered.keep:  # a locked keyring asks its owner first, which may take its time
            self._start(
                say("archive_dialog.sign_in"), lambda _job: keep_sign_in(entry, entered.user, entered.secret),
                lambda _done: self.tell(say("archive_dialog.kept_in_keyring")),
            )

    # Search, retrieve, send

    def search(self) -> None:
        """List studies that match."""
        entry, query = self.entry, self.form.query
        if entry is None:
            self.tell(say("archive_dialog.no_archive_yet"))
            return
        known = self._signed_in.get(entry.name)
        self._start(
            say("archive_dialog.searching", archive=entry.name),
            lambda job: find(entry, query, limit=LISTED, credentials=known, should_stop=lambda: job.is_cancelled),
            self._show_found,
        )

    def _show_found(self, studies: tuple[StudyMatch, ...]) -> None:
        self.results.fill(studies)
        self.tell(
            say("archive_dialog.found_so_many", count=len(studies)) if len(studies) < LISTED
            else say("archive_dialog.found_the_first", count=len(studies))
        )

    def ask_retrieve(self) -> None:
        """Ask for a folder and retrieve the chosen study into it."""
        if self.results.chosen_study:
            folder = QFileDialog.getExistingDirectory(self, say("archive_dialog.retrieve_into"))
            if folder:
                self.retrieve(Path(folder))

    def retrieve(self, below: Path) -> None:
        """Receive the chosen study into a folder of its own below `below`."""
        entry, uid = self.entry, self.results.chosen_study
        if entry is None or not uid:
            return
        known = self._signed_in.get(entry.name)

        def done(result: Any) -> None:
            lines = [say("archive_dialog.received", count=result.instances, resumed=result.resumed)]
            self.tell("\n".join([*lines, *result.notes]))
            self.study_received.emit(str(result.folder))

        self._start(
            say("archive_dialog.retrieving", archive=entry.name),
            lambda job: pull(
                entry, uid, below / uid, credentials=known, progress=job.report, should_stop=lambda: job.is_cancelled
            ),
            done,
        )

    def send_case(self) -> None:
        """Send what was made of the open study."""
        entry = self.entry
        if entry is None or self.session.study is None:
            self.tell(say("archive_dialog.no_archive_yet") if entry is None else say("archive_dialog.no_study"))
            return
        state, study, reader = self.session.case, self.session.current_study, self.session.reader
        known, now = self._signed_in.get(entry.name), datetime.datetime.now(datetime.UTC)
        self._start(
            say("archive_dialog.sending", archive=entry.name),
            lambda job: push_case(
                entry, state, study, reader=reader, written_at=now, credentials=known, progress=job.report,
                should_stop=lambda: job.is_cancelled,
            ),
            lambda result: self.tell("\n".join([
                say("archive_dialog.sent", sent=len(result.sent), there=len(result.already_there), renamed=len(result.renamed)),
                *result.notes,
            ])),
        )

    def _start(self, title: str, work: Callable[[Job], Any], done: Callable[[Any], None]) -> None:
        if self._job is not None:
            return
        self.tell(title)
        self._job = self.session.jobs.start(title, _KEY, work, done, self._tell_error)
        self._refresh()

    def stop(self) -> None:
        """Stop what runs."""
        if self._job is not None:
            self._job.cancel()
            self.tell(say("archive_dialog.stopped"))

    def timerEvent(self, _event: Any) -> None:
        """Progress is written by another thread; it is read here."""
        job = self._job
        if job is not None and not job.is_cancelled:
            self.bar.setRange(0, 100 if job.fraction else 0)
            self.bar.setValue(round(100 * min(1.0, job.fraction or 0.0)))
            self.bar.setFormat(job.detail or "%p%")

    def _refresh(self) -> None:
        if self._job is not None and self._job not in self.session.jobs.jobs:
            self._job = None
        busy = self._job is not None
        for widget in (self.bar, self.stop_button):
            widget.setVisible(busy)
        can_ask = not busy and self.entry is not None
        for button in (self.search_button, self.sign_in_button, self.send_button):
            button.setEnabled(can_ask)
        self.retrieve_button.setEnabled(can_ask and bool(self.results.chosen_study))
