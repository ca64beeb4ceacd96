"""Paints one panel: the picture, what is fused over it, outlines, and the marks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRectF
from qtpy.QtGui import QColor, QImage, QPainter, QPen, QTransform

from neuraxis.app.options import Marks
from neuraxis.app.outlines import mask_on_picture, outline_on_screen
from neuraxis.app.panel_texts import badges, series_text, slice_text, window_text
from neuraxis.app.pictures import Picture
from neuraxis.app.study_labels import study_badge
from neuraxis.app.views import ScreenView
from neuraxis.ui import panel_marks, theme
from neuraxis.ui.fusion import coloured, grey_image
from neuraxis.ui.texts import say

if TYPE_CHECKING:
    from neuraxis.domain.lesion import Lesion
    from neuraxis.domain.study import Series
    from neuraxis.ui.slice_panel import SlicePanel

FILL_ALPHA = 90
"""Of 255: a filled mask lets the picture through."""


class PanelPainter:
    """Paints a panel from its scene; keeps the image of the slice that was painted last."""

    def __init__(self, panel: SlicePanel) -> None:
        self.panel = panel
        self._image: QImage | None = None
        self._image_bytes: Any = None
        self._shown_bytes: Any = None
        self._hurried = False

    def release(self) -> None:
        """Let go of the picture."""
        self._image = self._image_bytes = self._shown_bytes = None

    def paint(self) -> None:
        """Picture first, then marks."""
        painter = QPainter(self.panel)
        area = QRectF(self.panel.rect())
        painter.fillRect(area, theme.SHADOW)
        if self.panel.is_picture and self._paint_picture(painter, area):
            self._draw_frame(painter, area)
            painter.end()
            return
        view, picture, pixels = self.panel.scene.view(), self.panel.scene.picture(), self.panel.scene.screen_pixels()
        if view is None or picture is None or pixels is None:
            panel_marks.draw_middle_text(painter, area, self._waiting_text())
        else:
            self._draw_picture(painter, view, picture, pixels)
            self._draw_overlay(painter, view)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
            if self.panel.options.now.masks:
                self._draw_masks(painter, view, picture)
            self._draw_marks(painter, area, view, picture)
            self.panel.mouse.draw(painter, view)
        self._draw_frame(painter, area)
        painter.end()

    def _paint_picture(self, painter: QPainter, area: QRectF) -> bool:
        """A picture without a grid: fitted, with a badge that says so."""
        pixels, series = self.panel.pictures.pixels(), self.panel.scene.series
        if pixels is None or series is None:
            return False
        rows, columns = pixels.shape
        image = QImage(pixels.data, columns, rows, columns * 4, QImage.Format.Format_RGB32)
        scale = min(area.width() / columns, area.height() / rows)
        room = QRectF(0, 0, columns * scale, rows * scale)
        room.moveCenter(area.center())
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, True)
        painter.drawImage(room, image)
        if self.panel.options.now.marks is not Marks.NONE:
            texts = panel_marks.CornerTexts(
                series_text(series), "", f"picture {self.panel.pictures.index + 1}/{series.frames}"
            )
            plates = panel_marks.draw_corners(painter, area, texts)
            panel_marks.draw_badges(painter, area, [say("panel_painting.picture_only_not_for")], plates)
        return True

    def _waiting_text(self) -> str:
        series = self.panel.scene.series
        if self.panel.session.study is None:
            opening = next((j.title for j in self.panel.session.jobs.jobs if j.key in ("open", "sample")), "")
            return f"{opening} …" if opening else say("panel_painting.open_a_study_folder")
        if series is None:
            return say("panel_painting.drag_a_series_here")
        failure = self.panel.session.failure(series.id)
        if failure is not None:
            return say("panel_painting.could_not_be_read", title=series.title, reason=failure.text)
        under_way = any(j.key == f"volume {series.id}" and not j.is_cancelled for j in self.panel.session.jobs.jobs)
        return say("panel_painting.is_loading" if under_way else "panel_painting.was_stopped", title=series.title)

    def _draw_picture(self, painter: QPainter, view: ScreenView, picture: Picture, pixels: Any) -> None:
        hurried = self.panel.scene.coarse and picture.interpolated and min(pixels.shape) > 1
        if self._image is None or self._image_bytes is not pixels or hurried is not self._hurried:
            shown = doubled(pixels) if hurried else pixels
            rows, columns = shown.shape
            self._image = QImage(shown.data, columns, rows, columns * 4, QImage.Format.Format_RGB32)
            self._image_bytes, self._shown_bytes, self._hurried = pixels, shown, hurried  # QImage does not own them
        painter.save()
        # enlarging smoothly costs more than all the rest of a frame; while a plane is turned, every second pixel does
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self.panel.state.smooth and not hurried)
        transform = picture_transform(view, picture)
        if hurried:
            transform = QTransform(0.5, 0.0, 0.0, 0.5, 0.25, 0.25) * transform
        painter.setTransform(transform)
        painter.drawImage(QPointF(0.0, 0.0), self._image)
        painter.restore()

    def _draw_overlay(self, painter: QPainter, view: ScreenView) -> None:
        overlay = self.panel.scene.overlay()
        if overlay is None:
            return
        picture, grey, _ = overlay
        state, area = self.panel.state, QRectF(self.panel.rect())
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, state.smooth)
        if state.swipe is not None:
            beyond = area.adjusted(area.width() * state.swipe, 0, 0, 0)
            painter.fillRect(beyond, theme.SHADOW)
            painter.setClipRect(beyond)
        image = coloured(grey, state.overlay_opacity, state.overlay_colours) if state.swipe is None else grey_image(grey)
        painter.setTransform(picture_transform(view, picture))
        painter.drawImage(QPointF(0.0, 0.0), image)
        painter.restore()
        if state.swipe is not None:
            panel_marks.draw_swipe(painter, area, area.width() * state.swipe)

    def _draw_masks(self, painter: QPainter, view: ScreenView, picture: Picture) -> None:
        series = self.panel.scene.series
        if series is None:
            return
        lesions = self.panel.session.case.lesions
        for number, lesion in enumerate(lesions):
            look = self.panel.options.look(lesion.tracking_uid)
            part = self._mask_part(lesion, series, picture) if look.shown else None
            if part is None:
                continue
            colour = theme.lesion_colour(number if look.colour is None else look.colour)
            if look.filled:
                self._fill_mask(painter, view, part, colour)
            segments = outline_on_screen(part, view)
            active = lesion.tracking_uid == self.panel.session.active_lesion
            panel_marks.draw_outline(painter, segments, colour, active=active, line=theme.lesion_line(number))
            if len(lesions) > 1:
                panel_marks.draw_lesion_number(painter, segments, str(number + 1), colour)

    def _mask_part(self, lesion: Lesion, series: Series, picture: Picture) -> Picture | None:
        """The part of the picture that a lesion's mask touches, by way of a registration where one is needed."""
        mask = next((m for m in (lesion.mask, *lesion.other_masks) if m.series_id == series.id), lesion.mask)
        frame = mask.geometry.frame_of_reference_uid
        registration = None
        if mask.series_id != series.id and frame != series.frame_of_reference_uid:
            registration = self.panel.session.registrations_in_view.between(series.frame_of_reference_uid, frame)
            if registration is None:
                return None
        return mask_on_picture(mask, picture, registration)

    def _fill_mask(self, painter: QPainter, view: ScreenView, part: Picture, colour: QColor) -> None:
        flags = part.values
        tint = QColor(colour)
        tint.setAlpha(FILL_ALPHA)
        argb = np.where(flags > 0, np.uint32(tint.rgba()), np.uint32(0)).astype(np.uint32)
        rows, columns = flags.shape
        image = QImage(argb.data, columns, rows, columns * 4, QImage.Format.Format_ARGB32)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
        painter.setTransform(picture_transform(view, part))
        painter.drawImage(QPointF(0.0, 0.0), image)
        painter.restore()

    def _draw_marks(self, painter: QPainter, area: QRectF, view: ScreenView, picture: Picture) -> None:
        series, volume, native, point = self.panel.scene.series, self.panel.scene.volume, self.panel.scene.native, self.panel.scene.point
        choices = self.panel.options.now
        if series is None or native is None or point is None or choices.marks is Marks.NONE:
            return
        if volume is None:
            plates = panel_marks.draw_corners(
                painter, area, panel_marks.CornerTexts(series_text(series), say("panel_painting.loading"))
            )
            panel_marks.draw_letters(painter, panel_marks.room_for_letters(area, plates), view.letters)
            return
        for other in self.panel.reference_views if choices.reference_lines else ():
            self._draw_reference(painter, view, other)
        if choices.crosshair:
            x, y = view.screen_from_lps(point)
            panel_marks.draw_crosshair(painter, area, QPointF(x, y), registered=self._is_registered())
        panel_marks.draw_scale_bar(painter, area, view.mm_per_pixel)
        if choices.marks is Marks.FEW:
            panel_marks.draw_letters(painter, area, view.letters)
            return
        window = self.panel.scene.window()
        texts = panel_marks.CornerTexts(
            series_text(series), window_text(window),
            slice_text(
                series, volume, native, picture, view.centre_lps_mm, self.panel.state.rotation_degrees
            ),
            self._link_text(),
        )
        plates = panel_marks.draw_corners(painter, area, texts)
        told = badges(series, volume, native, picture, self.panel.state.projection)
        whose = study_badge(
            series, self.panel.session.series, self.panel.session.labels, hidden=not choices.show_names
        )
        if whose:
            told.insert(0, whose)
        if self._is_key_image():
            told.insert(0, say("panel_painting.key_image"))
        told += self._fusion_badge()
        panel_marks.draw_badges(painter, area, told, plates)
        panel_marks.draw_letters(painter, panel_marks.room_for_letters(area, plates), view.letters)

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
        series, source = self.panel.scene.series, self.panel.session.find_series(self.panel.session.point_source)
        if series is None or source is None:
            return False
        link = self.panel.session.link(source, series)
        return not link.same_frame and link.registration is not None

    def _link_text(self) -> str:
        if not self.panel.state.linked:
            return say("panel_painting.not_linked_own_slice")
        series, source = self.panel.scene.series, self.panel.session.find_series(self.panel.session.point_source)
        if series is None or source is None or source.id == series.id:
            return ""
        label = self.panel.session.link(source, series).label
        return label.replace(", ", "\n") if label != "not linked" else say("panel_painting.not_linked_to_no", modality=source.modality)

    def _fusion_badge(self) -> list[str]:
        other = self.panel.session.find_series(self.panel.state.overlay_id) if self.panel.state.overlay_id else None
        series = self.panel.scene.series
        if other is None or series is None:
            return []
        how = say("panel_painting.right_of_the_line") if self.panel.state.swipe is not None else f"{self.panel.state.overlay_opacity:.0%}"
        link = self.panel.session.link(series, other)
        return [f"fused: {other.role.role.value} {how}", *link.label.split(", ")]

    def _is_key_image(self) -> bool:
        position = self.panel.scene.slice_position()
        return position is not None and (self.panel.state.series_id, position[0]) in self.panel.session.case.key_images

    def _draw_frame(self, painter: QPainter, area: QRectF) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        pen = QPen(theme.ACTIVE_FRAME if self.panel.is_active else theme.IDLE_FRAME, 3 if self.panel.is_active else 1)
        painter.setPen(pen)
        painter.drawRect(area.adjusted(0, 0, -1, -1))


def doubled(pixels: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """A grey picture (rows, columns) of 0xffRRGGBB with the mean of its neighbours in between: (2 r - 1, 2 c - 1)."""
    grey = (pixels & np.uint32(0xFF)).astype(np.uint16)
    rows, columns = grey.shape
    wide = np.empty((rows, 2 * columns - 1), dtype=np.uint16)
    wide[:, ::2] = grey
    wide[:, 1::2] = (grey[:, 1:] + grey[:, :-1]) >> 1
    both = np.empty((2 * rows - 1, 2 * columns - 1), dtype=np.uint32)
    both[::2] = wide
    both[1::2] = (wide[1:] + wide[:-1]) >> 1
    both *= np.uint32(0x010101)
    both |= np.uint32(0xFF000000)
    return both


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
