"""Figure legends: `legend` and `audit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neuraxis.cli.shared import AsJson, At, LegendFile, SeriesKey, StudyPath, app, parse_point, print_json, progress_bar


@app.command(epilog="Example: neuraxis legend legend.txt --json")
def legend(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="text of the legend, - for standard input")],
    as_json: AsJson = False,
) -> None:
    """Legend text to panels and claims."""
    from neuraxis.app.summary import legend_lines, read_legend_text
    from neuraxis.legends import parse_legend, to_json

    figures = parse_legend(read_legend_text(file))
    if as_json:
        print_json(to_json(figures))
    else:
        print("\n".join(legend_lines(figures)))


@app.command(epilog="Example: neuraxis audit ./study --legend legend.txt --at -14.2,22.5,3")
def audit(path: StudyPath, legend: LegendFile, at: At, series: SeriesKey = None, as_json: AsJson = False) -> None:
    """Each claim of a legend: supported, contradicted, cannot be decided, with numbers."""
    from neuraxis.app.summary import audit_lines, read_legend_text
    from neuraxis.app.workup import audit_workup, open_input, work_up

    point, text = parse_point(at), read_legend_text(legend)
    with progress_bar() as progress:
        workup = work_up(open_input(path, progress), point, series_key=series, progress=progress)
        audits = audit_workup(workup, text)
    if as_json:
        print_json({"panels": [panel for a in audits for panel in a.to_json()["panels"]]})
    else:
        print("\n".join(line for a in audits for line in audit_lines(a)))
