"""The sample studies: `demo` and `sample`."""

from __future__ import annotations

import datetime
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from neuraxis.cli.series import open_window
from neuraxis.cli.shared import app, progress_bar


@app.command(epilog="Example: neuraxis demo --out demo-out")
def demo(
    out: Annotated[Path, typer.Option("--out", help="folder for everything that is written")] = Path("neuraxis-demo"),
    show: Annotated[bool, typer.Option("--show/--no-show", help="open the viewer where there is a display")] = True,
) -> None:
    """Write the CAPNON sample as DICOM and run the whole path on it."""
    from neuraxis.app.demo import STANCE, run_demo
    from neuraxis.app.summary import workup_lines

    with progress_bar() as progress:
        result = run_demo(out, written_at=datetime.datetime.now(), progress=progress)
    for line in workup_lines(result.workup):
        print(line)
    for file in result.files:
        print(f"wrote {file}")
    print(STANCE)
    if show and sys.stdout.isatty() and (os.environ.get("DISPLAY") or sys.platform in ("darwin", "win32")):
        open_window(result.study_folder)


@app.command(epilog="Example: neuraxis sample capnon ./study --seed 3")
def sample(
    case: Annotated[str, typer.Argument(help="name of the case", show_default=False)] = "",
    directory: Annotated[Path | None, typer.Argument(metavar="DIR", show_default=False)] = None,
    seed: Annotated[int, typer.Option(help="the same seed gives the same bytes")] = 0,
    list_cases: Annotated[bool, typer.Option("--list", help="name the cases")] = False,
) -> None:
    """Write a phantom study and its truth.json."""
    from neuraxis_phantom import case_names, write_case

    if list_cases:
        print("\n".join(case_names()))
        return
    if case not in case_names():
        raise typer.BadParameter(f"no case {case!r}; there are: {', '.join(case_names())}")
    if directory is None:
        raise typer.BadParameter("the folder DIR is missing")
    with progress_bar() as progress:
        folder = write_case(case, directory, seed=seed, progress=progress)
    print(f"wrote {folder}")
