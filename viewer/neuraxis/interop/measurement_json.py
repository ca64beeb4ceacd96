"""Lesion measurements as JSON, in the shape the command line prints and others read."""

from __future__ import annotations

from typing import Any

from neuraxis.domain.lesion import LengthMeasurement, LesionMeasurement
from neuraxis.domain.quantity import Quantity


def _quantity(quantity: Quantity | None) -> dict[str, Any] | None:
    return None if quantity is None else quantity.to_json()


def _length(length: LengthMeasurement | None) -> dict[str, Any] | None:
    if length is None:
        return None
    return {
        **length.quantity.to_json(), "start_lps_mm": list(length.start_lps_mm), "end_lps_mm": list(length.end_lps_mm),
        "sop_instance_uid": length.sop_instance_uid,
    }


def measurement_to_json(measurement: LesionMeasurement) -> dict[str, Any]:
    """The `measure` object: each size `{"value", "unit", "uncertainty", "method", ...}` or null with a warning."""
    m = measurement
    return {
        "series_uid": m.series_uid,
        "series_id": m.series_id,
        "frame_of_reference_uid": m.frame_of_reference_uid,
        "method": m.method,
        "long_axis_mm": _length(m.long_axis),
        "short_axis_mm": _length(m.short_axis),
        "max_3d_diameter_mm": _length(m.max_3d_diameter),
        "volume_mm3": _quantity(m.volume),
        "volume_voxel_sum_mm3": _quantity(m.volume_voxel_sum),
        "surface_mm2": _quantity(m.surface),
        "distance_to_bone_mm": _quantity(m.distance_to_bone),
        "slices_spanned": m.slices_spanned,
        "intensity": {
            "unit": m.intensity.unit, "mean": m.intensity.mean, "sd": m.intensity.standard_deviation,
            "min": m.intensity.minimum, "max": m.intensity.maximum, "p10": m.intensity.p10, "p90": m.intensity.p90,
            "voxels": m.intensity.voxel_count,
        },
        "centroid_lps_mm": list(m.centroid_lps_mm),
        "warnings": list(m.warnings),
    }
