"""From drawn slices to a lesion mask: the box that holds them, and which slices are absent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.lesion import LesionMask
from neuraxis.domain.study import Series
from neuraxis.errors import GeometryError


def grid_of(series: Series) -> VolumeGeometry:
    """The series' grid; GeometryError where it is no volume."""
    if series.geometry is None:
        raise GeometryError(f"series {series.id} has no grid in the patient", expected="a volume")
    return series.geometry


def lost_slices(planes: dict[int, NDArray[np.bool_]], source: str = "segmentation") -> list[str]:
    """A warning where slices between the first and the last drawn one were not given at all."""
    occupied = sorted(z for z, plane in planes.items() if plane.any())
    if not occupied:
        return ["the segment is empty"]
    lost = [z for z in range(occupied[0], occupied[-1] + 1) if z not in planes]
    if not lost:
        return []
    numbers = ", ".join(str(z + 1) for z in lost[:8]) + ("..." if len(lost) > 8 else "")
    return [f"{len(lost)} slices inside the lesion are absent from the {source} (slice {numbers}): sizes are too small"]


def mask_from_planes(
    planes: dict[int, NDArray[np.bool_]], series: Series, warnings: tuple[str, ...], method: str = "drawn"
) -> LesionMask:
    """Mask of (rows, columns) planes by slice index; slices that are not given are empty."""
    grid = grid_of(series)
    occupied = sorted(z for z, plane in planes.items() if plane.any())
    first, last = (occupied[0], occupied[-1]) if occupied else (0, 0)
    empty = np.zeros(grid.shape_zyx[1:], dtype=bool)
    slab = np.stack([planes.get(z, empty) for z in range(first, last + 1)])
    local = LesionMask.from_full(grid.cropped((first, 0, 0), (len(slab), *grid.shape_zyx[1:])), slab)
    start = (local.start_zyx[0] + first, local.start_zyx[1], local.start_zyx[2])
    return LesionMask(grid, start, local.box, series.id, series.series_uid, method=method, warnings=warnings)
