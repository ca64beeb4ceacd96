"""A lesion's measurements, tags and evidence as DICOM Comprehensive 3D SR (TID 1500)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from neuraxis.domain.lesion import Lesion
from neuraxis.domain.study import Series
from neuraxis.domain.tag import Tag
from neuraxis.errors import ReadError, UsageError
from neuraxis.interop import concepts as c
from neuraxis.interop.concepts import coding_scheme_items, dicom_code
from neuraxis.interop.dicom_file import pin_identity, write_object
from neuraxis.interop.identity import MANUFACTURER, Author, Authorship, UidSource
from neuraxis.interop.observers import observer_contexts
from neuraxis.interop.seg import SERIES_NUMBER_OFFSET, mask_on
from neuraxis.interop.source_images import SourceImage, source_images
from neuraxis.interop.sr_groups import (
    ReportedLesion,
    contour_group,
    key_slices,
    line_group,
    segment_group,
    tag_groups,
)
from neuraxis.interop.sr_items import slice_of_line

MOST_LIBRARY_IMAGES = 16

if TYPE_CHECKING:
    import datetime

    from pydicom.dataset import Dataset


def write_sr(
    lesion: Lesion, tags: Sequence[Tag], series: Series, path: Path, *, seg_path: Path, author: Author | None,
    uids: UidSource, written_at: datetime.datetime,
) -> str:
    """Write a TID 1500 report of the lesion on `series`; return its SOP Instance UID.

    The report holds a segment group (volume, intensity, the tags a reader asserted), the outline on the largest slice,
    the axis lines, and a group for every tag and every piece of evidence. It is UNVERIFIED, PRELIMINARY and PARTIAL:
    what nobody stated is not in it, which is not the same as absent. Same arguments, same bytes.

    Parameters
    ----------
    seg_path : the SEG that `write_seg` wrote for the same lesion and series
    author : reader who answers for the asserted tags; None where nobody does (then no tag may be asserted)

    Raises
    ------
    UsageError
        When tags are asserted and no author is named, or the SEG is not of this lesion.
    GeometryError, ReadError, WriteError
        As in `write_seg`.
    """
    authorship = Authorship(author, written_at, uids)
    return write_object(build_sr(lesion, tags, series, seg_path, authorship), path, uids)


def build_sr(
    lesion: Lesion, tags: Sequence[Tag], series: Series, seg_path: Path, authorship: Authorship
) -> Dataset:
    """The report of `write_sr` as a data set, not written."""
    import highdicom as hd

    if authorship.author is None and any(t.asserted_by for t in tags):
        raise UsageError(
            "tags asserted by a reader in a report without an author", expected="an author",
            remedy="give the author's name, or leave the tags as suggestions",
        )
    seg = _read_seg(seg_path)
    reported = _reported(lesion, tags, series, seg)
    groups = [segment_group(reported), contour_group(reported)]
    lines = line_group(reported)
    groups += [lines] if lines is not None else []
    groups += tag_groups(reported)
    images = _distinct(reported.sources)
    person, device = observer_contexts(authorship)
    report = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(person, device),
        procedure_reported=dicom_code(c.PROCEDURES.get(series.modality, c.PROCEDURES["CT"])),
        imaging_measurements=groups, title=dicom_code(c.REPORT_TITLE), referenced_images=_library(reported),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in seg: odd values in the scanner's headers
        dataset: Dataset = hd.sr.Comprehensive3DSR(
            evidence=[*images, seg], content=report, series_instance_uid="2.25.1",
            series_number=2 * SERIES_NUMBER_OFFSET + (series.number or 0), sop_instance_uid="2.25.1",
            instance_number=1, manufacturer=MANUFACTURER, is_complete=False, is_final=False, is_verified=False,
            institution_name=authorship.author.organization or None if authorship.author else None,
            series_description=f"Neuraxis report: {lesion.label}"[:64],
        )
    dataset.CodingSchemeIdentificationSequence = coding_scheme_items()
    pin_identity(dataset, authorship, kind="SR", series_key=(series.series_uid, lesion.tracking_uid))
    return dataset


def _read_seg(path: Path) -> Dataset:
    import pydicom
    from pydicom.uid import SegmentationStorage

    try:
        seg = pydicom.dcmread(path, stop_before_pixels=True)
    except (OSError, ValueError) as error:
        raise ReadError(
            f"cannot read the segmentation {path.name}: {error}", expected="the SEG written for this lesion",
            remedy="write the SEG first",
        ) from error
    if seg.get("SOPClassUID") != SegmentationStorage:
        raise UsageError(f"{path.name} is no DICOM Segmentation", expected="the SEG written for this lesion")
    return seg


def _reported(lesion: Lesion, tags: Sequence[Tag], series: Series, seg: Dataset) -> ReportedLesion:
    mask = mask_on(lesion, series)
    numbers = [int(s.SegmentNumber) for s in seg.SegmentSequence if s.get("TrackingUID") == lesion.tracking_uid]
    if not numbers:
        raise UsageError(
            f"the segmentation holds no segment of lesion {lesion.label!r}",
            expected=f"tracking UID {lesion.tracking_uid}", remedy="write the SEG of this lesion and give its path",
        )
    occupied = [mask.start_zyx[0] + k for k in range(mask.box.shape[0]) if mask.box[k].any()]
    slices = set(range(occupied[0], occupied[-1] + 1))
    for line in (lesion.measurement.long_axis, lesion.measurement.short_axis, lesion.measurement.max_3d_diameter):
        index = slice_of_line(line, mask.geometry) if line else None
        slices |= {index} if index is not None else set()
    sources = {s.slice_index: s for s in source_images(series, sorted(slices))}
    return ReportedLesion(
        lesion, mask, tags, sources, (str(seg.SOPClassUID), str(seg.SOPInstanceUID), numbers[0])
    )


def _distinct(sources: dict[int, SourceImage]) -> list[Dataset]:
    """Headers of the images used, in slice order, a multi-frame one once."""
    headers = {str(s.header.SOPInstanceUID): s.header for _, s in sorted(sources.items())}
    return list(headers.values())


def _library(reported: ReportedLesion) -> list[Dataset] | None:
    """Images for the image library: all used ones, or for a long lesion those that carry an outline or a line.

    The library describes single positions: multi-frame objects stand as evidence only. highdicom needs 20 ms an image
    for it; the other images of a long lesion are referenced by their segmentation and as evidence.
    """
    used = reported.sources
    if len(used) > MOST_LIBRARY_IMAGES:
        used = {index: used[index] for index in key_slices(reported)}
    return [i for i in _distinct(used) if not i.get("NumberOfFrames")] or None
