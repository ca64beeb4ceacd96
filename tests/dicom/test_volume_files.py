"""Volumes and masks on disk: the same voxels at the same place, for readers that are not ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuraxis.dicom import open_study
from neuraxis.domain.lesion import LesionMask
from neuraxis.domain.volume import Volume
from neuraxis.errors import GeometryError, ReadError, UsageError, WriteError
from neuraxis.interop.volume_files import read_mask, write_mask, write_volume

Check = Callable[..., None]


def oblique(dicom: Any, folder: Path) -> Volume:
    a = np.radians(25)
    row, column = np.array([np.cos(a), np.sin(a), 0]), np.array([-np.sin(a) * 0.8, np.cos(a) * 0.8, 0.6])
    normal = np.cross(row, column)
    for k in range(9):
        position = tuple(np.array([-20, -10, 30.0]) + normal * 2.5 * k)
        (folder / f"{k}.dcm").write_bytes(dicom.slice(k, position=position, orientation=(*row, *column)))
    volume: Volume = open_study(folder).series[0].volume()
    return volume


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".nrrd"])
def test_simpleitk_finds_the_same_voxels_at_the_same_place(ending: str, tmp_path: Path, dicom: Any) -> None:
    import SimpleITK

    source = tmp_path / "study"
    source.mkdir()
    volume = oblique(dicom, source)
    path = tmp_path / f"v{ending}"
    assert write_volume(volume, path) == ()
    image = SimpleITK.ReadImage(str(path))
    assert np.array_equal(SimpleITK.GetArrayFromImage(image), volume.array)
    for z, y, x in [(0, 0, 0), (8, 39, 47), (3, 10, 20)]:
        theirs = image.TransformIndexToPhysicalPoint((x, y, z))
        assert np.allclose(theirs, volume.geometry.lps_from_index((z, y, x)), atol=1e-4)


def test_npy_carries_its_geometry_beside_it(tmp_path: Path, dicom: Any) -> None:
    dicom.series(tmp_path / "study")
    volume = open_study(tmp_path / "study").series[0].volume()
    write_volume(volume, tmp_path / "v.npy")
    assert np.array_equal(np.load(tmp_path / "v.npy"), volume.array)
    fields = json.loads((tmp_path / "v.json").read_text())
    assert fields["unit"] == "HU"
    assert fields["step_z_mm"] == pytest.approx([0, 0, 2.5])


def test_the_same_volume_gives_the_same_bytes(tmp_path: Path, dicom: Any) -> None:
    dicom.series(tmp_path / "study")
    volume = open_study(tmp_path / "study").series[0].volume()
    write_volume(volume, tmp_path / "a.nii.gz")
    write_volume(volume, tmp_path / "b.nii.gz")
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_an_absent_slice_is_bridged_and_a_refused_one_is_not(tmp_path: Path, dicom: Any) -> None:
    import SimpleITK

    paths = dicom.series(tmp_path / "absent")
    paths[4].unlink()
    volume = open_study(tmp_path / "absent").series[0].volume()
    assert write_volume(volume, tmp_path / "absent.nii") == ("missing slices bridged by linear interpolation: 5",)
    bridged = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / "absent.nii")))
    assert np.abs(bridged[4] - (volume.array[3] / 2 + volume.array[5] / 2)).max() <= 0.5
    paths = dicom.series(tmp_path / "refused")
    paths[4].write_bytes(paths[4].read_bytes()[:-500])
    volume = open_study(tmp_path / "refused").series[0].volume()
    (note,) = write_volume(volume, tmp_path / "refused.nii")
    assert note.startswith("slices 6 to 16 of 16 written")
    image = SimpleITK.ReadImage(str(tmp_path / "refused.nii"))
    assert np.array_equal(SimpleITK.GetArrayFromImage(image), volume.array[5:])
    assert image.GetOrigin()[2] == pytest.approx(30 + 2.5 * 5)


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".npy"])
def test_a_mask_comes_back_on_its_series(ending: str, tmp_path: Path, dicom: Any) -> None:
    dicom.series(tmp_path / "study")
    (series,) = open_study(tmp_path / "study").series
    assert series.geometry is not None
    full = np.zeros(series.geometry.shape_zyx, bool)
    full[3:6, 10:20, 5:9] = True
    write_mask(LesionMask.from_full(series.geometry, full), tmp_path / f"m{ending}")
    mask = read_mask(tmp_path / f"m{ending}", series)
    assert np.array_equal(mask.full(), full)
    assert mask.series_id == series.id
    with pytest.raises(GeometryError, match="another grid"):
        read_mask(tmp_path / f"m{ending}", series.geometry.cropped((0, 0, 0), (5, 40, 48)))


def test_bad_names_and_places_are_refused_and_leave_nothing(tmp_path: Path, dicom: Any) -> None:
    dicom.series(tmp_path / "study", count=4)
    volume = open_study(tmp_path / "study").series[0].volume()
    with pytest.raises(UsageError, match="no known ending"):
        write_volume(volume, tmp_path / "v.tif")
    with pytest.raises(WriteError):
        write_volume(volume, tmp_path / "nowhere" / "v.nii")
    (tmp_path / "broken.nii").write_bytes(b"nothing")
    with pytest.raises(ReadError):
        read_mask(tmp_path / "broken.nii", volume.geometry)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["broken.nii", "study"]
