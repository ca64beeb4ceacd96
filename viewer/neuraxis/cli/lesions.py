"""One lesion: `segment`, `measure`, `tag`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neuraxis.cli.shared import AsJson, At, SeriesKey, StudyPath, app, parse_point, print_json, progress_bar, tell


@app.command(epilog="Example: neuraxis segment ./study --at -14.2,22.5,3 --to mask.nii.gz")
def segment(
    path: StudyPath, at: At, to: Annotated[Path, typer.Option("--to", help=".nii.gz, .nrrd or .npy")],
    series: SeriesKey = None,
) -> None:
    """Write the lesion mask that one point gives."""
    from neuraxis.app.workup import lesion_series, open_input, segment_on
    from neuraxis.interop.volume_files import write_mask

    point = parse_point(at)
    with progress_bar() as progress:
        chosen = lesion_series(open_input(path, progress), series)
        mask = segment_on(chosen, point)
        write_mask(mask, to)
    for warning in mask.warnings:
        tell(f"warning: {warning}")
    print(f"wrote {to}: {mask.voxel_count} voxels on series {chosen.id} ({chosen.title}); {mask.method}")


@app.command(epilog="Example: neuraxis measure ./study --at -14.2,22.5,3 --json")
def measure(
    path: StudyPath,
    at: Annotated[str | None, typer.Option("--at", metavar="L,P,S", help="point in LPS mm")] = None,
    mask: Annotated[Path | None, typer.Option("--mask", help="mask on the grid of --series")] = None,
    series: SeriesKey = None, as_json: AsJson = False,
) -> None:
    """Sizes, volume and statistics, with method and uncertainty."""
    from neuraxis.app.summary import measurement_lines
    from neuraxis.app.workup import lesion_from_mask, lesion_series, open_input, segment_on
    from neuraxis.interop.measurement_json import measurement_to_json
    from neuraxis.interop.volume_files import read_mask

    if (at is None) == (mask is None):
        raise typer.BadParameter("give either --at or --mask")
    point = parse_point(at) if at is not None else None
    with progress_bar() as progress:
        chosen = lesion_series(open_input(path, progress), series)
        lesion_mask = segment_on(chosen, point) if point is not None else read_mask(mask or Path(), chosen)
        lesion = lesion_from_mask(chosen, lesion_mask)
    if as_json:
        print_json(measurement_to_json(lesion.measurement))
    else:
        print("\n".join(measurement_lines(lesion.measurement)))


@app.command(epilog="Example: neuraxis tag ./study --at -14.2,22.5,3")
def tag(path: StudyPath, at: At, series: SeriesKey = None, as_json: AsJson = False) -> None:
    """Per concept: suggested value, verdict, evidence."""
    from neuraxis.app.summary import workup_lines
    from neuraxis.app.workup import open_input, work_up
    from neuraxis.interop.measurement_json import measurement_to_json

    point = parse_point(at)
    with progress_bar() as progress:
        workup = work_up(open_input(path, progress), point, series_key=series, progress=progress)
    if as_json:
        lesion = measurement_to_json(workup.lesion.measurement)
        parts = [measurement_to_json(part) for part in workup.parts]
        tags = [t.to_json() for t in workup.tags]
        print_json({"lesion": lesion, "parts": parts, "tags": tags, "notes": list(workup.notes)})
    else:
        print("\n".join(workup_lines(workup)))
