"""Pictures of a series that is no volume (localizer, secondary capture): looked at one by one, without millimetres."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.app.session import StudySession
from neuraxis.domain.study import Series


class PictureScene:
    """Which picture of a series is shown; pictures are read in the background, one at a time."""

    def __init__(self, session: StudySession) -> None:
        self.session = session
        self.series_id = ""
        self.index = 0

    def show(self, series: Series) -> None:
        """Show a series, from its first picture; the same series stays where it is."""
        if series.id != self.series_id:
            self.series_id, self.index = series.id, 0
        self.session.request_picture(series.id, self.index)

    def step(self, pictures: int) -> None:
        """Go on by pictures, stopping at the ends."""
        series = self.session.find_series(self.series_id)
        if series is not None:
            self.index = int(np.clip(self.index + pictures, 0, max(series.frames - 1, 0)))
            self.session.request_picture(self.series_id, self.index)

    def pixels(self) -> NDArray[np.uint32] | None:
        """The picture as 0xffRRGGBB; None while it is read."""
        picture = self.session.picture(self.series_id, self.index)
        return None if picture is None else as_rgb(picture)


def as_rgb(picture: NDArray[Any]) -> NDArray[np.uint32]:
    """8-bit grey (rows, columns) or colour (rows, columns, 3) as 0xffRRGGBB."""
    values = np.asarray(picture).astype(np.uint32)
    if values.ndim == 2:
        values = np.repeat(values[..., None], 3, axis=2)
    rgb: NDArray[np.uint32] = (
        np.uint32(0xFF000000) | values[..., 0] << np.uint32(16) | values[..., 1] << np.uint32(8) | values[..., 2]
    )
    return np.ascontiguousarray(rgb)
