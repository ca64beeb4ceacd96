"""Multi-frame files taken apart: functional groups of enhanced objects, Siemens mosaics."""

from __future__ import annotations

import os
import struct
from dataclasses import replace
from typing import Any

import numpy as np

from neuraxis.dicom.attributes import Common, parse_common, parse_decimal
from neuraxis.dicom.byte_sources import DescriptorSource, MemorySource, open_regular
from neuraxis.dicom.elements import DamagedFileError
from neuraxis.dicom.frame import OWN_INDEX, Frame, Vector, read_position
from neuraxis.dicom.header_walk import walk_header
from neuraxis.dicom.nested import Item
from neuraxis.dicom.tags import ATTRIBUTES, OWN_ATTRIBUTES, SIEMENS_CSA_IMAGE

MAX_FRAMES = 200_000
_NESTED = 8
# enhanced attributes and the classic ones they stand for
_SYNONYMS = {
    0x00189082: 0x00180081,   # EffectiveEchoTime
    0x00089007: 0x00080008,   # FrameType
    0x00189079: 0x00180082,   # InversionTimes
    0x00209128: 0x00200100,   # TemporalPositionIndex
    0x00209156: 0x00200012,   # FrameAcquisitionNumber
    0x00189005: 0x00189005,
}
_VARYING = frozenset((0x00200032, 0x00209057, 0x00209157, 0x00200013, 0x00209151, 0x00189074, 0x00080032, 0x00080033,
                      0x00200100, 0x00200012, 0x00189151, 0x00189220, 0x00201041))
_WINDOW_TAGS = frozenset((0x00281050, 0x00281051, 0x00281055))
_KNOWN = frozenset(tag for tag, _ in ATTRIBUTES.values()) | frozenset(OWN_ATTRIBUTES.values()) | frozenset(_SYNONYMS)


def _flatten(item: Item, values: dict[int, bytes], vrs: dict[int, bytes], depth: int = 0) -> None:
    """Wanted elements of an item and of the first items of its sequences."""
    for tag, data in item.values.items():
        vr = item.vrs.get(tag, b"")
        target = _SYNONYMS.get(tag, tag)
        if tag == 0x00409096 or (tag in _KNOWN and vr != b"SQ"):
            values[target], vrs[target] = data, vr
        elif (vr == b"SQ" or vr in (b"", b"UN")) and depth < _NESTED and data[:4] in (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00"):
            for below in item.items(tag)[:1]:
                _flatten(below, values, vrs, depth + 1)


def expand(frame: Frame) -> list[Frame]:
    """The frames of a multi-frame file as frames of their own, with their own position and attributes.

    Raises
    ------
    DamagedFileError
        When frames and frame descriptions do not fit together.
    """
    common = frame.common
    count = common.frames
    if count > MAX_FRAMES:
        raise DamagedFileError(f"claims {count} frames")
    shared = common.items("SharedFunctionalGroupsSequence")
    per_frame = common.items("PerFrameFunctionalGroupsSequence")
    if not per_frame and not shared:
        return [_bare(frame, i) for i in range(count)]
    if len(per_frame) != count:
        problem = f"{count} frames, {len(per_frame)} frame descriptions"
        return [_bare(frame, i, problem) for i in range(count)]
    assert frame.header is not None
    base, base_vrs = dict(frame.header.values), dict(frame.header.vrs)
    for tag in (0x52009229, 0x52009230):
        base.pop(tag, None)
    if shared:
        _flatten(shared[0], base, base_vrs)
    return _per_frame(frame, per_frame, base, base_vrs)


def _per_frame(
    frame: Frame, per_frame: list[Item], base: dict[int, bytes], base_vrs: dict[int, bytes]
) -> list[Frame]:
    cache: dict[Any, Common] = {}
    out: list[Frame] = []
    for index, item in enumerate(per_frame):
        values: dict[int, bytes] = {}
        vrs: dict[int, bytes] = {}
        _flatten(item, values, vrs)
        key = tuple(sorted((t, v) for t, v in values.items() if t not in _VARYING))
        common = cache.get(key)
        if common is None:
            common = parse_common(
                {**base, **values}, {**base_vrs, **vrs}, explicit=frame.common.explicit, big=frame.common.big_endian,
                syntax=frame.common.transfer_syntax, pixel_tag=frame.common.pixel_tag, notes=frame.common.notes,
            )
            if common.problem:
                raise DamagedFileError(common.problem)
            common.frames = frame.common.frames
            cache[key] = common
        own = list(frame.own)
        for keyword, tag in OWN_ATTRIBUTES.items():
            data = values.get(tag, base.get(tag))
            if data is not None and keyword != "SOPInstanceUID":
                vr = vrs.get(tag, base_vrs.get(tag, b""))
                own[OWN_INDEX[keyword]] = _as_text(data, vr, big=frame.common.big_endian)
        one = replace(frame, common=common, own=tuple(own), index=index, extra=dict(frame.extra), header=None)
        one.position, one.decimals, one.position_problem = read_position(own[OWN_INDEX["ImagePositionPatient"]])
        out.append(one)
    return out


def _as_text(data: bytes, vr: bytes, *, big: bool) -> bytes:
    code = {b"US": "H", b"UL": "I", b"FD": "d", b"FL": "f", b"SL": "i", b"SS": "h"}.get(vr)
    if code is None or len(data) % struct.calcsize(code):
        return data
    numbers = struct.unpack((">" if big else "<") + code * (len(data) // struct.calcsize(code)), data)
    return "\\".join(f"{n:.10g}" if isinstance(n, float) else str(n) for n in numbers).encode()


def _bare(frame: Frame, index: int, problem: str = "") -> Frame:
    one = replace(frame, index=index, extra=dict(frame.extra), header=None)
    if frame.common.frames > 1:
        one.position = None
        one.position_problem = problem or "frames without positions of their own: pictures only"
    return one


def is_mosaic(frame: Frame) -> bool:
    """Whether a picture is a Siemens mosaic: many slices tiled into one."""
    return "MOSAIC" in frame.common.image_type and "SIEMENS" in frame.common.get("Manufacturer").upper()


def split_mosaic(frame: Frame) -> list[Frame]:
    """The tiles of a mosaic as slices with positions, from its CSA header.

    Where the header is absent the picture stays whole and unplaced (`position_problem` says so).
    """
    header = read_csa(_csa_bytes(frame))
    count = int(frame.common.value("SiemensMosaicCount") or 0) or int(_first(header.get("NumberOfImagesInMosaic")) or 0)
    normal = [_first([v]) for v in header.get("SliceNormalVector", [])[:3]]
    pixel_format, orientation, spacing = frame.common.pixel_format, frame.common.orientation, frame.common.spacing_mm
    step = frame.common.value("SpacingBetweenSlices") or _first(header.get("SpacingBetweenSlices"))
    step = step or frame.common.value("SliceThickness")
    if (not count or len(normal) != 3 or any(n is None for n in normal) or frame.position is None or not pixel_format
            or orientation is None or spacing is None or not step):
        frame.position = None
        frame.position_problem = "mosaic without its header: cannot be cut into slices"
        return [frame]
    across = int(np.ceil(np.sqrt(count)))
    if pixel_format.rows % across or pixel_format.columns % across:
        frame.position, frame.position_problem = None, f"mosaic of {count} tiles does not divide its matrix"
        return [frame]
    rows, columns = pixel_format.rows // across, pixel_format.columns // across
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    half_x, half_y = (pixel_format.columns - columns) / 2, (pixel_format.rows - rows) / 2
    first = np.array(frame.position) + row * spacing[1] * half_x + column * spacing[0] * half_y
    direction = np.array([n for n in normal if n is not None])
    common = replace(frame.common, pixel_format=replace(pixel_format, rows=rows, columns=columns))
    out = []
    for tile in range(count):
        x, y, z = (float(v) for v in first + direction * step * tile)
        position: Vector = (x, y, z)
        out.append(replace(frame, common=common, position=position, decimals=(6, 6, 6), tiles=(tile, across, count),
                           extra=dict(frame.extra)))
    return out


def _csa_bytes(frame: Frame) -> bytes:
    """The private header of one slice, b'' where it has none; the file is opened again for it."""
    if frame.ref.is_member:
        found, _ = walk_header(MemorySource(frame.ref.load()), frozenset((SIEMENS_CSA_IMAGE,)))
        return found.values.get(SIEMENS_CSA_IMAGE, b"")
    descriptor, size = open_regular(frame.ref.path)
    try:
        found, _ = walk_header(DescriptorSource(descriptor, size), frozenset((SIEMENS_CSA_IMAGE,)))
    finally:
        os.close(descriptor)
    return found.values.get(SIEMENS_CSA_IMAGE, b"")


def _first(values: list[str] | None) -> float | None:
    return parse_decimal(values[0]) if values else None


def read_csa(data: bytes) -> dict[str, list[str]]:
    """Tags of a Siemens CSA2 header ("SV10"): name to values; empty where it is something else."""
    if data[:4] != b"SV10" or len(data) < 16:
        return {}
    count = int.from_bytes(data[8:12], "little")
    position, out = 16, {}
    if count > 1024:
        return {}
    try:
        for _ in range(count):
            name = data[position : position + 64].split(b"\0")[0].decode("latin-1")
            items = int.from_bytes(data[position + 76 : position + 80], "little")
            position += 84
            values = []
            if items > 4096:
                return {}
            for _ in range(items):
                length = int.from_bytes(data[position + 4 : position + 8], "little")
                position += 16
                if position + length > len(data):
                    return {}
                text = data[position : position + length].split(b"\0")[0].decode("latin-1").strip()
                if text:
                    values.append(text)
                position += (length + 3) // 4 * 4
            out[name] = values
    except (IndexError, struct.error):
        return {}
    return out
