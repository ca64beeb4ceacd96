"""Contours of an RT Structure Set become masks, and what cannot be used is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RTStructureSetStorage

from neuraxis.errors import GeometryError, ReadError
from neuraxis.interop.doubt import DoubtError
from neuraxis.interop.rtstruct_read import read_rtstruct

if TYPE_CHECKING:
    from tests.interop.conftest import Scene


def circle(scene: Scene, slice_index: int, radius_mm: float, *, turns: int = 720) -> list[float]:
    """A closed contour around the sphere's centre on one slice, LPS mm."""
    assert scene.series.geometry is not None
    x0, y0, _ = scene.lesion.measurement.centroid_lps_mm
    z = float(scene.series.geometry.lps_from_index((slice_index, 0, 0))[2])
    angles = np.linspace(0, 2 * np.pi, turns, endpoint=False)
    points = np.c_[x0 + radius_mm * np.cos(angles), y0 + radius_mm * np.sin(angles), np.full(turns, z)]
    return [float(v) for v in points.ravel()]


def structure_set(
    scene: Scene, contours: list[list[float]], change: Callable[[Dataset], None] | None = None,
    kind: str = "CLOSED_PLANAR",
) -> Path:
    """A structure set with one region of these contours."""
    d = Dataset()
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    d.SOPClassUID, d.SOPInstanceUID, d.Modality = RTStructureSetStorage, "1.2.826.0.1.77", "RTSTRUCT"
    d.PatientID, d.StudyInstanceUID = "P1", scene.series.study_uid
    roi = Dataset()
    roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = 1, "GTV", scene.series.frame_of_reference_uid
    d.StructureSetROISequence = [roi]
    item = Dataset()
    item.ReferencedROINumber = 1
    item.ContourSequence = []
    for data in contours:
        contour = Dataset()
        contour.ContourGeometricType, contour.NumberOfContourPoints = kind, len(data) // 3
        contour.ContourData = [f"{v:.6f}" for v in data]
        image = Dataset()
        image.ReferencedSOPClassUID = scene.series.instances[0].sop_class_uid
        image.ReferencedSOPInstanceUID = scene.series.instances[0].sop_instance_uid
        contour.ContourImageSequence = [image]
        item.ContourSequence.append(contour)
    d.ROIContourSequence = [item]
    if change:
        change(d)
    path = scene.folder / "rtstruct.dcm"
    pydicom.dcmwrite(path, d, enforce_file_format=True)
    return path


def expected_disc(scene: Scene, radius_mm: float) -> Any:
    geometry = scene.series.geometry
    assert geometry is not None
    rows, columns = np.mgrid[: geometry.shape_zyx[1], : geometry.shape_zyx[2]]
    points = geometry.lps_from_index(np.stack([np.zeros_like(rows), rows, columns], axis=-1))
    return np.linalg.norm(points[..., :2] - np.asarray(scene.lesion.measurement.centroid_lps_mm)[:2], axis=-1) < radius_mm


def test_a_circle_holds_the_voxels_whose_centres_lie_in_it(scene: Scene) -> None:
    (roi,) = read_rtstruct(structure_set(scene, [circle(scene, z, 3.1) for z in (5, 6, 7)]), scene.study)
    assert roi.label == "GTV"
    assert roi.mask is not None
    full = roi.mask.full()
    for z in range(full.shape[0]):
        assert np.array_equal(full[z], expected_disc(scene, 3.1) if z in (5, 6, 7) else np.zeros_like(full[z]))
    assert roi.mask.series_uid == scene.series.series_uid
    assert roi.notes == ()


def test_a_contour_inside_another_one_is_a_hole(scene: Scene) -> None:
    (roi,) = read_rtstruct(structure_set(scene, [circle(scene, 6, 4.3), circle(scene, 6, 2.1)]), scene.study)
    assert roi.mask is not None
    assert np.array_equal(roi.mask.full()[6], expected_disc(scene, 4.3) & ~expected_disc(scene, 2.1))


def test_a_slice_without_contour_inside_the_region_is_named(scene: Scene) -> None:
    (roi,) = read_rtstruct(structure_set(scene, [circle(scene, z, 3.1) for z in (4, 6)]), scene.study)
    assert any("slice 6" in note and "too small" in note for note in roi.notes)


def test_a_contour_between_slices_is_not_moved_onto_one(scene: Scene) -> None:
    between = circle(scene, 6, 3.1)
    between[2::3] = [z + 0.3 for z in between[2::3]]
    (roi,) = read_rtstruct(structure_set(scene, [circle(scene, 5, 3.1), between]), scene.study)
    assert roi.mask is not None
    assert not roi.mask.full()[6].any()
    assert any("lie on no slice" in note for note in roi.notes)


@pytest.mark.parametrize("kind", ["POINT", "OPEN_PLANAR", ""])
def test_points_and_open_lines_are_named_and_not_filled(scene: Scene, kind: str) -> None:
    (roi,) = read_rtstruct(structure_set(scene, [circle(scene, 6, 3.1)], kind=kind), scene.study)
    assert roi.mask is None
    assert any("not used" in note for note in roi.notes)


def test_another_frame_of_reference_is_refused(scene: Scene) -> None:
    def elsewhere(d: Dataset) -> None:
        d.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = "1.2.3"

    with pytest.raises(GeometryError, match="frame of reference"):
        read_rtstruct(structure_set(scene, [circle(scene, 6, 3.0)], elsewhere), scene.study)


def test_images_that_are_not_here_are_asked_about(scene: Scene) -> None:
    def foreign(d: Dataset) -> None:
        d.ROIContourSequence[0].ContourSequence[0].ContourImageSequence[0].ReferencedSOPInstanceUID = "1.2.3"

    path = structure_set(scene, [circle(scene, 6, 3.1)], foreign)
    with pytest.raises(DoubtError, match="not here"):
        read_rtstruct(path, scene.study)
    (roi,) = read_rtstruct(path, scene.study, accept=("images",))
    assert roi.mask is not None
    assert any("accepted" in note for note in roi.notes)


def test_another_patient_is_asked_about(scene: Scene) -> None:
    def other(d: Dataset) -> None:
        d.PatientID = "P2"

    with pytest.raises(DoubtError, match="another patient"):
        read_rtstruct(structure_set(scene, [circle(scene, 6, 3.1)], other), scene.study)


def test_a_file_that_is_no_structure_set_is_refused(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="RT Structure Set"):
        read_rtstruct(Path(scene.series.instances[0].path), scene.study)
    (tmp_path / "text").write_text("no DICOM")
    with pytest.raises(ReadError):
        read_rtstruct(tmp_path / "text", scene.study)
