"""One picture of one file: what grouping, placing and reading need to know of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from neuraxis.dicom.attributes import Common, parse_decimal
from neuraxis.dicom.byte_sources import FileRef
from neuraxis.dicom.elements import Header
from neuraxis.dicom.tags import OWN_ATTRIBUTES

OWN_INDEX = {keyword: index for index, keyword in enumerate(OWN_ATTRIBUTES)}
_SOP, _ACQ_TIME, _CONTENT_TIME = OWN_INDEX["SOPInstanceUID"], OWN_INDEX["AcquisitionTime"], OWN_INDEX["ContentTime"]
_ACQ_NUMBER, _NUMBER = OWN_INDEX["AcquisitionNumber"], OWN_INDEX["InstanceNumber"]
_POSITION, _TEMPORAL, _TRIGGER = (
    OWN_INDEX["ImagePositionPatient"], OWN_INDEX["TemporalPositionIdentifier"], OWN_INDEX["TriggerTime"]
)
_CENTER, _WIDTH = OWN_INDEX["WindowCenter"], OWN_INDEX["WindowWidth"]

Vector = tuple[float, float, float]


@lru_cache(maxsize=4096)
def _text(raw: bytes) -> str:
    return raw.decode("latin-1").strip("\0 ")


@lru_cache(maxsize=65536)
def _whole(raw: bytes) -> int | None:
    value = parse_decimal(raw.decode("latin-1"))
    return None if value is None else int(value)


@lru_cache(maxsize=65536)
def _coordinate(raw: bytes) -> tuple[float | None, int]:
    """(number, decimals written) of one coordinate."""
    text = raw.decode("latin-1").strip("\0 ")
    value = parse_decimal(text)
    mantissa, _, exponent = text.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    if exponent:
        shift = parse_decimal(exponent)
        decimals -= int(shift) if shift is not None and abs(shift) < 100 else 0
    return value, max(0, decimals)


@dataclass(slots=True, eq=False)
class Frame:
    """One picture: which file, which frame in it, and its attributes.

    `own` holds the raw values of `OWN_ATTRIBUTES` in that order. `position` is the LPS position in mm of the centre of
    the first pixel, None where absent or unusable. `decimals` are the numbers of decimals its coordinates were written with.
    """

    ref: FileRef
    common: Common
    own: tuple[bytes, ...]
    pixel_offset: int
    pixel_length: int
    file_size: int
    index: int = 0
    position: Vector | None = None
    decimals: tuple[int, int, int] = (0, 0, 0)
    position_problem: str = ""
    stack: str = ""
    inflated: bool = False
    tiles: tuple[int, int, int] | None = None
    """(tile, tiles a row, tiles) of a mosaic."""
    extra: dict[str, str] = field(default_factory=dict)
    header: Header | None = None
    """Raw header of a multi-frame file, kept until its frames are taken apart."""

    @property
    def name(self) -> str:
        """File name (and frame) for messages."""
        return self.ref.name if self.common.frames == 1 else f"{self.ref.name} frame {self.index + 1}"

    @property
    def sop_instance_uid(self) -> str:
        """SOPInstanceUID, '' where absent."""
        return self.own[_SOP].decode("latin-1").strip("\0 ")

    @property
    def number(self) -> int | None:
        """InstanceNumber, or the frame's number in its file; None where absent."""
        if self.common.frames > 1:
            return self.index + 1
        return _whole(self.own[_NUMBER])

    @property
    def acquisition_number(self) -> str:
        """AcquisitionNumber as text."""
        return _text(self.own[_ACQ_NUMBER])

    @property
    def temporal_position(self) -> str:
        """TemporalPositionIdentifier or index as text."""
        return _text(self.own[_TEMPORAL])

    @property
    def trigger_time(self) -> str:
        """TriggerTime as text."""
        return _text(self.own[_TRIGGER])

    @property
    def acquisition_time(self) -> str:
        """AcquisitionTime as text."""
        return _text(self.own[_ACQ_TIME])

    @property
    def window_texts(self) -> tuple[str, str]:
        """(WindowCenter, WindowWidth) as written."""
        return _text(self.own[_CENTER]), _text(self.own[_WIDTH])

    @property
    def content_time(self) -> str:
        """ContentTime as text."""
        return _text(self.own[_CONTENT_TIME])


def read_position(raw: bytes) -> tuple[Vector | None, tuple[int, int, int], str]:
    """(position, decimals written, why not) of ImagePositionPatient."""
    if not raw.strip(b"\0 "):
        return None, (0, 0, 0), "has no position"
    parts = raw.split(b"\\")
    if len(parts) != 3:
        return None, (0, 0, 0), f"ImagePositionPatient has {len(parts)} values, needs 3"
    (x, dx), (y, dy), (z, dz) = _coordinate(parts[0]), _coordinate(parts[1]), _coordinate(parts[2])
    if x is None or y is None or z is None:
        return None, (0, 0, 0), "ImagePositionPatient is not three numbers"
    if max(abs(x), abs(y), abs(z)) > 1e5:
        return None, (0, 0, 0), "ImagePositionPatient is beyond 100 m"
    return (x, y, z), (dx, dy, dz), ""
