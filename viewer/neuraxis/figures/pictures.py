"""Pictures that are no volumes: histology, photographs, drawings."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.errors import ReadError, UsageError
from neuraxis.figures.recipe import PicturePanel

MAXIMUM_PICTURE_BYTES = 200_000_000
MAXIMUM_PICTURE_PIXELS = 120_000_000


VISIBLE_LIGHT = ("SM", "GM", "ES", "XC", "OP", "DMS")
"""Modalities of DICOM visible light images: slide and general microscopy, endoscopy, photographs."""


def picture_panel(path: Path, letter: str, folder: Path, **fields: Any) -> PicturePanel:
    """A panel for a picture file that lies in `folder` (or below), with its hash; `fields` as in `PicturePanel`.

    Raises
    ------
    ReadError
        When the file cannot be read.
    UsageError
        When it lies outside the folder.
    """
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ReadError(f"picture {path.name!r} cannot be read: {error.strerror or error}") from None
    if not path.resolve().is_relative_to(folder.resolve()):
        raise UsageError(
            f"picture {path.name!r} lies outside the folder of the recipe", remedy="copy it beside the recipe"
        )
    name = path.resolve().relative_to(folder.resolve()).as_posix()
    return PicturePanel(letter=letter, file=name, sha256=digest, **fields)


def read_rgb(panel: PicturePanel, folder: Path, allowed: Collection[str] = ()) -> NDArray[np.uint8]:
    """The whole picture of a panel as RGB uint8 (rows, columns, 3), without its metadata.

    PNG, JPEG, TIFF, and the first frame of DICOM visible light images.

    Raises
    ------
    ReadError
        When the file is missing, too large, no picture, outside the recipe's folder, or has another hash.
    PrivacyError
        When a DICOM file may have text burned in, or is no visible light image, and that is not among `allowed`.
    """
    path = folder / panel.file
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ReadError(
                f"panel {panel.letter}: {panel.file!r} leads outside the recipe's folder",
                remedy="put the picture beside the recipe",
            )
        if path.stat().st_size > MAXIMUM_PICTURE_BYTES:
            raise ReadError(
                f"panel {panel.letter}: {panel.file!r} is larger than {MAXIMUM_PICTURE_BYTES // 1_000_000} MB",
                remedy="export the region of interest from the slide viewer as PNG",
            )
        raw = path.read_bytes()
    except ReadError:
        raise
    except OSError as error:
        raise ReadError(
            f"panel {panel.letter}: picture {panel.file!r} cannot be read: {error.strerror or error}",
            remedy="put the picture where the recipe says, relative to the recipe; it was looked for from the given folder",
        ) from None
    actual = hashlib.sha256(raw).hexdigest()
    if panel.sha256 is not None and actual != panel.sha256:
        raise ReadError(
            f"panel {panel.letter}: {panel.file!r} is another picture than when the recipe was made "
            f"(sha256 {actual[:12]}...)",
            expected=f"sha256 {panel.sha256[:12]}...", remedy="use the original, or remove sha256 from the recipe",
        )
    if raw[128:132] == b"DICM":
        return _dicom_picture(panel, path, allowed)
    return _decoded(panel, raw)


def _dicom_picture(panel: PicturePanel, path: Path, allowed: Collection[str]) -> NDArray[np.uint8]:
    from neuraxis.dicom import open_study
    from neuraxis.figures.privacy import PrivacyError

    found = open_study(path).series
    if not found:
        raise ReadError(f"panel {panel.letter}: {panel.file!r} holds no picture", expected="a DICOM visible light image")
    series = found[0]
    if series.acquisition.burned_in_annotation.strip().upper() == "YES" and "burned_in" not in allowed:
        raise PrivacyError(
            f"panel {panel.letter}: {panel.file!r} says that text is burned into its pixels", override="burned_in",
            expected="BurnedInAnnotation NO",
        )
    if series.modality not in VISIBLE_LIGHT and "secondary_capture" not in allowed:
        raise PrivacyError(
            f"panel {panel.letter}: {panel.file!r} has modality {series.modality or 'none'}, its pixels may show names",
            override="secondary_capture", expected=f"a visible light image ({', '.join(VISIBLE_LIGHT)})",
        )
    pixels = series.source.read_picture(0)
    return pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)


def _decoded(panel: PicturePanel, raw: bytes) -> NDArray[np.uint8]:
    import warnings

    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # the size is checked below; Pillow's own warning would only repeat it
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(raw), formats=("PNG", "JPEG", "TIFF")) as picture:
                if picture.width * picture.height > MAXIMUM_PICTURE_PIXELS:
                    raise ReadError(
                        f"panel {panel.letter}: {panel.file!r} has {picture.width} x {picture.height} pixels",
                        expected=f"at most {MAXIMUM_PICTURE_PIXELS // 1_000_000} million", remedy="export a smaller region",
                    )
                if picture.mode.startswith(("I", "F")):
                    return _grey_from_deep(np.asarray(picture))
                flat = picture.convert("RGBA")
                page = Image.new("RGBA", flat.size, "white")
                page.alpha_composite(flat)
                return np.asarray(page.convert("RGB"), dtype=np.uint8)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        if isinstance(error, ReadError):
            raise
        raise ReadError(
            f"panel {panel.letter}: {panel.file!r} is no picture that can be read", expected="PNG, JPEG or TIFF"
        ) from None


def _grey_from_deep(array: NDArray[np.generic]) -> NDArray[np.uint8]:
    """16 and 32 bit grey: the whole range of values becomes 0 to 255."""
    values = array.astype(np.float64)
    low, high = float(values.min()), float(values.max())
    grey = np.rint((values - low) * (255.0 / max(high - low, 1e-12))).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def cropped(panel: PicturePanel, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The part of the picture that the panel shows; UsageError where the crop reaches outside."""
    if panel.crop_px is None:
        return pixels
    x, y, width, height = panel.crop_px
    rows, columns = pixels.shape[:2]
    if x + width > columns or y + height > rows:
        raise UsageError(
            f"panel {panel.letter}: crop_px {list(panel.crop_px)} reaches outside the picture",
            expected=f"inside {columns} x {rows} pixels", remedy="correct crop_px in the recipe",
        )
    return pixels[y : y + height, x : x + width]
