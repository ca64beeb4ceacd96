"""Outlines of masks on any plane: where the picture's grid leaves the mask."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuraxis.app.pictures import Picture
from neuraxis.app.views import ScreenView, vector3
from neuraxis.domain.lesion import LesionMask
from neuraxis.domain.transform import Registration


def mask_on_picture(mask: LesionMask, picture: Picture, registration: Registration | None = None) -> Picture | None:
    """The part of a picture's grid that a mask may touch, as a picture of 0 and 1; None where it touches nothing.

    A pixel is inside when the voxel in which its centre lies belongs to the mask. `registration` maps the picture's
    frame of reference to the mask's.
    """
    rows, columns = picture.values.shape
    corners = mask.box_geometry.corners_lps_mm()
    if registration is not None:
        corners = registration.inverse.apply(corners)
    right, down = np.asarray(picture.step_right_mm), np.asarray(picture.step_down_mm)
    grid = np.stack([down, right, np.cross(down, right)], axis=1)
    position = np.linalg.solve(grid, (corners - np.asarray(picture.origin_lps_mm)).T).T[:, :2]
    low = np.clip(np.floor(position.min(axis=0)).astype(int) - 1, 0, [rows, columns])
    high = np.clip(np.ceil(position.max(axis=0)).astype(int) + 2, 0, [rows, columns])
    if bool(np.any(high <= low)):
        return None
    r, c = np.mgrid[low[0] : high[0], low[1] : high[1]]
    points = picture.lps_from_pixel(np.stack([r, c], axis=-1))
    if registration is not None:
        points = registration.apply(points)
    index = np.rint(mask.box_geometry.index_from_lps(points)).astype(int)
    inside = np.asarray(((index >= 0) & (index < mask.box.shape)).all(axis=-1))
    z, y, x = np.moveaxis(np.where(inside[..., None], index, 0), -1, 0)
    flags = (mask.box[z, y, x] & inside).astype(np.uint8)
    if not flags.any():
        return None
    return Picture(
        flags, vector3(picture.lps_from_pixel((float(low[0]), float(low[1])))), picture.step_right_mm,
        picture.step_down_mm,
    )


def outline_segments(flags: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Edges between inside and outside pixels, shape (n, 2, 2): two end points as (row, column) of pixel corners.

    Pixel (r, c) covers rows r - 0.5 to r + 0.5, as everywhere.
    """
    padded = np.pad(flags.astype(np.int8), 1)
    across = np.argwhere(np.diff(padded, axis=1)[1:-1] != 0).astype(np.float64)
    along = np.argwhere(np.diff(padded, axis=0)[:, 1:-1] != 0).astype(np.float64)
    corner, right, down = np.array([-0.5, -0.5]), np.array([-0.5, 0.5]), np.array([0.5, -0.5])
    vertical = np.stack([across + corner, across + down], axis=1)
    horizontal = np.stack([along + corner, along + right], axis=1)
    return np.concatenate([vertical, horizontal])


def outline_on_screen(mask_picture: Picture, view: ScreenView) -> NDArray[np.float64]:
    """Segments of the outline in screen pixels, shape (n, 2, 2) as (x, y)."""
    return view.screen_from_lps(mask_picture.lps_from_pixel(outline_segments(mask_picture.values)))
