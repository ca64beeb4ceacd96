"""Stored pixels to real-world numbers, one slice at a time: bits, sign, padding, rescale, modality LUT."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.dicom.attributes import Common, PixelFormat, Rescale
from neuraxis.dicom.elements import DamagedFileError
from neuraxis.dicom.frame import Frame
from neuraxis.dicom.meaning import Meaning, ModalityLut, linear_map, modality_lut
from neuraxis.dicom.plausibility import zero_sectors
from neuraxis.errors import ReadError

AnyArray = NDArray[Any]


class NeedsFloatError(Exception):
    """A slice holds values that 16-bit integers cannot carry."""


@dataclass
class SlicePlan:
    """How the stored values of slices with one header become numbers."""

    pixel_format: PixelFormat
    rescale: Rescale
    lut: ModalityLut | None
    padding: tuple[int, int] | None
    overlay_bits: bool

    @classmethod
    def of(cls, common: Common, meaning: Meaning) -> SlicePlan:
        """Plan for a header."""
        assert common.pixel_format is not None
        low = common.value("PixelPaddingValue")
        limit = common.value("PixelPaddingRangeLimit")
        padding = None
        if low is not None:
            other = low if limit is None else limit
            padding = (int(min(low, other)), int(max(low, other)))
        lut = modality_lut(common) if "ModalityLUTSequence" in common.raw else None
        return cls(
            common.pixel_format, linear_map(common, meaning), lut, padding, common.value("OverlayBitPosition") is not None
        )

    @property
    def keeps_integers(self) -> bool:
        """Whether the rescale gives whole numbers in reach of 16 bits."""
        if self.pixel_format.pixel_tag != 0x7FE00010 or self.pixel_format.allocated > 16:
            return False
        if self.lut is not None:
            return bool(abs(self.lut.table).max() <= 32767)
        r = self.rescale
        return r.slope == int(r.slope) and r.intercept == int(r.intercept) and abs(r.slope) <= 16 and abs(r.intercept) <= 32768

    @property
    def is_plain(self) -> bool:
        """Whether stored values lie right-aligned in 16-bit words that need only an offset added."""
        f = self.pixel_format
        return (
            f.allocated == 16 and f.high_bit == f.stored - 1 and not f.big_endian and self.lut is None
            and self.rescale.slope == 1 and f.pixel_tag == 0x7FE00010 and f.samples == 1
        )


@dataclass
class Findings:
    """What reading the pixels of a series brought to light (shared by the reading threads)."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    caveats: dict[str, None] = field(default_factory=dict)
    keep_high_bits: bool | None = None
    refuse_high_bits: bool = False
    zero_sectors: dict[int, NDArray[np.intp]] = field(default_factory=dict)

    def see(self, frame: Frame, raw: AnyArray) -> None:
        """Remember where a slice's stored bytes hold blocks of zeros."""
        found = zero_sectors(raw)
        if found is not None:
            self.zero_sectors[id(frame)] = found

    lowest: float = 0.0
    """Lowest value met so far (0 at most)."""

    def say(self, text: str) -> None:
        """Add a caveat once."""
        with self.lock:
            self.caveats[text] = None


class HighBitsFoundError(Exception):
    """A slice holds bits above BitsStored, and it was not decided yet what they are."""


def high_bits_are_values(samples: list[AnyArray], stored: int) -> bool:
    """Whether the bits above `stored` of unsigned pictures belong to their values, judged from neighbouring pixels.

    One and the same far pattern in all pixels is garbage. Otherwise the bits are kept only where the picture proves
    them: neighbours whose high bits differ are close with them and a whole turn apart without. An edge of about one
    turn looks like the opposite, so nothing else is decided.

    Raises
    ------
    ReadError
        When the pictures do not tell.
    """
    near = 1 << max(1, stored - 2)
    proof = doubt = 0
    patterns: set[int] = set()
    for raw in samples:
        whole = raw.astype(np.int64)
        high, low = whole >> stored, whole & ((1 << stored) - 1)
        patterns.update(int(v) for v in np.unique(high)[:3])
        for axis in (0, 1):
            differ = np.diff(high, axis=axis) != 0
            with_bits = np.abs(np.diff(whole, axis=axis))[differ] < near
            without = np.abs(np.diff(low, axis=axis))[differ] < near
            doubt += int(np.count_nonzero(without & ~with_bits))
            proof += int(np.count_nonzero(with_bits & ~without))
    if len(patterns) == 1 and min(patterns) >= 4:
        return False
    if proof >= 4 * doubt + 64:
        return True
    raise ReadError(
        f"values exceed BitsStored {stored}, and the pictures do not tell whether the bits above belong to them",
        expected=f"values below {1 << stored}, or overlay bits that are declared", remedy="ask for the original images",
    )


def stored_numbers(raw: AnyArray, plan: SlicePlan, findings: Findings, name: str) -> AnyArray:
    """Words of a frame as the stored numbers they mean (BitsStored, HighBit, sign), int32 or float."""
    f = plan.pixel_format
    if raw.dtype.kind == "f":
        return raw
    if raw.dtype.kind == "i":
        raw = raw.view(raw.dtype.str.replace("i", "u"))
    if f.stored == f.allocated:
        return raw.view(raw.dtype.str.replace("u", "i")) if f.signed else raw
    shift = f.high_bit + 1 - f.stored
    mask = (1 << f.stored) - 1
    if shift == 0:
        if f.signed:
            half = 1 << (f.stored - 1)
            signed = raw.view(raw.dtype.str.replace("u", "i"))
            if int(signed.min()) >= -half and int(signed.max()) < half:
                return signed
        elif int(raw.max()) <= mask:
            return raw
        elif plan.overlay_bits:
            pass
        elif findings.refuse_high_bits:
            raise DamagedFileError(f"values exceed BitsStored {f.stored}, those of the other slices do not")
        elif findings.keep_high_bits is None:
            raise HighBitsFoundError
        elif findings.keep_high_bits:
            findings.say(f"values exceed BitsStored {f.stored} (first seen in {name}): not for measurement")
            return raw
    values = (raw.astype(np.int64) >> shift) & mask
    if f.signed:
        half = 1 << (f.stored - 1)
        values = np.where(values >= half, values - (1 << f.stored), values)
    return values


def apply_plan(
    raw: AnyArray, plan: SlicePlan, out: AnyArray, padding: AnyArray | None, findings: Findings, name: str
) -> bool:
    """Write the real-world values of one frame into `out`; returns whether it holds padding.

    Padding pixels get the lowest real value of the slice and are True in `padding` (rows, columns).

    Raises
    ------
    NeedsFloatError
        When `out` holds integers and the values do not fit.
    """
    stored = stored_numbers(raw, plan, findings, name)
    if plan.lut is not None:
        index = np.clip(stored.astype(np.int64) - plan.lut.first, 0, len(plan.lut.table) - 1)
        values: AnyArray = plan.lut.table[index]
    elif plan.rescale.slope == 1 and plan.rescale.intercept == 0:
        values = stored
    elif out.dtype == np.int16:
        values = stored.astype(np.int64) * int(plan.rescale.slope) + int(plan.rescale.intercept)
    else:
        values = stored.astype(np.float64) * plan.rescale.slope + plan.rescale.intercept
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        findings.say("values that are not numbers were set to the lowest value")
        values = np.where(np.isfinite(values), values, np.nanmin(np.where(np.isfinite(values), values, np.nan)))
    padded = pad_mask(stored, plan)
    if padded is not None:
        real = values[~padded]
        low = real.min() if real.size else values.min()
        values = np.where(padded, low, values)
        if padding is not None:
            padding[...] = padded
    if out.dtype == np.int16 and (values.dtype.kind == "f" or int(values.min()) < -32768 or int(values.max()) > 32767):
        raise NeedsFloatError
    out[...] = values
    if padded is None:
        findings.lowest = min(findings.lowest, float(out.min()))
    return padded is not None


def pad_mask(stored: AnyArray, plan: SlicePlan) -> AnyArray | None:
    """True where a stored value is padding; None where nothing is or everything would be."""
    if plan.padding is None:
        return None
    low, high = plan.padding
    mask: AnyArray = stored == low if low == high else (stored >= low) & (stored <= high)
    count = int(np.count_nonzero(mask))
    return mask if 0 < count < mask.size else None


def unpack_bits(data: bytes | bytearray | memoryview, f: PixelFormat, count: int) -> AnyArray:
    """Words of an uncompressed frame as an array of `count` samples in machine order (1- and 12-bit packing undone)."""
    mark = ">" if f.big_endian else "<"
    if f.pixel_tag == 0x7FE00008:
        return np.frombuffer(data, mark + "f4", count).astype(np.float32)
    if f.pixel_tag == 0x7FE00009:
        return np.frombuffer(data, mark + "f8", count).astype(np.float64)
    if f.allocated == 1:
        return np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[:count]
    if f.allocated == 12:
        triples = np.frombuffer(data, np.uint8)[: (count * 3 + 1) // 2]
        triples = np.concatenate([triples, np.zeros((-len(triples)) % 3, np.uint8)]).reshape(-1, 3).astype(np.uint16)
        words = np.empty((len(triples), 2), np.uint16)
        words[:, 0] = triples[:, 0] | ((triples[:, 1] & 15) << 8)
        words[:, 1] = (triples[:, 1] >> 4) | (triples[:, 2] << 4)
        return words.reshape(-1)[:count]
    words_in = np.frombuffer(data, f"{mark}u{f.allocated // 8}", count)
    if words_in.dtype.isnative:
        return words_in
    return words_in.astype(words_in.dtype.newbyteorder("="))
