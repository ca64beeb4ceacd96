"""What every command shares: the application object, arguments, the progress bar, printing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from neuraxis.app.workup import Progress
    from neuraxis.domain.geometry import Vector3

app = typer.Typer(
    name="neuraxis", no_args_is_help=True, add_completion=False, rich_markup_mode="rich",
    pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]},
    help="CT, MR and SWI DICOM to a measured, coded, checkable lesion description and a publication figure. "
    "For teaching and research; not a medical device.",
)

StudyPath = Annotated[
    Path,
    # readable=False: what cannot be read is the reader's to say, with exit code 1
    typer.Argument(metavar="PATH", help="folder, zip, DICOMDIR or file", show_default=False, readable=False),
]
At = Annotated[str, typer.Option("--at", metavar="L,P,S", help="point in LPS mm, frame of reference of --series")]
SeriesKey = Annotated[str | None, typer.Option("--series", help="id, UID or number; default: the thinnest CT")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object on standard output, nothing else")]
LegendFile = Annotated[Path, typer.Option("--legend", help="text file with the figure legend")]


def parse_point(text: str) -> Vector3:
    """Point of `L,P,S` in LPS mm; wrong usage where it is none."""
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a point; expected three numbers L,P,S such as -14.2,22.5,3") from None
    return x, y, z


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A progress bar on standard error where that is a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield lambda _fraction, _text: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda fraction, text: bar.update(task, completed=fraction, description=text)


def print_json(data: Any) -> None:
    """One JSON object on standard output."""
    sys.stdout.write(json.dumps(data, ensure_ascii=False, allow_nan=False, indent=1) + "\n")


def tell(text: str) -> None:
    """A line on standard error."""
    print(text, file=sys.stderr)
