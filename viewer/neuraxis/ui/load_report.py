"""What was read, what was left out and why."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLabel,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from neuraxis.domain.study import Study
from neuraxis.ui.texts import say


class LoadReportDialog(QDialog):
    """The account of every file of a study."""

    def __init__(self, study: Study, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(say("load_report.what_was_read"))
        self.resize(760, 460)
        report = study.report
        self.summary = QLabel(
            say("load_report.files_seen_loaded_set", files_seen=report.files_seen, files_loaded=report.files_loaded, len=len(report.set_apart), len2=len(report.skipped))
        )
        self.tree = QTreeWidget(self)
        self.tree.setHeaderLabels([say("load_report.what"), say("load_report.reason")])
        self.tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        refused = [(s.title, s.refusal or "") for s in study.series if s.refusal]
        warned = [(s.title, w) for s in study.series for w in s.warnings]
        for title, rows in (
            (say("load_report.skipped_files"), [(f.path, f.reason) for f in report.skipped]),
            (say("load_report.set_apart_no_pictures"), [(f.path, f.reason) for f in report.set_apart]),
            (say("load_report.series_that_are_no"), refused), (say("load_report.warnings"), warned), (say("load_report.notes"), [("", n) for n in report.notes]),
        ):
            self._add(title, rows)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(self.summary)
        column.addWidget(self.tree, 1)
        column.addWidget(buttons)

    def _add(self, title: str, rows: list[tuple[str, str]]) -> None:
        if not rows:
            return
        top = QTreeWidgetItem([f"{title} ({len(rows)})"])
        self.tree.addTopLevelItem(top)
        top.setFirstColumnSpanned(True)
        for what, reason in rows:
            item = QTreeWidgetItem([what, reason])
            item.setToolTip(1, reason)
            item.setTextAlignment(0, Qt.AlignmentFlag.AlignTop)
            top.addChild(item)
        top.setExpanded(True)
