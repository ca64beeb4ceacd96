"""The picture that a legend's panel describes, looked up in a study: series, plane, position and window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neuraxis.domain.geometry import Vector3
from neuraxis.domain.legend import Panel
from neuraxis.domain.lesion import Lesion
from neuraxis.domain.study import Series, Study
from neuraxis.domain.transform import RegistrationSet
from neuraxis.domain.window import Window, window_preset
from neuraxis.legends.series_choice import choose_series

NORMALS: Mapping[str, Vector3] = {"axial": (0.0, 0.0, 1.0), "coronal": (0.0, 1.0, 0.0), "sagittal": (1.0, 0.0, 0.0)}
ACQUIRED_WITHIN_DEGREES = 25.0
COARSE_REFORMAT_MM = 2.5


@dataclass(frozen=True)
class PanelPicture:
    """What of the study a panel shows, or why nothing does.

    Parameters
    ----------
    series : None where the study holds no such series
    plane : as the legend names it; None where it names none
    window : preset the legend names; None where it names none
    position_lps_mm : the lesion's centre in the series' frame of reference
    reason : why there is no series, or what differs from the legend's words; "" where all fits
    """

    series: Series | None
    plane: str | None
    window: Window | None
    position_lps_mm: Vector3 | None
    reason: str


def find_picture(panel: Panel, study: Study, lesion: Lesion, registrations: RegistrationSet) -> PanelPicture:
    """The series and position that a panel's words name."""
    window = window_preset(panel.window.replace("_", " ")) if panel.window else None
    if panel.kind != "imaging":
        return PanelPicture(None, None, None, None, f"{panel.kind}: not a picture of the study")
    centre, frame = lesion.measurement.centroid_lps_mm, lesion.frame_of_reference_uid
    choice = choose_series(study, panel, centre, frame, registrations)
    if choice.series is None:
        return PanelPicture(None, panel.plane, window, None, choice.reason)
    notes = [choice.note] if choice.note else []
    reason = "; ".join([*notes, *_reformatting(choice.series, panel)])
    return PanelPicture(choice.series, panel.plane, window, choice.point_lps_mm, reason)


def _reformatting(series: Series, panel: Panel) -> list[str]:
    """What to know where a panel's plane is not that of the series' slices."""
    assert series.geometry is not None
    if panel.plane is None or panel.plane not in NORMALS:
        return []
    cosine = abs(float(np.dot(series.geometry.slice_normal_lps, NORMALS[panel.plane])))
    if cosine >= np.cos(np.deg2rad(ACQUIRED_WITHIN_DEGREES)):
        return []
    step = series.geometry.slice_distance_mm
    coarse = f", coarse at {step:.1f} mm slices" if step > COARSE_REFORMAT_MM else ""
    return [f"{panel.plane} reformatted from slices of another plane{coarse}"]
