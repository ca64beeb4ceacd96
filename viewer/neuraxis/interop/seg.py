"""A lesion's mask on a series as DICOM Segmentation (binary, or a label map), one segment, one frame a slice."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.lesion import Lesion, LesionMask
from neuraxis.domain.lexicon import Code
from neuraxis.domain.study import Series
from neuraxis.errors import GeometryError, UsageError
from neuraxis.interop.concepts import ABNORMAL_STRUCTURE, HISTOGRAM_ANALYSIS, LESION, coding_scheme_items, dicom_code
from neuraxis.interop.dicom_file import pin_identity, write_object
from neuraxis.interop.identity import MANUFACTURER, SOFTWARE_NOTE, Author, Authorship, UidSource, software_version
from neuraxis.interop.source_images import SourceImage, share_common_macros, source_images

if TYPE_CHECKING:
    import datetime

    from pydicom.dataset import Dataset

DRAWN = "drawn"
SERIES_NUMBER_OFFSET = 1000
"""Our derived series are numbered behind the scanner's: 1000 + number of the source series."""


def write_seg(
    lesion: Lesion, series: Series, path: Path, *, author: Author | None, uids: UidSource,
    written_at: datetime.datetime, property_type: Code = LESION, label_map: bool = False,
) -> str:
    """Write the lesion's mask on `series` as a SEG; return its SOP Instance UID.

    Every slice between the mask's first and last is written, empty ones too, so that a reader can tell a lost frame
    from an empty slice. Masks go to slices by position. Same arguments, same bytes.

    Parameters
    ----------
    lesion : has a mask on `series` (its own or one of `other_masks`)
    series : the source images, single-frame or multi-frame, as files in a folder
    author : reader who answers for the mask; None where nobody does
    uids, written_at : identifiers and clock as they shall stand in the object
    property_type : what the segment is (Segmented Property Type)
    label_map : as Label Map Segmentation (8 bits, voxels hold the segment number) instead of a binary one, which more
        systems open

    Raises
    ------
    UsageError
        When the lesion has no mask on the series, or an empty one.
    GeometryError
        When mask and series do not share a grid or a slice has no source image.
    ReadError, WriteError
        When a source image or the target cannot be used; nothing half-written stays.
    """
    dataset = build_seg(lesion, series, Authorship(author, written_at, uids), property_type, label_map=label_map)
    return write_object(dataset, path, uids)


def build_seg(
    lesion: Lesion, series: Series, authorship: Authorship, property_type: Code = LESION, *, label_map: bool = False
) -> Dataset:
    """The SEG of `write_seg` as a data set, not written."""
    import highdicom as hd

    mask = mask_on(lesion, series)
    sources = source_images(series, _slices(mask))
    first = sources[0].header
    share_common_macros(first)
    planes, images = _planes(mask, sources)
    kind = "LABELMAP" if label_map else "BINARY"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # highdicom warns of odd values in the scanner's own headers, which we copy
        dataset: Dataset = hd.seg.Segmentation(
            source_images=images, pixel_array=planes, segmentation_type=hd.seg.SegmentationTypeValues(kind),
            segment_descriptions=[_segment(lesion, mask, property_type)],
            series_instance_uid="2.25.1", series_number=SERIES_NUMBER_OFFSET + (series.number or 0),
            sop_instance_uid="2.25.1", instance_number=1,
            manufacturer=MANUFACTURER, manufacturer_model_name=MANUFACTURER, software_versions=software_version(),
            device_serial_number=software_version(),
            content_description=f"{SOFTWARE_NOTE[:-1]}"[:64], content_label="LESION",
            content_creator_name=authorship.author.name if authorship.author else None,
            # all frames of a multi-frame source are planes here: only those outside the lesion may be left out
            omit_empty_frames=sources[0].frame_number is not None and _is_gapless(mask),
            series_description=f"Neuraxis segmentation: {lesion.label}"[:64],
        )
    dataset.SegmentSequence[0].SegmentDescription = _description(mask)
    if "ContentCreatorName" not in dataset:
        dataset.ContentCreatorName = ""  # Type 2: nobody is named
    dataset.CodingSchemeIdentificationSequence = coding_scheme_items()
    copy_body_part(first, dataset)
    pin_identity(dataset, authorship, kind="SEG", series_key=(series.series_uid, lesion.tracking_uid))
    return dataset


def mask_on(lesion: Lesion, series: Series) -> LesionMask:
    """The lesion's mask that was drawn on `series`.

    Raises UsageError where there is none or it is empty, GeometryError where its grid is not that of the series.
    """
    for mask in (lesion.mask, *lesion.other_masks):
        if mask.series_uid == series.series_uid and mask.series_id in ("", series.id):
            break
    else:
        raise UsageError(
            f"lesion {lesion.label!r} has no mask on series {series.id}",
            expected="one of the series " + ", ".join(
                m.series_id or m.series_uid for m in (lesion.mask, *lesion.other_masks)
            ),
            remedy="segment the lesion on that series first",
        )
    if mask.voxel_count == 0:
        raise UsageError(f"the mask of lesion {lesion.label!r} is empty", expected="at least one voxel")
    if series.geometry is None or not mask.geometry.is_close_to(series.geometry):
        raise GeometryError(
            f"the mask's grid {mask.geometry.shape_zyx} is not that of series {series.id}",
            expected="same frame of reference, shape and position within 0.01 mm",
            remedy="segment the lesion on that series, or resample the mask",
        )
    return mask


def _slices(mask: LesionMask) -> list[int]:
    occupied = np.flatnonzero(mask.box.any(axis=(1, 2))) + mask.start_zyx[0]
    return list(range(int(occupied[0]), int(occupied[-1]) + 1))


def _is_gapless(mask: LesionMask) -> bool:
    occupied = np.flatnonzero(mask.box.any(axis=(1, 2)))
    return bool(len(occupied) == occupied[-1] - occupied[0] + 1)


def _planes(mask: LesionMask, sources: tuple[SourceImage, ...]) -> tuple[NDArray[np.uint8], list[Dataset]]:
    """Planes (n, rows, columns) in the order of the images (single-frame) or of all frames (multi-frame)."""
    _, y, x = mask.box_slices
    shape = mask.geometry.shape_zyx[1:]
    first = sources[0]
    count = len(sources) if first.frame_number is None else int(first.header.NumberOfFrames)
    planes = np.zeros((count, *shape), dtype=np.uint8)
    for position, source in enumerate(sources):
        plane = position if source.frame_number is None else source.frame_number - 1
        planes[plane, y, x] = mask.box[source.slice_index - mask.start_zyx[0]]
    images = [s.header for s in sources] if first.frame_number is None else [first.header]
    return planes, images


def _segment(lesion: Lesion, mask: LesionMask, property_type: Code) -> Any:
    import highdicom as hd

    drawn = mask.method.startswith(DRAWN)
    algorithm = None if drawn else hd.AlgorithmIdentificationSequence(
        name="Neuraxis lesion segmentation", version=software_version(),
        family=dicom_code(HISTOGRAM_ANALYSIS),
    )
    return hd.seg.SegmentDescription(
        segment_number=1, segment_label=lesion.label[:64] or "lesion",
        segmented_property_category=dicom_code(ABNORMAL_STRUCTURE),
        segmented_property_type=dicom_code(property_type),
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL if drawn
        else hd.seg.SegmentAlgorithmTypeValues.SEMIAUTOMATIC,
        algorithm_identification=algorithm,
        tracking_uid=lesion.tracking_uid, tracking_id=lesion.label[:64] or "lesion",
    )


def _description(mask: LesionMask) -> str:
    """Method and restrictions in words, as many as fit a short text (1024 characters)."""
    return "; ".join((mask.method, *mask.warnings)).replace("\\", "/")[:1024]


def copy_body_part(source: Dataset, target: Dataset) -> None:
    """Copy Body Part Examined: without it validators take Laterality for required."""
    if source.get("BodyPartExamined"):
        target.BodyPartExamined = source.BodyPartExamined
