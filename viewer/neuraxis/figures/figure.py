"""From a recipe and a study to a figure, and from a figure to files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.study import Series, Study
from neuraxis.domain.transform import RegistrationSet
from neuraxis.domain.volume import Volume
from neuraxis.errors import UsageError
from neuraxis.figures.annotations import TypeSizes
from neuraxis.figures.layout import Page, lay_out
from neuraxis.figures.panels import (
    PanelSource,
    aspect,
    picture_items,
    placeholder_items,
    read_picture,
    volume_items,
)
from neuraxis.figures.privacy import check_privacy
from neuraxis.figures.provenance import figure_metadata
from neuraxis.figures.recipe import PicturePanel, PlaceholderPanel, Recipe, VolumePanel
from neuraxis.figures.sampling import PixelGrid, check_reaches
from neuraxis.figures.scene import Item, Scene
from neuraxis.figures.source import VolumeShelf
from neuraxis.output import written_whole

OFF_PLANE_MM = 5.0
"""Distance of a mark from its panel's plane above which the reader is told."""
SUFFIXES = (".png", ".tif", ".tiff", ".pdf", ".svg", ".pptx", ".html")


@dataclass(frozen=True, eq=False)
class Figure:
    """A figure ready to be written: the recipe, the voxels behind each panel and the page.

    `sources` holds the volume panels' series and volumes by letter, `pictures` the pixels of picture panels, `series`
    all series of the study.
    """

    recipe: Recipe
    sources: dict[str, PanelSource]
    pictures: dict[str, NDArray[np.uint8]]
    registrations: RegistrationSet
    series: tuple[Series, ...] = ()

    @cached_property
    def scene(self) -> Scene:
        """The page at the recipe's resolution."""
        return self.scene_at(self.recipe.dpi)

    @cached_property
    def page(self) -> Page:
        """Where the panels stand at the recipe's resolution."""
        return self.page_at(self.recipe.dpi)

    @cached_property
    def metadata(self) -> dict[str, str]:
        """What every output carries: title, purpose, software, and how each panel was made."""
        return figure_metadata(self.recipe, self.sources)

    def page_at(self, dpi: int) -> Page:
        """Where the panels stand at a resolution: to its pixels."""
        panels = self.recipe.panels
        aspects = [aspect(p, self.pictures) for p in panels]
        return lay_out([p.letter for p in panels], aspects, self.recipe.layout, self.recipe.width_mm, dpi)

    def scene_at(self, dpi: int) -> Scene:
        """The page with panel pictures sampled for a resolution."""
        page = self.page if dpi == self.recipe.dpi else self.page_at(dpi)
        sizes = TypeSizes(self.recipe.font_size_pt, self.recipe.letter_size_pt)
        items: list[Item] = []
        for panel in self.recipe.panels:
            box = page.boxes[panel.letter]
            if isinstance(panel, VolumePanel):
                items += volume_items(panel, self.sources[panel.letter], box, sizes, self.registrations)
            elif isinstance(panel, PicturePanel):
                items += picture_items(panel, self.pictures[panel.letter], box, sizes)
            else:
                items += placeholder_items(panel, box, sizes)
        return Scene(
            page.width_px * page.pixel_mm, page.height_px * page.pixel_mm, self.recipe.background, tuple(items)
        )

    @property
    def placeholders(self) -> tuple[PlaceholderPanel, ...]:
        """Panels that could not be made, with their reasons."""
        return tuple(p for p in self.recipe.panels if isinstance(p, PlaceholderPanel))

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader of the figure has to know: substitutions made, and panels that could not be made."""
        gaps = [
            f"panel {letter}: {len(s.volume.missing_slices)} slice missing in its series, drawn black where it is cut"
            for letter, s in self.sources.items() if s.volume.missing_slices
        ]
        return (*self.recipe.notes, *gaps, *self._stray_marks(), *(f"panel {p.letter} is empty: {p.reason}" for p in self.placeholders))

    def _stray_marks(self) -> list[str]:
        """Marks that are not drawn because they lie beside their panel, or are drawn though they lie off its plane."""
        notes = []
        for panel in self.recipe.panels:
            if not isinstance(panel, VolumePanel):
                continue
            box = self.page.boxes[panel.letter]
            grid = PixelGrid(panel.plane, box.width_px, box.height_px)
            for index, mark in enumerate(panel.marks):
                assert mark.anchor_lps_mm is not None
                off = abs(float(grid.plane.distance_mm(mark.anchor_lps_mm))) - panel.plane.slab_mm / 2
                if not grid.shows(mark.anchor_lps_mm):
                    notes.append(f"panel {panel.letter}: mark {index + 1} lies outside the field of view, not drawn")
                elif off > OFF_PLANE_MM:
                    notes.append(f"panel {panel.letter}: mark {index + 1} lies {off:.0f} mm off the plane")
        return notes

    def to_bytes(self, suffix: str, dpi: int | None = None) -> bytes:
        """The figure in the format of a file name ending (`.png`, `.tif`, `.pdf`, `.svg`, `.pptx`, `.html`).

        The same recipe and voxels give the same bytes.

        Parameters
        ----------
        dpi : resolution of the panel pictures; by default the recipe's
        """
        resolution = dpi or self.recipe.dpi
        scene = self.scene if resolution == self.recipe.dpi else self.scene_at(resolution)
        kind = suffix.lower()
        if kind in (".png", ".tif", ".tiff", ".pdf"):
            from neuraxis.figures import page_backend

            if kind == ".pdf":
                return page_backend.pdf_bytes(scene, self.metadata)
            write = page_backend.png_bytes if kind == ".png" else page_backend.tiff_bytes
            return write(scene, resolution, self.metadata)
        if kind == ".svg":
            from neuraxis.figures.svg_backend import svg_text

            return svg_text(scene, self.metadata).encode("utf-8")
        if kind == ".pptx":
            from neuraxis.figures.pptx_backend import pptx_bytes

            return pptx_bytes(scene, self.metadata, self.recipe.caption_text())
        if kind == ".html":
            from neuraxis.figures.teaching import teaching_page

            return teaching_page(self).encode("utf-8")
        raise UsageError(
            f"figures are not written as {suffix or 'a file without an ending'!r}",
            expected="one of: " + ", ".join(SUFFIXES), remedy="choose one of these endings",
        )

    def save(self, path: str | Path, dpi: int | None = None) -> Path:
        """Write the figure; the ending of the name chooses the format.

        Raises
        ------
        UsageError
            For an unknown ending.
        WriteError
            When the file cannot be written; nothing half-written is left behind.
        """
        target = Path(path)
        content = self.to_bytes(target.suffix, dpi)
        with written_whole(target) as temporary:
            temporary.write_bytes(content)
        return target


def draw_figure(
    recipe: Recipe, study: Study, *, registrations: RegistrationSet | None = None, volumes: Iterable[Volume] = (),
    folder: str | Path = ".", allow: Iterable[str] = (), ignore_hash: bool = False,
) -> Figure:
    """The figure that a recipe describes, from the voxels of a study.

    Parameters
    ----------
    recipe : what to draw
    study : the opened study; only the series that the recipe names are read
    registrations : needed only for panels whose plane lies in another frame of reference than their series
    volumes : volumes that are in memory already, used by their `series_id`
    folder : where picture panels' files lie, normally the recipe's folder
    allow : privacy refusals that are overridden by name, besides those in the recipe
    ignore_hash : draw other voxels than those the recipe was made from

    Raises
    ------
    UsageError
        When a series is missing (`HashMismatchError`: holds other voxels).
    GeometryError
        When a panel's plane does not meet its volume, or lies in an unregistered frame of reference.
    PrivacyError
        When a panel would show burned-in text, a screen capture or a face and that was not allowed by name.
    ReadError
        When a picture panel's file cannot be read.
    """
    shelf = VolumeShelf(study, volumes)
    sources: dict[str, PanelSource] = {}
    pictures: dict[str, NDArray[np.uint8]] = {}
    known = registrations or RegistrationSet()
    allowed = {*recipe.privacy_overrides, *allow}
    for panel in recipe.panels:
        if isinstance(panel, VolumePanel):
            series, volume = shelf.checked(panel.series, letter=panel.letter, ignore_hash=ignore_hash)
            sources[panel.letter] = PanelSource(series, volume)
            check_reaches(panel.letter, panel.plane, volume, known)
            check_privacy(panel, series, volume, allowed, known)
        elif isinstance(panel, PicturePanel):
            pictures[panel.letter] = read_picture(panel, Path(folder), allowed)
    return Figure(recipe, sources, pictures, known, study.series)
