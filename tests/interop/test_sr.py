"""Lesions as TID 1500 reports: what is written is what other programs and we ourselves read."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from neuraxis.domain.lesion import LengthMeasurement
from neuraxis.domain.lexicon import Code
from neuraxis.domain.tag import Tag, Verdict
from neuraxis.errors import ReadError, UsageError
from neuraxis.interop import concepts as c
from neuraxis.interop.doubt import DoubtError
from neuraxis.interop.seg import write_seg
from neuraxis.interop.sr import write_sr
from neuraxis.interop.sr_lesions import ReportLesion, report_lesions
from neuraxis.interop.sr_read import conflicting_reports, read_sr
from neuraxis.interop.sr_tree import Item, read_report

if TYPE_CHECKING:
    from tests.interop.conftest import Scene

Validator = Callable[[Path], list[str]]


def written(scene: Scene, name: str = "sr.dcm", **changes: Any) -> Path:
    seg, path = scene.folder / "seg.dcm", scene.folder / name
    write_seg(scene.lesion, scene.series, seg, **scene.made_by)
    write_sr(scene.lesion, scene.tags, scene.series, path, seg_path=seg, **{**scene.made_by, **changes})
    return path


def lesion_of(scene: Scene, path: Path) -> ReportLesion:
    (lesion,) = report_lesions(read_sr(path, scene.study), scene.study)
    return lesion


def edited(path: Path, change: Callable[[Dataset], None]) -> Path:
    dataset = pydicom.dcmread(path)
    change(dataset)
    target = path.with_name("edited.dcm")
    pydicom.dcmwrite(target, dataset)
    return target


def items_named(dataset: Dataset, meaning: str) -> list[Dataset]:
    found, queue = [], [dataset]
    while queue:
        item = queue.pop()
        queue.extend(item.get("ContentSequence", ()))
        names = item.get("ConceptNameCodeSequence")
        if names and names[0].CodeMeaning == meaning:
            found.append(item)
    return found


def test_a_report_has_no_validator_errors(scene: Scene, validator_errors: Validator) -> None:
    assert validator_errors(written(scene)) == []


def test_sizes_come_back_exactly(scene: Scene) -> None:
    back = lesion_of(scene, written(scene)).measurement
    assert back is not None
    true = scene.lesion.measurement
    assert back.intensity == true.intensity
    for name in ("volume", "volume_voxel_sum", "surface", "distance_to_bone", "slices_spanned", "warnings", "method",
                 "series_id", "series_uid", "frame_of_reference_uid"):
        assert getattr(back, name) == getattr(true, name), name
    for name in ("long_axis", "short_axis", "max_3d_diameter"):
        line, expected = getattr(back, name), getattr(true, name)
        assert line.quantity == expected.quantity, name
        assert line.start_lps_mm == pytest.approx(expected.start_lps_mm, abs=1e-5), name
        assert line.end_lps_mm == pytest.approx(expected.end_lps_mm, abs=1e-5), name
    assert back.centroid_lps_mm == pytest.approx(true.centroid_lps_mm, abs=1e-5)


def test_a_third_keeps_its_full_precision(scene: Scene) -> None:
    back = lesion_of(scene, written(scene)).measurement
    assert back is not None
    assert back.surface is not None
    assert back.surface.value == 1 / 3


def test_tags_and_evidence_come_back(scene: Scene) -> None:
    back = {t.concept: t for t in lesion_of(scene, written(scene)).tags}
    stated = {t.concept: t for t in scene.tags if t.value is not None}
    assert back.keys() == stated.keys()
    for concept, tag in stated.items():
        assert replace(back[concept], evidence=()) == replace(tag, evidence=()), concept
        for one, other in zip(back[concept].evidence, tag.evidence, strict=True):
            assert replace(one, where_lps_mm=None) == replace(other, where_lps_mm=None)
            if other.where_lps_mm is not None:
                assert one.where_lps_mm == pytest.approx(other.where_lps_mm, abs=1e-5)


def test_a_tag_that_is_the_side_itself_comes_back(scene: Scene) -> None:
    scene.tags = (
        Tag("laterality", "right", Verdict.SUPPORTS, laterality="right", asserted_by="Reader^One"),
        Tag("hydrocephalus", "none", Verdict.NEUTRAL, laterality="left"),
    )
    assert lesion_of(scene, written(scene)).tags == scene.tags


def test_what_nobody_stated_is_not_in_the_report(scene: Scene) -> None:
    dataset = pydicom.dcmread(written(scene))
    assert items_named(dataset, "Perilesional oedema") == []


def test_a_suggestion_never_stands_among_the_readers_statements(scene: Scene) -> None:
    report = read_sr(written(scene), scene.study)
    with_segment = [g for g in report.groups if g.segment is not None]
    asserted = {value.value for _, value in with_segment[0].evaluations}
    assert "CALC-DENSE" in asserted
    assert "RID34299" not in asserted
    suggested = [g for g in report.groups if (c.TAG_STATUS, c.SUGGESTED) in g.evaluations]
    assert len(suggested) == 1
    assert any(i.is_named(Code("DCM", "111001", "")) for i in suggested[0].item.children), "the program is named"


def test_asserted_tags_without_an_author_are_refused(scene: Scene) -> None:
    with pytest.raises(UsageError, match="without an author"):
        written(scene, author=None)


def test_a_report_of_suggestions_alone_names_the_program_as_observer(scene: Scene, validator_errors: Validator) -> None:
    scene.tags = tuple(replace(t, asserted_by="") for t in scene.tags)
    path = written(scene, author=None)
    assert validator_errors(path) == []
    assert read_sr(path, scene.study).author == ""
    assert {t.asserted_by for t in lesion_of(scene, path).tags} == {""}


def test_nothing_claims_to_be_final_or_verified(scene: Scene) -> None:
    dataset = pydicom.dcmread(written(scene))
    assert (dataset.VerificationFlag, dataset.PreliminaryFlag, dataset.CompletionFlag) == (
        "UNVERIFIED", "PRELIMINARY", "PARTIAL")
    assert dataset.CodingSchemeIdentificationSequence[0].CodingSchemeDesignator == "99NEURAXIS"


def test_the_image_library_holds_only_the_images_used(scene: Scene) -> None:
    dataset = pydicom.dcmread(written(scene))
    library = items_named(dataset, "Image Library")[0]
    images = [i for g in library.ContentSequence for i in g.ContentSequence if i.ValueType == "IMAGE"]
    assert len(images) == 7


def test_the_outline_has_the_area_of_its_pixels(scene: Scene) -> None:
    report = read_sr(written(scene), scene.study)
    area = next(n for g in report.groups for n in g.numbers if n.name == c.AREA)
    largest = max(int(plane.sum()) for plane in scene.inside)
    assert area.value == pytest.approx(largest * 0.45 * 0.5, rel=1e-12)


def test_the_axis_line_lies_on_the_image_it_names(scene: Scene) -> None:
    scoord = next(i for i in items_named(pydicom.dcmread(written(scene)), "Long axis")[0].ContentSequence
                  if i.ValueType == "SCOORD")
    # pixel 24 has its centre at 24.5; half of 4.1 mm is 4.556 columns of 0.45 mm
    assert list(scoord.GraphicData) == pytest.approx([24.5 - 4.55556, 20.5, 24.5 + 4.55556, 20.5], abs=1e-4)
    uid = scoord.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert uid == f"{scene.series.series_uid}.7"


def test_a_line_across_slices_is_written_in_patient_space(scene: Scene) -> None:
    across = items_named(pydicom.dcmread(written(scene)), "Maximum 3D Diameter of a Mesh")[0]
    assert [i.ValueType for i in across.ContentSequence if "GraphicType" in i] == ["SCOORD3D"]


def test_a_line_between_slices_is_drawn_on_the_nearest_image_and_kept_exactly(scene: Scene) -> None:
    line = scene.lesion.measurement.long_axis
    assert line is not None
    (x0, y0, z0), (x1, y1, z1) = line.start_lps_mm, line.end_lps_mm
    lifted = replace(line, start_lps_mm=(x0, y0, z0 + 0.2), end_lps_mm=(x1, y1, z1 + 0.2))
    scene.lesion = replace(scene.lesion, measurement=replace(scene.lesion.measurement, long_axis=lifted))
    path = written(scene)
    item = items_named(pydicom.dcmread(path), "Long axis")[0]
    assert [i.ValueType for i in item.ContentSequence if "GraphicType" in i] == ["SCOORD", "SCOORD3D"]
    back = lesion_of(scene, path).measurement
    assert back is not None
    assert back.long_axis is not None
    assert back.long_axis.start_lps_mm == pytest.approx(lifted.start_lps_mm, abs=1e-5)
    assert back.long_axis.sop_instance_uid == f"{scene.series.series_uid}.7"
    assert read_sr(path, scene.study).notes == ()


def test_highdicom_reads_the_groups(scene: Scene) -> None:
    import highdicom as hd

    content = hd.sr.srread(written(scene)).content
    volumetric = content.get_volumetric_roi_measurement_groups(tracking_uid=scene.lesion.tracking_uid)
    assert len(volumetric) == 1
    volume = volumetric[0].get_measurements(name=c.dicom_code(c.VOLUME))
    assert volume[0].value == pytest.approx(33.5103216)
    assert len(content.get_planar_roi_measurement_groups(tracking_uid=scene.lesion.tracking_uid)) == 1


def test_dcmtk_dumps_the_report(scene: Scene) -> None:
    program = shutil.which("dsrdump")
    if program is None:
        pytest.skip("dsrdump (Debian package dcmtk) is not installed")
    result = subprocess.run([program, str(written(scene))], capture_output=True, text=True, check=False)
    assert result.returncode == 0
    assert "33.5103216" in result.stdout
    assert not [line for line in result.stderr.splitlines() if line.startswith(("E:", "F:"))]


def test_the_same_arguments_give_the_same_bytes(scene: Scene) -> None:
    assert written(scene).read_bytes() == written(scene, "again.dcm").read_bytes()


def test_a_segmentation_of_another_lesion_is_refused(scene: Scene) -> None:
    seg = scene.folder / "other.dcm"
    write_seg(replace(scene.lesion, tracking_uid="2.25.99"), scene.series, seg, **scene.made_by)
    with pytest.raises(UsageError, match="holds no segment"):
        write_sr(scene.lesion, scene.tags, scene.series, scene.folder / "sr.dcm", seg_path=seg, **scene.made_by)


def test_a_clean_report_raises_no_notes(scene: Scene) -> None:
    assert read_sr(written(scene), scene.study).notes == ()


def wrong_value(dataset: Dataset) -> None:
    measured = items_named(dataset, "Long axis")[0].MeasuredValueSequence[0]
    measured.NumericValue = "60"
    if "FloatingPointValue" in measured:
        del measured.FloatingPointValue


def outside(dataset: Dataset) -> None:
    scoord = next(i for i in items_named(dataset, "Long axis")[0].ContentSequence if i.ValueType == "SCOORD")
    scoord.GraphicData = [-500.0, 20.0, 9999.0, 20.0]


def no_number(dataset: Dataset) -> None:
    measured = items_named(dataset, "Short axis")[0].MeasuredValueSequence[0]
    measured.NumericValue = ""
    if "FloatingPointValue" in measured:
        measured.FloatingPointValue = float("nan")


def absent_image(dataset: Dataset) -> None:
    for element in dataset.iterall():
        if element.keyword == "ReferencedSOPInstanceUID":
            element.value = f"1.9.{element.value}"


@pytest.mark.parametrize(("change", "words"), [
    (wrong_value, "Long axis is written as 60 mm, its coordinates give 4.1 mm"),
    (outside, "a point lies outside the image of 48 x 40 pixels"),
    (no_number, "'Short axis' has no number"), (absent_image, "on an image that is not here"),
    (absent_image, "7 of 7 images that the report refers to are not in the study"),
])
def test_what_is_wrong_in_a_report_is_said(scene: Scene, change: Callable[[Dataset], None], words: str) -> None:
    notes = read_sr(edited(written(scene), change), scene.study).notes
    assert [n for n in notes if words in n], notes


def test_a_report_of_another_patient_asks(scene: Scene) -> None:
    def other(dataset: Dataset) -> None:
        dataset.PatientID = "SECRET9"

    path = edited(written(scene), other)
    with pytest.raises(DoubtError) as error:
        read_sr(path, scene.study)
    assert error.value.key == "patient"
    assert "SECRET9" not in str(error.value)
    assert read_sr(path, scene.study, accept=["patient"]).groups


def test_centimetres_are_understood(scene: Scene) -> None:
    def to_cm(dataset: Dataset) -> None:
        measured = items_named(dataset, "Long axis")[0].MeasuredValueSequence[0]
        measured.NumericValue = "0.41"
        measured.MeasurementUnitsCodeSequence[0].CodeValue = "cm"
        if "FloatingPointValue" in measured:
            del measured.FloatingPointValue

    path = edited(written(scene), to_cm)
    back = lesion_of(scene, path).measurement
    assert back is not None
    assert back.long_axis is not None
    assert back.long_axis.quantity.value == pytest.approx(4.1)
    assert read_sr(path, scene.study).notes == ()


@pytest.mark.parametrize("levels", [65, 5000])
def test_a_tree_without_end_is_refused(tmp_path: Path, levels: int) -> None:
    head = Dataset()
    head.SOPClassUID, head.SOPInstanceUID, head.Modality = "1.2.840.10008.5.1.4.1.1.88.34", "1.2.3", "SR"
    head.file_meta = pydicom.dataset.FileMetaDataset()
    head.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    pydicom.dcmwrite(tmp_path / "deep.dcm", head, enforce_file_format=True)
    opening = b"\x40\x00\x30\xa7SQ\x00\x00\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    closing = b"\xfe\xff\x0d\xe0\x00\x00\x00\x00" + b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
    with (tmp_path / "deep.dcm").open("ab") as stream:
        stream.write(opening * (levels + 1) + closing * (levels + 1))
    with pytest.raises(ReadError, match="nested deeper than 64"):
        read_sr(tmp_path / "deep.dcm")


def test_two_reports_of_one_uid_that_differ_are_found(scene: Scene) -> None:
    path = written(scene)
    same = shutil.copy(path, scene.folder / "same.dcm")
    assert conflicting_reports([path, Path(same)]) == ()
    other = edited(path, wrong_value)
    assert conflicting_reports([path, Path(same), other]) == ((path, other),)


def test_two_representations_of_a_number_that_differ_are_no_number(scene: Scene) -> None:
    def differ(dataset: Dataset) -> None:
        items_named(dataset, "Surface Area of Mesh")[0].MeasuredValueSequence[0].NumericValue = "0.5"

    path = written(scene)
    assert "FloatingPointValue" in items_named(
        pydicom.dcmread(path), "Surface Area of Mesh")[0].MeasuredValueSequence[0]
    assert [n for n in read_sr(edited(path, differ), scene.study).notes if "Surface Area of Mesh' has no number" in n]


def test_an_image_is_no_report(scene: Scene) -> None:
    with pytest.raises(ReadError, match="no structured report"):
        read_sr(Path(scene.series.instances[0].path))


def test_a_concept_that_the_lexicon_lacks_survives(scene: Scene) -> None:
    scene.tags = (Tag("house_sign", "very_odd_value_longer_than_sixteen", Verdict.NEUTRAL, asserted_by="Reader^One"),)
    (tag,) = lesion_of(scene, written(scene)).tags
    assert (tag.concept, tag.value) == ("house_sign", "very_odd_value_longer_than_sixteen")


def test_every_term_of_the_lexicon_has_a_code_that_comes_back() -> None:
    from neuraxis.domain.lexicon import load_lexicon
    from neuraxis.interop.tag_codes import concept_key, term_code, value_key

    for term in load_lexicon():
        if not term.value:
            assert concept_key(term_code(term.concept)) == term.concept, term
        else:
            assert value_key(term.concept, term_code(term.concept, term.value)) == term.value, term


def test_a_lesion_without_lines_has_no_line_group(scene: Scene, validator_errors: Validator) -> None:
    bare = replace(scene.lesion.measurement, long_axis=None, short_axis=None, max_3d_diameter=None, volume=None)
    scene.lesion = replace(scene.lesion, measurement=bare)
    path = written(scene)
    assert validator_errors(path) == []
    back = lesion_of(scene, path).measurement
    assert back is not None
    assert back.long_axis is None
    assert back.volume is None


def test_an_infinite_number_is_left_out(scene: Scene) -> None:
    line = scene.lesion.measurement.long_axis
    assert isinstance(line, LengthMeasurement)
    broken = replace(line, quantity=replace(line.quantity, value=float("nan")))
    scene.lesion = replace(scene.lesion, measurement=replace(scene.lesion.measurement, long_axis=broken))
    assert items_named(pydicom.dcmread(written(scene)), "Long axis") == []


def test_the_tree_of_a_report_is_walked_parents_first(scene: Scene) -> None:
    _, root = read_report(written(scene))
    kinds = [item.kind for item in root.walk()]
    assert kinds[0] == "CONTAINER"
    assert kinds.count("NUM") > 10
    assert isinstance(root, Item)
