"""The demonstration: the CAPNON sample written as DICOM, and the whole path through the product on it."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from pathlib import Path

from neuraxis.app.handing_on import export_lesion
from neuraxis.app.workup import Progress, Workup, audit_workup, legend_recipe, open_input, silent, work_up
from neuraxis.domain.geometry import Vector3
from neuraxis.errors import ReadError
from neuraxis.output import write_json

STANCE = "For teaching and research; not a medical device."


@dataclass(frozen=True)
class DemoResult:
    """What the demonstration wrote."""

    folder: Path
    study_folder: Path
    files: tuple[Path, ...]
    workup: Workup


def sample_click(study_folder: Path) -> tuple[Vector3, str]:
    """Where a reader would click in the sample (to the nearest 0.5 mm, LPS, CT frame), and the sample's legend."""
    try:
        truth = json.loads((study_folder / "truth.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReadError(
            f"{study_folder} has no readable truth.json", expected="a sample written by `neuraxis sample`"
        ) from error
    from neuraxis_phantom.truth import click_point_lps_mm, legend_text

    x, y, z = (round(2 * v) / 2 for v in click_point_lps_mm(truth))
    return (x, y, z), legend_text(str(truth["case"]))


def run_demo(
    folder: Path, *, written_at: datetime.datetime, case: str = "capnon", seed: int = 0, progress: Progress = silent
) -> DemoResult:
    """Write the sample study, then load, align, segment, measure, tag, audit, draw, report and export it.

    Writes `study/`, `figure.png`, `figure.pdf`, `recipe.yaml`, `report.html`, `measurements.json`, `tags.json`,
    `audit.json`, `sr.dcm` and `seg.dcm` into `folder`.
    """
    from neuraxis_phantom import write_case

    study_folder = folder / "study"
    if not (study_folder / "truth.json").is_file():
        write_case(case, study_folder, seed=seed, progress=lambda f, t: progress(0.5 * f, f"sample: {t}"))
    at, legend = sample_click(study_folder)
    study = open_input(study_folder, lambda f, t: progress(0.5 + 0.05 * f, t))
    workup = work_up(study, at, progress=lambda f, t: progress(0.55 + 0.3 * f, t))
    files = write_results(workup, legend, folder, written_at, lambda f, t: progress(0.85 + 0.15 * f, t))
    return DemoResult(folder, study_folder, files, workup)


def write_results(
    workup: Workup, legend: str, folder: Path, written_at: datetime.datetime, progress: Progress = silent
) -> tuple[Path, ...]:
    """Everything that leaves the program for one lesion and its legend; returns the files.

    The clock is a parameter: only the DICOM objects carry it, and the same clock gives the same bytes.
    """
    from neuraxis.figures import draw_figure, write_recipe, write_report

    path = {name: folder / name for name in ("audit.json", "recipe.yaml", "figure.png", "figure.pdf", "report.html")}
    progress(0.0, "auditing the legend")
    audits = audit_workup(workup, legend)
    write_json(path["audit.json"], {"panels": [p for a in audits for p in a.to_json()["panels"]]})
    progress(0.2, "drawing the figure")
    recipe = legend_recipe(workup, legend)
    write_recipe(recipe, path["recipe.yaml"])
    figure = draw_figure(recipe, workup.study)
    figure.save(path["figure.png"])
    figure.save(path["figure.pdf"])
    progress(0.6, "writing the report")
    write_report(path["report.html"], lesion=workup.lesion, tags=workup.tags, audits=audits, figure=figure)
    handed_on = export_lesion(
        workup.lesion, workup.tags, workup.series, folder, written_at, lambda f, t: progress(0.7 + 0.3 * f, t)
    )
    progress(1.0, "done")
    return (*path.values(), *handed_on)
