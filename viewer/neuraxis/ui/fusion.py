"""A second series in colour over a grey one."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtGui import QImage

from neuraxis.app.panel_state import OVERLAY_COLOURS

_STOPS = dict(zip(OVERLAY_COLOURS, (
    ((0, 0, 0), (200, 30, 0), (255, 160, 0), (255, 240, 120)),
    ((0, 34, 78), (87, 93, 109), (165, 156, 116), (254, 232, 56)),  # blue to yellow, told apart in all colour vision
    ((0, 0, 0), (0, 90, 110), (0, 180, 210), (150, 245, 255)),
), strict=True))


@lru_cache(maxsize=32)
def _colour_table(opacity: float, colours: str) -> NDArray[np.uint8]:
    """256 premultiplied RGBA rows; dark values let the picture below through. None of them ends in grey or white."""
    grey = np.arange(256, dtype=np.float64) / 255
    stops = np.asarray(_STOPS[colours], dtype=np.float64) / 255
    at = np.linspace(0, 1, len(stops))
    rgb = np.stack([np.interp(grey, at, stops[:, k]) for k in range(3)], axis=1)
    alpha = np.clip(grey * 4, 0, 1) * opacity
    table = np.concatenate([rgb * alpha[:, None], alpha[:, None]], axis=1)
    rounded: NDArray[np.uint8] = np.rint(table * 255).astype(np.uint8)
    return rounded


def coloured(grey: NDArray[np.uint8], opacity: float, colours: str = OVERLAY_COLOURS[0]) -> Any:
    """The overlay picture as an image that owns its bytes."""
    rgba = np.ascontiguousarray(_colour_table(round(opacity, 2), colours)[grey])
    rows, columns = grey.shape
    return QImage(rgba.data, columns, rows, columns * 4, QImage.Format.Format_RGBA8888_Premultiplied).copy()


def grey_image(grey: NDArray[np.uint8]) -> Any:
    """The overlay picture in its own grey, opaque, as an image that owns its bytes."""
    rows, columns = grey.shape
    held = np.ascontiguousarray(grey)
    return QImage(held.data, columns, rows, columns, QImage.Format.Format_Grayscale8).copy()
