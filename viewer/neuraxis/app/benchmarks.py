"""The benchmarks as lines of text: speed of reading, and accuracy of measuring, each beside what a user would otherwise pick."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from neuraxis.align.registration_study import Case, Pair

Tell = Callable[[str], None]


def reading_lines(*, quick: bool, repeats: int, tell: Tell) -> Iterator[str]:
    """Medians of interleaved runs on the same files: task, program, seconds, ratio to Neuraxis."""
    from neuraxis.dicom.bench import run_bench

    yield f"{'task':34}{'program':26}{'median s':>10}{'x Neuraxis':>12}"
    for row in run_bench(repeats=repeats, quick=quick, tell=tell):
        ratio = f"{row.ratio_to_neuraxis:.2f}" if row.seconds == row.seconds else "-"
        yield f"{row.task:34}{row.program:26}{row.seconds:10.4f}{ratio:>12}  {row.note}".rstrip()


def accuracy_lines(
    *, quick: bool, tell: Tell, positions: int | None = None, seed: int | None = None, page: Path | None = None,
    radiomics: Path | None = None,
) -> Iterator[str]:
    """Bias and SD of long axis and volume by condition, ours beside the peers', and the coverage of our intervals.

    Parameters
    ----------
    quick : every seventh condition with 4 positions
    positions, seed : random places a condition (25); of the head
    page : Markdown file to write, with plots beside it
    radiomics : a Python that has PyRadiomics
    """
    from neuraxis.app.accuracy_page import condition_label, covered_text, quick_conditions, summary_lines, write_page
    from neuraxis.lesions.accuracy import REPORTED_SEED, standard_conditions, study
    from neuraxis.lesions.accuracy_peers import radiomics_python

    conditions = quick_conditions() if quick else standard_conditions()
    repeats = positions or (4 if quick else 25)
    seed = REPORTED_SEED if seed is None else seed
    rows = []
    yield f"{repeats} random positions a condition; bias ± SD; peers: 130 HU mask measured by SimpleITK, by PyRadiomics"
    for number, row in enumerate(study(conditions, repeats=repeats, seed=seed, radiomics=radiomics_python(radiomics))):
        tell(f"accuracy {number + 1} of {len(conditions)}")
        rows.append(row)
        lengths = "".join(f"{s.long_axis_bias_mm:+8.2f} ± {s.long_axis_sd_mm:5.2f}" for s in row.summaries)
        volumes = "".join(f"{s.volume_bias_percent:+9.1f} ± {s.volume_sd_percent:6.1f}" for s in row.summaries)
        yield f"{condition_label(row.condition):72} mm{lengths}   %{volumes}   covered {covered_text(row)}"
    yield from summary_lines(rows)
    if page is not None:
        write_page(rows, page, repeats=repeats, seed=seed)
        yield f"written: {page}"


def registration_lines(*, quick: bool, tell: Tell, real: Path | None = None) -> Iterator[str]:
    """Error at the lesion, time and coverage of the stated residual over moved pairs, beside elastix where it is installed.

    Parameters
    ----------
    quick : one head and 4 cases instead of four heads and 40
    real : a folder with a real series, which is moved and found again as often
    """
    from neuraxis.align.registration_study import run, summarise

    heads, count = (1, 4) if quick else (4, 40)
    with tempfile.TemporaryDirectory() as folder:
        tell("drawing heads")
        pairs = phantom_pairs(Path(folder), heads)
        groups = {"phantom": [(pairs[i % len(pairs)], i) for i in range(count)]}
        if real is not None:
            groups["real"] = real_pairs(real, count)
        for name, numbered in groups.items():
            yield f"{name:12}{'shift mm':>9}{'turn deg':>9}{'error mm':>9}{'stated mm':>10}{'s':>7}{'CPU s':>7}   elastix: error mm, s, CPU s"
            cases: list[Case] = []
            for case in run(numbered, elastix_every=8):
                tell(f"{name} {len(cases) + 1} of {count}")
                cases.append(case)
                yield _registration_line(case)
            s = summarise(cases)
            yield (
                f"{name}: {s.cases} cases, {s.refused} refused; error median {s.median_mm:.2f}, worst {s.worst_mm:.2f} mm; within the "
                f"stated residual {100 * s.covered:.0f} %; median {s.seconds:.1f} s, CPU {s.cpu_seconds:.1f} s"
            )
            if s.elastix_cases:
                yield (
                    f"{name}, elastix: {s.elastix_cases} cases, {s.elastix_lost} gave up; error median {s.elastix_median_mm:.2f} (ours on "
                    f"the same {s.same_cases_median_mm:.2f}), worst {s.elastix_worst_mm:.2f} mm; median {s.elastix_seconds:.1f} s, CPU "
                    f"{s.elastix_cpu_seconds:.1f} s; ratio to ours {s.wall_ratio:.1f} by clock, {s.cpu_ratio:.1f} by CPU"
                )


def _registration_line(case: Case) -> str:
    ours = "refused" if case.ours is None else (
        f"{case.ours.error_mm:9.3f}{case.ours.stated_mm:10.2f}{case.ours.seconds:7.1f}{case.ours.cpu_seconds:7.1f}"
    )
    peer = ""
    if case.elastix_was_run:
        e = case.elastix
        peer = "   gave up" if e is None else f"   {e.error_mm:.3f}, {e.seconds:.1f}, {e.cpu_seconds:.1f}"
    return f"{case.name:12}{case.shift_mm:9.1f}{case.turn_deg:9.1f}{ours}{peer}"


def phantom_pairs(folder: Path, heads: int) -> list[Pair]:
    """CT with T1, T2 and T1 after contrast of some sample studies, written below a folder, with the true maps."""
    from neuraxis.align.registration_study import Pair
    from neuraxis.app.workup import open_input
    from neuraxis.domain.study import Role
    from neuraxis_phantom import write_case

    pairs = []
    for seed in range(1, heads + 1):
        where = write_case("capnon", folder / str(seed), seed=seed)
        truth = json.loads((where / "truth.json").read_text(encoding="utf-8"))
        study = open_input(where)
        x, y, z = truth["frames"]["CT"]["lesion_centroid_lps_mm"]
        ct = study.volumes_of(Role.CT)[0].volume()
        pairs += [
            Pair(f"{seed} CT {role.value}", ct, study.volumes_of(role)[0].volume(), np.array(truth["ct_to_mr"]), (x, y, z))
            for role in (Role.T1, Role.T2, Role.T1C)
        ]
    return pairs


def real_pairs(folder: Path, count: int) -> list[tuple[Pair, int]]:
    """The first volume under a folder, paired with copies of itself between its voxels."""
    from neuraxis.align.registration_study import moved_copy
    from neuraxis.app.workup import open_input

    volume = next(s for s in open_input(folder).series if s.is_volume).volume()
    return [(moved_copy("real", volume, number), number) for number in range(count)]


def lesion_lines(*, quick: bool, repeats: int, tell: Tell, radiomics: Path | None = None) -> Iterator[str]:
    """Time from a click to mask and numbers in a CT of 512x512x600, beside programs that start from a finished mask."""
    from neuraxis.lesions.accuracy_peers import radiomics_python
    from neuraxis.lesions.speed_study import run

    tell("drawing volumes")
    yield f"{'task':24}{'program':40}{'median ms':>11}{'CPU ms':>10}{'x Neuraxis':>12}"
    for line in run(repeats=repeats, quick=quick, radiomics=radiomics_python(radiomics)):
        cpu = f"{1000 * line.cpu_seconds:10.1f}" if line.cpu_seconds == line.cpu_seconds else f"{'-':>10}"
        yield f"{line.task:24}{line.program:40}{1000 * line.seconds:11.1f}{cpu}{line.times_ours:12.2f}"
