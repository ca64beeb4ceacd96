"""Fit of an ellipsoid seen through the scanner's blur: unbiased sizes of lesions only a few voxels wide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import FloatArray

Residuals: TypeAlias = Callable[[FloatArray], tuple[NDArray[np.float64], FloatArray]]

LARGEST_SAMPLE = 1500
PRIOR_IN_PLANE_MM = 0.42
"""Standard deviation of the in-plane point-spread function (FWHM 1 mm) before anything is known."""
PRIOR_IN_PLANE_SPREAD = 0.35
"""Natural logarithm of the factor by which it varies."""
PRIOR_THROUGH_SPREAD = 0.25


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


def blurred_ellipsoid(parameters: FloatArray, points_mm: FloatArray, normal: FloatArray) -> NDArray[np.float64]:
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
    """
    from scipy.special import ndtr

    b = _factor(parameters)
    s_xy, s_z = np.exp(parameters[9:11])
    m = b.T @ b
    blur = s_xy**2 * np.eye(3) + (s_z**2 - s_xy**2) * np.outer(normal, normal)
    x = points_mm - parameters[:3]
    mx = x @ m
    q2 = np.maximum(np.einsum("ij,ij->i", x, mx), 1e-6)
    q = np.sqrt(q2)
    variance = np.einsum("ij,ij->i", mx @ blur, mx) / q2
    width = np.sqrt(variance)
    near, far = (1 - q) / width, (1 + q) / width
    drift = (float(np.trace(blur @ m)) - variance) / (2 * q * width)
    bells = np.exp(-0.5 * near**2) - np.exp(-0.5 * far**2)
    out: NDArray[np.float64] = ndtr(near) + ndtr(far) - 1 - drift * bells / np.sqrt(2 * np.pi)
    return out


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
    prior = np.log([PRIOR_IN_PLANE_MM, np.hypot(voxels.thickness_mm / np.sqrt(12), 0.3)])
    spread = np.array([PRIOR_IN_PLANE_SPREAD, PRIOR_THROUGH_SPREAD])
    parameters = _start(voxels, inside, prior)
    points, values = voxels.points_mm[chosen], voxels.values[chosen]
    noise = max(voxels.noise, 1e-9)

    def residuals(p: FloatArray) -> tuple[NDArray[np.float64], FloatArray]:
        shape = blurred_ellipsoid(p, points, voxels.normal)
        contrast, background = _linear(shape, values)
        data = (values - background - contrast * shape) / noise
        return np.concatenate([data, (p[9:11] - prior) / spread]), np.array([contrast, background])

    found = _levenberg(residuals, parameters)
    if found is None:
        return None
    return _finish(found, voxels, spread)


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


def _start(voxels: Voxels, inside: NDArray[np.bool_], prior: FloatArray) -> FloatArray:
    points = voxels.points_mm[inside]
    centre = points.mean(axis=0)
    covariance = np.cov(points.T) + 0.05 * np.eye(3)
    factor = np.linalg.cholesky(np.linalg.inv(5.0 * covariance)).T
    upper = factor[[0, 0, 1], [1, 2, 2]]
    return np.concatenate([centre, np.log(np.diag(factor)), upper, prior])


def _levenberg(residuals: Residuals, start: FloatArray) -> FloatArray | None:
    """Levenberg-Marquardt with forward differences; None when numbers run away."""
    p, damping = start, 1e-2
    r, _ = residuals(p)
    cost = float(r @ r)
    for _ in range(25):
        jacobian = _jacobian(lambda q: residuals(q)[0], p, r)
        normal_matrix, pull = jacobian.T @ jacobian, jacobian.T @ r
        for _ in range(6):
            step = -np.linalg.solve(normal_matrix + damping * np.diag(np.diag(normal_matrix) + 1e-9), pull)
            step *= min(1.0, 0.7 / max(float(np.abs(step).max()), 1e-12))
            rt, _ = residuals(p + step)
            new = float(rt @ rt)
            if np.isfinite(new) and new < cost:
                break
            damping *= 5
        else:
            return p
        done = cost - new < 1e-4 * cost or float(np.abs(step).max()) < 1e-4
        p, r, cost, damping = p + step, rt, new, max(damping / 5, 1e-7)
        if done:
            break
    return p if bool(np.isfinite(p).all()) else None


def _jacobian(
    function: Callable[[FloatArray], NDArray[np.float64]], p: FloatArray, at_p: NDArray[np.float64]
) -> FloatArray:
    columns = []
    for i in range(p.size):
        moved = p.copy()
        moved[i] += 1e-4
        columns.append((function(moved) - at_p) / 1e-4)
    return np.stack(columns, axis=1)


def _finish(found: FloatArray, voxels: Voxels, spread: FloatArray) -> EllipsoidFit | None:
    """Contrast, background, misfit and covariance at the solution, on all voxels."""
    shape = blurred_ellipsoid(found, voxels.points_mm, voxels.normal)
    contrast, background = _linear(shape, voxels.values)
    if contrast <= 0 or not np.isfinite(contrast):
        return None
    residual = voxels.values - background - contrast * shape
    rms = float(np.sqrt(np.mean(residual**2)))
    by_shape = _jacobian(lambda q: blurred_ellipsoid(q, voxels.points_mm, voxels.normal), found, shape)
    jacobian = np.column_stack([contrast * by_shape, shape, np.ones_like(shape)])
    scale = max(rms, voxels.noise)
    information = jacobian.T @ jacobian / scale**2
    information[[9, 10], [9, 10]] += 1 / spread**2
    try:
        covariance: FloatArray = np.linalg.inv(information).astype(np.float64)
    except np.linalg.LinAlgError:
        return None
    return EllipsoidFit(
        found[:3], _factor(found), contrast, background, float(np.exp(found[9])), float(np.exp(found[10])), found,
        covariance, rms / contrast, (rms / max(voxels.noise, 1e-9)) ** 2,
    )
