"""Panels as primitives on the page: the picture, its letters, bars, marks and locator."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import Vector3
from neuraxis.domain.study import Series
from neuraxis.domain.transform import RegistrationSet
from neuraxis.domain.volume import Volume
from neuraxis.figures.annotations import (
    MARGIN_MM,
    TypeSizes,
    corner_text,
    mark_items,
    orientation_texts,
    scale_bar,
)
from neuraxis.figures.layout import Box
from neuraxis.figures.recipe import Corner, PicturePanel, PlaceholderPanel, VolumePanel
from neuraxis.figures.sampling import PixelGrid, sample_grid
from neuraxis.figures.scene import CAP_HEIGHT, POINT_MM, Item, ItemRole, Picture, Polygon, Text, text_width_mm


@dataclass(frozen=True, eq=False)
class PanelSource:
    """What a volume panel is drawn from."""

    series: Series
    volume: Volume


def volume_items(
    panel: VolumePanel, source: PanelSource, box: Box, sizes: TypeSizes, registrations: RegistrationSet | None = None
) -> list[Item]:
    """Everything of a volume panel; the picture has exactly the pixels of its box."""
    return [*volume_picture(panel, source, box, registrations), *volume_overlay(panel, box, sizes)]


def volume_picture(
    panel: VolumePanel, source: PanelSource, box: Box, registrations: RegistrationSet | None = None
) -> list[Item]:
    """What has to be sampled from the voxels: the picture and the locator."""
    grid = PixelGrid(panel.plane, box.width_px, box.height_px)
    values = sample_grid(source.volume, grid, panel.interpolation, registrations)
    grey = panel.window.window().to_grey(values, inverted=source.series.inverted)
    # outside the scanned field is black also where low values are shown white
    grey[np.isnan(values)] = 0
    items: list[Item] = [Picture(box.x_mm, box.y_mm, box.width_mm, box.height_mm, grey, panel.letter)]
    if panel.inset is not None:
        from neuraxis.figures.locator import locator_items

        items += [replace(item, panel=panel.letter) for item in locator_items(panel, source, box, registrations)]
    return items


def volume_overlay(panel: VolumePanel, box: Box, sizes: TypeSizes) -> list[Item]:
    """Letters, bars and marks: what stands over the picture and needs no voxels."""
    grid = PixelGrid(panel.plane, box.width_px, box.height_px)
    page_per_mm = box.width_mm / panel.plane.field_of_view_mm[0]

    def on_page(point_lps_mm: Vector3) -> tuple[float, float]:
        across, down = grid.mm_from_lps(point_lps_mm)
        return box.x_mm + across * page_per_mm, box.y_mm + down * page_per_mm

    items = furniture(panel, box, sizes)
    for mark in panel.marks:
        assert mark.anchor_lps_mm is not None
        if grid.shows(mark.anchor_lps_mm):
            end = on_page(mark.end_lps_mm) if mark.end_lps_mm is not None else None
            items += mark_items(mark, on_page(mark.anchor_lps_mm), page_per_mm, end)
    return [replace(item, panel=panel.letter) for item in items]


def furniture(panel: VolumePanel, box: Box, sizes: TypeSizes) -> list[Item]:
    """Letter, sequence, window, orientation letters and scale bar of a volume panel: all but the marks."""
    items: list[Item] = []
    if panel.show_letter:
        items.append(corner_text(box, panel.letter_corner, panel.letter, sizes.letter_pt, "letter", bold=True))
    corner: Corner = "top-right" if panel.letter_corner != "top-right" else "top-left"
    lines: list[tuple[str, ItemRole]] = [(panel.text, "text")] if panel.text else []
    label = f"W {panel.window.width:.4g} L {panel.window.center:.4g}"
    # in a narrow panel the window stands in the recipe and the metadata only
    if panel.show_window and text_width_mm(label, sizes.small_pt) < box.width_mm / 2 - 2 * MARGIN_MM:
        lines.append((label, "window"))
    for row, (line, role) in enumerate(lines):
        step = row * 1.35 * sizes.small_pt * POINT_MM
        items.append(corner_text(box, corner, line, sizes.small_pt, role, row_mm=step))
    if panel.orientation_letters:
        items += orientation_texts(box, panel.plane, sizes.small_pt)
    if panel.scale_bar_mm is not None:
        length = panel.scale_bar_mm * box.width_mm / panel.plane.field_of_view_mm[0]
        items += scale_bar(box, panel.scale_bar_corner, length, f"{panel.scale_bar_mm:g} mm", sizes.small_pt)
    return items


def picture_items(
    panel: PicturePanel, pixels: NDArray[np.uint8], box: Box, sizes: TypeSizes
) -> list[Item]:
    """Everything of a picture panel; `pixels` are those of the crop, RGB."""
    return [scaled_picture(panel, pixels, box), *picture_overlay(panel, pixels.shape[:2], box, sizes)]


def scaled_picture(panel: PicturePanel, pixels: NDArray[np.uint8], box: Box) -> Picture:
    """The picture with exactly the pixels of its box."""
    from PIL import Image

    scaled = np.asarray(
        Image.fromarray(pixels).resize((box.width_px, box.height_px), Image.Resampling.LANCZOS), dtype=np.uint8
    )
    return Picture(box.x_mm, box.y_mm, box.width_mm, box.height_mm, scaled, panel.letter)


def picture_overlay(panel: PicturePanel, shape: tuple[int, ...], box: Box, sizes: TypeSizes) -> list[Item]:
    """Letters, bars and marks over a picture whose crop has `shape` (rows, columns) pixels."""
    items: list[Item] = []
    if panel.show_letter:
        items.append(corner_text(box, panel.letter_corner, panel.letter, sizes.letter_pt, "letter", bold=True))
    label = " ".join(part for part in (panel.text, panel.magnification) if part)
    if label:
        corner: Corner = "top-right" if panel.letter_corner != "top-right" else "top-left"
        items.append(corner_text(box, corner, label, sizes.small_pt, "text"))
    page_per_px = box.width_mm / shape[1]
    if panel.scale_bar_um is not None and panel.microns_per_pixel is not None:
        length = panel.scale_bar_um / panel.microns_per_pixel * page_per_px
        text = f"{panel.scale_bar_um:g} µm" if panel.scale_bar_um < 1000 else f"{panel.scale_bar_um / 1000:g} mm"
        items += scale_bar(box, panel.scale_bar_corner, length, text, sizes.small_pt)
    left, top = (panel.crop_px or (0, 0, 0, 0))[:2]

    def on_page(x_px: float, y_px: float) -> tuple[float, float]:
        return box.x_mm + (x_px - left) * page_per_px, box.y_mm + (y_px - top) * box.height_mm / shape[0]

    for mark in panel.marks:
        assert mark.anchor_px is not None
        end = on_page(*mark.end_px) if mark.end_px is not None else None
        items += mark_items(mark, on_page(*mark.anchor_px), page_per_px, end)
    return [replace(item, panel=panel.letter) for item in items]


def placeholder_items(panel: PlaceholderPanel, box: Box, sizes: TypeSizes) -> list[Item]:
    """An empty field with the letter and the reason, broken into lines that fit."""
    corners = (
        (box.x_mm, box.y_mm), (box.x_mm + box.width_mm, box.y_mm),
        (box.x_mm + box.width_mm, box.y_mm + box.height_mm), (box.x_mm, box.y_mm + box.height_mm),
    )
    items: list[Item] = [Polygon(corners, panel.letter, "placeholder", "#e6e6e6", "#e6e6e6", 0.0)]
    letter = corner_text(box, "top-left", panel.letter, sizes.letter_pt, "letter", bold=True)
    items.append(replace(letter, color="black", halo="none"))
    lines = wrapped(panel.reason, sizes.small_pt, box.width_mm - 4 * MARGIN_MM)
    step = 1.35 * sizes.small_pt * POINT_MM
    top = box.y_mm + box.height_mm / 2 - step * (len(lines) - 1) / 2 + CAP_HEIGHT * sizes.small_pt * POINT_MM / 2
    for index, line in enumerate(lines):
        items.append(
            Text(box.x_mm + box.width_mm / 2, top + index * step, line, sizes.small_pt, "", "placeholder", "center",
                 color="black", halo="none")
        )
    return [replace(item, panel=panel.letter) for item in items]


def wrapped(text: str, size_pt: float, width_mm: float) -> list[str]:
    """Lines of at most `width_mm` (longer single words stand alone)."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width_mm(longer, size_pt) <= width_mm:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def read_picture(panel: PicturePanel, folder: Path, allowed: Collection[str] = ()) -> NDArray[np.uint8]:
    """The pixels of a picture panel's crop, RGB uint8 (rows, columns, 3); metadata is left behind.

    Raises
    ------
    ReadError
        When the file is missing, is no picture, or is not the one that the recipe was made from.
    UsageError
        When the crop reaches outside the picture.
    """
    from neuraxis.figures.pictures import cropped, read_rgb

    return cropped(panel, read_rgb(panel, folder, allowed))


def aspect(panel: VolumePanel | PicturePanel | PlaceholderPanel, pixels: dict[str, Any]) -> float:
    """Width divided by height of a panel; `pixels` holds those of the picture panels by letter."""
    if isinstance(panel, VolumePanel):
        return panel.plane.field_of_view_mm[0] / panel.plane.field_of_view_mm[1]
    if isinstance(panel, PicturePanel):
        rows, columns = pixels[panel.letter].shape[:2]
        return float(columns / rows)
    return panel.aspect
