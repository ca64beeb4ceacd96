"""The locator: a small picture of another plane through the same point, with the panel's plane as a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuraxis.align.planes import Plane
from neuraxis.domain.transform import RegistrationSet
from neuraxis.domain.window import automatic_window
from neuraxis.figures.annotations import MARGIN_MM
from neuraxis.figures.layout import Box
from neuraxis.figures.recipe import PlaneSpec, VolumePanel
from neuraxis.figures.sampling import PixelGrid, sample_grid
from neuraxis.figures.scene import Item, Line, Picture, Polygon

if TYPE_CHECKING:
    from neuraxis.figures.panels import PanelSource

_STANDARD = {"axial": Plane.axial, "coronal": Plane.coronal, "sagittal": Plane.sagittal}


def locator_items(
    panel: VolumePanel, source: PanelSource, box: Box, registrations: RegistrationSet | None
) -> list[Item]:
    """Locator picture with frame and plane line, in its corner of the panel.

    The locator looks along a patient axis at the middle of the volume's extent in that plane, through the panel's centre.
    """
    inset = panel.inset
    assert inset is not None
    side_px = max(8, round(box.width_px * inset.fraction))
    vertical, side = inset.corner.split("-")
    margin_px = round(MARGIN_MM / box.pixel_mm)
    left = box.x_px + margin_px if side == "left" else box.x_px + box.width_px - margin_px - side_px
    top = box.y_px + margin_px if vertical == "top" else box.y_px + box.height_px - margin_px - side_px
    place = Box(left, top, side_px, side_px, box.pixel_mm)
    grid = PixelGrid(_locator_spec(panel, source), side_px, side_px)
    values = sample_grid(source.volume, grid, "linear", registrations)
    window = inset.window.window() if inset.window else panel.window.window()
    if inset.window is None and source.volume.unit != "HU":
        window = automatic_window(values, np.isnan(values))
    grey = window.to_grey(values, inverted=source.series.inverted)
    grey[np.isnan(values)] = 0
    frame = (
        (place.x_mm, place.y_mm), (place.x_mm + place.width_mm, place.y_mm),
        (place.x_mm + place.width_mm, place.y_mm + place.height_mm), (place.x_mm, place.y_mm + place.height_mm),
    )
    items: list[Item] = [
        Polygon(frame, panel.letter, "inset", "white", "white", 0.2, "frame"),
        Picture(place.x_mm, place.y_mm, place.width_mm, place.height_mm, grey, panel.letter, "inset-image"),
    ]
    line = _plane_line(panel.plane, grid, place)
    if line is not None:
        items.append(Line(line, panel.letter, "inset", 0.3, name="plane"))
    return items


def _locator_spec(panel: VolumePanel, source: PanelSource) -> PlaneSpec:
    """Plane of the locator: through the panel's centre, otherwise centred on the volume."""
    inset = panel.inset
    assert inset is not None
    low, high = source.volume.geometry.bounds_lps_mm()
    middle = (np.asarray(low) + np.asarray(high)) / 2
    centre = np.asarray(panel.plane.centre_lps_mm)
    plane = _STANDARD[inset.plane](middle).through(centre)
    return PlaneSpec(
        name=inset.plane, frame_of_reference_uid=panel.plane.frame_of_reference_uid,
        centre_lps_mm=plane.centre_lps_mm, right=plane.row_lps, down=plane.column_lps,
        field_of_view_mm=(inset.field_of_view_mm, inset.field_of_view_mm),
    )


def _plane_line(
    spec: PlaneSpec, grid: PixelGrid, place: Box
) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Where the panel's rectangle cuts the locator, in page mm, or None where it lies in it or misses it."""
    from neuraxis.domain.geometry import Vector3

    normal = np.asarray(grid.plane.normal_lps)
    half = [v / 2 for v in spec.field_of_view_mm]
    corners = [
        np.asarray(spec.centre_lps_mm) + a * half[0] * np.asarray(spec.right) + b * half[1] * np.asarray(spec.down)
        for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    ]
    depth = [float((c - np.asarray(grid.spec.centre_lps_mm)) @ normal) for c in corners]
    cuts: list[Vector3] = []
    for i in range(4):
        j = (i + 1) % 4
        if (depth[i] < 0) != (depth[j] < 0):
            point = corners[i] + (corners[j] - corners[i]) * depth[i] / (depth[i] - depth[j])
            cuts.append((float(point[0]), float(point[1]), float(point[2])))
    if len(cuts) != 2:
        return None
    scale = place.width_mm / grid.spec.field_of_view_mm[0]
    ends = []
    for cut in cuts:
        across, down = grid.mm_from_lps(cut)
        ends.append(
            (
                float(np.clip(place.x_mm + across * scale, place.x_mm, place.x_mm + place.width_mm)),
                float(np.clip(place.y_mm + down * scale, place.y_mm, place.y_mm + place.height_mm)),
            )
        )
    return ends[0], ends[1]
