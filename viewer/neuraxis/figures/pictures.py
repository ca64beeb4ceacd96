"""Pictures that are no volumes: histology, photographs, drawings."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuraxis.errors import ReadError, UsageError
from neuraxis.figures.recipe import PicturePanel

MAXIMUM_PICTURE_BYTES = 200_000_000
MAXIMUM_PICTURE_PIXELS = 120_000_000


def read_rgb(panel: PicturePanel, folder: Path) -> NDArray[np.uint8]:
    """The whole picture of a panel as RGB uint8 (rows, columns, 3), without its metadata.

    Raises
    ------
    ReadError
        When the file is missing, too large, no picture, outside the recipe's folder, or has another hash.
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
            remedy="put the picture where the recipe says, relative to the recipe",
        ) from None
    actual = hashlib.sha256(raw).hexdigest()
    if panel.sha256 is not None and actual != panel.sha256:
        raise ReadError(
            f"panel {panel.letter}: {panel.file!r} is another picture than when the recipe was made "
            f"(sha256 {actual[:12]}...)",
            expected=f"sha256 {panel.sha256[:12]}...", remedy="use the original, or remove sha256 from the recipe",
        )
    return _decoded(panel, raw)


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
