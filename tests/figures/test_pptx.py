"""The slide: sizes in millimetres, marks that can be edited, the same bytes twice."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest
from tests.figures.figure_cases import LESION, arrow, panel, plane
from tests.figures.phantom_head import head, series_of, study_of

from neuraxis.domain.study import Role
from neuraxis.figures import Recipe, draw_figure
from neuraxis.figures.recipe import Inset, Mark

pptx = pytest.importorskip("pptx", reason="python-pptx is an extra")
MM = 36000


@pytest.fixture(scope="module")
def data() -> bytes:
    marks = (
        arrow(), Mark(kind="asterisk", anchor_lps_mm=LESION), Mark(kind="circle", anchor_lps_mm=LESION, radius_mm=8.0),
        Mark(kind="text", anchor_lps_mm=LESION, text="<b>$x$ & y"),
    )
    recipe = Recipe(
        panels=(panel(head(), marks=marks, plane=plane(field=(120.0, 120.0)), inset=Inset(plane="sagittal")),),
        width_mm=84, caption="Caption & more",
    )
    return draw_figure(recipe, study_of(series_of(head(), Role.CT))).to_bytes(".pptx")


@pytest.fixture
def slide(data: bytes) -> Any:
    return pptx.Presentation(io.BytesIO(data)).slides[0]


def test_the_slide_is_as_large_as_the_figure_and_opens(data: bytes) -> None:
    presentation = pptx.Presentation(io.BytesIO(data))
    assert presentation.slide_width / MM == pytest.approx(84, abs=0.05)
    assert len(presentation.slides) == 1


def test_a_10_mm_scale_bar_is_10_mm_of_anatomy(slide: Any) -> None:
    bar = next(s for s in slide.shapes if s.name == "panel a scale-bar")
    image = next(s for s in slide.shapes if s.name == "panel a image")
    assert bar.width / image.width == pytest.approx(10 / 120, rel=2e-3)


def test_marks_letters_and_locator_are_shapes_with_names(slide: Any) -> None:
    from pptx.enum.shapes import MSO_SHAPE_TYPE

    kinds = {s.name: s.shape_type for s in slide.shapes}
    assert kinds["panel a arrow"] == kinds["panel a asterisk"] == MSO_SHAPE_TYPE.FREEFORM
    assert kinds["panel a circle"] == MSO_SHAPE_TYPE.AUTO_SHAPE
    assert kinds["panel a inset-image"] == MSO_SHAPE_TYPE.PICTURE
    texts = {s.text_frame.text for s in slide.shapes if s.has_text_frame and s.text_frame.text}
    assert {"a", "R", "L", "A", "P", "10 mm", "W 80 L 40", "<b>$x$ & y"} <= texts
    assert slide.notes_slide.notes_text_frame.text == "Caption & more"


def test_the_arrow_has_its_tip_on_the_lesion(slide: Any) -> None:
    shape = next(s for s in slide.shapes if s.name == "panel a arrow")
    image = next(s for s in slide.shapes if s.name == "panel a image")
    # direction 0: the tip is the right end, at the centre of the panel
    assert (shape.left + shape.width) / MM == pytest.approx(image.width / MM / 2, abs=0.02)
    assert (shape.top + shape.height / 2) / MM == pytest.approx(image.height / MM / 2, abs=0.02)
    assert shape.width / MM == pytest.approx(5.0, abs=0.02)


def test_the_package_has_no_template_author_no_dates_and_no_thumbnail(data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        names = package.namelist()
        core = package.read("docProps/core.xml").decode()
        assert {entry.date_time for entry in package.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert not [n for n in names if "thumbnail" in n or n.endswith("app.xml")]
    assert "created" not in core
    assert "modified" not in core
    assert "For teaching and research; not a medical device." in core
