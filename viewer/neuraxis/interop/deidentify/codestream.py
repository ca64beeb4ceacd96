"""Comments and application data inside compressed frames: blanked in place, so that no offset moves."""

from __future__ import annotations

from collections.abc import Iterator

_ITEM = b"\xfe\xff\x00\xe0"
_JPEG_START, _J2K_START = b"\xff\xd8", b"\xff\x4f"
_JPEG_TEXT = {0xFE, *range(0xE1, 0xEE)}
"""COM and APP1 to APP13 (Exif, XMP, IPTC, profiles). APP0 (JFIF) and APP14 (Adobe, colour transform) steer decoding."""
_J2K_COMMENT = 0x64
_SCAN_OR_DATA = {0xDA, 0x90, 0x93, 0xD9}
"""SOS of JPEG; SOT, SOD and EOC of JPEG 2000: the header is over."""


def blank_comments(encapsulated: bytes) -> tuple[bytes, int]:
    """Encapsulated pixel data with the texts of each frame's header set to spaces, and how many there were.

    Fragments that are no JPEG, JPEG-LS or JPEG 2000 stream (RLE, continuation of a frame) stay as they are.
    """
    content = bytearray(encapsulated)
    blanked = 0
    for start, end in _fragments(encapsulated):
        for first, last in _texts(encapsulated, start, end):
            content[first:last] = b" " * (last - first)
            blanked += 1
    return bytes(content), blanked


def _fragments(data: bytes) -> Iterator[tuple[int, int]]:
    place = 0
    while data[place : place + 4] == _ITEM:
        length = int.from_bytes(data[place + 4 : place + 8], "little")
        yield place + 8, min(place + 8 + length, len(data))
        place += 8 + length


def _texts(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """(first, last) byte of every comment's payload in the main header of one stream."""
    if data[start : start + 2] not in (_JPEG_START, _J2K_START):
        return
    is_j2k = data[start : start + 2] == _J2K_START
    place = start + 2
    while place + 4 <= end and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # fill byte
            place += 1
            continue
        if marker in _SCAN_OR_DATA:
            return
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        last = min(place + 2 + length, end)
        if is_j2k and marker == _J2K_COMMENT:
            yield place + 6, last  # behind the registration value
        elif not is_j2k and marker in _JPEG_TEXT:
            yield place + 4, last
        place += 2 + max(length, 2)
