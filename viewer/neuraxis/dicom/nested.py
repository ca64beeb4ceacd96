"""Items of a sequence whose bytes were kept by the element walk, read on demand."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from neuraxis.dicom.elements import LONG_VRS, MAX_DEPTH, UNDEFINED, DamagedFileError

_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


@dataclass(slots=True)
class Item:
    """One sequence item: raw value and VR of each element."""

    explicit: bool
    big: bool
    values: dict[int, bytes] = field(default_factory=dict)
    vrs: dict[int, bytes] = field(default_factory=dict)

    def items(self, tag: int) -> list[Item]:
        """Items of a nested sequence; empty where there is none."""
        data = self.values.get(tag)
        if not data:
            return []
        explicit = self.explicit and self.vrs.get(tag) != b"UN"
        return parse_items(data, explicit=explicit, big=self.big)


def parse_items(data: bytes, *, explicit: bool, big: bool) -> list[Item]:
    """Items of a sequence from its value bytes, nested sequences left as bytes.

    Raises
    ------
    DamagedFileError
        When lengths do not fit together.
    """
    mark = ">" if big else "<"
    plain = struct.Struct(mark + "HHI").unpack_from
    items: list[Item] = []
    position = 0
    try:
        while position + 8 <= len(data):
            group, element, length = plain(data, position)
            tag = group << 16 | element
            position += 8
            if tag == _SEQUENCE_END:
                break
            if tag != _ITEM:
                raise DamagedFileError("is damaged inside a sequence")
            item = Item(explicit, big)
            if length == UNDEFINED:
                position = _fill(item, data, position, len(data), closed=True)
            else:
                if position + length > len(data):
                    raise DamagedFileError("is damaged inside a sequence")
                _fill(item, data, position, position + length, closed=False)
                position += length
            items.append(item)
    except struct.error:
        raise DamagedFileError("is damaged inside a sequence") from None
    return items


def _element(data: bytes, position: int, *, explicit: bool, mark: str) -> tuple[int, bytes, int, int]:
    if explicit:
        group, element, vr, length = struct.unpack_from(mark + "HH2sH", data, position)
        if group == 0xFFFE:
            return group << 16 | element, b"", struct.unpack_from(mark + "I", data, position + 4)[0], position + 8
        if vr in LONG_VRS:
            return group << 16 | element, vr, struct.unpack_from(mark + "I", data, position + 8)[0], position + 12
        return group << 16 | element, vr, length, position + 8
    group, element, length = struct.unpack_from(mark + "HHI", data, position)
    return group << 16 | element, b"", length, position + 8


def _fill(item: Item, data: bytes, position: int, end: int, *, closed: bool) -> int:
    """Elements of one item into `item`; returns the position behind it."""
    mark = ">" if item.big else "<"
    while position + 8 <= end:
        tag, vr, length, position = _element(data, position, explicit=item.explicit, mark=mark)
        if tag == _ITEM_END and closed:
            return position
        if length == UNDEFINED:
            stop = _skip(data, position, explicit=item.explicit and vr != b"UN", mark=mark, depth=1)
        else:
            stop = position + length
        if stop > end:
            raise DamagedFileError("is damaged inside a sequence")
        item.values[tag] = data[position:stop]
        item.vrs[tag] = vr
        position = stop
    return position


def _skip(data: bytes, position: int, *, explicit: bool, mark: str, depth: int) -> int:
    if depth > MAX_DEPTH:
        raise DamagedFileError(f"sequences nested deeper than {MAX_DEPTH}")
    while True:
        group, element, length = struct.unpack_from(mark + "HHI", data, position)
        tag = group << 16 | element
        position += 8
        if tag == _SEQUENCE_END:
            return position
        if tag != _ITEM:
            raise DamagedFileError("is damaged inside a sequence")
        if length != UNDEFINED:
            position += length
            continue
        while True:
            tag, vr, length, position = _element(data, position, explicit=explicit, mark=mark)
            if tag == _ITEM_END:
                break
            if length == UNDEFINED:
                position = _skip(data, position, explicit=explicit and vr != b"UN", mark=mark, depth=depth + 1)
            else:
                position += length
