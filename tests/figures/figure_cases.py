"""Recipes and lesions for the tests of figures."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from tests.figures.phantom_head import FRAME_CT, FRAME_MR, head, series_of, study_of

from neuraxis.domain.legend import LegendFigure
from neuraxis.domain.legend import Panel as LegendPanel
from neuraxis.domain.lesion import IntensityStatistics, LengthMeasurement, Lesion, LesionMask, LesionMeasurement
from neuraxis.domain.quantity import Quantity
from neuraxis.domain.study import Role, Study
from neuraxis.domain.transform import Registration, RegistrationSet
from neuraxis.domain.volume import Volume
from neuraxis.figures.recipe import Mark, PlaneSpec, Recipe, SeriesReference, VolumePanel, WindowSpec
from neuraxis.figures.source import pixel_sha256

LESION = (-20.0, 10.0, 5.0)
SHIFT = (6.0, -4.0, 3.0)
"""From the CT's frame to the MR's."""
AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
CORONAL = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0))
SAGITTAL = ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0))
BRAIN = WindowSpec(center=40, width=80, name="brain")


def reference(volume: Volume, role: str = "CT") -> SeriesReference:
    return SeriesReference(
        series_uid=volume.series_uid, series_id=volume.series_id, role=role, pixel_sha256=pixel_sha256(volume)
    )


def plane(
    name: Any = "axial", vectors: Any = AXIAL, field: tuple[float, float] = (200.0, 200.0), frame: str = FRAME_CT,
    centre: tuple[float, float, float] = LESION, **more: Any,
) -> PlaneSpec:
    return PlaneSpec(
        name=name, frame_of_reference_uid=frame, centre_lps_mm=centre, right=vectors[0], down=vectors[1],
        field_of_view_mm=field, **more,
    )


def panel(volume: Volume, letter: str = "a", **fields: Any) -> VolumePanel:
    values: dict[str, Any] = {"plane": plane(), "window": BRAIN, "series": reference(volume), **fields}
    return VolumePanel(letter=letter, **values)


def one_panel(volume: Volume, **fields: Any) -> tuple[Recipe, Study]:
    recipe = Recipe(width_mm=84, panels=(panel(volume, **fields),))
    return recipe, study_of(series_of(volume, Role.CT))


def arrow(**fields: Any) -> Mark:
    values: dict[str, Any] = {"anchor_lps_mm": LESION, "direction_deg": 0.0, "length_mm": 5.0, **fields}
    return Mark(kind="arrow", **values)


@cache
def lesion_on(volume: Volume, centre: tuple[float, float, float] = LESION, diameter_mm: float = 4.0) -> Lesion:
    start = np.floor(volume.geometry.index_from_lps(centre)).astype(int) - 6
    near = np.moveaxis(np.indices((13, 13, 13)), 0, -1) + start
    sphere = np.linalg.norm(volume.geometry.lps_from_index(near) - np.asarray(centre), axis=-1) < diameter_mm / 2
    inside = np.zeros(volume.array.shape, dtype=bool)
    z, y, x = near[sphere].T
    inside[z, y, x] = True
    mask = LesionMask.from_full(volume.geometry, inside, series_id=volume.series_id, series_uid=volume.series_uid)
    length = LengthMeasurement(Quantity(diameter_mm, "mm", 0.4, "Feret"), centre, centre)
    measurement = LesionMeasurement(
        volume.series_id, volume.series_uid, volume.frame_of_reference_uid, "half-maximum", centre,
        IntensityStatistics("HU", 640.0, 60.0, 400.0, 700.0, 500.0, 700.0, int(inside.sum())), long_axis=length,
        volume=Quantity(33.0, "mm3", 4.0, "partial-volume integral"),
    )
    return Lesion("2.25.1", "lesion 1", mask, measurement)


def two_frames() -> tuple[Study, Lesion, RegistrationSet]:
    """CT in one frame; T1, T2 and T1C in another, shifted by `SHIFT`; the lesion on the CT."""
    ct = head(spacing=(0.8, 0.8, 1.0))
    series = [series_of(ct, Role.CT)]
    for name, role, value in (("t1", Role.T1, 80.0), ("t2", Role.T2, 60.0), ("t1c", Role.T1C, 500.0)):
        volume = head(
            frame=FRAME_MR, hu=False, shift=SHIFT, lesion_value=value, series_id=name,
            spacing=(1.0, 1.0, 1.0) if name != "t2" else (0.8, 0.8, 4.0),
        )
        series.append(series_of(volume, role, modality="MR"))
    matrix = np.eye(4)
    matrix[:3, 3] = SHIFT
    registrations = RegistrationSet((Registration.from_array(matrix, FRAME_CT, FRAME_MR, 0.2, "known"),))
    return study_of(*series), lesion_on(ct), registrations


def legend(*panels: LegendPanel, text: str = "A calcified lesion") -> LegendFigure:
    return LegendFigure("Figure 1", text, panels)
