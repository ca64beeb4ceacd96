"""Planes in patient space, as they are shown on the screen."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from neuraxis.domain.geometry import FloatArray, Vector3, VolumeGeometry, orientation_letters
from neuraxis.domain.transform import Registration
from neuraxis.errors import GeometryError

DEFAULT_FIELD_MM = 230.0
DEFAULT_PIXEL_MM = 0.45


class Projection(enum.Enum):
    """How the values across a slab become one."""

    NONE = "none"
    MIP = "maximum"
    MINIP = "minimum"
    MEAN = "mean"


class EdgeLetters(NamedTuple):
    """Patient letters toward which the four edges of the picture lie."""

    left: str
    right: str
    top: str
    bottom: str


def _unit(vector: ArrayLike) -> FloatArray:
    v = np.asarray(vector, dtype=np.float64)
    length = float(np.linalg.norm(v))
    if v.shape != (3,) or not np.isfinite(length) or length == 0:
        raise GeometryError("plane with a direction of no length", expected="two directions at right angles")
    unit: FloatArray = v / length
    return unit


def _tuple(vector: ArrayLike) -> Vector3:
    x, y, z = (float(v) for v in np.asarray(vector, dtype=np.float64))
    return (x, y, z)


@dataclass(frozen=True)
class Plane:
    """A rectangle of square pixels in patient space, as it is shown on the screen.

    Parameters
    ----------
    centre_lps_mm : middle of the rectangle
    row_lps : unit vector to the right of the screen (column index grows)
    column_lps : unit vector down the screen (row index grows), at right angles to `row_lps`
    width_mm, height_mm : extent on the screen
    pixel_mm : distance of neighbouring pixel centres
    slab_mm : thickness over which `projection` runs, centred on the plane
    projection : NONE shows the plane itself
    frame_of_reference_uid : frame in which the plane lies
    """

    centre_lps_mm: Vector3
    row_lps: Vector3
    column_lps: Vector3
    width_mm: float = DEFAULT_FIELD_MM
    height_mm: float = DEFAULT_FIELD_MM
    pixel_mm: float = DEFAULT_PIXEL_MM
    slab_mm: float = 0.0
    projection: Projection = Projection.NONE
    frame_of_reference_uid: str = ""

    def __post_init__(self) -> None:
        row, column = _unit(self.row_lps), _unit(self.column_lps)
        if abs(float(row @ column)) > 1e-3:
            raise GeometryError(
                f"plane whose directions enclose {np.degrees(np.arccos(float(row @ column))):.2f} degrees",
                expected="90 degrees", remedy="use Plane.oblique, which makes the second direction perpendicular",
            )
        sizes = (self.width_mm, self.height_mm, self.pixel_mm)
        if not np.isfinite([*sizes, *self.centre_lps_mm]).all() or min(sizes) <= 0 or self.slab_mm < 0:
            raise GeometryError(
                f"plane of {self.width_mm:g} x {self.height_mm:g} mm with pixels of {self.pixel_mm:g} mm",
                expected="positive finite sizes",
            )
        object.__setattr__(self, "row_lps", _tuple(row))
        object.__setattr__(self, "column_lps", _tuple(_unit(column - (column @ row) * row)))

    @classmethod
    def axial(
        cls, centre_lps_mm: ArrayLike, *, width_mm: float = DEFAULT_FIELD_MM, height_mm: float | None = None,
        pixel_mm: float = DEFAULT_PIXEL_MM, frame_of_reference_uid: str = "",
    ) -> Plane:
        """Seen from the feet: patient right on screen left, anterior up."""
        return cls(
            _tuple(centre_lps_mm), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), width_mm, height_mm or width_mm, pixel_mm,
            frame_of_reference_uid=frame_of_reference_uid,
        )

    @classmethod
    def coronal(
        cls, centre_lps_mm: ArrayLike, *, width_mm: float = DEFAULT_FIELD_MM, height_mm: float | None = None,
        pixel_mm: float = DEFAULT_PIXEL_MM, frame_of_reference_uid: str = "",
    ) -> Plane:
        """Seen from the front: patient right on screen left, head up."""
        return cls(
            _tuple(centre_lps_mm), (1.0, 0.0, 0.0), (0.0, 0.0, -1.0), width_mm, height_mm or width_mm, pixel_mm,
            frame_of_reference_uid=frame_of_reference_uid,
        )

    @classmethod
    def sagittal(
        cls, centre_lps_mm: ArrayLike, *, width_mm: float = DEFAULT_FIELD_MM, height_mm: float | None = None,
        pixel_mm: float = DEFAULT_PIXEL_MM, frame_of_reference_uid: str = "",
    ) -> Plane:
        """Seen from the patient's left: anterior on screen left, head up."""
        return cls(
            _tuple(centre_lps_mm), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0), width_mm, height_mm or width_mm, pixel_mm,
            frame_of_reference_uid=frame_of_reference_uid,
        )

    @classmethod
    def oblique(
        cls, centre_lps_mm: ArrayLike, row_lps: ArrayLike, column_lps: ArrayLike, *,
        width_mm: float = DEFAULT_FIELD_MM, height_mm: float | None = None, pixel_mm: float = DEFAULT_PIXEL_MM,
        frame_of_reference_uid: str = "",
    ) -> Plane:
        """Any plane; the component of `column_lps` along `row_lps` is taken out, lengths do not matter."""
        row, column = _unit(row_lps), _unit(column_lps)
        column = _unit(column - (column @ row) * row)
        return cls(
            _tuple(centre_lps_mm), _tuple(row), _tuple(column), width_mm, height_mm or width_mm, pixel_mm,
            frame_of_reference_uid=frame_of_reference_uid,
        )

    @classmethod
    def of_slice(cls, geometry: VolumeGeometry, slice_index: float) -> Plane:
        """The plane of an acquired slice: with square pixels, pixels fall on voxel centres.

        The picture is turned and mirrored by right angles so that it reads like the nearest of the three standard
        displays (axial from the feet, coronal from the front, sagittal from the left).
        """
        _, rows, columns = geometry.shape_zyx
        centre = geometry.lps_from_index((slice_index, (rows - 1) / 2, (columns - 1) / 2))
        along_x, along_y, _ = (np.asarray(d) for d in geometry.direction_lps)
        sx, sy, _ = geometry.spacing_xyz_mm
        right, down = _screen_directions(np.asarray(geometry.slice_normal_lps))
        x_is_right = abs(float(along_x @ right)) >= abs(float(along_y @ right))
        row, column = (along_x, along_y) if x_is_right else (along_y, along_x)
        size = (columns * sx, rows * sy) if x_is_right else (rows * sy, columns * sx)
        row = row if float(row @ right) >= 0 else -row
        column = column if float(column @ down) >= 0 else -column
        return replace(
            cls.oblique(centre, row, column, frame_of_reference_uid=geometry.frame_of_reference_uid),
            width_mm=size[0], height_mm=size[1], pixel_mm=min(sx, sy),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the picture."""
        rows = max(1, round(self.height_mm / self.pixel_mm))
        return rows, max(1, round(self.width_mm / self.pixel_mm))

    @property
    def normal_lps(self) -> Vector3:
        """Unit normal, away from the viewer (right x down)."""
        return _tuple(np.cross(self.row_lps, self.column_lps))

    @property
    def edge_letters(self) -> EdgeLetters:
        """Letters for the four edges, from the vectors."""
        row, column = np.asarray(self.row_lps), np.asarray(self.column_lps)
        return EdgeLetters(
            orientation_letters(-row), orientation_letters(row), orientation_letters(-column),
            orientation_letters(column),
        )

    @property
    def name(self) -> str:
        """'axial', 'coronal' or 'sagittal' when within 15 degrees of it, else 'oblique'."""
        normal = np.abs(self.normal_lps)
        axis = int(np.argmax(normal))
        names = ("sagittal", "coronal", "axial")
        return names[axis] if float(normal[axis]) >= np.cos(np.radians(15.0)) else "oblique"

    def lps_from_pixel(self, row_column: ArrayLike) -> FloatArray:
        """LPS mm, shape (..., 3), of fractional (row, column) pixel positions, shape (..., 2)."""
        rc = np.asarray(row_column, dtype=np.float64)
        rows, columns = self.shape
        down = (rc[..., :1] - (rows - 1) / 2) * self.pixel_mm * np.asarray(self.column_lps)
        right = (rc[..., 1:] - (columns - 1) / 2) * self.pixel_mm * np.asarray(self.row_lps)
        points: FloatArray = np.asarray(self.centre_lps_mm) + down + right
        return points

    def pixel_from_lps(self, points_lps_mm: ArrayLike) -> FloatArray:
        """Fractional (row, column), shape (..., 2), of the feet of points, shape (..., 3), on the plane."""
        d = np.asarray(points_lps_mm, dtype=np.float64) - np.asarray(self.centre_lps_mm)
        rows, columns = self.shape
        row = d @ np.asarray(self.column_lps) / self.pixel_mm + (rows - 1) / 2
        column = d @ np.asarray(self.row_lps) / self.pixel_mm + (columns - 1) / 2
        return np.stack([row, column], axis=-1)

    def distance_mm(self, points_lps_mm: ArrayLike) -> FloatArray:
        """Signed distance of points, shape (..., 3), from the plane; positive away from the viewer."""
        d = np.asarray(points_lps_mm, dtype=np.float64) - np.asarray(self.centre_lps_mm)
        distance: FloatArray = d @ np.asarray(self.normal_lps)
        return distance

    def at(self, centre_lps_mm: ArrayLike) -> Plane:
        """The same plane, centred elsewhere."""
        return replace(self, centre_lps_mm=_tuple(centre_lps_mm))

    def through(self, point_lps_mm: ArrayLike) -> Plane:
        """The parallel plane through a point; the picture keeps its place."""
        shift = float(self.distance_mm(point_lps_mm)) * np.asarray(self.normal_lps)
        return self.at(np.asarray(self.centre_lps_mm) + shift)

    def zoomed(self, width_mm: float, height_mm: float | None = None, pixel_mm: float | None = None) -> Plane:
        """The same plane with another field of view."""
        return replace(
            self, width_mm=width_mm, height_mm=height_mm or width_mm, pixel_mm=pixel_mm or self.pixel_mm
        )

    def with_slab(self, slab_mm: float, projection: Projection) -> Plane:
        """The same plane as a slab."""
        return replace(self, slab_mm=slab_mm, projection=projection)

    def mapped(self, registration: Registration) -> Plane:
        """The same plane in the frame of reference to which a registration leads."""
        if registration.from_frame != self.frame_of_reference_uid:
            raise GeometryError(
                f"registration from {registration.from_frame}", expected=f"one from {self.frame_of_reference_uid}"
            )
        rotation = registration.array[:3, :3]
        return replace(
            self, centre_lps_mm=_tuple(registration.apply(self.centre_lps_mm)),
            row_lps=_tuple(rotation @ np.asarray(self.row_lps)),
            column_lps=_tuple(rotation @ np.asarray(self.column_lps)),
            frame_of_reference_uid=registration.to_frame,
        )


def _screen_directions(normal: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Right and down of the standard display nearest to a slice normal."""
    axis = int(np.argmax(np.abs(normal)))
    right = np.array([0.0, 1.0, 0.0]) if axis == 0 else np.array([1.0, 0.0, 0.0])
    down = np.array([0.0, 1.0, 0.0]) if axis == 2 else np.array([0.0, 0.0, -1.0])
    return right, down
