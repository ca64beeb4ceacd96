"""The picture that a legend's panel describes, looked up in a study: series, plane, position and window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neuraxis.domain.geometry import Vector3
from neuraxis.domain.legend import Panel
from neuraxis.domain.lesion import Lesion
from neuraxis.domain.study import Role, Series, Study
from neuraxis.domain.transform import RegistrationSet
from neuraxis.domain.window import Window, window_preset

ROLES: Mapping[str, tuple[Role, ...]] = {
    "CT": (Role.CT,), "CTA": (Role.CT,), "CTV": (Role.CT,), "T1": (Role.T1,), "T1C": (Role.T1C,), "T2": (Role.T2,),
    "FLAIR": (Role.FLAIR,), "PD": (Role.PD,), "CISS": (Role.CISS,), "SWI": (Role.SWI, Role.GRE),
    "GRE": (Role.GRE, Role.SWI), "DWI": (Role.DWI,), "ADC": (Role.ADC,), "MRA": (Role.MRA,),
}
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
    sequence = panel.sequence or ("CT" if panel.modality == "CT" else None)
    if sequence is None and panel.modality == "MR" and panel.contrast == "post":
        sequence = "T1C"
    named = " ".join(word for word in (panel.plane, panel.sequence or panel.modality) if word) or "no sequence"
    roles = ROLES.get(sequence or "")
    if roles is None:
        return PanelPicture(None, panel.plane, window, None, f"the legend names {named}: no role of a series fits")
    candidates = [s for role in roles for s in study.volumes_of(role) if _contrast_fits(s, panel)]
    if not candidates:
        why = f"the study has no {sequence} volume" + (f" with contrast {panel.contrast}" if panel.contrast else "")
        return PanelPicture(None, panel.plane, window, None, why)
    reasons = []
    for role in roles:
        reached: list[tuple[Series, Vector3]] = []
        for series in (s for s in candidates if s.role.role is role):
            place, why = _position(series, lesion, registrations)
            if place is None:
                reasons.append(why)
            else:
                reached.append((series, place))
        if reached:
            series, place = min(reached, key=lambda pair: _sampling_mm(pair[0], panel.plane))
            return PanelPicture(series, panel.plane, window, place, _difference(series, panel, roles[0]))
    return PanelPicture(None, panel.plane, window, None, "; ".join(reasons))


def _contrast_fits(series: Series, panel: Panel) -> bool:
    if series.modality != "CT" or (panel.contrast is None and panel.sequence not in ("CTA", "CTV")):
        return True
    wanted = panel.contrast == "post" or panel.sequence in ("CTA", "CTV")
    return bool(series.acquisition.contrast_agent) == wanted


def _position(series: Series, lesion: Lesion, registrations: RegistrationSet) -> tuple[Vector3 | None, str]:
    centre = lesion.measurement.centroid_lps_mm
    if series.series_uid == lesion.mask.series_uid:
        return centre, ""
    way = registrations.between(lesion.frame_of_reference_uid, series.frame_of_reference_uid)
    if way is None:
        return None, f"series {series.id} has another frame of reference and is not registered to the lesion's"
    x, y, z = (float(v) for v in way.apply(centre))
    if series.geometry is None or not series.geometry.contains((x, y, z)):
        return None, f"the lesion lies outside the field of view of series {series.id}"
    return (x, y, z), ""


def _sampling_mm(series: Series, plane: str | None) -> tuple[float, str]:
    """Coarsest distance of samples within the plane, then the id: the sharpest picture of that plane comes first."""
    assert series.geometry is not None
    normal = np.asarray(NORMALS.get(plane or "axial", NORMALS["axial"]))
    steps = np.array([series.geometry.step_x_mm, series.geometry.step_y_mm, series.geometry.step_z_mm])
    across = np.abs(steps @ normal)
    within = np.sqrt(np.maximum((steps**2).sum(axis=1) - across**2, 0))
    return round(max(float(within.max()), 0.5 * max(float(across.max()), 2.0)), 2), series.id


def _difference(series: Series, panel: Panel, wanted: Role) -> str:
    notes = []
    if series.role.role is not wanted:
        notes.append(f"{wanted.value} is named, {series.role.role.value} is what the study has")
    assert series.geometry is not None
    if panel.plane is not None and panel.plane in NORMALS:
        cosine = abs(float(np.dot(series.geometry.slice_normal_lps, NORMALS[panel.plane])))
        if cosine < np.cos(np.deg2rad(ACQUIRED_WITHIN_DEGREES)):
            step = series.geometry.slice_distance_mm
            coarse = f", coarse at {step:.1f} mm slices" if step > COARSE_REFORMAT_MM else ""
            notes.append(f"{panel.plane} reformatted from slices of another plane{coarse}")
    return "; ".join(notes)
