"""Typed attributes of slices: what the raw bytes of a header say, and what is wrong with them."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from typing import Any

from neuraxis.dicom.byte_sources import printable
from neuraxis.dicom.elements import DamagedFileError
from neuraxis.dicom.nested import Item, parse_items
from neuraxis.dicom.tags import ATTRIBUTES, LOSSY_ALWAYS

_BINARY = {b"US": "H", b"SS": "h", b"UL": "I", b"SL": "i", b"FL": "f", b"FD": "d"}
_BY_TYPE = {"U": "H", "N": "H", "F": "d"}
_CHARACTER_SETS = {
    "": "ascii", "ISO_IR 6": "ascii", "ISO_IR 100": "latin-1", "ISO_IR 101": "iso8859_2", "ISO_IR 109": "iso8859_3",
    "ISO_IR 110": "iso8859_4", "ISO_IR 144": "iso8859_5", "ISO_IR 127": "iso8859_6", "ISO_IR 126": "iso8859_7",
    "ISO_IR 138": "iso8859_8", "ISO_IR 148": "iso8859_9", "ISO_IR 166": "tis_620", "ISO_IR 13": "shift_jis",
    "ISO_IR 192": "utf-8", "GB18030": "gb18030", "GBK": "gbk", "ISO_IR 203": "iso8859_15",
}


@dataclass(frozen=True)
class Rescale:
    """Stored values to real-world values of one slice: value = slope * stored + intercept."""

    slope: float = 1.0
    intercept: float = 0.0
    present: bool = False
    problem: str = ""
    note: str = ""


@dataclass(frozen=True)
class PixelFormat:
    """How the pixels of a frame are stored."""

    rows: int
    columns: int
    samples: int
    photometric: str
    allocated: int
    stored: int
    high_bit: int
    signed: bool
    planar: int
    pixel_tag: int
    transfer_syntax: str
    big_endian: bool

    @property
    def frame_bits(self) -> int:
        """Bits of one uncompressed frame (YBR_FULL_422 shares colour between two pixels)."""
        samples = 2 if self.photometric == "YBR_FULL_422" and self.samples == 3 else self.samples
        return self.rows * self.columns * samples * self.allocated

    @property
    def frame_bytes(self) -> int:
        """Bytes of one uncompressed frame."""
        return (self.frame_bits + 7) // 8


@dataclass
class Common:
    """What slices with the same header bytes (apart from position, number, time and UID) share."""

    text: dict[str, str] = field(default_factory=dict)
    number: dict[str, float | None] = field(default_factory=dict)
    raw: dict[str, bytes] = field(default_factory=dict)
    explicit: bool = True
    big_endian: bool = False
    transfer_syntax: str = ""
    pixel_tag: int = 0
    notes: tuple[str, ...] = ()
    pixel_format: PixelFormat | None = None
    image_type: tuple[str, ...] = ()
    spacing_mm: tuple[float, float] | None = None
    spacing_problem: str = ""
    orientation: tuple[float, ...] | None = None
    orientation_problem: str = ""
    orientation_note: str = ""
    rescale: Rescale = Rescale()
    problem: str = ""
    frames: int = 1
    lossy: bool = False
    series_key: tuple[Any, ...] = ()
    split_key: tuple[Any, ...] = ()
    shape_key: tuple[Any, ...] = ()
    is_plain_image: bool = False
    """Set once it is known that files with this header are single images to be taken as they are."""

    def get(self, keyword: str) -> str:
        """Text of an attribute, '' where absent."""
        return self.text.get(keyword, "")

    def value(self, keyword: str) -> float | None:
        """Number of an attribute, None where absent or no number."""
        return self.number.get(keyword)

    def items(self, keyword: str) -> list[Item]:
        """Items of a sequence attribute."""
        data = self.raw.get(keyword)
        return parse_items(data, explicit=self.explicit, big=self.big_endian) if data else []

    def multi(self, keyword: str) -> tuple[str, ...]:
        """Backslash-separated values, stripped."""
        text = self.get(keyword)
        return tuple(part.strip() for part in text.split("\\")) if text else ()


def parse_decimal(text: str) -> float | None:
    """A DICOM decimal string as a finite number, None for anything else (float() alone takes 'nan' and '1_0')."""
    text = text.strip(" \0")
    if not text or any(c not in "0123456789+-.eE" for c in text):
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _binary(data: bytes, vr: bytes, kind: str, *, big: bool, signed: bool) -> float | None:
    code = _BINARY.get(vr) or ("h" if kind == "N" and signed else _BY_TYPE[kind])
    size = struct.calcsize(code)
    if len(data) < size:
        return None
    if vr not in _BINARY and kind == "F" and len(data) == 4:
        code, size = "f", 4
    value = float(struct.unpack((">" if big else "<") + code, data[:size])[0])
    return value if math.isfinite(value) else None


def decode_text(data: bytes, charset: str) -> tuple[str, bool]:
    """(text, fully decoded) of a value in a SpecificCharacterSet."""
    data = data.rstrip(b"\0 ")
    if data.isascii() and b"\x1b" not in data:
        return data.decode("ascii"), True
    first = charset.split("\\", maxsplit=1)[0].strip().replace("ISO 2022 IR ", "ISO_IR ")
    if b"\x1b" in data and "2022" in charset:
        return _decode_escapes(data, charset)
    codec = _CHARACTER_SETS.get(first)
    if codec is None:
        return data.decode("ascii", "replace"), False
    try:
        return data.decode(codec), True
    except UnicodeDecodeError:
        return data.decode(codec, "replace"), False


def _decode_escapes(data: bytes, charset: str) -> tuple[str, bool]:
    codec = "iso2022_jp_2"
    if "149" in charset:
        codec = "iso2022_kr"
        data = data.replace(b"\x1b$)C", b"")
        try:
            return data.decode("euc_kr"), True
        except UnicodeDecodeError:
            return data.decode("euc_kr", "replace"), False
    try:
        return data.decode(codec), True
    except (UnicodeDecodeError, LookupError):
        return data.decode("ascii", "replace"), False


def parse_common(
    values: dict[int, bytes], vrs: dict[int, bytes], *, explicit: bool, big: bool, syntax: str, pixel_tag: int,
    notes: tuple[str, ...],
) -> Common:
    """Type the raw values of one header."""
    common = Common(
        explicit=explicit, big_endian=big, transfer_syntax=syntax, pixel_tag=pixel_tag, notes=notes
    )
    charset = values.get(0x00080005, b"").decode("ascii", "replace").strip("\0 ")
    signed = values.get(0x00280103, b"\0")[-1 if big else 0 : None if big else 1] == b"\x01"
    clean = True
    for keyword, (tag, kind) in ATTRIBUTES.items():
        data = values.get(tag)
        if data is None:
            continue
        vr = vrs.get(tag, b"")
        if kind == "Q":
            common.raw[keyword] = data
        elif kind in "DI":
            if vr in _BINARY:
                common.number[keyword] = _binary(data, vr, kind, big=big, signed=signed)
            else:
                common.number[keyword] = parse_decimal(data.split(b"\\")[0].decode("latin-1"))
        elif kind in "UNF":
            common.number[keyword] = _number_or_text(data, vr, kind, big=big, signed=signed)
        else:
            text, ok = _text_value(data, vr, charset, keyword, big=big)
            clean = clean and ok
            common.text[keyword] = text
    _check_text(common, charset, clean)
    _interpret(common)
    _check_sequences(common)
    return common


def _check_sequences(common: Common) -> None:
    """Refuse here, file by file, what would fail later for a whole series; functional groups are read with their file."""
    for keyword in ("ContrastBolusAgentSequence", "ModalityLUTSequence", "RealWorldValueMappingSequence"):
        try:
            common.items(keyword)
        except DamagedFileError as error:
            common.problem = common.problem or str(error)


def _number_or_text(data: bytes, vr: bytes, kind: str, *, big: bool, signed: bool) -> float | None:
    if vr in (b"DS", b"IS"):
        return parse_decimal(data.split(b"\\")[0].decode("latin-1"))
    return _binary(data, vr, kind, big=big, signed=signed)


def _text_value(data: bytes, vr: bytes, charset: str, keyword: str, *, big: bool) -> tuple[str, bool]:
    code = _BINARY.get(vr)
    if code is not None:
        size = struct.calcsize(code)
        count = len(data) // size
        numbers = struct.unpack((">" if big else "<") + code * count, data[: size * count])
        return "\\".join(f"{n:g}" if isinstance(n, float) else str(n) for n in numbers), True
    plain = keyword not in {"PatientName", "SeriesDescription", "ProtocolName", "ImageComments", "ConvolutionKernel"}
    if plain:
        return data.rstrip(b"\0 ").decode("latin-1").strip(), True
    text, ok = decode_text(data[:4096], charset)
    return text.strip(), ok


def _check_text(common: Common, charset: str, clean: bool) -> None:
    notes = list(common.notes)
    for keyword in ("SeriesInstanceUID", "StudyInstanceUID", "SOPClassUID", "FrameOfReferenceUID"):
        if "\0" in common.get(keyword):
            common.problem = f"is damaged: {keyword} holds zero bytes"
    unknown = [c for c in charset.split("\\") if c.strip().replace("ISO 2022 IR ", "ISO_IR ") not in _KNOWN_SETS]
    if unknown:
        notes.append(f"character set {printable(unknown[0])!r} is unknown; names are shown with replacement marks")
    elif not clean:
        notes.append("patient name or description could not be fully decoded; shown with replacement marks")
    for keyword in ("SeriesInstanceUID", "StudyInstanceUID"):
        uid = common.get(keyword)
        if uid and (len(uid) > 64 or any(c not in "0123456789." for c in uid)):
            notes.append(f"{keyword} is not a UID; annotations cannot be stored as DICOM")
    common.notes = tuple(notes)


_KNOWN_SETS = frozenset(_CHARACTER_SETS) | {"ISO_IR 87", "ISO_IR 159", "ISO_IR 149", "ISO_IR 58"}


def _interpret(common: Common) -> None:
    common.image_type = tuple(p.upper() for p in common.multi("ImageType"))
    frames = common.value("NumberOfFrames")
    common.frames = 1 if frames is None else int(frames)
    common.lossy = common.get("LossyImageCompression") == "01" or common.transfer_syntax in LOSSY_ALWAYS
    common.spacing_mm, common.spacing_problem = read_spacing(common)
    common.orientation, common.orientation_problem, common.orientation_note = read_orientation(
        common.get("ImageOrientationPatient"), "ImageOrientationPatient" in common.text
    )
    common.rescale = read_rescale(common)
    common.pixel_format, problem = read_format(common)
    common.problem = common.problem or problem


def read_spacing(common: Common) -> tuple[tuple[float, float] | None, str]:
    """((between rows, between columns) mm, '') or (None, why not)."""
    text = common.get("PixelSpacing")
    if not text:
        if common.get("ImagerPixelSpacing"):
            return None, "only detector spacing is present: millimetres at the detector, not in the patient"
        return None, "no pixel spacing: pixels only, no millimetres"
    parts = text.split("\\")
    if len(parts) != 2:
        return None, f"PixelSpacing has {len(parts)} value{'s' if len(parts) > 1 else ''}, needs 2: no millimetres"
    numbers = [parse_decimal(p) for p in parts]
    for part, number in zip(parts, numbers, strict=True):
        if number is None:
            return None, f"PixelSpacing {printable(part.strip(), 24)!r} is not a number; no millimetre measurement"
        if number == 0:
            return None, "pixel spacing is zero: no millimetres"
        if number < 0:
            return None, "pixel spacing is negative: no millimetres"
    row, column = numbers
    assert row is not None
    assert column is not None
    return (row, column), ""


def read_orientation(text: str, present: bool) -> tuple[tuple[float, ...] | None, str, str]:
    """(six direction cosines, why not, remark) of ImageOrientationPatient."""
    if not present or not text:
        return None, "no orientation: left/right unknown", ""
    numbers = [parse_decimal(p) for p in text.split("\\")]
    if len(numbers) != 6 or any(n is None for n in numbers):
        return None, "orientation is not six numbers: left/right unknown", ""
    v = [n for n in numbers if n is not None]
    row, column = math.sqrt(sum(a * a for a in v[:3])), math.sqrt(sum(a * a for a in v[3:]))
    if row < 1e-6 or column < 1e-6:
        return None, "orientation is zero: left/right unknown", ""
    if abs(row - 1) > 0.05 or abs(column - 1) > 0.05:
        return None, f"orientation vectors have length {row:.3g} and {column:.3g}, not 1", ""
    note = ""
    if abs(row - 1) > 1e-3 or abs(column - 1) > 1e-3:
        note = "orientation vectors are not unit length; normalised"
    unit = [a / row for a in v[:3]] + [a / column for a in v[3:]]
    dot = sum(a * b for a, b in zip(unit[:3], unit[3:], strict=True))
    if abs(dot) > 5e-3:
        angle = math.degrees(math.acos(max(-1.0, min(1.0, dot))))
        return None, f"orientation vectors are not orthogonal ({angle:.1f} degrees)", ""
    return tuple(unit), "", note


def read_rescale(common: Common) -> Rescale:
    """RescaleSlope and RescaleIntercept, judged."""
    slope_text, intercept_text = common.text.get("RescaleSlope"), common.text.get("RescaleIntercept")
    if not slope_text and not intercept_text:
        return Rescale()
    numbers = {"RescaleSlope": 1.0, "RescaleIntercept": 0.0}
    note = ""
    for keyword, text in (("RescaleSlope", slope_text), ("RescaleIntercept", intercept_text)):
        if not text:
            if keyword == "RescaleIntercept":
                return Rescale(problem="RescaleIntercept is missing beside RescaleSlope")
            note = "RescaleSlope missing, taken as 1"
            continue
        number = parse_decimal(text)
        if number is None:
            return Rescale(problem=f"{keyword} {printable(text, 24)!r} is not a number")
        numbers[keyword] = number
    if numbers["RescaleSlope"] == 0:
        return Rescale(present=True, problem="RescaleSlope is 0: raw values shown, no HU")
    is_ct = common.get("Modality") == "CT"
    largest = 1e5 if is_ct else 1e12
    for keyword, number in numbers.items():
        if abs(number) > largest or (keyword == "RescaleSlope" and abs(number) < (1e-5 if is_ct else 1e-15)):
            return Rescale(problem=f"{keyword} {number:g} is implausible: raw values shown")
    if is_ct and numbers["RescaleSlope"] < 0:
        note = note or f"RescaleSlope {numbers['RescaleSlope']:g} is negative: large stored values mean low attenuation"
    return Rescale(numbers["RescaleSlope"], numbers["RescaleIntercept"], True, "", note)


def read_format(common: Common) -> tuple[PixelFormat | None, str]:
    """The pixel format, or (None, why the file is left out)."""
    def whole(keyword: str, default: int | None = None) -> int | None:
        value = common.value(keyword)
        return default if value is None else int(value)

    if not common.pixel_tag:
        return None, "has no pixel data"
    rows, columns = whole("Rows"), whole("Columns")
    if rows is None or columns is None:
        return None, "has no Rows or Columns before its pixel data (elements out of order or missing)"
    if rows < 1 or columns < 1:
        return None, f"has {rows} rows and {columns} columns"
    if common.frames < 1:
        return None, f"claims {common.frames} frames"
    is_float = common.pixel_tag != 0x7FE00010
    allocated = whole("BitsAllocated", 16)
    assert allocated is not None
    if is_float:
        allocated = 32 if common.pixel_tag == 0x7FE00008 else 64
    stored = whole("BitsStored", allocated) or allocated
    high = whole("HighBit", stored - 1)
    samples = whole("SamplesPerPixel", 1)
    assert high is not None
    if allocated not in (1, 8, 12, 16, 32, 64):
        return None, f"BitsAllocated {allocated} is not read"
    if is_float:
        stored, high = allocated, allocated - 1
    if stored > allocated or stored < 1 or high >= allocated or high < stored - 1:
        return None, f"BitsAllocated {allocated}, BitsStored {stored}, HighBit {high} contradict each other"
    if samples not in (1, 3, 4):
        return None, f"SamplesPerPixel {samples} is not read"
    assert samples is not None
    return PixelFormat(
        rows, columns, samples, common.get("PhotometricInterpretation").upper() or "MONOCHROME2", allocated, stored, high,
        bool(whole("PixelRepresentation", 0)), whole("PlanarConfiguration", 0) or 0, common.pixel_tag,
        common.transfer_syntax, common.big_endian,
    ), ""
