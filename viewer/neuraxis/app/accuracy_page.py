"""The accuracy study as a page: what was asked, what came out, tables and plots; written by the command that ran it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuraxis.lesions.accuracy import (
    AIM_LONG_MM,
    AIM_LONG_SD_MM,
    AIM_VOLUME,
    AIM_VOLUME_SD,
    Row,
    pooled_coverage,
    standard_conditions,
)
from neuraxis.lesions.accuracy_peers import RADIOMICS_NAME

if TYPE_CHECKING:
    from neuraxis.lesions.accuracy_scene import Condition

COLOURS = ("#1b6ca8", "#c8553d", "#8a8a8a")
NAMES = ("Neuraxis", "130 HU mask, SimpleITK label statistics", "130 HU mask, PyRadiomics shape")


def condition_label(condition: Condition) -> str:
    """One condition in words."""
    c = condition
    shape = "sphere" if c.is_sphere else "ellipsoid"
    where = {"brain": "in brain", "csf": "beside CSF", "bone": f"{c.bone_gap_mm:g} mm from bone"}[c.place]
    return (
        f"{c.diameter_mm:g} mm {shape}, {c.slice_mm:g} mm slices, FWHM {c.fwhm_mm:g}, {c.plateau_hu:g}±{c.noise_hu:g} HU, {where}"
    )


def write_page(rows: Sequence[Row], path: Path, *, repeats: int, seed: int) -> None:
    """The page (Markdown) with its plots in `images/` beside it.

    Parameters
    ----------
    rows : of the study, in its order
    path : file to write; plots go to `images/accuracy_*.png` in the same folder
    repeats, seed : what the study was run with, for the command that repeats it
    """
    images = path.parent / "images"
    images.mkdir(parents=True, exist_ok=True)
    _plot_by_size(rows, images / "accuracy_size.png")
    _plot_thickness(rows, images / "accuracy_thickness.png")
    _plot_coverage(rows, images / "accuracy_coverage.png")
    path.write_text("\n".join(_lines(rows, repeats, seed)) + "\n", encoding="utf-8")


def summary_lines(rows: Sequence[Row]) -> list[str]:
    """The study in a few sentences: aims met and missed, coverage, where a peer was better."""
    aimed = [r for r in rows if r.is_aimed_at]
    lines = []
    if aimed:
        worst = [
            max(abs(r.ours.long_axis_bias_mm) for r in aimed), max(r.ours.long_axis_sd_mm for r in aimed),
            max(abs(r.ours.volume_bias_percent) for r in aimed), max(r.ours.volume_sd_percent for r in aimed),
        ]
        missed = sum(bool(r.missed) for r in aimed)
        lines.append(
            f"Lesions of 3 mm and more in slices of at most 1 mm ({len(aimed)} conditions, {sum(r.cases for r in aimed)} cases), "
            f"worst condition for each: long axis bias {worst[0]:.2f} mm (aim {AIM_LONG_MM:g}), SD {worst[1]:.2f} mm "
            f"(aim {AIM_LONG_SD_MM:g}); volume bias {worst[2]:.1f} % (aim {AIM_VOLUME:g}), SD {worst[3]:.1f} % "
            f"(aim {AIM_VOLUME_SD:g}). Conditions that miss an aim: {missed}."
        )
    groups = (
        ("all cases", rows), ("3 mm and more, slices of at most 1 mm", aimed),
        ("2 mm, slices of at most 1 mm", [r for r in rows if r.condition.slice_mm <= 1.0 and r.condition.diameter_mm < 3.0]),
        ("slices of 2.5 and 5 mm", [r for r in rows if r.condition.slice_mm > 1.0]),
    )
    said = [
        f"{name} {100 * length:.1f} % and {100 * volume:.1f} %"
        for name, group in groups if group for length, volume in (pooled_coverage(group),)
    ]
    lines.append(f"The printed 95 % interval holds the truth (long axis and volume): {'; '.join(said)}.")
    lost = sum(bool(r.lost_to) for r in rows)
    lines.append(
        f"A peer had the smaller root mean square error in {lost} of {len(rows)} conditions"
        + (" (listed below)." if lost else ".")
    )
    return lines


def _lines(rows: Sequence[Row], repeats: int, seed: int) -> Iterable[str]:
    peers = [p.method for p in rows[0].peers]
    yield "# How accurate the sizes are"
    yield ""
    yield (
        "Bodies of known size are put into the digital head of `neuraxis sample`, at random places in brain, between brain and "
        "CSF, or at a set distance from bone, and seen by its CT model: partial volume, slice profile and thickness, the "
        "kernel's point-spread function (FWHM), noise with the kernel's grain, pixels of 0.45 mm. Neuraxis gets one click on "
        "the middle; the others get the connected part at 130 HU and above. Ellipsoids have diameters of 1.3, 1 and 0.8 times "
        "the one named, turned at random and tilted by up to 15 degrees. Sphere and ellipsoid are shapes that the size model "
        "of Neuraxis fits: lobed and irregular lesions are measured at their half-maximum surface, with wider intervals."
    )
    yield ""
    yield (
        f"{repeats} positions a condition, {sum(r.cases for r in rows)} cases. `neuraxis bench accuracy --positions {repeats} --seed {seed} "
        "--page FILE` repeats the study and writes this page. The widths of the intervals were fitted on heads of other seeds."
    )
    every = len(standard_conditions())
    if len(rows) < every:
        yield ""
        yield f"This page holds {len(rows)} of the {every} conditions of the study."
    yield ""
    yield (
        "What the intervals do not know: a kernel that enhances edges, motion, beam hardening, and soft tissue of another density "
        "in a layer about the lesion. The enhancing capsule of the `capnon` sample (0.6 mm, 45 HU) makes its 4 mm calcification "
        "0.05 mm longer and 4 % larger than the calcium alone. For margins like that, which are no step, every printed interval holds "
        "a doubt of 0.03 mm about where the margin lies; the bodies of this study have steps."
    )
    if RADIOMICS_NAME not in peers:
        yield ""
        yield "PyRadiomics was not run: no Python with it was named (`--radiomics`)."
    yield ""
    yield "## In short"
    yield ""
    for line in summary_lines(rows):
        yield f"- {line}"
    yield ""
    yield "![Error of long axis and volume by size](images/accuracy_size.png)"
    yield ""
    yield "![Error by slice thickness](images/accuracy_thickness.png)"
    yield ""
    yield "![Coverage of the printed intervals](images/accuracy_coverage.png)"
    yield ""
    yield "## Where an aim is missed or a peer is better"
    yield ""
    found = [r for r in rows if (r.is_aimed_at and r.missed) or r.lost_to]
    for r in found:
        aims = f" misses {', '.join(r.missed)};" if r.is_aimed_at and r.missed else ""
        better = f" smaller error: {'; '.join(r.lost_to)}" if r.lost_to else ""
        yield f"- {condition_label(r.condition)}:{aims}{better}".rstrip(";")
    if not found:
        yield "Nowhere in this study."
    yield ""
    yield "## All conditions"
    yield ""
    yield (
        "Bias ± SD; long axis in mm, volume in per cent; the last column is the part of cases whose interval holds the truth "
        "(long axis / volume). A mask at 130 HU that runs into bone gives lengths of centimetres: that is what it measures there."
    )
    yield ""
    yield from _table(rows, peers)


def _table(rows: Sequence[Row], peers: list[str]) -> Iterable[str]:
    short = [p.removeprefix("130 HU, ") for p in peers]
    yield "| condition | long axis | " + " | ".join(short) + " | volume | " + " | ".join(short) + " | refused | covered % |"
    yield "|" + "---|" * (5 + 2 * len(peers))
    for r in rows:
        lengths = " | ".join(f"{s.long_axis_bias_mm:+.2f} ± {s.long_axis_sd_mm:.2f}" for s in r.summaries)
        volumes = " | ".join(f"{s.volume_bias_percent:+.1f} ± {s.volume_sd_percent:.1f}" for s in r.summaries)
        yield f"| {condition_label(r.condition)} | {lengths} | {volumes} | {r.ours.refused} | {covered_text(r)} |"


def covered_text(row: Row) -> str:
    """Coverage of long axis and volume in per cent."""
    parts = (row.ours.long_axis_coverage, row.ours.volume_coverage)
    return "/".join("-" if part is None else f"{100 * part:.0f}" for part in parts)


def _figure(columns: int) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6 * columns, 3.6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, columns)


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, metadata={"Software": ""})


def _plain(rows: Sequence[Row], **wanted: object) -> list[Row]:
    """Rows of the crossing of sizes that have these values."""
    usual = {"plateau_hu": 700.0, "noise_hu": 8.0, "place": "brain", **wanted}
    return [r for r in rows if all(getattr(r.condition, name) == value for name, value in usual.items())]


def _bars(axes: Any, rows: Sequence[Row], attribute: str, places: Sequence[float]) -> None:
    for number in range(len(rows[0].summaries)):
        bias = [getattr(r.summaries[number], f"{attribute}_bias_{_unit(attribute)}") for r in rows]
        sd = [getattr(r.summaries[number], f"{attribute}_sd_{_unit(attribute)}") for r in rows]
        shifted = np.asarray(places) + 0.16 * (number - 1)
        axes.errorbar(shifted, bias, sd, fmt="o", ms=4, capsize=2.5, lw=1.2, color=COLOURS[number], label=NAMES[number])
    axes.axhline(0, color="black", lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def _unit(attribute: str) -> str:
    return "mm" if attribute == "long_axis" else "percent"


def _plot_by_size(rows: Sequence[Row], path: Path) -> None:
    """Bias and SD of spheres in 1 mm slices by diameter: long axis and volume."""
    figure, (left, right) = _figure(2)
    chosen = [r for r in _plain(rows, slice_mm=1.0, fwhm_mm=0.8) if r.condition.is_sphere]
    if chosen:
        places = range(len(chosen))
        for axes, attribute, title in ((left, "long_axis", "long axis: error, mm"), (right, "volume", "volume: error, %")):
            _bars(axes, chosen, attribute, list(places))
            axes.set_xticks(places, [f"{r.condition.diameter_mm:g}" for r in chosen])
            axes.set_xlabel("diameter of the sphere, mm (1 mm slices, FWHM 0.8 mm)")
            axes.set_title(title, fontsize=10)
        left.axhspan(-AIM_LONG_MM, AIM_LONG_MM, color="#1b6ca8", alpha=0.12, lw=0)
        right.axhspan(-AIM_VOLUME, AIM_VOLUME, color="#1b6ca8", alpha=0.12, lw=0)
        left.legend(fontsize=7, frameon=False)
    _save(figure, path)


def _plot_thickness(rows: Sequence[Row], path: Path) -> None:
    """Bias and SD of the long axis of 4 and 10 mm ellipsoids by slice thickness."""
    figure, both = _figure(2)
    for axes, diameter in zip(both, (4.0, 10.0), strict=True):
        chosen = [r for r in _plain(rows, fwhm_mm=0.8, diameter_mm=diameter) if not r.condition.is_sphere]
        if not chosen:
            continue
        places = range(len(chosen))
        _bars(axes, chosen, "long_axis", list(places))
        axes.set_xticks(places, [f"{r.condition.slice_mm:g}" for r in chosen])
        axes.set_xlabel("slice thickness, mm")
        axes.set_title(f"{diameter:g} mm ellipsoid, long axis: error, mm", fontsize=10)
        axes.legend(fontsize=7, frameon=False)
    _save(figure, path)


def _plot_coverage(rows: Sequence[Row], path: Path) -> None:
    """Coverage of the printed intervals by group of conditions."""
    figure, axes = _figure(1)
    names, length, volume = [], [], []
    for diameter in sorted({r.condition.diameter_mm for r in rows}):
        for name, thick in (("thin", False), ("thick", True)):
            group = [r for r in rows if r.condition.diameter_mm == diameter and (r.condition.slice_mm > 1.0) is thick]
            if group:
                names.append(f"{diameter:g}\n{name}")
                found = pooled_coverage(group)
                length.append(100 * found[0])
                volume.append(100 * found[1])
    places = np.arange(len(names))
    axes.axhspan(93, 97, color="#1b6ca8", alpha=0.15, lw=0)
    axes.plot(places - 0.1, length, "o", color=COLOURS[0], label="long axis")
    axes.plot(places + 0.1, volume, "s", color=COLOURS[1], label="volume")
    axes.set_xticks(places, names, fontsize=7)
    axes.set_ylim(60, 101)
    axes.set_title("truth inside the printed 95 % interval, % of cases", fontsize=10)
    axes.set_xlabel("diameter, mm; thin: slices of at most 1 mm, thick: 2.5 and 5 mm", fontsize=8)
    axes.legend(fontsize=7, frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def quick_conditions() -> tuple[Condition, ...]:
    """Every seventh condition, for a first look."""
    return standard_conditions()[::7]
