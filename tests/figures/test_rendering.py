"""Panels on the page: extents in millimetres, sides, letters, and the same bytes twice."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.figures.figure_cases import AXIAL, CORONAL, LESION, SAGITTAL, arrow, one_panel, panel, plane
from tests.figures.phantom_head import head, series_of, study_of

from neuraxis.domain.study import Role
from neuraxis.errors import GeometryError, UsageError, WriteError
from neuraxis.figures import Figure, draw_figure
from neuraxis.figures.page_backend import page_pixels
from neuraxis.figures.recipe import Inset, Layout, Mark, PlaceholderPanel, Recipe, WindowSpec
from neuraxis.figures.scene import Line, Picture, Polygon, Text
from neuraxis.figures.source import HashMismatchError


@pytest.fixture(scope="module")
def ct() -> Any:
    return head()


def drawn(volume: Any, **fields: Any) -> Figure:
    return draw_figure(*one_panel(volume, **fields))


def grey_of(figure: Figure) -> NDArray[np.uint8]:
    picture = next(i for i in figure.scene.items if isinstance(i, Picture))
    return picture.pixels


def brightest_block(grey: NDArray[np.uint8]) -> tuple[float, float]:
    """Centre (row, column), as a share of the picture, of the marker block (window chosen so that it alone is white)."""
    rows, columns = np.nonzero(grey == 255)
    return float(rows.mean() / grey.shape[0]), float(columns.mean() / grey.shape[1])


BLOCK = WindowSpec(center=70, width=8)
"""Shows the block of 75 HU nearly alone in brain of 35 HU."""


@pytest.mark.parametrize(
    ("vectors", "centre", "letters"),
    [
        (AXIAL, (0.0, 0.0, 30.0), ("R", "L", "A", "P")), (CORONAL, (0.0, -30.0, 0.0), ("R", "L", "H", "F")),
        (SAGITTAL, (35.0, 0.0, 0.0), ("A", "P", "H", "F")),
    ],
)
def test_the_block_on_the_left_in_front_above_comes_out_where_the_letters_say(
    ct: Any, vectors: Any, centre: Any, letters: tuple[str, str, str, str]
) -> None:
    name = {"R": "axial" if letters[2] == "A" else "coronal", "A": "sagittal"}[letters[0]]
    field = (80.0, 80.0)  # inside the skull, which would be white too
    figure = drawn(ct, plane=plane(name, vectors, field, centre=centre), window=BLOCK)
    texts = [i for i in figure.scene.items if isinstance(i, Text) and i.role == "orientation"]
    left, right, top, bottom = (t.text for t in texts)
    assert (left, right, top, bottom) == letters
    assert texts[0].x_mm < 42 < texts[1].x_mm
    assert texts[2].y_mm < 42 < texts[3].y_mm
    row, column = brightest_block(grey_of(figure))
    # the block is left (screen right in axial and coronal), anterior and towards the head
    assert column > 0.6 if left == "R" else column < 0.4
    assert row < 0.4


def test_panel_pixels_reach_the_page_unchanged(ct: Any) -> None:
    recipe = Recipe(
        panels=(panel(ct, "a"), panel(ct, "b"), panel(ct, "c")), layout=Layout(columns=3),
    )
    bare = recipe.model_copy(
        update={
            "panels": tuple(
                p.model_copy(update={"orientation_letters": False, "scale_bar_mm": None, "show_window": False})
                for p in recipe.panels
            )
        }
    )
    figure = draw_figure(bare, study_of(series_of(ct, Role.CT)))
    page = page_pixels(figure.scene, 300)
    for letter, box in figure.page.boxes.items():
        grey = next(i for i in figure.scene.of_panel(letter) if isinstance(i, Picture)).pixels
        part = page[box.y_px : box.y_px + box.height_px, box.x_px : box.x_px + box.width_px, 0]
        # everything but the corner with the letter
        assert np.array_equal(part[100:], grey[100:])


@pytest.mark.parametrize(("width_mm", "dpi", "pixels"), [(84, 300, 992), (174, 300, 2055), (174, 600, 4110)])
def test_journal_widths_come_out_to_the_pixel(ct: Any, width_mm: float, dpi: int, pixels: int) -> None:
    recipe, study = one_panel(ct, plane=plane(field=(200.0, 40.0)))
    figure = draw_figure(recipe.model_copy(update={"width_mm": width_mm, "dpi": 150}), study)
    with Image.open(io.BytesIO(figure.to_bytes(".png", dpi))) as picture:
        assert picture.size == (pixels, round(pixels / 5))
        assert picture.info["dpi"][0] == pytest.approx(dpi, rel=1e-4)
        assert picture.mode == "L"


@pytest.mark.parametrize("field_mm", [60.0, 110.0, 200.0])
def test_a_10_mm_scale_bar_is_10_mm_of_anatomy_in_png(field_mm: float) -> None:
    ruled = head(lesion_mm=0.1)
    # two bright planes exactly 10 mm apart across the picture
    array = np.full(ruled.array.shape, 20, dtype=np.int16)
    array[:, :, 80] = array[:, :, 90] = 2000
    volume = type(ruled)(
        array, ruled.geometry, ruled.kind, slice_thickness_mm=1.0, series_id="ct", series_uid=ruled.series_uid
    )
    figure = drawn(
        volume, plane=plane(field=(field_mm, field_mm), centre=(0.0, 0.0, 0.0)), window=WindowSpec(center=1000, width=100),
        orientation_letters=False, show_window=False,
    )
    with Image.open(io.BytesIO(figure.to_bytes(".png"))) as picture:
        page = np.asarray(picture).astype(int)
    box = figure.page.boxes["a"]
    profile = page[box.y_px + box.height_px // 2, :] > 127
    edges = np.flatnonzero(np.diff(profile.astype(int)) == 1)
    ends = np.flatnonzero(np.diff(profile.astype(int)) == -1)
    planes = (edges + ends) / 2
    assert len(planes) == 2
    bar = next(i for i in figure.scene.items if isinstance(i, Polygon) and i.role == "scale-bar")
    left, top, right, bottom = bar.box_mm()
    row = round((top + bottom) / 2 / 25.4 * 300)
    span = page[row, round(left / 25.4 * 300) - 8 : round(right / 25.4 * 300) + 9]
    white = np.flatnonzero(span > 200)
    assert white[-1] - white[0] + 1 == pytest.approx(planes[1] - planes[0], abs=1.5)
    assert any(i.text == "10 mm" for i in figure.scene.items if isinstance(i, Text))


def test_a_10_mm_scale_bar_is_10_mm_of_anatomy_in_pdf(ct: Any) -> None:
    from pypdf import PdfReader

    figure = drawn(ct, plane=plane(field=(120.0, 90.0)))
    reader = PdfReader(io.BytesIO(figure.to_bytes(".pdf")))
    page = reader.pages[0]
    assert float(page.mediabox.width) == pytest.approx(84 / 25.4 * 72, abs=0.2)
    content = page.get_contents()
    assert content is not None
    stream = content.get_data().decode("latin-1")
    # the white filled rectangle of the bar: four corners, closed
    paths = re.findall(r"((?:[\d.]+ [\d.]+ [ml]\s+){4,5})h?\s*(?:f|B)", stream)
    widths = []
    for path in paths:
        points = [(float(x), float(y)) for x, y in re.findall(r"([\d.]+) ([\d.]+) [ml]", path)]
        xs, ys = [p[0] for p in points], [p[1] for p in points]
        if max(ys) - min(ys) == pytest.approx(0.5 / 25.4 * 72, abs=0.01):
            widths.append(max(xs) - min(xs))
    expected = 10.0 / 120.0 * float(page.mediabox.width)
    assert widths
    assert all(w == pytest.approx(expected, rel=0.003) for w in widths)


def test_pdf_letters_are_text_and_pictures_keep_their_pixels(ct: Any) -> None:
    from pypdf import PdfReader

    figure = drawn(ct, text="CT bone", marks=(arrow(),))
    page = PdfReader(io.BytesIO(figure.to_bytes(".pdf"))).pages[0]
    words = page.extract_text()
    for word in ("a", "CT bone", "W 80 L 40", "10 mm", "R", "L", "A", "P"):
        assert word in words
    (image,) = page.images
    assert image.image is not None
    # PDF counts rows from the bottom
    assert np.array_equal(np.asarray(image.image.convert("L"))[::-1], grey_of(figure))


def test_svg_has_text_arrow_and_bar_in_millimetres(ct: Any) -> None:
    import xml.etree.ElementTree as ET

    figure = drawn(ct, marks=(arrow(),))
    root = ET.fromstring(figure.to_bytes(".svg"))
    assert float(root.attrib["width"].removesuffix("mm")) == pytest.approx(84, abs=0.05)
    space = "{http://www.w3.org/2000/svg}"
    texts = [t.text for t in root.iter(f"{space}text")]
    assert {"a", "R", "L", "A", "P", "10 mm", "W 80 L 40"} <= set(texts)
    group = next(g for g in root.iter(f"{space}g") if g.attrib["class"] == "nx-scale-bar")
    bar = next(p for p in group if p.attrib.get("class") != "halo")
    xs = [float(pair.split(",")[0]) for pair in bar.attrib["points"].split()]
    assert max(xs) - min(xs) == pytest.approx(10 / 200 * 84, rel=2e-3)
    assert any(g.attrib.get("data-name") == "arrow" for g in root.iter(f"{space}g"))


def test_an_arrow_has_its_tip_on_the_anchor_and_points_where_it_says(ct: Any) -> None:
    point = (LESION[0] + 30.0, LESION[1] - 20.0, LESION[2])
    figure = drawn(ct, marks=(arrow(anchor_lps_mm=point, direction_deg=90.0, length_mm=6.0),))
    polygon = next(i for i in figure.scene.items if isinstance(i, Polygon) and i.name == "arrow")
    scale = figure.scene.width_mm / 200
    tip = polygon.points_mm[0]
    assert tip[0] == pytest.approx((100 + 30) * scale, abs=0.01)
    assert tip[1] == pytest.approx((100 - 20) * scale, abs=0.01)
    left, top, right, bottom = polygon.box_mm()
    assert top == pytest.approx(tip[1])
    assert bottom - top == pytest.approx(6.0)
    assert (left + right) / 2 == pytest.approx(tip[0])


def test_anisotropic_voxels_keep_a_sphere_round() -> None:
    volume = head(spacing=(0.5, 0.5, 3.0), lesion_mm=24.0, shape=(60, 90, 90), lesion_lps_mm=(0.0, 0.0, 0.0))
    figure = drawn(
        volume, plane=plane("coronal", CORONAL, (40.0, 40.0), centre=(0.0, 0.0, 0.0)), window=WindowSpec(center=400, width=2),
    )
    rows, columns = np.nonzero(grey_of(figure) == 255)
    assert np.ptp(rows) == pytest.approx(np.ptp(columns), rel=0.13)  # one slice of 3 mm in 24


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pdf", ".svg"])
def test_the_same_recipe_gives_the_same_bytes(ct: Any, suffix: str) -> None:
    marks = (arrow(),)
    first = drawn(ct, marks=marks, inset=Inset(plane="sagittal")).to_bytes(suffix)
    second = drawn(ct, marks=marks, inset=Inset(plane="sagittal")).to_bytes(suffix)
    assert first == second


def test_other_voxels_than_the_recipe_remembers_are_refused_by_hash(ct: Any) -> None:
    recipe, _ = one_panel(ct)
    other = head(lesion_value=300.0)
    study = study_of(series_of(other, Role.CT))
    with pytest.raises(HashMismatchError, match=r"panel a: series ct has other voxels.*pixel_sha256"):
        draw_figure(recipe, study)
    assert draw_figure(recipe, study, ignore_hash=True).scene.items


def test_a_series_that_is_not_there_is_named_with_those_that_are(ct: Any) -> None:
    recipe, _ = one_panel(ct)
    other = head(series_id="mr")
    with pytest.raises(UsageError, match=r"series 'ct' of the recipe is not in this study.*mr"):
        draw_figure(recipe, study_of(series_of(other, Role.CT)))


def test_a_plane_in_another_frame_needs_a_registration(ct: Any) -> None:
    recipe, study = one_panel(ct, plane=plane(frame="1.2.3"))
    with pytest.raises(ValueError, match="another frame of reference"):
        draw_figure(recipe, study).to_bytes(".png")


def test_a_placeholder_says_why_on_the_page(ct: Any) -> None:
    reason = "the legend asks for axial SWI; the study has no such volume"
    recipe = Recipe(panels=(panel(ct), PlaceholderPanel(letter="b", reason=reason)))
    figure = draw_figure(recipe, study_of(series_of(ct, Role.CT)))
    shown = " ".join(i.text for i in figure.scene.of_panel("b") if isinstance(i, Text) and i.role == "placeholder")
    assert shown == reason
    assert figure.notes == (f"panel b is empty: {reason}",)


def test_the_locator_draws_the_plane_of_the_panel(ct: Any) -> None:
    figure = drawn(ct, inset=Inset(plane="sagittal", field_of_view_mm=200.0, fraction=0.3))
    inset = next(i for i in figure.scene.items if isinstance(i, Picture) and i.role == "inset-image")
    line = next(i for i in figure.scene.items if getattr(i, "name", "") == "plane")
    left, top, right, bottom = line.box_mm()  # type: ignore[union-attr]
    # the axial plane at z = 5 mm lies 5 mm above the middle of a locator of 200 mm
    middle = inset.y_mm + inset.height_mm * (100 - 5) / 200
    assert (top + bottom) / 2 == pytest.approx(middle, abs=0.3)
    assert right - left == pytest.approx(inset.width_mm, rel=0.1)


def test_an_unknown_ending_lists_those_that_exist(ct: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.png, \.tif"):
        drawn(ct).save(tmp_path / "figure.bmp")


def test_an_unwritable_place_leaves_nothing_behind(ct: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(WriteError):
        drawn(ct).save(tmp_path / "file" / "figure.png")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_leaves_the_old_file_and_no_part(
    ct: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "figure.png"
    target.write_bytes(b"old")

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as stream:
            stream.write(data[:100])
        raise OSError(28, "No space left on device")

    figure = drawn(ct)
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(WriteError, match="No space left"):
        figure.save(target)
    monkeypatch.undo()
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["figure.png"]


def test_a_plane_beside_the_volume_is_an_error_and_not_a_black_panel(ct: Any) -> None:
    recipe, study = one_panel(ct, plane=plane(centre=(0.0, 0.0, 900.0)))
    with pytest.raises(GeometryError, match=r"panel a: plane at \(0.0, 0.0, 900.0\) mm does not meet the volume"):
        draw_figure(recipe, study)


def test_marks_beside_the_panel_or_off_its_plane_are_told(ct: Any) -> None:
    beside, off = arrow(anchor_lps_mm=(500.0, 0.0, 5.0)), arrow(anchor_lps_mm=(0.0, 0.0, 45.0))
    figure = drawn(ct, marks=(beside, off))
    assert figure.notes == (
        "panel a: mark 1 lies outside the field of view, not drawn", "panel a: mark 2 lies 40 mm off the plane",
    )
    assert len([i for i in figure.scene.items if isinstance(i, Polygon) and i.name == "arrow"]) == 1


def marked_with_all(ct: Any) -> Figure:
    x, y, z = LESION
    marks = (
        Mark(kind="box", anchor_lps_mm=LESION, sides_mm=(40, 20), color="yellow"),
        Mark(kind="line", anchor_lps_mm=(x - 30, y, z), end_lps_mm=(x + 10, y + 30, z), color="cyan"),
        Mark(kind="text", anchor_lps_mm=(x, y - 40, z), text="M", size_pt=12),
        Mark(kind="asterisk", anchor_lps_mm=(x, y + 40, z)), Mark(kind="arrowhead", anchor_lps_mm=(x + 20, y, z)),
        Mark(kind="circle", anchor_lps_mm=(x + 40, y, z), radius_mm=8), arrow(),
    )
    return drawn(ct, marks=marks)


def test_box_and_line_are_as_long_in_the_patient_as_the_recipe_says(ct: Any) -> None:
    figure = marked_with_all(ct)
    per_mm = figure.page.boxes["a"].width_mm / 200
    box, line = (next(i for i in figure.scene.items if isinstance(i, Line) and i.name == name) for name in ("box", "line"))
    (left, top), (right, bottom) = box.points_mm[0], box.points_mm[2]
    assert (right - left, bottom - top) == pytest.approx((40 * per_mm, 20 * per_mm))
    start, end = line.points_mm
    assert np.subtract(end, start) == pytest.approx((40 * per_mm, 30 * per_mm))
    rgb = page_pixels(figure.scene, 300).astype(int)
    yellow = (rgb[..., 0] > 200) & (rgb[..., 1] > 200) & (rgb[..., 2] < 60)
    columns = np.flatnonzero(yellow.any(axis=0)) * 25.4 / 300
    assert columns.max() - columns.min() == pytest.approx(40 * per_mm + box.width_mm, abs=0.2)


@pytest.mark.parametrize("suffix", [".svg", ".pdf", ".pptx", ".html"])
def test_every_kind_of_mark_is_in_every_format(ct: Any, suffix: str) -> None:
    figure = marked_with_all(ct)
    data = figure.to_bytes(suffix)
    if suffix == ".pptx":
        from pptx import Presentation

        (slide,) = Presentation(io.BytesIO(data)).slides
        shapes = {s.name: s for s in slide.shapes}
        assert {f"panel a {n}" for n in ("box", "line", "arrow", "arrowhead", "asterisk", "circle", "mark")} <= set(shapes)
        per_mm = figure.page.boxes["a"].width_mm / 200
        assert shapes["panel a box"].width / 36000 == pytest.approx(40 * per_mm, abs=0.01)
        assert shapes["panel a mark"].text_frame.text == "M"
    elif suffix == ".pdf":
        from pypdf import PdfReader

        (page,) = PdfReader(io.BytesIO(data)).pages
        content = page.get_contents()
        assert content is not None
        drawing = content.get_data().decode("latin-1")
        # yellow, cyan: stroked vectors in the page's own colours
        assert "1 1 0 RG" in drawing
        assert "0 1 1 RG" in drawing
        assert "M" in page.extract_text()
    else:
        text = data.decode("utf-8")
        for name in ("box", "line", "arrow", "arrowhead", "asterisk", "circle"):
            assert f'data-name="{name}"' in text, name
        assert ">M</text>" in text


@pytest.mark.parametrize(("width_mm", "columns"), [(84.0, 1984), (174.0, 4110)])
def test_tiff_at_600_dpi_has_the_pixels_of_the_journal_width_and_says_so(ct: Any, width_mm: float, columns: int) -> None:
    recipe, study = one_panel(ct, plane=plane(field=(200.0, 40.0)))
    wide = recipe.model_copy(update={"width_mm": width_mm, "dpi": 600})
    with Image.open(io.BytesIO(draw_figure(wide, study).to_bytes(".tif"))) as picture:
        assert picture.width == columns
        assert picture.info["dpi"] == (600, 600)
        assert picture.tag_v2[296] == 2  # type: ignore[attr-defined]
        assert picture.width * 25.4 / 600 == pytest.approx(width_mm, abs=0.05)
        assert "teaching and research" in picture.tag_v2[270]  # type: ignore[attr-defined]
        assert picture.mode == "L"


@pytest.mark.parametrize("suffix", [".svg", ".html"])
def test_the_bar_of_10_mm_is_10_mm_of_anatomy_in_svg_and_html(suffix: str) -> None:
    """The bar is held against two edges of the head 140 mm apart, both measured in the output itself."""
    figure = drawn(head(), plane=plane(centre=(0.0, 0.0, 5.0)), orientation_letters=False, show_letter=False, text="",
                   show_window=False, interpolation="nearest")
    bar_mm, head_mm = measured_in(figure, suffix)
    # at 5 mm above the middle the ellipsoid's half axis is 70 * sqrt(1 - (5/75)^2), in whole voxels of 1 mm
    width = 2 * 70 * np.sqrt(1 - (5 / 75) ** 2)
    assert bar_mm / head_mm == pytest.approx(10 / width, rel=0.015)


def measured_in(figure: Figure, suffix: str) -> tuple[float, float]:
    """Length of the bar and width of the head in the units of an output."""
    text = figure.to_bytes(suffix).decode("utf-8")
    group = re.search(r'class="nx-scale-bar"[^>]*>.*?<polygon points="([^"]+)" fill="white"', text, re.S)
    assert group is not None
    x = [float(p.split(",")[0]) for p in group.group(1).split()]
    box = figure.page.boxes["a"]
    if suffix == ".svg":
        import base64

        embedded = re.search(r'xlink:href="data:image/png;base64,([^"]+)"', text)
        assert embedded is not None
        with Image.open(io.BytesIO(base64.b64decode(embedded.group(1)))) as picture:
            return max(x) - min(x), edges(np.asarray(picture.convert("L")).astype(int)) / picture.width * box.width_mm
    from tests.figures.test_teaching_page import stacks

    settings, stored = stacks(text)[0]
    inside = stored[settings["home"]][settings["rows"] // 2] > -500
    return max(x) - min(x), float(np.ptp(np.flatnonzero(inside)) + 1) / settings["columns"] * box.width_mm


def edges(grey: NDArray[np.int_]) -> float:
    """Pixels from the first to the last tissue in the middle row."""
    lit = np.flatnonzero(grey[grey.shape[0] // 2] > 40)
    return float(lit.max() - lit.min() + 1)
