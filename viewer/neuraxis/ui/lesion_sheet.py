"""The lesions of a study with their sizes, each with its uncertainty and method."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QTextBrowser,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from neuraxis.app.history import shown
from neuraxis.app.session import StudySession
from neuraxis.domain.lesion import Lesion, LesionMeasurement
from neuraxis.ui import theme
from neuraxis.ui.connections import Connections

_UID = Qt.ItemDataRole.UserRole
HINT = "Press G (or the button) and click on a lesion in any panel."


def measurement_rows(measurement: LesionMeasurement) -> list[tuple[str, str, str]]:
    """(name, value with uncertainty, method) of everything that was measured."""
    rows = []
    for name, length in (
        ("Long axis", measurement.long_axis), ("Short axis", measurement.short_axis),
        ("Largest diameter in 3D", measurement.max_3d_diameter),
    ):
        rows.append((name, shown(length.quantity), length.quantity.method) if length else (name, "not measurable", ""))
    for name, quantity in (
        ("Volume", measurement.volume), ("Surface", measurement.surface),
        ("Distance to bone", measurement.distance_to_bone),
    ):
        if quantity is not None:
            rows.append((name, shown(quantity), quantity.method))
    i = measurement.intensity
    rows.append((f"Mean {i.unit}", f"{i.mean:.0f} ± {i.standard_deviation:.0f} (SD)", "native voxels inside the mask"))
    rows.append((f"Range {i.unit}", f"{i.minimum:.0f} to {i.maximum:.0f}", f"{i.voxel_count} voxels"))
    x, y, z = measurement.centroid_lps_mm
    rows.append(("Centre L, P, S", f"{x:.1f}, {y:.1f}, {z:.1f} mm", "centroid of the mask"))
    rows.append(("Slices", str(measurement.slices_spanned), ""))
    return rows


class LesionSheet(QWidget):
    """List of lesions above, numbers of the active one below.

    Signals
    -------
    segment_requested() : the segment tool should be taken in hand
    jump_requested(tracking uid)
    """

    segment_requested = Signal()
    jump_requested = Signal(str)

    def __init__(self, session: StudySession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.list = QListWidget(self)
        self.list.setAccessibleName("Lesions")
        self.list.setMaximumHeight(84)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.currentItemChanged.connect(self._chosen)
        self.list.itemActivated.connect(self._jump_to)
        self.table = QTreeWidget(self)
        self.table.setHeaderLabels(["Measurement", "Value"])
        self.table.setRootIsDecorated(False)
        self.table.setAlternatingRowColors(True)
        self.table.setAccessibleName("Sizes of the active lesion")
        self.table.header().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        self.notes = QTextBrowser(self)
        self.notes.setAccessibleName("Method and warnings")
        self.notes.setMaximumHeight(84)
        self.hint = QLabel(HINT, self)
        self.hint.setWordWrap(True)
        self.segment = self._button("Segment", "Segment the lesion at a click  [G]", self.segment_requested.emit)
        self.jump = self._button("Go to", "Move the crosshair to this lesion  [J]", self._jump)
        self.delete = self._button("Delete", "Delete this lesion (undo: Ctrl+Z)", self._delete)
        buttons = QHBoxLayout()
        for button in (self.segment, self.jump, self.delete):
            buttons.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.addLayout(buttons)
        column.addWidget(self.list)
        column.addWidget(self.hint)
        column.addWidget(self.table, 1)
        column.addWidget(self.notes)
        self._links = Connections(self)
        self._links.connect(session.case_changed, self._refresh)
        self._links.connect(session.active_lesion_changed, self._refresh)
        self._refresh(None)

    def _button(self, text: str, tip: str, does: Any) -> QPushButton:
        button = QPushButton(text, self)
        button.setToolTip(tip)
        button.clicked.connect(lambda _checked=False: does())
        return button

    def detach(self) -> None:
        """Stop listening."""
        self._links.release()

    def _refresh(self, _what: Any) -> None:
        lesions = self.session.case.lesions
        self.list.blockSignals(True)
        self.list.clear()
        for number, lesion in enumerate(lesions):
            item = QListWidgetItem(self._swatch(number), self._line(lesion))
            item.setData(_UID, lesion.tracking_uid)
            self.list.addItem(item)
            if lesion.tracking_uid == self.session.active_lesion:
                self.list.setCurrentItem(item)
        self.list.blockSignals(False)
        active = self.session.case.lesion(self.session.active_lesion)
        self.jump.setEnabled(active is not None)
        self.delete.setEnabled(active is not None)
        self.hint.setVisible(not lesions)
        self.list.setVisible(bool(lesions))
        self._fill(active)

    def _line(self, lesion: Lesion) -> str:
        series = self.session.find_series(lesion.mask.series_id)
        size = lesion.measurement.long_axis
        return f"{lesion.label}: {size.quantity.display() if size else 'size not measurable'}" + (
            f"  on {series.role.role.value}" if series else ""
        )

    def _swatch(self, number: int) -> QIcon:
        pixmap = QPixmap(14, 14)
        pixmap.fill(QColor(theme.lesion_colour(number)))
        return QIcon(pixmap)

    def _fill(self, lesion: Lesion | None) -> None:
        self.table.clear()
        self.notes.setVisible(lesion is not None)
        if lesion is None:
            return
        for name, value, method in measurement_rows(lesion.measurement):
            item = QTreeWidgetItem([name, value])
            item.setToolTip(1, method)
            item.setToolTip(0, method)
            self.table.addTopLevelItem(item)
        warnings = dict.fromkeys((*lesion.mask.warnings, *lesion.measurement.warnings))
        self.notes.setPlainText("\n".join([f"Method: {lesion.mask.method}", *(f"⚠ {w}" for w in warnings)]))

    def _chosen(self, item: Any, _before: Any) -> None:
        if item is not None:
            self.session.set_active_lesion(str(item.data(_UID)))

    def _jump_to(self, item: Any) -> None:
        self.jump_requested.emit(str(item.data(_UID)))

    def _jump(self) -> None:
        if self.session.active_lesion:
            self.jump_requested.emit(self.session.active_lesion)

    def _delete(self) -> None:
        self.session.delete_lesion(self.session.active_lesion)
