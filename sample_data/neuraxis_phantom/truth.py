"""Reading `truth.json`: what a written sample really holds, for tests and the demonstration."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import Any

Point = tuple[float, float, float]


@dataclass(frozen=True)
class LesionTruth:
    """The lesion as it was drawn. Points are LPS mm in the frame of reference they name."""

    diameter_mm: float
    """Longest diameter of the ellipsoid."""
    volume_mm3: float
    side: str
    centroid_ct_lps_mm: Point
    centroid_mr_lps_mm: Point


def lesion_truth(truth: dict[str, Any]) -> LesionTruth:
    """The lesion of a parsed `truth.json`."""
    lesion, frames = truth["lesion"], truth["frames"]
    return LesionTruth(
        diameter_mm=max(lesion["diameters_mm"]),
        volume_mm3=float(lesion["volume_mm3"]),
        side=str(lesion["side"]),
        centroid_ct_lps_mm=_point(frames["CT"]["lesion_centroid_lps_mm"]),
        centroid_mr_lps_mm=_point(frames["MR"]["lesion_centroid_lps_mm"]),
    )


def click_point_lps_mm(truth: dict[str, Any]) -> Point:
    """Where a reader would click on the CT: inside the lesion, LPS mm in the CT's frame of reference."""
    return lesion_truth(truth).centroid_ct_lps_mm


def legend_text(case: str) -> str:
    """The figure legend that ships with a named case, in the project's own words; '' where none ships."""
    file = files("neuraxis_phantom") / "legends" / f"{case}.txt"
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _point(values: list[float]) -> Point:
    x, y, z = (float(v) for v in values)
    return x, y, z
