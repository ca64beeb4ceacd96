"""Hands a lesion on: DICOM SR and SEG for other systems, JSON and CSV for programs."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

from neuraxis.domain.lesion import Lesion
from neuraxis.domain.study import Series
from neuraxis.domain.tag import Tag
from neuraxis.output import write_json

FILES = ("measurements.json", "tags.json", "lesion.csv", "seg.dcm", "sr.dcm")


def export_lesion(
    lesion: Lesion, tags: tuple[Tag, ...], series: Series, folder: Path, written_at: datetime.datetime,
    progress: Callable[[float, str], None], *, prefix: str = "", report_pdf: bytes = b"",
) -> tuple[Path, ...]:
    """Write the lesion's numbers, tags, segmentation and report into a folder; returns the files.

    Parameters
    ----------
    series : on which the lesion was measured
    written_at : clock of the DICOM objects: the same clock gives the same bytes
    prefix : of the file names, which hold nothing of the patient
    report_pdf : a report that goes along as DICOM Encapsulated PDF; empty for none

    Raises
    ------
    WriteError
        When the folder cannot be written to.
    """
    from neuraxis.interop.identity import UidSource
    from neuraxis.interop.lesion_table import write_lesion_table
    from neuraxis.interop.lossless_json import TaggedLesion
    from neuraxis.interop.measurement_json import measurement_to_json
    from neuraxis.interop.seg import write_seg
    from neuraxis.interop.sr import write_sr

    sizes_file, tags_file, table_file, seg_file, sr_file = (folder / f"{prefix}{name}" for name in FILES)
    sizes = measurement_to_json(lesion.measurement)
    progress(0.1, "measurements")
    write_json(sizes_file, sizes)
    write_json(tags_file, {"lesion": sizes, "tags": [t.to_json() for t in tags]})
    write_lesion_table([TaggedLesion(lesion, tags)], table_file)
    progress(0.4, "DICOM SEG")
    uids = UidSource(f"{lesion.tracking_uid} {written_at.isoformat()}")
    write_seg(lesion, series, seg_file, author=None, uids=uids, written_at=written_at)
    progress(0.7, "DICOM SR")
    write_sr(lesion, tags, series, sr_file, seg_path=seg_file, author=None, uids=uids, written_at=written_at)
    files = (sizes_file, tags_file, table_file, seg_file, sr_file)
    if not report_pdf:
        return files
    from neuraxis.interop.encapsulated_pdf import write_encapsulated_pdf

    progress(0.9, "DICOM PDF")
    report_file = folder / f"{prefix}report.dcm"
    write_encapsulated_pdf(
        report_pdf, series, report_file, title="Lesion report", author=None, uids=uids, written_at=written_at
    )
    return (*files, report_file)
