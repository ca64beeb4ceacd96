"""The dural tail asked as three questions (Goldsher 1990), with the path that the reader drew along it."""

from __future__ import annotations

import numpy as np
from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from neuraxis.app.history import Drawing
from neuraxis.app.session import StudySession
from neuraxis.domain.study import Role
from neuraxis.evidence.context import DuralTailAnswers
from neuraxis.ui.texts import say

QUESTIONS = (
    ("consecutive_sections", say("dural_tail_form.seen_on_two_or")),
    ("tapers_from_tumour", say("dural_tail_form.thickest_at_the_lesion")),
    ("enhances_more", say("dural_tail_form.does_it_enhance_more")),
)


class YesNo(QComboBox):
    """One question: not answered yet, yes, or no."""

    def __init__(self, name: str, answer: bool | None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        for text, value in ((say("dural_tail_form.not_answered"), None), ("yes", True), ("no", False)):
            self.addItem(text, value)
        self.setCurrentIndex((None, True, False).index(answer))

    @property
    def answer(self) -> bool | None:
        """True, False, or None while nothing is chosen."""
        value = self.currentData()
        return None if value is None else bool(value)


class DuralTailForm(QDialog):
    """Three questions and a path; nothing is taken unless all three are answered."""

    def __init__(
        self, session: StudySession, answers: DuralTailAnswers | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(say("dural_tail_form.dural_tail_three_criteria"))
        self.questions = {
            name: YesNo(text, getattr(answers, name) if answers else None, self) for name, text in QUESTIONS
        }
        form = QFormLayout()
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapAllRows)
        for name, text in QUESTIONS:
            form.addRow(text, self.questions[name])
        self.path = QComboBox(self)
        self.path.setAccessibleName(say("dural_tail_form.path_along_the_tail"))
        self.path.addItem(say("dural_tail_form.none_drawn"), None)
        for drawing in paths_on_contrast(session):
            self.path.addItem(say("dural_tail_form.drawn_path", tool=drawing.tool, length_mm=path_length_mm(drawing)), drawing)
        if self.path.count() > 1:
            self.path.setCurrentIndex(self.path.count() - 1)
        form.addRow(say("dural_tail_form.path_along_it_a"), self.path)
        note = QLabel(
            say("dural_tail_form.present_all_three_yes"), self,
        )
        note.setWordWrap(True)
        self.box = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.box.accepted.connect(self.accept)
        self.box.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addLayout(form)
        column.addWidget(note)
        column.addWidget(self.box)
        for question in self.questions.values():
            question.currentIndexChanged.connect(lambda _index: self._allow())
        self._allow()

    def _allow(self) -> None:
        self.box.button(QDialogButtonBox.StandardButton.Ok).setEnabled(self.answers() is not None)

    def answers(self) -> DuralTailAnswers | None:
        """The answers; None while one is missing."""
        given = {name: question.answer for name, question in self.questions.items()}
        first, second, third = (given[name] for name, _ in QUESTIONS)
        if first is None or second is None or third is None:
            return None
        drawing = self.path.currentData()
        if drawing is None:
            return DuralTailAnswers(first, second, third)
        return DuralTailAnswers(first, second, third, drawing.points_lps_mm, drawing.frame_of_reference_uid)


def paths_on_contrast(session: StudySession) -> list[Drawing]:
    """Lines that the reader drew on post-contrast series."""
    post = {s.id for s in session.series if s.role.role is Role.T1C}
    return [d for d in session.case.drawings if d.series_id in post and d.tool in ("length", "angle")]


def path_length_mm(drawing: Drawing) -> float:
    """Length along the points of a drawing."""
    points = np.asarray(drawing.points_lps_mm)
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())
