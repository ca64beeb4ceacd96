"""Contours of an RT Structure Set as lesion masks on the series they were drawn on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.lesion import LesionMask
from neuraxis.domain.study import Series, Study
from neuraxis.errors import GeometryError, ReadError
from neuraxis.interop.doubt import IMAGES, ask_unless_accepted, patient_notes
from neuraxis.interop.mask_planes import grid_of, lost_slices, mask_from_planes
from neuraxis.lesions.editing import polygon_contains

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

RT_STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"
PLANE_TOLERANCE = 0.1
"""Of a slice distance: a contour further from a slice, or more tilted against it, is not drawn on that slice."""
MOST_POINTS = 20_000_000
"""Of one file; a head with every organ contoured on every slice has less than a million."""


@dataclass(frozen=True, eq=False)
class ReadRoi:
    """One region of interest.

    Parameters
    ----------
    number, label : ROI Number and ROI Name
    mask : None where nothing of it could be placed
    notes : what was left out or is doubtful, in words
    """

    number: int
    label: str
    mask: LesionMask | None
    notes: tuple[str, ...]


def read_rtstruct(path: Path, study: Study, *, accept: Collection[str] = ()) -> tuple[ReadRoi, ...]:
    """Regions of a structure set as masks: voxels whose centre lies inside an odd number of contours of their slice.

    Closed planar contours are placed by position on the volume whose images they name (with "images" accepted: on one of
    the same frame of reference). Points, open lines and contours between slices are named in the notes, not used.

    Raises
    ------
    ReadError
        When the file is damaged, no structure set, or holds more points than any plan.
    GeometryError
        When no volume of the study shares its frame of reference.
    DoubtError
        For another patient or absent images, unless accepted.
    """
    dataset = _read(path)
    rois = {int(r.ROINumber): r for r in dataset.get("StructureSetROISequence") or ()}
    notes: list[str] = []
    found = []
    for item in dataset.get("ROIContourSequence") or ():
        number = int(item.get("ReferencedROINumber", -1))
        roi = rois.get(number)
        if roi is None:
            notes.append(f"contours refer to region {number}, which the file does not define: left out")
            continue
        contours = list(item.get("ContourSequence") or ())
        series = _series_of(dataset, roi, contours, study, accept, notes)
        mask, own = _mask(contours, series)
        found.append(ReadRoi(number, str(roi.get("ROIName") or f"region {number}")[:64], mask, (*notes, *own)))
    drawn = {r.number for r in found}
    found += [
        ReadRoi(n, str(r.get("ROIName") or f"region {n}")[:64], None, ("it has no contours",))
        for n, r in rois.items() if n not in drawn
    ]
    used = [s for s in study if any(r.mask is not None and r.mask.series_id == s.id for r in found)]
    doubts = tuple(patient_notes(dataset, used, accept))
    return tuple(ReadRoi(r.number, r.label, r.mask, (*doubts, *r.notes)) for r in found)


def _read(path: Path) -> Dataset:
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        dataset = pydicom.dcmread(path)
        points = sum(
            len(c.get("ContourData") or ()) // 3
            for item in dataset.get("ROIContourSequence") or () for c in item.get("ContourSequence") or ()
        )
    except (OSError, InvalidDicomError, ValueError, EOFError, RecursionError) as error:
        raise ReadError(f"cannot read {path.name}: {type(error).__name__}", expected="an RT Structure Set") from error
    if dataset.get("SOPClassUID") != RT_STRUCTURE_SET:
        raise ReadError(f"{path.name} is {dataset.get('SOPClassUID', 'no DICOM object')}", expected="an RT Structure Set")
    if points > MOST_POINTS:
        raise ReadError(f"{path.name} holds {points:,} contour points", expected=f"at most {MOST_POINTS:,}")
    return dataset


def _series_of(
    dataset: Dataset, roi: Dataset, contours: Sequence[Dataset], study: Study, accept: Collection[str], notes: list[str]
) -> Series:
    frame = str(roi.get("ReferencedFrameOfReferenceUID", ""))
    fitting = [s for s in study if s.is_volume and s.frame_of_reference_uid == frame]
    if not fitting:
        raise GeometryError(
            "the structure set lies in a frame of reference that no volume of the study has",
            expected="the frame of reference of its images", remedy="open the study it was drawn on",
        )
    images = {
        str(i.get("ReferencedSOPInstanceUID", "")) for c in contours for i in c.get("ContourImageSequence") or ()
    } | _referenced_images(dataset)
    here = {s.id: sum(i.sop_instance_uid in images for i in s.instances) for s in fitting}
    best = max(fitting, key=lambda s: here[s.id])
    if here[best.id] == 0:
        note = ask_unless_accepted(
            IMAGES, accept, "the structure set belongs to images that are not here", expected="images of this study",
            remedy="open its images, or read it again accepting 'images': placed by position",
        )
        if note not in notes:
            notes.append(note)
    return best


def _referenced_images(dataset: Dataset) -> set[str]:
    return {
        str(image.get("ReferencedSOPInstanceUID", ""))
        for frame in dataset.get("ReferencedFrameOfReferenceSequence") or ()
        for study in frame.get("RTReferencedStudySequence") or ()
        for series in study.get("RTReferencedSeriesSequence") or ()
        for image in series.get("ContourImageSequence") or ()
    }


def _mask(contours: Sequence[Dataset], series: Series) -> tuple[LesionMask | None, tuple[str, ...]]:
    geometry = grid_of(series)
    planes: dict[int, NDArray[np.bool_]] = {}
    left: dict[str, int] = {}
    for contour in contours:
        placed = _on_slice(contour, geometry)
        if isinstance(placed, str):
            left[placed] = left.get(placed, 0) + 1
            continue
        index, polygon = placed
        # XOR: a contour inside another one is a hole, as planning systems write it
        plane = planes.setdefault(index, np.zeros(geometry.shape_zyx[1:], dtype=bool))
        _fill(plane, polygon)
    notes = [f"{count} contours {reason}: not used" for reason, count in left.items()]
    if not any(plane.any() for plane in planes.values()):
        return None, (*notes, "nothing of it holds the centre of a voxel")
    notes += lost_slices(planes, "structure set")
    return mask_from_planes(planes, series, tuple(notes), "drawn as contours (RT Structure Set)"), tuple(notes)


def _on_slice(contour: Dataset, geometry: VolumeGeometry) -> tuple[int, NDArray[np.float64]] | str:
    """Slice index and (row, column) points; or, in words, why the contour is not used."""
    kind = str(contour.get("ContourGeometricType", ""))
    if kind not in ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR"):
        return f"of type {kind or 'not stated'}"[:40]
    values: Any = contour.get("ContourData") or ()
    try:
        points = np.asarray([float(v) for v in values], dtype=np.float64)
    except (TypeError, ValueError):
        return "with coordinates that are no numbers"
    if len(points) < 9 or len(points) % 3 or not np.isfinite(points).all():
        return "with incomplete coordinates"
    index = geometry.index_from_lps(points.reshape(-1, 3))
    z = index[:, 0]
    nearest = round(float(z.mean()))
    if np.abs(z - nearest).max() > PLANE_TOLERANCE:
        return "that lie on no slice of the series"
    if not 0 <= nearest < geometry.shape_zyx[0]:
        return "outside the series"
    return nearest, index[:, 1:]


def _fill(plane: NDArray[np.bool_], polygon: NDArray[np.float64]) -> None:
    """Turn over the voxels (rows, columns) whose centre lies inside the polygon, in place."""
    low = np.maximum(np.floor(polygon.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(polygon.max(axis=0)).astype(int) + 1, plane.shape)
    if (high > low).all():
        rows, columns = np.mgrid[low[0] : high[0], low[1] : high[1]]
        plane[low[0] : high[0], low[1] : high[1]] ^= polygon_contains(polygon, np.stack([rows, columns], axis=-1))
