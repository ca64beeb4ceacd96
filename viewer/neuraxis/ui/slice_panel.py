"""One picture of the reading grid: a plane of a series, painted without OpenGL, that answers mouse and keys."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from qtpy.QtCore import QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QImage, QPainter, QPen, QTransform
from qtpy.QtWidgets import QSizePolicy, QWidget

from neuraxis.app.options import Marks, ReadingOptions
from neuraxis.app.outlines import mask_on_picture, outline_on_screen
from neuraxis.app.panel_scene import PanelScene
from neuraxis.app.panel_state import PanelState
from neuraxis.app.panel_texts import badges, series_text, slice_text, window_text
from neuraxis.app.picture_scene import PictureScene
from neuraxis.app.pictures import Picture
from neuraxis.app.session import StudySession
from neuraxis.app.views import ScreenView
from neuraxis.domain.window import Window
from neuraxis.ui import panel_marks, theme
from neuraxis.ui.connections import Connections
from neuraxis.ui.panel_mouse import PanelMouse

SERIES_MIME = "application/x-neuraxis-series"


class SlicePanel(QWidget):
    """Shows one `PanelScene`. It changes nothing itself: it asks the session, and repaints when told.

    Signals
    -------
    activated(panel) : it was clicked or got the focus
    state_changed(panel) : plane, series, slab or own window changed
    maximise_requested(panel) : double click
    menu_requested(panel, global position)
    seed_requested(series id, LPS point) : a click with the segment tool
    hovered(text) : the voxel under the mouse in words
    moved(panel, factor, dx mm, dy mm) : zoomed or panned by the user
    """

    activated = Signal(object)
    state_changed = Signal(object)
    maximise_requested = Signal(object)
    menu_requested = Signal(object, object)
    seed_requested = Signal(str, object)
    hovered = Signal(str)
    moved = Signal(object, float, float, float)

    def __init__(
        self, session: StudySession, options: ReadingOptions, state: PanelState | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.session, self.options = session, options
        self.scene = PanelScene(session, state)
        self.pictures = PictureScene(session)
        self.is_active = False
        self.reference_views: list[ScreenView] = []
        self.mouse = PanelMouse(self)
        self._image_bytes: Any = None
        self._image: QImage | None = None
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMouseTracking(True)
        self.setAcceptDrops(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(120, 100)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._links = Connections(self)
        for signal, slot in (
            (session.point_changed, self._repaint), (session.window_changed, self._on_series),
            (session.volume_loaded, self._on_series), (session.preview_loaded, self._on_series), (session.volume_failed, self._on_failed),
            (session.case_changed, self._on_case), (session.active_lesion_changed, self._on_case),
            (session.study_changed, self._on_study), (options.changed, self._repaint),
            (session.jobs.changed, self._on_jobs),
        ):
            self._links.connect(signal, slot)
        self._request()

    def detach(self) -> None:
        """Stop listening; called before the panel is thrown away."""
        self._links.release()
        self._image = self._image_bytes = None

    # State

    @property
    def state(self) -> PanelState:
        """What is shown."""
        return self.scene.state

    def set_state(self, state: PanelState) -> None:
        """Show something else."""
        if state == self.scene.state:
            return
        self.scene.set_state(state)
        self._request()
        self.update()
        self.state_changed.emit(self)

    def set_window(self, window: Window) -> None:
        """Window of this panel: its own where it has one, else that of the series."""
        if self.state.window is not None:
            self.set_state(replace(self.state, window=window))
        elif self.state.series_id:
            self.session.set_window(self.state.series_id, window)

    def set_active(self, active: bool) -> None:
        """Mark as the panel that keys and presets go to."""
        if active != self.is_active:
            self.is_active = active
            self.update()

    @property
    def is_picture(self) -> bool:
        """Whether the series shown has pictures but no grid in the patient."""
        series = self.scene.series
        return series is not None and not series.is_volume

    def step(self, slices: int) -> None:
        """Slices, or pictures where there is no grid."""
        if self.is_picture:
            self.pictures.step(slices)
        else:
            self.scene.step(slices)
        self.update()

    def _request(self) -> None:
        series = self.scene.series
        if series is not None and not series.is_volume:
            self.pictures.show(series)
        for key in (self.state.series_id, self.state.overlay_id):
            if key:
                self.session.request_volume(key, urgent=key == self.state.series_id)

    def _repaint(self) -> None:
        self.update()

    def _on_series(self, series_id: str) -> None:
        if series_id in (self.state.series_id, self.state.overlay_id):
            self.update()

    def _on_jobs(self) -> None:
        if self.session.study is None:
            self.update()

    def _on_failed(self, series_id: str, _message: Any) -> None:
        self._on_series(series_id)

    def _on_case(self, _what: Any) -> None:
        self.update()

    def _on_study(self) -> None:
        if self.state.series_id and self.session.find_series(self.state.series_id) is None:
            self.set_state(PanelState())

    # Painting

    def paintEvent(self, _event: Any) -> None:
        """Picture first, then marks."""
        painter = QPainter(self)
        area = QRectF(self.rect())
        painter.fillRect(area, theme.SHADOW)
        if self.is_picture and self._paint_picture(painter, area):
            self._draw_frame(painter, area)
            painter.end()
            return
        view, picture, pixels = self.scene.view(), self.scene.picture(), self.scene.screen_pixels()
        if view is None or picture is None or pixels is None:
            panel_marks.draw_middle_text(painter, area, self._waiting_text())
        else:
            self._draw_picture(painter, view, picture, pixels)
            self._draw_overlay(painter, view)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
            if self.options.now.masks:
                self._draw_masks(painter, view, picture)
            self._draw_marks(painter, area, view, picture)
            self.mouse.draw(painter, view)
        self._draw_frame(painter, area)
        painter.end()

    def _paint_picture(self, painter: QPainter, area: QRectF) -> bool:
        """A picture without a grid: fitted, with a badge that says so."""
        pixels, series = self.pictures.pixels(), self.scene.series
        if pixels is None or series is None:
            return False
        rows, columns = pixels.shape
        image = QImage(pixels.data, columns, rows, columns * 4, QImage.Format.Format_RGB32)
        scale = min(area.width() / columns, area.height() / rows)
        room = QRectF(0, 0, columns * scale, rows * scale)
        room.moveCenter(area.center())
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, True)
        painter.drawImage(room, image)
        if self.options.now.marks is not Marks.NONE:
            texts = panel_marks.CornerTexts(
                series_text(series), "", f"picture {self.pictures.index + 1}/{series.frames}"
            )
            below = panel_marks.draw_corners(painter, area, texts)
            panel_marks.draw_badges(painter, area, ["picture only, not for measurement"], below + 3)
        return True

    def _waiting_text(self) -> str:
        series = self.scene.series
        if self.session.study is None:
            opening = next((j.title for j in self.session.jobs.jobs if j.key in ("open", "sample")), "")
            return f"{opening} …" if opening else "Open a study folder, zip or DICOMDIR: drop it here, or use the menu."
        if series is None:
            return "Drag a series here"
        failure = self.session.failure(series.id)
        if failure is not None:
            return f"{series.title}\ncould not be read: {failure.text}"
        return f"{series.title}\nloading …"

    def _draw_picture(self, painter: QPainter, view: ScreenView, picture: Picture, pixels: Any) -> None:
        if self._image is None or self._image_bytes is not pixels:
            rows, columns = pixels.shape
            self._image = QImage(pixels.data, columns, rows, columns * 4, QImage.Format.Format_RGB32)
            self._image_bytes = pixels  # QImage does not own them
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self.state.smooth)
        painter.setTransform(picture_transform(view, picture))
        painter.drawImage(QPointF(0.0, 0.0), self._image)
        painter.restore()

    def _draw_overlay(self, painter: QPainter, view: ScreenView) -> None:
        overlay = self.scene.overlay()
        if overlay is None:
            return
        from neuraxis.ui.fusion import coloured

        picture, grey, _ = overlay
        image = coloured(grey, self.state.overlay_opacity)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self.state.smooth)
        painter.setTransform(picture_transform(view, picture))
        painter.drawImage(QPointF(0.0, 0.0), image)
        painter.restore()

    def _draw_masks(self, painter: QPainter, view: ScreenView, picture: Picture) -> None:
        series = self.scene.series
        if series is None:
            return
        for number, lesion in enumerate(self.session.case.lesions):
            mask = next((m for m in (lesion.mask, *lesion.other_masks) if m.series_id == series.id), lesion.mask)
            frame = mask.geometry.frame_of_reference_uid
            registration = None
            if mask.series_id != series.id and frame != series.frame_of_reference_uid:
                registration = self.session.registrations_in_view.between(series.frame_of_reference_uid, frame)
                if registration is None:
                    continue
            part = mask_on_picture(mask, picture, registration)
            if part is not None:
                active = lesion.tracking_uid == self.session.active_lesion
                segments = outline_on_screen(part, view)
                panel_marks.draw_outline(painter, segments, theme.lesion_colour(number), active=active)

    def _draw_marks(self, painter: QPainter, area: QRectF, view: ScreenView, picture: Picture) -> None:
        series, volume, native, point = self.scene.series, self.scene.volume, self.scene.native, self.scene.point
        choices = self.options.now
        if series is None or native is None or point is None or choices.marks is Marks.NONE:
            return
        if volume is None:
            panel_marks.draw_letters(painter, area, view.letters)
            panel_marks.draw_corners(painter, area, panel_marks.CornerTexts(series_text(series), "loading …"))
            return
        for other in self.reference_views if choices.reference_lines else ():
            self._draw_reference(painter, view, other)
        if choices.crosshair:
            x, y = view.screen_from_lps(point)
            panel_marks.draw_crosshair(painter, area, QPointF(x, y), registered=self._is_registered())
        panel_marks.draw_letters(painter, area, view.letters)
        panel_marks.draw_scale_bar(painter, area, view.mm_per_pixel)
        if choices.marks is Marks.FEW:
            return
        window = self.scene.window()
        texts = panel_marks.CornerTexts(
            series_text(series), window_text(window),
            slice_text(series, volume, native, picture, view.centre_lps_mm), self._link_text(),
        )
        below = panel_marks.draw_corners(painter, area, texts)
        told = badges(series, volume, native, picture, self.state.projection)
        if self._is_key_image():
            told.insert(0, "key image")
        told += self._fusion_badge()
        panel_marks.draw_badges(painter, area, told, below + 3)

    def _draw_reference(self, painter: QPainter, view: ScreenView, other: ScreenView) -> None:
        along = np.cross(view.normal, other.normal)
        length = float(np.linalg.norm(along))
        if length < 0.05:
            return
        # foot on both planes: shift this panel's centre inside its own plane until it lies on the other
        into = np.cross(along / length, view.normal)
        reach = float(np.dot(into, other.normal))
        foot = np.asarray(view.centre_lps_mm) - float(other.distance_mm(view.centre_lps_mm)) / reach * into
        half = (other.width + other.height) * other.mm_per_pixel / 2
        direction = along / length * half
        panel_marks.draw_reference_line(painter, view, np.stack([foot - direction, foot + direction]))

    def _is_registered(self) -> bool:
        series, source = self.scene.series, self.session.find_series(self.session.point_source)
        if series is None or source is None:
            return False
        link = self.session.link(source, series)
        return not link.same_frame and link.registration is not None

    def _link_text(self) -> str:
        if not self.state.linked:
            return "not linked (own slice)"
        series, source = self.scene.series, self.session.find_series(self.session.point_source)
        if series is None or source is None or source.id == series.id:
            return ""
        label = self.session.link(source, series).label
        return label.replace(", ", "\n") if label != "not linked" else f"not linked to {source.modality}\nno registration"

    def _fusion_badge(self) -> list[str]:
        other = self.session.find_series(self.state.overlay_id) if self.state.overlay_id else None
        series = self.scene.series
        if other is None or series is None:
            return []
        percent = f"{self.state.overlay_opacity:.0%}"
        link = self.session.link(series, other)
        return [f"fused: {other.role.role.value} {percent}, {link.label}"]

    def _is_key_image(self) -> bool:
        position = self.scene.slice_position()
        return position is not None and (self.state.series_id, position[0]) in self.session.case.key_images

    def _draw_frame(self, painter: QPainter, area: QRectF) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        pen = QPen(theme.ACTIVE_FRAME if self.is_active else theme.IDLE_FRAME, 3 if self.is_active else 1)
        painter.setPen(pen)
        painter.drawRect(area.adjusted(0, 0, -1, -1))

    # Events

    def resizeEvent(self, _event: Any) -> None:
        """The plane keeps its middle."""
        self.scene.resize(self.width(), self.height())

    def mousePressEvent(self, event: Any) -> None:
        """To the tool in hand."""
        self.activated.emit(self)
        self.mouse.press(event)

    def mouseMoveEvent(self, event: Any) -> None:
        """To the tool in hand; tells the voxel under the mouse."""
        self.mouse.move(event)

    def mouseReleaseEvent(self, event: Any) -> None:
        """To the tool in hand."""
        self.mouse.release(event)

    def mouseDoubleClickEvent(self, event: Any) -> None:
        """Maximise, or back; a tool that is being placed ends."""
        if not self.mouse.double_click(event):
            self.maximise_requested.emit(self)

    def wheelEvent(self, event: Any) -> None:
        """Slices; with Shift ten at a time; with Ctrl zoom; with Alt slab thickness."""
        self.activated.emit(self)
        self.mouse.wheel(event)

    def leaveEvent(self, _event: Any) -> None:
        """Nothing is under the mouse."""
        self.hovered.emit("")

    def dragEnterEvent(self, event: Any) -> None:
        """A series from the browser."""
        if event.mimeData().hasFormat(SERIES_MIME):
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:
        """Show the series that was dropped."""
        series_id = bytes(event.mimeData().data(SERIES_MIME)).decode("utf-8")
        if self.session.find_series(series_id) is not None:
            self.set_state(self.state.showing(series_id))
            self.activated.emit(self)
            event.acceptProposedAction()


def picture_transform(view: ScreenView, picture: Picture) -> QTransform:
    """From picture pixels (corner of the top left pixel at 0, 0) to the screen; sheared grids are sheared."""
    scale = 1.0 / view.mm_per_pixel
    right, down = np.asarray(view.right) * scale, np.asarray(view.down) * scale
    across, along = np.asarray(picture.step_right_mm), np.asarray(picture.step_down_mm)
    corner = view.screen_from_lps(np.asarray(picture.origin_lps_mm) - across / 2 - along / 2)
    return QTransform(
        float(across @ right), float(across @ down), float(along @ right), float(along @ down),
        float(corner[0]), float(corner[1]),
    )
