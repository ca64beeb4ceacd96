"""A finished picture (a figure, a screen) as DICOM Secondary Capture in the patient's study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.study import Series
from neuraxis.errors import UsageError
from neuraxis.interop.derived import derived_dataset, finish
from neuraxis.interop.identity import SOFTWARE_NOTE, Author, Authorship, UidSource
from neuraxis.interop.source_images import read_header

if TYPE_CHECKING:
    import datetime

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def write_secondary_capture(
    picture: NDArray[Any], series: Series, path: Path, *, description: str, author: Author | None, uids: UidSource,
    written_at: datetime.datetime,
) -> str:
    """Write an RGB picture into the study of `series`; return the SOP Instance UID.

    The picture is marked as derived, as holding burned-in text, and carries no millimetres: nothing may be measured on it.

    Parameters
    ----------
    picture : (rows, columns, 3), uint8, RGB
    description : what it shows, at most 64 characters go into the series description

    Raises
    ------
    UsageError
        When the array is no such picture.
    ReadError, WriteError
        As in `write_seg`.
    """
    array = np.asarray(picture)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or max(array.shape[:2]) > 65535:
        raise UsageError(
            f"picture of shape {array.shape} and type {array.dtype}",
            expected="(rows, columns, 3) of uint8, at most 65535 pixels a side",
        )
    d = derived_dataset(read_header(series.instances[0]), SECONDARY_CAPTURE, "OT", description, 6)
    d.ImageType = ["DERIVED", "SECONDARY"]
    d.ConversionType = "WSD"
    d.PatientOrientation = ""
    d.BurnedInAnnotation = "YES"
    d.ImageComments = SOFTWARE_NOTE
    d.DerivationDescription = f"Picture made by the reader {author.name}" if author else "Picture made by the program"
    d.SamplesPerPixel, d.PhotometricInterpretation, d.PlanarConfiguration = 3, "RGB", 0
    d.Rows, d.Columns = int(array.shape[0]), int(array.shape[1])
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 8, 8, 7, 0
    content = np.ascontiguousarray(array).tobytes()
    d.PixelData = content + b"\x00" * (len(content) % 2)
    d["PixelData"].VR = "OB"
    return finish(d, path, Authorship(author, written_at, uids), kind="SC", series_key=(series.study_uid, description))
