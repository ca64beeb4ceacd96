"""Which images a case belongs to: by identity and geometry, never by where the files lie."""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass

import numpy as np

from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.study import Series, Study


class BindingState(enum.Enum):
    """How a bound series stands in a study."""

    SAME = "same"
    MISSING = "not in this study"
    OTHER_FRAME = "another frame of reference"
    OTHER_GEOMETRY = "another geometry"


@dataclass(frozen=True)
class SeriesBinding:
    """One series as the case knows it."""

    series_uid: str
    series_id: str
    frame_of_reference_uid: str
    geometry_hash: str


def geometry_hash(geometry: VolumeGeometry | None) -> str:
    """SHA-256 of shape, frame and corners rounded to 0.01 mm; "" for pictures without grid."""
    if geometry is None:
        return ""
    corners = np.round(geometry.lps_from_index([(0, 0, 0), *np.diag(geometry.shape_zyx)]), 2) + 0.0
    text = f"{geometry.shape_zyx} {geometry.frame_of_reference_uid} {corners.tolist()}"
    return hashlib.sha256(text.encode()).hexdigest()


def bind(series: Series) -> SeriesBinding:
    """The binding of a series that is open now."""
    return SeriesBinding(series.series_uid, series.id, series.frame_of_reference_uid, geometry_hash(series.geometry))


def find_bound(binding: SeriesBinding, study: Study) -> tuple[BindingState, Series | None]:
    """The series of a study that a binding means, wherever its files lie and whatever its id is there.

    Volumes of one DICOM series on one grid (echoes, phases) are told apart by their rank in it, the end of their id.
    """
    fits = [s for s in study.series if s.series_uid == binding.series_uid]
    same = [s for s in fits if geometry_hash(s.geometry) == binding.geometry_hash]
    same.sort(key=lambda s: (s.id != binding.series_id, _rank(s.id) != _rank(binding.series_id)))
    if same:
        return BindingState.SAME, same[0]
    if not fits:
        return BindingState.MISSING, None
    frames = {s.frame_of_reference_uid for s in fits}
    return (BindingState.OTHER_GEOMETRY if binding.frame_of_reference_uid in frames else BindingState.OTHER_FRAME), fits[0]


def _rank(series_id: str) -> str:
    return series_id.rpartition(".")[2] if "." in series_id else ""
