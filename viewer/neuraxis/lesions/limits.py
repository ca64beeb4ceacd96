"""What a mask's place on its grid forbids to measure: cut edges, gaps, thick slices, tilted gantry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuraxis.domain.lesion import LesionMask
from neuraxis.domain.volume import Volume


@dataclass(frozen=True)
class Limits:
    """Which numbers have no meaning, and why (`warnings`)."""

    in_plane_cut: bool = False
    through_plane_unknown: bool = False
    volume_unknown: bool = False
    thick: bool = False
    warnings: tuple[str, ...] = ()


def limits_of(volume: Volume, mask: LesionMask, diameter_mm: float) -> Limits:
    """Limits for a lesion of about that diameter."""
    warnings: list[str] = []
    cut_in_plane, cut_through = _cut(volume, mask)
    if cut_in_plane or cut_through:
        where = "the edge of the picture" if cut_in_plane else "the first or last slice"
        warnings.append(f"the lesion reaches {where}: part of it may lie outside, volume and 3D diameter not measurable")
    gaps = _gaps(volume, mask)
    if gaps:
        names = ", ".join(str(g) for g in gaps)
        warnings.append(f"slices missing in or beside the lesion (index {names}): volume and 3D diameter not measurable")
    step = abs(volume.geometry.slice_distance_mm)
    thickness = max(volume.slice_thickness_mm or 0.0, step)
    thick = thickness > diameter_mm / 2
    if thick:
        warnings.append(
            f"slices of {thickness:.3g} mm are thick for a lesion of {diameter_mm:.3g} mm: "
            "volume given as a range, 3D diameter and surface not measurable"
        )
    if volume.slice_thickness_mm is not None and step > 1.05 * volume.slice_thickness_mm:
        warnings.append(f"gap of {step - volume.slice_thickness_mm:.2g} mm between slices: nothing is known in between")
    if volume.geometry.is_sheared:
        warnings.append(f"sheared grid (gantry tilt {volume.geometry.shear_degrees:.1f} degrees): measured at the true positions")
    normal = np.abs(volume.geometry.slice_normal_lps)
    if float(normal[2]) < np.cos(np.radians(15.0)):
        name = ("sagittal", "coronal", "axial")[int(np.argmax(normal))]
        oblique = "" if float(normal.max()) > np.cos(np.radians(15.0)) else "oblique, nearest to "
        warnings.append(f"long and short axis lie in the image plane ({oblique}{name}), not in an axial one")
    cut = cut_in_plane or cut_through
    return Limits(cut_in_plane, cut or bool(gaps) or thick, cut or bool(gaps), thick, tuple(warnings))


def _cut(volume: Volume, mask: LesionMask) -> tuple[bool, bool]:
    touches = []
    for axis in range(3):
        low = mask.start_zyx[axis] == 0 and bool(np.take(mask.box, 0, axis).any())
        last = mask.start_zyx[axis] + mask.box.shape[axis] == volume.array.shape[axis]
        touches.append(low or (last and bool(np.take(mask.box, -1, axis).any())))
    single_slice = volume.array.shape[0] == 1
    return touches[1] or touches[2], touches[0] or single_slice


def _gaps(volume: Volume, mask: LesionMask) -> list[int]:
    slices = np.flatnonzero(mask.box.any(axis=(1, 2))) + mask.start_zyx[0]
    if slices.size == 0:
        return []
    return [i for i in volume.missing_slices if slices[0] - 1 <= i <= slices[-1] + 1]
