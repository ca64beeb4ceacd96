"""Studies and series with thumbnails, roles, warnings, and what was left out."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QMimeData, QSize, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QImage, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QMenu,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from neuraxis.app.options import ReadingOptions
from neuraxis.app.panel_texts import role_word
from neuraxis.app.pictures import grey_picture, native_picture, slice_count
from neuraxis.app.session import StudySession
from neuraxis.app.study_labels import StudyLabel, newest_first
from neuraxis.app.views import Orientation, native_view
from neuraxis.domain.study import Role, Series
from neuraxis.ui.connections import Connections
from neuraxis.ui.slice_panel import SERIES_MIME
from neuraxis.ui.texts import say

THUMBNAIL = 56
_ID = Qt.ItemDataRole.UserRole


class SeriesTree(QTreeWidget):
    """The list; a series can be dragged onto a panel."""

    def mimeData(self, items: Any) -> QMimeData:
        """The id of the dragged series."""
        data = QMimeData()
        series_id = next((item.data(0, _ID) for item in items if item.data(0, _ID)), "")
        if series_id:
            data.setData(SERIES_MIME, str(series_id).encode("utf-8"))
        return data


def series_line(series: Series) -> str:
    """Two lines for the list: role with a mark where it is not certain, number, slices; description."""
    role = role_word(series)
    number = f"  #{series.number}" if series.number is not None else ""
    size = say("study_browser.slices", frames=series.frames) if series.is_volume else say("study_browser.pictures_no_volume", frames=series.frames)
    warning = "  ⚠" if series.warnings or series.refusal else ""
    return f"{role}{number}  ·  {size}{warning}\n{series.description or '(no description)'}"


def series_tooltip(series: Series) -> str:
    """Role with its reason, grid, warnings, refusal."""
    lines = [f"{series.role.role.value}, {series.role.confidence.value}: {series.role.reason}"]
    if series.geometry is not None:
        x, y, z = series.geometry.spacing_xyz_mm
        lines.append(f"{series.columns} x {series.rows} x {series.frames}, {x:.3g} x {y:.3g} x {z:.3g} mm")
    if series.refusal:
        lines.append(say("study_browser.no_volume", reason=series.refusal))
    lines += [f"⚠ {w}" for w in series.warnings]
    return "\n".join(lines)


class StudyBrowser(QWidget):
    """Series of the open study. Double click or Return shows one in the active panel.

    Signals
    -------
    series_chosen(series id) : to be shown in the active panel
    layer_requested(series id) : to be shown as a napari layer
    report_requested() : what was left out
    """

    series_chosen = Signal(str)
    layer_requested = Signal(str)
    report_requested = Signal()

    def __init__(
        self, session: StudySession, parent: QWidget | None = None, options: ReadingOptions | None = None
    ) -> None:
        super().__init__(parent)
        self.options = options or ReadingOptions()
        self.session = session
        self.has_layers = False
        self.tree = SeriesTree(self)
        self.tree.setHeaderHidden(True)
        self.tree.setIconSize(QSize(THUMBNAIL, THUMBNAIL))
        self.tree.setDragEnabled(True)
        self.tree.setIndentation(5)
        self.tree.setUniformRowHeights(False)
        self.tree.setAccessibleName(say("study_browser.series_of_the_study"))
        self.tree.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.tree.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.tree.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.tree.customContextMenuRequested.connect(self._menu)
        self.tree.itemActivated.connect(self._activated)
        self.report_button = QPushButton(self)
        self.report_button.clicked.connect(self.report_requested)
        column = QVBoxLayout(self)
        column.setContentsMargins(2, 2, 2, 2)
        column.addWidget(self.tree, 1)
        column.addWidget(self.report_button)
        self._items: dict[str, QTreeWidgetItem] = {}
        self._names_shown = True
        self._links = Connections(self)
        self._links.connect(session.study_changed, self.refresh)
        self._links.connect(session.labels_changed, self.refresh)
        self._links.connect(self.options.changed, self._names_changed)
        self._links.connect(session.series_added, self._added)
        self._links.connect(session.volume_loaded, self._set_thumbnail)
        self._links.connect(session.volume_failed, self._failed)
        self._links.connect(session.case_changed, self._relabel)
        self.refresh()

    def detach(self) -> None:
        """Stop listening."""
        self._links.release()

    def refresh(self) -> None:
        """Fill the list anew."""
        self.tree.clear()
        self._items.clear()
        study = self.session.study
        self.report_button.setVisible(study is not None)
        if study is None:
            return
        self._names_shown = self.options.now.show_names
        above: dict[tuple[str, str], QTreeWidgetItem] = {}
        for number, uid in enumerate(newest_first((s.study_uid for s in self.session.series), self.session.labels), 1):
            series = [s for s in self.session.series if s.study_uid == uid]
            label = self.session.labels.get(uid)
            patient = (label.patient_id, label.patient_name) if label else ("", uid)
            if patient not in above:
                above[patient] = self._heading(self._patient_line(label, len(above) + 1), self.tree)
            top = self._heading(self._study_line(label, number, len(series)), above[patient])
            for s in series:
                top.addChild(self._item(s))
        report = study.report
        out = len(report.skipped) + len(report.set_apart)
        self.report_button.setText(say("study_browser.files_left_out", files_seen=report.files_seen, out=out) if out else
                                   say("study_browser.files_all_read", files_seen=report.files_seen))
        self.report_button.setToolTip(say("study_browser.what_was_read_what"))

    def _heading(self, text: str, above: Any) -> QTreeWidgetItem:
        item = QTreeWidgetItem(above, [text])
        item.setFlags(Qt.ItemFlag.ItemIsEnabled)
        item.setToolTip(0, text)
        item.setExpanded(True)
        return item

    def _patient_line(self, label: StudyLabel | None, number: int) -> str:
        if label is None or not self.options.now.show_names or not (label.patient_name or label.patient_id):
            return f"Patient {number}"
        return f"{label.patient_name or '(no name)'}  ·  {label.patient_id or 'no ID'}"

    def _study_line(self, label: StudyLabel | None, number: int, series: int) -> str:
        if label is None or not label.day or not self.options.now.show_names:
            return say("study_browser.study_series", number=number, series=series)
        return say("study_browser.series", day=label.day, description=label.description, series=series)

    def _names_changed(self) -> None:
        if self.options.now.show_names is not self._names_shown:
            self.refresh()

    def _added(self, series_id: str) -> None:
        self.refresh()
        self.session.request_volume(series_id)

    def _item(self, series: Series) -> QTreeWidgetItem:
        item = QTreeWidgetItem([series_line(series)])
        item.setData(0, _ID, series.id)
        item.setToolTip(0, series_tooltip(series))
        pixmap = QPixmap(THUMBNAIL, THUMBNAIL)
        pixmap.fill(QColor(0, 0, 0))
        item.setIcon(0, QIcon(pixmap))
        if not series.is_volume:
            item.setForeground(0, QColor(140, 140, 140))
        self._items[series.id] = item
        self._set_thumbnail(series.id)
        return item

    def _relabel(self, _case: Any) -> None:
        for series in self.session.series:
            item = self._items.get(series.id)
            if item is not None:
                item.setText(0, series_line(series))
                item.setToolTip(0, series_tooltip(series))

    def _set_thumbnail(self, series_id: str) -> None:
        volume, window = self.session.volume(series_id), self.session.window(series_id)
        item = self._items.get(series_id)
        if volume is None or window is None or item is None:
            return
        view = native_view(volume.geometry, Orientation.AXIAL)
        if view.slice_axis != 0:  # the picture as it was taken says more than a plane made of few rows
            view = next(v for v in (native_view(volume.geometry, o) for o in Orientation) if v.slice_axis == 0)
        picture = native_picture(volume, view, slice_count(volume.geometry, view) // 2)
        grey = np.ascontiguousarray(grey_picture(picture.values, window))
        image = QImage(grey.data, grey.shape[1], grey.shape[0], grey.shape[1], QImage.Format.Format_Grayscale8)
        pixmap = QPixmap.fromImage(image.scaled(
            THUMBNAIL, THUMBNAIL, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation))
        item.setIcon(0, QIcon(pixmap))

    def _failed(self, series_id: str, message: Any) -> None:
        item = self._items.get(series_id)
        if item is not None:
            item.setText(0, item.text(0) + say("study_browser.could_not_be_read"))
            item.setToolTip(0, f"{item.toolTip(0)}\n✘ {message.text}")

    def _activated(self, item: QTreeWidgetItem, _column: int) -> None:
        if item.data(0, _ID):
            self.series_chosen.emit(str(item.data(0, _ID)))

    def _menu(self, position: Any) -> None:
        item = self.tree.itemAt(position)
        series_id = str(item.data(0, _ID) or "") if item else ""
        if not series_id:
            return
        menu = self.series_menu(series_id)
        menu.exec(self.tree.viewport().mapToGlobal(position))
        menu.deleteLater()

    def series_menu(self, series_id: str) -> QMenu:
        """Show, correct the role, open as layer."""
        menu = QMenu(self)
        menu.addAction(say("study_browser.show_in_the_active"), lambda: self.series_chosen.emit(series_id))
        if self.has_layers:
            menu.addAction(say("study_browser.show_as_napari_layer"), lambda: self.layer_requested.emit(series_id))
        minus = menu.addMenu(say("study_browser.subtract_from_it"))
        series = self.session.find_series(series_id)
        for other in self.session.series:
            if series is not None and series.is_volume and other.is_volume and other.id != series_id:
                minus.addAction(other.title, lambda pre=other: self.session.subtract(series, pre))
        roles = menu.addMenu(say("study_browser.correct_the_role"))
        for role in Role:
            roles.addAction(role.value, lambda r=role: self.session.set_role(series_id, r))
        return menu
