"""`bench`: speed and accuracy."""

from __future__ import annotations

import enum
import sys
from typing import Annotated

import typer

from neuraxis.cli.shared import app, progress_bar


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
    with progress_bar() as progress:
        lines = (
            accuracy_lines(quick=quick, tell=lambda text: progress(0.0, text))
            if what is Benchmark.ACCURACY
            else reading_lines(quick=quick, repeats=repeats, tell=lambda text: progress(0.0, text))
        )
        for line in lines:
            print(line, flush=True)
