"""Headers whose number format the pixels contradict: that of a few slices beside all others, or the sign of a whole series."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.dicom.attributes import Common
from neuraxis.dicom.elements import DamagedFileError
from neuraxis.dicom.frame import Frame
from neuraxis.dicom.frame_reader import open_file, read_stored
from neuraxis.dicom.stored_values import Findings, SlicePlan, apply_plan
from neuraxis.errors import ReadError

FEW = 0.25
"""Share of the slices up to which a format counts as a lone one."""

CLEARLY_BETTER = 0.5
"""A slice is left out where the others' format brings it this many times as near to its neighbours as its own."""


def misread_slices(
    frames: dict[int, Frame], array: NDArray[Any], plan_of: Callable[[Common], SlicePlan]
) -> dict[int, str]:
    """Slices (slot to reason) whose BitsStored, HighBit, sign or rescale differ from the others' and contradict the pixels.

    Many series change these from slice to slice rightly, so a lone format alone says nothing: the slice is read under the
    others' format too, and is misread where that lies much nearer to the mean of the slices beside it.

    Parameters
    ----------
    frames : frame of each readable slot
    array : (slots, rows, columns) real-world values as each slice's own header says
    plan_of : how a header's stored values become numbers
    """
    known = {key: _format(plan_of(common)) for key, common in {id(f.common): f.common for f in frames.values()}.items()}
    if len(set(known.values())) < 2:
        return {}
    formats = {slot: known[id(frame.common)] for slot, frame in frames.items()}
    counts = Counter(formats.values())
    usual = counts.most_common(1)[0][0]
    lone = [slot for slot in frames if formats[slot] != usual]
    if len(lone) > FEW * len(frames) or len(frames) - len(lone) < 3:
        return {}
    normal = sorted(slot for slot in frames if formats[slot] == usual)
    example = plan_of(frames[normal[0]].common)
    out = {}
    for slot in lone:
        beside = [max((k for k in normal if k < slot), default=None), min((k for k in normal if k > slot), default=None)]
        mean = np.mean([array[k] for k in beside if k is not None], axis=0, dtype=np.float32)
        other = _read_as(frames[slot], plan_of(frames[slot].common), example)
        if other is None or other.shape != mean.shape:
            continue
        if float(np.abs(other - mean).mean()) < CLEARLY_BETTER * float(np.abs(array[slot] - mean).mean()):
            out[slot] = f"{frames[slot].name}: {_difference(formats[slot], usual)}, and its pixels contradict it; slice left out"
    return out


_NAMES = ("BitsStored", "HighBit", "PixelRepresentation", "RescaleSlope", "RescaleIntercept")


def _format(plan: SlicePlan) -> tuple[float, ...]:
    f = plan.pixel_format
    return (f.stored, f.high_bit, int(f.signed), plan.rescale.slope, plan.rescale.intercept)


def _difference(own: tuple[float, ...], usual: tuple[float, ...]) -> str:
    return ", ".join(f"{name} is {a:g}, {b:g} in the others" for name, a, b in zip(_NAMES, own, usual, strict=True) if a != b)


def _read_as(frame: Frame, own: SlicePlan, other: SlicePlan) -> NDArray[np.float32] | None:
    """A frame's values under another slice's format; None where its pixels do not allow that."""
    f = other.pixel_format
    try:
        with open_file() as opened:
            raw, as_format = read_stored(frame, opened, Findings())
            if as_format.allocated != f.allocated or raw.ndim != 2:
                return None
            plan = replace(
                own, pixel_format=replace(as_format, stored=f.stored, high_bit=f.high_bit, signed=f.signed), rescale=other.rescale
            )
            out = np.empty(raw.shape, np.float32)
            apply_plan(raw.copy(), plan, out, None, Findings(keep_high_bits=True), frame.name)
    except (DamagedFileError, OSError):
        return None
    return out


SIGN_SAMPLES = 3
MIN_BITS_FOR_SIGN = 10
"""Pictures of fewer bits (masks, scanned text) have edges from end to end of their range whatever their sign."""


def refuse_wrong_sign(
    frames: dict[int, Frame], slots: list[int], array: NDArray[Any], plan_of: Callable[[Common], SlicePlan]
) -> None:
    """Refuse a series whose values turn over at the end of their range, while read with the other sign they would not.

    A few slices spread over the series are looked at: those of `slots` whose values in `array` span most of the range.

    Raises
    ------
    ReadError
        When that is so in most of them.
    """
    chosen = slots[:: max(1, len(slots) // SIGN_SAMPLES)][:SIGN_SAMPLES]
    votes = 0
    with open_file() as opened:
        for slot in chosen:
            plan = plan_of(frames[slot].common)
            if float(array[slot].max()) - float(array[slot].min()) < 0.7 * abs(plan.rescale.slope) * 2**plan.pixel_format.stored:
                continue
            try:
                raw, as_format = read_stored(frames[slot], opened, Findings())
            except (DamagedFileError, OSError):
                continue
            bits = as_format.stored
            usable = raw.ndim == 2 and raw.dtype.kind in "iu" and MIN_BITS_FOR_SIGN <= bits <= 16 and as_format.high_bit == bits - 1
            votes += usable and turns_over(raw, bits, signed=as_format.signed)
    if chosen and votes * 2 > len(chosen):
        said = "signed" if plan_of(frames[chosen[0]].common).pixel_format.signed else "unsigned"
        raise ReadError(
            f"the header says {said} pixels, and read so they turn over at the end of their range",
            expected="PixelRepresentation as the pixels are stored", remedy="ask for the original images",
        )


def turns_over(raw: NDArray[Any], bits: int, *, signed: bool) -> bool:
    """Whether neighbouring pixels (rows, columns) jump by about the whole range of `bits`, and would be near with the other sign.

    Wrong signs turn over within tissue, so the values on both sides of such jumps are many; saturated pixels and padding
    have few.
    """
    words = raw.astype(np.int32) & ((1 << bits) - 1)
    if not (words >= 1 << (bits - 1)).any() or not (words < 1 << (bits - 1)).any():
        return False
    flipped = np.where(words >= 1 << (bits - 1), words - (1 << bits), words)
    own, other = (flipped, words) if signed else (words, flipped)
    jumps = near_jumps = 0
    values: set[int] = set()
    for axis in (0, 1):
        far = np.abs(np.diff(own, axis=axis)) > 3 << (bits - 2)
        close = np.abs(np.diff(other, axis=axis)) < 1 << (bits - 2)
        jumps += int(np.count_nonzero(far))
        near_jumps += int(np.count_nonzero(far & close))
        values.update(np.unique(np.delete(own, 0, axis=axis)[far])[:64].tolist())
    return near_jumps >= 24 and near_jumps > 0.9 * jumps and len(values) >= 16
