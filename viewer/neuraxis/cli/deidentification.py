"""Handing a study on without identifiers: `deidentify`."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated

import typer

from neuraxis.cli.shared import AsJson, SeriesKey, StudyPath, app, parse_point, print_json, progress_bar, tell
from neuraxis.errors import NeuraxisError


@app.command(epilog="Example: neuraxis deidentify ./study --to ./shared --objects seg.dcm --objects sr.dcm")
def deidentify(
    path: StudyPath,
    to: Annotated[Path, typer.Option("--to", help="new or empty folder")],
    objects: Annotated[list[Path] | None, typer.Option("--objects", help="further DICOM objects (SEG, SR, ...)")] = None,
    pseudonym: Annotated[str, typer.Option(help="stands in for the patient's name and ID")] = "ANON",
    key: Annotated[
        Path | None, typer.Option("--key", help="secret file: the same key maps the same UIDs alike; made if not there")
    ] = None,
    keep_intervals: Annotated[bool, typer.Option("--keep-intervals", help="move dates instead of leaving them out")] = False,
    retain: Annotated[
        list[str] | None, typer.Option(help="leave as it is, on your word: PatientSex, PatientAge, SeriesDescription, ...")
    ] = None,
    allow: Annotated[list[str] | None, typer.Option(help="export in spite of: burned_in")] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="L,P,S", help="cut to a cube around this point (LPS mm)")] = None,
    size: Annotated[float, typer.Option("--size", help="edge of that cube in mm, 5 to 120")] = 80.0,
    series: SeriesKey = None, as_json: AsJson = False,
) -> None:
    """Write a study and its objects without identifiers, by an allow-list; says what needs a person's eye."""
    from neuraxis.app.deidentified_export import export_deidentified, read_or_make_key, region_from_point
    from neuraxis.app.workup import open_input
    from neuraxis.interop.deidentify import Substitution

    point = parse_point(at) if at is not None else None
    with progress_bar() as progress:
        study = open_input(path, progress)
        region = region_from_point(study, point, series, size, progress) if point is not None else None
        report = export_deidentified(
            study, to, Substitution(read_or_make_key(key), pseudonym, keep_intervals), objects=objects or (),
            retained=retain or (), allow=allow or (), region=region, written_at=datetime.datetime.now(), progress=progress,
        )
    if as_json:
        print_json(report.to_json())
    else:
        for left in report.left_out:
            tell(f"left out: {Path(left.path).name}: {left.reason}")
        for line in report.review:
            tell(f"to review: {line}")
        removed = ", ".join(f"{name} ({count})" for name, count in sorted(report.free_text.items()))
        tell(f"texts that were replaced or left out: {removed or 'none'}")
        print(f"wrote {len(report.written)} files to {to}; identifiers removed by allow-list, pixels not changed")
    if not report.written:
        raise NeuraxisError("nothing could be exported", expected="CT or MR images", remedy="see the reasons above")
