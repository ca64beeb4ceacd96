"""The command line: parses arguments, shows progress, prints results; the work is done in `neuraxis.app`."""

from __future__ import annotations

import datetime
import enum
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neuraxis.errors import NeuraxisError

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


def main(arguments: list[str] | None = None) -> None:
    """Run `neuraxis`; exit code 0 done, 1 could not (one message on standard error), 2 wrong usage."""
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments or bool(os.environ.get("NEURAXIS_DEBUG"))
    try:
        app(args=[a for a in _glue_negative(arguments) if a != "--debug"])
    except NeuraxisError as error:
        if debug:
            raise
        _fail(str(error))
    except KeyboardInterrupt:
        _fail("stopped.")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if debug:
            raise
        name = Path(str(error.filename)).name if error.filename else "input or output"
        _fail(f"{name}: {error.strerror or error}.")
    except Exception as error:  # the last wall: no traceback reaches a user
        if debug:
            raise
        _fail(f"internal error ({type(error).__name__}); run again with --debug and report what it prints.")


def _fail(message: str) -> None:
    print(f"neuraxis: {message}", file=sys.stderr)
    sys.exit(1)


def _glue_negative(arguments: list[str]) -> list[str]:
    # `--at -14.2,22.5,3` starts like an option; glued it cannot be mistaken for one
    glued: list[str] = []
    for argument in arguments:
        if glued and glued[-1] == "--at":
            glued[-1] = f"--at={argument}"
        else:
            glued.append(argument)
    return glued


def _point(text: str) -> Vector3:
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a point; expected three numbers L,P,S such as -14.2,22.5,3") from None
    return x, y, z


@contextmanager
def _progress() -> Iterator[Progress]:
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


def _print_json(data: Any) -> None:
    sys.stdout.write(json.dumps(data, ensure_ascii=False, allow_nan=False, indent=1) + "\n")


def _tell(text: str) -> None:
    print(text, file=sys.stderr)


@app.command(epilog="Example: neuraxis demo --out demo-out")
def demo(
    out: Annotated[Path, typer.Option("--out", help="folder for everything that is written")] = Path("neuraxis-demo"),
    show: Annotated[bool, typer.Option("--show/--no-show", help="open the viewer where there is a display")] = True,
) -> None:
    """Write the CAPNON sample as DICOM and run the whole path on it."""
    from neuraxis.app.demo import STANCE, run_demo
    from neuraxis.app.summary import workup_lines

    with _progress() as progress:
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
    with _progress() as progress:
        folder = write_case(case, directory, seed=seed, progress=progress)
    print(f"wrote {folder}")


@app.command(epilog="Example: neuraxis scan ./study --json")
def scan(path: StudyPath, as_json: AsJson = False) -> None:
    """List series, roles, geometry, refusals and skipped files."""
    from neuraxis.app.summary import scan_lines
    from neuraxis.dicom import open_study, scan_to_json

    with _progress() as progress:
        study = open_study(path, progress=progress)
    if as_json:
        _print_json(scan_to_json(study))
    else:
        for line in scan_lines(study):
            print(line)
    if not study.series:
        raise NeuraxisError(
            f"no DICOM images in {path} ({study.report.files_seen} files seen)",
            expected="a folder, zip, DICOMDIR or file with DICOM images",
        )


@app.command("open", epilog="Example: neuraxis open ./study")
def open_window(path: Annotated[Path | None, typer.Argument(metavar="[PATH]", show_default=False)] = None) -> None:
    """Open the desktop viewer."""
    if path is not None and not path.exists():
        raise NeuraxisError(f"{path} does not exist", remedy="give a folder, zip, DICOMDIR or file")
    from neuraxis.app.extras import require_desktop

    require_desktop()
    from neuraxis.desktop import run

    code = run(None if path is None else str(path))
    if code:
        sys.exit(code)


@app.command(epilog="Example: neuraxis export ./study --series 3 --to t2.nii.gz")
def export(
    path: StudyPath,
    series: Annotated[str, typer.Option("--series", help="id, UID or number")],
    to: Annotated[Path, typer.Option("--to", help=".nii.gz, .nii, .nrrd or .npy")],
) -> None:
    """Write one series as .nii.gz, .nrrd or .npy (real-world units, with geometry)."""
    from neuraxis.app.workup import open_input
    from neuraxis.interop.volume_files import write_volume

    with _progress() as progress:
        found = open_input(path, progress).find(series)
        volume = found.volume()
        done = write_volume(volume, to)
    for warning in dict.fromkeys((*found.warnings, *volume.caveats, *done)):
        _tell(f"warning: {warning}")
    print(f"wrote {to}")


@app.command(epilog="Example: neuraxis segment ./study --at -14.2,22.5,3 --to mask.nii.gz")
def segment(
    path: StudyPath, at: At, to: Annotated[Path, typer.Option("--to", help=".nii.gz, .nrrd or .npy")],
    series: SeriesKey = None,
) -> None:
    """Write the lesion mask that one point gives."""
    from neuraxis.app.workup import lesion_series, open_input, segment_on
    from neuraxis.interop.volume_files import write_mask

    point = _point(at)
    with _progress() as progress:
        chosen = lesion_series(open_input(path, progress), series)
        mask = segment_on(chosen, point)
        write_mask(mask, to)
    for warning in mask.warnings:
        _tell(f"warning: {warning}")
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
    point = _point(at) if at is not None else None
    with _progress() as progress:
        chosen = lesion_series(open_input(path, progress), series)
        lesion_mask = segment_on(chosen, point) if point is not None else read_mask(mask or Path(), chosen)
        lesion = lesion_from_mask(chosen, lesion_mask)
    if as_json:
        _print_json(measurement_to_json(lesion.measurement))
    else:
        print("\n".join(measurement_lines(lesion.measurement)))


@app.command(epilog="Example: neuraxis tag ./study --at -14.2,22.5,3")
def tag(path: StudyPath, at: At, series: SeriesKey = None, as_json: AsJson = False) -> None:
    """Per concept: suggested value, verdict, evidence."""
    from neuraxis.app.summary import workup_lines
    from neuraxis.app.workup import open_input, work_up
    from neuraxis.interop.measurement_json import measurement_to_json

    point = _point(at)
    with _progress() as progress:
        workup = work_up(open_input(path, progress), point, series_key=series, progress=progress)
    if as_json:
        lesion = measurement_to_json(workup.lesion.measurement)
        _print_json({"lesion": lesion, "tags": [t.to_json() for t in workup.tags], "notes": list(workup.notes)})
    else:
        print("\n".join(workup_lines(workup)))


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
        _print_json(to_json(figures))
    else:
        print("\n".join(legend_lines(figures)))


@app.command(epilog="Example: neuraxis audit ./study --legend legend.txt --at -14.2,22.5,3")
def audit(path: StudyPath, legend: LegendFile, at: At, series: SeriesKey = None, as_json: AsJson = False) -> None:
    """Each claim of a legend: supported, contradicted, cannot be decided, with numbers."""
    from neuraxis.app.summary import audit_lines, read_legend_text
    from neuraxis.app.workup import audit_workup, open_input, work_up

    point, text = _point(at), read_legend_text(legend)
    with _progress() as progress:
        workup = work_up(open_input(path, progress), point, series_key=series, progress=progress)
        audits = audit_workup(workup, text)
    if as_json:
        _print_json({"panels": [panel for a in audits for panel in a.to_json()["panels"]]})
    else:
        print("\n".join(line for a in audits for line in audit_lines(a)))


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
    point = _point(at) if at is not None else None
    notes: tuple[str, ...] = ()
    with _progress() as progress:
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
        _tell(f"note: {note}")
    print(f"wrote {out}")


class Benchmark(enum.StrEnum):
    """What can be measured."""

    READING = "reading"
    ACCURACY = "accuracy"
    INTERACTION = "interaction"


@app.command(epilog="Example: neuraxis bench reading --quick")
def bench(
    what: Annotated[Benchmark, typer.Argument(help="reading: speed; accuracy: of measuring; interaction: of the window")] = Benchmark.READING,
    quick: Annotated[bool, typer.Option("--quick", help="small data, for a first look")] = False,
    repeats: Annotated[int, typer.Option(min=1, help="interleaved runs of each program")] = 5,
) -> None:
    """Speed and accuracy, side by side with what a user would otherwise pick."""
    from neuraxis.app.benchmarks import accuracy_lines, reading_lines

    if what is Benchmark.INTERACTION:
        from neuraxis.app.extras import require_desktop

        require_desktop()
        from neuraxis.desktop.interaction_cost import main as measure_interaction

        sys.exit(measure_interaction())
    with _progress() as progress:
        lines = (
            accuracy_lines(quick=quick, tell=lambda text: progress(0.0, text))
            if what is Benchmark.ACCURACY
            else reading_lines(quick=quick, repeats=repeats, tell=lambda text: progress(0.0, text))
        )
        for line in lines:
            print(line, flush=True)


if __name__ == "__main__":
    main()
