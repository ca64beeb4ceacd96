"""What panels of a grid do together: one scale, one thickness, the same zoom, reference lines, one read-out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from neuraxis.align.planes import Projection
from neuraxis.app.panel_scene import Reading
from neuraxis.app.views import ScreenView, vector3
from neuraxis.ui.slice_panel import SlicePanel


def level_scales(panels: Sequence[SlicePanel], *, same: bool) -> None:
    """Panels that nobody zoomed show a millimetre in the same size, that of the largest field; or each its own."""
    for panel in panels:
        panel.scene.least_mm_per_pixel = 0.0
    if same:
        fits = [p.scene.fit_mm_per_pixel() for p in panels if p.state.series_id]
        for panel in panels:
            panel.scene.least_mm_per_pixel = max(fits, default=0.0)
    for panel in panels:
        panel.update()


def level_thickness(panels: Sequence[SlicePanel]) -> None:
    """Thinner series are shown as mean slabs as thick as the thickest slices here; once more takes that back."""
    shown = [p for p in panels if p.scene.volume is not None and not p.state.is_oblique]
    thick = {p: max(p.scene.slice_spacing_mm, p.scene.slice_thickness_mm) for p in shown}
    target = max(thick.values(), default=0.0)
    slabs = [p for p in shown if p.state.projection is Projection.MEAN and abs(p.state.slab_mm - target) < 1e-6]
    for panel in slabs:
        panel.set_state(panel.scene.with_slab(0.0, Projection.NONE))
    for panel in shown if not slabs else ():
        if panel.state.projection is Projection.NONE and thick[panel] < 0.9 * target:
            panel.set_state(panel.scene.with_slab(target, Projection.MEAN))


def follow(
    panel: SlicePanel, view: ScreenView, other: SlicePanel, factor: float, dx_mm: float, dy_mm: float
) -> None:
    """Another panel takes the scale; the middle too where its plane is the same and the point is known there."""
    scene, theirs = other.scene, other.scene.view()
    series, source = scene.series, panel.scene.series
    if theirs is None or series is None or source is None:
        return
    same_plane = other.state.orientation is panel.state.orientation
    way = panel.session.link(source, series).registration
    if same_plane and way is not None:
        scene.show_at(vector3(way.apply(view.centre_lps_mm)), view.mm_per_pixel)
    elif factor != 1.0:
        anchor = theirs.screen_from_lps(scene.point) if scene.point else np.array([0.0, 0.0])
        scene.zoom(theirs.mm_per_pixel / view.mm_per_pixel, float(anchor[0]), float(anchor[1]))
    elif same_plane:
        scene.pan(dx_mm / theirs.mm_per_pixel, dy_mm / theirs.mm_per_pixel)


def refresh_references(active: SlicePanel, panels: Sequence[SlicePanel]) -> None:
    """Every other panel learns where the plane of the active one lies, as far as their frames are linked."""
    view, source = active.scene.view(), active.scene.series
    for panel in panels:
        series = panel.scene.series
        panel.reference_views = []
        if panel is active or view is None or source is None or series is None:
            continue
        way = panel.session.link(source, series).registration
        if way is not None:
            turn = way.array[:3, :3]
            panel.reference_views = [replace(
                view, centre_lps_mm=vector3(way.apply(view.centre_lps_mm)), right=vector3(turn @ view.right),
                down=vector3(turn @ view.down),
            )]
        panel.update()


def readings_text(panel: SlicePanel, reading: Reading, panels: Sequence[SlicePanel]) -> str:
    """The voxel under the mouse, and what the other series hold at that point."""
    series = panel.scene.series
    if series is None:
        return ""
    parts = [f"{series.role.role.value} {reading.text}"]
    told = {series.id}
    for other in panels:
        theirs = other.scene.series
        if theirs is None or theirs.id in told or other.scene.volume is None:
            continue
        told.add(theirs.id)
        way = panel.session.link(series, theirs).registration
        if way is not None:
            there = other.scene.reading_of(vector3(way.apply(reading.point_lps_mm)))
            parts.append(f"{theirs.role.role.value} {there.number}")
    return "   |   ".join(parts)
