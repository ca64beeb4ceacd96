"""Nothing private leaves: faces, burned-in text, captures, and planted identifiers in pixels' company or metadata."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.figures.figure_cases import SAGITTAL, arrow, legend, lesion_on, one_panel, panel, plane
from tests.figures.phantom_head import head, series_of, study_of

from neuraxis.domain.legend import Panel
from neuraxis.domain.study import InstanceReference, LoadReport, Role, Study
from neuraxis.domain.tag import Evidence, Tag, Verdict
from neuraxis.domain.transform import RegistrationSet
from neuraxis.figures import Recipe, draw_figure, recipe_from_legend, write_report
from neuraxis.figures.privacy import PrivacyError, shows_face

SIDE: dict[str, Any] = {"plane": plane("sagittal", SAGITTAL, (230.0, 150.0), centre=(0.0, 0.0, 0.0))}


def test_a_side_view_with_a_nose_is_refused_and_allowed_only_by_name() -> None:
    recipe, study = one_panel(head(nose=True), **SIDE)
    with pytest.raises(PrivacyError, match=r"panel a: the sagittal view shows the face.*full_face") as caught:
        draw_figure(recipe, study)
    assert caught.value.override == "full_face"
    with pytest.raises(PrivacyError):
        draw_figure(recipe, study, allow=["burned_in"])
    assert draw_figure(recipe, study, allow=["full_face"]).scene.items
    named = recipe.model_copy(update={"privacy_overrides": ("full_face",)})
    assert draw_figure(named, study).scene.items


@pytest.mark.parametrize("hu", [True, False])
def test_the_nose_is_seen_in_ct_and_mr_from_both_sides(hu: bool) -> None:
    volume = head(nose=True, hu=hu)
    for right in ((0.0, 1.0, 0.0), (0.0, -1.0, 0.0)):
        turned = plane("sagittal", (right, (0.0, 0.0, -1.0)), (230.0, 150.0), centre=(0.0, 0.0, 0.0))
        assert shows_face(panel(volume, plane=turned), volume)


def test_a_head_without_a_nose_in_view_is_no_face() -> None:
    volume = head(nose=True)
    assert not shows_face(panel(head(), **SIDE), head())
    small = plane("sagittal", SAGITTAL, (80.0, 80.0), centre=(0.0, 20.0, 0.0))
    assert not shows_face(panel(volume, plane=small), volume)
    beside = plane("sagittal", SAGITTAL, (230.0, 150.0), centre=(45.0, 0.0, 0.0))
    assert not shows_face(panel(volume, plane=beside), volume)
    assert not shows_face(panel(volume), volume)


def test_a_thick_projection_from_the_front_is_a_face() -> None:
    volume = head(nose=True)
    front = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0))
    thick = plane("coronal", front, (200.0, 150.0), centre=(0.0, -70.0, 0.0), slab_mm=60.0, projection="max")
    assert shows_face(panel(volume, plane=thick), volume)
    thin = plane("coronal", front, (200.0, 150.0), centre=(0.0, -70.0, 0.0))
    assert not shows_face(panel(volume, plane=thin), volume)


@pytest.mark.parametrize(
    ("fields", "role", "override"),
    [
        ({"burned_in_annotation": "YES"}, Role.CT, "burned_in"), ({}, Role.SECONDARY, "secondary_capture"),
        ({"image_type": ("DERIVED", "SECONDARY", "SCREEN SAVE")}, Role.CT, "secondary_capture"),
    ],
)
def test_burned_in_text_and_captures_are_refused_by_name(fields: dict[str, Any], role: Role, override: str) -> None:
    volume = head()
    recipe, _ = one_panel(volume)
    study = study_of(series_of(volume, role, **fields))
    with pytest.raises(PrivacyError, match=override):
        draw_figure(recipe, study)
    assert draw_figure(recipe, study, allow=[override]).scene.items


PLANTED = [f"PLANTED{i:02d}" for i in range(30)]
"""Marks in every text that a study carries."""


def planted_study() -> Study:
    volume = head()
    mark = iter(PLANTED)
    series = series_of(
        volume, Role.CT, description=next(mark), convolution_kernel=next(mark), contrast_agent="",
        image_type=("ORIGINAL", next(mark)), scanning_sequence=(next(mark),), sequence_variant=(next(mark),),
        acquisition_time=next(mark), manufacturer=next(mark), burned_in_annotation=next(mark),
    )
    instances = tuple(
        InstanceReference(next(mark), next(mark), f"/data/{next(mark)}/{next(mark)}.dcm") for _ in range(4)
    )
    object.__setattr__(series, "instances", instances)
    object.__setattr__(series, "warnings", (next(mark), next(mark)))
    object.__setattr__(series, "study_uid", next(mark))
    report = LoadReport(notes=(next(mark),))
    return Study(f"/home/{next(mark)}/study", (series,), report)


def everything_in(data: bytes) -> bytes:
    """The bytes and whatever is deflated in them, as far as it can be found."""
    parts = [data]
    for start in (i for i in range(len(data) - 2) if data[i] == 0x78 and data[i + 1] in (0x01, 0x5E, 0x9C, 0xDA)):
        try:
            parts.append(zlib.decompressobj().decompress(data[start:], 5_000_000))
        except zlib.error:
            continue
    return b"\n".join(parts)


def streams_of(pdf: Path) -> bytes:
    """A PDF's bytes, the decoded streams of its pages, its words and its metadata."""
    from pypdf import PdfReader

    reader = PdfReader(pdf)
    contents = [c.get_data() for page in reader.pages if (c := page.get_contents()) is not None]
    words = [page.extract_text().encode() for page in reader.pages]
    return b"\n".join([pdf.read_bytes(), *contents, *words, str(reader.metadata).encode()])


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pdf", ".svg", ".pptx", ".html"])
def test_none_of_the_planted_strings_is_in_a_figure(suffix: str) -> None:
    study = planted_study()
    recipe = Recipe(panels=(panel(head(), marks=(arrow(),)),), width_mm=84)
    data = everything_in(draw_figure(recipe, study).to_bytes(suffix))
    if suffix == ".pptx":
        import zipfile

        with zipfile.ZipFile(io.BytesIO(draw_figure(recipe, study).to_bytes(suffix))) as package:
            data += b"".join(package.read(name) for name in package.namelist())
    found = [mark for mark in PLANTED if mark.encode() in data or mark.encode("utf-16-le") in data]
    assert not found
    uid = study.series[0].series_uid
    for secret in (uid, study.series[0].frame_of_reference_uid, "/home/", "/data/"):
        assert secret.encode() not in data


def test_none_of_the_planted_strings_is_in_recipe_or_report(tmp_path: Path) -> None:
    study = planted_study()
    lesion = lesion_on(head())
    figure_legend = legend(Panel("a", modality="CT", sequence="CT", plane="axial"))
    recipe = recipe_from_legend(study, figure_legend, lesion, RegistrationSet())
    figure = draw_figure(recipe, study)
    uid = study.series[0].series_uid
    evidence = Evidence("hu_max", 700.0, "HU", uid, "[lit] 100 HU", Verdict.SUPPORTS, "dense")
    audits: list[dict[str, Any]] = [{"panels": [{"label": "a", "series_uid": uid, "plane": "axial", "window": None, "claims": []}]}]
    tags = [Tag("calcification", "dense", Verdict.SUPPORTS, (evidence,))]
    for suffix in (".html", ".pdf"):
        write_report(tmp_path / f"report{suffix}", lesion=lesion, tags=tags, audits=audits, figure=figure)
    report = (tmp_path / "report.html").read_bytes() + everything_in(streams_of(tmp_path / "report.pdf"))
    from neuraxis.figures.recipe_file import dump_recipe

    for mark in PLANTED:
        assert mark.encode() not in report
        assert mark not in dump_recipe(recipe)
    assert uid.encode() not in report


def test_png_metadata_is_the_allow_list_and_has_no_date() -> None:
    recipe, study = one_panel(head())
    data = draw_figure(recipe, study).to_bytes(".png")
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        assert set(picture.info) == {"dpi", "Title", "Description", "Software", "Provenance"}
        assert picture.info["Description"] == "For teaching and research; not a medical device."
        assert panel(head()).series.pixel_sha256 in picture.info["Provenance"]
        assert '"center":40.0' in picture.info["Provenance"]


def test_pdf_metadata_has_no_date_and_no_file_name(tmp_path: Path) -> None:
    from pypdf import PdfReader

    recipe, study = one_panel(head())
    path = draw_figure(recipe, study).save(tmp_path / "Mrs Smith.pdf")
    information = PdfReader(path).metadata
    assert information is not None
    assert set(information) == {"/Title", "/Subject", "/Keywords", "/Creator", "/Producer"}
    assert b"Smith" not in path.read_bytes()
