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
