"""The element walk: where each wanted attribute lies in a file, refusing what contradicts itself."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Protocol

from neuraxis.dicom.tags import (
    DECIDING,
    DOUBLE_PIXEL_DATA,
    FLOAT_PIXEL_DATA,
    PIXEL_DATA,
    WANTED,
    tag_text,
)

UNDEFINED = 0xFFFFFFFF
MAX_DEPTH = 64
MAX_ELEMENTS = 400_000
"""A header with more elements than this is taken for an attack on time (the largest real ones hold some ten thousand)."""

CHUNK_BYTES = 16384
LONG_VRS = frozenset((b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"SQ", b"UC", b"UN", b"UR", b"UT", b"SV", b"UV"))
SHORT_VRS = frozenset((b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FL", b"FD", b"IS", b"LO", b"LT", b"PN", b"SH",
                    b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US"))
_TEXT = frozenset((b"AE", b"AS", b"CS", b"DA", b"DS", b"IS", b"LO", b"SH", b"TM", b"UI", b"PN"))
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
PIXEL_TAGS = frozenset((PIXEL_DATA, FLOAT_PIXEL_DATA, DOUBLE_PIXEL_DATA))


class DamagedFileError(Exception):
    """A file that cannot be trusted; the text is the reason shown to the user."""


class NotDicomError(DamagedFileError):
    """A file that is something else."""


class ByteSource(Protocol):
    """Bytes of one file, wherever they are."""

    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`."""
        ...


@dataclass(slots=True)
class Header:
    """What the walk found in one file: raw values, places, and remarks.

    `places` maps each wanted tag to (offset, length); `values` to its bytes. `pixel_length` is `UNDEFINED` for
    encapsulated frames.
    """

    transfer_syntax: str = ""
    explicit: bool = True
    big_endian: bool = False
    values: dict[int, bytes] = field(default_factory=dict)
    places: dict[int, tuple[int, int]] = field(default_factory=dict)
    vrs: dict[int, bytes] = field(default_factory=dict)
    pixel_tag: int = 0
    pixel_offset: int = 0
    pixel_length: int = 0
    notes: list[str] = field(default_factory=list)
    marks: list[tuple[int, int]] = field(default_factory=list)
    """Byte ranges of all element headers: files equal in these have the same layout."""


class _Cursor:
    """Reads a byte source in chunks, wherever the walk jumps to."""

    def __init__(self, source: ByteSource) -> None:
        self.source = source
        self.base = 0
        self.buffer = source.read(0, CHUNK_BYTES)
        self.size = source.size

    def at(self, offset: int, length: int) -> int:
        """Index in `buffer` of `offset`, with at least `length` bytes behind it."""
        index = offset - self.base
        if index < 0 or index + length > len(self.buffer):
            if offset + length > self.size:
                raise DamagedFileError(f"ends early ({self.size} bytes, header incomplete)")
            self.buffer = self.source.read(offset, max(length, CHUNK_BYTES))
            self.base = offset
            index = 0
            if len(self.buffer) < length:
                raise DamagedFileError(f"ends early ({self.size} bytes, header incomplete)")
        return index

    def bytes(self, offset: int, length: int) -> bytes:
        index = self.at(offset, length)
        return self.buffer[index : index + length]


class Walk:
    """One walk over the elements of a file; see `header_walk.walk_header`."""

    def __init__(self, source: ByteSource, also: frozenset[int] = frozenset()) -> None:
        self.wanted = WANTED | also if also else WANTED
        self.cursor = _Cursor(source)
        self.header = Header()
        self.set_encoding(explicit=True, big=False)
        self.count = 0

    def set_encoding(self, *, explicit: bool, big: bool) -> None:
        """Read what follows as explicit or implicit VR, in this byte order."""
        self.explicit, self.big = explicit, big
        mark = ">" if big else "<"
        self.short_element = struct.Struct(mark + "HH2sH").unpack_from
        self.plain_element = struct.Struct(mark + "HHI").unpack_from
        self.long_length = struct.Struct(mark + "I").unpack_from

    def element(self, position: int) -> tuple[int, bytes, int, int]:
        """(tag, VR, length, offset of the value) of the element header at a position."""
        self.count += 1
        if self.count > MAX_ELEMENTS:
            raise DamagedFileError(f"more than {MAX_ELEMENTS} elements in the header")
        cursor = self.cursor
        index = cursor.at(position, 8)
        if not self.explicit:
            group, element, length = self.plain_element(cursor.buffer, index)
            return group << 16 | element, b"", length, position + 8
        group, element, vr, length = self.short_element(cursor.buffer, index)
        tag = group << 16 | element
        if group == 0xFFFE:
            return tag, b"", self.plain_element(cursor.buffer, index)[2], position + 8
        if vr in LONG_VRS:
            index = cursor.at(position, 12)
            return tag, vr, self.long_length(cursor.buffer, index + 8)[0], position + 12
        if vr not in SHORT_VRS:
            raise DamagedFileError(f"is damaged near byte {position}: no value representation at {tag_text(tag)}")
        return tag, vr, length, position + 8

    def skip_sequence(self, position: int, owner: int, depth: int) -> int:
        """Position behind an undefined-length sequence whose items start at `position`."""
        if depth > MAX_DEPTH:
            raise DamagedFileError(f"sequences nested deeper than {MAX_DEPTH}")
        while True:
            if position + 8 > self.cursor.size:
                raise DamagedFileError(f"sequence {tag_text(owner)} is never closed")
            self.count += 1
            if self.count > MAX_ELEMENTS:
                raise DamagedFileError(f"more than {MAX_ELEMENTS} elements in the header")
            index = self.cursor.at(position, 8)
            group, element, length = self.plain_element(self.cursor.buffer, index)
            self.header.marks.append((position, position + 8))
            tag = group << 16 | element
            position += 8
            if tag == _SEQUENCE_END:
                return position
            if tag != _ITEM:
                raise DamagedFileError(f"sequence {tag_text(owner)} is never closed")
            position = self.skip_item(position, owner, depth) if length == UNDEFINED else position + length

    def skip_item(self, position: int, owner: int, depth: int) -> int:
        """Position behind an undefined-length item whose elements start at `position`."""
        while True:
            if position + 8 > self.cursor.size:
                raise DamagedFileError(f"sequence {tag_text(owner)} is never closed")
            start = position
            tag, _, length, position = self.element(position)
            self.header.marks.append((start, position))
            if tag == _ITEM_END:
                return position
            if tag >> 16 == 0xFFFE:
                raise DamagedFileError(f"sequence {tag_text(owner)} is never closed")
            if length == UNDEFINED:
                position = self.skip_sequence(position, tag, depth + 1)
            else:
                if position + length > self.cursor.size:
                    raise DamagedFileError(f"sequence {tag_text(owner)} is never closed")
                position += length

    def meta(self, position: int) -> int:
        """Walk the file meta group; returns where the data set starts."""
        declared, first = None, position
        head = self.cursor.bytes(position, min(8, self.cursor.size - position))
        if head[:2] == b"\2\0" and head[4:6] not in LONG_VRS | SHORT_VRS and int.from_bytes(head[4:8], "little") <= 128:
            self.header.notes.append("file meta information is in implicit VR")
            self.set_encoding(explicit=False, big=False)
        while True:
            if position + 8 > self.cursor.size:
                raise DamagedFileError("ends inside the file meta information")
            group = int.from_bytes(self.cursor.bytes(position, 2), "little")
            if group != 2:
                break
            start = position
            try:
                tag, _, length, position = self.element(position)
            except DamagedFileError as error:
                raise DamagedFileError(f"file meta information {error}") from None
            self.header.marks.append((start, position))
            if position + length > self.cursor.size:
                raise DamagedFileError("ends inside the file meta information")
            if tag == 0x00020000 and length == 4:
                declared = int.from_bytes(self.cursor.bytes(position, 4), "little")
                first = position + 4
            elif tag in WANTED:
                self.keep(tag, b"UI", position, length)
            position += length
        if declared is not None and declared != position - first:
            self.header.notes.append("file meta group length is wrong")
        return position

    def keep(self, tag: int, vr: bytes, position: int, length: int) -> None:
        """Remember place and bytes of a wanted element."""
        self.header.places[tag] = (position, length)
        self.header.values[tag] = self.cursor.bytes(position, length) if length else b""
        self.header.vrs[tag] = vr

    def data_set(self, position: int) -> None:
        """Walk the main data set up to the pixel data."""
        header, size, previous = self.header, self.cursor.size, -1
        marks, wanted = header.marks, self.wanted
        while position < size:
            start = position
            if position + 8 > size:
                if not any(self.cursor.bytes(position, size - position)):
                    return
                raise DamagedFileError(f"ends early ({size} bytes, header incomplete)")
            tag, vr, length, position = self.element(position)
            marks.append((start, position))
            if tag <= previous:
                self.check_order(tag, previous, start)
            else:
                previous = tag
            if tag in PIXEL_TAGS:
                header.pixel_tag, header.pixel_offset, header.pixel_length = tag, position, length
                return
            if length == UNDEFINED:
                end = self.skip_undefined(position, tag, vr)
                if tag in wanted:
                    self.keep(tag, vr, position, end - position)
                position = end
                continue
            if position + length > size:
                too_long = getattr(self.cursor.source, "too_long", None)
                raise DamagedFileError(
                    too_long or f"is damaged: element {tag_text(tag)} claims {length} bytes, the file has {size}"
                )
            if tag in wanted:
                self.keep(tag, vr, position, length)
            if length & 1 and vr in _TEXT | {b""} and len(header.notes) < 8:
                header.notes.append(f"odd-length value in {tag_text(tag)}")
            position += length

    def skip_undefined(self, position: int, tag: int, vr: bytes) -> int:
        """Position behind an undefined-length value."""
        if vr == b"UN":
            # an undefined-length UN is a sequence in implicit VR, whatever the file's syntax (PS3.5 6.2.2)
            explicit, big = self.explicit, self.big
            self.set_encoding(explicit=False, big=False)
            try:
                return self.skip_sequence(position, tag, 1)
            finally:
                self.set_encoding(explicit=explicit, big=big)
        return self.skip_sequence(position, tag, 1)

    def check_order(self, tag: int, previous: int, position: int) -> None:
        """Refuse or note an element that does not come after the one before it."""
        if tag in DECIDING and tag in self.header.places:
            raise DamagedFileError(f"{tag_text(tag)} occurs twice")
        if tag >> 16 <= 2 or tag >> 16 == 0xFFFE:
            raise DamagedFileError(f"is damaged near byte {position}: {tag_text(tag)} after {tag_text(previous)}")
        note = f"elements out of order at {tag_text(tag)}"
        if not any(n.startswith("elements out of order") for n in self.header.notes):
            self.header.notes.append(note)
