"""Where a file's bytes come from: an open file, a member of a zip archive, a deflated data set."""

from __future__ import annotations

import os
import stat
import zlib
from dataclasses import dataclass
from typing import Any

from neuraxis.dicom.elements import ByteSource, DamagedFileError

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOCTTY", 0)
_HAS_PREAD = hasattr(os, "pread")

INFLATE_RATIO = 64
INFLATE_FLOOR = 32 << 20
INFLATE_CEILING = 2 << 30


def open_regular(path: str) -> tuple[int, int]:
    """(descriptor, size) of a regular file; never waits on a pipe or device."""
    descriptor = os.open(path, _FLAGS)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise DamagedFileError("is not a regular file")
    return descriptor, status.st_size


def read_at(descriptor: int, offset: int, length: int) -> bytes:
    """Bytes of an open file from an offset."""
    if _HAS_PREAD:
        return os.pread(descriptor, length, offset)
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, length)


def read_into(descriptor: int, target: memoryview, offset: int) -> int:
    """Fill a writable buffer from an offset of an open file; returns the number of bytes read."""
    done = 0
    while done < len(target):
        if hasattr(os, "preadv"):
            count = os.preadv(descriptor, [target[done:]], offset + done)
        else:
            piece = read_at(descriptor, offset + done, len(target) - done)
            count = len(piece)
            target[done : done + count] = piece
        if count == 0:
            break
        done += count
    return done


class DescriptorSource:
    """An open descriptor as a byte source; does not own it."""

    def __init__(self, descriptor: int, size: int) -> None:
        self.descriptor, self.size = descriptor, size

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`."""
        return read_at(self.descriptor, offset, length)


class MemorySource:
    """Bytes in memory as a byte source."""

    def __init__(self, data: bytes) -> None:
        self.data, self.size = data, len(data)

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`."""
        return self.data[offset : offset + length]


class InflatedSource:
    """A deflated data set, inflated only as far as asked and only up to a limit (deflate bombs)."""

    def __init__(self, source: ByteSource, start: int) -> None:
        self.source, self.start = source, start
        self.limit = min(max(source.size * INFLATE_RATIO, INFLATE_FLOOR), INFLATE_CEILING)
        self.inflater: Any = zlib.decompressobj(-15)
        self.data = bytearray()
        self.consumed = start
        self.ended = False
        self.size = self.limit + 1
        self.too_long = f"inflates beyond {INFLATE_RATIO} times its size"

    def _inflate_to(self, length: int) -> None:
        pending = b""
        while len(self.data) < length and not self.ended:
            pending = self.inflater.unconsumed_tail or self.source.read(self.consumed, 1 << 16)
            if not self.inflater.unconsumed_tail:
                self.consumed += len(pending)
            if not pending:
                raise DamagedFileError("deflated data set ends early")
            try:
                piece = self.inflater.decompress(pending, 1 << 20)
            except zlib.error as error:
                raise DamagedFileError(f"deflated data set is damaged ({error})") from None
            self.data += piece
            self.ended = self.inflater.eof
            if len(self.data) > self.limit:
                raise DamagedFileError(self.too_long)
        if self.ended:
            self.size = len(self.data)

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset` of the inflated data set."""
        if offset + length > self.limit:
            raise DamagedFileError(self.too_long)
        self._inflate_to(offset + length)
        return bytes(self.data[offset : offset + length])

    def read_all(self) -> bytes:
        """The whole inflated data set."""
        self._inflate_to(self.limit)
        return bytes(self.data)


@dataclass(frozen=True, slots=True)
class FileRef:
    """A file that was seen: its path, and for a member of a zip archive where its bytes lie in it.

    `path` names a member as `archive.zip!/member`; `open_path` is what is opened.
    """

    path: str
    open_path: str = ""
    offset: int = 0
    packed: int = 0
    size: int = 0
    deflated: bool = False
    checksum: int = 0
    """CRC-32 of the member's bytes, as the archive says."""

    @property
    def is_member(self) -> bool:
        """Whether it lies in an archive."""
        return bool(self.open_path)

    @property
    def name(self) -> str:
        """Last part of the path, for messages."""
        return printable(self.path.replace("\\", "/").rsplit("/", 1)[-1])

    def load(self) -> bytes:
        """All bytes of an archive member (its declared size was checked against limits; more than that is an error)."""
        descriptor, size = open_regular(self.open_path)
        try:
            local = read_at(descriptor, self.offset, 30)
            if len(local) < 30 or local[:4] != b"PK\x03\x04":
                raise DamagedFileError("archive member is damaged")
            start = self.offset + 30 + int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little")
            if start + self.packed > size:
                raise DamagedFileError("archive member is cut")
            raw = bytearray(self.packed)
            if read_into(descriptor, memoryview(raw), start) != self.packed:
                raise DamagedFileError("archive member is cut")
        finally:
            os.close(descriptor)
        data = bytes(raw)
        if self.deflated:
            try:
                data = zlib.decompressobj(-15).decompress(data, self.size + 1)
            except zlib.error:
                raise DamagedFileError("archive member is damaged") from None
        if len(data) != self.size:
            raise DamagedFileError("archive member is not as long as the archive says")
        if zlib.crc32(data) != self.checksum:
            raise DamagedFileError("archive member is damaged (checksum)")
        return data


def printable(text: str, limit: int = 200) -> str:
    """Text from a file or file name made safe to show: no control or direction marks, cut to a length."""
    out = []
    for c in text[: limit + 1]:
        code = ord(c)
        if code < 32 or 0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000 or code in _DIRECTION_MARKS:
            out.append(f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")
        else:
            out.append(c)
    shown = "".join(out)
    return shown if len(shown) <= limit and len(text) <= limit else shown[: limit - 1] + "…"


_DIRECTION_MARKS = frozenset([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x2028, 0x2029, 0xFEFF])
