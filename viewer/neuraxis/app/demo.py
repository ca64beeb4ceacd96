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

SECOND_CAPTION = (
    "FIG. 2. Synthetic pictures in the manner of H&E, drawn by a program; no tissue. (a) A calcified nodule with its "
    "border (×40). (b) Palisading cells (arrow) between matrix and fibrous tissue (×100). (c) Granular calcification "
    "(asterisk) in the matrix (×100)."
)
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

    Writes `study/`, `figure.png`, `figure.pdf`, `recipe.yaml`, `report.html`, `report.pdf`, `measurements.json`,
    `tags.json`, `audit.json`, `sr.dcm`, `seg.dcm` and the report once more as `report.dcm` (Encapsulated PDF) into
    `folder`, and FIG. 2 (`figure2.png`, `figure2.pdf`, `figure2.recipe.yaml`, `histology/`).
    """
    from neuraxis_phantom import write_case

    study_folder = folder / "study"
    if not (study_folder / "truth.json").is_file():
        write_case(case, study_folder, seed=seed, progress=lambda f, t: progress(0.5 * f, f"sample: {t}"))
    at, legend = sample_click(study_folder)
    study = open_input(study_folder, lambda f, t: progress(0.5 + 0.05 * f, t))
    workup = work_up(study, at, progress=lambda f, t: progress(0.55 + 0.3 * f, t))
    files = write_results(workup, legend, folder, written_at, lambda f, t: progress(0.85 + 0.13 * f, t))
    progress(0.98, "figure of pictures")
    return DemoResult(folder, study_folder, (*files, *write_second_figure(folder, seed)), workup)


def write_second_figure(folder: Path, seed: int = 0) -> tuple[Path, ...]:
    """FIG. 2, three pictures in one figure: `figure2.png`, `figure2.pdf` and `figure2.recipe.yaml`; returns the files.

    The pictures are drawn by a program, and say so; `neuraxis figure --picture a=FILE` takes a user's own.
    """
    from neuraxis.app.picture_figures import no_study
    from neuraxis.figures import draw_figure, picture_panel, write_recipe
    from neuraxis.figures.recipe import Layout, Mark, Recipe
    from neuraxis_phantom.histology import VIEWS, write_histology

    pictures = write_histology(folder / "histology", seed=seed)
    marks = (
        (), (Mark(kind="arrow", anchor_px=(500, 330), direction_deg=200, length_mm=6.0, color="black"),),
        (Mark(kind="asterisk", anchor_px=(195, 325), size_pt=14),),
    )
    panels = tuple(
        picture_panel(
            path, letter, folder, magnification=view.magnification, microns_per_pixel=view.um_per_pixel,
            scale_bar_um=500 if view.um_per_pixel > 1 else 100, text="synthetic", marks=chosen,
        )
        for letter, path, view, chosen in zip("abc", pictures, VIEWS, marks, strict=True)
    )
    recipe = Recipe(panels=panels, layout=Layout(columns=3), caption=SECOND_CAPTION)
    figure = draw_figure(recipe, no_study(), folder=folder)
    drawn = tuple(figure.save(folder / f"figure2{suffix}") for suffix in (".png", ".pdf"))
    return (*drawn, write_recipe(recipe, folder / "figure2.recipe.yaml"))


def write_results(
    workup: Workup, legend: str, folder: Path, written_at: datetime.datetime, progress: Progress = silent
) -> tuple[Path, ...]:
    """Everything that leaves the program for one lesion and its legend; returns the files.

    The clock is a parameter: only the DICOM objects carry it, and the same clock gives the same bytes.
    """
    from neuraxis.figures import draw_figure, write_recipe
    from neuraxis.figures.report import save_report
    from neuraxis.figures.report_content import Finding, ReportInput

    names = ("audit.json", "recipe.yaml", "figure.png", "figure.pdf", "report.html", "report.pdf")
    path = {name: folder / name for name in names}
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
    made_from = ReportInput((Finding(workup.lesion, workup.tags, audits),), figure, workup.study.series, workup.notes)
    for name in ("report.html", "report.pdf"):
        save_report(path[name], made_from)
    handed_on = export_lesion(
        workup.lesion, workup.tags, workup.series, folder, written_at, lambda f, t: progress(0.7 + 0.3 * f, t),
        report_pdf=path["report.pdf"].read_bytes(),
    )
    progress(1.0, "done")
    return (*path.values(), *handed_on)
