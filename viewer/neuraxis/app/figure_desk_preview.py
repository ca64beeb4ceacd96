"""What a figure desk shows: panel pictures sampled in the background, letters and marks at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.study import Study
from neuraxis.domain.transform import RegistrationSet
from neuraxis.errors import NeuraxisError
from neuraxis.figures.annotations import TypeSizes
from neuraxis.figures.figure import Figure
from neuraxis.figures.layout import Box
from neuraxis.figures.panels import (
    PanelSource,
    picture_overlay,
    placeholder_items,
    scaled_picture,
    volume_overlay,
    volume_picture,
)
from neuraxis.figures.pictures import cropped, read_rgb
from neuraxis.figures.privacy import check_privacy
from neuraxis.figures.recipe import PicturePanel, PlaceholderPanel, Recipe, VolumePanel
from neuraxis.figures.sampling import check_reaches
from neuraxis.figures.scene import Item, Line, Picture, Polygon, Scene
from neuraxis.figures.source import VolumeShelf

PREVIEW_DPI = 150
"""Sharp on a screen at the size of print; the export samples anew at the recipe's resolution."""
Report = Callable[[float, str], None]


@dataclass(frozen=True, eq=False)
class Sampled:
    """A panel's picture as it was sampled, what it was sampled for, and why it could not be."""

    key: Any
    items: tuple[Item, ...] = ()
    problem: NeuraxisError | None = None


@dataclass(eq=False)
class Preview:
    """Pictures of the panels by letter, kept from step to step; only what changed is sampled again.

    `files` holds the pixels of picture files by name.
    """

    sampled: dict[str, Sampled] = field(default_factory=dict)
    files: dict[str, NDArray[np.uint8]] = field(default_factory=dict)

    def figure(self, recipe: Recipe) -> Figure:
        """The figure without voxels: enough to know where everything stands."""
        pictures = {
            p.letter: cropped(p, self.files[p.file]) for p in recipe.panels if isinstance(p, PicturePanel)
        }
        return Figure(recipe, {}, pictures, RegistrationSet())

    def stale(self, recipe: Recipe) -> dict[str, tuple[VolumePanel, Box]]:
        """The volume panels whose picture is missing or was sampled for something else."""
        page = self.figure(recipe).page_at(PREVIEW_DPI)
        wanted = {p.letter: (p, page.boxes[p.letter]) for p in recipe.panels if isinstance(p, VolumePanel)}
        return {
            letter: (panel, box) for letter, (panel, box) in wanted.items()
            if letter not in self.sampled or self.sampled[letter].key != sampling_key(recipe, panel, box)
        }

    def rename(self, before: Recipe, after: Recipe) -> None:
        """Give the pictures to the panels that show the same after letters or places changed."""
        page = self.figure(after).page_at(PREVIEW_DPI)
        known = [s for p in before.panels if (s := self.sampled.get(p.letter)) is not None]
        for panel in after.panels:
            if isinstance(panel, VolumePanel):
                key = sampling_key(after, panel, page.boxes[panel.letter])
                same = [s for s in known if s.key == key] or [s for s in known if s.key[:2] == key[:2]]
                if same:
                    self.sampled[panel.letter] = same[0]

    def scene(self, recipe: Recipe) -> Scene:
        """The page as far as it is sampled; a panel that waits shows its last picture stretched to its place."""
        figure = self.figure(recipe)
        coarse = figure.page_at(PREVIEW_DPI)
        sizes = TypeSizes(recipe.font_size_pt, recipe.letter_size_pt)
        items: list[Item] = []
        for panel in recipe.panels:
            box = figure.page.boxes[panel.letter]
            if isinstance(panel, VolumePanel):
                key = sampling_key(recipe, panel, coarse.boxes[panel.letter])
                items += self._pictures(key, panel, box, sizes) + volume_overlay(panel, box, sizes)
            elif isinstance(panel, PicturePanel):
                pixels = figure.pictures[panel.letter]
                small = replace(scaled_picture(panel, pixels, coarse.boxes[panel.letter]), **_place(box))
                items += [small, *picture_overlay(panel, pixels.shape[:2], box, sizes)]
            else:
                items += placeholder_items(panel, box, sizes)
        page = figure.page
        return Scene(page.width_px * page.pixel_mm, page.height_px * page.pixel_mm, recipe.background, tuple(items))

    def _pictures(self, key: Any, panel: VolumePanel, box: Box, sizes: TypeSizes) -> list[Item]:
        known = self.sampled.get(panel.letter)
        if known is None:
            return []
        if known.problem is not None:
            return placeholder_items(PlaceholderPanel(letter=panel.letter, reason=known.problem.found[:400]), box, sizes)
        image, *locator = known.items
        assert isinstance(image, Picture)
        shown: list[Item] = [replace(image, **_place(box), panel=panel.letter)]
        # a locator belongs to the picture it was sampled with
        return shown + (_moved(locator, box.x_mm - image.x_mm, box.y_mm - image.y_mm) if known.key == key else [])


def _place(box: Box) -> dict[str, Any]:
    return {"x_mm": box.x_mm, "y_mm": box.y_mm, "width_mm": box.width_mm, "height_mm": box.height_mm}


def _moved(items: list[Item], right_mm: float, down_mm: float) -> list[Item]:
    moved: list[Item] = []
    for item in items:
        if isinstance(item, Polygon | Line):
            moved.append(replace(item, points_mm=tuple((x + right_mm, y + down_mm) for x, y in item.points_mm)))
        else:
            moved.append(replace(item, x_mm=item.x_mm + right_mm, y_mm=item.y_mm + down_mm))
    return moved


def sampling_key(recipe: Recipe, panel: VolumePanel, box: Box) -> tuple[Any, ...]:
    """Everything that a panel's picture depends on; the first two say which voxels and which part of them."""
    return (panel.series, panel.plane, panel.window, panel.interpolation, panel.inset, box.width_px, box.height_px,
            recipe.privacy_overrides)


def sample_panels(
    wanted: Mapping[str, tuple[VolumePanel, Box]], recipe: Recipe, study: Study, registrations: RegistrationSet,
    report: Report,
) -> dict[str, Sampled]:
    """The pictures of some panels; one that is refused or cannot be made carries the reason instead.

    `report` is called before each panel and may raise to stop.
    """
    shelf = VolumeShelf(study)
    made: dict[str, Sampled] = {}
    for number, (letter, (panel, box)) in enumerate(wanted.items()):
        report(number / len(wanted), f"panel {letter}")
        key = sampling_key(recipe, panel, box)
        try:
            series, volume = shelf.checked(panel.series, letter=letter)
            check_reaches(letter, panel.plane, volume, registrations)
            check_privacy(panel, series, volume, set(recipe.privacy_overrides), registrations)
            items = volume_picture(panel, PanelSource(series, volume), box, registrations)
        except NeuraxisError as error:
            made[letter] = Sampled(key, problem=error)
        else:
            made[letter] = Sampled(key, tuple(items))
    return made


def read_files(recipe: Recipe, folder: Path) -> dict[str, NDArray[np.uint8]]:
    """The pixels of every picture file of a recipe, by name; ReadError or PrivacyError as `read_rgb`."""
    return {
        p.file: read_rgb(p, folder, set(recipe.privacy_overrides)) for p in recipe.panels if isinstance(p, PicturePanel)
    }
