"""Figures of pictures that are no volumes: histology and photographs from files, with or without a legend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from neuraxis.domain.study import LoadReport, Study
from neuraxis.errors import UsageError

if TYPE_CHECKING:
    from neuraxis.domain.legend import LegendFigure
    from neuraxis.figures.recipe import PicturePanel, Recipe

_BARS_UM = (5000.0, 2000.0, 1000.0, 500.0, 200.0, 100.0, 50.0, 20.0, 10.0, 5.0)
_LARGEST_BAR = 0.3
"""Of the picture's width."""


def no_study() -> Study:
    """A study without images, for figures of pictures alone."""
    return Study("", (), LoadReport())


def picture_panels(arguments: Iterable[str], folder: Path) -> dict[str, PicturePanel]:
    """Panels by label from words like `a=he40.png` or `a=he40.png@1.6` (micrometres per pixel, for a scale bar).

    Raises
    ------
    UsageError
        When the words are none of these, or a file does not lie in `folder`, where the recipe will be.
    ReadError
        When a file cannot be read.
    """
    from neuraxis.figures.pictures import picture_panel, read_rgb

    panels: dict[str, PicturePanel] = {}
    for argument in arguments:
        label, _, rest = argument.partition("=")
        file, at, scale = rest.rpartition("@")
        name = file if at else rest
        try:
            microns = float(scale) if at else None
        except ValueError:
            name, microns = rest, None
        if not label or not name:
            raise UsageError(f"{argument!r} names no picture", expected="LABEL=FILE or LABEL=FILE@MICROMETRES_PER_PIXEL")
        panel = picture_panel(Path(name), label, folder)
        if microns is not None:
            if not 0 < microns <= 10000:
                raise UsageError(f"{microns:g} micrometres per pixel", expected="a number above 0, at most 10000")
            width_um = read_rgb(panel, folder).shape[1] * microns
            bar = next((b for b in _BARS_UM if b <= _LARGEST_BAR * width_um), _BARS_UM[-1])
            panel = panel.model_copy(update={"microns_per_pixel": microns, "scale_bar_um": bar})
        panels[label] = panel
    return panels


def recipe_of_pictures(legend: str, pictures: Mapping[str, PicturePanel]) -> Recipe:
    """The recipe of the first figure of a legend whose panels are the given pictures; "" lays them out in their order.

    Raises
    ------
    UsageError
        When no figure of the legend has a panel with the label of a picture.
    """
    from neuraxis.figures.legend_layout import legend_layout
    from neuraxis.figures.recipe import PlaceholderPanel, Recipe, caption_literal
    from neuraxis.figures.recipe_file import recipe_from_data

    if not legend:
        return Recipe(panels=tuple(pictures.values()))
    figure = _figure_of(legend, pictures)
    panels = tuple(
        pictures.get(p.label)
        or PlaceholderPanel(letter=p.label, reason=f"{p.kind}: give a picture file for panel {p.label}") for p in figure.panels
    )
    return recipe_from_data(
        {"panels": panels, "layout": legend_layout(figure, 174.0), "caption": caption_literal(figure.text)}
    )


def _figure_of(legend: str, pictures: Mapping[str, PicturePanel]) -> LegendFigure:
    from neuraxis.legends import parse_legend

    figures = parse_legend(legend)
    fitting = [f for f in figures if set(pictures) <= {p.label for p in f.panels if p.kind != "imaging"}]
    if not fitting:
        known = sorted({p.label for f in figures for p in f.panels if p.kind != "imaging"})
        raise UsageError(
            f"the legend has no figure with pictures {', '.join(sorted(pictures))}",
            expected="labels of panels that are no imaging: " + (", ".join(known) or "the legend describes none"),
        )
    return fitting[0]
