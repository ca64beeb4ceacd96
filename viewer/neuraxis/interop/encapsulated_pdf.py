"""A report as DICOM Encapsulated PDF in the patient's study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from neuraxis.domain.study import Series
from neuraxis.errors import UsageError
from neuraxis.interop.derived import derived_dataset, finish
from neuraxis.interop.identity import Author, Authorship, UidSource
from neuraxis.interop.source_images import read_header

if TYPE_CHECKING:
    import datetime

ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"


def write_encapsulated_pdf(
    pdf: bytes, series: Series, path: Path, *, title: str, author: Author | None, uids: UidSource,
    written_at: datetime.datetime,
) -> str:
    """Write a PDF document into the study of `series`; return the SOP Instance UID.

    Raises
    ------
    UsageError
        When the bytes are no PDF.
    ReadError, WriteError
        As in `write_seg`.
    """
    if not pdf.startswith(b"%PDF-"):
        raise UsageError(f"{len(pdf):,} bytes that do not begin as a PDF", expected="a PDF document")
    d = derived_dataset(read_header(series.instances[0]), ENCAPSULATED_PDF, "DOC", title, 7)
    d.ConversionType = "WSD"
    d.AcquisitionDateTime = ""
    d.BurnedInAnnotation = "YES"
    d.DocumentTitle = title[:1024]
    d.ConceptNameCodeSequence = []
    d.MIMETypeOfEncapsulatedDocument = "application/pdf"
    d.EncapsulatedDocument = pdf + b"\x00" * (len(pdf) % 2)
    d.EncapsulatedDocumentLength = len(pdf)
    return finish(d, path, Authorship(author, written_at, uids), kind="PDF", series_key=(series.study_uid, title))
