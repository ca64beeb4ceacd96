"""One slice from its file into an array, in real-world units: in place where that is exact, else step by step."""

from __future__ import annotations

import numpy as np

from neuraxis.dicom.frame import Frame
from neuraxis.dicom.frame_reader import OpenFile, is_direct, read_direct, read_stored
from neuraxis.dicom.stored_values import AnyArray, Findings, SlicePlan, apply_plan, pad_mask


def fill_slice(
    frame: Frame, plan: SlicePlan, out: AnyArray, padding: AnyArray | None, opened: OpenFile, findings: Findings
) -> bool:
    """Read one frame into `out` (rows, columns) in real-world units; returns whether it holds padding."""
    if plan.is_plain and out.dtype == np.int16 and is_direct(frame) and out.flags.c_contiguous:
        read_direct(frame, out.data.cast("B"), opened)
        findings.see(frame, out)
        quick = _finish_in_place(out, plan, padding, findings)
        if quick is not None:
            return quick
        raw = out.view(np.uint16).copy()
        return apply_plan(raw, plan, out, padding, findings, frame.name)
    raw, as_format = read_stored(frame, opened, findings)
    if as_format != plan.pixel_format:
        plan = SlicePlan(as_format, plan.rescale, plan.lut, plan.padding, plan.overlay_bits)
    return apply_plan(raw, plan, out, padding, findings, frame.name)


def _finish_in_place(out: AnyArray, plan: SlicePlan, padding: AnyArray | None, findings: Findings) -> bool | None:
    """Turn stored words in an int16 slice into values where they lie; None where that would not be exact."""
    f, offset = plan.pixel_format, int(plan.rescale.intercept)
    low, checked = 0, False
    if f.signed:
        if f.stored < 16 or offset:
            checked = True
            low, high = int(out.min()), int(out.max())
            half = 1 << (f.stored - 1)
            if low < -half or high >= half or low + offset < -32768 or high + offset > 32767:
                return None
        stored: AnyArray = out
    else:
        stored = out.view(np.uint16)
        high = int(stored.max())
        if high >= 1 << f.stored or high + offset > 32767 or offset < -32768:
            return None
    mask = pad_mask(stored, plan)
    if offset:
        # sums stay within 16 bits (checked above), so adding modulo 2**16 is exact
        np.add(out, np.int16(offset), out=out)
    if mask is None:
        if f.signed:
            findings.lowest = min(findings.lowest, float(low + offset) if checked else float(out.min()))
        return False
    out[mask] = out[~mask].min()
    if padding is not None:
        padding[...] = mask
    return True
