"""Volumes and masks on disk: the same voxels at the same place, for readers that are not ours."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuraxis.align.resampling import upright
from neuraxis.dicom import open_study
from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.lesion import LesionMask
from neuraxis.domain.volume import ValueKind, Volume
from neuraxis.errors import GeometryError, ReadError, UsageError, WriteError
from neuraxis.interop import volume_files
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


def ramp(points: Any) -> Any:
    x, y, z = np.moveaxis(np.asarray(points, dtype=np.float64), -1, 0)
    return 40 + 3 * x - 2 * y + 5 * z


def tilted_ramp(degrees: float, *, missing: tuple[int, ...] = (), turned: bool = False) -> Volume:
    a = np.radians(degrees)
    step_x, step_y = (0.8, 0.0, 0.0), (0.0, 0.7 * np.cos(a), 0.7 * np.sin(a))
    if turned:
        step_x, step_y = (0.0, 0.8 * np.cos(a), 0.8 * np.sin(a)), (-0.7, 0.0, 0.0)
    grid = VolumeGeometry((12, 30, 26), (-9.0, 14.0, 3.0), step_x, step_y, (0.0, 0.0, 3.0), "1.2.3")
    array = ramp(grid.lps_from_index(np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape_zyx), indexing="ij"), axis=-1)))
    padding = np.zeros(grid.shape_zyx, bool)
    padding[list(missing)] = True
    array[padding] = array.min()
    return Volume(
        array.astype(np.float32), grid, ValueKind.HU, padding=padding if missing else None, missing_slices=missing,
        caveats=("said before",),
    )


@pytest.mark.parametrize("degrees", [-24.0, 0.3, 18.5, 60.0])
@pytest.mark.parametrize("turned", [False, True])
def test_a_tilted_ramp_is_the_same_ramp_on_the_regular_grid(degrees: float, turned: bool) -> None:
    sheared = tilted_ramp(degrees, turned=turned)
    volume = upright(sheared)
    geometry = volume.geometry
    steps = np.array([geometry.step_x_mm, geometry.step_y_mm, geometry.step_z_mm])
    assert np.allclose(steps @ steps.T, np.diag(np.square(geometry.spacing_xyz_mm)), atol=1e-9)
    index = np.stack(np.meshgrid(*(np.arange(n) for n in geometry.shape_zyx), indexing="ij"), axis=-1)
    points = geometry.lps_from_index(index)
    at = sheared.geometry.index_from_lps(points)
    inside = ((at > -1e-6) & (at < np.array(sheared.array.shape) - 1 + 1e-6)).all(axis=-1)
    assert volume.padding is not None
    assert np.array_equal(~volume.padding, inside)
    assert np.abs(volume.array - ramp(points))[inside].max() < 1e-3
    assert (volume.array[~inside] == sheared.array.min()).all()
    # every slice stays in its own plane and every voxel of it is covered
    assert np.allclose(at[..., 0], index[..., 0], atol=1e-9)
    ends = [(z, y, x) for z in (0, 11) for y in (0, 29) for x in (0, 25)]
    corners = geometry.index_from_lps(sheared.geometry.lps_from_index(ends))
    assert (corners > -1e-6).all()
    assert (corners < np.array(geometry.shape_zyx) - 1 + 1e-6).all()
    assert volume.caveats[0] == "said before"
    assert "by linear interpolation" in volume.caveats[1]


def test_an_upright_volume_is_not_touched(tmp_path: Path, dicom: Any) -> None:
    dicom.series(tmp_path, count=4)
    volume = open_study(tmp_path).series[0].volume()
    assert upright(volume) is volume


def test_too_steep_a_tilt_is_refused_with_the_way_out() -> None:
    steep = replace(tilted_ramp(0.0), geometry=replace(tilted_ramp(0.0).geometry, step_z_mm=(0.0, 60.0, 0.6)))
    with pytest.raises(GeometryError, match="tilted by 89 degrees") as error:
        upright(steep)
    assert "--native" in (error.value.remedy or "")


def test_padding_never_bleeds_into_values() -> None:
    sheared = tilted_ramp(12.0)
    padding = np.zeros(sheared.array.shape, bool)
    padding[:, :, 20:] = True
    array = np.where(padding, np.float32(-5000), sheared.array)
    volume = upright(replace(sheared, array=array, padding=padding))
    assert volume.padding is not None
    index = np.stack(np.meshgrid(*(np.arange(n) for n in volume.array.shape), indexing="ij"), axis=-1)
    wrong = np.abs(volume.array - ramp(volume.geometry.lps_from_index(index)))
    assert wrong[~volume.padding].max() < 1e-3
    assert (volume.array[volume.padding] == -5000).all()


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd"])
def test_a_tilted_gappy_series_is_written_so_that_simpleitk_reads_it(ending: str, tmp_path: Path) -> None:
    import SimpleITK

    sheared = tilted_ramp(15.0, missing=(4,))
    notes = write_volume(sheared, tmp_path / f"v{ending}")
    assert "gantry tilt 15 degrees: resampled to a regular grid" in notes[0]
    image = SimpleITK.ReadImage(str(tmp_path / f"v{ending}"))
    voxels = SimpleITK.GetArrayFromImage(image)
    corners = [(0, 0, 0), *(tuple((np.eye(3, dtype=int) * (np.array(image.GetSize()) - 1))[k].tolist()) for k in range(3))]
    at = {c: np.array(image.TransformIndexToPhysicalPoint(c)) for c in corners}
    start = at[(0, 0, 0)]
    steps = [(at[c] - start) / max(c) for c in corners[1:]]
    z, y, x = np.meshgrid(*(np.arange(n) for n in voxels.shape), indexing="ij")
    points = start + x[..., None] * steps[0] + y[..., None] * steps[1] + z[..., None] * steps[2]
    inside = sheared.geometry.index_from_lps(points)
    scanned = ((inside >= -1e-3) & (inside <= np.array(sheared.array.shape) - 1 + 1e-3)).all(axis=-1)
    gap = z == 4
    # the ramp is linear, so a bridge over its gap is the ramp where slices on both sides lie above and below
    middle = scanned & ~gap
    assert np.abs(voxels - ramp(points))[middle].max() < 0.02
    if ending == ".nii.gz":
        assert "missing slices bridged by linear interpolation: 5" in notes
        bridged = gap & scanned & (voxels != sheared.array.min())
        assert np.count_nonzero(bridged) > 0.8 * np.count_nonzero(gap & scanned)
        assert np.abs(voxels - ramp(points))[bridged].max() < 0.02
        said = gzip.decompress((tmp_path / "v.nii.gz").read_bytes())[360:].split(b"\0", 1)[0]
    else:
        assert (voxels[4] == sheared.array.min()).all()
        said = (tmp_path / "v.nrrd").read_bytes()
    assert b"[4]" in said
    assert b"linear interpolation" in said


def test_the_native_grid_is_written_when_asked_for(tmp_path: Path) -> None:
    sheared = tilted_ramp(15.0, missing=(4,))
    for name in ("v.nii", "v.nrrd", "v.npy"):
        assert write_volume(sheared, tmp_path / name, native=True) == ()
        array, geometry = volume_files._read(tmp_path / name, name[1:])
        assert np.array_equal(array, sheared.array)
        assert geometry is not None
        assert np.abs(geometry.corners_lps_mm() - sheared.geometry.corners_lps_mm()).max() < 1e-4


def test_the_tilted_head_is_written_at_right_angles_with_its_values_at_their_places(shared_real: Path, tmp_path: Path) -> None:
    import SimpleITK

    for series in open_study(shared_real / "ct_head_tilt_ge").series:
        native = series.volume()
        write_volume(native, tmp_path / "head.nii.gz")
        image = SimpleITK.ReadImage(str(tmp_path / "head.nii.gz"))
        voxels = SimpleITK.GetArrayFromImage(image)
        assert native.geometry.shear_degrees > 15
        assert voxels.shape[0] == native.array.shape[0]
        # a slice between its own pixels: the mean over any rectangle of tissue stays
        for k in (0, 6, 13):
            z, y, x = k, 200, 150
            box = native.array[z, y : y + 100, x : x + 150].astype(float)
            start = image.TransformPhysicalPointToContinuousIndex(tuple(native.geometry.lps_from_index((z, y, x))))
            assert start[2] == pytest.approx(k, abs=1e-3)
            assert start[0] == pytest.approx(round(start[0]), abs=1e-3)
            row, share = divmod(start[1], 1)
            there = voxels[k, int(row) : int(row) + 102, round(start[0]) : round(start[0]) + 150]
            # both lattices sample one piecewise linear curve along the columns
            back = there[:-1] * (1 - share) + there[1:] * share
            error = np.abs(back[:100] - box)
            smooth = np.abs(np.diff(native.array[z, y - 1 : y + 102, x : x + 150].astype(float), 2, axis=0))
            assert (error <= 0.26 * (smooth[:100] + smooth[1:101]) + 0.01).all()


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
