"""The linked point in every frame of reference, carried across accepted registrations only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from neuraxis.domain.geometry import Vector3
from neuraxis.domain.study import Role, Series, Study
from neuraxis.domain.transform import Registration, RegistrationSet


def frame_key(series: Series) -> str:
    """The frame of reference of a series; a series that names none stands in a frame of its own."""
    return series.frame_of_reference_uid or f"series {series.id}"


_MATCHED_BY = (Role.T1, Role.T1C, Role.T2, Role.CISS, Role.FLAIR, Role.SWI, Role.GRE, Role.CT)
"""Which series stands for its frame in a registration, best contrast for the match first."""


def representative(study: Study, frame: str) -> Series | None:
    """The series by which a frame of reference is registered, of those whose role is no guess."""
    candidates = (s for role in _MATCHED_BY for s in study.volumes_of(role))
    return next((s for s in candidates if s.frame_of_reference_uid == frame), None)


@dataclass(frozen=True)
class LinkState:
    """How two series are linked. `registration` is None where no point of one is known in the other."""

    registration: Registration | None
    same_frame: bool = False

    @classmethod
    def between(cls, a: str, b: str, registrations: RegistrationSet) -> LinkState:
        """From frame to frame."""
        return cls(registrations.between(a, b), same_frame=a == b)

    @property
    def label(self) -> str:
        """In words: 'same frame', 'registered, residual 0.4 mm', 'not linked'."""
        if self.same_frame:
            return "same frame"
        if self.registration is None:
            return "not linked"
        return f"registered, residual {self.registration.residual_mm:.1f} mm"


class PointLinks:
    """One point per frame of reference; frames that are registered move together, others stay where they are."""

    def __init__(self) -> None:
        self._points: dict[str, Vector3] = {}
        self._last = ""

    def place_in_middle(self, series: Iterable[Series]) -> None:
        """Start in the middle of the first volume of each frame."""
        for s in series:
            if s.geometry is not None and s.is_volume and frame_key(s) not in self._points:
                x, y, z = s.geometry.corners_lps_mm().mean(axis=0)
                self._points[frame_key(s)] = (float(x), float(y), float(z))

    def point_in(self, frame: str) -> Vector3 | None:
        """The point in a frame, LPS mm."""
        return self._points.get(frame)

    def set_point(self, frame: str, point_lps_mm: Vector3, registrations: RegistrationSet) -> None:
        """Move the point in one frame and in all that are registered to it."""
        self._points[frame] = point_lps_mm
        self._last = frame
        self.relink(registrations)

    def relink(self, registrations: RegistrationSet) -> None:
        """Carry the point of the frame that was moved last to the others again."""
        if self._last not in self._points:
            return
        for frame in self._points:
            way = registrations.between(self._last, frame) if frame != self._last else None
            if way is not None:
                x, y, z = np.asarray(way.apply(self._points[self._last]))
                self._points[frame] = (float(x), float(y), float(z))
