"""From a recipe's plane to the pixels of a panel and back to the patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuraxis.align.planes import Plane, Projection, sample_plane
from neuraxis.align.sampling import Interpolation
from neuraxis.domain.geometry import Vector3
from neuraxis.domain.transform import RegistrationSet
from neuraxis.domain.volume import Volume
from neuraxis.errors import GeometryError
from neuraxis.figures.recipe import PlaneSpec

_PROJECTION = {"mean": Projection.MEAN, "max": Projection.MIP, "min": Projection.MINIP}


@dataclass(frozen=True)
class PixelGrid:
    """The square pixels of a panel, centred on the plane's centre.

    The field of view is met exactly across; down it is a whole number of pixels, so within half a pixel.
    """

    spec: PlaneSpec
    columns: int
    rows: int

    @property
    def pixel_mm(self) -> float:
        """Side of a pixel in the patient."""
        return self.spec.field_of_view_mm[0] / self.columns

    @property
    def plane(self) -> Plane:
        """The plane as the resampling takes it."""
        return Plane(
            self.spec.centre_lps_mm, self.spec.right, self.spec.down, self.columns * self.pixel_mm,
            self.rows * self.pixel_mm, self.pixel_mm, self.spec.slab_mm,
            _PROJECTION[self.spec.projection] if self.spec.slab_mm > 0 else Projection.NONE,
            self.spec.frame_of_reference_uid,
        )

    def shows(self, point_lps_mm: Vector3) -> bool:
        """Whether a point lies in the field of view (at whatever depth)."""
        across, down = self.mm_from_lps(point_lps_mm)
        return 0 <= across <= self.columns * self.pixel_mm and 0 <= down <= self.rows * self.pixel_mm

    def mm_from_lps(self, point_lps_mm: Vector3) -> tuple[float, float]:
        """Patient mm to the right of and below the panel's top left corner."""
        row, column = self.plane.pixel_from_lps(point_lps_mm)
        return (float(column) + 0.5) * self.pixel_mm, (float(row) + 0.5) * self.pixel_mm

    def lps_from_mm(self, right_mm: float, down_mm: float) -> Vector3:
        """The point of the plane at patient mm from the panel's top left corner."""
        x, y, z = self.plane.lps_from_pixel((down_mm / self.pixel_mm - 0.5, right_mm / self.pixel_mm - 0.5))
        return float(x), float(y), float(z)


def sample_grid(
    volume: Volume, grid: PixelGrid, interpolation: str = "linear", registrations: RegistrationSet | None = None
) -> NDArray[np.float32]:
    """Values (rows, columns) float32 of a volume on a panel's pixels; NaN outside the volume and in padding.

    Raises
    ------
    GeometryError
        When the plane lies in another frame of reference than the volume and no registration between them is known.
    """
    plane, frame = grid.plane, volume.frame_of_reference_uid
    registration = None
    if plane.frame_of_reference_uid not in ("", frame):
        registration = (registrations or RegistrationSet()).between(plane.frame_of_reference_uid, frame)
        if registration is None:
            raise GeometryError(
                "a plane in another frame of reference than its series",
                expected="one frame of reference, or a registration between the two",
                remedy="give the registration, or the plane in the frame of reference of the series",
            )
    return sample_plane(volume, plane, registration=registration, interpolation=Interpolation[interpolation.upper()])


def check_reaches(
    letter: str, spec: PlaneSpec, volume: Volume, registrations: RegistrationSet | None = None
) -> None:
    """Raise where a panel would be empty.

    Raises
    ------
    GeometryError
        When the plane does not meet the volume, or lies in another frame of reference without a registration.
    """
    width, height = spec.field_of_view_mm
    coarse = PixelGrid(spec, 48, max(4, round(48 * height / width)))
    try:
        empty = not np.isfinite(sample_grid(volume, coarse, "nearest", registrations)).any()
    except GeometryError as error:
        raise GeometryError(f"panel {letter}: {error.found}", expected=error.expected, remedy=error.remedy) from None
    if empty:
        low, high = volume.geometry.bounds_lps_mm()
        spans = ", ".join(f"{a:.0f} to {b:.0f}" for a, b in zip(low, high, strict=True))
        raise GeometryError(
            f"panel {letter}: plane at {tuple(round(v, 1) for v in spec.centre_lps_mm)} mm does not meet the volume",
            expected=f"centre_lps_mm within {spans} mm", remedy="correct the plane in the recipe",
        )
