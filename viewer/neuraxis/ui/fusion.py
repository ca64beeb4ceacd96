"""A second series in colour over a grey one."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtGui import QImage


@lru_cache(maxsize=16)
def _colour_table(opacity: float) -> NDArray[np.uint8]:
    """256 premultiplied RGBA rows, black through red and yellow to white; dark values let the picture below through."""
    grey = np.arange(256, dtype=np.float64) / 255
    rgb = np.stack([np.clip(grey * 3, 0, 1), np.clip(grey * 3 - 1, 0, 1), np.clip(grey * 3 - 2, 0, 1)], axis=1)
    alpha = np.clip(grey * 4, 0, 1) * opacity
    table = np.concatenate([rgb * alpha[:, None], alpha[:, None]], axis=1)
    rounded: NDArray[np.uint8] = np.rint(table * 255).astype(np.uint8)
    return rounded


def coloured(grey: NDArray[np.uint8], opacity: float) -> Any:
    """The overlay picture as an image that owns its bytes."""
    rgba = np.ascontiguousarray(_colour_table(round(opacity, 2))[grey])
    rows, columns = grey.shape
    return QImage(rgba.data, columns, rows, columns * 4, QImage.Format.Format_RGBA8888_Premultiplied).copy()
