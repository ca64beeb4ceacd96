"""Bone on CT: where it is near a lesion, and whether the lesion is continuous with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuraxis.domain.geometry import Shape3, VolumeGeometry
from neuraxis.domain.lesion import LesionMask
from neuraxis.domain.volume import ValueKind, Volume
from neuraxis.errors import NotMeasurableError
from neuraxis.lesions.neighbourhood import BoolVoxels, Neighbourhood, box_of_mask, cut_box, reach_in_voxels

BONE_HU = 300.0
LEAST_COMPONENT_MM3 = 1000.0
"""1 cm3; smaller bright parts are calcifications, not bone."""
SEARCH_MM = 20.0
"""How far from a lesion bone is looked for."""
SADDLE_REACH_MM = 12.0


@dataclass(frozen=True, eq=False)
class BoneMask:
    """Bone voxels in a box of a volume.

    Parameters
    ----------
    geometry : of the whole volume
    start_zyx : index of the box's first voxel
    box : (z, y, x) bool, True in bone
    """

    geometry: VolumeGeometry
    start_zyx: Shape3
    box: BoolVoxels

    @property
    def box_geometry(self) -> VolumeGeometry:
        """Geometry of the box."""
        return self.geometry.cropped(self.start_zyx, (self.box.shape[0], self.box.shape[1], self.box.shape[2]))

    def within(self, box: Neighbourhood) -> BoolVoxels:
        """The bone in another box of the same volume; False where the two do not overlap."""
        out: BoolVoxels = np.zeros(box.values.shape, dtype=bool)
        here, there = [], []
        for a, n, b, m in zip(self.start_zyx, self.box.shape, box.start_zyx, box.values.shape, strict=True):
            low, high = max(a, b), min(a + n, b + m)
            if low >= high:
                return out
            here.append(slice(low - a, high - a))
            there.append(slice(low - b, high - b))
        out[tuple(there)] = self.box[tuple(here)]
        return out


def bone_mask(
    volume: Volume, *, centre_lps_mm: ArrayLike | None = None, radius_mm: float = SEARCH_MM,
    lesion: LesionMask | None = None,
) -> BoneMask:
    """Bone: 300 HU and above, opened, in parts of at least 1 cm3.

    Parameters
    ----------
    centre_lps_mm : look only within `radius_mm` of this point; the whole volume if neither it nor `lesion` is given
    lesion : look only within `radius_mm` of this mask, whose voxels are never bone

    Notes
    -----
    In a box, a part that leaves the box counts as bone from 50 mm3 on, because the rest of it is not seen.

    Raises
    ------
    NotMeasurableError
        When the volume is not in HU.
    """
    _require_hu(volume)
    if lesion is not None:
        box, inside = box_of_mask(volume, lesion, radius_mm)
    elif centre_lps_mm is not None:
        reach = np.ceil(reach_in_voxels(volume.geometry, radius_mm)).astype(int)
        centre = np.asarray(volume.geometry.nearest_index(centre_lps_mm))
        box, inside = cut_box(volume, centre - reach, centre + reach + 1), None
    else:
        box, inside = cut_box(volume, (0, 0, 0), volume.array.shape), None
    return BoneMask(volume.geometry, box.start_zyx, find_bone(box, volume.geometry.shape_zyx, inside))


def _require_hu(volume: Volume) -> None:
    if volume.kind is not ValueKind.HU:
        raise NotMeasurableError(
            f"bone asked for in {volume.unit}", expected="CT in Hounsfield units", remedy="choose a CT series"
        )


def find_bone(box: Neighbourhood, volume_shape: Shape3, lesion: BoolVoxels | None = None) -> BoolVoxels:
    """Bone in a box, (z, y, x) bool; voxels of `lesion` are left out."""
    import cc3d

    bright = box.values >= BONE_HU
    if box.usable is not None:
        bright &= box.usable
    if lesion is not None:
        bright &= ~lesion
    least = 0.05 * LEAST_COMPONENT_MM3 / box.geometry.voxel_volume_mm3
    if np.count_nonzero(bright) < least:
        return np.zeros_like(bright)
    opened = _grown(_shrunk(bright))
    labels = cc3d.connected_components(opened, connectivity=6)
    sizes = cc3d.statistics(labels)["voxel_counts"] * box.geometry.voxel_volume_mm3
    keep = sizes >= LEAST_COMPONENT_MM3
    for label in _labels_on_open_faces(labels, box, volume_shape):
        keep[label] = keep[label] or sizes[label] >= 0.05 * LEAST_COMPONENT_MM3
    keep[0] = False
    bone: BoolVoxels = keep[labels]
    # opening takes a rim off; give it back, but not to what is only next to bone
    return (_grown(bone) & bright) | bone if bone.any() else bone


def _shrunk(inside: BoolVoxels) -> BoolVoxels:
    """Voxels whose six neighbours are inside as well; beyond the box is outside. Slicing is ten times as fast as scipy."""
    out = inside.copy()
    for axis in range(3):
        kept, source = np.moveaxis(out, axis, 0), np.moveaxis(inside, axis, 0)
        kept[1:] &= source[:-1]
        kept[:-1] &= source[1:]
        kept[0] = kept[-1] = False
    return out


def _grown(inside: BoolVoxels) -> BoolVoxels:
    """Voxels inside and their six neighbours."""
    out = inside.copy()
    for axis in range(3):
        grown, source = np.moveaxis(out, axis, 0), np.moveaxis(inside, axis, 0)
        grown[1:] |= source[:-1]
        grown[:-1] |= source[1:]
    return out


def _labels_on_open_faces(labels: NDArray[Any], box: Neighbourhood, volume_shape: Shape3) -> set[int]:
    found: set[int] = set()
    for axis, (below, above) in enumerate(box.open_borders(volume_shape)):
        if below:
            found.update(np.unique(np.take(labels, 0, axis)).tolist())
        if above:
            found.update(np.unique(np.take(labels, -1, axis)).tolist())
    return found - {0}


def saddle_hu(volume: Volume, mask: LesionMask, *, bone: BoneMask | None = None) -> float | None:
    """Highest HU threshold at which the lesion's peak and bone are still one connected part.

    Looked for within 12 mm around the lesion, by bisection on connected components (face neighbours) to 1 HU.
    At 100 HU and below the two are apart, at 300 HU and above continuous; between, a gap below about 1.5 mm cannot be
    resolved (thin slices; simulation in the documentation).

    Returns
    -------
    float or None
        None when there is no bone within 12 mm of the lesion.
    """
    import cc3d

    _require_hu(volume)
    box, inside = box_of_mask(volume, mask, SADDLE_REACH_MM)
    there = bone.within(box) if bone is not None else find_bone(box, volume.geometry.shape_zyx, inside)
    there &= ~inside
    if not there.any() or not inside.any():
        return None
    values = np.where(inside, box.values, -np.inf)
    peak = np.unravel_index(int(values.argmax()), values.shape)

    def connected(threshold: float) -> bool:
        labels = cc3d.connected_components(box.values > threshold, connectivity=6)
        label = labels[peak]
        return bool(label) and bool((labels[there] == label).any())

    low, high = float(box.values.min()) - 1.0, float(box.values[peak])
    if connected(high - 1.0):
        return high
    while high - low > 1.0:
        middle = (low + high) / 2
        low, high = (middle, high) if connected(middle) else (low, middle)
    return low
