"""The benchmarks as lines of text: speed of reading, and accuracy of measuring, each beside what a user would otherwise pick."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neuraxis.lesions.accuracy import Condition

Tell = Callable[[str], None]


def reading_lines(*, quick: bool, repeats: int, tell: Tell) -> Iterator[str]:
    """Medians of interleaved runs on the same files: task, program, seconds, ratio to Neuraxis."""
    from neuraxis.dicom.bench import run_bench

    yield f"{'task':34}{'program':26}{'median s':>10}{'x Neuraxis':>12}"
    for row in run_bench(repeats=repeats, quick=quick, tell=tell):
        ratio = f"{row.ratio_to_neuraxis:.2f}" if row.seconds == row.seconds else "-"
        yield f"{row.task:34}{row.program:26}{row.seconds:10.4f}{ratio:>12}  {row.note}".rstrip()


def accuracy_lines(*, quick: bool, tell: Tell) -> Iterator[str]:
    """Bias and SD of long axis and volume by condition, ours beside a 130 HU mask, and the coverage of our intervals."""
    from neuraxis.lesions.accuracy import standard_conditions, study

    conditions = standard_conditions()
    repeats = 4 if quick else 25
    yield f"{repeats} random positions a condition; d = bias ± SD; 130 HU = fixed mask measured by SimpleITK label statistics"
    yield f"{'condition':58}{'long axis mm':>18}{'130 HU':>16}{'volume %':>16}{'130 HU':>18}{'covered %':>12}"
    for number, row in enumerate(study(conditions, repeats=repeats)):
        tell(f"accuracy {number + 1} of {len(conditions)}")
        ours, peer = row.ours, row.peer
        covered = "/".join(f"{100 * c:.0f}" if c is not None else "-" for c in (ours.long_axis_coverage, ours.volume_coverage))
        yield (
            f"{_condition_label(row.condition):58}"
            f"{ours.long_axis_bias_mm:+10.2f} ± {ours.long_axis_sd_mm:.2f}"
            f"{peer.long_axis_bias_mm:+10.2f} ± {peer.long_axis_sd_mm:.2f}"
            f"{ours.volume_bias_percent:+9.1f} ± {ours.volume_sd_percent:4.1f}"
            f"{peer.volume_bias_percent:+11.1f} ± {peer.volume_sd_percent:4.1f}{covered:>12}"
        )


def _condition_label(condition: Condition) -> str:
    c = condition
    shape = "sphere" if len(set(c.elongation)) == 1 else "ellipsoid"
    where = f"{c.bone_gap_mm:g} mm from bone" if c.surroundings == "bone" else f"in {c.surroundings}"
    return (
        f"{c.diameter_mm:g} mm {shape}, {c.slice_mm:g} mm slices, FWHM {c.fwhm_mm:g}, {c.plateau_hu:g}±{c.noise_hu:g} HU, {where}"
    )
