"""Objects of other programs (dcmqi, highdicom) and of our own on real scanners' images."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neuraxis.dicom import open_study
from neuraxis.domain.lesion import IntensityStatistics, Lesion, LesionMask, LesionMeasurement
from neuraxis.domain.study import Series, Study
from neuraxis.errors import NeuraxisError
from neuraxis.interop.identity import UidSource
from neuraxis.interop.seg import write_seg
from neuraxis.interop.seg_read import read_seg, read_segments
from neuraxis.interop.sr import write_sr
from neuraxis.interop.sr_lesions import report_lesions
from neuraxis.interop.sr_read import read_sr

Validator = Callable[[Path], list[str]]
WHEN = datetime.datetime(2026, 3, 4, 5, 6, 7)


@pytest.mark.parametrize(("name", "label", "voxels"), [
    ("seg_ct_liver_dcmqi/liver.dcm", "Liver", 107098), ("seg_ct_liver_dcmqi/partial_overlaps.dcm", "GREEN", 9602),
])
def test_dcmqi_segmentations_are_read_as_simpleitk_counts_them(
    shared_real: Path, name: str, label: str, voxels: int
) -> None:
    study = open_study(shared_real / "seg_ct_liver_dcmqi")
    segment = read_segments(next(iter((shared_real / name).parent.rglob(Path(name).name))), study)[0]
    assert (segment.label, segment.mask.voxel_count) == (label, voxels)
    assert segment.mask.warnings == ()


def test_overlapping_segments_stay_apart(shared_real: Path) -> None:
    study = open_study(shared_real / "seg_ct_liver_dcmqi")
    segments = read_segments(next(shared_real.rglob("partial_overlaps.dcm")), study)
    assert len(segments) == 5
    total = sum(s.mask.full().astype(int) for s in segments)
    assert int(np.max(total)) > 1, "some voxels belong to two segments"


@pytest.mark.parametrize("name", ["sparse-labelmap-noppv.dcm", "sparse-labelmap-ppv5.dcm"])
def test_label_maps_are_read_without_their_background(shared_real: Path, name: str) -> None:
    study = open_study(shared_real / "seg_small_dcmqi" / "image")
    segments = read_segments(next(shared_real.rglob(name)), study, accept=["images"])
    assert segments
    assert all(s.number > 0 for s in segments)


def test_a_highdicom_report_is_read(shared_real: Path) -> None:
    report = read_sr(shared_real / "sr_seg_highdicom" / "sr_document.dcm")
    (lesion,) = report_lesions(report)
    assert [(n.value, n.unit) for n in lesion.numbers] == [(170.0, "mm2")]
    assert lesion.not_understood == ("Finding Site: Cervico-thoracic spine",)


def test_a_dcmqi_report_is_read(shared_real: Path) -> None:
    (lesion,) = report_lesions(read_sr(shared_real / "sr_tid1500_headneck_dcmqi" / "sr.dcm"))
    assert lesion.label == "primary tumor"
    assert lesion.segment is not None
    volume = next(n for n in lesion.numbers if n.name.meaning == "Volume")
    assert (volume.value, volume.unit) == (33582.4, "mm3")


def test_a_report_without_measurement_groups_says_so(shared_real: Path) -> None:
    report = read_sr(next((shared_real / "sr_basic_pydicom").rglob("test-SR.dcm")))
    assert report.groups == ()
    assert "no measurement groups" in report.notes[0]


def boxed_lesion(series: Series) -> Lesion:
    """A box in the middle of a series, three slices thick."""
    assert series.geometry is not None
    nz, ny, nx = series.geometry.shape_zyx
    inside = np.zeros(series.geometry.shape_zyx, dtype=bool)
    inside[max(0, nz // 2 - 1) : nz // 2 + 2, ny // 3 : ny // 2, nx // 3 : nx // 2 + 5] = True
    mask = LesionMask.from_full(series.geometry, inside, series_id=series.id, series_uid=series.series_uid)
    x, y, z = (float(v) for v in mask.points_lps_mm().mean(axis=0))
    values = IntensityStatistics("signal", 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, mask.voxel_count)
    measurement = LesionMeasurement(
        series.id, series.series_uid, series.frame_of_reference_uid, "drawn", (x, y, z), values)
    return Lesion("2.25.11", "box", mask, measurement)


def volumes(study: Study) -> list[Series]:
    return [s for s in study if s.is_volume]


@pytest.mark.parametrize("folder", [
    "mr_t1post_ax_siemens", "mr_t1_sag_siemens", "ct_head_tilt_ge", "mr_enh_t1_xa30_siemens", "mr_enh_gre_phase_xa30_siemens",
    "mr_t2_ax_siemens",
])
def test_objects_on_real_series_are_valid_and_come_back(
    shared_real: Path, tmp_path: Path, validator_errors: Validator, folder: str
) -> None:
    study = open_study(shared_real / folder)
    (series, *_) = sorted(volumes(study), key=lambda s: -s.frames)
    lesion = boxed_lesion(series)
    seg, sr = tmp_path / "seg.dcm", tmp_path / "sr.dcm"
    write_seg(lesion, series, seg, author=None, uids=UidSource("t"), written_at=WHEN)
    write_sr(lesion, (), series, sr, seg_path=seg, author=None, uids=UidSource("t"), written_at=WHEN)
    assert validator_errors(seg) == []
    assert validator_errors(sr) == []
    (back,) = read_seg(seg, study)
    assert np.array_equal(back.full(), lesion.mask.full())
    assert back.warnings == ()
    report = read_sr(sr, study)
    assert report.notes == ()
    (reported,) = report_lesions(report, study)
    assert reported.measurement is not None
    assert reported.measurement.centroid_lps_mm == pytest.approx(lesion.measurement.centroid_lps_mm, abs=1e-4)


def test_a_missing_slice_under_a_lesion_is_answered_clearly(shared_real: Path, tmp_path: Path) -> None:
    study = open_study(shared_real / "mr_t2_ax_siemens")
    (series,) = volumes(study)
    missing = series.volume().missing_slices
    assert missing, "the natural missing slice of this series"
    assert series.geometry is not None
    inside = np.zeros(series.geometry.shape_zyx, dtype=bool)
    inside[missing[0] - 1 : missing[0] + 2, 100:110, 100:110] = True
    mask = LesionMask.from_full(series.geometry, inside, series_id=series.id, series_uid=series.series_uid)
    lesion = boxed_lesion(series)
    with pytest.raises(NeuraxisError, match="slices have no source image"):
        write_seg(Lesion("2.25.1", "x", mask, lesion.measurement), series, tmp_path / "s.dcm", author=None,
                  uids=UidSource("t"), written_at=WHEN)
    assert list(tmp_path.iterdir()) == []
