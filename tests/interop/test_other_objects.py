"""Registrations, key images, presentation states, pictures and documents as DICOM: written, validated, read back."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from neuraxis.domain.geometry import Vector3
from neuraxis.domain.transform import Registration
from neuraxis.domain.window import Window, WindowFunction
from neuraxis.errors import GeometryError, NeuraxisError, ReadError, UsageError
from neuraxis.interop.encapsulated_pdf import write_encapsulated_pdf
from neuraxis.interop.key_objects import FOR_TEACHING, read_key_objects, write_key_objects
from neuraxis.interop.presentation_read import read_presentation_state
from neuraxis.interop.presentation_state import Arrow, Caption, ImageView, write_presentation_state
from neuraxis.interop.secondary_capture import write_secondary_capture
from neuraxis.interop.spatial_registration import read_registration, write_registration

if TYPE_CHECKING:
    from tests.interop.conftest import Scene

Validator = Callable[[Path], list[str]]
MOVING = "1.2.826.0.1.77"


def rotation(degrees: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    matrix = np.array([[c, -s, 0, 1 / 3], [s, c, 0, -2.5], [0, 0, 1, 1e-5], [0, 0, 0, 1]])
    tilt = np.array([[1, 0, 0, 0], [0, c, -s, 0], [0, s, c, 0], [0, 0, 0, 1.0]])
    return np.asarray(matrix @ tilt, dtype=np.float64)


def test_a_registration_comes_back_and_maps_points_alike(scene: Scene, validator_errors: Validator) -> None:
    moving = replace(scene.series, frame_of_reference_uid=MOVING, id="mr", series_uid="1.2.826.0.1.78")
    original = Registration.from_array(
        rotation(7.3), MOVING, scene.series.frame_of_reference_uid, 0.3125, "mutual information, rigid")
    path = scene.folder / "reg.dcm"
    write_registration(original, moving, scene.series, path, **scene.made_by)
    assert validator_errors(path) == []
    (back,) = read_registration(path)
    assert (back.from_frame, back.to_frame, back.residual_mm, back.method) == (
        MOVING, scene.series.frame_of_reference_uid, 0.3125, "mutual information, rigid")
    points = np.random.default_rng(0).uniform(-200, 200, (50, 3))
    assert np.abs(back.apply(points) - original.apply(points)).max() < 1e-9


def test_a_registration_of_other_frames_is_refused(scene: Scene) -> None:
    with pytest.raises(UsageError, match="frames of reference"):
        write_registration(Registration.identity("1.2.3"), scene.series, scene.series, scene.folder / "r.dcm",
                           **scene.made_by)


def test_a_scaling_registration_is_not_taken_for_rigid(scene: Scene) -> None:
    moving = replace(scene.series, frame_of_reference_uid=MOVING, id="mr", series_uid="1.2.826.0.1.78")
    original = Registration.from_array(np.eye(4), MOVING, scene.series.frame_of_reference_uid, 0.3, "manual")
    path = scene.folder / "reg.dcm"
    write_registration(original, moving, scene.series, path, **scene.made_by)
    dataset = pydicom.dcmread(path)
    step = dataset.RegistrationSequence[1].MatrixRegistrationSequence[0]
    step.FrameOfReferenceTransformationComment = "from elsewhere"
    pydicom.dcmwrite(path, dataset)
    assert read_registration(path)[0].residual_mm == math.inf, "an error nobody stated is not small"
    step.MatrixSequence[0].FrameOfReferenceTransformationMatrix = [2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1]
    pydicom.dcmwrite(path, dataset)
    with pytest.raises(GeometryError):
        read_registration(path)


def test_key_images_come_back(scene: Scene, validator_errors: Validator) -> None:
    path = scene.folder / "ko.dcm"
    write_key_objects([(scene.series, 6), (scene.series, 2)], path, description="densest slice", **scene.made_by)
    assert validator_errors(path) == []
    back = read_key_objects(path, scene.study)
    assert back.title == FOR_TEACHING
    assert back.description == "densest slice"
    assert {i.sop_instance_uid for i in back.images} == {f"{scene.series.series_uid}.{k}" for k in (7, 3)}
    assert {i.series_id for i in back.images} == {"ct1"}
    assert back.notes == ()
    other = replace(scene.series, instances=scene.series.instances[:1])
    assert "of 2 key images are not in the study" in read_key_objects(path, replace(scene.study, series=(other,))).notes[0]


def test_an_empty_selection_is_refused(scene: Scene) -> None:
    with pytest.raises(UsageError, match="0 key images"):
        write_key_objects([], scene.folder / "ko.dcm", **scene.made_by)


def at(scene: Scene, z: float, y: float, x: float) -> Vector3:
    assert scene.series.geometry is not None
    a, b, c = (float(v) for v in scene.series.geometry.lps_from_index((z, y, x)))
    return a, b, c


def view_of(scene: Scene) -> ImageView:
    return ImageView(
        scene.series, 6, Window(450, 1500, WindowFunction.LINEAR_EXACT, "bone"), at(scene, 6, 20, 24), (9.0, 10.0),
        (Arrow(at(scene, 6, 30, 10), at(scene, 6, 20, 24)),), (Caption(at(scene, 6, 5, 5), "a"),), "FIG_1A",
    )


def test_a_panel_view_comes_back(scene: Scene, validator_errors: Validator) -> None:
    path = scene.folder / "pr.dcm"
    view = view_of(scene)
    write_presentation_state(view, path, **scene.made_by)
    assert validator_errors(path) == []
    back = read_presentation_state(path, scene.study)
    assert back.label == "FIG_1A"
    assert back.windows == (view.window,)
    assert [i.sop_instance_uid for i in back.images] == [f"{scene.series.series_uid}.7"]
    assert not back.inverted
    assert back.notes == ()
    # 9 mm of 0.45 mm columns and 10 mm of 0.5 mm rows are 20 x 20 pixels around the centre of pixel (24, 20)
    first_column, first_row, last_column, last_row = back.displayed_area or (0, 0, 0, 0)
    assert (last_column - first_column + 1, last_row - first_row + 1) == (20, 20)
    assert abs((first_column + last_column) / 2 - 25) <= 0.5
    assert abs((first_row + last_row) / 2 - 21) <= 0.5
    (arrow,) = back.shapes
    assert arrow.kind == "ARROW"
    assert arrow.points_lps_mm is not None
    assert arrow.points_lps_mm == pytest.approx(np.array([at(scene, 6, 30, 10), at(scene, 6, 20, 24)]), abs=1e-5)
    (words,) = back.words
    assert words.words == "a"
    assert words.points_lps_mm is not None
    assert words.points_lps_mm[0] == pytest.approx(at(scene, 6, 5, 5), abs=1e-5)


def test_programs_without_compound_graphics_get_the_arrow_as_a_line_to_the_same_tip(scene: Scene) -> None:
    path = scene.folder / "pr.dcm"
    write_presentation_state(view_of(scene), path, **scene.made_by)
    dataset = pydicom.dcmread(path)
    del dataset.GraphicAnnotationSequence[0].CompoundGraphicSequence
    pydicom.dcmwrite(path, dataset)
    (line,) = read_presentation_state(path, scene.study).shapes
    assert line.kind == "POLYLINE"
    assert line.points_lps_mm is not None
    assert line.points_lps_mm[1] == pytest.approx(at(scene, 6, 20, 24), abs=1e-5)


def test_monochrome1_images_are_shown_inverted(scene: Scene) -> None:
    path = scene.folder / "pr.dcm"
    scene.series = replace(scene.series, inverted=True)
    write_presentation_state(replace(view_of(scene), arrows=(), captions=()), path, **scene.made_by)
    assert read_presentation_state(path).inverted


def test_a_mark_off_the_slice_is_refused(scene: Scene) -> None:
    view = replace(view_of(scene), arrows=(Arrow(at(scene, 8, 30, 10), at(scene, 8, 20, 24)),))
    with pytest.raises(UsageError, match=r"1\.2 mm off the slice"):
        write_presentation_state(view, scene.folder / "pr.dcm", **scene.made_by)


def test_a_picture_comes_back_pixel_for_pixel(scene: Scene, validator_errors: Validator) -> None:
    picture = np.random.default_rng(1).integers(0, 255, (33, 21, 3), dtype=np.uint8)
    path = scene.folder / "sc.dcm"
    write_secondary_capture(picture, scene.series, path, description="Figure 1", **scene.made_by)
    assert validator_errors(path) == []
    dataset = pydicom.dcmread(path)
    assert np.array_equal(dataset.pixel_array, picture)
    assert dataset.BurnedInAnnotation == "YES"
    assert "PixelSpacing" not in dataset
    with pytest.raises(UsageError, match="picture of shape"):
        write_secondary_capture(picture[..., 0], scene.series, path, description="", **scene.made_by)


def test_a_document_comes_back_byte_for_byte(scene: Scene, validator_errors: Validator) -> None:
    pdf = b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"
    path = scene.folder / "pdf.dcm"
    write_encapsulated_pdf(pdf, scene.series, path, title="Report", **scene.made_by)
    assert validator_errors(path) == []
    dataset: Dataset = pydicom.dcmread(path)
    assert dataset.EncapsulatedDocument[: dataset.EncapsulatedDocumentLength] == pdf
    with pytest.raises(UsageError, match="do not begin as a PDF"):
        write_encapsulated_pdf(b"<html>", scene.series, path, title="Report", **scene.made_by)


@pytest.mark.parametrize("read", [read_registration, read_presentation_state, read_key_objects])
def test_what_is_no_such_object_is_refused(scene: Scene, read: Callable[[Path], object]) -> None:
    (scene.folder / "text.dcm").write_text("no DICOM here")
    for path in (Path(scene.series.instances[0].path), scene.folder / "text.dcm", scene.folder / "absent.dcm"):
        with pytest.raises(NeuraxisError):
            read(path)


def test_a_foreign_presentation_state_is_read(shared_real: Path) -> None:
    files = [p for p in sorted((shared_real / "gsps_softneta_GPL").rglob("*")) if p.suffix not in (".txt",) and p.is_file()]
    states = []
    for path in files:
        try:
            states.append(read_presentation_state(path))
        except ReadError:
            continue
    (state,) = states
    assert [s.kind for s in state.shapes] == ["ELLIPSE"]
    assert len(state.words) == 1
    assert state.displayed_area is not None
