"""Series as they are: `scan`, `open`, `export`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from neuraxis.cli.shared import AsJson, StudyPath, app, print_json, progress_bar, tell
from neuraxis.errors import NeuraxisError


@app.command(epilog="Example: neuraxis scan ./study --json")
def scan(path: StudyPath, as_json: AsJson = False) -> None:
    """List series, roles, geometry, refusals and skipped files."""
    from neuraxis.app.summary import scan_lines
    from neuraxis.dicom import open_study, scan_to_json

    with progress_bar() as progress:
        study = open_study(path, progress=progress)
    if as_json:
        print_json(scan_to_json(study))
    else:
        for line in scan_lines(study):
            print(line)
    if not study.series:
        raise NeuraxisError(
            f"no DICOM images in {path} ({study.report.files_seen} files seen)",
            expected="a folder, zip, DICOMDIR or file with DICOM images",
        )


@app.command("open", epilog="Example: neuraxis open ./study; neuraxis open lesions.neuraxis --study ./study")
def open_window(
    path: Annotated[Path | None, typer.Argument(metavar="[PATH|CASE]", show_default=False)] = None,
    study: Annotated[Path | None, typer.Option("--study", help="where the study of a case file lies now")] = None,
) -> None:
    """Open the desktop viewer on a folder, zip, DICOMDIR, file or case."""
    for given in (path, study):
        if given is not None and not given.exists():
            raise NeuraxisError(f"{given} does not exist", remedy="give a folder, zip, DICOMDIR, file or case")
    if study is not None:
        from neuraxis.case.database import is_case_file

        if path is None or not is_case_file(path):
            raise typer.BadParameter("only a case file takes a study", param_hint="--study")
    from neuraxis.app.extras import require_desktop

    require_desktop()
    from neuraxis.desktop import run

    code = run(None if path is None else str(path), None if study is None else str(study))
    if code:
        sys.exit(code)


@app.command(epilog="Example: neuraxis export ./study --series 3 --to t2.nii.gz")
def export(
    path: StudyPath,
    series: Annotated[str, typer.Option("--series", help="id, UID or number")],
    to: Annotated[Path, typer.Option("--to", help=".nii.gz, .nii, .nrrd or .npy")],
    native: Annotated[bool, typer.Option("--native", help="the grid as it was read: tilt and gaps stay, nothing is resampled")] = False,
) -> None:
    """Write one series as .nii.gz, .nrrd or .npy (real-world units, with geometry); a tilted one on a regular grid."""
    from neuraxis.app.workup import open_input
    from neuraxis.interop.volume_files import write_volume

    with progress_bar() as progress:
        found = open_input(path, progress).find(series)
        volume = found.volume()
        done = write_volume(volume, to, native=native)
    for warning in dict.fromkeys((*found.warnings, *volume.caveats, *done)):
        tell(f"warning: {warning}")
    print(f"wrote {to}")
