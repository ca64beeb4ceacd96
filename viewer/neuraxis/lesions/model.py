"""Sizes corrected for blur: from a fitted ellipsoid where it explains the voxels, else from the surface shifted by it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import FloatArray
from neuraxis.domain.lesion import LesionMask
from neuraxis.domain.volume import Volume
from neuraxis.lesions.ellipsoid import EllipsoidFit, Voxels, blurred_ellipsoid, fit_ellipsoid
from neuraxis.lesions.neighbourhood import BoolVoxels, Neighbourhood, distance_from_mm, robust_noise, voxel_points_mm
from neuraxis.lesions.sizes import EllipsoidSizes, ellipsoid_sizes
from neuraxis.lesions.surface import (
    Axes,
    farthest_pair,
    level_field,
    mesh_of,
    perpendicular_axes,
    plane_basis,
    slice_contour,
)

REACH_MM = 2.2
"""How far around the half-maximum mask the blur of a lesion reaches."""
CLEAR_MM = 1.3
"""Voxels nearer than this to another bright structure are left out: its blur is in them."""
GOOD_MISFIT = 0.04
POOR_MISFIT = 0.12
"""RMS residual over contrast, beyond the noise, up to which a lesion counts as an ellipsoid."""


@dataclass(frozen=True)
class Estimate:
    """A value and the half width of its 95 % interval."""

    value: float
    uncertainty: float


@dataclass(frozen=True, eq=False)
class SizeModel:
    """Blur-corrected sizes of one lesion.

    `rule` says how lengths, `volume_rule` how the volume was made; `notes` are warnings.
    """

    centre_lps_mm: FloatArray
    long: Estimate
    short: Estimate
    largest: Estimate
    volume: Estimate
    surface: Estimate
    sizes: EllipsoidSizes
    is_ellipsoid: bool
    rule: str
    volume_rule: str
    fit: EllipsoidFit
    notes: tuple[str, ...] = ()

    def long_ends(self, axes: Axes) -> FloatArray:
        """End points of the long axis, (2, 3) LPS mm."""
        return self._ends(self.long.value, self.sizes.long_direction, axes.long_ends)

    def short_ends(self, axes: Axes) -> FloatArray:
        """End points of the short axis, (2, 3) LPS mm."""
        return self._ends(self.short.value, self.sizes.short_direction, axes.short_ends)

    def largest_ends(self, ends: FloatArray) -> FloatArray:
        """End points of the largest diameter in space, (2, 3) LPS mm."""
        return self._ends(self.largest.value, self.sizes.largest_direction, ends)

    def _ends(self, length: float, direction: FloatArray, drawn: FloatArray) -> FloatArray:
        if self.is_ellipsoid:
            half = 0.5 * length * direction
            return np.stack([self.centre_lps_mm - half, self.centre_lps_mm + half])
        middle, span = drawn.mean(axis=0), drawn[1] - drawn[0]
        norm = float(np.linalg.norm(span))
        half = 0.5 * length * span / norm if norm > 0 else 0 * span
        return np.stack([middle - half, middle + half])


@dataclass(frozen=True, eq=False)
class _Scene:
    """The voxels around a lesion as flat lists: which the fit may use, and where they lie."""

    box: Neighbourhood
    inside: BoolVoxels
    values: NDArray[np.float32]
    near: BoolVoxels
    clear: BoolVoxels
    origin: FloatArray
    thickness_mm: float


def fit_size_model(
    volume: Volume, mask: LesionMask, box: Neighbourhood, inside: BoolVoxels, sign: float
) -> SizeModel | None:
    """The size model of a threshold mask; None where no ellipsoid can be fitted (then nothing is corrected)."""
    scene = _scene(volume, mask, box, inside, sign)
    points = box.geometry.lps_from_index(np.argwhere(scene.clear)) - scene.origin
    values = scene.values[scene.clear].astype(np.float64)
    flat_inside = inside[scene.clear]
    ring = values[~flat_inside]
    noise = robust_noise(ring) if ring.size else 1.0
    normal = np.asarray(volume.geometry.slice_normal_lps)
    fit = fit_ellipsoid(Voxels(points, values, normal, scene.thickness_mm, max(noise, 1e-6)), flat_inside)
    if fit is None:
        return None
    e1, e2 = plane_basis(volume.geometry)
    sizes = ellipsoid_sizes(fit, e1, e2)
    return _decide(volume, scene, fit, sizes, noise)


def _scene(volume: Volume, mask: LesionMask, box: Neighbourhood, inside: BoolVoxels, sign: float) -> _Scene:
    values = box.values if sign > 0 else -box.values
    thickness = max(volume.slice_thickness_mm or 0.0, abs(volume.geometry.slice_distance_mm))
    near = distance_from_mm(inside, box.geometry) <= REACH_MM + 0.5 * thickness
    boundary = sign * (mask.boundary_value or 0.0)
    others = (values >= boundary) & ~inside
    clear = near.copy()
    if box.usable is not None:
        clear &= box.usable
    if others.any():
        clear &= distance_from_mm(others, box.geometry) > CLEAR_MM
    clear |= inside
    origin = box.geometry.lps_from_index(np.argwhere(inside)).mean(axis=0)
    return _Scene(box, inside, values, near, clear, origin, thickness)


def _decide(volume: Volume, scene: _Scene, fit: EllipsoidFit, sizes: EllipsoidSizes, noise: float) -> SizeModel:
    excess = np.sqrt(max(fit.misfit**2 - (noise / fit.contrast) ** 2, 0.0))
    is_ellipsoid = bool(excess <= GOOD_MISFIT)
    lengths, spread = sizes.values[[0, 1, 2, 4]], sizes.sd[[0, 1, 2, 4]]
    if not is_ellipsoid:
        lengths, spread = _corrected_surface(scene, fit, lengths, spread, excess)
    pixel = max(volume.geometry.spacing_xyz_mm[:2])
    floor = np.array([0.05, 0.05, 0.06, 0.0]) * pixel / 0.45
    half = 1.96 * np.hypot(spread, floor)
    integral, integral_sd = _integral(volume, scene, fit, sizes)
    estimates = [Estimate(float(v), float(h)) for v, h in zip(lengths, half, strict=True)]
    rule = "ellipsoid seen through the fitted blur" if is_ellipsoid else "half-maximum surface corrected for the fitted blur"
    return SizeModel(
        scene.origin + fit.centre_mm, estimates[0], estimates[1], estimates[2],
        Estimate(integral, 1.96 * integral_sd), estimates[3], sizes, is_ellipsoid, rule,
        f"partial-volume integral, background {fit.background:.0f}, plateau {fit.background + fit.contrast:.0f} {volume.unit}",
        fit,
    )


def _corrected_surface(
    scene: _Scene, fit: EllipsoidFit, true: FloatArray, spread: FloatArray, excess: float
) -> tuple[FloatArray, FloatArray]:
    """Sizes of the half-maximum surface plus what blur took off: lengths and standard deviations.

    What blur takes off is what it takes off the fitted ellipsoid on the same voxels; where the shape is far from an
    ellipsoid, what it takes off a ball of that diameter (4 s^2 / d, s the blur).
    """
    boundary = fit.background + fit.contrast / 2
    seen = _surface_sizes(scene.values, scene.inside, boundary, fit.contrast, scene)
    blur = float(np.clip(fit.blur_in_plane_mm, 0.25, 0.7))
    ball = 4 * blur**2 / np.maximum(seen[:3], 1.0)
    if excess > POOR_MISFIT:
        taken = ball
    else:
        taken = np.clip((true - _made_sizes(scene, fit, boundary))[:3], 0.0, 2.0 * ball)
    out = seen.copy()
    out[:3] += taken
    out[3] *= (1 + float(taken.mean()) / max(float(seen[:3].mean()), 1e-6)) ** 2
    doubt = np.append(0.5 * taken + blur * excess, 0.1 * seen[3])
    return out, np.hypot(np.minimum(spread, 0.1 * np.abs(out)), doubt)


def _made_sizes(scene: _Scene, fit: EllipsoidFit, boundary: float) -> FloatArray:
    """Sizes of the half-maximum surface of the blurred fitted ellipsoid on the lesion's own voxels."""
    points = voxel_points_mm(scene.box.geometry).reshape(-1, 3)
    normal = np.asarray(scene.box.geometry.slice_normal_lps)
    shape = blurred_ellipsoid(fit.parameters, points - scene.origin, normal).reshape(scene.inside.shape)
    model = (fit.background + fit.contrast * shape).astype(np.float32)
    return _surface_sizes(model, model >= boundary, boundary, fit.contrast, scene)


def _surface_sizes(
    values: NDArray[np.float32], inside: BoolVoxels, boundary: float, contrast: float, scene: _Scene
) -> FloatArray:
    """Long axis, short axis, largest diameter and surface of a half-maximum surface, uncorrected."""
    if not inside.any():
        return np.zeros(4)
    field = level_field(values, inside, boundary, contrast)
    mesh = mesh_of(field, scene.box.geometry)
    middle = int(np.argmax(np.count_nonzero(inside, axis=(1, 2))))
    axes = perpendicular_axes(slice_contour(field, scene.box.geometry, middle), scene.box.geometry, middle)
    i, j = farthest_pair(mesh.vertices_lps_mm)
    largest = float(np.linalg.norm(mesh.vertices_lps_mm[i] - mesh.vertices_lps_mm[j]))
    return np.array([axes.long_mm if axes else 0.0, axes.short_mm if axes else 0.0, largest, mesh.area_mm2])


def _integral(volume: Volume, scene: _Scene, fit: EllipsoidFit, sizes: EllipsoidSizes) -> tuple[float, float]:
    """Partial-volume integral: sum of (value - background) / contrast over the lesion and its blur; value and SD.

    Where voxels are left out because of a neighbour, the fitted ellipsoid stands in.
    """
    voxel = volume.geometry.voxel_volume_mm3
    used = scene.near & scene.clear
    total = float(((scene.values[used] - fit.background) / fit.contrast).sum()) * voxel
    missing = scene.near & ~scene.clear
    if missing.any():
        points = scene.box.geometry.lps_from_index(np.argwhere(missing)) - scene.origin
        normal = np.asarray(volume.geometry.slice_normal_lps)
        total += float(blurred_ellipsoid(fit.parameters, points, normal).sum()) * voxel
    ellipsoid = float(sizes.values[3])
    sd = float(np.hypot(sizes.sd[3], 0.02 * ellipsoid))
    return total, float(np.hypot(sd, 0.3 * (total - ellipsoid)))
