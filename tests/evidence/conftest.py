"""Small studies with closed-form truth for the metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.lesion import IntensityStatistics, Lesion, LesionMask, LesionMeasurement
from neuraxis.domain.study import Acquisition, Confidence, LoadReport, Role, RoleAssignment, Series, Study
from neuraxis.domain.transform import RegistrationSet
from neuraxis.domain.volume import ValueKind, Volume
from neuraxis.evidence import EvidenceContext
from neuraxis.evidence.sampling import voxel_points


@dataclass(frozen=True, eq=False)
class InMemory:
    volume: Volume

    def read_volume(self) -> Volume:
        return self.volume

    def read_slice(self, index: int) -> NDArray[Any]:
        picture: NDArray[Any] = self.volume.array[index]
        return picture

    def read_picture(self, index: int) -> NDArray[np.uint8]:
        raise NotImplementedError("metrics read no pictures")


def build_series(
    number: int, role: Role, array: NDArray[Any], geometry: VolumeGeometry, acquisition: Acquisition | None = None
) -> Series:
    kind = {Role.CT: ValueKind.HU, Role.SWI_PHASE: ValueKind.PHASE, Role.ADC: ValueKind.ADC}.get(role, ValueKind.SIGNAL)
    volume = Volume(
        array.astype(np.float32), geometry, kind, slice_thickness_mm=geometry.slice_distance_mm, series_id=f"s{number}",
        series_uid=f"1.2.{number}",
    )
    return Series(
        f"s{number}", f"1.2.{number}", "1.2", geometry.frame_of_reference_uid, number, role.value,
        "CT" if role is Role.CT else "MR", RoleAssignment(role, Confidence.CERTAIN, "made so"), (), array.shape[0],
        array.shape[1], array.shape[2], geometry, None, InMemory(volume), acquisition=acquisition or Acquisition(),
    )


def build_lesion(series: Series, inside: NDArray[np.bool_]) -> Lesion:
    assert series.geometry is not None
    mask = LesionMask.from_full(series.geometry, inside, series_id=series.id, series_uid=series.series_uid)
    x, y, z = mask.points_lps_mm().mean(axis=0)
    statistics = IntensityStatistics("HU", 0, 0, 0, 0, 0, 0, mask.voxel_count)
    measurement = LesionMeasurement(
        series.id, series.series_uid, series.frame_of_reference_uid, "made", (float(x), float(y), float(z)), statistics
    )
    return Lesion("2.25.1", "lesion", mask, measurement)


@pytest.fixture
def grid() -> VolumeGeometry:
    """40 mm cube of 0.5 mm voxels around the origin."""
    return VolumeGeometry.axis_aligned((81, 81, 81), (0.5, 0.5, 0.5), (-20.0, -20.0, -20.0), "frame")


@pytest.fixture
def radius(grid: VolumeGeometry) -> NDArray[np.float64]:
    """Distance of each voxel of `grid` from the origin, mm."""
    distance: NDArray[np.float64] = np.linalg.norm(voxel_points(grid), axis=-1)
    return distance


@pytest.fixture
def make_context() -> Callable[..., EvidenceContext]:
    """`make_context(inside, {role: array}, geometry)`: a study whose first series carries the mask."""

    def make(
        inside: NDArray[np.bool_], arrays: dict[Role, NDArray[Any]], geometry: VolumeGeometry,
        acquisitions: dict[Role, Acquisition] | None = None,
    ) -> EvidenceContext:
        series = tuple(
            build_series(n, role, array, geometry, (acquisitions or {}).get(role))
            for n, (role, array) in enumerate(arrays.items(), 1)
        )
        study = Study("memory", series, LoadReport())
        return EvidenceContext(study, build_lesion(series[0], inside), RegistrationSet())

    return make
