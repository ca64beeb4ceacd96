"""Frames of a DICOM Segmentation: checked counts and sizes first, then one boolean plane at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.errors import ReadError
from neuraxis.interop.doubt import DoubtError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

SEGMENTATION_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
"""Segmentation Storage and Label Map Segmentation Storage."""
LARGEST_FILE = 4 * 1024**3
"""Bytes; an uncompressed binary SEG of 2,000 slices of 1024 x 1024 and 10 segments has 2.6 GB."""


@dataclass(frozen=True, eq=False)
class SegFrame:
    """One stored frame: which segment (None for label maps: any), where, and its index in the pixel data."""

    index: int
    segment: int | None
    position_lps_mm: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing_row_column_mm: tuple[float, float]
    source_uids: tuple[str, ...]


class SegFile:
    """A segmentation whose header, frame count and pixel data length agree.

    Raises
    ------
    ReadError
        When the file is no segmentation, cut short, or says one thing and holds another.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header = _read(path)
        self.kind = str(self.header.get("SegmentationType", ""))
        self.rows, self.columns = int(self.header.Rows), int(self.header.Columns)
        self.bits = int(self.header.BitsAllocated)
        self.segments: dict[int, Dataset] = {int(s.SegmentNumber): s for s in self.header.get("SegmentSequence", ())}
        self.frames = _frames(self.header, path)
        self._check_pixels()

    def _check_pixels(self) -> None:
        pixels = self.header.get("PixelData")
        if self.header.file_meta.TransferSyntaxUID.is_encapsulated:
            raise ReadError(
                f"{self.path.name} holds compressed frames ({self.header.file_meta.TransferSyntaxUID.name})",
                expected="an uncompressed segmentation", remedy="decompress it first, for instance with dcmdrle",
            )
        needed = -(-len(self.frames) * self.rows * self.columns * self.bits // 8)
        if pixels is None or len(pixels) < needed:
            raise ReadError(
                f"{self.path.name} is cut short: {0 if pixels is None else len(pixels):,} bytes of pixels",
                expected=f"{needed:,} bytes for {len(self.frames)} frames", remedy="get the file again from its source",
            )

    def plane(self, frame: SegFrame, segment: int, threshold: float | None) -> NDArray[np.bool_]:
        """(rows, columns) True where the segment is.

        `threshold` is the lowest fraction of a fractional segmentation that counts as inside (0 to 1, exclusive 0).
        """
        if self.kind == "BINARY":
            return self._bits(frame.index)
        values = self._values(frame.index)
        if self.kind == "LABELMAP":
            return np.asarray(values == segment, dtype=bool)
        if threshold is None:
            raise DoubtError(
                "threshold", f"{self.path.name} holds fractions ({self.header.get('SegmentationFractionalType', '')})",
                expected="a binary segmentation", remedy="give the fraction from which a voxel counts as inside, e.g. 0.5",
            )
        largest = float(self.header.get("MaximumFractionalValue", 255))
        return np.asarray(values >= max(threshold * largest, 1.0), dtype=bool)

    def _bits(self, index: int) -> NDArray[np.bool_]:
        size = self.rows * self.columns
        first = index * size  # frames are packed without padding: a frame may start inside a byte
        data = np.frombuffer(self.header.PixelData, np.uint8, count=-(-(first + size) // 8) - first // 8, offset=first // 8)
        bits = np.unpackbits(data, bitorder="little")[first % 8 : first % 8 + size]
        return bits.reshape(self.rows, self.columns).astype(bool)

    def _values(self, index: int) -> NDArray[Any]:
        size = self.rows * self.columns
        kind = np.dtype("<u2") if self.bits == 16 else np.dtype(np.uint8)
        return np.frombuffer(
            self.header.PixelData, kind, count=size, offset=index * size * kind.itemsize
        ).reshape(self.rows, self.columns)


def _read(path: Path) -> Dataset:
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ReadError(f"{path.name} has {path.stat().st_size:,} bytes", expected=f"at most {LARGEST_FILE:,}")
        header = pydicom.dcmread(path)
    except (OSError, InvalidDicomError, ValueError, EOFError, RecursionError) as error:
        if isinstance(error, ReadError):
            raise
        raise ReadError(f"cannot read {path.name}: {error}", expected="a DICOM Segmentation") from error
    if header.get("SOPClassUID") not in SEGMENTATION_CLASSES:
        raise ReadError(
            f"{path.name} is {header.get('SOPClassUID', 'no DICOM object')}", expected="a DICOM Segmentation"
        )
    kinds = {"BINARY": (1,), "FRACTIONAL": (8,), "LABELMAP": (8, 16)}
    if header.get("BitsAllocated") not in kinds.get(str(header.get("SegmentationType", "")), ()):
        raise ReadError(
            f"{path.name}: {header.get('SegmentationType', '')} with {header.get('BitsAllocated')} bits",
            expected="BINARY with 1 bit, FRACTIONAL with 8, LABELMAP with 8 or 16",
        )
    return header


def _frames(header: Dataset, path: Path) -> tuple[SegFrame, ...]:
    items = header.get("PerFrameFunctionalGroupsSequence") or ()
    claimed = int(header.get("NumberOfFrames") or 0)
    if claimed != len(items) or claimed == 0:
        raise ReadError(
            f"{path.name} claims {claimed} frames and describes {len(items)}",
            expected="one description a frame", remedy="get the file again from its source",
        )
    shared = (header.get("SharedFunctionalGroupsSequence") or [None])[0]
    return tuple(_frame(index, item, shared, path) for index, item in enumerate(items))


def _frame(index: int, item: Dataset, shared: Dataset | None, path: Path) -> SegFrame:
    def group(keyword: str) -> Any:
        for groups in (item, shared):
            if groups is not None and groups.get(keyword):
                return groups[keyword].value[0]
        return None

    position, orientation = group("PlanePositionSequence"), group("PlaneOrientationSequence")
    measures, identity = group("PixelMeasuresSequence"), group("SegmentIdentificationSequence")
    if position is None or orientation is None or measures is None:
        raise ReadError(
            f"frame {index + 1} of {path.name} cannot be placed in the patient",
            expected="position, orientation and pixel spacing of every frame",
        )
    spacing = [float(v) for v in measures.PixelSpacing]
    return SegFrame(
        index, None if identity is None else int(identity.ReferencedSegmentNumber),
        tuple(float(v) for v in position.ImagePositionPatient),
        tuple(float(v) for v in orientation.ImageOrientationPatient), (spacing[0], spacing[1]),
        tuple(
            str(source.ReferencedSOPInstanceUID)
            for derivation in (group("DerivationImageSequence"),) if derivation is not None
            for source in derivation.get("SourceImageSequence", ())
        ),
    )
