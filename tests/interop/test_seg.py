"""Masks as DICOM SEG: what is written is what other programs and we ourselves read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.lesion import LesionMask
from neuraxis.domain.study import LoadReport, Study
from neuraxis.errors import GeometryError, NeuraxisError, ReadError, UsageError, WriteError
from neuraxis.interop.doubt import DoubtError
from neuraxis.interop.identity import Author, UidSource
from neuraxis.interop.seg import write_seg
from neuraxis.interop.seg_read import read_seg, read_segments

if TYPE_CHECKING:
    from tests.interop.conftest import Scene

Validator = Callable[[Path], list[str]]


def written(scene: Scene, name: str = "seg.dcm", **changes: Any) -> Path:
    path = scene.folder / name
    write_seg(scene.lesion, scene.series, path, **{**scene.made_by, **changes})
    return path


def edited(path: Path, change: Callable[[Dataset], None]) -> Path:
    dataset = pydicom.dcmread(path)
    change(dataset)
    target = path.with_name("edited.dcm")
    pydicom.dcmwrite(target, dataset)
    return target


def test_a_seg_has_no_validator_errors(scene: Scene, validator_errors: Validator) -> None:
    assert validator_errors(written(scene)) == []


def test_the_mask_comes_back_voxel_for_voxel(scene: Scene) -> None:
    (segment,) = read_segments(written(scene), scene.study)
    assert np.array_equal(segment.mask.full(), scene.inside)
    assert segment.mask.geometry is scene.series.geometry
    assert segment.mask.series_uid == scene.series.series_uid
    assert segment.tracking_uid == scene.lesion.tracking_uid
    assert segment.label == "Lesion 1"
    assert segment.mask.method == scene.lesion.mask.method
    assert segment.mask.warnings == ()


@pytest.mark.parametrize("label_map", [False, True])
def test_highdicom_reads_the_mask_at_the_same_places(scene: Scene, label_map: bool) -> None:
    import highdicom as hd

    volume = hd.seg.segread(written(scene, label_map=label_map)).get_volume(segment_numbers=[1])
    points = (volume.affine @ np.c_[np.argwhere(volume.array[..., 0]), np.ones(int(volume.array.sum()))].T).T[:, :3]
    assert sort_rows(points) == pytest.approx(sort_rows(scene.lesion.mask.points_lps_mm()), abs=1e-6)


def test_a_label_map_says_the_same_as_the_binary_segmentation(scene: Scene) -> None:
    path = written(scene, label_map=True)
    (segment,) = read_segments(path, scene.study)
    assert np.array_equal(segment.mask.full(), scene.inside)
    assert segment.tracking_uid == scene.lesion.tracking_uid
    dataset = pydicom.dcmread(path)
    assert dataset.SOPClassUID == "1.2.840.10008.5.1.4.1.1.66.7"  # Label Map Segmentation Storage
    assert dataset.pixel_array.max() == 1
    assert dataset.pixel_array.sum() == scene.inside.sum()


def test_simpleitk_reads_the_mask_at_the_same_places(scene: Scene) -> None:
    import SimpleITK as sitk

    image = sitk.ReadImage(str(written(scene)))
    index = np.argwhere(sitk.GetArrayFromImage(image))[:, ::-1]
    points = np.array([image.TransformIndexToPhysicalPoint(i.tolist()) for i in index])
    assert sort_rows(points) == pytest.approx(sort_rows(scene.lesion.mask.points_lps_mm()), abs=1e-6)


def sort_rows(points: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    rounded = np.round(points, 6)
    return points[np.lexsort(rounded.T)]


def test_every_plane_refers_to_the_image_at_its_position(scene: Scene) -> None:
    dataset = pydicom.dcmread(written(scene))
    positions = {}
    for instance in scene.series.instances:
        header = pydicom.dcmread(instance.path, stop_before_pixels=True)
        positions[str(header.SOPInstanceUID)] = [float(v) for v in header.ImagePositionPatient]
    assert dataset.NumberOfFrames == len(np.unique(np.argwhere(scene.inside)[:, 0]))
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        source = frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        own = [float(v) for v in frame.PlanePositionSequence[0].ImagePositionPatient]
        assert own == pytest.approx(positions[source], abs=1e-6)


def test_the_same_arguments_give_the_same_bytes_and_any_change_another_uid(scene: Scene) -> None:
    first, second = written(scene), written(scene, "again.dcm")
    assert first.read_bytes() == second.read_bytes()
    z, y, x = scene.lesion.mask.start_zyx
    scene.lesion = replace(scene.lesion, mask=replace(scene.lesion.mask, start_zyx=(z, y, x + 1)))
    moved = pydicom.dcmread(written(scene, "moved.dcm"))
    assert moved.SOPInstanceUID != pydicom.dcmread(first).SOPInstanceUID
    assert moved.SeriesInstanceUID == pydicom.dcmread(first).SeriesInstanceUID
    other = pydicom.dcmread(written(scene, "other.dcm", uids=UidSource("revision 2")))
    assert other.SeriesInstanceUID != moved.SeriesInstanceUID


def test_the_author_stands_in_the_object_and_nobody_where_none_is_named(scene: Scene) -> None:
    assert str(pydicom.dcmread(written(scene)).ContentCreatorName) == "Reader^One"
    assert not pydicom.dcmread(written(scene, author=None)).ContentCreatorName
    with pytest.raises(UsageError, match="author name"):
        Author("   ")


def test_the_scanner_is_not_named_as_equipment_of_the_object(scene: Scene) -> None:
    def name_device(dataset: Dataset, index: int) -> None:
        dataset.StationName, dataset.DeviceSerialNumber = "STATION7", "SN123456"

    other = scene.variant("device", name_device)
    content = written(other).read_bytes()
    assert b"STATION7" not in content
    assert b"SN123456" not in content


def test_sources_without_type_2_attributes_are_accepted(scene: Scene, validator_errors: Validator) -> None:
    def strip(dataset: Dataset, index: int) -> None:
        for keyword in ("StudyID", "PatientBirthDate", "AccessionNumber", "PatientSex", "StudyTime",
                        "ReferringPhysicianName", "BodyPartExamined"):
            if keyword in dataset:
                del dataset[keyword]

    bare = scene.variant("bare", strip)
    path = written(bare)
    assert validator_errors(path) == []
    assert np.array_equal(read_seg(path, bare.study)[0].full(), bare.inside)


def test_odd_values_of_the_source_are_not_repeated(scene: Scene, validator_errors: Validator) -> None:
    def spoil(dataset: Dataset, index: int) -> None:
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset.PatientSex, dataset.PatientBirthDate, dataset.StudyTime = "FEMALE", "1995-01", "noon"
            dataset.PatientIdentityRemoved, dataset.DeidentificationMethod = "YES", ""

    odd = scene.variant("odd", spoil)
    path = written(odd)
    assert validator_errors(path) == []
    dataset = pydicom.dcmread(path)
    assert (dataset.PatientSex, dataset.DeidentificationMethod) == ("", "not stated by the source")


@pytest.mark.parametrize("axes", [
    ((0.0, 0.45, 0.0), (0.0, 0.0, -0.5), (0.9, 0.0, 0.0)),  # sagittal
    ((0.45, 0.0, 0.0), (0.0, 0.0, -0.5), (0.0, -0.9, 0.0)),  # coronal, slices to anterior
    ((-0.45, 0.0, 0.0), (0.0, 0.5, 0.0), (0.0, 0.0, -0.6)),  # axial from head to foot, mirrored columns
    ((0.36, 0.27, 0.0), (-0.3, 0.4, 0.0), (0.0, 0.0, 0.6)),  # turned about the patient's axis
])
def test_any_orientation_comes_back(scene: Scene, axes: Any) -> None:
    geometry = VolumeGeometry((12, 40, 48), (0.0, 0.0, 0.0), axes[0], axes[1], axes[2], "1.2.826.0.1.3")
    x, y, z = (float(v) for v in np.array((0.3, 22.25, -29.4)) - geometry.lps_from_index((5.3, 18.2, 25.6)))
    other = scene.variant("turned", geometry=replace(geometry, origin_lps_mm=(x, y, z)))
    assert other.inside.any()
    assert np.array_equal(read_seg(written(other), other.study)[0].full(), other.inside)


def test_a_sheared_stack_keeps_its_planes(scene: Scene) -> None:
    """Gantry tilt: the mask goes with the slices, whatever 3-D readers make of it."""
    sheared = VolumeGeometry(
        (12, 40, 48), (-10.5, 12.25, -33.0), (0.45, 0.0, 0.0), (0.0, 0.5, 0.0), (0.0, 0.2, 0.6), "1.2.826.0.1.3"
    )
    other = scene.variant("tilt", geometry=sheared)
    assert other.inside.any()
    assert np.array_equal(read_seg(written(other), other.study)[0].full(), other.inside)


def test_an_empty_slice_between_two_parts_is_written_and_no_hole_is_reported(scene: Scene) -> None:
    inside = scene.inside.copy()
    inside[6] = False
    assert scene.series.geometry is not None
    mask = LesionMask.from_full(scene.series.geometry, inside, series_id="ct1", series_uid=scene.series.series_uid)
    scene.lesion = replace(scene.lesion, mask=mask)
    (back,) = read_seg(written(scene), scene.study)
    assert np.array_equal(back.full(), inside)
    assert back.warnings == ()


def test_frames_in_any_order_are_read_by_position(scene: Scene) -> None:
    def shuffle(dataset: Dataset) -> None:
        count = int(dataset.NumberOfFrames)
        order = np.random.default_rng(1).permutation(count)
        bits = np.unpackbits(np.frombuffer(dataset.PixelData, np.uint8), bitorder="little")
        frames = bits[: count * 40 * 48].reshape(count, -1)
        dataset.PixelData = np.packbits(frames[order].ravel(), bitorder="little").tobytes()
        items = list(dataset.PerFrameFunctionalGroupsSequence)
        dataset.PerFrameFunctionalGroupsSequence = [items[i] for i in order]

    assert np.array_equal(read_seg(edited(written(scene), shuffle), scene.study)[0].full(), scene.inside)


def test_lost_frames_inside_a_lesion_are_named(scene: Scene) -> None:
    def lose(dataset: Dataset) -> None:
        keep = [0, 1, 4, 5, 6]
        bits = np.unpackbits(np.frombuffer(dataset.PixelData, np.uint8), bitorder="little")
        frames = bits[: 7 * 40 * 48].reshape(7, -1)[keep]
        dataset.PixelData = np.packbits(frames.ravel(), bitorder="little").tobytes()
        items = list(dataset.PerFrameFunctionalGroupsSequence)
        dataset.PerFrameFunctionalGroupsSequence = [items[i] for i in keep]
        dataset.NumberOfFrames = len(keep)

    (mask,) = read_seg(edited(written(scene), lose), scene.study)
    assert [w for w in mask.warnings if w.startswith("2 slices inside the lesion are absent")]


def frames_claimed(dataset: Dataset) -> None:
    dataset.NumberOfFrames = 100000


def half_of_the_pixels(dataset: Dataset) -> None:
    dataset.PixelData = dataset.PixelData[: len(dataset.PixelData) // 4 * 2]


@pytest.mark.parametrize(("change", "words"), [
    (frames_claimed, "claims 100000 frames and describes 7"), (half_of_the_pixels, "cut short"),
])
def test_a_damaged_segmentation_is_refused(scene: Scene, change: Callable[[Dataset], None], words: str) -> None:
    with pytest.raises(ReadError, match=words):
        read_seg(edited(written(scene), change), scene.study)


def other_patient(dataset: Dataset) -> None:
    dataset.PatientID = "OTHER"


def halved_spacing(dataset: Dataset) -> None:
    dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = ["0.25", "0.225"]


def other_images(dataset: Dataset) -> None:
    for element in dataset.iterall():
        if element.keyword == "ReferencedSOPInstanceUID":
            element.value = f"1.9.{element.value}"


@pytest.mark.parametrize(("change", "key"), [
    (other_patient, "patient"), (halved_spacing, "grid"), (other_images, "images"),
])
def test_a_doubtful_segmentation_asks_and_is_taken_when_accepted(
    scene: Scene, change: Callable[[Dataset], None], key: str
) -> None:
    path = edited(written(scene), change)
    with pytest.raises(DoubtError) as error:
        read_seg(path, scene.study)
    assert error.value.key == key
    assert "OTHER" not in str(error.value), "identifiers stay out of messages"
    (mask,) = read_seg(path, scene.study, accept=[key])
    assert [w for w in mask.warnings if "accepted" in w]
    if key == "grid":
        assert mask.voxel_count == pytest.approx(scene.lesion.mask.voxel_count / 4, rel=0.2)
    else:
        assert np.array_equal(mask.full(), scene.inside)


def test_another_frame_of_reference_is_refused(scene: Scene) -> None:
    def elsewhere(dataset: Dataset) -> None:
        dataset.FrameOfReferenceUID = "1.2.3.4"

    with pytest.raises(GeometryError, match="frame of reference"):
        read_seg(edited(written(scene), elsewhere), scene.study)


def test_a_study_without_volumes_is_answered_clearly(scene: Scene) -> None:
    with pytest.raises(GeometryError, match="frame of reference"):
        read_seg(written(scene), Study("", (), LoadReport()))


def test_fractions_need_a_threshold(scene: Scene) -> None:
    import highdicom as hd
    from pydicom.sr.codedict import codes

    images = [pydicom.dcmread(i.path) for i in scene.series.instances]
    images.sort(key=lambda d: float(d.ImagePositionPatient[2]))
    description = hd.seg.SegmentDescription(
        1, "part", codes.SCT.MorphologicallyAbnormalStructure, codes.SCT.Lesion, hd.seg.SegmentAlgorithmTypeValues.MANUAL
    )
    seg = hd.seg.Segmentation(
        images, scene.inside * 0.5, hd.seg.SegmentationTypeValues.FRACTIONAL, [description], hd.UID(), 5, hd.UID(), 1,
        "M", "P", "1", "S",
    )
    seg.save_as(scene.folder / "fraction.dcm")
    with pytest.raises(DoubtError, match="fractions"):
        read_seg(scene.folder / "fraction.dcm", scene.study)
    assert np.array_equal(read_seg(scene.folder / "fraction.dcm", scene.study, threshold=0.4)[0].full(), scene.inside)
    assert read_seg(scene.folder / "fraction.dcm", scene.study, threshold=0.6)[0].voxel_count == 0


def test_a_lesion_without_a_mask_on_the_series_is_refused(scene: Scene) -> None:
    scene.series = replace(scene.series, series_uid="1.2.9", id="mr9")
    with pytest.raises(UsageError, match="no mask on series mr9"):
        written(scene)


def test_a_missing_slice_under_the_mask_is_refused(scene: Scene) -> None:
    kept = tuple(i for i in scene.series.instances if i.sop_instance_uid != f"{scene.series.series_uid}.7")
    scene.series = replace(scene.series, instances=kept)
    with pytest.raises(GeometryError, match="1 of 7 slices have no source image, first slice 7"):
        written(scene)


def test_sources_inside_an_archive_are_answered_with_what_to_do(scene: Scene) -> None:
    import shutil

    archive = Path(shutil.make_archive(str(scene.folder / "study"), "zip", scene.folder / "ct"))
    scene.series = replace(scene.series, instances=tuple(
        replace(i, path=str(archive / Path(i.path).name)) for i in scene.series.instances))
    with pytest.raises(ReadError, match="unpack the archive"):
        written(scene)


def test_a_file_exchanged_since_opening_is_noticed(scene: Scene) -> None:
    for instance in scene.series.instances:
        dataset = pydicom.dcmread(instance.path)
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.UID("1.2.3.9")
        pydicom.dcmwrite(instance.path, dataset, enforce_file_format=True)
    with pytest.raises(ReadError, match="another image than when the study was opened"):
        written(scene)


def test_a_full_disk_leaves_the_former_file_and_nothing_else(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno
    import os

    path = written(scene)
    before = path.read_bytes()

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WriteError, match="disk is full"):
        written(scene, uids=UidSource("revision 2"))
    assert path.read_bytes() == before
    assert sorted(p.name for p in scene.folder.iterdir()) == ["ct", "seg.dcm"]


def test_a_folder_that_does_not_exist_is_answered_clearly(scene: Scene) -> None:
    with pytest.raises(WriteError, match="the folder does not exist"):
        write_seg(scene.lesion, scene.series, scene.folder / "nowhere" / "seg.dcm", **scene.made_by)


def test_a_file_that_is_no_segmentation_is_refused(scene: Scene) -> None:
    (scene.folder / "text.dcm").write_text("not DICOM")
    for path in (scene.folder / "text.dcm", Path(scene.series.instances[0].path), scene.folder / "absent.dcm"):
        with pytest.raises(NeuraxisError, match=r"cannot read|expected: a DICOM Segmentation"):
            read_seg(path, scene.study)
