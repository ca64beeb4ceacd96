"""Volumes and masks as napari layers: world axes (Inferior, Posterior, Left) in mm, scale and translation only.

With the default camera of napari this world shows axial, coronal and sagittal planes as a radiologist expects them and
is not mirrored in 3D. napari is not imported here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.align.sampling import sample_lattice
from neuraxis.app.views import Orientation, native_view, vector3
from neuraxis.domain.geometry import Shape3, Vector3, VolumeGeometry
from neuraxis.domain.lesion import LesionMask
from neuraxis.domain.study import Series, Study
from neuraxis.domain.volume import Volume
from neuraxis.domain.window import Window

AXIS_LABELS = ("Inferior", "Posterior", "Left")
LPS_OF_WORLD = np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
"""Rows: LPS unit vectors of the three world axes."""
ALIGNED_MM = 0.25
"""Corners of a grid that move by no more than this when its axes are made straight count as straight."""

LayerData = tuple[Any, dict[str, Any], str]


def world_from_lps(points_lps_mm: Any) -> NDArray[np.float64]:
    """World coordinates (I, P, L) mm, shape (..., 3), of LPS points."""
    world: NDArray[np.float64] = np.asarray(points_lps_mm, dtype=np.float64) @ LPS_OF_WORLD.T
    return world


def lps_from_world(points_ipl_mm: Any) -> Vector3:
    """LPS point of one world point."""
    return vector3(np.asarray(points_ipl_mm, dtype=np.float64) @ LPS_OF_WORLD)


@dataclass(frozen=True)
class WorldGrid:
    """How an array (z, y, x) is turned to run along the world axes: transposed and flipped, without copying.

    Parameters
    ----------
    axes : array axis for each world axis
    signs : -1 where the array runs against the world axis
    scale, translate : of the layer, mm
    deviation_mm : largest error of a corner by taking the axes for straight
    """

    axes: tuple[int, int, int]
    signs: tuple[int, int, int]
    scale: Vector3
    translate: Vector3
    deviation_mm: float

    @property
    def is_aligned(self) -> bool:
        """Whether the layer may show the stored voxels as they are."""
        return self.deviation_mm <= ALIGNED_MM

    def view(self, array: NDArray[Any]) -> NDArray[Any]:
        """The array along the world axes; shares memory."""
        return array.transpose(self.axes)[tuple(slice(None, None, s) for s in self.signs)]

    def restore(self, layer_array: NDArray[Any]) -> NDArray[Any]:
        """Back to (z, y, x); shares memory."""
        unflipped = layer_array[tuple(slice(None, None, s) for s in self.signs)]
        return unflipped.transpose(np.argsort(self.axes))


def world_grid(geometry: VolumeGeometry) -> WorldGrid:
    """The turn that comes nearest to the world axes."""
    axial = native_view(geometry, Orientation.AXIAL)
    axes = (axial.slice_axis, axial.row_axis, axial.column_axis)
    signs = (-axial.slice_sign, axial.row_sign, axial.column_sign)
    steps = np.array([geometry.step_z_mm, geometry.step_y_mm, geometry.step_x_mm])
    scale = np.linalg.norm(steps[list(axes)], axis=1)
    first = np.array([0.0 if s > 0 else geometry.shape_zyx[a] - 1.0 for a, s in zip(axes, signs, strict=True)])
    corner = np.zeros(3)
    corner[list(axes)] = first
    translate = world_from_lps(geometry.lps_from_index(corner))
    shape = np.array([geometry.shape_zyx[a] for a in axes])
    ends = np.array(list(np.ndindex(2, 2, 2))) * (shape - 1)
    straight = translate + ends * scale
    index = np.zeros((8, 3))
    index[:, list(axes)] = first + ends * np.array(signs)
    deviation = np.linalg.norm(straight - world_from_lps(geometry.lps_from_index(index)), axis=1).max()
    return WorldGrid(
        (axes[0], axes[1], axes[2]), (signs[0], signs[1], signs[2]), vector3(scale), vector3(translate),
        float(deviation),
    )


class ResampledPlanes:
    """An oblique volume on a straight grid, made plane by plane when napari asks; looks like an array.

    Values are float32, linear between voxels; outside the volume they are the volume's lowest value.
    """

    ndim = 3
    dtype = np.dtype(np.float32)

    def __init__(self, volume: Volume) -> None:
        self.volume = volume
        low, high = (world_from_lps(p) for p in volume.geometry.bounds_lps_mm())
        low, high = np.minimum(low, high), np.maximum(low, high)
        grid = world_grid(volume.geometry)
        self.scale = grid.scale
        count = np.maximum(1, np.ceil((high - low) / np.asarray(grid.scale)).astype(int))
        self.shape: Shape3 = (int(count[0]), int(count[1]), int(count[2]))
        self.translate = vector3(low + np.asarray(grid.scale) / 2)
        self._outside = np.float32(volume.array.min())
        self._known: dict[tuple[int, int], NDArray[np.float32]] = {}

    @property
    def size(self) -> int:
        """Number of voxels of the straight grid."""
        return int(np.prod(self.shape))

    def plane(self, axis: int, index: int) -> NDArray[np.float32]:
        """One plane across a world axis."""
        key = (axis, index)
        if key not in self._known:
            if len(self._known) > 32:
                self._known.pop(next(iter(self._known)))
            self._known[key] = self._sample(axis, index)
        return self._known[key]

    def _sample(self, axis: int, index: int) -> NDArray[np.float32]:
        down, right = (a for a in range(3) if a != axis)
        rows, columns = self.shape[down], self.shape[right]
        corner = np.array(self.translate)
        corner[axis] += index * self.scale[axis]
        to_index = self.volume.geometry.affine_xyz_from_lps[:3, :3]
        start = self.volume.geometry.index_from_lps(lps_from_world(corner))
        per_row, per_column = ((to_index @ LPS_OF_WORLD[a] * self.scale[a])[::-1] for a in (down, right))
        values = sample_lattice(self.volume, start, per_row, per_column, (rows, columns))
        filled: NDArray[np.float32] = np.where(np.isnan(values), self._outside, values)
        return filled

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        parts = list(key) if isinstance(key, tuple) else [key]
        gap = next((i for i, p in enumerate(parts) if p is Ellipsis), len(parts))
        given = [p for p in parts if p is not Ellipsis]
        parts = [*given[:gap], *[slice(None)] * (3 - len(given)), *given[gap:]]
        single = [a for a in range(3) if not isinstance(parts[a], slice)]
        axis = single[0] if single else 0
        chosen = parts[axis]
        rest = tuple(p for a, p in enumerate(parts) if a != axis)
        if isinstance(chosen, slice):
            planes = [self.plane(axis, i)[rest] for i in range(*chosen.indices(self.shape[axis]))]
            return np.stack(planes, axis=axis)
        plane: NDArray[np.float32] = self.plane(axis, int(chosen) % self.shape[axis])[rest]
        return plane

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        del copy
        return np.asarray(self[:, :, :], dtype=dtype)


def image_layer(series: Series, volume: Volume, window: Window) -> LayerData:
    """Data, keyword arguments and type of the image layer of a series."""
    grid = world_grid(volume.geometry)
    low, high = window.limits
    data: Any
    if grid.is_aligned:
        data, scale, translate = grid.view(volume.array), grid.scale, grid.translate
    else:
        data = ResampledPlanes(volume)
        scale, translate = data.scale, data.translate
    metadata = {"series_id": series.id, "series_uid": series.series_uid, "resampled": not grid.is_aligned,
                "frame_of_reference_uid": volume.frame_of_reference_uid, "unit": volume.unit}
    arguments = {
        "name": series.title if grid.is_aligned else f"{series.title} (resampled)", "scale": scale,
        "translate": translate, "units": ("mm",) * 3, "axis_labels": AXIS_LABELS, "contrast_limits": (low, high),
        "colormap": "gray_r" if series.inverted else "gray", "interpolation2d": "linear",
        "metadata": {"neuraxis": metadata},
    }
    return data, arguments, "image"


def labels_layer(name: str, mask: LesionMask, label: int = 1) -> LayerData | None:
    """A mask as labels layer on its own grid; None where the grid does not run along the world axes."""
    grid = world_grid(mask.geometry)
    if not grid.is_aligned:
        return None
    full = mask.full().astype(np.uint8) * np.uint8(label)
    arguments = {
        "name": name, "scale": grid.scale, "translate": grid.translate, "units": ("mm",) * 3,
        "axis_labels": AXIS_LABELS, "opacity": 0.5, "metadata": {"neuraxis": {"series_id": mask.series_id}},
    }
    return grid.view(full), arguments, "labels"


def mask_from_layer(layer_array: NDArray[Any], mask: LesionMask) -> LesionMask:
    """The mask that a labels layer holds after it was edited; seed and series stay, the method says drawn."""
    full = world_grid(mask.geometry).restore(np.asarray(layer_array)) > 0
    return LesionMask.from_full(
        mask.geometry, full, series_id=mask.series_id, series_uid=mask.series_uid, seed_lps_mm=mask.seed_lps_mm,
        method=f"edited by hand, started from: {mask.method}" if not mask.method.startswith("edited") else mask.method,
        warnings=mask.warnings,
    )


def study_layers(study: Study, loaded: Sequence[tuple[Series, Volume, Window]]) -> list[LayerData]:
    """Image layers of the series of a study; only the first is visible, so that the picture is not a sum of all.

    Each carries the study and its volume in the metadata, so that a session can take them over without reading again.
    """
    layers = []
    for number, (series, volume, window) in enumerate(loaded):
        data, arguments, kind = image_layer(series, volume, window)
        arguments["metadata"]["neuraxis"] |= {"study": study, "volume": volume}
        layers.append((data, {**arguments, "visible": number == 0}, kind))
    return layers
