"""Sizes of a fitted ellipsoid with their standard deviations: diameters in a slice, in space, volume, surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuraxis.domain.geometry import FloatArray
from neuraxis.lesions.ellipsoid import EllipsoidFit


@dataclass(frozen=True, eq=False)
class EllipsoidSizes:
    """Sizes in mm, mm2, mm3 and directions (unit, LPS) of an ellipsoid; `sd` has one entry a size, same order.

    `difference_sd` is the standard deviation of long minus short axis.

    Order of `values` and `sd`: long axis and short axis of the section through the centre parallel to the slices,
    largest diameter in space, volume, surface.
    """

    values: FloatArray
    sd: FloatArray
    difference_sd: float
    long_direction: FloatArray
    short_direction: FloatArray
    largest_direction: FloatArray


def ellipsoid_sizes(fit: EllipsoidFit, e1: FloatArray, e2: FloatArray) -> EllipsoidSizes:
    """Sizes of a fit; `e1`, `e2` span the slice plane. Standard deviations by propagating the fit's covariance."""
    values = _sizes(fit.factor, e1, e2)
    gradient = np.zeros((5, 6))
    for i in range(6):
        moved = fit.parameters[3:9].copy()
        moved[i] += 1e-5
        gradient[:, i] = (_sizes(_upper(moved), e1, e2) - values) / 1e-5
    covariance = gradient @ fit.covariance[3:9, 3:9] @ gradient.T
    difference = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    basis = np.stack([e1, e2], axis=1)
    _, in_plane = np.linalg.eigh(basis.T @ fit.matrix @ basis)
    _, in_space = np.linalg.eigh(fit.matrix)
    return EllipsoidSizes(
        values, np.sqrt(np.maximum(np.diag(covariance), 0.0)), float(np.sqrt(max(difference, 0.0))), basis @ in_plane[:, 0], basis @ in_plane[:, 1], in_space[:, 0]
    )


def without_noise(sizes: EllipsoidSizes, correlation: float) -> FloatArray:
    """Long and short axis less what noise adds to their difference, (2,) mm; their mean stays.

    Noise stretches a circle in some direction: the difference d is the length of a vector of two components, each with
    the noise s of the difference, so that the mean of d^2 is d0^2 + 2 s^2.
    """
    long, short = sizes.values[:2]
    noise = 2 * (correlation * sizes.difference_sd) ** 2
    half = 0.5 * float(np.sqrt(max((long - short) ** 2 - noise, 0.0)))
    middle = 0.5 * float(long + short)
    return np.array([middle + half, middle - half])


def _upper(six: FloatArray) -> FloatArray:
    b = np.zeros((3, 3))
    b[[0, 1, 2], [0, 1, 2]] = np.exp(six[:3])
    b[0, 1], b[0, 2], b[1, 2] = six[3:]
    return b


def _sizes(factor: FloatArray, e1: FloatArray, e2: FloatArray) -> FloatArray:
    m = factor.T @ factor
    basis = np.stack([e1, e2], axis=1)
    section = np.linalg.eigvalsh(basis.T @ m @ basis)
    axes = 1 / np.sqrt(np.linalg.eigvalsh(m))
    volume = 4 / 3 * np.pi / np.linalg.det(factor)
    # Thomsen's approximation, within 1.1 %
    pairs = (axes[0] * axes[1]) ** 1.6075 + (axes[0] * axes[2]) ** 1.6075 + (axes[1] * axes[2]) ** 1.6075
    surface = 4 * np.pi * (pairs / 3) ** (1 / 1.6075)
    return np.array([2 / np.sqrt(section[0]), 2 / np.sqrt(section[1]), 2 * axes.max(), volume, surface])
