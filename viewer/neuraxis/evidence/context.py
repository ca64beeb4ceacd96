"""What metrics may look at: the study's voxels, one lesion, the registrations and the reader's answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from neuraxis.domain.geometry import FloatArray, Vector3, VolumeGeometry
from neuraxis.domain.lesion import Lesion
from neuraxis.domain.study import Role, Series, Study
from neuraxis.domain.transform import Registration, RegistrationSet
from neuraxis.domain.volume import Volume
from neuraxis.errors import NeuraxisError
from neuraxis.evidence.field import LesionField
from neuraxis.evidence.sampling import box_of_points, padded_to_nan, voxel_points

T = TypeVar("T")

SURROUNDINGS_MM = 2.0
LEAST_COVERED = 0.9
"""Share of the lesion and its surroundings that a series must cover to be measured."""


@dataclass(frozen=True)
class DuralTailAnswers:
    """The reader's answers to the three criteria of Goldsher 1990, and the measured path.

    Parameters
    ----------
    consecutive_sections : two or more consecutive sections at the same site, in more than one plane
    tapers_from_tumour : thickest at the tumour, tapering away from it
    enhances_more : enhances more than the tumour
    path_lps_mm : points along the dural enhancement, in `frame_of_reference_uid`
    """

    consecutive_sections: bool
    tapers_from_tumour: bool
    enhances_more: bool
    path_lps_mm: tuple[Vector3, ...] = ()
    frame_of_reference_uid: str = ""


@dataclass(frozen=True)
class ReaderAnswers:
    """What only a reader can say; everything None is "not reported".

    Parameters
    ----------
    dural_tail : answers to the structured question
    compartment : value asserted by the reader
    paramagnetic_vein_lps_mm : a point in a large vein on the phase series, in that series' frame of reference
    reference_lps_mm : points at which reference tissue was placed by hand, by name ("grey matter"), lesion's frame
    """

    dural_tail: DuralTailAnswers | None = None
    compartment: str | None = None
    paramagnetic_vein_lps_mm: Vector3 | None = None
    reference_lps_mm: tuple[tuple[str, Vector3], ...] = ()


@dataclass(frozen=True, eq=False)
class Patch:
    """Native voxels of a series around the lesion.

    Parameters
    ----------
    series : where they come from
    volume : the cropped volume (series' own frame of reference)
    values : (z, y, x) float64, NaN outside the scanned field
    distance_mm : (z, y, x) signed distance to the lesion's surface
    points_lps_mm : (z, y, x, 3) voxel centres in the lesion's frame of reference
    registration : from the lesion's frame to the series'
    """

    series: Series
    volume: Volume
    values: FloatArray
    distance_mm: FloatArray
    points_lps_mm: FloatArray
    registration: Registration

    @property
    def geometry(self) -> VolumeGeometry:
        """Grid of the cropped voxels."""
        return self.volume.geometry

    @property
    def slice_mm(self) -> float:
        """What limits resolution across slices: the larger of slice thickness and slice distance."""
        return max(self.geometry.slice_distance_mm, self.volume.slice_thickness_mm or 0.0)

    @property
    def pixel_mm(self) -> float:
        """Larger of the two in-plane spacings."""
        return max(self.geometry.spacing_xyz_mm[:2])


@dataclass(frozen=True, eq=False)
class EvidenceContext:
    """One lesion of one study, with everything that evidence is taken from. Volumes are read once, when needed."""

    study: Study
    lesion: Lesion
    registrations: RegistrationSet = field(default_factory=RegistrationSet)
    answers: ReaderAnswers = field(default_factory=ReaderAnswers)
    _cache: dict[Any, Any] = field(default_factory=dict, repr=False)

    def remember(self, key: object, make: Callable[[], T]) -> T:
        """The value made for this key, made once a context."""
        if key not in self._cache:
            self._cache[key] = make()
        value: T = self._cache[key]
        return value

    def with_lesion(self, lesion: Lesion) -> EvidenceContext:
        """The same study with another mask for the lesion; volumes in memory are shared."""
        kept = {k: v for k, v in self._cache.items() if isinstance(k, tuple) and k[0] == "volume"}
        return replace(self, lesion=lesion, _cache=kept)

    @property
    def frame(self) -> str:
        """FrameOfReferenceUID in which the lesion is known."""
        return self.lesion.frame_of_reference_uid

    @property
    def field(self) -> LesionField:
        """Signed distance to the lesion's surface."""
        return self.remember("field", lambda: LesionField.from_mask(self.lesion.mask))

    @property
    def diameter_mm(self) -> float:
        """Long axis where it was measured, else the diameter of the sphere of equal volume."""
        long_axis = self.lesion.measurement.long_axis
        return long_axis.quantity.value if long_axis else self.field.equivalent_diameter_mm

    def volume(self, series: Series) -> Volume:
        """Voxels of a series, read once."""
        return self.remember(("volume", series.id), series.volume)

    def series_of(self, *roles: Role) -> tuple[Series, ...]:
        """Measurable volumes of these roles whose frame of reference is registered to the lesion's, thinnest first."""
        return tuple(s for s in self.study.volumes_of(*roles) if self.why_not(s) is None)

    def why_not(self, series: Series) -> str | None:
        """Why a series cannot be measured at the lesion; None where it can."""
        if series.acquisition.lossy:
            return "lossy compression: not for measurement"
        registration = self.way_to(series)
        if registration is None:
            return "its frame of reference is not registered to the lesion's"
        assert series.geometry is not None
        if not series.geometry.contains(registration.apply(self.field.centre_lps_mm)):
            return "the lesion lies outside its field of view"
        if self._share_inside(series.geometry, registration) < LEAST_COVERED:
            return "the lesion lies only partly inside its field of view"
        try:
            measurable = self.volume(series).is_measurable
        except NeuraxisError as error:
            return f"it could not be read: {error.found}"
        return None if measurable else "its values may not be measured: " + "; ".join(self.volume(series).caveats)

    def _share_inside(self, geometry: VolumeGeometry, registration: Registration) -> float:
        """Share of the lesion's box, with `SURROUNDINGS_MM` around it, that a grid covers."""
        points = self.lesion.mask.points_lps_mm()
        low, high = points.min(axis=0) - SURROUNDINGS_MM, points.max(axis=0) + SURROUNDINGS_MM
        ends = [np.linspace(a, b, 7) for a, b in zip(low, high, strict=True)]
        lattice = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3)
        index = geometry.index_from_lps(registration.apply(lattice))
        inside = ((index >= -0.5) & (index <= np.asarray(geometry.shape_zyx) - 0.5)).all(axis=1)
        return float(inside.mean())

    def reason_without(self, *roles: Role) -> str:
        """In words, why there is no measurable series of these roles."""
        names = " or ".join(r.value for r in roles)
        found = [s for s in self.study.series if s.role.role in roles]
        usable = self.study.volumes_of(*roles)
        if not found:
            return f"the study has no {names} series"
        if not usable:
            because = found[0].refusal or "the role is a guess"
            return f"the {names} series {found[0].id} cannot be used: {because}"
        return f"the {names} series {usable[0].id} cannot be used: {self.why_not(usable[0])}"

    def way_to(self, series: Series) -> Registration | None:
        """Map from the lesion's frame of reference to a series'."""
        if series.frame_of_reference_uid and series.frame_of_reference_uid == self.frame:
            return Registration.identity(self.frame)
        if series.series_uid == self.lesion.mask.series_uid and series.id == self.lesion.mask.series_id:
            return Registration.from_array(np.eye(4), self.frame, self.frame, 0.0, "same series")
        return self.registrations.between(self.frame, series.frame_of_reference_uid)

    def patch(self, series: Series, margin_mm: float = 10.0) -> Patch:
        """Native voxels of a series within `margin_mm` of the lesion's box."""
        return self.remember(("patch", series.id, margin_mm), lambda: self._make_patch(series, margin_mm))

    def _make_patch(self, series: Series, margin_mm: float) -> Patch:
        registration = self.way_to(series)
        if registration is None:
            raise NeuraxisError(f"series {series.id} is not registered to the lesion")
        points = self.lesion.mask.points_lps_mm()
        low, high = points.min(axis=0) - margin_mm, points.max(axis=0) + margin_mm
        corners = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
        volume = self.volume(series)
        start, stop = box_of_points(volume.geometry, registration.apply(corners))
        crop = volume.cropped(start, stop)
        home = registration.inverse.apply(voxel_points(crop.geometry))
        return Patch(series, crop, padded_to_nan(crop), self.field.at(home), home, registration)
