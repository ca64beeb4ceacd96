"""Where voxels lie in the patient: the one place that converts indices to millimetres and back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuraxis.errors import GeometryError

Vector3: TypeAlias = tuple[float, float, float]
Shape3: TypeAlias = tuple[int, int, int]
FloatArray: TypeAlias = NDArray[np.float64]

SHEAR_TOLERANCE_DEGREES = 0.1
"""Between slice step and slice normal; beyond it a grid counts as sheared (gantry tilt), which every result says."""


def _vector(values: ArrayLike) -> Vector3:
    x, y, z = (float(v) for v in np.asarray(values, dtype=np.float64).ravel())
    return (x, y, z)


@dataclass(frozen=True)
class VolumeGeometry:
    """A regular grid of voxel centres in LPS patient space (+x left, +y posterior, +z head).

    Arrays are indexed (z, y, x) = (slice, row, column). The three steps are the LPS displacement
    in mm for one index more along the column index x, the row index y and the slice index z. They need
    not be orthogonal: a tilted gantry shears the grid. Handedness is free.

    Parameters
    ----------
    shape_zyx : number of slices, rows, columns
    origin_lps_mm : centre of voxel (0, 0, 0)
    step_x_mm, step_y_mm, step_z_mm : LPS displacement per column, row, slice index
    frame_of_reference_uid : DICOM FrameOfReferenceUID; points of different frames are never mixed
    """

    shape_zyx: Shape3
    origin_lps_mm: Vector3
    step_x_mm: Vector3
    step_y_mm: Vector3
    step_z_mm: Vector3
    frame_of_reference_uid: str = ""

    def __post_init__(self) -> None:
        matrix = np.array([self.step_x_mm, self.step_y_mm, self.step_z_mm], dtype=np.float64)
        if not np.isfinite(matrix).all() or not np.isfinite(self.origin_lps_mm).all():
            raise GeometryError("grid with a step or origin that is not a finite number", expected="finite millimetres")
        if min(self.shape_zyx) < 1:
            raise GeometryError(f"grid of {self.shape_zyx} voxels", expected="at least one voxel along each axis")
        if abs(np.linalg.det(matrix)) < 1e-9:
            raise GeometryError(
                "grid whose three steps lie in one plane", expected="three independent directions",
                remedy="view the slices as pictures without millimetres",
            )

    @classmethod
    def axis_aligned(
        cls, shape_zyx: Shape3, spacing_xyz_mm: Vector3, origin_lps_mm: Vector3 = (0.0, 0.0, 0.0),
        frame_of_reference_uid: str = "",
    ) -> VolumeGeometry:
        """Grid with columns to the left, rows to posterior and slices to the head of the patient."""
        sx, sy, sz = spacing_xyz_mm
        return cls(shape_zyx, origin_lps_mm, (sx, 0.0, 0.0), (0.0, sy, 0.0), (0.0, 0.0, sz), frame_of_reference_uid)

    @classmethod
    def from_affine(cls, shape_zyx: Shape3, affine: ArrayLike, frame_of_reference_uid: str = "") -> VolumeGeometry:
        """Grid from a 4x4 matrix that maps homogeneous (x, y, z) indices to LPS mm (left-multiplied)."""
        m = np.asarray(affine, dtype=np.float64)
        return cls(
            shape_zyx, _vector(m[:3, 3]), _vector(m[:3, 0]), _vector(m[:3, 1]), _vector(m[:3, 2]), frame_of_reference_uid
        )

    @cached_property
    def affine_lps_from_xyz(self) -> FloatArray:
        """4x4 matrix from homogeneous (column, row, slice) index to LPS mm; multiply from the left."""
        m = np.eye(4)
        m[:3, 0], m[:3, 1], m[:3, 2] = self.step_x_mm, self.step_y_mm, self.step_z_mm
        m[:3, 3] = self.origin_lps_mm
        return m

    @cached_property
    def affine_xyz_from_lps(self) -> FloatArray:
        """4x4 matrix from LPS mm to (column, row, slice) index; multiply from the left."""
        return np.linalg.inv(self.affine_lps_from_xyz).astype(np.float64)

    @property
    def spacing_xyz_mm(self) -> Vector3:
        """Length of the three steps: between columns, rows, slices."""
        return _vector([np.linalg.norm(s) for s in (self.step_x_mm, self.step_y_mm, self.step_z_mm)])

    @property
    def direction_lps(self) -> tuple[Vector3, Vector3, Vector3]:
        """Unit vectors of increasing column, row and slice index, one a row."""
        sx, sy, sz = self.spacing_xyz_mm
        return (
            _vector(np.divide(self.step_x_mm, sx)), _vector(np.divide(self.step_y_mm, sy)),
            _vector(np.divide(self.step_z_mm, sz)),
        )

    @property
    def slice_normal_lps(self) -> Vector3:
        """Unit normal of the slices, on the side to which the slice index grows."""
        n = np.cross(self.step_x_mm, self.step_y_mm)
        n = n / np.linalg.norm(n)
        return _vector(n if float(np.dot(n, self.step_z_mm)) > 0 else -n)

    @property
    def slice_distance_mm(self) -> float:
        """Distance of neighbouring slice planes along their normal (shorter than the step where sheared)."""
        return float(np.dot(self.step_z_mm, self.slice_normal_lps))

    @property
    def shear_degrees(self) -> float:
        """Angle between slice step and slice normal; 0 for an upright gantry."""
        cosine = self.slice_distance_mm / self.spacing_xyz_mm[2]
        return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))

    @property
    def is_sheared(self) -> bool:
        """Whether the slices are stacked askew by more than `SHEAR_TOLERANCE_DEGREES`."""
        return self.shear_degrees > SHEAR_TOLERANCE_DEGREES

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel (determinant of the steps, so right for sheared grids too)."""
        return float(abs(np.linalg.det(self.affine_lps_from_xyz[:3, :3])))

    def lps_from_index(self, index_zyx: ArrayLike) -> FloatArray:
        """LPS points in mm, shape (..., 3) as (x, y, z), of fractional indices (..., 3) as (z, y, x)."""
        index = np.asarray(index_zyx, dtype=np.float64)[..., ::-1]
        points: FloatArray = index @ self.affine_lps_from_xyz[:3, :3].T + np.asarray(self.origin_lps_mm)
        return points

    def index_from_lps(self, points_lps_mm: ArrayLike) -> FloatArray:
        """Fractional (z, y, x) indices, shape (..., 3), of LPS points in mm, shape (..., 3)."""
        points = np.asarray(points_lps_mm, dtype=np.float64)
        m = self.affine_xyz_from_lps
        index: FloatArray = (points @ m[:3, :3].T + m[:3, 3])[..., ::-1]
        return index

    def contains(self, point_lps_mm: ArrayLike) -> bool:
        """Whether a point lies in the volume: within half a voxel of the outermost voxel centres."""
        index = self.index_from_lps(point_lps_mm)
        return bool((index >= -0.5).all() and (index <= np.asarray(self.shape_zyx) - 0.5).all())

    def nearest_index(self, point_lps_mm: ArrayLike) -> Shape3:
        """(z, y, x) of the voxel in which a point lies.

        Raises
        ------
        GeometryError
            When the point is outside the volume.
        """
        if not self.contains(point_lps_mm):
            point = ", ".join(f"{v:.1f}" for v in np.asarray(point_lps_mm, dtype=np.float64))
            low, high = self.bounds_lps_mm()
            raise GeometryError(
                f"point ({point}) mm is outside the volume",
                expected=f"L,P,S between ({', '.join(f'{v:.1f}' for v in low)}) and "
                f"({', '.join(f'{v:.1f}' for v in high)}) mm",
                remedy="give the point in LPS mm in this series' frame of reference",
            )
        z, y, x = np.clip(np.rint(self.index_from_lps(point_lps_mm)), 0, np.asarray(self.shape_zyx) - 1).astype(int)
        return int(z), int(y), int(x)

    def corners_lps_mm(self) -> FloatArray:
        """The eight outer corner points (voxel edges, not centres), shape (8, 3), LPS mm."""
        nz, ny, nx = self.shape_zyx
        ends = [(-0.5, nz - 0.5), (-0.5, ny - 0.5), (-0.5, nx - 0.5)]
        return self.lps_from_index([(z, y, x) for z in ends[0] for y in ends[1] for x in ends[2]])

    def bounds_lps_mm(self) -> tuple[Vector3, Vector3]:
        """Smallest and largest LPS coordinate that any part of the volume reaches."""
        corners = self.corners_lps_mm()
        return _vector(corners.min(axis=0)), _vector(corners.max(axis=0))

    def cropped(self, start_zyx: Shape3, shape_zyx: Shape3) -> VolumeGeometry:
        """Geometry of the sub-array that starts at `start_zyx` (may be negative: a margin outside)."""
        return replace(self, shape_zyx=shape_zyx, origin_lps_mm=_vector(self.lps_from_index(start_zyx)))

    def is_close_to(self, other: VolumeGeometry, tolerance_mm: float = 0.01) -> bool:
        """Same frame and shape, and every corner of the grid within `tolerance_mm`."""
        if self.shape_zyx != other.shape_zyx or self.frame_of_reference_uid != other.frame_of_reference_uid:
            return False
        distance = np.linalg.norm(self.corners_lps_mm() - other.corners_lps_mm(), axis=1)
        return bool(distance.max() <= tolerance_mm)


def orientation_letters(direction_lps: ArrayLike) -> str:
    """Patient letters toward which a vector points, largest component first: 'L', 'RA', 'HP'.

    Letters are L/R, P/A, H/F. Components below 0.1 of the length (about 6 degrees) are left out, so that a slightly
    oblique axial slice still reads 'R' and a real oblique reads 'RA'.
    """
    v = np.asarray(direction_lps, dtype=np.float64)
    length = float(np.linalg.norm(v))
    if length == 0 or not np.isfinite(length):
        return ""
    v = v / length
    names = ("LR", "PA", "HF")
    order = sorted(range(3), key=lambda axis: -abs(float(v[axis])))
    return "".join(names[axis][0 if v[axis] > 0 else 1] for axis in order if abs(float(v[axis])) > 0.1)
