"""Pictures for a publication and pages for the file: `figure`, `report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neuraxis.cli.shared import SeriesKey, app, parse_point, progress_bar, tell

Allow = Annotated[list[str] | None, typer.Option(help="draw in spite of: full_face, burned_in, secondary_capture")]


@app.command(epilog="Example: neuraxis figure ./study --legend legend.txt --at -14.2,22.5,3 -o figure.pdf")
def figure(
    out: Annotated[Path, typer.Option("-o", "--out", help=".png .tif .pdf .svg .html .pptx")],
    path: Annotated[Path | None, typer.Argument(metavar="[PATH]", help="folder, zip, DICOMDIR or file; none for a figure of pictures",
                                                show_default=False, readable=False)] = None,
    recipe: Annotated[Path | None, typer.Option("--recipe", help="recipe to draw again")] = None,
    legend: Annotated[Path | None, typer.Option("--legend", help="text file with the figure legend")] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="L,P,S", help="the lesion, for --legend")] = None,
    picture: Annotated[
        list[str] | None,
        typer.Option(metavar="LABEL=FILE[@UM]", help="histology or photograph, with micrometres per pixel; lies beside --out"),
    ] = None,
    series: SeriesKey = None,
    allow: Allow = None,
) -> None:
    """Draw the figure of a recipe or of a legend; the recipe is written beside it."""
    from neuraxis.app.picture_figures import no_study, picture_panels, recipe_of_pictures
    from neuraxis.app.summary import read_legend_text
    from neuraxis.app.workup import open_input, point_recipe
    from neuraxis.figures import draw_figure, read_recipe, write_recipe

    of_pictures = bool(picture) and path is None
    if of_pictures and (recipe is not None or at is not None):
        raise typer.BadParameter("a figure of pictures alone takes no --recipe and no --at")
    if not of_pictures and ((recipe is None) == (legend is None) or (legend is not None and at is None)):
        raise typer.BadParameter("give either --recipe, or --legend with --at, or --picture without PATH")
    if legend is not None and not of_pictures and path is None:
        raise typer.BadParameter("give the study", param_hint="PATH")
    point = parse_point(at) if at is not None else None
    notes: tuple[str, ...] = ()
    with progress_bar() as progress:
        text = read_legend_text(legend) if legend is not None else ""
        panels = picture_panels(picture or (), out.parent)
        chosen = read_recipe(recipe) if recipe is not None else recipe_of_pictures(text, panels) if of_pictures else None
        study = no_study() if path is None else open_input(path, progress)
        if chosen is None:
            assert point is not None
            chosen, notes = point_recipe(study, point, text, series_key=series, pictures=panels, progress=progress)
        folder = recipe.parent if recipe is not None else out.parent
        drawn = draw_figure(chosen, study, folder=folder, allow=allow or ())
        drawn.save(out)
        if recipe is None:
            write_recipe(chosen, out.with_suffix(".recipe.yaml"))
    for note in (*notes, *drawn.notes):
        tell(f"note: {note}")
    print(f"wrote {out}")


@app.command(epilog="Example: neuraxis report ./study --at -14.2,22.5,3 --legend legend.txt -o report.pdf")
def report(
    path: Annotated[Path, typer.Argument(metavar="CASE|STUDY", help="case file, or study folder, zip, DICOMDIR or file",
                                         show_default=False, readable=False)],
    out: Annotated[Path, typer.Option("-o", "--out", help=".html .pdf")],
    at: Annotated[str | None, typer.Option("--at", metavar="L,P,S", help="the lesion; for a case: the first one")] = None,
    study: Annotated[Path | None, typer.Option("--study", help="the images that a case file belongs to")] = None,
    legend: Annotated[Path | None, typer.Option("--legend", help="text file with the figure legend to audit")] = None,
    series: SeriesKey = None,
    allow: Allow = None,
) -> None:
    """Write the report of a case, or of the lesion at a point: sizes, tags, audited legend, figure, method, limits."""
    from neuraxis.app.case_report import report_at_point, report_of_case_file
    from neuraxis.app.summary import read_legend_text
    from neuraxis.app.workup import open_input
    from neuraxis.case.database import is_case_file
    from neuraxis.figures.report import save_report

    from_case = is_case_file(path)
    if from_case and study is None:
        raise typer.BadParameter("a case file holds no images: give them with --study", param_hint="--study")
    if not from_case and at is None:
        raise typer.BadParameter("give the lesion's point of this study", param_hint="--at")
    point = parse_point(at) if at is not None else None
    text = read_legend_text(legend) if legend is not None else ""
    with progress_bar() as progress:
        opened = open_input(study if from_case and study is not None else path, lambda f, t: progress(0.1 * f, t))
        rest = lambda f, t: progress(0.1 + 0.9 * f, t)  # noqa: E731
        if from_case:
            made_from = report_of_case_file(path, opened, legend=text, at=point, allow=allow or (), progress=rest)
        else:
            assert point is not None
            made_from = report_at_point(opened, point, legend=text, series_key=series, allow=allow or (), progress=rest)
        save_report(out, made_from)
    for note in (*made_from.notes, *(made_from.figure.notes if made_from.figure else ())):
        tell(f"note: {note}")
    print(f"wrote {out}")
