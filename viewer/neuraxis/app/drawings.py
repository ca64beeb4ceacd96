"""From placed points to a drawing with its numbers; all numbers come from native voxels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuraxis.app.history import Drawing
from neuraxis.app.options import Tool
from neuraxis.app.views import ScreenView, vector3
from neuraxis.domain.geometry import Vector3
from neuraxis.domain.quantity import Quantity
from neuraxis.domain.study import Series
from neuraxis.domain.volume import Volume
from neuraxis.domain.window import Window, WindowFunction

POINTS_OF = {Tool.LENGTH: 2, Tool.BIDIRECTIONAL: 4, Tool.ANGLE: 3, Tool.ELLIPSE: 2, Tool.PROBE: 1, Tool.WINDOW_REGION: 2}
"""How many points finish a drawing; a polygon ends with a double click."""
DRAGGED = (Tool.LENGTH, Tool.BIDIRECTIONAL, Tool.ELLIPSE, Tool.WINDOW_REGION)
"""Tools whose points are placed in pairs, by a drag."""
PLACING = (*DRAGGED, Tool.ANGLE, Tool.POLYGON, Tool.PROBE)
"""Tools that place points."""


def square_to(long_axis: Sequence[ArrayLike], start: ArrayLike, end: ArrayLike) -> Vector3:
    """The end of a second diameter, turned to stand at right angles to the first."""
    a, b = (np.asarray(p, dtype=np.float64) for p in long_axis)
    u = (b - a) / max(float(np.linalg.norm(b - a)), 1e-9)
    d = np.asarray(end, dtype=np.float64) - np.asarray(start, dtype=np.float64)
    return vector3(np.asarray(start, dtype=np.float64) + d - (d @ u) * u)


def ellipse_axes(
    points: Sequence[ArrayLike], right: ArrayLike, down: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Centre and half axes of the ellipse in the box between two points, along the screen's directions."""
    a, b = (np.asarray(p, dtype=np.float64) for p in points)
    r, d = np.asarray(right, dtype=np.float64), np.asarray(down, dtype=np.float64)
    return (a + b) / 2, r * float((b - a) @ r) / 2, d * float((b - a) @ d) / 2


def make_drawing(
    uid: str, tool: Tool, points: Sequence[Vector3], series: Series, volume: Volume, view: ScreenView
) -> Drawing:
    """A drawing with what it measures.

    Raises
    ------
    NeuraxisError
        When the points measure nothing: no extent, no voxel inside, a series that is not for measurement.
    """
    return Drawing(
        uid, tool.value, series.id, series.frame_of_reference_uid, tuple(points), view.normal,
        _quantities(tool, points, volume, view), volume.caveats,
    )


def _quantities(
    tool: Tool, points: Sequence[Vector3], volume: Volume, view: ScreenView
) -> tuple[tuple[str, Quantity], ...]:
    from neuraxis.lesions import tools

    if tool is Tool.LENGTH:
        return (("", tools.length(points[0], points[1], volume).quantity),)
    if tool is Tool.BIDIRECTIONAL:
        both = tools.bidirectional(points[0], points[1], points[2], points[3], volume)
        return (("long", both.long_axis.quantity), ("short", both.short_axis.quantity))
    if tool is Tool.ANGLE:
        return (("", tools.angle(*points)),)
    if tool is Tool.PROBE:
        found = tools.probe(volume, points[0])
        return (("", Quantity(found.value, found.unit, None, "one native voxel")),)
    if tool is Tool.ELLIPSE:
        centre, a, b = ellipse_axes(points, view.right, view.down)
        region = tools.ellipse_statistics(volume, centre, a, b)
    else:
        region = tools.polygon_statistics(volume, points)
    i = region.intensity
    return (
        ("area", region.area), ("mean", Quantity(i.mean, i.unit, None, region.method)),
        ("SD", Quantity(i.standard_deviation, i.unit, None, region.method)),
        ("min", Quantity(i.minimum, i.unit, None, region.method)),
        ("max", Quantity(i.maximum, i.unit, None, region.method)),
        ("voxels", Quantity(float(i.voxel_count), "", None, region.method)),
    )


def window_of_region(values: NDArray[np.generic]) -> Window:
    """The window from the 1st to the 99th percentile of the values in a region."""
    finite = np.asarray(values, dtype=np.float64).ravel()
    finite = finite[np.isfinite(finite)]
    if finite.size == 0:
        return Window(0.5, 1.0, WindowFunction.LINEAR_EXACT)
    low, high = (float(v) for v in np.percentile(finite, (1, 99)))
    return Window((low + high) / 2, max(high - low, 1.0), WindowFunction.LINEAR_EXACT, "region")


def lies_on(drawing: Drawing, view: ScreenView, half_spacing_mm: float) -> bool:
    """Whether every point of a drawing lies in the slice that a view shows."""
    return bool(np.abs(view.distance_mm(drawing.points_lps_mm)).max() <= half_spacing_mm + 1e-6)
