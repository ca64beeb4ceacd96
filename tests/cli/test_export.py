"""Exported volumes are read back by other programs at the same place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Neuraxis = Callable[..., Any]  # the fixture of conftest.py


@pytest.mark.parametrize("name", ["ct.nii.gz", "ct.nrrd"])
def test_simpleitk_reads_the_same_voxels_at_the_same_points(
    neuraxis: Neuraxis, capnon_folder: Path, tmp_path: Path, name: str
) -> None:
    import SimpleITK as sitk

    import neuraxis as api

    entry = min((s for s in neuraxis("scan", capnon_folder, "--json").json["series"] if s["modality"] == "CT"), key=lambda s: s["frames"])
    target = tmp_path / name
    run = neuraxis("export", capnon_folder, "--series", entry["id"], "--to", target)
    assert run.code == 0, run.err
    image = sitk.ReadImage(str(target))
    volume = api.open_study(capnon_folder).find(entry["id"]).volume()
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), volume.array)
    z, y, x = 3, 100, 200
    np.testing.assert_allclose(
        image.TransformIndexToPhysicalPoint((x, y, z)), volume.geometry.lps_from_index((z, y, x)), atol=1e-3
    )


def test_an_unknown_format_is_refused_with_the_known_ones(neuraxis: Neuraxis, capnon_folder: Path, tmp_path: Path) -> None:
    entry = neuraxis("scan", capnon_folder, "--json").json["series"][0]
    run = neuraxis("export", capnon_folder, "--series", entry["id"], "--to", tmp_path / "ct.xyz")
    assert run.code == 1
    assert ".nii.gz" in run.err


def test_an_unknown_series_answers_with_the_known_ones(neuraxis: Neuraxis, capnon_folder: Path, tmp_path: Path) -> None:
    run = neuraxis("export", capnon_folder, "--series", "nonsense", "--to", tmp_path / "ct.npy")
    assert run.code == 1
    assert "one of" in run.err


@pytest.fixture(scope="module")
def tilted_ct(capnon_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's thick CT as a gantry tilted by 12 degrees would have written it: slices turned, origins one above the other."""
    import pydicom

    folders = [p for p in capnon_folder.iterdir() if p.is_dir() and "ct" in p.name.lower()]
    out = tmp_path_factory.mktemp("tilted")
    a = np.radians(12)
    for k, path in enumerate(sorted(min(folders, key=lambda p: len(list(p.iterdir()))).iterdir())):
        header = pydicom.dcmread(path)
        header.ImageOrientationPatient = [1, 0, 0, 0, round(float(np.cos(a)), 9), round(float(np.sin(a)), 9)]
        header.save_as(out / f"{k:03d}.dcm")
    return out


def test_a_tilted_series_is_exported_on_a_regular_grid_that_says_so_and_natively_when_asked(
    neuraxis: Neuraxis, tilted_ct: Path, tmp_path: Path
) -> None:
    import SimpleITK as sitk

    import neuraxis as api

    (series,) = api.open_study(tilted_ct).series
    native = series.volume()
    run = neuraxis("export", tilted_ct, "--series", series.id, "--to", tmp_path / "ct.nii.gz")
    assert run.code == 0, run.err
    assert "gantry tilt 12 degrees: resampled to a regular grid" in " ".join(run.err.split())
    assert "linear interpolation" in " ".join(run.err.split())
    image = sitk.ReadImage(str(tmp_path / "ct.nii.gz"))
    direction = np.array(image.GetDirection()).reshape(3, 3)
    assert np.abs(direction.T @ direction - np.eye(3)).max() < 1e-6
    z, y, x = 0, 100, 200
    there = image.TransformPhysicalPointToIndex(tuple(native.geometry.lps_from_index((z, y, x))))
    assert sitk.GetArrayFromImage(image)[there[::-1]] == pytest.approx(float(native.array[z, y, x]), abs=1e-3)
    run = neuraxis("export", tilted_ct, "--series", series.id, "--to", tmp_path / "ct.npy", "--native")
    assert run.code == 0, run.err
    assert np.array_equal(np.load(tmp_path / "ct.npy"), native.array)
