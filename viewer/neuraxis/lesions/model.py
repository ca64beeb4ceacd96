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
VAGUE = 0.12
"""Standard deviation over length from which a fit is not trusted with sizes."""
UNEVEN = (0.5, 2.5)
"""Ratios of integral and sum of voxels between which the integral is believed."""
LENGTH_FLOOR_MM = 0.0045
VOLUME_FLOOR = 0.0025
MODEL_ERROR = 1.1
THICKNESS_ERROR = 0.13
LARGER_OF_TWO = 1.25
"""Noise makes the longer of two equal axes look longer. These five make the 95 % interval hold in the accuracy study (`neuraxis.lesions.accuracy`)."""
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
    background: float
    contrast: float


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
    return _decide(volume, scene, fit, sizes, noise, sign)


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
    background = sign * (mask.background_value or 0.0)
    return _Scene(
        box, inside, values, near, clear, origin, thickness, background, sign * (mask.plateau_value or 0.0) - background
    )


def _decide(
    volume: Volume, scene: _Scene, fit: EllipsoidFit, sizes: EllipsoidSizes, noise: float, sign: float
) -> SizeModel:
    excess = float(np.sqrt(max(fit.misfit**2 - (noise / fit.contrast) ** 2, 0.0)))
    correlation = _noise_correlation(scene, fit)
    lengths, spread = sizes.values[[0, 1, 2, 4]], sizes.sd[[0, 1, 2, 4]] * correlation * LARGER_OF_TWO
    if bool((spread[:2] > VAGUE * lengths[:2]).any()):
        excess = max(excess, POOR_MISFIT + 1e-6)  # voxels too few to tell size from blur: the surface speaks
    is_ellipsoid = excess <= GOOD_MISFIT
    if not is_ellipsoid:
        lengths, spread = _corrected_surface(scene, fit, lengths, spread, excess)
    model_error = min(_model_error(fit, sizes), VAGUE)
    thick = THICKNESS_ERROR * scene.thickness_mm * (scene.thickness_mm / lengths[:3]) ** 2
    # what the fit leaves unexplained beyond the noise speaks of a shape or blur that the model does not have
    unexplained = fit.blur_in_plane_mm * excess
    floor = np.append(lengths[:3] * model_error + LENGTH_FLOOR_MM + thick + unexplained, 2 * model_error * lengths[3])
    half = 1.96 * np.hypot(spread, floor)
    # a poor fit misplaces its own background and plateau
    levels = (fit.background, fit.contrast) if excess <= POOR_MISFIT else (scene.background, scene.contrast)
    integral, integral_sd = _integral(volume, scene, fit, sizes, levels)
    noise_sum = noise / fit.contrast * volume.geometry.voxel_volume_mm3 * float(np.sqrt(np.count_nonzero(scene.near)))
    integral_sd = float(np.hypot(
        np.hypot(integral_sd, noise_sum * correlation), (VOLUME_FLOOR + 1.5 * model_error + 0.5 * excess) * integral
    ))
    volume_rule = (
        f"partial-volume integral, background {sign * levels[0]:.0f}, plateau {sign * sum(levels):.0f} {volume.unit}"
    )
    voxel_sum = float(np.count_nonzero(scene.inside)) * volume.geometry.voxel_volume_mm3
    if not UNEVEN[0] * voxel_sum < integral < UNEVEN[1] * voxel_sum:
        integral, integral_sd = voxel_sum, 0.25 * voxel_sum
        volume_rule = "sum of voxels: surroundings too uneven for a partial-volume integral"
    estimates = [Estimate(float(v), float(h)) for v, h in zip(lengths, half, strict=True)]
    rule = "ellipsoid seen through the fitted blur" if is_ellipsoid else "half-maximum surface corrected for the fitted blur"
    return SizeModel(
        scene.origin + fit.centre_mm, estimates[0], estimates[1], estimates[2],
        Estimate(integral, 1.96 * integral_sd), estimates[3], sizes, is_ellipsoid, rule,
        volume_rule, fit,
    )


def _model_error(fit: EllipsoidFit, sizes: EllipsoidSizes) -> float:
    """Relative standard error of lengths that the model's approximations cause: grows with (blur / diameter)^3."""
    blur = max(fit.blur_in_plane_mm, fit.blur_through_mm)
    thinnest = 2.0 / float(np.sqrt(np.linalg.eigvalsh(fit.matrix)[-1]))
    smallest = float(np.clip(thinnest, 1e-3, float(sizes.values[1])))
    return MODEL_ERROR * float(blur / smallest) ** 3


def _noise_correlation(scene: _Scene, fit: EllipsoidFit) -> float:
    """Factor by which noise that is alike in neighbouring voxels widens standard deviations made for white noise.

    Noise with a Gaussian autocorrelation r at one voxel's distance is alike over -pi / ln r voxels of a plane and over
    sqrt(-pi / ln r) voxels of a line.
    """
    points = voxel_points_mm(scene.box.geometry).reshape(-1, 3) - scene.origin
    normal = np.asarray(scene.box.geometry.slice_normal_lps)
    shape = blurred_ellipsoid(fit.parameters, points, normal).reshape(scene.inside.shape)
    residual = np.where(scene.clear, scene.values - fit.background - fit.contrast * shape, 0.0)
    variance = float((residual**2).sum()) / max(int(np.count_nonzero(scene.clear)), 1)
    if variance <= 0:
        return 1.0
    alike = 1.0
    for axis in range(3):
        first, second = (np.take(residual, range(k, residual.shape[axis] - 1 + k), axis) for k in (0, 1))
        a, b = (np.take(scene.clear, range(k, scene.clear.shape[axis] - 1 + k), axis) for k in (0, 1))
        pairs = int(np.count_nonzero(a & b))
        r = float((first * second).sum()) / pairs / variance if pairs else 0.0
        if r > 0.05:
            alike *= max(1.0, float(np.sqrt(-np.pi / np.log(min(r, 0.97)))))
    return float(np.sqrt(alike))


def _corrected_surface(
    scene: _Scene, fit: EllipsoidFit, true: FloatArray, spread: FloatArray, excess: float
) -> tuple[FloatArray, FloatArray]:
    """Sizes of the half-maximum surface plus what blur took off: lengths and standard deviations.

    What blur takes off is what it takes off the fitted ellipsoid on the same voxels; where the shape is far from an
    ellipsoid, what it takes off a ball of that diameter (4 s^2 / d, s the blur).
    """
    seen = _surface_sizes(scene.values, scene.inside, scene.background + scene.contrast / 2, scene.contrast, scene)
    blur = float(np.clip(fit.blur_in_plane_mm, 0.25, 0.7))
    ball = 4 * blur**2 / np.maximum(seen[:3], 1.0)
    known = excess <= POOR_MISFIT
    taken = np.clip((true - _made_sizes(scene, fit))[:3], 0.0, 2.0 * ball) if known else ball
    out = seen.copy()
    out[:3] += taken
    out[3] *= (1 + float(taken.mean()) / max(float(seen[:3].mean()), 1e-6)) ** 2
    doubt = np.append(0.5 * taken + blur * excess, 0.1 * seen[3])
    return out, np.hypot(np.minimum(spread, 0.1 * np.abs(out)), doubt)


def _made_sizes(scene: _Scene, fit: EllipsoidFit) -> FloatArray:
    """Sizes of the half-maximum surface of the blurred fitted ellipsoid on the lesion's own voxels."""
    points = voxel_points_mm(scene.box.geometry).reshape(-1, 3)
    normal = np.asarray(scene.box.geometry.slice_normal_lps)
    shape = blurred_ellipsoid(fit.parameters, points - scene.origin, normal).reshape(scene.inside.shape)
    return _surface_sizes(shape.astype(np.float32), shape >= 0.5, 0.5, 1.0, scene)


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


def _integral(
    volume: Volume, scene: _Scene, fit: EllipsoidFit, sizes: EllipsoidSizes, levels: tuple[float, float]
) -> tuple[float, float]:
    """Partial-volume integral: sum of (value - background) / contrast over the lesion and its blur; value and SD.

    Where voxels are left out because of a neighbour, the fitted ellipsoid stands in. `levels`: background, contrast.
    """
    background, contrast = levels
    voxel = volume.geometry.voxel_volume_mm3
    used = scene.near & scene.clear
    total = float(((scene.values[used] - background) / contrast).sum()) * voxel
    missing = scene.near & ~scene.clear
    if missing.any():
        points = scene.box.geometry.lps_from_index(np.argwhere(missing)) - scene.origin
        normal = np.asarray(volume.geometry.slice_normal_lps)
        total += float(blurred_ellipsoid(fit.parameters, points, normal).sum()) * voxel
    ellipsoid = float(sizes.values[3])
    return total, 0.25 * abs(total - ellipsoid)
