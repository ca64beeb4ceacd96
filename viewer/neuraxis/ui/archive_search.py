"""The search form of the archive dialog, and the list of what was found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFormLayout, QLineEdit, QTreeWidget, QTreeWidgetItem, QWidget

from neuraxis.ui.texts import say

if TYPE_CHECKING:
    from neuraxis.interop.archive.query import StudyMatch, StudyQuery

_UID = Qt.ItemDataRole.UserRole


class SearchForm(QWidget):
    """Fields of a study search; `confirmed` when Return is pressed in one."""

    confirmed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        self.patient_name, self.patient_id, self.accession = (QLineEdit(self) for _ in range(3))
        self.modality, self.from_date, self.to_date = (QLineEdit(self) for _ in range(3))
        self.patient_name.setToolTip(say("archive_dialog.beginning_is_enough"))
        for text, field in (
            (say("archive_dialog.patient_name"), self.patient_name), (say("archive_dialog.patient_id"), self.patient_id),
            (say("archive_dialog.accession"), self.accession), (say("archive_dialog.modality"), self.modality),
            (say("archive_dialog.from_date"), self.from_date), (say("archive_dialog.to_date"), self.to_date),
        ):
            form.addRow(text, field)
            field.setAccessibleName(text)
            field.returnPressed.connect(self.confirmed)

    @property
    def query(self) -> StudyQuery:
        """What is looked for."""
        from neuraxis.interop.archive.query import StudyQuery

        return StudyQuery(
            self.patient_name.text(), self.patient_id.text(), self.accession.text(), self.from_date.text(),
            self.to_date.text(), self.modality.text(),
        )


class StudyList(QTreeWidget):
    """Studies that were found, one a row."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setHeaderLabels([
            say("archive_dialog.date"), say("archive_dialog.patient"), say("archive_dialog.patient_id"),
            say("archive_dialog.modalities"), say("archive_dialog.description"), say("archive_dialog.images"),
        ])
        self.setRootIsDecorated(False)
        self.setAccessibleName(say("archive_dialog.studies_found"))

    def fill(self, studies: Sequence[StudyMatch]) -> None:
        """Show these studies in place of those before."""
        self.clear()
        for match in studies:
            item = QTreeWidgetItem([
                match.study_date, match.patient_name, match.patient_id, "/".join(match.modalities), match.description,
                "" if match.instances is None else str(match.instances),
            ])
            item.setData(0, _UID, match.study_uid)
            self.addTopLevelItem(item)

    @property
    def chosen_study(self) -> str:
        """Study Instance UID of the chosen row, "" where there is none."""
        chosen = self.selectedItems()
        return str(chosen[0].data(0, _UID)) if chosen else ""
