"""Files: the same bytes each time, geometry as in the truth, attributes that roles are recognised by."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

import neuraxis_phantom
from neuraxis_phantom import case_names, case_parameters, ct, mr, swi
from neuraxis_phantom.acquire import model_from
from neuraxis_phantom.dicom_files import SeriesPlan, uid, write_series
from neuraxis_phantom.frames import centred_grid
from neuraxis_phantom.head import Head
from neuraxis_phantom.lesions import SITES
from neuraxis_phantom.paint import paint
from neuraxis_phantom.place import PlacedLesion
from neuraxis_phantom.scene import build_scene
from neuraxis_phantom.study import ct_attributes

PACKAGE = Path(neuraxis_phantom.__file__).parent
PLAN = SeriesPlan(1, "01_ct", "Head", "CT", "CT", "CT", "090100", ct_attributes(ct.THIN), 0.6)


def test_the_phantom_imports_nothing_of_the_reader() -> None:
    allowed = {"numpy", "scipy", "pydicom", "PIL", "neuraxis_phantom", *sys.stdlib_module_names}
    for file in sorted(PACKAGE.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            assert {name.split(".")[0] for name in names} <= allowed, file.name


def test_uids_are_stable_valid_and_different() -> None:
    made = [uid("series", "capnon", 0, n) for n in range(50)]
    assert made == [uid("series", "capnon", 0, n) for n in range(50)]
    assert len(set(made)) == 50
    assert all(u.startswith("2.25.") and len(u) <= 64 and pydicom.uid.UID(u).is_valid for u in made)


def test_written_slices_carry_the_grid_and_the_same_bytes_each_time(tmp_path: Path) -> None:
    grid = centred_grid((3, 8, 6), (0.5, 0.75, 1.25), (1.0, -2.0, 3.0), (4.0, -3.0, 2.0))
    voxels = np.arange(3 * 8 * 6, dtype=np.int16).reshape(grid.shape) - 20
    for name in ("first", "second"):
        write_series(tmp_path / name, "capnon", 0, PLAN, grid, voxels)
    files = sorted((tmp_path / "first" / "01_ct").glob("*.dcm"))
    assert [f.read_bytes() for f in files] == [
        f.read_bytes() for f in sorted((tmp_path / "second" / "01_ct").glob("*.dcm"))
    ]
    for k, file in enumerate(files):
        ds = pydicom.dcmread(file)
        assert np.array_equal(ds.pixel_array, voxels[k])
        row, column = np.array(ds.ImageOrientationPatient, float).reshape(2, 3)
        origin = np.array(ds.ImagePositionPatient, float)
        i, j = 4, 5
        point = origin + row * i * float(ds.PixelSpacing[1]) + column * j * float(ds.PixelSpacing[0])
        assert point == pytest.approx(grid.points(np.array([k, j, i])), abs=1e-5)


def test_the_same_seed_paints_the_same_voxels_and_another_seed_others(capnon_head: tuple[Head, PlacedLesion]) -> None:
    grid = centred_grid((2, 24, 24), (1.5, 1.5, 2.0), (3.0, -14.0, 40.0))
    pictures = []
    again, other = ((s.head, s.placed) for s in (build_scene(case_parameters("capnon"), seed) for seed in (0, 1)))
    for seed, (head, placed) in ((0, capnon_head), (0, again), (1, other)):
        hu = paint(head, placed, grid, model_from("CT"), ct.hu_values(placed), edge_mm=0.5)[0]
        ct.add_noise(hu, ct.THIN, 1.5, seed, 1)
        pictures.append(hu.tobytes())
    assert pictures[0] == pictures[1] != pictures[2]


def test_every_case_has_a_lesion_and_random_ones_differ() -> None:
    assert {
        "capnon",
        "meningioma_calcified",
        "schwannoma",
        "cavernoma",
        "oligodendroglioma",
        "chordoma",
        "random",
    } <= set(case_names())
    for case in case_names():
        lesion = case_parameters(case)
        assert lesion.side in ("left", "right")
        assert lesion.site in SITES
        assert lesion.volume_mm3() > 1
    assert len({case_parameters("random", seed) for seed in range(30)}) == 30
    assert case_parameters("random", 4) == case_parameters("random", 4)
    for seed in range(60):
        lesion = case_parameters("random", seed)
        assert (lesion.calcification == "none") == (lesion.calcium_hu == 0)
        assert (lesion.enhancement == "none") == (lesion.gadolinium_mm == 0)


def test_an_unknown_case_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="capnon"):
        case_parameters("no such case")


@pytest.fixture(scope="session")
def truth(capnon_folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((capnon_folder / "truth.json").read_text(encoding="utf-8"))
    return loaded


def first_and_last(folder: Path) -> tuple[pydicom.Dataset, pydicom.Dataset, int]:
    files = sorted(folder.glob("*.dcm"))
    return pydicom.dcmread(files[0]), pydicom.dcmread(files[-1]), len(files)


def test_headers_of_the_whole_study_say_what_the_truth_says(capnon_folder: Path, truth: dict[str, Any]) -> None:
    for entry in truth["series"]:
        first, last, count = first_and_last(capnon_folder / entry["folder"])
        slices, rows, columns = entry["shape_zyx"]
        assert (count, first.Rows, first.Columns) == (slices, rows, columns)
        assert first.SeriesInstanceUID == entry["series_uid"]
        assert first.FrameOfReferenceUID == entry["frame_of_reference_uid"]
        assert list(first.PixelSpacing) == pytest.approx(entry["spacing_xyz_mm"][1::-1])
        assert list(first.ImagePositionPatient) == pytest.approx(entry["origin_lps_mm"], abs=1e-5)
        assert list(first.ImageOrientationPatient) == pytest.approx(np.ravel(entry["direction_lps"][:2]), abs=1e-5)
        step = np.subtract(last.ImagePositionPatient, first.ImagePositionPatient) / (slices - 1)
        expected = np.multiply(entry["direction_lps"][2], entry["spacing_xyz_mm"][2])
        assert step == pytest.approx(expected, abs=1e-5)


def test_attributes_name_each_sequence(capnon_folder: Path, truth: dict[str, Any]) -> None:
    heads = {e["role"] + e["folder"][:2]: first_and_last(capnon_folder / e["folder"])[0] for e in truth["series"]}
    thin, thick = heads["CT01"], heads["CT02"]
    assert (thin.RescaleType, thin.KVP, thin.PatientPosition, thin.BodyPartExamined) == ("HU", 120, "HFS", "HEAD")
    assert list(thin.WindowCenterWidthExplanation) == ["BRAIN", "BONE"]
    assert thin.ConvolutionKernel != thick.ConvolutionKernel
    pre, post = heads["T103"], heads["T1C10"]
    assert "ContrastBolusAgent" in post
    assert not [name for name, ds in heads.items() if "ContrastBolusAgent" in ds and name != "T1C10"]
    for keyword in (
        "RepetitionTime",
        "EchoTime",
        "InversionTime",
        "FlipAngle",
        "PixelSpacing",
        "ImagePositionPatient",
        "Rows",
    ):
        assert pre[keyword].value == post[keyword].value
    assert post.AcquisitionTime > pre.AcquisitionTime
    assert "IR" in heads["FLAIR05"].ScanningSequence
    assert heads["FLAIR05"].InversionTime > 1500
    assert heads["T204"].ScanningSequence == "SE"
    assert heads["SWI08"].EchoTime == 20
    assert "SWI" in heads["SWI08"].ImageType
    assert "P" in heads["SWI_PHASE07"].ImageType
    assert "MINIP" in heads["SWI_MINIP09"].ImageType
    for ds in heads.values():
        assert not [e for e in ds if e.tag.is_private]
        assert "PatientIdentityRemoved" not in ds
        assert (ds.AccessionNumber, ds.PatientBirthDate) == ("", None) or ds.PatientBirthDate == ""


def test_a_landmark_of_one_frame_is_carried_into_the_other(truth: dict[str, Any]) -> None:
    offset = np.array(truth["ct_to_mr"])
    for name in ("landmarks_lps_mm", "reference_points_lps_mm"):
        for key, point in truth["frames"]["CT"][name].items():
            moved = offset @ [*point, 1.0]
            assert moved[:3] == pytest.approx(truth["frames"]["MR"][name][key], abs=1e-4)


def test_masks_lie_on_the_lesion_in_every_series(capnon_folder: Path, truth: dict[str, Any]) -> None:
    for entry in truth["series"]:
        mask = np.load(capnon_folder / entry["mask"])["lesion"]
        assert list(mask.shape) == entry["shape_zyx"]
        spacing = entry["spacing_xyz_mm"]
        index = np.argwhere(mask).mean(axis=0)[::-1]
        centre = entry["origin_lps_mm"] + (index * spacing) @ np.array(entry["direction_lps"])
        wanted = truth["frames"][entry["frame"]]["lesion_centroid_lps_mm"]
        assert np.linalg.norm(centre - wanted) < 0.25 + spacing[2] / 4


def stored_at(capnon_folder: Path, truth: dict[str, Any], folder: str, point: list[float]) -> float:
    entry = next(e for e in truth["series"] if e["folder"] == folder)
    k, j, i = np.rint(
        np.array(entry["direction_lps"]) @ np.subtract(point, entry["origin_lps_mm"]) / entry["spacing_xyz_mm"]
    )[::-1].astype(int)
    ds = pydicom.dcmread(sorted((capnon_folder / folder).glob("*.dcm"))[k])
    patch = ds.pixel_array[j - 1 : j + 2, i - 1 : i + 2]
    return float(patch.mean()) * float(ds.get("RescaleSlope", 1)) + float(ds.get("RescaleIntercept", 0))


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("csf", -12, 25), ("white_matter", 20, 42), ("muscle", 35, 70), ("brainstem", 18, 45), ("vitreous", -8, 25)],
)
def test_reference_points_lie_in_their_tissue(
    capnon_folder: Path, truth: dict[str, Any], name: str, low: float, high: float
) -> None:
    point = truth["frames"]["CT"]["reference_points_lps_mm"][name]
    assert low < stored_at(capnon_folder, truth, "01_ct_thin", point) < high


def test_the_reference_vein_has_the_stated_sign_of_phase(capnon_folder: Path, truth: dict[str, Any]) -> None:
    sign = truth["phase"]["handedness"]
    frame = truth["frames"]["MR"]["reference_points_lps_mm"]
    vein = stored_at(capnon_folder, truth, "07_swi_phase", frame["vein"]) * truth["phase"]["radians_per_unit"]
    assert vein * sign > 0.5


def test_series_of_the_study_are_the_ones_planned(truth: dict[str, Any]) -> None:
    assert [e["role"] for e in truth["series"]] == [
        "CT",
        "CT",
        "T1",
        "T2",
        "FLAIR",
        "GRE",
        "SWI_PHASE",
        "SWI",
        "SWI_MINIP",
        "T1C",
    ]
    assert truth["frames"]["CT"]["frame_of_reference_uid"] != truth["frames"]["MR"]["frame_of_reference_uid"]
    assert swi.swi_grid().shape[0] - swi.MINIP_SLICES + 1 == truth["series"][8]["shape_zyx"][0]
    assert mr.t1_grid().shape == tuple(truth["series"][2]["shape_zyx"])


def test_head_and_lesion_types(capnon_head: tuple[Head, PlacedLesion]) -> None:
    head, placed = capnon_head
    assert {"bone", "inner", "stem", "cerebellum", "skin"} <= set(head.layers)
    assert placed.lesion is case_parameters("capnon")
