"""One file's header from its first byte: preamble, file meta group, encoding, then the walk over its elements."""

from __future__ import annotations

from neuraxis.dicom.byte_sources import InflatedSource
from neuraxis.dicom.elements import (
    LONG_VRS,
    SHORT_VRS,
    ByteSource,
    DamagedFileError,
    Header,
    NotDicomError,
    Walk,
)
from neuraxis.dicom.tags import DEFLATED, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, TRANSFER_SYNTAX_UID


def _first_is_explicit(head: bytes, big: bool) -> bool:
    vr = head[4:6]
    return len(head) >= 8 and (vr in LONG_VRS or vr in SHORT_VRS) and int.from_bytes(head[:2], "big" if big else "little") != 0


def _choose_encoding(walk: Walk, syntax: str, position: int) -> None:
    head = walk.cursor.bytes(position, min(8, walk.cursor.size - position))
    big = syntax == EXPLICIT_BE
    explicit = syntax not in {IMPLICIT_LE, "1.2.840.113619.5.2"}
    if len(head) < 8:
        raise DamagedFileError("ends early (no data set behind the file meta information)")
    group = int.from_bytes(head[:2], "big" if big else "little")
    if group in (0x0800, 0x0200, 0x1000, 0x2000):
        raise DamagedFileError("cannot be parsed as its declared transfer syntax: the other byte order")
    looks_explicit = _first_is_explicit(head, big)
    if explicit and not looks_explicit:
        if int.from_bytes(head[4:8], "little") < 1 << 16 and not big and group <= 0x0020:
            walk.header.notes.append("declared transfer syntax does not match the encoding: explicit VR declared, is implicit")
            explicit = False
        else:
            raise DamagedFileError("cannot be parsed as its declared transfer syntax")
    elif not explicit and looks_explicit:
        # two letters read as an implicit length would be 16,000 bytes and more for the first short element
        walk.header.notes.append("declared transfer syntax does not match the encoding: implicit VR declared, is explicit")
        explicit = True
    walk.set_encoding(explicit=explicit, big=big)


_NOT_DICOM = (
    (b"\x1f\x8b", "gzip archive"), (b"BZh", "bzip2 archive"), (b"\xfd7zXZ", "xz archive"), (b"Rar!", "rar archive"),
    (b"7z\xbc\xaf", "7z archive"), (b"PK\x03\x04", "zip archive without the ending .zip"), (b"\x89PNG", "PNG picture"),
    (b"\xff\xd8\xff", "JPEG picture"), (b"GIF8", "GIF picture"), (b"%PDF", "PDF document"), (b"\x5c\x01\x00\x00", "NIfTI file"),
    (b"NRRD", "NRRD file"),
)
_STARTS = (0, 128, 1, 3)
"""Where a data set without the DICM mark may start: at once, behind an empty preamble, a stray byte, a byte order mark."""


def _kind_of_start(head: bytes) -> str:
    """What the first eight bytes of a file without the DICM mark are: 'meta', 'explicit', 'big endian', 'implicit' or ''."""
    if len(head) < 8:
        return ""
    has_vr = head[4:6] in LONG_VRS or head[4:6] in SHORT_VRS
    group, element, length = (int.from_bytes(head[a:b], "little") for a, b in ((0, 2), (2, 4), (4, 8)))
    if group == 2 and element <= 0x0102 and has_vr:
        return "meta"
    if group == 8 and element <= 0x0100 and (has_vr or length <= 64):
        return "explicit" if has_vr else "implicit"
    if head[:3] == b"\0\x08\0" and has_vr:
        return "big endian"
    if group == 0 and element == 0 and length == 4:
        return "implicit"
    return ""


def _open_bare(walk: Walk, head: bytes) -> int:
    """A file without the DICM mark at byte 128: file meta elsewhere, or a bare data set."""
    for magic, name in _NOT_DICOM:
        if head.startswith(magic):
            raise NotDicomError(f"is a {name}, not DICOM")
    mark = head.find(b"DICM\2\0")
    if mark >= 0:
        walk.header.notes.append(f"the DICM mark stands at byte {mark} instead of 128")
        walk.header.marks.append((mark, mark + 4))
        return walk.meta(mark + 4)
    for start in _STARTS:
        kind = _kind_of_start(head[start : start + 8])
        if not kind:
            continue
        if kind == "meta":
            walk.header.notes.append("file has no preamble (old format)" if start == 0 else "file has no DICM mark")
            return walk.meta(start)
        order = "" if kind == "big endian" else " VR little endian"
        before = f", {start} bytes before it" if start else ""
        walk.header.notes.append(f"file has no file meta information{before}; {kind}{order} assumed")
        return start
    raise NotDicomError("is not DICOM")


def _preamble_note(head: bytes) -> str | None:
    if head.startswith(b"MZ"):
        return "preamble is not empty (MZ: Windows program); never executed, zeroed on export"
    if head.startswith(b"\x7fELF"):
        return "preamble is not empty (ELF: Linux program); never executed, zeroed on export"
    if head.startswith((b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"#!")):
        return "preamble is not empty (program); never executed, zeroed on export"
    return None


def walk_header(source: ByteSource, also: frozenset[int] = frozenset()) -> tuple[Header, ByteSource]:
    """Walk one file up to its pixel data; `also` names tags to keep beside the usual ones.

    Returns the header and the source in which its offsets are valid (the inflated one for deflated files).

    Raises
    ------
    NotDicomError
        When the file is something else.
    DamagedFileError
        When it contradicts itself; the text names the place.
    """
    if source.size == 0:
        raise DamagedFileError("is empty (0 bytes)")
    walk = Walk(source, also)
    head = walk.cursor.bytes(0, min(source.size, 512))
    if head[128:132] == b"DICM":
        walk.header.marks.append((128, 132))
        walk.header.marks.append((0, 4))
        note = _preamble_note(head)
        if note:
            walk.header.notes.append(note)
        position = walk.meta(132)
    else:
        position = _open_bare(walk, head)
    bare = TRANSFER_SYNTAX_UID not in walk.header.values
    syntax = walk.header.values.get(TRANSFER_SYNTAX_UID, b"").rstrip(b"\0 ").decode("ascii", "replace")
    if bare:
        start = walk.cursor.bytes(position, min(8, source.size - position))
        syntax = IMPLICIT_LE
        if _first_is_explicit(start, big=False):
            syntax = EXPLICIT_BE if start[:2] == b"\0\x08" else EXPLICIT_LE
        if not any(note.startswith("file has no file meta") for note in walk.header.notes):
            walk.header.notes.append("no transfer syntax in the file meta information")
    if syntax == DEFLATED:
        start = walk.cursor.bytes(position, min(8, source.size - position))
        if start[:2] != b"\x08\0" or not _first_is_explicit(start, big=False):
            return _walk_deflated(walk, source, position)
        walk.header.notes.append("declared transfer syntax does not match the encoding: deflated declared, is not")
        syntax = EXPLICIT_LE
    _choose_encoding(walk, syntax, position)
    walk.data_set(position)
    _finish(walk, syntax)
    if bare and 0x00080016 not in walk.header.values and not walk.header.pixel_tag:
        raise NotDicomError("is not DICOM")
    return walk.header, source


def _finish(walk: Walk, syntax: str) -> None:
    walk.header.transfer_syntax = syntax
    walk.header.explicit, walk.header.big_endian = walk.explicit, walk.big


def _walk_deflated(walk: Walk, source: ByteSource, position: int) -> tuple[Header, ByteSource]:
    head = int.from_bytes(source.read(position, 2), "big")
    wrapped = head >> 8 == 0x78 and head % 31 == 0
    if wrapped:
        walk.header.notes.append("deflated data set has a zlib header, which DICOM does not allow")
    inflated = InflatedSource(source, position + 2 if wrapped else position)
    inner = Walk(inflated, walk.wanted)
    inner.header.values.update(walk.header.values)
    inner.header.notes.extend(walk.header.notes)
    _choose_encoding(inner, EXPLICIT_LE, 0)
    inner.data_set(0)
    _finish(inner, DEFLATED)
    inner.header.marks.clear()
    return inner.header, inflated
