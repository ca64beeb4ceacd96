"""Where a mark stands so that it points at the finding and hides neither it nor any letter."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.lesion import LesionMask
from neuraxis.domain.transform import RegistrationSet
from neuraxis.domain.volume import ValueKind, Volume
from neuraxis.figures.layout import Box
from neuraxis.figures.sampling import PixelGrid, sample_grid
from neuraxis.figures.scene import Item, Picture

GAP_MM = 0.7
"""Between the tip of an arrow and the edge of the finding, on the page."""
EDGE_MM = 0.8
"""Free border of the panel and around letters, on the page."""
DIRECTIONS = 32
NOISE_MM = 0.4
"""Width of the smoothing before the ground under an arrow is judged, on the page."""
MEDIAL_COST = 0.4
"""Of an arrow that comes from the midline; one over bright bone costs 0.7."""
BoxMm = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Finding:
    """A finding on a panel, in page mm from the panel's top left corner.

    `reach_mm[k]` is the distance from the centre to its visible edge in direction k of `DIRECTIONS` (counter-clockwise
    from screen right).
    """

    centre_mm: tuple[float, float]
    reach_mm: tuple[float, ...]

    @property
    def radius_mm(self) -> float:
        """The largest distance from centre to edge."""
        return max(self.reach_mm)


@dataclass(frozen=True)
class ArrowPlace:
    """Tip of an arrow in page mm from the panel's top left corner, where it points, and how free its place is."""

    tip_mm: tuple[float, float]
    direction_deg: float
    cost: float

    def at(self, behind_mm: float) -> tuple[float, float]:
        """The place that far behind the tip."""
        angle = math.radians(self.direction_deg)
        return self.tip_mm[0] - behind_mm * math.cos(angle), self.tip_mm[1] + behind_mm * math.sin(angle)


def direction(index: int) -> tuple[float, float]:
    """Unit vector on the page (y down) of direction `index`, counter-clockwise from screen right."""
    angle = 2 * math.pi * index / DIRECTIONS
    return math.cos(angle), -math.sin(angle)


def finding_on_panel(
    mask: LesionMask | None, grid: PixelGrid, grey: NDArray[np.uint8], page_per_pixel: float, *,
    centre_lps_mm: tuple[float, float, float], radius_mm: float, registrations: RegistrationSet,
) -> Finding:
    """The finding as it looks on a panel: the mask's outline, widened to the visible edge where that lies further out.

    Parameters
    ----------
    grid, grey : the panel's pixels and their grey values (rows, columns)
    page_per_pixel : page mm of one pixel
    centre_lps_mm, radius_mm : in the panel's frame, used where the plane passes beside the mask
    """
    inside = None if mask is None else _footprint(mask, grid, registrations)
    if inside is not None and inside.any():
        rows, columns = np.nonzero(inside)
        centre = (float(columns.mean()), float(rows.mean()))
        reach = [_last_inside(inside, centre, k) for k in range(DIRECTIONS)]
    else:
        across, down = grid.mm_from_lps(centre_lps_mm)
        centre = (across / grid.pixel_mm - 0.5, down / grid.pixel_mm - 0.5)
        reach = [radius_mm / grid.pixel_mm] * DIRECTIONS
    if mask is not None:
        reach = _visible_reach(grey, centre, reach)
    return Finding(
        ((centre[0] + 0.5) * page_per_pixel, (centre[1] + 0.5) * page_per_pixel),
        tuple(r * page_per_pixel for r in reach),
    )


def _footprint(mask: LesionMask, grid: PixelGrid, registrations: RegistrationSet) -> NDArray[np.bool_]:
    """Pixels (rows, columns) whose centre lies in the mask."""
    box = np.pad(mask.box.astype(np.float32), 1)
    z, y, x = (n - 1 for n in mask.start_zyx)
    geometry = mask.geometry.cropped((z, y, x), (box.shape[0], box.shape[1], box.shape[2]))
    values = sample_grid(Volume(box, geometry, ValueKind.STORED), grid, "linear", registrations)
    return np.nan_to_num(values, nan=0.0) >= 0.5


def _along(shape: tuple[int, ...], centre: tuple[float, float], index: int, farthest: float) -> tuple[Any, Any, Any]:
    """Steps of half a pixel in a direction while it stays in the picture, with the row and column of each."""
    dx, dy = direction(index)
    steps = np.arange(0.0, farthest, 0.5)
    columns, rows = np.rint(centre[0] + steps * dx).astype(int), np.rint(centre[1] + steps * dy).astype(int)
    outside = (rows < 0) | (rows >= shape[0]) | (columns < 0) | (columns >= shape[1])
    count = int(outside.argmax()) if outside.any() else len(steps)
    return steps[:count], rows[:count], columns[:count]


def _last_inside(inside: NDArray[np.bool_], centre: tuple[float, float], index: int) -> float:
    steps, rows, columns = _along(inside.shape, centre, index, 1.5 * max(inside.shape))
    hits = np.flatnonzero(inside[rows, columns])
    return float(steps[hits[-1]]) if hits.size else 0.0


def _visible_reach(grey: NDArray[np.uint8], centre: tuple[float, float], reach: list[float]) -> list[float]:
    """Reach out to where the grey is half way to that around (blooming and partial volume exceed the mask)."""
    radius = max(*reach, 1.0)
    core = _ring(grey, centre, 0, 0.7 * radius)
    around = _ring(grey, centre, 2.0 * radius, 3.0 * radius + 2)
    if core.size == 0 or around.size == 0:
        return reach
    inner, outer = float(np.median(core)), float(np.median(around))
    if abs(inner - outer) < 25:
        return reach
    half = (inner + outer) / 2
    wider = []
    for k, start in enumerate(reach):
        steps, rows, columns = _along(grey.shape, centre, k, 2.0 * radius)
        beyond = np.flatnonzero((steps >= start) & ((grey[rows, columns] > half) != (inner > half)))
        wider.append(float(steps[beyond[0]]) if beyond.size else max(start, float(steps[-1]) if steps.size else start))
    return wider


def _ring(grey: NDArray[np.uint8], centre: tuple[float, float], low: float, high: float) -> NDArray[np.uint8]:
    rows, columns = np.ogrid[: grey.shape[0], : grey.shape[1]]
    distance = np.hypot(columns - centre[0], rows - centre[1])
    return grey[(distance >= low) & (distance <= high)]


def place_arrow(
    finding: Finding, grey: NDArray[np.uint8], box: Box, taken: Iterable[Item], length_mm: float,
    lateral: tuple[float, float] | None = None,
) -> ArrowPlace:
    """The place for an arrow: on the evenest background that is free of letters, inside the panel.

    Parameters
    ----------
    grey : the panel's pixels, as many as the box has
    taken : items of the panel that must stay visible (pictures among them do not count)
    length_mm : on the page
    lateral : screen direction (right, down) away from the midline, from which an arrow hides least of what the finding
        displaces; None where the side is not stated

    Notes
    -----
    Where no direction is free (a finding at the panel's edge), the one that loses least is taken.
    """
    boxes = [
        (b[0] - box.x_mm - EDGE_MM, b[1] - box.y_mm - EDGE_MM, b[2] - box.x_mm + EDGE_MM, b[3] - box.y_mm + EDGE_MM)
        for b in (item.box_mm() for item in taken if not isinstance(item, Picture))
    ]
    from scipy.ndimage import gaussian_filter

    # noise is no structure that an arrow could hide
    ground = gaussian_filter(grey.astype(np.float32), NOISE_MM / box.pixel_mm)
    places = [_rated(finding, k, ground, box, boxes, length_mm, lateral) for k in range(DIRECTIONS)]
    return min(places, key=lambda place: place.cost)


def _rated(
    finding: Finding, index: int, ground: NDArray[np.float32], box: Box, taken: list[BoxMm], length_mm: float,
    lateral: tuple[float, float] | None,
) -> ArrowPlace:
    dx, dy = direction(index)
    start = finding.reach_mm[index] + GAP_MM
    cx, cy = finding.centre_mm
    tip = (cx + start * dx, cy + start * dy)
    half = 0.2 * length_mm
    along = np.linspace(0.0, length_mm, 24)[:, None]
    across = np.linspace(-half, half, 7)[None, :]
    x = (tip[0] + along * dx - across * dy).ravel()
    y = (tip[1] + along * dy + across * dx).ravel()
    cost = 0.0
    outside = (x < EDGE_MM) | (y < EDGE_MM) | (x > box.width_mm - EDGE_MM) | (y > box.height_mm - EDGE_MM)
    cost += 10.0 * float(outside.mean()) + (5.0 if outside.any() else 0.0)
    for left, top, right, bottom in taken:
        hidden = (x > left) & (x < right) & (y > top) & (y < bottom)
        cost += 10.0 * float(hidden.mean()) + (5.0 if hidden.any() else 0.0)
    columns = np.clip((x / box.pixel_mm).astype(int), 0, ground.shape[1] - 1)
    rows = np.clip((y / box.pixel_mm).astype(int), 0, ground.shape[0] - 1)
    under = ground[rows, columns].astype(np.float64)
    # even, rather dark ground under a white arrow; steep and flat arrows look alike, diagonal ones stand out a little
    flat = abs(math.cos(4 * math.pi * index / DIRECTIONS))
    cost += float(under.std()) / 80 + 0.7 * float(under.mean()) / 255 + 0.05 * flat
    if lateral is not None:
        cost += MEDIAL_COST * (1.0 - (dx * lateral[0] + dy * lateral[1])) / 2
    return ArrowPlace(tip, (360.0 * index / DIRECTIONS + 180.0) % 360.0, cost)
