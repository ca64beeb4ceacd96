"""Pictures ready to show: colour and palette frames as RGB, others as grey."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from neuraxis.dicom.attributes import Common
from neuraxis.dicom.frame import Frame
from neuraxis.dicom.frame_reader import AnyArray, OpenFile, read_stored
from neuraxis.dicom.stored_values import Findings


def picture_of(frame: Frame, opened: OpenFile, values: Callable[[], AnyArray]) -> NDArray[np.uint8]:
    """One frame as 8-bit grey (rows, columns) or RGB (rows, columns, 3).

    `values` gives the real-world values of a grey frame; it is called only for those.
    """
    f = frame.common.pixel_format
    assert f is not None
    if f.samples == 1 and f.photometric != "PALETTE COLOR":
        return _grey(values(), frame.common)
    array, _ = read_stored(frame, opened, Findings())
    if f.photometric == "PALETTE COLOR":
        return _palette(array, frame.common)
    array = array[..., :3]
    if array.dtype != np.uint8:
        array = (array.astype(np.uint32) >> max(0, f.stored - 8)).astype(np.uint8)
    compressed = frame.pixel_length == 0xFFFFFFFF
    if f.photometric.startswith("YBR_FULL") and (not compressed or "2.5" in f.transfer_syntax[-4:]):
        return _rgb_from_ybr(array)
    return np.ascontiguousarray(array)


def _grey(values: AnyArray, common: Common) -> NDArray[np.uint8]:
    data = values.astype(np.float32)
    low, high = (float(v) for v in np.percentile(data, [0.5, 99.5]))
    if high <= low:
        low, high = float(data.min()), float(data.max())
    scale = 255.0 / (high - low) if high > low else 0.0
    grey: NDArray[np.uint8] = np.rint(np.clip((data - low) * scale, 0, 255)).astype(np.uint8)
    inverted = common.pixel_format is not None and common.pixel_format.photometric == "MONOCHROME1"
    return 255 - grey if inverted else grey


def _rgb_from_ybr(array: AnyArray) -> NDArray[np.uint8]:
    """Full-range YCbCr to RGB (PS3.3 C.7.6.3.1.2)."""
    y, cb, cr = (array[..., i].astype(np.float32) for i in range(3))
    rgb = np.stack([
        y + 1.402 * (cr - 128), y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128), y + 1.772 * (cb - 128),
    ], axis=-1)
    out: NDArray[np.uint8] = np.rint(np.clip(rgb, 0, 255)).astype(np.uint8)
    return out


def _palette(array: AnyArray, common: Common) -> NDArray[np.uint8]:
    out = np.zeros((*array.shape, 3), np.uint8)
    mark = ">" if common.big_endian else "<"
    for channel, colour in enumerate(("Red", "Green", "Blue")):
        descriptor, data = common.raw.get(f"{colour}PaletteDescriptor", b""), common.raw.get(f"{colour}Palette", b"")
        if len(descriptor) != 6 or not data:
            continue
        count, first, bits = struct.unpack(mark + "HHH", descriptor)
        count = count or 65536
        if bits == 16 and len(data) >= 2 * count:
            table = np.frombuffer(data[: 2 * count], mark + "u2")
            # some writers put 8-bit colours into 16-bit entries
            table = table >> 8 if int(table.max()) > 255 else table
        else:
            table = np.frombuffer(data, np.uint8)
        index = np.clip(array.astype(np.int64) - first, 0, len(table) - 1)
        out[..., channel] = table.astype(np.uint8)[index]
    return out
