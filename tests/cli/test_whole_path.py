"""From DICOM to lesion, tags, audit and figure through the command line, against the sample's known truth."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Neuraxis = Callable[..., Any]  # the fixture of conftest.py


@pytest.fixture(scope="module")
def demo_folder(neuraxis: Neuraxis, capnon_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `neuraxis demo` leaves, on the sample that the other tests use too."""
    out = tmp_path_factory.mktemp("demo")
    (out / "study").symlink_to(capnon_folder, target_is_directory=True)
    run = neuraxis("demo", "--out", out, "--no-show")
    assert run.code == 0, run.err
    assert "not a medical device" in run.out
    return out


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_demo_writes_every_result(demo_folder: Path) -> None:
    names = {
        "figure.png", "figure.pdf", "recipe.yaml", "report.html", "report.pdf", "measurements.json", "lesion.csv", "sr.dcm", "seg.dcm", "report.dcm",
        "figure2.png", "figure2.pdf", "figure2.recipe.yaml",
    }
    assert names <= {p.name for p in demo_folder.iterdir()}
    assert not [p.name for p in demo_folder.iterdir() if p.name.startswith(".")]
    assert all((demo_folder / n).stat().st_size > 500 for n in names)


@pytest.mark.parametrize("name", ["sr.dcm", "seg.dcm", "report.dcm"])
def test_the_dicom_validator_finds_no_error(demo_folder: Path, name: str) -> None:
    if shutil.which("dciodvfy") is None:
        if os.environ.get("CI"):
            pytest.fail("dciodvfy (dicom3tools) must be there in CI")
        pytest.skip("dciodvfy (dicom3tools) is not installed")
    run = subprocess.run(["dciodvfy", str(demo_folder / name)], capture_output=True, text=True, check=False)
    assert [line for line in (run.stdout + run.stderr).splitlines() if line.startswith("Error")] == []


def test_the_sample_lesion_is_measured_as_it_was_made(demo_folder: Path, capnon_folder: Path) -> None:
    from neuraxis_phantom.truth import lesion_truth

    truth = lesion_truth(load(capnon_folder / "truth.json"))
    sizes = load(demo_folder / "measurements.json")
    assert sizes["long_axis_mm"]["value"] == pytest.approx(truth.diameter_mm, abs=0.4)
    assert sizes["volume_mm3"]["value"] == pytest.approx(truth.volume_mm3, rel=0.15)
    assert np.linalg.norm(np.subtract(sizes["centroid_lps_mm"], truth.centroid_ct_lps_mm)) <= 0.5
    for key in ("long_axis_mm", "short_axis_mm", "volume_mm3", "max_3d_diameter_mm"):
        assert sizes[key]["uncertainty"] > 0
        assert sizes[key]["method"]


def test_ct_and_mr_are_registered_to_half_a_millimetre_at_the_lesion(capnon_folder: Path) -> None:
    from neuraxis.app.workup import lesion_series, open_input, register_frames
    from neuraxis_phantom.truth import lesion_truth

    raw = load(capnon_folder / "truth.json")
    truth = lesion_truth(raw)
    study = open_input(capnon_folder)
    ct = lesion_series(study)
    x, y, z = truth.centroid_ct_lps_mm
    registrations, notes = register_frames(study, ct, (x, y, z))
    assert notes == ()
    (found,) = registrations.registrations
    error = np.linalg.norm(found.apply(truth.centroid_ct_lps_mm) - np.array(truth.centroid_mr_lps_mm))
    assert error <= 0.5
    assert error <= found.residual_mm


def claims(audit: Any) -> list[tuple[str, Any]]:
    return [(panel["label"], claim) for panel in audit["panels"] for claim in panel["claims"]]


def test_every_claim_of_the_sample_legend_is_supported_or_undecidable_for_a_physical_reason(demo_folder: Path) -> None:
    found = claims(load(demo_folder / "audit.json"))
    assert len({label for label, _ in found}) == 7
    wrong = [(label, c["concept"], c["value"], c["reason"]) for label, c in found if c["verdict"] == "contradicted"]
    assert wrong == []
    concepts = {c["concept"] for _, c in found if c["verdict"] == "supported"}
    assert {"calcification", "bone_change", "t1_signal", "t2_signal", "blooming", "perilesional_oedema"} <= concepts
    assert all(len(c["reason"]) > 15 for _, c in found)


FALSE_CLAIMS = {
    # panel: (what it states, the concept that must be contradicted)
    "a": ("Axial CT, brain window: a densely calcified nodule at the left aspect of the foramen magnum.", "location"),
    "b": ("Axial CT, brain window: a nodule without calcification.", "calcification"),
    "c": ("Axial CT, bone window: the nodule is continuous with the adjacent bone.", "bone_change"),
    "d": ("Axial T2: marked perilesional oedema.", "perilesional_oedema"),
    "e": ("Axial SWI: no blooming.", "blooming"),
    "f": ("Axial CT: a nodule measuring 9 mm.", "size"),
    "g": ("Axial T2: high signal of the lesion.", "t2_signal"),
    "h": ("Axial T1 after gadolinium: no enhancement.", "enhancement"),
}


@pytest.fixture(scope="module")
def false_audit(
    neuraxis: Neuraxis, sample_at: str, capnon_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    legend = tmp_path_factory.mktemp("false") / "legend.txt"
    legend.write_text(" ".join(f"({label}) {text}" for label, (text, _) in FALSE_CLAIMS.items()))
    run = neuraxis("audit", capnon_folder, "--legend", legend, "--at", sample_at, "--json")
    assert run.code == 0, run.err
    return {panel["label"]: panel for panel in run.json["panels"]}


@pytest.mark.parametrize("label", FALSE_CLAIMS)
def test_a_claim_turned_false_is_contradicted(false_audit: dict[str, Any], label: str) -> None:
    concept = FALSE_CLAIMS[label][1]
    verdicts = [c["verdict"] for c in false_audit[label]["claims"] if c["concept"] == concept]
    assert verdicts == ["contradicted"]


@pytest.fixture(scope="session")
def sample_at(capnon_folder: Path) -> str:
    from neuraxis.app.demo import sample_click

    point, _legend = sample_click(capnon_folder)
    return ",".join(str(v) for v in point)


def mimic_audit(neuraxis: Neuraxis, folder: Path, text: str, tmp_path: Path) -> dict[str, str]:
    from neuraxis.app.demo import sample_click

    point, _ = sample_click(folder)
    legend = tmp_path / "legend.txt"
    legend.write_text(text)
    run = neuraxis("audit", folder, "--legend", legend, "--at", ",".join(map(str, point)), "--json")
    assert run.code == 0, run.err
    return {f"{label} {c['concept']}": c["verdict"] for label, c in claims(run.json)}


def test_the_schwannoma_gives_the_opposite_verdicts(neuraxis: Neuraxis, schwannoma_folder: Path, tmp_path: Path) -> None:
    text = (
        "(a) Axial CT: no calcification. (b) Axial T2: high signal. (c) Axial SWI: no blooming. "
        "(d) Axial T1 after gadolinium: the lesion enhances homogeneously. "
        "(e) Axial CT: a densely calcified lesion. (f) Axial T2: low signal. (g) Axial SWI: marked blooming. "
        "(h) Axial T1 after gadolinium: no enhancement."
    )
    verdicts = mimic_audit(neuraxis, schwannoma_folder, text, tmp_path)
    right = {k: verdicts[k] for k in ("a calcification", "b t2_signal", "c blooming", "d enhancement")}
    assert set(right.values()) == {"supported"}, right
    wrong = {k: verdicts[k] for k in ("e calcification", "f t2_signal", "g blooming", "h enhancement")}
    assert set(wrong.values()) == {"contradicted"}, wrong


def test_the_calcified_meningioma_gives_the_opposite_verdicts(
    neuraxis: Neuraxis, meningioma_folder: Path, tmp_path: Path
) -> None:
    text = (
        "(a) Axial CT: a calcified lesion on the left side. (b) Axial CT, bone window: hyperostosis. "
        "(c) Axial T1 after gadolinium: the lesion enhances. "
        "(d) Axial CT: no calcification. (e) Axial CT, bone window: no bone changes. "
        "(f) Axial T1 after gadolinium: no enhancement."
    )
    verdicts = mimic_audit(neuraxis, meningioma_folder, text, tmp_path)
    assert verdicts["a calcification"] == "supported"
    assert verdicts["c enhancement"] == "supported"
    assert verdicts["b bone_change"] == "supported"
    assert verdicts["d calcification"] == "contradicted"
    assert verdicts["f enhancement"] == "contradicted"
    assert verdicts["e bone_change"] == "contradicted"


def test_the_same_figure_has_the_same_bytes_twice(neuraxis: Neuraxis, demo_folder: Path, capnon_folder: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.png"
    run = neuraxis("figure", capnon_folder, "--recipe", demo_folder / "recipe.yaml", "-o", again)
    assert run.code == 0, run.err
    assert again.read_bytes() == (demo_folder / "figure.png").read_bytes()


def test_the_figure_and_report_name_no_patient(demo_folder: Path, capnon_folder: Path) -> None:
    import pydicom

    some = next(capnon_folder.rglob("*.dcm"))
    name = str(pydicom.dcmread(some, stop_before_pixels=True).PatientName)
    parts = [p.encode() for p in re.split(r"[\^ ]+", name) if len(p) > 3 and p.lower() != "neuraxis"]
    for file in ("figure.png", "figure.pdf", "report.html", "report.pdf", "recipe.yaml"):
        data = (demo_folder / file).read_bytes()
        assert str(capnon_folder).encode() not in data
        assert [p for p in parts if p in data and p.lower() != b"phantom"] == []


def test_a_mask_written_by_segment_is_measured_like_the_click(neuraxis: Neuraxis, capnon_folder: Path, sample_at: str, tmp_path: Path) -> None:
    mask = tmp_path / "mask.nii.gz"
    assert neuraxis("segment", capnon_folder, "--at", sample_at, "--to", mask).code == 0
    by_mask = neuraxis("measure", capnon_folder, "--mask", mask, "--json").json
    by_click = neuraxis("measure", capnon_folder, "--at", sample_at, "--json").json
    assert by_mask["volume_voxel_sum_mm3"]["value"] == pytest.approx(by_click["volume_voxel_sum_mm3"]["value"], rel=0.01)
    assert by_mask["intensity"]["max"] == by_click["intensity"]["max"]
