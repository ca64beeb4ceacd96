"""A study as the reader found it: series, their roles, and an account of every file."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.volume import Volume
from neuraxis.domain.window import Window
from neuraxis.errors import UsageError


class Role(enum.Enum):
    """What a series is, whatever it calls itself."""

    CT = "CT"
    T1 = "T1"
    T1C = "T1C"
    T2 = "T2"
    FLAIR = "FLAIR"
    PD = "PD"
    SWI = "SWI"
    SWI_PHASE = "SWI_PHASE"
    SWI_MINIP = "SWI_MINIP"
    GRE = "GRE"
    DWI = "DWI"
    ADC = "ADC"
    CISS = "CISS"
    MRA = "MRA"
    LOCALIZER = "LOCALIZER"
    SECONDARY = "SECONDARY"
    UNKNOWN = "UNKNOWN"


class Confidence(enum.Enum):
    """How sure a role is; evidence is taken only from `certain` and `probable` ones."""

    CERTAIN = "certain"
    PROBABLE = "probable"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class RoleAssignment:
    """A role with its confidence and the reason in words."""

    role: Role
    confidence: Confidence
    reason: str


@dataclass(frozen=True)
class Acquisition:
    """The acquisition attributes that measurements and evidence depend on; None where the file is silent."""

    echo_time_ms: float | None = None
    repetition_time_ms: float | None = None
    inversion_time_ms: float | None = None
    flip_angle_deg: float | None = None
    field_strength_t: float | None = None
    kvp: float | None = None
    convolution_kernel: str = ""
    contrast_agent: str = ""
    slice_thickness_mm: float | None = None
    b_value: float | None = None
    image_type: tuple[str, ...] = ()
    scanning_sequence: tuple[str, ...] = ()
    sequence_variant: tuple[str, ...] = ()
    acquisition_time: str = ""
    manufacturer: str = ""
    lossy: bool = False
    burned_in_annotation: str = ""
    philips_scale_slope: float | None = None
    """Philips private scale slope SS: value / (RescaleSlope x SS) is what compares between Philips series."""


class VolumeSource(Protocol):
    """Reads the voxels of one series when they are asked for."""

    def read_volume(self) -> Volume:
        """All voxels, in real-world units."""
        ...

    def read_slice(self, index: int) -> NDArray[Any]:
        """One slice of a volume, or one picture, (rows, columns) in real-world units, without reading the rest."""
        ...

    def read_picture(self, index: int) -> NDArray[np.uint8]:
        """One slice or picture ready to show: (rows, columns) grey or (rows, columns, 3) RGB, 8 bit."""
        ...


@dataclass(frozen=True)
class InstanceReference:
    """One instance of a series: the DICOM identity of a slice."""

    sop_class_uid: str
    sop_instance_uid: str
    path: str
    frames: int = 1


@dataclass(frozen=True, eq=False)
class Series:
    """One volume, or one set of pictures, of a study (a DICOM series that holds several gives several).

    `id` is short, stable from run to run and unique in the study. `refusal` says why no volume was built.
    """

    id: str
    series_uid: str
    study_uid: str
    frame_of_reference_uid: str
    number: int | None
    description: str
    modality: str
    role: RoleAssignment
    instances: tuple[InstanceReference, ...]
    frames: int
    rows: int
    columns: int
    geometry: VolumeGeometry | None
    refusal: str | None
    source: VolumeSource = field(repr=False)
    warnings: tuple[str, ...] = ()
    acquisition: Acquisition = Acquisition()
    windows: tuple[Window, ...] = ()
    inverted: bool = False
    """MONOCHROME1: shown inverted, values untouched."""

    @property
    def is_volume(self) -> bool:
        """Whether the series has a regular grid in the patient."""
        return self.geometry is not None and self.refusal is None

    @property
    def title(self) -> str:
        """Number and role with description, for lists: '3 T2 ax tse'."""
        number = f"{self.number} " if self.number is not None else ""
        return f"{number}{self.role.role.value} {self.description}".strip()

    def volume(self) -> Volume:
        """All voxels in real-world units; UsageError with the refusal where there is no grid."""
        if not self.is_volume:
            raise UsageError(
                f"series {self.id} is no volume: {self.refusal or 'pictures only'}",
                remedy="choose a series that `neuraxis scan` lists as a volume",
            )
        return self.source.read_volume()


@dataclass(frozen=True)
class SkippedFile:
    """A file that was seen and not loaded, with the reason."""

    path: str
    reason: str


@dataclass(frozen=True)
class LoadReport:
    """The account of every file: seen = loaded + set apart + skipped."""

    files_seen: int = 0
    files_loaded: int = 0
    set_apart: tuple[SkippedFile, ...] = ()
    skipped: tuple[SkippedFile, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Study:
    """Everything found under one path: the series and the account of the files.

    A folder with several DICOM studies gives one `Study` object whose series carry different `study_uid`s.
    """

    path: str
    series: tuple[Series, ...]
    report: LoadReport

    def __iter__(self) -> Iterator[Series]:
        return iter(self.series)

    def find(self, key: str) -> Series:
        """The series with that id, series UID (where unambiguous) or series number.

        Raises
        ------
        UsageError
            When nothing or more than one series fits; the message lists the ids.
        """
        for test in (
            lambda s: s.id == key,
            lambda s: s.series_uid == key,
            lambda s: s.number is not None and str(s.number) == key,
        ):
            hits = [s for s in self.series if test(s)]
            if len(hits) == 1:
                return hits[0]
            if hits:
                raise UsageError(
                    f"{key!r} names {len(hits)} series", expected="one of the ids " + ", ".join(s.id for s in hits)
                )
        raise UsageError(
            f"no series {key!r} in {self.path}",
            expected="one of: " + ", ".join(f"{s.id} ({s.title})" for s in self.series),
        )

    def volumes_of(self, *roles: Role) -> tuple[Series, ...]:
        """Series with one of these roles that are volumes and whose role is not a guess, thinnest slices first."""
        fit = [
            s for s in self.series
            if s.is_volume and s.role.role in roles and s.role.confidence is not Confidence.UNKNOWN
        ]

        def slice_step_mm(series: Series) -> float:
            assert series.geometry is not None
            return max(series.geometry.slice_distance_mm, series.acquisition.slice_thickness_mm or 0.0)

        return tuple(sorted(fit, key=lambda s: (slice_step_mm(s), s.number or 0, s.id)))
