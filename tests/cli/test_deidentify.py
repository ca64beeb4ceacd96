"""`neuraxis deidentify`: the phantom's CT handed on whole or cut to the lesion, measured again from what was written."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from neuraxis import open_study
from neuraxis.app.deidentified_export import export_deidentified, region_from_point
from neuraxis.app.workup import lesion_from_mask, segment_on
from neuraxis.domain.tag import Tag, Verdict
from neuraxis.interop.deidentify import Substitution
from neuraxis.interop.seg_read import read_segments
from neuraxis.interop.sr_lesions import report_lesions
from neuraxis.interop.sr_read import read_sr

WHEN = datetime.datetime(2026, 3, 4, 5, 6, 7)


@pytest.fixture(scope="module")
def ct_folder(capnon_folder: Path) -> Path:
    """The thin CT alone, as the scanner sent it."""
    return capnon_folder / "01_ct_thin"


@pytest.fixture(scope="module")
def lesion_point(capnon_folder: Path) -> tuple[float, float, float]:
    from neuraxis.app.demo import sample_click

    point, _legend = sample_click(capnon_folder)
    return point


def test_a_cut_study_holds_the_lesion_with_the_same_numbers_and_little_else(
    ct_folder: Path, lesion_point: tuple[float, float, float], tmp_path: Path,
) -> None:
    study = open_study(str(ct_folder))
    series = study.series[0]
    lesion = lesion_from_mask(series, segment_on(series, lesion_point))
    tags = (Tag("compartment", "extra_axial", Verdict.NEUTRAL, asserted_by="Reader^One", comment="seen by Dr Secret"),)
    region = region_from_point(study, lesion_point, None, 40.0)
    report = export_deidentified(
        study, tmp_path / "out", Substitution(b"sixteen bytes or more"), lesions=[(lesion, tags)], region=region,
        written_at=WHEN,
    )
    assert not report.left_out
    cut = open_study(str(tmp_path / "out"))
    assert cut.series[0].geometry is not None
    assert max(cut.series[0].geometry.shape_zyx) <= 90
    segment = read_segments(tmp_path / "out" / "objects" / "00001" / "seg.dcm", cut)[0]
    assert segment.mask.voxel_count == lesion.mask.voxel_count
    again = lesion_from_mask(cut.series[0], segment_on(cut.series[0], lesion_point)).measurement
    assert again.volume is not None
    assert lesion.measurement.volume is not None
    assert again.volume.value == pytest.approx(lesion.measurement.volume.value, rel=1e-6)
    assert again.centroid_lps_mm == pytest.approx(lesion.measurement.centroid_lps_mm, abs=1e-4)
    reported = report_lesions(read_sr(tmp_path / "out" / "objects" / "00001" / "sr.dcm", cut), cut)[0]
    assert [(t.concept, t.value, t.asserted_by) for t in reported.tags] == [("compartment", "extra_axial", "Anonymous^")]
    old = {series.series_uid, series.study_uid, series.frame_of_reference_uid, lesion.tracking_uid}
    for path in report.written:
        content = path.read_bytes()
        assert not [uid for uid in (*old, "Secret", "Reader^One") if uid.encode() in content], path.name


def test_the_command_writes_numbered_files_and_names_what_to_review(
    neuraxis: Any, ct_folder: Path, lesion_point: tuple[float, float, float], tmp_path: Path,
) -> None:
    at = ",".join(str(v) for v in lesion_point)
    key = tmp_path / "key"
    arguments = ("deidentify", ct_folder, "--at", at, "--size", "30", "--key", key, "--json")
    first = neuraxis(*arguments, "--to", tmp_path / "a")
    second = neuraxis(*arguments, "--to", tmp_path / "b")
    assert first.code == second.code == 0, first.err
    files = [[Path(p).read_bytes() for p in json.loads(run.out)["written"]] for run in (first, second)]
    assert files[0] == files[1]
    assert key.stat().st_mode & 0o077 == 0
    assert first.json["outside_region"] > 50
    assert any("face" in line for line in first.json["review"])


def test_a_region_that_would_show_the_face_is_refused(neuraxis: Any, ct_folder: Path, tmp_path: Path) -> None:
    run = neuraxis("deidentify", ct_folder, "--to", tmp_path / "out", "--at", "0,0,0", "--size", "200")
    assert run.code == 1
    assert "120 mm" in run.err
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_retained_is_refused_before_anything_is_written(
    neuraxis: Any, ct_folder: Path, tmp_path: Path,
) -> None:
    run = neuraxis("deidentify", ct_folder, "--to", tmp_path / "out", "--retain", "PatientName")
    assert run.code == 1
    assert "PatientName" in run.err
    assert not (tmp_path / "out").exists()
