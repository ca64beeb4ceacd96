"""The steps of the case, newest first: when, who, what; any of them shown, and restored as a new step."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from neuraxis.app.session import StudySession
from neuraxis.case.revisions import Revision
from neuraxis.ui.connections import Connections
from neuraxis.ui.texts import say

_NUMBER = Qt.ItemDataRole.UserRole
ROWS_LISTED = 1000
"""The newest steps of a case; undo reaches further back, a list of many thousand rows would be slow."""

_MEANING = {Qt.Key.Key_Return: "show", Qt.Key.Key_Enter: "show", Qt.Key.Key_R: "restore", Qt.Key.Key_Escape: "present"}


class RevisionTree(QTreeWidget):
    """The list; keys that mean something here are told as a word."""

    asked = Signal(str)

    def keyPressEvent(self, event: Any) -> None:
        """Return shows, R restores, Esc goes back to the present; the rest moves in the list."""
        word = _MEANING.get(Qt.Key(event.key())) if event.modifiers() == Qt.KeyboardModifier.NoModifier else None
        if word:
            self.asked.emit(word)
        else:
            super().keyPressEvent(event)


class HistoryView(QWidget):
    """Revisions of the open case, and how saving stands."""

    def __init__(self, session: StudySession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.state = QLabel(self)
        self.state.setWordWrap(True)
        self.state.setTextFormat(Qt.TextFormat.PlainText)
        self.state.setAccessibleName(say("history_view.how_saving_stands"))
        self.tree = RevisionTree(self)
        self.tree.setHeaderLabels(
            ["#", say("history_view.when"), say("history_view.who"), say("history_view.what")])
        self.tree.setRootIsDecorated(False)
        self.tree.setAlternatingRowColors(True)
        self.tree.setAccessibleName(say("history_view.steps_of_the_case"))
        self.tree.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.tree.setToolTip(say("history_view.return_shows_a_step"))
        for column in range(3):
            self.tree.header().setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.tree.header().setStretchLastSection(True)
        self.tree.asked.connect(self._asked)
        self.tree.itemDoubleClicked.connect(lambda _item, _column: self.show_chosen())
        self.show_button = self._button(
            say("history_view.show"), say("history_view.show_the_work_as"), self.show_chosen)
        self.restore = self._button(say("history_view.restore"), say("history_view.make_it_so_again"), self.restore_chosen)
        self.present = self._button(
            say("history_view.back_to_now"), say("history_view.show_the_present_state"), session.show_present)
        buttons = QHBoxLayout()
        for button in (self.show_button, self.restore, self.present):
            buttons.addWidget(button)
        column_of_all = QVBoxLayout(self)
        column_of_all.setContentsMargins(4, 4, 4, 4)
        column_of_all.addWidget(self.state)
        column_of_all.addLayout(buttons)
        column_of_all.addWidget(self.tree, 1)
        self._listed: tuple[Revision, ...] = ()
        self._links = Connections(self)
        self._links.connect(session.revisions_changed, self.refresh)
        self._links.connect(session.study_changed, self.refresh)
        self.refresh()

    def _button(self, text: str, tip: str, does: Any) -> QPushButton:
        button = QPushButton(text, self)
        button.setToolTip(tip)
        button.clicked.connect(lambda _checked=False: does())
        return button

    def detach(self) -> None:
        """Stop listening."""
        self._links.release()

    def refresh(self) -> None:
        """Show the present list; only what is new is added where that is all that changed."""
        session = self.session
        state = session.saving
        looking = session.shown_revision
        self.state.setText(state if looking is None else say("history_view.revision_is_shown", number=looking, state=state))
        self.state.setVisible(bool(self.state.text()))
        self._list(session.revisions)
        for row in range(self.tree.topLevelItemCount()):
            item = self.tree.topLevelItem(row)
            font = item.font(3)
            font.setBold(item.data(0, _NUMBER) == looking if looking is not None else row == 0)
            item.setFont(3, font)
        self.present.setEnabled(looking is not None)
        self.show_button.setEnabled(bool(session.revisions))
        self.restore.setEnabled(bool(session.revisions) and not session.is_read_only)

    def _list(self, revisions: tuple[Revision, ...]) -> None:
        known = len(self._listed)
        if revisions[:known] != self._listed or not known:
            self.tree.clear()
            known = max(0, len(revisions) - ROWS_LISTED)
        for revision in revisions[known:]:
            self.tree.insertTopLevelItem(0, _row(revision))
        if self.tree.currentItem() is None and self.tree.topLevelItemCount():
            self.tree.setCurrentItem(self.tree.topLevelItem(0))
        self._listed = revisions

    def _asked(self, word: str) -> None:
        {"show": self.show_chosen, "restore": self.restore_chosen, "present": self.session.show_present}[word]()

    def _chosen(self) -> int | None:
        item = self.tree.currentItem()
        return None if item is None else int(item.data(0, _NUMBER))

    def show_chosen(self) -> None:
        """Show the work as it was after the chosen step."""
        number = self._chosen()
        if number is not None:
            self.session.show_revision(number)

    def restore_chosen(self) -> None:
        """Make the chosen step the present state, as a new step."""
        number = self._chosen()
        if number is not None:
            self.session.restore_revision(number)


def _row(revision: Revision) -> QTreeWidgetItem:
    date, _, time = revision.at.partition("T")
    item = QTreeWidgetItem([str(revision.number), f"{date} {time[:8]}", revision.author, revision.action])
    item.setData(0, _NUMBER, revision.number)
    item.setToolTip(3, f"{revision.kind.value}, {revision.at}")
    return item
