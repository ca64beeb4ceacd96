"""Real series: everything reads, roles are right, corners lie where DICOM puts them, voxels equal dcm2niix's."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from neuraxis.dicom import open_study
from neuraxis.domain.study import Confidence, Role, Series, Study
from neuraxis.domain.volume import ValueKind

HUMAN = {
    "mr_t1_sag_siemens": Role.T1, "mr_t1post_ax_siemens": Role.T1C, "mr_t2_ax_siemens": Role.T2, "ct_head_tilt_ge": Role.CT,
    "mr_enh_t1_xa30_siemens": Role.T1, "mr_enh_gre_mag_xa30_siemens": Role.GRE,
}


@pytest.fixture(scope="module")
def everything(shared_real: Path) -> Study:
    return open_study(shared_real)


def test_every_file_is_accounted_for(everything: Study) -> None:
    report = everything.report
    assert report.files_seen == report.files_loaded + len(report.set_apart) + len(report.skipped)
    assert report.files_loaded > 250
    assert len({s.id for s in everything.series}) == len(everything.series)
    for skipped in report.skipped:
        assert skipped.reason
    texts = [s for s in report.skipped if not s.reason.endswith("is not DICOM")]
    # the set's deliberately broken files, copies of one slice in several syntaxes, and one image without pixels
    assert all(any(w in s.reason for w in ("is a copy of", "cut", "of 8192 bytes", "has no pixel data")) for s in texts)


def test_every_series_gives_voxels_or_pictures(everything: Study) -> None:
    for series in everything.series:
        if series.is_volume:
            volume = series.volume()
            assert volume.array.dtype in (np.int16, np.float32)
            assert series.geometry is not None
            assert volume.array.shape == series.geometry.shape_zyx
            assert np.isfinite(volume.array).all()
        else:
            assert series.refusal
        assert series.source.read_picture(series.frames // 2).dtype == np.uint8


@pytest.mark.parametrize("folder", list(HUMAN))
def test_roles_of_the_human_series_are_right(folder: str, shared_real: Path) -> None:
    for series in open_study(shared_real / folder).series:
        assert series.role.role is HUMAN[folder], series.role.reason
        assert series.role.confidence is Confidence.CERTAIN


@pytest.mark.parametrize("folder", list(HUMAN))
def test_roles_do_not_need_a_series_description(folder: str, shared_real: Path, tmp_path: Path) -> None:
    import pydicom

    for path in sorted((shared_real / folder).glob("*")):
        if path.suffix == ".txt":
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = pydicom.dcmread(path)
            for keyword in ("SeriesDescription", "ProtocolName", "StudyDescription"):
                if keyword in data:
                    delattr(data, keyword)
            data.save_as(tmp_path / path.name)
    for series in open_study(tmp_path).series:
        assert series.role.role is HUMAN[folder], series.role.reason


def corners(pixel_spacing: list[float], orientation: list[float], position: list[float], rows: int, columns: int) -> np.ndarray:
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    ends = [(0, 0), (0, columns - 1), (rows - 1, 0), (rows - 1, columns - 1)]
    return np.array([np.array(position) + x * pixel_spacing[1] * row + y * pixel_spacing[0] * column for y, x in ends])


def test_four_corners_of_every_slice_agree_with_the_header(everything: Study) -> None:
    import pydicom

    checked = 0
    for series in everything.series:
        if not series.is_volume or any(i.frames > 1 for i in series.instances):
            continue
        volume = series.volume()
        by_uid = {i.sop_instance_uid: i.path for i in series.instances}
        for k, uid in enumerate(volume.sop_instance_uids):
            if not uid:
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                data = pydicom.dcmread(by_uid[uid], stop_before_pixels=True, force=True)
            rows, columns = volume.array.shape[1:]
            wanted = corners(
                [float(v) for v in data.PixelSpacing], [float(v) for v in data.ImageOrientationPatient],
                [float(v) for v in data.ImagePositionPatient], rows, columns,
            )
            found = volume.geometry.lps_from_index([(k, 0, 0), (k, 0, columns - 1), (k, rows - 1, 0), (k, rows - 1, columns - 1)])
            assert np.linalg.norm(found - wanted, axis=1).max() < 0.01, (series.id, k)
            checked += 1
    assert checked > 190


def test_the_missing_slice_of_the_t2_series_is_a_marked_gap(shared_real: Path) -> None:
    (series,) = open_study(shared_real / "mr_t2_ax_siemens").series
    volume = series.volume()
    assert volume.array.shape == (56, 512, 384)
    assert volume.missing_slices == (34,)
    assert volume.refused_slices == ()
    assert "1 slice is missing between slice 34 and 35 (5 mm gap)" in series.warnings


def test_all_lossless_syntaxes_of_one_slice_are_recognised_as_copies(shared_real: Path) -> None:
    study = open_study(shared_real / "syntax_ct_slice_cornerstone")
    assert sum("is a copy of" in s.reason for s in study.report.skipped) == 9
    assert all("not for measurement" in " ".join(s.warnings) for s in study.series if s.acquisition.lossy)


def nifti(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(array (z, y, x), 4x4 LPS affine) of a NIfTI file."""
    from neuraxis.interop.nifti import read_nifti

    data = path.read_bytes()
    array, geometry = read_nifti(data)
    slope, intercept = np.frombuffer(data, "<f4", 2, 112)
    if slope not in (0, 1) or intercept:
        array = array * np.float64(slope) + np.float64(intercept)
    return np.asarray(array, float), geometry.affine_lps_from_xyz


@pytest.mark.slow
@pytest.mark.parametrize("folder", [
    "mr_t1_sag_siemens", "mr_t1post_ax_siemens", "mr_enh_t1_xa30_siemens", "mr_enh_gre_mag_xa30_siemens", "mr_gre_b0map_ge",
    "ct_head_phantom_mixed_philips", "mr_enh_adc_xa30_siemens", "seg_ct_liver_dcmqi", "mr_gre_megre_phantom_siemens",
])
def test_voxels_and_affine_agree_with_dcm2niix(folder: str, shared_real: Path, tmp_path: Path) -> None:
    program = Path(sys.executable).parent / "dcm2niix"
    if not program.exists():
        pytest.skip("dcm2niix is not installed")
    subprocess.run(
        [str(program), "-z", "n", "-b", "n", "-l", "o", "-f", "%s_%e_%p", "-o", str(tmp_path), str(shared_real / folder)],
        check=False, capture_output=True, timeout=60,
    )
    colour = 128
    headers = {p: np.frombuffer(p.read_bytes()[:352], "<i2") for p in sorted(tmp_path.glob("*.nii"))}
    files = [p for p, h in headers.items() if h[35] != colour and (h[24:28] <= 1).all()]
    theirs = [nifti(p) for p in files]
    series = [s for s in open_study(shared_real / folder).series if s.is_volume]
    matched = sum(any(same_voxels(s, array, affine) for array, affine in theirs) for s in series)
    assert theirs
    assert matched >= len([s for s in series if s.frames > 1]), (matched, len(series), len(theirs))


def same_voxels(series: Series, array: np.ndarray, affine: np.ndarray) -> bool:
    """Whether dcm2niix's volume holds the same value at the same place (it flips rows and reorders slices)."""
    volume = series.volume()
    if sorted(array.shape) != sorted(volume.array.shape) or series.geometry is None:
        return False
    index = np.stack(np.meshgrid(*(np.arange(n) for n in array.shape), indexing="ij"), axis=-1).reshape(-1, 3)
    points = index[:, ::-1] @ affine[:3, :3].T + affine[:3, 3]
    own = series.geometry.index_from_lps(points)
    nearest = np.rint(own).astype(int)
    if np.abs(own - nearest).max() * max(series.geometry.spacing_xyz_mm) > 5e-3:
        return False
    if (nearest < 0).any() or (nearest >= volume.array.shape).any():
        return False
    values = volume.array[tuple(nearest.T)].astype(float)
    if volume.kind is ValueKind.PHASE:
        values = values * 4096 / np.pi
    difference = np.abs(values - array.reshape(-1))
    if volume.padding is not None:
        # outside the scanned circle dcm2niix gives the rescaled padding value (-3024), we give no value
        difference = difference[~volume.padding[tuple(nearest.T)]]
    return bool(difference.max() <= 0.51)
