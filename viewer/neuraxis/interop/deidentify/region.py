"""Images cut down to a region around a finding: what is not in it, a face above all, does not leave."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neuraxis.domain.geometry import Vector3, VolumeGeometry
from neuraxis.errors import UsageError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_NATIVE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99")
SMALLEST_MM, LARGEST_MM = 5.0, 120.0
"""A cube of more than 120 mm holds most of a face."""


@dataclass(frozen=True)
class Region:
    """A cube along the patient axes.

    Parameters
    ----------
    size_mm : edge length
    centers_lps_mm : centre by Frame of Reference UID; series of other frames do not leave
    """

    size_mm: float
    centers_lps_mm: tuple[tuple[str, Vector3], ...]

    def __post_init__(self) -> None:
        if not SMALLEST_MM <= self.size_mm <= LARGEST_MM:
            raise UsageError(
                f"a region of {self.size_mm:g} mm", expected=f"{SMALLEST_MM:g} to {LARGEST_MM:g} mm",
                remedy="a larger region would show the face; export the study whole and review it instead",
            )

    def corners(self, frame_of_reference_uid: str) -> list[Vector3]:
        """Corners in that frame, LPS mm; UsageError where the frame has no centre."""
        center = dict(self.centers_lps_mm).get(frame_of_reference_uid)
        if center is None:
            raise UsageError(
                "its frame of reference has no registered place for the region",
                expected="a series in the frame of the point, or with an accepted registration to it",
            )
        half = self.size_mm / 2
        x, y, z = center
        return [(x + i * half, y + j * half, z + k * half) for i, j, k in itertools.product((-1, 1), repeat=3)]


def cropped(dataset: Dataset, region: Region) -> Dataset | None:
    """A copy of a classic, uncompressed image with the pixels of the region and their position; None outside it.

    Raises UsageError where the image cannot be cut (compressed, multi-frame, without position) or has no centre.
    """
    from pydicom.dataset import Dataset

    geometry = _plane(dataset)
    corners = region.corners(str(dataset.get("FrameOfReferenceUID", "")))
    z, y, x = geometry.index_from_lps(corners).T
    if z.min() > 0.5 or z.max() < -0.5:
        return None
    first_row, last_row = _range(y, int(dataset.Rows))
    first_column, last_column = _range(x, int(dataset.Columns))
    if last_row < first_row or last_column < first_column:
        return None
    bytes_per_pixel = int(dataset.BitsAllocated) // 8 * int(dataset.get("SamplesPerPixel", 1))
    shape = (int(dataset.Rows), int(dataset.Columns), bytes_per_pixel)
    pixels = np.frombuffer(dataset.PixelData, np.uint8, count=int(np.prod(shape))).reshape(shape)
    kept = np.ascontiguousarray(pixels[first_row : last_row + 1, first_column : last_column + 1])
    cut = Dataset(dataset)
    cut.file_meta = dataset.file_meta
    cut.Rows, cut.Columns = kept.shape[:2]
    position = geometry.lps_from_index((0, first_row, first_column))
    cut.ImagePositionPatient = [f"{float(v):.9g}" for v in position]
    content = kept.tobytes()
    cut.PixelData = content + b"\0" * (len(content) % 2)
    cut.ImageType = ["DERIVED", *list(dataset.get("ImageType") or ["DERIVED", "PRIMARY"])[1:]]
    for keyword in ("SmallestImagePixelValue", "LargestImagePixelValue", "ReconstructionDiameter", "AcquisitionMatrix"):
        if keyword in cut:
            del cut[keyword]
    return cut


def _range(index: np.ndarray[tuple[int, ...], np.dtype[np.float64]], count: int) -> tuple[int, int]:
    """First and last voxel whose centre lies between the extremes."""
    return max(0, int(np.ceil(index.min()))), min(count - 1, int(np.floor(index.max())))


def _plane(dataset: Dataset) -> VolumeGeometry:
    """The image's own grid: one slice as thick as it says."""
    syntax = str(dataset.file_meta.get("TransferSyntaxUID", "")) if hasattr(dataset, "file_meta") else ""
    position, orientation = dataset.get("ImagePositionPatient"), dataset.get("ImageOrientationPatient")
    spacing = dataset.get("PixelSpacing")
    if syntax not in _NATIVE or int(dataset.get("NumberOfFrames") or 1) > 1 or not (position and orientation and spacing):
        raise UsageError(
            "it cannot be cut to the region", expected="a classic, uncompressed image with position, orientation and spacing",
            remedy="decompress the series first, for instance with gdcmconv or dcmdjpeg",
        )
    row = np.asarray([float(v) for v in orientation[:3]])
    column = np.asarray([float(v) for v in orientation[3:]])
    thickness = float(dataset.get("SliceThickness") or 1.0)
    return VolumeGeometry(
        (1, int(dataset.Rows), int(dataset.Columns)), _vector(position), _vector(row * float(spacing[1])),
        _vector(column * float(spacing[0])), _vector(np.cross(row, column) * thickness),
        str(dataset.get("FrameOfReferenceUID", "")),
    )


def _vector(values: Iterable[float]) -> Vector3:
    x, y, z = (float(v) for v in values)
    return x, y, z
