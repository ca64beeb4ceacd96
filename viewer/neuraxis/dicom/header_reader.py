"""Headers of many files, quickly: a file whose element headers equal a known file's has the same layout.

By induction over the elements: when tag, VR and length of the first element are equal, the second one starts at the
same place, and so on. So one vector comparison stands for the whole walk, and all refusals of the walk hold for it too.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.dicom.attributes import Common, parse_common
from neuraxis.dicom.byte_sources import DescriptorSource, FileRef, MemorySource, open_regular, read_at
from neuraxis.dicom.codestream import read_codestream
from neuraxis.dicom.elements import CHUNK_BYTES, UNDEFINED, ByteSource, DamagedFileError, Header
from neuraxis.dicom.frame import OWN_INDEX, Frame, read_position
from neuraxis.dicom.header_walk import walk_header
from neuraxis.dicom.tags import COMPRESSED, OWN_ATTRIBUTES, TRANSFER_SYNTAX_UID, UNCOMPRESSED

_OWN_TAGS = tuple(OWN_ATTRIBUTES.values())
_OWN_SET = frozenset(_OWN_TAGS)
_POSITION = OWN_INDEX["ImagePositionPatient"]
_MAX_TEMPLATES = 96
_MAX_TEMPLATE_BYTES = 1 << 20
_FUNCTIONAL_GROUPS = 0x52009230


@dataclass(slots=True)
class _Template:
    index: NDArray[np.intp]
    reference: NDArray[np.uint8]
    last: int
    probe: slice
    probe_bytes: bytes
    header: Header
    shape: int
    shared: Callable[[bytes], Any]
    own: Callable[[bytes], Any]


class HeaderReader:
    """Reads one file after the other into `Frame`s; keeps what files have in common."""

    def __init__(self) -> None:
        self.templates: list[_Template] = []
        self.commons: dict[Any, Common] = {}
        self.shapes: dict[Any, int] = {}
        self.first_read = CHUNK_BYTES

    def read(self, ref: FileRef) -> Frame:
        """The file as one frame record (multi-frame files are expanded later).

        Raises
        ------
        DamagedFileError
            With the reason to show; `NotDicomError` for other files.
        OSError
            When the file cannot be opened.
        """
        if ref.is_member:
            return self._walk(ref, MemorySource(ref.load()))
        descriptor, size = open_regular(ref.path)
        try:
            buffer = read_at(descriptor, 0, self.first_read)
            hit = self._match(buffer)
            if hit is None:
                return self._walk(ref, DescriptorSource(descriptor, size))
            shared = hit.shared(buffer)
            key = (hit.shape, shared)
            common = self.commons.get(key)
            if common is None:
                common = self._common(key, hit.header, dict(zip(_shared_tags(hit.header), _as_tuple(shared), strict=True)))
            return self._record(ref, hit.header, common, hit.own(buffer), size, DescriptorSource(descriptor, size))
        finally:
            os.close(descriptor)

    def _match(self, buffer: bytes) -> _Template | None:
        array: NDArray[np.uint8] | None = None
        for rank, template in enumerate(self.templates):
            if template.last > len(buffer) or buffer[template.probe] != template.probe_bytes:
                continue
            if array is None:
                array = np.frombuffer(buffer, np.uint8)
            if (array[template.index] == template.reference).all():
                if rank:
                    self.templates.insert(0, self.templates.pop(rank))
                return template
        return None

    def _walk(self, ref: FileRef, source: ByteSource) -> Frame:
        header, valid = walk_header(source)
        tags = _shared_tags(header)
        shape = self._shape(header, tags)
        shared = tuple(header.values[t] for t in tags)
        own = tuple(header.values.get(t, b"") for t in _OWN_TAGS)
        key = (shape, shared if len(tags) != 1 else shared[0])
        common = self.commons.get(key)
        if common is None:
            common = self._common(key, header, header.values)
        self._learn(header, source, tags, shape)
        frame = self._record(ref, header, common, own, valid.size, valid, inflated=valid is not source)
        if _FUNCTIONAL_GROUPS in header.places or common.frames > 1:
            frame.header = header
        return frame

    def _shape(self, header: Header, tags: tuple[int, ...]) -> int:
        key = (
            tags, header.transfer_syntax, header.explicit, header.big_endian, header.pixel_tag, tuple(header.notes),
            tuple(header.vrs.get(t) for t in tags),
        )
        return self.shapes.setdefault(key, len(self.shapes))

    def _common(self, key: Any, header: Header, values: dict[int, bytes]) -> Common:
        common = parse_common(
            values, header.vrs, explicit=header.explicit, big=header.big_endian, syntax=header.transfer_syntax,
            pixel_tag=header.pixel_tag, notes=tuple(header.notes),
        )
        if len(self.commons) < 50_000:
            self.commons[key] = common
        return common

    def _learn(self, header: Header, source: ByteSource, tags: tuple[int, ...], shape: int) -> None:
        """Keep the layout of a plain file for the next ones."""
        if not isinstance(source, DescriptorSource) or not header.pixel_tag or _FUNCTIONAL_GROUPS in header.places:
            return
        if header.pixel_offset > _MAX_TEMPLATE_BYTES or not header.marks:
            return
        buffer = source.read(0, header.pixel_offset)
        if len(buffer) != header.pixel_offset:
            return
        fixed = list(header.marks)
        for tag in (TRANSFER_SYNTAX_UID, 0x00020000):
            if tag in header.places:
                offset, length = header.places[tag]
                fixed.append((offset, offset + length))
        index = np.unique(np.concatenate([np.arange(a, b) for a, b in fixed]))
        array = np.frombuffer(buffer, np.uint8)
        probe = slice(header.pixel_offset - 8, header.pixel_offset)
        places = header.places
        shared = [slice(places[t][0], sum(places[t])) for t in tags] or [slice(0, 0)]
        own = [slice(places[t][0], sum(places[t])) if t in places else slice(0, 0) for t in _OWN_TAGS]
        layout = Header(
            header.transfer_syntax, header.explicit, header.big_endian, {}, header.places, header.vrs, header.pixel_tag,
            header.pixel_offset, header.pixel_length, header.notes,
        )
        if len(self.templates) >= _MAX_TEMPLATES:
            self.templates.pop()
        self.templates.insert(
            0, _Template(index, array[index].copy(), int(index[-1]) + 1, probe, buffer[probe], layout, shape,
                         itemgetter(*shared), itemgetter(*own)),
        )
        needed = (header.pixel_offset + 64 + 1023) // 1024 * 1024
        self.first_read = needed if len(self.templates) == 1 else max(self.first_read, needed)

    def _record(
        self, ref: FileRef, header: Header, common: Common, own: tuple[bytes, ...], size: int, source: ByteSource,
        *, inflated: bool = False,
    ) -> Frame:
        frame = Frame(ref, common, own, header.pixel_offset, header.pixel_length, size, inflated=inflated)
        frame.position, frame.decimals, frame.position_problem = read_position(own[_POSITION])
        if header.pixel_tag and not common.problem:
            check_pixels(frame, source)
        return frame


def _shared_tags(header: Header) -> tuple[int, ...]:
    return tuple(t for t in header.places if t not in _OWN_SET)


def _as_tuple(value: Any) -> tuple[bytes, ...]:
    return value if isinstance(value, tuple) else (value,)


def check_pixels(frame: Frame, source: ByteSource) -> None:
    """Compare the length of the pixel data with what the header claims and with the file.

    Raises
    ------
    DamagedFileError
        When pixels are missing.
    """
    pixel_format = frame.common.pixel_format
    assert pixel_format is not None
    count = frame.common.frames
    if frame.pixel_length == UNDEFINED:
        _check_fragments(frame, source)
        return
    expected = (pixel_format.frame_bits * count + 7) // 8
    available = min(frame.pixel_length, source.size - frame.pixel_offset)
    if available < expected:
        if count > 1 and available < expected // 2:
            one = pixel_format.frame_bytes
            raise DamagedFileError(f"claims {count} frames, has pixels for {available // max(one, 1)}")
        if pixel_format.rows * pixel_format.columns > 64 * max(available, 1):
            words = available * 8 // pixel_format.allocated
            raise DamagedFileError(f"claims {pixel_format.rows}x{pixel_format.columns} pixels, has {words}")
        raise DamagedFileError(f"pixel data is {available} of {expected} bytes")
    if frame.pixel_length > source.size - frame.pixel_offset:
        raise DamagedFileError(f"pixel data is {available} of {frame.pixel_length} bytes")
    note = ""
    if frame.pixel_length > expected + 1 + (expected & 1):
        note = f"{frame.pixel_length} bytes of pixels, {expected} expected"
    if frame.common.transfer_syntax in COMPRESSED:
        note = note or "declared compressed, pixels are not compressed"
    end = frame.pixel_offset + frame.pixel_length
    if end < source.size:
        note = _check_trailing(frame, source, end) or note
    if note:
        frame.extra["note"] = note


def _check_trailing(frame: Frame, source: ByteSource, end: int) -> str:
    """Remark on what follows the pixel data; '' where it is a regular rest of the data set."""
    rest = source.size - end
    if frame.inflated and rest <= 2:
        return ""
    head = source.read(end, min(rest, 64))
    if not any(head) and (rest <= 64 or not any(source.read(end, min(rest, 1 << 16)))):
        return ""
    group = int.from_bytes(head[:2], "big" if frame.common.big_endian else "little")
    if group >= 0x7FE0 and len(head) >= 8 and (not frame.common.explicit or head[4:6].isalpha()):
        return ""
    if group in (0x0028, 0x0020, 0x0018, 0x0008):
        raise DamagedFileError(f"elements out of order: ({group:04X},...) after the pixel data")
    sample = source.read(0, min(source.size, 4 << 20))
    if sample.count(b"\n") and sample.count(b"\n") == sample.count(b"\r\n") and rest <= sample.count(b"\r\n") * 2:
        raise DamagedFileError("is damaged by a text-mode transfer (length of the data set does not fit)")
    return f"{rest} bytes after the data set"


MAX_FRAME_BYTES = 512 << 20
MAX_EXPANSION = 1000
EXPANSION_FLOOR_BYTES = 64 << 20


def _check_bomb(frame: Frame, compressed: int) -> None:
    """Refuse frames that claim far more pixels than their compressed bytes can stand for."""
    pixel_format = frame.common.pixel_format
    assert pixel_format is not None
    one = pixel_format.frame_bytes
    total = one * frame.common.frames
    if total > EXPANSION_FLOOR_BYTES and total > MAX_EXPANSION * compressed:
        raise DamagedFileError(f"claims {_size(total)} of pixels in {_size(compressed)} of file: not decoded")
    if one > MAX_FRAME_BYTES:
        raise DamagedFileError(f"claims {_size(one)} of pixels in one picture: not decoded before it is asked for")


def _size(count: int) -> str:
    for unit, step in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= step:
            return f"{count / step:.2g} {unit}" if count < 10 * step else f"{count / step:.0f} {unit}"
    return f"{count} bytes"


def _check_fragments(frame: Frame, source: ByteSource) -> None:
    """Walk the fragments of encapsulated pixels; check the first codestream's own header against the file's."""
    position, count, total = frame.pixel_offset, 0, 0
    limit = frame.common.frames * 64 + 1024
    start: bytes = b""
    while True:
        head = source.read(position, 8)
        if len(head) < 8:
            raise DamagedFileError("compressed pixel data is cut (no end mark)")
        kind = head[:4]
        length = int.from_bytes(head[4:8], "little")
        position += 8
        if kind == b"\xfe\xff\xdd\xe0":
            break
        if kind != b"\xfe\xff\x00\xe0" or length == UNDEFINED or position + length > source.size:
            raise DamagedFileError("compressed pixel data is cut")
        if count == 0 and frame.common.frames == 1 and length == 4 and any(source.read(position, 4)):
            frame.extra["note"] = "basic offset table is wrong: picture read from all fragments"
        elif count > 0:
            total += length
            if count == 1:
                start = source.read(position, min(length, 4096))
        position += length
        count += 1
        if count > limit:
            raise DamagedFileError(f"more than {limit} fragments")
    if count < 2:
        raise DamagedFileError("compressed pixel data holds no picture")
    if count - 1 < frame.common.frames:
        raise DamagedFileError(f"claims {frame.common.frames} frames, has {count - 1}")
    _check_bomb(frame, total)
    pixel_format = frame.common.pixel_format
    assert pixel_format is not None
    if pixel_format.transfer_syntax in UNCOMPRESSED:
        raise DamagedFileError("declares uncompressed pixels, has compressed ones")
    stream = read_codestream(start, pixel_format)
    # the header may keep silent about it; before grouping, which keeps lossy and lossless pictures apart
    frame.common.lossy = frame.common.lossy or stream.lossy
    if stream.signed and not pixel_format.signed and pixel_format.samples == 1:
        frame.extra["note"] = "codestream is signed, header says unsigned: read as signed; not for measurement"
    if position < source.size and not frame.inflated:
        note = _check_trailing(frame, source, position)
        if note:
            frame.extra["note"] = note
