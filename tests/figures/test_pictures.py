"""Histology and other pictures: crop, scale bar, magnification, hash, and files that are not what they seem."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.figures.phantom_head import study_of

from neuraxis.errors import ReadError, UsageError
from neuraxis.figures import Recipe, draw_figure, picture_panel
from neuraxis.figures.page_backend import page_pixels
from neuraxis.figures.privacy import PrivacyError
from neuraxis.figures.recipe import Layout, Mark, PicturePanel
from neuraxis.figures.scene import Picture, Polygon, Text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(3)
    for name, mode in (("he40.png", "RGB"), ("he100.jpg", "RGB"), ("he100b.tif", "RGB")):
        pixels = np.clip(rng.normal((210, 150, 190), 25, (300, 400, 3)), 0, 255).astype(np.uint8)
        pixels[100:120, 50:250] = (20, 20, 120)
        picture = Image.fromarray(pixels, mode=None).convert(mode)
        exif = Image.Exif()
        exif[270] = "PLANTED NAME"
        picture.save(tmp_path / name, exif=exif)
    return tmp_path


def drawn(folder: Path, *panels: PicturePanel, **fields: Any) -> Any:
    return draw_figure(Recipe(panels=panels, **{"width_mm": 84, **fields}), study_of(), folder=folder)


def test_three_histology_pictures_make_a_figure_with_bars_and_arrows(folder: Path) -> None:
    mark = Mark(kind="arrow", anchor_px=(50, 110), direction_deg=0)
    figure = drawn(
        folder, PicturePanel(letter="a", file="he40.png", microns_per_pixel=1.25, scale_bar_um=100, magnification="×40"),
        PicturePanel(letter="b", file="he100.jpg", magnification="×100", marks=(mark,), text="H&E"),
        PicturePanel(letter="c", file="he100b.tif", microns_per_pixel=0.5, scale_bar_um=1000 / 10),
        layout=Layout(columns=3), width_mm=174,
    )
    box = figure.page.boxes["a"]
    bar = next(i for i in figure.scene.of_panel("a") if isinstance(i, Polygon))
    left, _, right, _ = bar.box_mm()
    # 100 µm are 80 of 400 pixels
    assert right - left == pytest.approx(box.width_mm * 80 / 400)
    texts = [i.text for i in figure.scene.items if isinstance(i, Text)]
    assert texts == ["a", "×40", "100 µm", "b", "H&E ×100", "c", "100 µm"]
    arrow = next(i for i in figure.scene.of_panel("b") if isinstance(i, Polygon))
    other = figure.page.boxes["b"]
    assert arrow.points_mm[0] == pytest.approx((other.x_mm + other.width_mm / 8, other.y_mm + other.height_mm * 110 / 300))
    assert page_pixels(figure.scene, 150).std(axis=2).max() > 10
    for suffix in (".png", ".pdf", ".svg"):
        assert b"PLANTED" not in figure.to_bytes(suffix)
    with Image.open(io.BytesIO(figure.to_bytes(".png"))) as picture:
        assert picture.mode == "RGB"


def test_a_crop_shows_its_part_only_and_marks_stay_on_their_place(folder: Path) -> None:
    mark = Mark(kind="circle", anchor_px=(150, 110), radius_px=20)
    figure = drawn(folder, PicturePanel(letter="a", file="he40.png", crop_px=(100, 60, 100, 100), marks=(mark,)))
    box = figure.page.boxes["a"]
    assert box.width_px == box.height_px
    circle = next(i for i in figure.scene.items if type(i).__name__ == "Circle")
    assert (circle.x_mm, circle.y_mm, circle.radius_mm) == pytest.approx(tuple(box.width_mm * v for v in (0.5, 0.5, 0.2)))
    shown = next(i for i in figure.scene.items if isinstance(i, Picture)).pixels
    middle = shown[:, shown.shape[1] // 3 :].astype(float).mean(axis=1)
    rows = np.flatnonzero(middle[:, 2] - middle[:, 0] > 50)
    assert rows.min() / len(shown) == pytest.approx(0.4, abs=0.02)
    assert rows.max() / len(shown) == pytest.approx(0.6, abs=0.02)


def test_sixteen_bit_grey_and_transparent_pictures_are_shown(tmp_path: Path) -> None:
    Image.fromarray(np.linspace(0, 60000, 10000).reshape(100, 100).astype(np.uint16)).save(tmp_path / "g.png")
    Image.new("RGBA", (50, 50), (255, 0, 0, 0)).save(tmp_path / "t.png")
    grey = next(i for i in drawn(tmp_path, PicturePanel(letter="a", file="g.png")).scene.items if isinstance(i, Picture))
    assert (grey.pixels.min(), grey.pixels.max()) == (0, 255)
    clear = next(i for i in drawn(tmp_path, PicturePanel(letter="a", file="t.png")).scene.items if isinstance(i, Picture))
    assert clear.pixels.min() == 255


def test_the_hash_of_a_picture_is_checked(folder: Path) -> None:
    right = hashlib.sha256((folder / "he40.png").read_bytes()).hexdigest()
    assert drawn(folder, PicturePanel(letter="a", file="he40.png", sha256=right)).scene.items
    with pytest.raises(ReadError, match=r"panel a: 'he40.png' is another picture"):
        drawn(folder, PicturePanel(letter="a", file="he40.png", sha256="0" * 64))


def test_files_that_are_missing_outside_or_no_picture_are_refused(folder: Path) -> None:
    with pytest.raises(ReadError, match="cannot be read"):
        drawn(folder, PicturePanel(letter="a", file="none.png"))
    (folder / "text.png").write_text("no picture")
    with pytest.raises(ReadError, match="PNG, JPEG or TIFF"):
        drawn(folder, PicturePanel(letter="a", file="text.png"))
    (folder / "cut.png").write_bytes((folder / "he40.png").read_bytes()[:5000])
    with pytest.raises(ReadError, match="no picture that can be read"):
        drawn(folder, PicturePanel(letter="a", file="cut.png"))
    (folder / "below").mkdir()
    (folder / "below" / "link.png").symlink_to(folder / "he40.png")
    with pytest.raises(ReadError, match="outside the recipe's folder"):
        drawn(folder / "below", PicturePanel(letter="a", file="link.png"))
    with pytest.raises(UsageError, match=r"crop_px \[390, 0, 20, 20\] reaches outside.*400 x 300"):
        drawn(folder, PicturePanel(letter="a", file="he40.png", crop_px=(390, 0, 20, 20)))


def dicom_picture(path: Path, modality: str, burned: str = "NO") -> Path:
    """A small RGB file as a camera or slide scanner writes it."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.77.1.2")
    meta.MediaStorageSOPInstanceUID = UID("1.2.826.0.1.3680043.8.498.7")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.826.0.1.3680043.8.498.8", "1.2.826.0.1.3680043.8.498.9"
    ds.Modality, ds.BurnedInAnnotation, ds.PatientName = modality, burned, "PLANTED^NAME"
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PlanarConfiguration = 40, 60, 3, 0
    ds.PhotometricInterpretation = "RGB"
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit, ds.PixelRepresentation = 7, 0
    pixels = np.zeros((40, 60, 3), dtype=np.uint8)
    pixels[:, :30] = (200, 100, 150)
    ds.PixelData = pixels.tobytes()
    ds.save_as(path, enforce_file_format=True)
    return path


def test_a_dicom_microscopy_image_is_a_panel(tmp_path: Path) -> None:
    path = dicom_picture(tmp_path / "slide.dcm", "GM")
    figure = drawn(tmp_path, picture_panel(path, "a", tmp_path, microns_per_pixel=2.0, scale_bar_um=40))
    shown = next(i for i in figure.scene.items if isinstance(i, Picture)).pixels
    assert tuple(shown[5, 5]) == (200, 100, 150)
    assert tuple(shown[5, -5]) == (0, 0, 0)
    assert b"PLANTED" not in figure.to_bytes(".png")


def test_dicom_captures_and_burned_in_text_need_their_name(tmp_path: Path) -> None:
    capture = picture_panel(dicom_picture(tmp_path / "capture.dcm", "OT"), "a", tmp_path)
    with pytest.raises(PrivacyError, match=r"modality OT.*secondary_capture"):
        drawn(tmp_path, capture)
    assert drawn(tmp_path, capture, privacy_overrides=("secondary_capture",)).scene.items
    burned = picture_panel(dicom_picture(tmp_path / "burned.dcm", "GM", "YES"), "a", tmp_path)
    with pytest.raises(PrivacyError, match="burned_in"):
        drawn(tmp_path, burned)


def test_a_picture_outside_the_folder_cannot_become_a_panel(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(UsageError, match="outside the folder"):
        picture_panel(folder / "he40.png", "a", tmp_path / "other")
