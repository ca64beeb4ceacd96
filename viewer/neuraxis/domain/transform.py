"""Rigid transforms between frames of reference, and how good they are known to be."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from neuraxis.domain.geometry import FloatArray
from neuraxis.errors import GeometryError


@dataclass(frozen=True)
class Registration:
    """Rigid map of LPS points from one frame of reference to another.

    Parameters
    ----------
    matrix : 4 rows of 4 numbers; `to_point = matrix @ from_point` (homogeneous LPS mm)
    from_frame, to_frame : FrameOfReferenceUIDs
    residual_mm : estimated error (95th percentile) at the place of interest; 0 for the identity
    method : how it was found ("identity: same frame of reference", "mutual information, rigid", "manual")
    """

    matrix: tuple[tuple[float, float, float, float], ...]
    from_frame: str
    to_frame: str
    residual_mm: float
    method: str

    def __post_init__(self) -> None:
        r = self.array[:3, :3]
        if not np.allclose(r @ r.T, np.eye(3), atol=1e-6) or np.linalg.det(r) < 0:
            raise GeometryError(
                "registration matrix that is not a rotation", expected="a rigid transform without mirroring"
            )

    @classmethod
    def identity(cls, frame: str) -> Registration:
        """The map of a frame of reference onto itself."""
        return cls.from_array(np.eye(4), frame, frame, 0.0, "same frame of reference")

    @classmethod
    def from_array(
        cls, matrix: ArrayLike, from_frame: str, to_frame: str, residual_mm: float, method: str
    ) -> Registration:
        """From a 4x4 array."""
        m = np.asarray(matrix, dtype=np.float64)
        rows = tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in m)
        return cls(rows, from_frame, to_frame, residual_mm, method)

    @cached_property
    def array(self) -> FloatArray:
        """The 4x4 matrix, float64."""
        return np.array(self.matrix, dtype=np.float64)

    def apply(self, points_lps_mm: ArrayLike) -> FloatArray:
        """Points of `from_frame`, shape (..., 3), as points of `to_frame`."""
        points: FloatArray = np.asarray(points_lps_mm, dtype=np.float64) @ self.array[:3, :3].T + self.array[:3, 3]
        return points

    @property
    def inverse(self) -> Registration:
        """The map back."""
        return Registration.from_array(
            np.linalg.inv(self.array), self.to_frame, self.from_frame, self.residual_mm, self.method
        )

    def then(self, other: Registration) -> Registration:
        """This map followed by another; residuals add in quadrature."""
        if other.from_frame != self.to_frame:
            raise GeometryError(
                "registrations that do not meet in one frame of reference",
                expected=f"one that starts from {self.to_frame}",
            )
        residual = float(np.hypot(self.residual_mm, other.residual_mm))
        return Registration.from_array(
            other.array @ self.array, self.from_frame, other.to_frame, residual, f"{self.method}; {other.method}"
        )


@dataclass(frozen=True)
class RegistrationSet:
    """The accepted registrations of a study; without one, nothing crosses frames of reference."""

    registrations: tuple[Registration, ...] = ()

    def between(self, from_frame: str, to_frame: str) -> Registration | None:
        """The map from one frame to another: identity, stored, inverted, or through one common frame; else None."""
        if from_frame == to_frame and from_frame:
            return Registration.identity(from_frame)
        direct = [r for r in self._both_ways() if r.from_frame == from_frame and r.to_frame == to_frame]
        if direct:
            return min(direct, key=lambda r: r.residual_mm)
        through = [
            a.then(b)
            for a in self._both_ways() if a.from_frame == from_frame
            for b in self._both_ways() if b.from_frame == a.to_frame and b.to_frame == to_frame
        ]
        return min(through, key=lambda r: r.residual_mm) if through else None

    def _both_ways(self) -> tuple[Registration, ...]:
        return self.registrations + tuple(r.inverse for r in self.registrations)

    def with_registration(self, registration: Registration) -> RegistrationSet:
        """A new set in which this registration replaces one between the same two frames."""
        pair = {registration.from_frame, registration.to_frame}
        kept = tuple(r for r in self.registrations if {r.from_frame, r.to_frame} != pair)
        return RegistrationSet((*kept, registration))
