"""Where a report's points lie in the patient, and whether what is written of them is true."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import Vector3
from neuraxis.domain.study import InstanceReference, Study
from neuraxis.errors import ReadError
from neuraxis.interop import concepts as c
from neuraxis.interop.outline import signed_area
from neuraxis.interop.source_images import frame_planes, read_header
from neuraxis.interop.sr_tree import Item, Reference

LENGTHS = (c.LONG_AXIS, c.SHORT_AXIS, c.MAX_3D_DIAMETER, c.LENGTH)
RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE_MM = 0.02, 0.1


class ImagePlaces:
    """Geometry of the images a report refers to, each header read once."""

    def __init__(self, study: Study | None) -> None:
        series = () if study is None else study.series
        self._instances: dict[str, InstanceReference] = {i.sop_instance_uid: i for s in series for i in s.instances}
        self._headers: dict[str, Any] = {}
        self.frames_of_reference = {s.frame_of_reference_uid for s in series}

    def has(self, reference: Reference) -> bool:
        """Whether the image is in the study."""
        return reference.sop_instance_uid in self._instances

    def header(self, reference: Reference) -> Any | None:
        """Header of a referenced image; None where it is not in the study or cannot be read."""
        uid = reference.sop_instance_uid
        if uid not in self._headers:
            try:
                self._headers[uid] = read_header(self._instances[uid]) if uid in self._instances else None
            except ReadError:
                self._headers[uid] = None
        return self._headers[uid]

    def axes(self, reference: Reference) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Position of the first pixel's centre (3,) and steps a column and a row, shape (2, 3), LPS mm."""
        header = self.header(reference)
        if header is None:
            return None
        if header.get("NumberOfFrames") and reference.frames:
            planes = frame_planes(header)
            if not 1 <= reference.frames[0] <= len(planes):
                return None
            position, orientation = planes[reference.frames[0] - 1]
            frame = header.PerFrameFunctionalGroupsSequence[reference.frames[0] - 1]
            measures = frame.get("PixelMeasuresSequence") or header.SharedFunctionalGroupsSequence[0].get(
                "PixelMeasuresSequence")
            spacing = measures[0].PixelSpacing
        else:
            if any(k not in header for k in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")):
                return None
            position, orientation, spacing = (
                header.ImagePositionPatient, header.ImageOrientationPatient, header.PixelSpacing)
        o = np.asarray([float(v) for v in orientation])
        steps = np.stack([o[:3] * float(spacing[1]), o[3:] * float(spacing[0])])
        return np.asarray([float(v) for v in position]), steps

    def in_patient(self, item: Item) -> tuple[tuple[Vector3, ...], str]:
        """LPS points of an SCOORD or SCOORD3D item and the image they were drawn on ("" for SCOORD3D or unknown)."""
        if item.points is None:
            return (), ""
        if item.kind == "SCOORD3D":
            return tuple((float(x), float(y), float(z)) for x, y, z in item.points), ""
        reference = drawn_on(item)
        axes = self.axes(reference) if reference is not None else None
        if reference is None or axes is None:
            return (), reference.sop_instance_uid if reference else ""
        origin, steps = axes
        points = origin + (item.points - 0.5) @ steps
        return tuple((float(x), float(y), float(z)) for x, y, z in points), reference.sop_instance_uid


def drawn_on(item: Item) -> Reference | None:
    """The image an SCOORD was selected from."""
    return next((child.reference for child in item.children if child.reference is not None), None)


def measured_notes(group: Item, places: ImagePlaces, with_study: bool) -> list[str]:
    """What is wrong with the coordinates of a group: absent images, points outside, values that do not fit."""
    notes: list[str] = []
    regions = [i for i in group.children if i.points is not None]
    for number in [i for i in group.children if i.kind == "NUM"]:
        own = [i for i in number.children if i.points is not None]
        for place in own:
            notes += _place_notes(place, places, with_study)
        for place in own or (regions if len(regions) == 1 else []):
            notes += _value_notes(number, place, places)
    for region in regions:
        notes += _place_notes(region, places, with_study)
    return notes


def _place_notes(place: Item, places: ImagePlaces, with_study: bool) -> list[str]:
    if not with_study:
        return []
    if place.kind == "SCOORD3D":
        if place.frame_of_reference_uid not in places.frames_of_reference:
            return ["a measurement lies in a frame of reference that the study does not have"]
        return []
    reference = drawn_on(place)
    if reference is None:
        return ["a region names no image it was drawn on"]
    if not places.has(reference):
        return ["a measurement lies on an image that is not here"]
    header = places.header(reference)
    if header is None or place.points is None:
        return ["the image of a measurement cannot be read"]
    limits = (float(header.Columns), float(header.Rows))
    if (place.points < 0).any() or (place.points > limits).any():
        return [f"a point lies outside the image of {header.Columns} x {header.Rows} pixels"]
    return []


def _value_notes(number: Item, region: Item, places: ImagePlaces) -> list[str]:
    if number.number is None or number.name is None:
        return []
    value, unit = c.from_ucum(number.number, number.unit)
    true = None
    if number.name in LENGTHS and unit == "mm":
        true = _length_mm(region, places)
    elif number.name == c.AREA and unit == "mm2":
        true = _area_mm2(region, places)
    if true is None or abs(value - true) <= max(ABSOLUTE_TOLERANCE_MM, RELATIVE_TOLERANCE * true):
        return []
    return [f"{number.name.meaning} is written as {value:.4g} {unit}, its coordinates give {true:.4g} {unit}"]


def _length_mm(region: Item, places: ImagePlaces) -> float | None:
    if region.graphic_type not in ("POLYLINE", "MULTIPOINT"):
        return None
    points, _ = places.in_patient(region)
    if len(points) != 2:
        return None
    return float(np.linalg.norm(np.subtract(points[0], points[1])))


def _area_mm2(region: Item, places: ImagePlaces) -> float | None:
    reference = drawn_on(region)
    axes = places.axes(reference) if region.kind == "SCOORD" and reference is not None else None
    if axes is None or region.points is None:
        return None
    pixel = float(np.linalg.norm(np.cross(axes[1][0], axes[1][1])))
    if region.graphic_type == "POLYLINE" and len(region.points) > 3 and (region.points[0] == region.points[-1]).all():
        return abs(signed_area(region.points)) * pixel
    if region.graphic_type == "ELLIPSE" and len(region.points) == 4:
        axis = [np.linalg.norm(region.points[i] - region.points[i + 1]) for i in (0, 2)]
        return float(np.pi / 4 * axis[0] * axis[1]) * pixel
    if region.graphic_type == "CIRCLE" and len(region.points) == 2:
        return float(np.pi * np.sum((region.points[0] - region.points[1]) ** 2)) * pixel
    return None
