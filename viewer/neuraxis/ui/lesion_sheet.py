"""The lesions of a study with their sizes, each with its uncertainty and method."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QIcon, QPainter, QPen, QPixmap
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
from neuraxis.app.options import ReadingOptions
from neuraxis.app.session import StudySession
from neuraxis.domain.lesion import Lesion, LesionMeasurement
from neuraxis.ui import theme
from neuraxis.ui.connections import Connections
from neuraxis.ui.texts import say

_UID = Qt.ItemDataRole.UserRole
HINT = say("lesion_sheet.press_g_or_the")


def measurement_rows(measurement: LesionMeasurement) -> list[tuple[str, str, str]]:
    """(name, value with uncertainty, method) of everything that was measured."""
    rows = []
    for name, length in (
        (say("lesion_sheet.long_axis"), measurement.long_axis), (say("lesion_sheet.short_axis"), measurement.short_axis),
        (say("lesion_sheet.largest_diameter_in_3d"), measurement.max_3d_diameter),
    ):
        rows.append((name, shown(length.quantity), length.quantity.method) if length else (name, say("lesion_sheet.not_measurable"), ""))
    for name, quantity in (
        (say("lesion_sheet.volume"), measurement.volume), (say("lesion_sheet.surface"), measurement.surface),
        (say("lesion_sheet.distance_to_bone"), measurement.distance_to_bone),
    ):
        if quantity is not None:
            rows.append((name, shown(quantity), quantity.method))
    i = measurement.intensity
    rows.append((f"Mean {i.unit}", f"{i.mean:.0f} ± {i.standard_deviation:.0f} (SD)", say("lesion_sheet.native_voxels_inside_the")))
    rows.append((f"Range {i.unit}", f"{i.minimum:.0f} to {i.maximum:.0f}", say("lesion_sheet.voxels", voxel_count=i.voxel_count)))
    x, y, z = measurement.centroid_lps_mm
    rows.append((say("lesion_sheet.centre_l_p_s"), f"{x:.1f}, {y:.1f}, {z:.1f} mm", say("lesion_sheet.centroid_of_the_mask")))
    rows.append((say("lesion_sheet.slices"), str(measurement.slices_spanned), ""))
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

    def __init__(
        self, session: StudySession, parent: QWidget | None = None, options: ReadingOptions | None = None
    ) -> None:
        super().__init__(parent)
        self.options = options or ReadingOptions()
        self.session = session
        self.list = QListWidget(self)
        self.list.setAccessibleName(say("lesion_sheet.lesions"))
        self.list.setMaximumHeight(84)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.currentItemChanged.connect(self._chosen)
        self.list.itemActivated.connect(self._jump_to)
        self.table = QTreeWidget(self)
        self.table.setHeaderLabels([say("lesion_sheet.measurement"), say("lesion_sheet.value")])
        self.table.setRootIsDecorated(False)
        self.table.setAlternatingRowColors(True)
        self.table.setAccessibleName(say("lesion_sheet.sizes_of_the_active"))
        self.table.header().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        self.notes = QTextBrowser(self)
        self.notes.setAccessibleName(say("lesion_sheet.method_and_warnings"))
        self.notes.setMaximumHeight(84)
        self.hint = QLabel(HINT, self)
        self.hint.setWordWrap(True)
        self.segment = self._button(say("lesion_sheet.segment"), say("lesion_sheet.segment_the_lesion_at"), self.segment_requested.emit)
        self.jump = self._button(say("lesion_sheet.go_to"), say("lesion_sheet.move_the_crosshair_to"), self._jump)
        self.delete = self._button(say("lesion_sheet.delete"), say("lesion_sheet.delete_this_lesion_undo"), self._delete)
        buttons = QHBoxLayout()
        for button in (self.segment, self.jump, self.delete):
            buttons.addWidget(button)
        self.fill = self._button(say("lesion_sheet.fill"), say("lesion_sheet.fill_this_lesion_or"), self._toggle_fill)
        self.shown = self._button(say("lesion_sheet.hide"), say("lesion_sheet.show_or_hide_the"), self._toggle_shown)
        self.colour = self._button(say("lesion_sheet.colour"), say("lesion_sheet.the_next_colour_for"), self._next_colour)
        looks = QHBoxLayout()
        for button in (self.shown, self.fill, self.colour):
            looks.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.addLayout(buttons)
        column.addWidget(self.list)
        column.addLayout(looks)
        column.addWidget(self.hint)
        column.addWidget(self.table, 1)
        column.addWidget(self.notes)
        self._links = Connections(self)
        self._links.connect(session.case_changed, self._refresh)
        self._links.connect(session.active_lesion_changed, self._refresh)
        self._links.connect(self.options.changed, self._options_changed)
        self._refresh(None)

    def _options_changed(self) -> None:
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
            item = QListWidgetItem(self._swatch(number, lesion), self._line(lesion))
            item.setData(_UID, lesion.tracking_uid)
            self.list.addItem(item)
            if lesion.tracking_uid == self.session.active_lesion:
                self.list.setCurrentItem(item)
        self.list.blockSignals(False)
        active = self.session.case.lesion(self.session.active_lesion)
        look = self.options.look(self.session.active_lesion)
        self.fill.setText(say("lesion_sheet.outline") if look.filled else say("lesion_sheet.fill"))
        self.shown.setText(say("lesion_sheet.hide") if look.shown else say("lesion_sheet.show"))
        for button in (self.fill, self.shown, self.colour):
            button.setEnabled(active is not None)
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

    def _swatch(self, number: int, lesion: Lesion) -> QIcon:
        """The outline as it is drawn in the panels: its colour and its line, and whether it is filled."""
        look = self.options.look(lesion.tracking_uid)
        colour = theme.lesion_colour(number if look.colour is None else look.colour)
        pixmap = QPixmap(36, 36)
        pixmap.setDevicePixelRatio(2.0)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        if look.filled:
            painter.fillRect(2, 2, 14, 14, colour)
        painter.setPen(QPen(colour, 2, theme.lesion_line(number)))
        painter.drawRect(2, 2, 14, 14)
        painter.end()
        return QIcon(pixmap)

    def _change_look(self, **changes: Any) -> None:
        uid = self.session.active_lesion
        if uid:
            self.options.set_look(uid, replace(self.options.look(uid), **changes))

    def _toggle_fill(self) -> None:
        self._change_look(filled=not self.options.look(self.session.active_lesion).filled)

    def _toggle_shown(self) -> None:
        self._change_look(shown=not self.options.look(self.session.active_lesion).shown)

    def _next_colour(self) -> None:
        uid, lesions = self.session.active_lesion, self.session.case.lesions
        place = next((k for k, lesion in enumerate(lesions) if lesion.tracking_uid == uid), 0)
        now = self.options.look(uid).colour
        self._change_look(colour=((place if now is None else now) + 1) % len(theme.LESION_COLOURS))

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
