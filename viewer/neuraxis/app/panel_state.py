"""What one panel of the reading grid shows, as a value."""

from __future__ import annotations

from dataclasses import dataclass, replace

from neuraxis.align.planes import Projection
from neuraxis.app.views import Orientation
from neuraxis.domain.geometry import Vector3
from neuraxis.domain.window import Window

OVERLAY_COLOURS = ("hot metal", "blue to yellow", "cyan")
"""Colour maps of a fused series, in the order in which the command goes round."""


@dataclass(frozen=True)
class PanelState:
    """Series, plane, window and slab of a panel.

    Parameters
    ----------
    series_id : "" for an empty panel
    window : the panel's own window; None follows the window of the series
    linked : whether it follows the linked point
    own_point_lps_mm : where it stands while it is not linked
    slab_mm, projection : slab around the slice
    smooth : bilinear enlargement; else every voxel shows as a block
    rotation_degrees : the plane turned about the screen's right and down axes (oblique); (0, 0) is native
    overlay_id, overlay_opacity : a second series shown over this one
    overlay_colours : its colour map, one of `OVERLAY_COLOURS`
    swipe : where along the panel's width the second series begins (0 to 1), shown in its own grey; None: laid over all
    """

    series_id: str = ""
    orientation: Orientation = Orientation.AXIAL
    window: Window | None = None
    inverted: bool = False
    linked: bool = True
    own_point_lps_mm: Vector3 | None = None
    slab_mm: float = 0.0
    projection: Projection = Projection.NONE
    smooth: bool = True
    rotation_degrees: tuple[float, float] = (0.0, 0.0)
    overlay_id: str = ""
    overlay_opacity: float = 0.5
    overlay_colours: str = "hot metal"
    swipe: float | None = None

    @property
    def is_oblique(self) -> bool:
        """Whether the plane is turned away from the native one."""
        return self.rotation_degrees != (0.0, 0.0)

    def showing(self, series_id: str) -> PanelState:
        """The same panel with another series: plane and linking stay, window and slab belong to the series."""
        return replace(
            self, series_id=series_id, window=None, inverted=False, projection=Projection.NONE, slab_mm=0.0,
            own_point_lps_mm=None, overlay_id="", swipe=None,
        )
