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
    (b"7z\xbc\xaf", "7z archive"), (b"\x89PNG", "PNG picture"), (b"\xff\xd8\xff", "JPEG picture"), (b"GIF8", "GIF picture"),
    (b"%PDF", "PDF document"), (b"\x5c\x01\x00\x00", "NIfTI file"), (b"NRRD", "NRRD file"),
)


def _open_bare(walk: Walk, head: bytes) -> int:
    """A file without the 128-byte preamble: file meta at the start, or a bare data set."""
    for magic, name in _NOT_DICOM:
        if head.startswith(magic):
            raise NotDicomError(f"is a {name}, not DICOM")
    if len(head) >= 8:
        group = int.from_bytes(head[:2], "little")
        element = int.from_bytes(head[2:4], "little")
        explicit = head[4:6] in LONG_VRS or head[4:6] in SHORT_VRS
        length = int.from_bytes(head[4:8], "little")
        if group == 2 and element <= 0x0102 and explicit:
            walk.header.notes.append("file has no preamble (old format)")
            return walk.meta(0)
        if group == 8 and element <= 0x0100 and (explicit or length <= 64):
            kind = "explicit" if explicit else "implicit"
            walk.header.notes.append(f"file has no file meta information; {kind} VR little endian assumed")
            return 0
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
    head = walk.cursor.bytes(0, min(source.size, 132))
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
        syntax = EXPLICIT_LE if _first_is_explicit(start, big=False) else IMPLICIT_LE
        if position:
            walk.header.notes.append("no transfer syntax in the file meta information")
    if syntax == DEFLATED:
        return _walk_deflated(walk, source, position)
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
    inflated = InflatedSource(source, position)
    inner = Walk(inflated, walk.wanted)
    inner.header.values.update(walk.header.values)
    inner.header.notes.extend(walk.header.notes)
    _choose_encoding(inner, EXPLICIT_LE, 0)
    inner.data_set(0)
    _finish(inner, DEFLATED)
    inner.header.marks.clear()
    return inner.header, inflated
