"""Fit of an ellipsoid seen through the scanner's blur: unbiased sizes of lesions only a few voxels wide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import FloatArray

Residuals: TypeAlias = Callable[[FloatArray], tuple[NDArray[np.float64], FloatArray]]

LARGEST_SAMPLE = 1000
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
    x = (points_mm - parameters[:3]).T
    u = b @ x
    q2 = np.maximum(u[0] * u[0] + u[1] * u[1] + u[2] * u[2], 1e-6)
    q = np.sqrt(q2)
    # the blur's square root makes the variance a sum of squares
    root = (s_xy * np.eye(3) + (s_z - s_xy) * np.outer(normal, normal)) @ b.T
    w = root @ u
    variance = (w[0] * w[0] + w[1] * w[1] + w[2] * w[2]) / q2
    width = np.sqrt(variance)
    near, far = (1 - q) / width, (1 + q) / width
    drift = (float((root * root).sum()) - variance) / (2 * q * width)
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
    priors = _priors(voxels, inside)
    # thinned data weigh as much against the priors as all of them would
    weight = np.sqrt(len(inside) / len(chosen))
    points, values = voxels.points_mm[chosen], voxels.values[chosen]
    noise = max(voxels.noise, 1e-9)

    def residuals(p: FloatArray) -> tuple[NDArray[np.float64], FloatArray]:
        shape = blurred_ellipsoid(p, points, voxels.normal)
        contrast, background = _linear(shape, values)
        data = weight * (values - background - contrast * shape) / noise
        return np.concatenate([data, (p - priors.mean) / priors.spread]), np.array([contrast, background])

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
    points = voxels.points_mm[inside]
    covariance = np.cov(points.T) + 0.05 * np.eye(3)
    factor = np.linalg.cholesky(np.linalg.inv(5.0 * covariance)).T
    upper = factor[[0, 0, 1], [1, 2, 2]]
    blur = np.log([PRIOR_IN_PLANE_MM, np.hypot(voxels.thickness_mm / np.sqrt(12), 0.3)])
    mean = np.concatenate([points.mean(axis=0), np.log(np.diag(factor)), upper, blur])
    extent = float(np.sqrt(5.0 * np.trace(covariance) / 3))
    spread = np.concatenate([
        np.full(3, extent), np.full(3, PRIOR_SHAPE_SPREAD), np.full(3, PRIOR_SHAPE_SPREAD / extent),
        [PRIOR_IN_PLANE_SPREAD, PRIOR_THROUGH_SPREAD],
    ])
    return _Priors(mean, spread)


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


def _finish(found: FloatArray, voxels: Voxels, priors: _Priors) -> EllipsoidFit | None:
    """Contrast, background, misfit and covariance at the solution."""
    shape = blurred_ellipsoid(found, voxels.points_mm, voxels.normal)
    contrast, background = _linear(shape, voxels.values)
    if contrast <= 0 or not np.isfinite(contrast):
        return None
    residual = voxels.values - background - contrast * shape
    rms = float(np.sqrt(np.mean(residual**2)))
    chosen = _thin(len(shape), LARGEST_SAMPLE)
    points, some = voxels.points_mm[chosen], shape[chosen]
    by_shape = _jacobian(lambda q: blurred_ellipsoid(q, points, voxels.normal), found, some)
    jacobian = np.column_stack([contrast * by_shape, some, np.ones_like(some)])
    information = jacobian.T @ jacobian * (len(shape) / len(some)) / max(rms, voxels.noise) ** 2
    information[: found.size, : found.size] += np.diag(1 / priors.spread**2)
    try:
        covariance: FloatArray = np.linalg.inv(information).astype(np.float64)
    except np.linalg.LinAlgError:
        return None
    return EllipsoidFit(
        found[:3], _factor(found), contrast, background, float(np.exp(found[9])), float(np.exp(found[10])), found,
        covariance, rms / contrast, (rms / max(voxels.noise, 1e-9)) ** 2,
    )
