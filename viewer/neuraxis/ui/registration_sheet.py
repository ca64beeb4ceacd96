"""How the frames of reference of a study are linked, and the registration that waits to be accepted."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
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
from neuraxis.ui.connections import Connections
from neuraxis.ui.texts import say


class RegistrationSheet(QWidget):
    """One row a frame of reference; register, accept, reject."""

    def __init__(self, session: StudySession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.tree = QTreeWidget(self)
        self.tree.setHeaderLabels([say("registration_sheet.frame_of_reference"), say("registration_sheet.linked")])
        self.tree.setRootIsDecorated(False)
        self.tree.setAccessibleName(say("registration_sheet.frames_of_reference"))
        self.tree.setMaximumHeight(92)
        self.tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.tree.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.tree.header().setStretchLastSection(False)
        self.proposal = QLabel(self)
        self.proposal.setWordWrap(True)
        self.proposal.setTextFormat(Qt.TextFormat.PlainText)
        self.register = self._button(say("registration_sheet.register"), say("registration_sheet.find_the_rigid_map"), self.start)
        self.accept = self._button(say("registration_sheet.accept"), say("registration_sheet.link_the_frames_by"), session.accept_registration)
        self.reject = self._button(say("registration_sheet.reject"), say("registration_sheet.drop_this_map"), session.reject_registration)
        buttons = QHBoxLayout()
        for button in (self.register, self.accept, self.reject):
            buttons.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.addWidget(self.tree)
        column.addWidget(self.proposal)
        column.addLayout(buttons)
        column.addStretch(1)
        self._links = Connections(self)
        self._links.connect(session.study_changed, self.refresh)
        self._links.connect(session.proposal_changed, self.refresh)
        self._links.connect(session.case_changed, self._on_case)
        self.refresh()

    def _button(self, text: str, tip: str, does: Any) -> QPushButton:
        button = QPushButton(text, self)
        button.setToolTip(tip)
        button.clicked.connect(lambda _checked=False: does())
        return button

    def detach(self) -> None:
        """Stop listening."""
        self._links.release()

    def _on_case(self, _case: Any) -> None:
        self.refresh()

    def start(self) -> None:
        """Register the first frame that is not linked yet, or the last one again."""
        pair = self.session.next_pair_to_register()
        if pair is not None:
            self.session.propose_registration(*pair)

    def refresh(self) -> None:
        """Show the present state."""
        self.tree.clear()
        frames = self.session.frames()
        for number, series in enumerate(frames.values()):
            names = ", ".join(dict.fromkeys(s.role.role.value for s in series))
            state = "reference" if number == 0 else self.session.link(next(iter(frames.values()))[0], series[0]).label
            item = QTreeWidgetItem([names, state.replace(", ", "\n")])
            item.setToolTip(0, "\n".join(s.title for s in series))
            self.tree.addTopLevelItem(item)
        proposal = self.session.proposal
        self.proposal.setVisible(proposal is not None)
        if proposal is not None:
            self.proposal.setText(
                say("registration_sheet.found_residual_mm_look", residual_mm=proposal.residual_mm, method=proposal.method)
            )
        self.accept.setEnabled(proposal is not None)
        self.reject.setEnabled(proposal is not None)
        self.register.setEnabled(self.session.next_pair_to_register() is not None)
        self.tree.setAlternatingRowColors(True)
        self.tree.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
