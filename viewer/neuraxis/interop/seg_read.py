"""Read DICOM Segmentations, ours and other programs', onto the series of a study, with the checks that make it safe."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.lesion import LesionMask
from neuraxis.domain.lexicon import Code
from neuraxis.domain.study import Series, Study
from neuraxis.errors import GeometryError
from neuraxis.interop.concepts import code_from
from neuraxis.interop.doubt import GRID, IMAGES, ask_unless_accepted, patient_notes
from neuraxis.interop.mask_planes import grid_of, lost_slices, mask_from_planes
from neuraxis.interop.seg_frames import SegFile, SegFrame

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

SAME_GRID = 0.1
"""Of a voxel: frames whose pixel centres are nearer than this to those of the series are on its grid."""


@dataclass(frozen=True, eq=False)
class ReadSegment:
    """One segment placed on a series.

    `kind` is its property type, `tracking_uid` "" where the writer gave none, `mask.warnings` what was doubtful.
    """

    number: int
    label: str
    tracking_uid: str
    kind: Code
    mask: LesionMask
    sop_instance_uid: str


def read_seg(
    path: Path, study: Study, *, accept: Collection[str] = (), threshold: float | None = None
) -> list[LesionMask]:
    """Masks of all segments of a SEG file, see `read_segments`."""
    return [segment.mask for segment in read_segments(path, study, accept=accept, threshold=threshold)]


def read_segments(
    path: Path, study: Study, *, accept: Collection[str] = (), threshold: float | None = None
) -> tuple[ReadSegment, ...]:
    """Segments of a SEG file as masks on the series of the study that they were drawn on.

    Frames are placed by position, never by order. Checked: same patient, same frame of reference, images present, same
    grid, no slice lost inside a segment, length of the pixel data.

    Parameters
    ----------
    accept : doubts to take nevertheless: "patient", "images" (its images are not here), "grid" (resampled, nearest)
    threshold : for fractional segmentations, the fraction from which a voxel is inside

    Raises
    ------
    DoubtError
        For a doubt that is not accepted, and for fractions without threshold.
    GeometryError
        When no series of the study shares its frame of reference, or a frame lies outside the series.
    ReadError
        When the file is damaged or no segmentation.
    """
    file = SegFile(Path(path))
    notes: list[str] = []
    series = _series_of(file, study, accept, notes)
    notes += patient_notes(file.header, [series], accept)
    segments = []
    for number, description in sorted(file.segments.items()):
        if file.kind == "LABELMAP" and number == 0:
            continue  # the background of a label map is no finding
        frames = [f for f in file.frames if f.segment in (number, None)]
        mask = _mask(file, frames, number, series, accept, threshold)
        mask = replace(mask, method=_method(description), warnings=(*notes, *mask.warnings))
        segments.append(ReadSegment(
            number, str(description.get("SegmentLabel", "")), str(description.get("TrackingUID", "")),
            code_from(description.SegmentedPropertyTypeCodeSequence[0]), mask, str(file.header.SOPInstanceUID),
        ))
    return tuple(segments)


def _series_of(file: SegFile, study: Study, accept: Collection[str], notes: list[str]) -> Series:
    referenced = {uid for frame in file.frames for uid in frame.source_uids}
    for item in file.header.get("ReferencedSeriesSequence", ()):
        referenced |= {str(i.ReferencedSOPInstanceUID) for i in item.get("ReferencedInstanceSequence", ())}
    frame_uid = str(file.header.get("FrameOfReferenceUID", ""))
    volumes = [s for s in study if s.is_volume]
    here = {s.id: sum(i.sop_instance_uid in referenced for i in s.instances) for s in volumes}
    best = max(volumes, key=lambda s: here[s.id], default=None)
    if best is not None and here[best.id] > 0:
        if best.frame_of_reference_uid != frame_uid:
            raise _frame_error(file)
        lost = len(referenced) - sum(here.values())
        if lost > 0:
            notes.append(f"{lost} of {len(referenced)} images that the segmentation refers to are not in the study")
        return best
    fitting = [s for s in volumes if s.frame_of_reference_uid == frame_uid]
    if not fitting:
        raise _frame_error(file)
    notes.append(ask_unless_accepted(
        IMAGES, accept, f"the segmentation belongs to images that are not here ({len(referenced)} of {len(referenced)})",
        expected="images of this study", remedy="open its images, or read it again accepting 'images': placed by position",
    ))
    return max(fitting, key=lambda s: sum(_places(f, file, grid_of(s)) is not None for f in file.frames))


def _frame_error(file: SegFile) -> GeometryError:
    return GeometryError(
        f"{file.path.name} lies in a frame of reference that no volume of the study has",
        expected="the frame of reference of its source images",
        remedy="open the study it was drawn on, or register and resample it first",
    )


def _frame_geometry(frame: SegFrame, file: SegFile, normal_step: tuple[float, float, float]) -> VolumeGeometry:
    row, column = np.array(frame.orientation[:3]), np.array(frame.orientation[3:])
    x, y, z = frame.position_lps_mm
    step_x, step_y = row * frame.spacing_row_column_mm[1], column * frame.spacing_row_column_mm[0]
    return VolumeGeometry(
        (1, file.rows, file.columns), (x, y, z), (step_x[0], step_x[1], step_x[2]), (step_y[0], step_y[1], step_y[2]),
        normal_step,
    )


def _places(frame: SegFrame, file: SegFile, grid: VolumeGeometry) -> tuple[int, int, int] | None:
    """(z, y, x) in the series of the frame's first pixel when all its pixels lie on the series' grid; else None."""
    own = _frame_geometry(frame, file, grid.step_z_mm)
    ends = grid.index_from_lps(own.lps_from_index([
        (0, 0, 0), (0, file.rows - 1, 0), (0, 0, file.columns - 1), (0, file.rows - 1, file.columns - 1),
    ]))
    whole = np.rint(ends)
    span = whole[3] - whole[0]
    straight = whole[2][1] == whole[0][1] and whole[1][2] == whole[0][2]
    if np.abs(ends - whole).max() > SAME_GRID or not straight or tuple(span) != (0, file.rows - 1, file.columns - 1):
        return None
    return int(whole[0][0]), int(whole[0][1]), int(whole[0][2])


def _mask(
    file: SegFile, frames: list[SegFrame], number: int, series: Series, accept: Collection[str],
    threshold: float | None,
) -> LesionMask:
    grid = grid_of(series)
    planes: dict[int, NDArray[np.bool_]] = {}
    warnings: list[str] = []
    for frame in frames:
        inside = file.plane(frame, number, threshold)
        place = _places(frame, file, grid)
        if place is None:
            return _resampled(file, frames, number, series, accept, threshold)
        z, y, x = place
        if not inside.any() and not 0 <= z < grid.shape_zyx[0]:
            continue
        target = planes.setdefault(z, np.zeros(grid.shape_zyx[1:], dtype=bool)) if 0 <= z < grid.shape_zyx[0] else None
        if target is None or not _paste(inside, target, y, x):
            warnings.append("part of the segment lies outside the series and was left out")
    warnings += lost_slices(planes)
    return mask_from_planes(planes, series, tuple(dict.fromkeys(warnings)))


def _paste(inside: NDArray[np.bool_], target: NDArray[np.bool_], y: int, x: int) -> bool:
    """Put a plane into the slice at a row and column; False where something inside did not fit."""
    rows = slice(max(0, y), max(0, min(target.shape[0], y + inside.shape[0])))
    columns = slice(max(0, x), max(0, min(target.shape[1], x + inside.shape[1])))
    part = inside[rows.start - y : rows.stop - y, columns.start - x : columns.stop - x]
    target[rows, columns] |= part
    return int(part.sum()) == int(inside.sum())


def _resampled(
    file: SegFile, frames: list[SegFrame], number: int, series: Series, accept: Collection[str],
    threshold: float | None,
) -> LesionMask:
    grid = grid_of(series)
    spacing = frames[0].spacing_row_column_mm
    note = ask_unless_accepted(
        GRID, accept,
        f"the segmentation's grid differs from the series: {spacing[0]:g} x {spacing[1]:g} mm against "
        f"{grid.spacing_xyz_mm[1]:g} x {grid.spacing_xyz_mm[0]:g} mm, or shifted or turned",
        expected="the grid of the images it was drawn on",
        remedy="read it again accepting 'grid': every voxel of the series then takes its nearest neighbour",
    )
    planes: dict[int, NDArray[np.bool_]] = {}
    for z in range(grid.shape_zyx[0]):
        plane = _sampled_slice(file, frames, number, grid, z, threshold)
        if plane is not None:
            planes[z] = plane
    return mask_from_planes(planes, series, (note, "resampled from another grid, nearest voxel"))


def _sampled_slice(
    file: SegFile, frames: list[SegFrame], number: int, grid: VolumeGeometry, z: int, threshold: float | None
) -> NDArray[np.bool_] | None:
    """One slice of the series filled from the frame whose plane is nearest, within half a slice; None if there is none."""
    normal = np.asarray(grid.slice_normal_lps)
    origin = grid.lps_from_index((z, 0, 0))
    distances = [abs(float(normal @ (np.asarray(f.position_lps_mm) - origin))) for f in frames]
    nearest = int(np.argmin(distances))
    if distances[nearest] > grid.slice_distance_mm / 2:
        return None
    frame = frames[nearest]
    own = _frame_geometry(frame, file, grid.step_z_mm)
    y, x = np.mgrid[: grid.shape_zyx[1], : grid.shape_zyx[2]]
    index = np.rint(own.index_from_lps(grid.lps_from_index(np.stack([np.full_like(y, z), y, x], axis=-1)))).astype(int)
    inside = file.plane(frame, number, threshold)
    fits = (index[..., 1] >= 0) & (index[..., 1] < file.rows) & (index[..., 2] >= 0) & (index[..., 2] < file.columns)
    plane = np.zeros(grid.shape_zyx[1:], dtype=bool)
    plane[fits] = inside[index[..., 1][fits], index[..., 2][fits]]
    return plane


def _method(description: Dataset) -> str:
    if description.get("SegmentDescription"):
        return str(description.SegmentDescription)
    if description.get("SegmentAlgorithmType") == "MANUAL":
        return "drawn"
    return str(description.get("SegmentAlgorithmName") or description.get("SegmentAlgorithmType") or "not stated")
