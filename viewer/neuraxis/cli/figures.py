"""Pictures for a publication: `figure`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neuraxis.cli.shared import SeriesKey, StudyPath, app, parse_point, progress_bar, tell


@app.command(epilog="Example: neuraxis figure ./study --legend legend.txt --at -14.2,22.5,3 -o figure.pdf")
def figure(
    path: StudyPath,
    out: Annotated[Path, typer.Option("-o", "--out", help=".png .tif .pdf .svg .html .pptx")],
    recipe: Annotated[Path | None, typer.Option("--recipe", help="recipe to draw again")] = None,
    legend: Annotated[Path | None, typer.Option("--legend", help="text file with the figure legend")] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="L,P,S", help="the lesion, for --legend")] = None,
    series: SeriesKey = None,
    allow: Annotated[
        list[str] | None, typer.Option(help="draw in spite of: full_face, burned_in, secondary_capture")
    ] = None,
) -> None:
    """Draw the figure of a recipe or of a legend; the recipe is written beside it."""
    from neuraxis.app.summary import read_legend_text
    from neuraxis.app.workup import open_input, point_recipe
    from neuraxis.figures import draw_figure, read_recipe, write_recipe

    if (recipe is None) == (legend is None) or (legend is not None and at is None):
        raise typer.BadParameter("give either --recipe, or --legend with --at")
    point = parse_point(at) if at is not None else None
    notes: tuple[str, ...] = ()
    with progress_bar() as progress:
        if recipe is not None:
            chosen = read_recipe(recipe)
            study = open_input(path, progress)
        else:
            text = read_legend_text(legend or Path())
            study = open_input(path, progress)
            assert point is not None
            chosen, notes = point_recipe(study, point, text, series_key=series, progress=progress)
        folder = recipe.parent if recipe is not None else Path()
        drawn = draw_figure(chosen, study, folder=folder, allow=allow or ())
        drawn.save(out)
        if recipe is None:
            write_recipe(chosen, out.with_suffix(".recipe.yaml"))
    for note in (*notes, *drawn.notes):
        tell(f"note: {note}")
    print(f"wrote {out}")
