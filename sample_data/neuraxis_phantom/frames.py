"""Rigid transforms and acquisition grids: where a voxel of each series lies in the head."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Rigid:
    """Rotation and translation in mm that carry a point (x, y, z) of one frame into another."""

    rotation: Float
    translation_mm: Float

    def apply(self, points: Float) -> Float:
        """Transform points of shape (..., 3) in mm."""
        return np.asarray(points, dtype=np.float64) @ self.rotation.T + self.translation_mm

    def after(self, first: Rigid) -> Rigid:
        """The transform that does `first`, then this one."""
        return Rigid(self.rotation @ first.rotation, self.rotation @ first.translation_mm + self.translation_mm)

    def inverse(self) -> Rigid:
        """The transform back."""
        return Rigid(self.rotation.T, -self.rotation.T @ self.translation_mm)

    def matrix(self) -> Float:
        """4x4 homogeneous matrix for column vectors (x, y, z, 1)."""
        out = np.eye(4)
        out[:3, :3] = self.rotation
        out[:3, 3] = self.translation_mm
        return out


def rotation_xyz(degrees: tuple[float, float, float]) -> Float:
    """Rotation matrix Rz @ Ry @ Rx from three angles in degrees about the x, y and z axes."""
    ax, ay, az = np.deg2rad(degrees)
    rx = np.array([[1, 0, 0], [0, np.cos(ax), -np.sin(ax)], [0, np.sin(ax), np.cos(ax)]])
    ry = np.array([[np.cos(ay), 0, np.sin(ay)], [0, 1, 0], [-np.sin(ay), 0, np.cos(ay)]])
    rz = np.array([[np.cos(az), -np.sin(az), 0], [np.sin(az), np.cos(az), 0], [0, 0, 1]])
    return np.asarray(rz @ ry @ rx)


def rigid_about(
    pivot: tuple[float, float, float], degrees: tuple[float, float, float], shift_mm: tuple[float, float, float]
) -> Rigid:
    """Rotation about `pivot` followed by a shift, all in mm and degrees."""
    rotation = rotation_xyz(degrees)
    centre = np.asarray(pivot, dtype=np.float64)
    return Rigid(rotation, centre - rotation @ centre + np.asarray(shift_mm, dtype=np.float64))


@dataclass(frozen=True)
class Grid:
    """One acquisition grid: shape (slices, rows, columns), spacing and axes in LPS mm of its frame of reference."""

    shape: tuple[int, int, int]
    spacing_xyz_mm: tuple[float, float, float]
    origin_lps_mm: Float
    axes: Float
    """Rows: unit vectors of increasing column, row and slice index."""

    def affine(self) -> Float:
        """(3, 4) matrix from (slice, row, column) indices to LPS mm."""
        sx, sy, sz = self.spacing_xyz_mm
        steps = np.stack([self.axes[2] * sz, self.axes[1] * sy, self.axes[0] * sx], axis=1)
        return np.concatenate([steps, self.origin_lps_mm[:, None]], axis=1)

    def points(self, index_zyx: Float) -> Float:
        """LPS mm of (slice, row, column) indices of shape (..., 3)."""
        a = self.affine()
        return np.asarray(index_zyx, dtype=np.float64) @ a[:, :3].T + a[:, 3]

    def index(self, points: Float) -> Float:
        """Continuous (slice, row, column) indices of LPS points of shape (..., 3)."""
        a = self.affine()
        return (np.asarray(points, dtype=np.float64) - a[:, 3]) @ np.linalg.inv(a[:, :3]).T

    def rows(self, first: int, last: int) -> Grid:
        """The sub-grid of slices first..last-1."""
        return self.crop((first, 0, 0), (last, self.shape[1], self.shape[2]))

    def crop(self, low: tuple[int, int, int], high: tuple[int, int, int]) -> Grid:
        """The sub-grid of indices low (inclusive) to high (exclusive)."""
        shape = (high[0] - low[0], high[1] - low[1], high[2] - low[2])
        return replace(self, shape=shape, origin_lps_mm=self.points(np.asarray(low, dtype=np.float64)))

    def finer(self, factors: tuple[int, int, int]) -> Grid:
        """Grid whose voxels split each voxel in factors (slice, row, column), filling the same box."""
        fz, fy, fx = factors
        sx, sy, sz = self.spacing_xyz_mm
        first = np.array([(1 / fz - 1) / 2, (1 / fy - 1) / 2, (1 / fx - 1) / 2])
        shape = (self.shape[0] * fz, self.shape[1] * fy, self.shape[2] * fx)
        return Grid(shape, (sx / fx, sy / fy, sz / fz), self.points(first), self.axes)


def centred_grid(
    shape: tuple[int, int, int],
    spacing_xyz_mm: tuple[float, float, float],
    centre_lps_mm: tuple[float, float, float],
    degrees: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Grid:
    """Grid of `shape` whose middle lies at `centre_lps_mm`, its axes turned by `degrees` from the patient axes."""
    axes = rotation_xyz(degrees).T.copy()
    grid = Grid(shape, spacing_xyz_mm, np.zeros(3), axes)
    middle = grid.points((np.asarray(shape, dtype=np.float64) - 1) / 2)
    return replace(grid, origin_lps_mm=np.round(np.asarray(centre_lps_mm) - middle, 6))
