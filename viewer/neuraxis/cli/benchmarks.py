"""`bench`: speed and accuracy."""

from __future__ import annotations

import enum
import sys
from pathlib import Path
from typing import Annotated

import typer

from neuraxis.cli.shared import app, progress_bar


class Benchmark(enum.StrEnum):
    """What can be measured."""

    READING = "reading"
    ACCURACY = "accuracy"
    REGISTRATION = "registration"
    LESIONS = "lesions"
    INTERACTION = "interaction"


@app.command(epilog="Example: neuraxis bench reading --quick")
def bench(
    what: Annotated[Benchmark, typer.Argument(help="reading: speed; accuracy: of sizes; registration: error and time; lesions: speed of measuring; interaction: of the window")] = Benchmark.READING,
    quick: Annotated[bool, typer.Option("--quick", help="small data, for a first look")] = False,
    repeats: Annotated[int, typer.Option(min=1, help="interleaved runs of each program")] = 5,
    positions: Annotated[int | None, typer.Option(min=1, help="accuracy: random places a condition; default 25")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="accuracy: of the digital head")] = None,
    page: Annotated[Path | None, typer.Option(help="accuracy: Markdown file to write, with plots beside it")] = None,
    radiomics: Annotated[Path | None, typer.Option(help="accuracy, lesions: a Python that has PyRadiomics, to run it too")] = None,
    real: Annotated[Path | None, typer.Option(help="registration: folder with a real series, to be moved and found again")] = None,
) -> None:
    """Speed and accuracy, side by side with what a user would otherwise pick."""
    from neuraxis.app.benchmarks import accuracy_lines, lesion_lines, reading_lines, registration_lines

    if what is Benchmark.INTERACTION:
        from neuraxis.app.extras import require_desktop

        require_desktop()
        from neuraxis.desktop.interaction_cost import main as measure_interaction

        sys.exit(measure_interaction())
    with progress_bar() as progress:
        def tell(text: str) -> None:
            progress(0.0, text)

        if what is Benchmark.ACCURACY:
            lines = accuracy_lines(quick=quick, tell=tell, positions=positions, seed=seed, page=page, radiomics=radiomics)
        elif what is Benchmark.REGISTRATION:
            lines = registration_lines(quick=quick, tell=tell, real=real)
        elif what is Benchmark.LESIONS:
            lines = lesion_lines(quick=quick, repeats=repeats, tell=tell, radiomics=radiomics)
        else:
            lines = reading_lines(quick=quick, repeats=repeats, tell=tell)
        for line in lines:
            print(line, flush=True)
