"""From DICOM to lesion, tags, audit and figure through the command line, against the sample's known truth."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Neuraxis = Callable[..., Any]  # the fixture of conftest.py

CAN_SAY_NOTHING = "cannot_be_decided"


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
    names = {"figure.png", "figure.pdf", "recipe.yaml", "report.html", "measurements.json", "lesion-sr.dcm", "lesion-seg.dcm"}
    assert names <= {p.name for p in demo_folder.iterdir()}
    assert not [p.name for p in demo_folder.iterdir() if p.name.startswith(".")]
    assert all((demo_folder / n).stat().st_size > 500 for n in names)


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
    assert error <= found.residual_mm + 0.2


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


FALSE_LEGENDS = {
    "left": "(a) Axial CT, brain window: a densely calcified nodule at the left aspect of the foramen magnum.",
    "no calcification": "(a) Axial CT, brain window: a nodule without calcification at the right aspect of the foramen magnum.",
    "bone continuity": "(a) Axial CT, bone window: the nodule is continuous with the adjacent bone.",
    "oedema": "(a) Axial T2: the lesion has marked perilesional oedema.",
    "no blooming": "(a) SWI: no blooming.",
    "size": "(a) Axial CT: a calcified nodule measuring 9 mm.",
}
CONCEPT_TURNED = {
    "left": {"laterality", "location", "calcification"}, "no calcification": {"calcification"}, "bone continuity": {"bone_change"},
    "oedema": {"perilesional_oedema"}, "no blooming": {"blooming"}, "size": {"size"},
}


@pytest.mark.parametrize("name", FALSE_LEGENDS)
def test_a_claim_turned_false_is_contradicted(neuraxis: Neuraxis, sample_at: str, capnon_folder: Path, tmp_path: Path, name: str) -> None:
    legend = tmp_path / "legend.txt"
    legend.write_text(FALSE_LEGENDS[name])
    run = neuraxis("audit", capnon_folder, "--legend", legend, "--at", sample_at, "--json")
    assert run.code == 0, run.err
    turned = [c for _, c in claims(run.json) if c["concept"] in CONCEPT_TURNED[name] and (name != "left" or "left" in c["reason"] or c["verdict"] == "contradicted")]
    assert any(c["verdict"] == "contradicted" for c in turned), claims(run.json)


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
    return {f"{c['concept']}={'not ' if c['negated'] and c['value'] != 'none' else ''}{c['value']}": c["verdict"] for _, c in claims(run.json)}


def test_the_schwannoma_gives_the_opposite_verdicts(neuraxis: Neuraxis, schwannoma_folder: Path, tmp_path: Path) -> None:
    text = (
        "(a) Axial CT: no calcification. (b) Axial T2: high signal. (c) SWI: no blooming. "
        "(d) T1 after gadolinium: the lesion enhances."
    )
    verdicts = mimic_audit(neuraxis, schwannoma_folder, text, tmp_path)
    assert verdicts["calcification=none"] == "supported"
    assert verdicts["enhancement=present"] == "supported"
    assert verdicts["t2_signal=hyper"] == "supported"
    assert verdicts["blooming=none"] in ("supported", CAN_SAY_NOTHING)
    opposite = mimic_audit(
        neuraxis, schwannoma_folder, "(a) Axial CT: a densely calcified lesion. (b) Axial T2: low signal.", tmp_path
    )
    assert opposite["calcification=dense"] == "contradicted"
    assert opposite["t2_signal=hypo"] == "contradicted"


def test_the_calcified_meningioma_gives_the_opposite_verdicts(neuraxis: Neuraxis, meningioma_folder: Path, tmp_path: Path) -> None:
    text = "(a) Axial CT: a calcified lesion, hyperostosis. (b) T1 after gadolinium: intense homogeneous enhancement."
    verdicts = mimic_audit(neuraxis, meningioma_folder, text, tmp_path)
    assert verdicts["calcification=present"] == "supported"
    assert "contradicted" not in verdicts.values(), verdicts
    opposite = mimic_audit(
        neuraxis, meningioma_folder, "(a) Axial CT: no calcification. (b) Axial T1 after gadolinium: no enhancement.", tmp_path
    )
    assert opposite["calcification=none"] == "contradicted"
    assert opposite["enhancement=none"] == "contradicted"


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
    for file in ("figure.png", "figure.pdf", "report.html", "recipe.yaml"):
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
