"""Which series of a study shows what a legend's panel asks for: one answer for the figure and for the audit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuraxis.align.planes import Plane
from neuraxis.domain import legend
from neuraxis.domain.geometry import Vector3
from neuraxis.domain.study import Role, Series, Study
from neuraxis.domain.transform import RegistrationSet

_ROLES: dict[str, tuple[Role, ...]] = {
    "CT": (Role.CT,), "CTA": (Role.CT,), "CTV": (Role.CT,), "T1": (Role.T1,), "T1C": (Role.T1C,), "T2": (Role.T2,),
    "FLAIR": (Role.FLAIR,), "PD": (Role.PD,), "CISS": (Role.CISS,), "SWI": (Role.SWI, Role.GRE), "GRE": (Role.GRE, Role.SWI),
    "DWI": (Role.DWI,), "ADC": (Role.ADC,), "MRA": (Role.MRA,),
}
"""Roles that show a sequence, the asked one first; what another one shows is said in a note."""

_SHARP_KERNEL = ("BONE", "EDGE", "LUNG", "SHARP", "BL57", "HR")


@dataclass(frozen=True, eq=False)
class Choice:
    """A series for a panel with the point of interest in its frame, or the reason why there is none."""

    series: Series | None
    point_lps_mm: Vector3 | None
    reason: str = ""
    note: str = ""


def choose_series(
    study: Study, panel: legend.Panel, point_lps_mm: Vector3, frame: str, registrations: RegistrationSet
) -> Choice:
    """The series that fits a panel's sequence, contrast, window and plane and holds the point.

    Parameters
    ----------
    point_lps_mm : point of interest in `frame`, the lesion's frame of reference
    """
    sequence = panel.sequence or {"CT": "CT"}.get(panel.modality or "")
    if sequence is None and panel.modality == "MR" and panel.contrast == "post":
        sequence = "T1C"
    asked = " ".join(w for w in (panel.plane, panel.sequence or panel.modality) if w) or "a picture"
    if panel.modality == "CT" and panel.contrast:
        asked += f" with contrast {panel.contrast}"
    if panel.modality not in ("CT", "MR", None):
        return Choice(None, None, f"the legend asks for {asked}; panels are drawn from CT and MR only")
    if sequence is None:
        return Choice(None, None, f"the legend asks for {asked} without naming a sequence")
    roles = _ROLES.get(sequence)
    if roles is None:
        return Choice(None, None, f"the legend asks for {asked}; no series of this kind is recognised")
    reasons: list[str] = []
    for role in roles:
        candidates = _with_contrast(study.volumes_of(role), panel)
        choice = _best(candidates, panel, point_lps_mm, frame, registrations, reasons)
        if choice is not None:
            note = f"{sequence} was asked for, {role.value} is shown" if role is not roles[0] else ""
            return Choice(*choice, note=note)
    if reasons:
        return Choice(None, None, f"the legend asks for {asked}; " + "; ".join(dict.fromkeys(reasons)))
    refused = [s for s in study.series if s.role.role in roles and not s.is_volume]
    because = f" (series {refused[0].id} is no volume: {refused[0].refusal})" if refused else ""
    return Choice(None, None, f"the legend asks for {asked}; the study has no such volume{because}")


def _with_contrast(candidates: tuple[Series, ...], panel: legend.Panel) -> tuple[Series, ...]:
    """CT with or without contrast agent, as stated; a statement is dropped where no series fits it."""
    if panel.modality == "MR" or panel.sequence not in ("CT", "CTA", "CTV", None):
        return candidates
    post = panel.contrast == "post" or panel.sequence in ("CTA", "CTV")
    if panel.contrast is None and not post:
        plain = tuple(s for s in candidates if not s.acquisition.contrast_agent)
        return plain or candidates
    return tuple(s for s in candidates if bool(s.acquisition.contrast_agent) == post)


def _best(
    candidates: tuple[Series, ...], panel: legend.Panel, point: Vector3, frame: str, registrations: RegistrationSet,
    reasons: list[str],
) -> tuple[Series, Vector3] | None:
    """The fittest of the candidates that hold the point, and the point there; why others do not goes into `reasons`."""
    inside: list[tuple[Series, Vector3]] = []
    for series in candidates:
        assert series.geometry is not None
        way = registrations.between(frame, series.frame_of_reference_uid)
        if way is None and frame == series.frame_of_reference_uid == "":
            mapped = np.asarray(point, dtype=np.float64)
        elif way is None:
            reasons.append(f"series {series.id} has another frame of reference and is not registered")
            continue
        else:
            mapped = way.apply(point)
        if not series.geometry.contains(mapped):
            reasons.append(f"series {series.id} does not reach the lesion, which lies outside its field of view")
            continue
        inside.append((series, (float(mapped[0]), float(mapped[1]), float(mapped[2]))))
    return min(inside, key=lambda pair: _unfitness(pair[0], panel)) if inside else None


def _unfitness(series: Series, panel: legend.Panel) -> tuple[float, float, str]:
    """Coarsest sampling in the asked plane (mm, in steps of 0.25); then a kernel that does not fit the window."""
    assert series.geometry is not None
    plane = standard_plane(panel.plane or "axial", (0.0, 0.0, 0.0))
    steps = np.array([series.geometry.step_x_mm, series.geometry.step_y_mm, series.geometry.step_z_mm])
    within = [float(np.abs(steps @ np.asarray(v)).max()) for v in (plane.row_lps, plane.column_lps)]
    through = float(np.abs(steps @ np.asarray(plane.normal_lps)).max())
    # slices thicker than 2 mm blur a small finding, thinner ones show it as well
    coarse = max(*within, 0.5 * max(through, 2.0))
    kernel = series.acquisition.convolution_kernel.upper()
    sharp = any(word in kernel for word in _SHARP_KERNEL) or _siemens_number(kernel) >= 55
    misfit = 0.0 if sharp == (panel.window == "bone") else 1.0
    return round(coarse * 4) / 4, misfit, series.id


def _siemens_number(kernel: str) -> int:
    """'H60s' and 'Br64d' -> 60 and 64; from 55 on the kernels are for bone."""
    digits = "".join(c for c in kernel if c.isdigit())[:2]
    return int(digits) if digits and kernel[:1] in "BHJ" else 0


def standard_plane(name: str, point_lps_mm: Vector3) -> Plane:
    """Axial, coronal or sagittal plane in radiological display through a point."""
    return {"coronal": Plane.coronal, "sagittal": Plane.sagittal}.get(name, Plane.axial)(point_lps_mm)
