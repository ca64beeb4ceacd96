"""Sizes corrected for blur: from a fitted ellipsoid where it explains the voxels, else from the surface shifted by it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import FloatArray
from neuraxis.domain.lesion import LesionMask
from neuraxis.domain.volume import Volume
from neuraxis.lesions.ellipsoid import THICK_MM, EllipsoidFit, Voxels, fit_ellipsoid
from neuraxis.lesions.neighbourhood import BoolVoxels, Neighbourhood, distance_from_mm, robust_noise, voxel_points_mm
from neuraxis.lesions.sizes import EllipsoidSizes, ellipsoid_sizes, without_noise
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
"""RMS residual over contrast, beyond the noise, up to which a lesion counts as an ellipsoid."""
POOR_MISFIT = 0.12
VAGUE = 0.12
"""Standard deviation over length from which a fit is not trusted with sizes."""
UNEVEN = (0.5, 2.5)
"""Ratios of integral and sum of voxels between which the integral is believed."""
LENGTH_WEIGHTS = np.array([0.41, 1.6, 0.0095, 8.5])
VOLUME_WEIGHTS = np.array([0.31, 2.75, 0.0008, 1.6])
THICK_DOUBT = 3.0
"""How much each term of `_length_terms` and `_volume_terms` counts, and how much more the noise where thick slices make the
prior speak; fitted so that 95 % intervals hold in the accuracy study (`neuraxis.lesions.accuracy`), on heads other than the
one reported."""

EDGE_DOUBT_MM = 0.03
"""95 % half width of where a margin lies that is no step: one that fades over 0.3 mm, as a capsule does, moves the
half-maximum so far [prop]. The accuracy study draws steps; without this the intervals would be those of ideal bodies."""


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
    noise: float
    is_thick: bool
    """Whether the slices are thicker than half the lesion: then none may show its plateau."""


def fit_size_model(
    volume: Volume, mask: LesionMask, box: Neighbourhood, inside: BoolVoxels, sign: float
) -> SizeModel | None:
    """The size model of a threshold mask; None where no ellipsoid can be fitted (then nothing is corrected)."""
    scene = _scene(volume, mask, box, inside, sign)
    points = box.geometry.lps_from_index(np.argwhere(scene.clear)) - scene.origin
    values = scene.values[scene.clear].astype(np.float64)
    normal = np.asarray(volume.geometry.slice_normal_lps)
    voxels = Voxels(points, values, normal, scene.thickness_mm, scene.noise)
    fit = fit_ellipsoid(voxels, inside[scene.clear])
    if fit is None:
        return None
    e1, e2 = plane_basis(volume.geometry)
    sizes = ellipsoid_sizes(fit, e1, e2)
    return _decide(volume, scene, fit, sizes, sign)


def _scene(volume: Volume, mask: LesionMask, box: Neighbourhood, inside: BoolVoxels, sign: float) -> _Scene:
    values = box.values if sign > 0 else -box.values
    thickness = volume.slice_thickness_mm or abs(volume.geometry.slice_distance_mm)
    reach = REACH_MM + 0.5 * min(thickness, 1.0)
    near = distance_from_mm(inside, box.geometry, most_step_mm=0.8 * REACH_MM) <= reach
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
    ring = values[clear & ~inside]
    noise = max(robust_noise(ring), 1e-6) if ring.size else 1.0
    across = (6 * float(np.count_nonzero(inside)) * box.geometry.voxel_volume_mm3 / np.pi) ** (1 / 3)
    return _Scene(
        box, inside, values, near, clear, origin, thickness, background, sign * (mask.plateau_value or 0.0) - background,
        noise, thickness > max(THICK_MM, 0.5 * across),
    )


def _decide(
    volume: Volume, scene: _Scene, fit: EllipsoidFit, sizes: EllipsoidSizes, sign: float
) -> SizeModel:
    excess = float(np.sqrt(max(fit.misfit**2 - (scene.noise / fit.contrast) ** 2, 0.0)))
    correlation = _noise_correlation(scene, fit)
    lengths, spread = sizes.values[[0, 1, 2, 4]], sizes.sd[[0, 1, 2, 4]] * correlation
    if bool((spread[:2] > VAGUE * lengths[:2]).any()):
        excess = max(excess, POOR_MISFIT + 1e-6)  # voxels too few to tell size from blur: the surface speaks
    is_ellipsoid = excess <= GOOD_MISFIT
    if is_ellipsoid:
        lengths[:2] = without_noise(sizes, correlation)
    else:
        lengths, spread = _corrected_surface(scene, fit, lengths, spread, excess)
    half = 1.96 * np.linalg.norm(LENGTH_WEIGHTS[:, None] * _length_terms(fit, lengths, spread, excess, sizes), axis=0)
    edge = 2 * EDGE_DOUBT_MM * np.append(np.ones(3), 2 * lengths[3] / max(float(lengths[0]), 1e-6))  # area goes with length squared
    half = np.hypot(half, edge)
    # a poor fit misplaces its own background and plateau
    levels = (fit.background, fit.contrast) if excess <= POOR_MISFIT else (scene.background, scene.contrast)
    volume_mm3, volume_rule = _volume(volume, scene, fit, sizes, levels, sign)
    terms = _volume_terms(volume, scene, fit, sizes, excess, correlation, volume_mm3)
    volume_sd = float(np.linalg.norm(VOLUME_WEIGHTS * terms)) * volume_mm3
    voxel_sum = float(np.count_nonzero(scene.inside)) * volume.geometry.voxel_volume_mm3
    if not UNEVEN[0] * voxel_sum < volume_mm3 < UNEVEN[1] * voxel_sum and not scene.is_thick:
        volume_mm3, volume_sd = voxel_sum, 0.25 * voxel_sum
        volume_rule = "sum of voxels: surroundings too uneven for a partial-volume integral"
    volume_half = float(np.hypot(1.96 * volume_sd, EDGE_DOUBT_MM * float(lengths[3])))
    estimates = [Estimate(float(v), float(h)) for v, h in zip(lengths, half, strict=True)]
    rule = "ellipsoid seen through the fitted blur" if is_ellipsoid else "half-maximum surface corrected for the fitted blur"
    return SizeModel(
        scene.origin + fit.centre_mm, estimates[0], estimates[1], estimates[2],
        Estimate(volume_mm3, volume_half), estimates[3], sizes, is_ellipsoid, rule,
        volume_rule, fit,
    )


def _length_terms(
    fit: EllipsoidFit, lengths: FloatArray, spread: FloatArray, excess: float, sizes: EllipsoidSizes
) -> FloatArray:
    """What makes lengths and surface uncertain, (4 terms, 4 sizes): noise, the model's own error, a floor, the misfit.

    What the fit leaves unexplained beyond the noise speaks of a shape, blur or background that the model does not have.
    """
    model = min(_model_error(fit, sizes), VAGUE)
    surface = lengths[3] / max(float(lengths[0]), 1e-6)
    scale = np.append(np.ones(3), 2 * surface)
    return np.stack([spread, model * np.append(lengths[:3], 2 * lengths[3]), scale, fit.blur_in_plane_mm * excess * scale])


def _volume_terms(
    volume: Volume, scene: _Scene, fit: EllipsoidFit, sizes: EllipsoidSizes, excess: float, correlation: float, mm3: float
) -> FloatArray:
    """What makes the volume uncertain, as parts of it, (4,): noise, the model's own error, a floor, the misfit."""
    noise = scene.noise / fit.contrast * volume.geometry.voxel_volume_mm3 * float(np.sqrt(np.count_nonzero(scene.near)))
    told_apart = THICK_DOUBT * sizes.sd[3] / sizes.values[3] if scene.is_thick else fit.contrast_sd
    against_fit = 0.25 * (mm3 - float(sizes.values[3])) / mm3
    by_noise = correlation * np.hypot(noise / mm3, told_apart)
    return np.array([by_noise, _model_error(fit, sizes), 1.0, np.hypot(excess, 2 * against_fit)])


def _model_error(fit: EllipsoidFit, sizes: EllipsoidSizes) -> float:
    """How the errors of the model's approximations grow, relative to lengths: with (blur / diameter)^3."""
    blur = max(fit.blur_in_plane_mm, fit.blur_through_mm)
    thinnest = 2.0 / float(np.sqrt(np.linalg.eigvalsh(fit.matrix)[-1]))
    smallest = float(np.clip(thinnest, 1e-3, float(sizes.values[1])))
    return float(blur / smallest) ** 3


def _noise_correlation(scene: _Scene, fit: EllipsoidFit) -> float:
    """Factor by which noise that is alike in neighbouring voxels widens standard deviations made for white noise.

    Noise with a Gaussian autocorrelation r at one voxel's distance is alike over -pi / ln r voxels of a plane and over
    sqrt(-pi / ln r) voxels of a line.
    """
    points = voxel_points_mm(scene.box.geometry).reshape(-1, 3) - scene.origin
    shape = fit.occupancy(points).reshape(scene.inside.shape)
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
    shape = fit.occupancy(points - scene.origin).reshape(scene.inside.shape)
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


def _volume(
    volume: Volume, scene: _Scene, fit: EllipsoidFit, sizes: EllipsoidSizes, levels: tuple[float, float], sign: float
) -> tuple[float, str]:
    """Volume in mm3 and its rule: the sum of (value - background) / contrast over the lesion and its blur.

    Where voxels are left out because of a neighbour, the fitted ellipsoid stands in; where slices are too thick to show
    the plateau, it alone speaks. `levels`: background, contrast.
    """
    if scene.is_thick:
        return float(sizes.values[3]), "fitted ellipsoid, about as deep as wide where thick slices do not tell"
    background, contrast = levels
    voxel = volume.geometry.voxel_volume_mm3
    used = scene.near & scene.clear
    total = float(((scene.values[used] - background) / contrast).sum()) * voxel
    missing = scene.near & ~scene.clear
    if missing.any():
        points = scene.box.geometry.lps_from_index(np.argwhere(missing)) - scene.origin
        total += float(fit.occupancy(points).sum()) * voxel
    rule = f"partial-volume integral, background {sign * levels[0]:.0f}, plateau {sign * sum(levels):.0f} {volume.unit}"
    return max(total, 1e-6), rule
