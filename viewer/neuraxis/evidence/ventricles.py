"""Fluid deep in the brain, on a grid that stands on the head's own midline: ventricles, for widths and shifts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import FloatArray, Vector3
from neuraxis.domain.study import Role, Series
from neuraxis.evidence.anatomy import BONE_HU, brain_by_opening, cranial_cavity
from neuraxis.evidence.sampling import sample
from neuraxis.evidence.symmetry import MidlinePlane, midline_of

if TYPE_CHECKING:
    from neuraxis.evidence.context import EvidenceContext

STEP_MM = 1.5
THICKEST_MM = 7.5
DEEP_MM, SKIN_MM = 18.0, 12.0
"""Distance from the inner table beyond which fluid is a ventricle, a basal cistern or the insular cistern; on MR the
distance is taken from the skin and is longer by scalp and skull."""
FLUID_HU = 6.0
FLUID_ON = {Role.CT: "low HU", Role.T2: "high signal", Role.T1: "low signal", Role.T1C: "low signal", Role.FLAIR: "low signal"}
HALF_MM = (84.0, 108.0, 110.0)
"""Half extent of the grid: across, front to back, along the midline plane's up direction."""

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class FluidSpaces:
    """Fluid on a grid along the midline: axes (up, posterior, left), index 0 lowest, front, right.

    Parameters
    ----------
    series : where it was seen
    plane : midline, in the lesion's frame of reference
    origin_lps_mm : point of index (0, 0, 0), lesion's frame
    axes_lps : unit vectors of increasing index along the three axes
    left_mm : (x) distance of each column from the midline, positive to the patient's left
    inside : (z, y, x) space inside the skull on CT; on MR, where bone gives no signal, the head
    fluid : (z, y, x) fluid at least `DEEP_MM` from the skull, away from the lesion
    """

    series: Series
    plane: MidlinePlane
    origin_lps_mm: Vector3
    axes_lps: FloatArray
    left_mm: FloatArray
    inside: BoolArray
    fluid: BoolArray

    def point_at(self, index_zyx: FloatArray) -> Vector3:
        """LPS point of an index, lesion's frame of reference."""
        x, y, z = np.asarray(self.origin_lps_mm) + STEP_MM * np.asarray(index_zyx, dtype=np.float64) @ self.axes_lps
        return (float(x), float(y), float(z))


def fluid_spaces(context: EvidenceContext) -> FluidSpaces | str:
    """Deep fluid on the first series that shows it, or the reason why none was looked at. Made once a context."""
    return context.remember("fluid spaces", lambda: _fluid_spaces(context))


def _fluid_spaces(context: EvidenceContext) -> FluidSpaces | str:
    plane, why = midline_of(context)
    if plane is None:
        return why
    series = next((s for role in FLUID_ON for s in context.series_of(role) if _thickness(s) <= THICKEST_MM), None)
    if series is None:
        return f"no CT, T2, T1 or FLAIR volume with slices of at most {THICKEST_MM:g} mm is registered to the lesion"
    way = context.way_to(series)
    assert way is not None
    axes = _axes(plane)
    assert series.geometry is not None
    middle = way.inverse.apply(series.geometry.corners_lps_mm().mean(axis=0))
    middle = middle - float(plane.distance_mm(middle)) * np.asarray(plane.normal_lps)
    nx, ny, nz = (round(h / STEP_MM) for h in HALF_MM)
    origin = middle - STEP_MM * (nz * axes[0] + ny * axes[1] + nx * axes[2])
    cells = np.stack(np.meshgrid(*(np.arange(2 * n + 1.0) for n in (nz, ny, nx)), indexing="ij"), axis=-1)
    points = origin + STEP_MM * cells @ axes
    volume = context.volume(series)
    values = sample(volume.array, volume.geometry, way.apply(points), outside=np.nan)
    inside, fluid = find_fluid(values, series.role.role)
    clear = context.field.at(points) > 3.0
    x, y, z = origin
    return FluidSpaces(
        series, plane, (float(x), float(y), float(z)), axes, STEP_MM * (np.arange(2 * nx + 1.0) - nx), inside,
        fluid & clear,
    )


def _thickness(series: Series) -> float:
    assert series.geometry is not None
    return series.geometry.slice_distance_mm


def _axes(plane: MidlinePlane) -> FloatArray:
    """Rows: up, posterior and left unit vectors of a grid that stands on the midline."""
    left = np.asarray(plane.normal_lps)
    back = np.array([0.0, 1.0, 0.0]) - left[1] * left
    back /= np.linalg.norm(back)
    return np.stack([np.cross(left, back), back, left])


def find_fluid(values: FloatArray, role: Role) -> tuple[BoolArray, BoolArray]:
    """Space inside the skull (on MR: the head), and fluid in its depth.

    Parameters
    ----------
    values : (z, y, x) on a `STEP_MM` grid with axial slices, NaN outside the field
    role : what the values are (CT in HU)

    Notes
    -----
    Fluid is what lies beyond half way from the median of the depth (brain) to fluid: 6 HU on CT; three times the median
    on T2, a third of it on T1 and FLAIR.
    """
    import edt
    from scipy import ndimage

    depth = DEEP_MM
    if role is Role.CT:
        inside = cranial_cavity(np.nan_to_num(values, nan=-1000.0) > BONE_HU, np.nan_to_num(values, nan=-1000.0), STEP_MM)
    else:
        inside, depth = brain_by_opening(values, STEP_MM) & np.isfinite(values), DEEP_MM + SKIN_MM
    flat = np.stack([edt.edt(level, black_border=True) for level in inside]) * STEP_MM
    deep = flat > depth
    if deep.sum() < 500:
        return inside, np.zeros(inside.shape, dtype=bool)
    filled = np.where(inside, np.nan_to_num(values), np.median(values[deep]))
    smooth = ndimage.gaussian_filter(filled, 0.6)
    brain = float(np.median(smooth[deep]))
    if role is Role.CT:
        fluid = (smooth < 0.5 * (brain + FLUID_HU)) & (smooth > FLUID_HU - 20)
    elif role is Role.T2:
        fluid = smooth > 2.0 * brain
    else:
        fluid = smooth < 0.66 * brain
    return inside, fluid & deep


def rows_across(fluid: BoolArray) -> NDArray[np.int64]:
    """Runs of fluid along x: (n, 4) of z, y, first column, column past the last."""
    padded = np.pad(fluid, ((0, 0), (0, 0), (1, 1))).astype(np.int8)
    change = np.diff(padded, axis=2)
    first, last = np.argwhere(change == 1), np.argwhere(change == -1)
    return np.concatenate([first, last[:, 2:]], axis=1)
