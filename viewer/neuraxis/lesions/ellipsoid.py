"""Fit of an ellipsoid seen through the scanner's blur: unbiased sizes of lesions only a few voxels wide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import FloatArray

Residuals: TypeAlias = Callable[[FloatArray, bool], tuple[NDArray[np.float64], FloatArray]]

ROOT_2PI = float(np.sqrt(2 * np.pi))
LARGEST_SAMPLE = 1000
THICK_MM = 1.3
"""Slices from this thickness on are integrated layer by layer; thinner ones pass for a Gaussian profile."""
LAYER_MM = 0.7
PROFILE_SIGMA_MM = 0.25
"""Blur along the slice normal beyond the slice's box."""
ROUND_SPREAD = 0.3
"""Natural logarithm of the factor by which a lesion's extent through the slices differs from that in them, where thick
slices do not show it."""
PRIOR_IN_PLANE_MM = 0.42
"""Standard deviation of the in-plane point-spread function (FWHM 1 mm) before anything is known."""
PRIOR_IN_PLANE_SPREAD = 0.35
"""Natural logarithm of the factor by which it varies."""
PRIOR_THROUGH_SPREAD = 0.2
PRIOR_SHAPE_SPREAD = 0.5
"""Logarithm of the factor by which true half axes differ from those of the half-maximum mask."""


@dataclass(frozen=True, eq=False)
class Voxels:
    """What a fit sees.

    Parameters
    ----------
    points_mm : (n, 3) centres relative to the lesion's middle, LPS mm
    values : (n,) signed so that the lesion is brighter
    normal : unit slice normal
    thickness_mm : slice thickness
    noise : standard deviation of the values
    """

    points_mm: FloatArray
    values: NDArray[np.float64]
    normal: FloatArray
    thickness_mm: float
    noise: float

    @property
    def layers_mm(self) -> FloatArray:
        """Offsets along the normal of the layers whose mean a slice is; a single 0 where slices are thin."""
        if self.thickness_mm < THICK_MM:
            return np.zeros(1)
        count = int(np.ceil(self.thickness_mm / LAYER_MM))
        offsets: FloatArray = ((np.arange(count) + 0.5) / count - 0.5) * self.thickness_mm
        return offsets


@dataclass(frozen=True, eq=False)
class _Priors:
    """Mean (11,) and standard deviation (11,) of the parameters before the fit."""

    mean: FloatArray
    spread: FloatArray


@dataclass(frozen=True, eq=False)
class EllipsoidFit:
    """The fitted ellipsoid `x' M x <= 1` about `centre_mm`, its contrast, and the blur it was seen through.

    `covariance` is that of (centre 3, log diagonal of B 3, upper B 3, log in-plane blur, log through-plane blur,
    contrast, background) with M = B' B and B upper triangular; `misfit` is the RMS residual over the contrast.
    """

    centre_mm: FloatArray
    factor: FloatArray
    contrast: float
    background: float
    blur_in_plane_mm: float
    blur_through_mm: float
    parameters: FloatArray
    covariance: FloatArray
    misfit: float
    reduced_chi2: float
    normal: FloatArray
    layers_mm: FloatArray

    @property
    def contrast_sd(self) -> float:
        """Standard deviation of the contrast over the contrast: how well size and density are told apart."""
        return float(np.sqrt(max(self.covariance[11, 11], 0.0))) / self.contrast

    def occupancy(self, points_mm: FloatArray) -> NDArray[np.float64]:
        """What the scanner sees of the fitted ellipsoid at points (n, 3), 0..1."""
        return seen_ellipsoid(self.parameters, points_mm, self.normal, self.layers_mm)[0]

    @property
    def matrix(self) -> FloatArray:
        """M, symmetric, 1/mm2."""
        m: FloatArray = self.factor.T @ self.factor
        return m


def _factor(parameters: FloatArray) -> FloatArray:
    b = np.zeros((3, 3))
    b[[0, 1, 2], [0, 1, 2]] = np.exp(parameters[3:6])
    b[0, 1], b[0, 2], b[1, 2] = parameters[6:9]
    return b


def blurred_ellipsoid(
    parameters: FloatArray, points_mm: FloatArray, normal: FloatArray, *, slopes: bool = False
) -> tuple[NDArray[np.float64], FloatArray]:
    """Occupancy 0..1 of an ellipsoid under an anisotropic Gaussian blur, at points.

    With q(x) = sqrt(x' M x) the indicator of the ellipsoid is a function of q alone; diffusing it with covariance S
    over unit time widens its step by s = sqrt(grad q' S grad q) and moves it by d = (tr(S M) - s^2) / (2 q): the
    drift that makes small blurred spheres look too small at half-maximum. Exact where S is proportional to the inverse of M
    (a sphere under an isotropic blur included), first order in blur over radius elsewhere.

    Parameters
    ----------
    parameters : (11,) as in `EllipsoidFit`
    points_mm : (n, 3)
    normal : unit slice normal; the blur has one width in the slice plane and one along the normal
    slopes : also give the derivatives by the parameters

    Returns
    -------
    occupancy, derivatives : (n,), and (11, n), empty unless asked for
    """
    from scipy.special import ndtr

    b = _factor(parameters)
    s_xy, s_z = np.exp(parameters[9:11])
    x = (points_mm - parameters[:3]).T
    u = b @ x
    q2 = np.maximum(u[0] * u[0] + u[1] * u[1] + u[2] * u[2], 1e-6)
    q = np.sqrt(q2)
    # the blur's square root makes the variance a sum of squares
    across = np.outer(normal, normal)
    half = s_xy * np.eye(3) + (s_z - s_xy) * across
    root = half @ b.T
    w = root @ u
    variance = (w[0] * w[0] + w[1] * w[1] + w[2] * w[2]) / q2
    width = np.sqrt(variance)
    near, far = (1 - q) / width, (1 + q) / width
    trace = float((root * root).sum())
    drift = (trace - variance) / (2 * q * width)
    low, high = np.exp(-0.5 * near**2) / ROOT_2PI, np.exp(-0.5 * far**2) / ROOT_2PI
    out: NDArray[np.float64] = ndtr(near) + ndtr(far) - 1 - drift * (low - high)
    if not slopes:
        return out, np.zeros((11, 0))
    pull, push = low * (1 + drift * near), high * (1 - drift * far)
    by_q = (push - pull) / width + drift / q * (low - high)
    by_width = -(near * pull + far * push) / width + (drift / width + 1 / q) * (low - high)
    by_trace = -(low - high) / (2 * q * width)
    by_variance = by_width / (2 * width)
    # variance is w.w / q2, so that q enters it as well
    along_q, along_w = (by_q - 2 * by_variance * variance / q) / q, 2 * by_variance / q2
    back = half @ w
    turned = b @ back
    plane = (np.eye(3) - across) @ b.T
    axis = across @ b.T
    changes: list[NDArray[np.float64]] = [*(-(along_q * (b.T @ u) + along_w * (b.T @ turned)))]
    for i, j, scale in ((0, 0, b[0, 0]), (1, 1, b[1, 1]), (2, 2, b[2, 2]), (0, 1, 1.0), (0, 2, 1.0), (1, 2, 1.0)):
        moved = along_q * u[i] * x[j] + along_w * (back[j] * u[i] + turned[i] * x[j])
        changes.append(scale * (moved + by_trace * 2 * float(half[j] @ root[:, i])))
    changes += [
        along_w * (w * (widened @ u)).sum(axis=0) + by_trace * 2 * float((widened * root).sum())
        for widened in (s_xy * plane, s_z * axis)
    ]
    return out, np.stack(changes)


def seen_ellipsoid(
    parameters: FloatArray, points_mm: FloatArray, normal: FloatArray, layers_mm: FloatArray, *, slopes: bool = False
) -> tuple[NDArray[np.float64], FloatArray]:
    """`blurred_ellipsoid` averaged over the layers of a slice, at points (n, 3)."""
    if layers_mm.size == 1:
        return blurred_ellipsoid(parameters, points_mm, normal, slopes=slopes)
    spread = (points_mm[None] + layers_mm[:, None, None] * normal).reshape(-1, 3)
    values, by_parameters = blurred_ellipsoid(parameters, spread, normal, slopes=slopes)
    count = layers_mm.size
    return values.reshape(count, -1).mean(axis=0), by_parameters.reshape(11, count, -1).mean(axis=1)


def fit_ellipsoid(voxels: Voxels, inside: NDArray[np.bool_]) -> EllipsoidFit | None:
    """Least-squares fit of a blurred ellipsoid on a flat background; None where it does not converge.

    Parameters
    ----------
    voxels : the lesion and 2 to 3 mm around it, without voxels near other bright structures
    inside : (n,) the half-maximum mask at the same points, for the start
    """
    if np.count_nonzero(inside) < 4 or len(inside) < 40:
        return None
    chosen = _thin(len(inside), LARGEST_SAMPLE)
    priors = _priors(voxels, inside)
    # thinned data weigh as much against the priors as all of them would
    weight = np.sqrt(len(inside) / len(chosen))
    points, values = voxels.points_mm[chosen], voxels.values[chosen]
    noise, layers = max(voxels.noise, 1e-9), voxels.layers_mm

    def residuals(p: FloatArray, slopes: bool) -> tuple[NDArray[np.float64], FloatArray]:
        shape, by_parameters = seen_ellipsoid(p, points, voxels.normal, layers, slopes=slopes)
        contrast, background = _linear(shape, values)
        data = weight * (values - background - contrast * shape) / noise
        both = np.concatenate([data, (p - priors.mean) / priors.spread])
        if not slopes:
            return both, np.zeros((0, 0))
        # contrast and background follow the shape: what they take up does not count (Kaufman 1975)
        free = by_parameters - by_parameters.mean(axis=1, keepdims=True)
        s = shape - shape.mean()
        free -= np.outer(free @ s / max(float(s @ s), 1e-12), s)
        return both, np.concatenate([(-weight * contrast / noise) * free.T, np.diag(1 / priors.spread)])

    found = _levenberg(residuals, priors.mean)
    return None if found is None else _finish(found, voxels, priors)


def _thin(count: int, most: int) -> NDArray[np.intp]:
    """At most `most` indices spread over all, always the same."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(7).choice(count, most, replace=False))


def _linear(shape: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[float, float]:
    """Contrast and background that fit best for a given shape."""
    s, v = shape - shape.mean(), values - values.mean()
    variance = float(s @ s)
    contrast = float(s @ v) / variance if variance > 0 else 0.0
    return contrast, float(values.mean()) - contrast * float(shape.mean())


def _priors(voxels: Voxels, inside: NDArray[np.bool_]) -> _Priors:
    """Start and prior: the ellipsoid with the moments of the half-maximum mask, and a usual blur."""
    points, normal = voxels.points_mm[inside], voxels.normal
    covariance = np.cov(points.T) + 0.05 * np.eye(3)
    shape_spread = np.full(3, PRIOR_SHAPE_SPREAD)
    layer = voxels.thickness_mm / voxels.layers_mm.size
    across = np.eye(3) - np.outer(normal, normal)
    flat = across @ covariance @ across
    in_plane = float(np.sqrt(np.linalg.eigvalsh(flat)[1:].prod()))
    if voxels.thickness_mm > np.sqrt(5.0 * in_plane):
        # one or two slices say little of the extent through them: as round as in the slice
        covariance = flat + in_plane * np.outer(normal, normal)
        shape_spread[int(np.abs(normal).argmax())] = ROUND_SPREAD
    elif layer < voxels.thickness_mm:
        # voxel centres of few thick slices span less than the lesion does
        covariance = covariance + voxels.thickness_mm**2 / 12 * np.outer(normal, normal)
    factor = np.linalg.cholesky(np.linalg.inv(5.0 * covariance)).T
    upper = factor[[0, 0, 1], [1, 2, 2]]
    profile = PROFILE_SIGMA_MM if voxels.layers_mm.size > 1 else 0.3
    blur = np.log([PRIOR_IN_PLANE_MM, np.hypot(layer / np.sqrt(12), profile)])
    mean = np.concatenate([points.mean(axis=0), np.log(np.diag(factor)), upper, blur])
    extent = float(np.sqrt(5.0 * np.trace(covariance) / 3))
    spread = np.concatenate([
        np.full(3, extent), shape_spread, np.full(3, PRIOR_SHAPE_SPREAD / extent),
        [PRIOR_IN_PLANE_SPREAD, PRIOR_THROUGH_SPREAD],
    ])
    return _Priors(mean, spread)


def _levenberg(residuals: Residuals, start: FloatArray) -> FloatArray | None:
    """Levenberg-Marquardt; None when numbers run away."""
    p, damping = start, 1e-2
    r, jacobian = residuals(p, True)
    cost = float(r @ r)
    for _ in range(25):
        normal_matrix, pull = jacobian.T @ jacobian, jacobian.T @ r
        for _ in range(6):
            step = -np.linalg.solve(normal_matrix + damping * np.diag(np.diag(normal_matrix) + 1e-9), pull)
            step *= min(1.0, 0.7 / max(float(np.abs(step).max()), 1e-12))
            rt, _ = residuals(p + step, False)
            new = float(rt @ rt)
            if np.isfinite(new) and new < cost:
                break
            damping *= 5
        else:
            return p
        done = cost - new < 1e-4 * cost or float(np.abs(step).max()) < 1e-4
        p, damping = p + step, max(damping / 5, 1e-7)
        if done:
            break
        r, jacobian = residuals(p, True)
        cost = float(r @ r)
    return p if bool(np.isfinite(p).all()) else None


def _finish(found: FloatArray, voxels: Voxels, priors: _Priors) -> EllipsoidFit | None:
    """Contrast, background, misfit and covariance at the solution."""
    layers = voxels.layers_mm
    shape, _ = seen_ellipsoid(found, voxels.points_mm, voxels.normal, layers)
    contrast, background = _linear(shape, voxels.values)
    if contrast <= 0 or not np.isfinite(contrast):
        return None
    residual = voxels.values - background - contrast * shape
    rms = float(np.sqrt(np.mean(residual**2)))
    chosen = _thin(len(shape), LARGEST_SAMPLE)
    some, by_parameters = seen_ellipsoid(found, voxels.points_mm[chosen], voxels.normal, layers, slopes=True)
    jacobian = np.column_stack([contrast * by_parameters.T, some, np.ones_like(some)])
    information = jacobian.T @ jacobian * (len(shape) / len(some)) / max(rms, voxels.noise) ** 2
    information[: found.size, : found.size] += np.diag(1 / priors.spread**2)
    try:
        covariance: FloatArray = np.linalg.inv(information).astype(np.float64)
    except np.linalg.LinAlgError:
        return None
    return EllipsoidFit(
        found[:3], _factor(found), contrast, background, float(np.exp(found[9])), float(np.exp(found[10])), found,
        covariance, rms / contrast, (rms / max(voxels.noise, 1e-9)) ** 2, voxels.normal, layers,
    )
