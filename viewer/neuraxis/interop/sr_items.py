"""Content items of our reports: measurements with uncertainty and method, lines with their coordinates, texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.lesion import LengthMeasurement
from neuraxis.domain.lexicon import Code
from neuraxis.domain.quantity import Quantity
from neuraxis.interop.concepts import METHOD_TEXT, dicom_code, unit_code
from neuraxis.interop.source_images import SourceImage

IN_SLICE_TOLERANCE = 0.02
"""Of a slice distance: a line that leaves its slice by more is written in patient coordinates too."""


def measurement(
    name: Code, quantity: Quantity, *, derivation: Code | None = None, method: Code | None = None,
    coordinates: Sequence[Any] | None = None,
) -> Any:
    """TID 300: a number with unit, both ends of its uncertainty and its method in words."""
    import highdicom as hd

    properties = None
    if quantity.uncertainty is not None and np.isfinite(quantity.uncertainty):
        half = float(quantity.uncertainty)
        properties = hd.sr.MeasurementProperties(upper_measurement_uncertainty=half, lower_measurement_uncertainty=half)
    item = hd.sr.Measurement(
        name=dicom_code(name), value=float(quantity.value), unit=dicom_code(unit_code(quantity.unit)),
        derivation=dicom_code(derivation) if derivation else None, method=dicom_code(method) if method else None,
        properties=properties, referenced_coordinates=coordinates,
    )
    number = item[0]
    for child in number.get("ContentSequence", ()):
        if child.ValueType == "NUM":  # highdicom writes uncertainties without unit; they have that of the number
            child.MeasuredValueSequence[0].MeasurementUnitsCodeSequence = (
                number.MeasuredValueSequence[0].MeasurementUnitsCodeSequence
            )
    if quantity.method:
        if "ContentSequence" not in number:
            number.ContentSequence = hd.sr.ContentSequence()
        number.ContentSequence.append(text(METHOD_TEXT, quantity.method, "HAS PROPERTIES"))
    return item


def text(name: Code, value: str, relationship: str = "CONTAINS") -> Any:
    """TEXT item."""
    import highdicom as hd

    return hd.sr.TextContentItem(dicom_code(name), value, hd.sr.RelationshipTypeValues(relationship))


def evaluation(name: Code, value: Code) -> Any:
    """CODE item of a measurement group."""
    import highdicom as hd

    return hd.sr.QualitativeEvaluation(dicom_code(name), dicom_code(value))


def uid_reference(name: Code, uid: str) -> Any:
    """UIDREF item of a measurement group."""
    import highdicom as hd

    return hd.sr.UIDRefContentItem(dicom_code(name), uid, hd.sr.RelationshipTypeValues.CONTAINS)


def point_3d(name: Code, point_lps_mm: Sequence[float], frame_of_reference_uid: str) -> Any:
    """SCOORD3D item of one point in patient coordinates."""
    import highdicom as hd

    return hd.sr.Scoord3DContentItem(
        dicom_code(name), hd.sr.GraphicTypeValues3D.POINT, np.asarray([point_lps_mm], dtype=np.float64),
        frame_of_reference_uid, relationship_type=hd.sr.RelationshipTypeValues.CONTAINS,
    )


def slice_of_line(line: LengthMeasurement, geometry: VolumeGeometry) -> int | None:
    """Slice on whose image a line can be drawn in its true length: parallel to it and nearest; None where it crosses."""
    z = geometry.index_from_lps([line.start_lps_mm, line.end_lps_mm])[:, 0]
    index = round(float(z.mean()))
    parallel = abs(float(z[0] - z[1])) <= IN_SLICE_TOLERANCE
    return index if parallel and 0 <= index < geometry.shape_zyx[0] else None


def image_points(points_lps_mm: Sequence[Sequence[float]], geometry: VolumeGeometry) -> NDArray[np.float64]:
    """(column, row) points in DICOM image coordinates (pixel centres at .5), shape (n, 2), of LPS points."""
    index = geometry.index_from_lps(points_lps_mm)
    return np.ascontiguousarray(index[:, :0:-1] + 0.5)


def line_coordinates(
    line: LengthMeasurement, geometry: VolumeGeometry, sources: dict[int, SourceImage]
) -> list[Any]:
    """POLYLINEs from which a length was inferred.

    On the nearest image where the line is parallel to it, so that every viewer draws it; in patient space where it lies
    between slices (as sub-voxel fits do) or crosses them.
    """
    import highdicom as hd

    ends = [line.start_lps_mm, line.end_lps_mm]
    index = slice_of_line(line, geometry)
    coordinates = []
    if index is not None and index in sources:
        coordinates.append(hd.sr.CoordinatesForMeasurement(
            hd.sr.GraphicTypeValues.POLYLINE, image_points(ends, geometry), region_source(sources[index])
        ))
        if np.abs(geometry.index_from_lps(ends)[:, 0] - index).max() <= IN_SLICE_TOLERANCE:
            return coordinates
    coordinates.append(hd.sr.CoordinatesForMeasurement3D(
        hd.sr.GraphicTypeValues3D.POLYLINE, np.asarray(ends, dtype=np.float64), geometry.frame_of_reference_uid
    ))
    return coordinates


def region_source(source: SourceImage) -> Any:
    """Reference of a region or line to the image it was drawn on."""
    import highdicom as hd

    return hd.sr.SourceImageForRegion(
        str(source.header.SOPClassUID), str(source.header.SOPInstanceUID), source.frame_numbers
    )
