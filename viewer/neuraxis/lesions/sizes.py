"""Sizes of a fitted ellipsoid with their standard deviations: diameters in a slice, in space, volume, surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuraxis.domain.geometry import FloatArray
from neuraxis.lesions.ellipsoid import EllipsoidFit


@dataclass(frozen=True, eq=False)
class EllipsoidSizes:
    """Sizes in mm, mm2, mm3 and directions (unit, LPS) of an ellipsoid; `sd` has one entry a size, same order.

    Order of `values` and `sd`: long axis and short axis of the section through the centre parallel to the slices,
    largest diameter in space, volume, surface.
    """

    values: FloatArray
    sd: FloatArray
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
    variance = np.einsum("ij,jk,ik->i", gradient, fit.covariance[3:9, 3:9], gradient)
    basis = np.stack([e1, e2], axis=1)
    _, in_plane = np.linalg.eigh(basis.T @ fit.matrix @ basis)
    _, in_space = np.linalg.eigh(fit.matrix)
    return EllipsoidSizes(
        values, np.sqrt(np.maximum(variance, 0.0)), basis @ in_plane[:, 0], basis @ in_plane[:, 1], in_space[:, 0]
    )


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
