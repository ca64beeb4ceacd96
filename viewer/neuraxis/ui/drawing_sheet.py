"""The reader's drawings as a list: what they read, on which series; go to one, delete one."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import Qt, Signal
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
from neuraxis.app.views import vector3
from neuraxis.ui.connections import Connections
from neuraxis.ui.texts import say

_UID = Qt.ItemDataRole.UserRole


class DrawingSheet(QWidget):
    """One row a drawing.

    Signals
    -------
    focus_requested() : zoom on the linked point
    """

    focus_requested = Signal()

    def __init__(self, session: StudySession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.tree = QTreeWidget(self)
        self.tree.setHeaderLabels([say("drawing_sheet.tool"), say("drawing_sheet.reads"), say("drawing_sheet.series")])
        self.tree.setRootIsDecorated(False)
        self.tree.setAlternatingRowColors(True)
        self.tree.setAccessibleName(say("drawing_sheet.measurements_drawn_by_hand"))
        self.tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        self.tree.currentItemChanged.connect(self._chosen)
        self.tree.itemActivated.connect(self._go)
        self.hint = QLabel(say("drawing_sheet.length_d_both_axes"), self)
        self.hint.setWordWrap(True)
        buttons = QHBoxLayout()
        for text, tip, does in (
            (say("drawing_sheet.go_to"), say("drawing_sheet.move_the_crosshair_to"), self.go),
            (say("drawing_sheet.delete"), say("drawing_sheet.delete_this_drawing_del"), self._delete),
        ):
            button = QPushButton(text, self)
            button.setToolTip(tip)
            button.clicked.connect(lambda _checked=False, d=does: d())
            buttons.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.addLayout(buttons)
        column.addWidget(self.hint)
        column.addWidget(self.tree, 1)
        self._links = Connections(self)
        self._links.connect(session.case_changed, self._refresh)
        self._refresh(None)

    def detach(self) -> None:
        """Stop listening."""
        self._links.release()

    def _refresh(self, _case: Any) -> None:
        self.tree.blockSignals(True)
        self.tree.clear()
        for drawing in self.session.case.drawings:
            series = self.session.find_series(drawing.series_id)
            reads = drawing.label.replace("\n", ", ")
            item = QTreeWidgetItem([drawing.tool, reads, series.title if series else drawing.series_id])
            item.setData(0, _UID, drawing.uid)
            item.setToolTip(1, "\n".join((drawing.label, *drawing.warnings)))
            self.tree.addTopLevelItem(item)
            if drawing.uid == self.session.active_drawing:
                self.tree.setCurrentItem(item)
        self.tree.blockSignals(False)
        self.hint.setVisible(not self.session.case.drawings)

    def _chosen(self, item: Any, _before: Any) -> None:
        if item is not None:
            self.session.set_active_drawing(str(item.data(0, _UID)))

    def _go(self, _item: Any, _column: int) -> None:
        self.go()

    def go(self) -> None:
        """The linked point goes to the middle of the active drawing."""
        drawing = next((d for d in self.session.case.drawings if d.uid == self.session.active_drawing), None)
        series = self.session.find_series(drawing.series_id) if drawing else None
        if drawing is not None and series is not None:
            self.session.set_point(series, vector3(np.mean(drawing.points_lps_mm, axis=0)))
            self.focus_requested.emit()

    def _delete(self) -> None:
        self.session.delete_drawing(self.session.active_drawing)
