"""Rotations as vectors (axis times angle) and as angles about the axes."""

from __future__ import annotations

import numpy as np

from neuraxis.domain.geometry import FloatArray


def cross_matrix(v: FloatArray) -> FloatArray:
    """Matrix K with `K @ w == cross(v, w)`."""
    return np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]], dtype=np.float64)


def rotation_from_vector(vector: FloatArray) -> FloatArray:
    """3x3 rotation about `vector` by its length in rad (Rodrigues)."""
    angle = float(np.linalg.norm(vector))
    k = cross_matrix(np.asarray(vector, dtype=np.float64))
    a = np.sinc(angle / np.pi)
    b = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    rotation: FloatArray = np.eye(3) + a * k + b * (k @ k)
    return rotation


def left_jacobian(vector: FloatArray) -> FloatArray:
    """3x3 matrix from a change of the rotation vector to the small turn that follows the rotation."""
    angle = float(np.linalg.norm(vector))
    k = cross_matrix(np.asarray(vector, dtype=np.float64))
    b = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    c = (1 - np.sinc(angle / np.pi)) / angle**2 if angle > 1e-4 else 1 / 6
    jacobian: FloatArray = np.eye(3) + b * k + c * (k @ k)
    return jacobian


def rotation_from_angles(angles_deg: tuple[float, float, float]) -> FloatArray:
    """Rotation about x, then y, then z, in degrees."""
    x, y, z = (rotation_from_vector(np.radians(a) * e) for a, e in zip(angles_deg, np.eye(3), strict=True))
    rotation: FloatArray = z @ y @ x
    return rotation


def about(centre: FloatArray, rotation: FloatArray, shift: FloatArray) -> FloatArray:
    """4x4 matrix of `p -> rotation (p - centre) + centre + shift`."""
    m = np.eye(4)
    m[:3, :3] = rotation
    m[:3, 3] = centre + shift - rotation @ centre
    return m


def nearest_rigid(matrix: FloatArray) -> FloatArray:
    """The same 4x4 matrix with rounding errors taken out of its rotation."""
    u, _, vt = np.linalg.svd(matrix[:3, :3])
    m = matrix.copy()
    m[:3, :3] = u @ vt
    return m


def angle_deg(a: FloatArray, b: FloatArray) -> float:
    """Angle between two rotations (3x3 or the upper left of 4x4), degrees."""
    cosine = (np.trace(a[:3, :3] @ b[:3, :3].T) - 1) / 2
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
