"""Synthetic pictures that look like histology: a calcifying nodule with palisading cells, drawn, not stained.

No tissue is behind them. They stand in for the three pictures of a pathology figure, so that a figure of pictures can
be composed without anybody's slide. One nodule is described in micrometres; each picture is a view of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

Plane = NDArray[np.float64]
RADIUS_UM = 780.0
RIM_UM = 55.0
DOMAIN_UM = 2600.0
SIZE_PX = (720, 960)
"""Rows, columns of each picture."""


@dataclass(frozen=True)
class View:
    """One picture: what it is called, where its middle lies (um from the nodule's centre), and its pixel."""

    name: str
    magnification: str
    centre_um: tuple[float, float]
    um_per_pixel: float


VIEWS = (
    View("synthetic_he_x40.png", "×40", (520.0, -120.0), 1.6),
    View("synthetic_he_x100_rim.png", "×100", (690.0, -250.0), 0.64),
    View("synthetic_he_x100_core.png", "×100", (160.0, 60.0), 0.64),
)


class _Noise:
    """Smooth random fields over the nodule, the same at every magnification."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._fields: dict[float, Plane] = {}

    def __call__(self, x: Plane, y: Plane, scale_um: float) -> Plane:
        """Values of about -2 to 2 whose blobs are `scale_um` wide."""
        if scale_um not in self._fields:
            side = int(2 * DOMAIN_UM / scale_um) + 8
            self._fields[scale_um] = gaussian_filter(self._rng.standard_normal((side, side)), 1.0) * 3.5
        lattice = self._fields[scale_um]
        rows, columns = (y + DOMAIN_UM) / scale_um + 4, (x + DOMAIN_UM) / scale_um + 4
        return np.asarray(map_coordinates(lattice, [rows, columns], order=1, mode="reflect"))


@lru_cache(maxsize=2)
def _noise(seed: int) -> _Noise:
    """The fields of a seed, made in one order whatever a view asks for first."""
    noise, origin = _Noise(seed), np.zeros((1, 1))
    for scale in (90.0, 60.0, 18.0, 5.0, 40.0, 25.0, 2.0):
        noise(origin, origin, scale)
    return noise


def _mix(base: Plane, colour: tuple[float, float, float], share: Plane) -> Plane:
    weight = np.clip(share, 0.0, 1.0)[..., None]
    return base * (1 - weight) + np.asarray(colour) * weight


def _soft(distance: Plane, width: float) -> Plane:
    """1 inside (negative distance), 0 outside, with an edge of that width."""
    return np.asarray(np.clip(0.5 - distance / width, 0.0, 1.0))


def _depth(x: Plane, y: Plane, noise: _Noise) -> Plane:
    """Distance outwards from the nodule's lobed border in um."""
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    lobes = 45 * np.sin(3 * angle + 0.6) + 28 * np.sin(7 * angle + 1.9) + 14 * noise(x, y, 90.0)
    return np.asarray(radius - RADIUS_UM - lobes)


def _ground(x: Plane, y: Plane, noise: _Noise) -> Plane:
    """Matrix, rim, fibrous tissue and the glass around it, without nuclei."""
    depth, angle, radius = _depth(x, y, noise), np.arctan2(y, x), np.hypot(x, y)
    coarse, middle, fine = noise(x, y, 60.0), noise(x, y, 18.0), noise(x, y, 5.0)
    strands = np.sin(radius / 9.0 + 5 * noise(x, y, 40.0) + 2 * np.sin(3 * angle))
    picture = np.broadcast_to(np.array([247.0, 243.0, 247.0]), (*x.shape, 3)).copy()
    stroma = _soft(depth - 420 - 60 * coarse, 14.0) * _soft(-(middle + 2.3), 0.5)
    picture = _mix(picture, (233.0, 164.0, 194.0), stroma)
    picture = _mix(picture, (214.0, 128.0, 168.0), stroma * (0.35 + 0.3 * strands + 0.15 * fine))
    rim = _soft(depth, 6.0)
    picture = _mix(picture, (238.0, 190.0, 214.0), rim)
    core = _soft(depth + RIM_UM + 9 * middle, 10.0)
    picture = _mix(picture, (196.0, 162.0, 208.0), core)
    fibrils = np.sin(angle * 150 + 7 * noise(x, y, 25.0)) * np.exp(-((depth + 170) / 120.0) ** 2)
    picture = _mix(picture, (150.0, 104.0, 176.0), core * (0.32 + 0.16 * coarse + 0.12 * middle + 0.2 * fibrils))
    granules = _soft(1.1 - middle - 0.6 * fine - 0.5 * coarse, 0.7) * core
    return _mix(picture, (84.0, 50.0, 128.0), 0.9 * granules)


def _nuclei(noise: _Noise, seed: int) -> Plane:
    """Rows of x, y (um), angle, half axes (um) and darkness: a palisade around the rim, spindles beyond, few within."""
    rng = np.random.default_rng(seed + 1)
    around = np.arange(0.0, 2 * np.pi, 7.5 / RADIUS_UM)
    parts = []
    for layer, share in enumerate((0.95, 0.8, 0.55, 0.3)):
        angle = around[rng.random(around.size) < share] + rng.normal(0, 0.003)
        depth = -9.0 - 11.0 * layer + rng.normal(0, 2.5, angle.size)
        radius = _radius_at(angle, depth, noise)
        parts.append(_rows(rng, angle, radius, angle + rng.normal(0, 0.2, angle.size), (4.2, 6.2), (2.0, 2.9), (0.75, 1.0)))
    angle, depth = rng.uniform(-np.pi, np.pi, 4300), rng.uniform(8.0, 330.0, 4300)
    tilt = angle + np.pi / 2 + rng.normal(0, 0.35, angle.size)
    parts.append(_rows(rng, angle, _radius_at(angle, depth, noise), tilt, (4.5, 8.5), (1.2, 2.2), (0.55, 0.95)))
    angle = rng.uniform(-np.pi, np.pi, 420)
    radius = (RADIUS_UM - 2.5 * RIM_UM) * np.sqrt(rng.random(angle.size))
    parts.append(_rows(rng, angle, radius, rng.uniform(0, np.pi, angle.size), (3.0, 4.5), (2.2, 3.2), (0.5, 0.9)))
    return np.concatenate(parts)


def _rows(rng: np.random.Generator, angle: Plane, radius: Plane, tilt: Plane, *ranges: tuple[float, float]) -> Plane:
    drawn = [rng.uniform(low, high, angle.size) for low, high in ranges]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), tilt, *drawn], axis=1)


def _radius_at(angle: Plane, depth_um: Plane, noise: _Noise) -> Plane:
    """Distance from the centre at which the border lies `depth_um` further in."""
    return np.asarray(RADIUS_UM + depth_um - _depth(RADIUS_UM * np.cos(angle), RADIUS_UM * np.sin(angle), noise))


def _paint_nuclei(picture: Plane, x0: float, y0: float, um: float, nuclei: Plane, fine: Plane) -> None:
    """Dark ellipses with chromatin, blended into the picture in place."""
    rows, columns = picture.shape[:2]
    for cx, cy, tilt, long_axis, short_axis, dark in nuclei:
        column, row, reach = (cx - x0) / um, (cy - y0) / um, long_axis * 1.4 / um + 2
        top, bottom = max(0, int(row - reach)), min(rows, int(row + reach) + 2)
        left, right = max(0, int(column - reach)), min(columns, int(column + reach) + 2)
        if top >= bottom or left >= right:
            continue
        dy, dx = np.mgrid[top:bottom, left:right].astype(np.float64)
        dx, dy = (dx - column) * um, (dy - row) * um
        along, across = dx * np.cos(tilt) + dy * np.sin(tilt), -dx * np.sin(tilt) + dy * np.cos(tilt)
        distance = (np.hypot(along / long_axis, across / short_axis) - 1) * short_axis
        share = _soft(distance, max(1.2, um)) * dark * (0.85 + 0.12 * fine[top:bottom, left:right])
        picture[top:bottom, left:right] = _mix(picture[top:bottom, left:right], (72.0, 46.0, 118.0), share)


def draw_view(view: View, seed: int = 0) -> NDArray[np.uint8]:
    """One view as RGB uint8 pixels (rows, columns, 3); the same seed gives the same nodule in every view."""
    noise = _noise(seed)
    rows, columns = SIZE_PX
    um = view.um_per_pixel
    x0, y0 = view.centre_um[0] - columns / 2 * um, view.centre_um[1] - rows / 2 * um
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float64)
    x, y = x0 + (x + 0.5) * um, y0 + (y + 0.5) * um
    picture = _ground(x, y, noise)
    _paint_nuclei(picture, x0, y0, um, _nuclei(noise, seed), noise(x, y, 2.0))
    picture += 4.0 * noise(x, y, 5.0)[..., None]
    shade = 1 - 0.05 * ((x - view.centre_um[0]) ** 2 + (y - view.centre_um[1]) ** 2) / (columns / 2 * um) ** 2
    blurred = gaussian_filter(picture * shade[..., None], (0.6, 0.6, 0))
    grain = np.random.default_rng(seed + 2).normal(0, 1.5, blurred.shape)
    return np.asarray(np.clip(np.rint(blurred + grain), 0, 255), dtype=np.uint8)


def write_histology(folder: Path, *, seed: int = 0, progress: Callable[[float, str], None] | None = None) -> tuple[Path, ...]:
    """Write the three pictures as PNG files, whose names and text say that they are synthetic; returns their paths."""
    from PIL import Image, PngImagePlugin

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, view in enumerate(VIEWS):
        if progress is not None:
            progress(number / len(VIEWS), view.name)
        words = PngImagePlugin.PngInfo()
        words.add_text("Description", "synthetic picture drawn by a program; no tissue")
        path = folder / view.name
        Image.fromarray(draw_view(view, seed)).save(path, pnginfo=words)
        paths.append(path)
    return tuple(paths)
