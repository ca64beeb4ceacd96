"""multipart/related as it streams in (RFC 2046, PS3.18 8.7.1), with limits, and as it goes out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from neuraxis.interop.archive.failures import ArchiveError

_MAX_PREAMBLE = 1 << 16
_MAX_HEADERS = 1 << 14
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{1,200}")  # RFC 2046 allows 70; archives in use send longer ones


@dataclass
class MultipartReader:
    """Parts of a body that comes in blocks; each part's content must be read before the next part is asked for.

    Parameters
    ----------
    who : names the sender in messages
    """

    who: str
    blocks: Iterator[bytes]
    boundary: str
    _buffer: bytearray = field(default_factory=lambda: bytearray(b"\r\n"), init=False)
    _open: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        if not _BOUNDARY.fullmatch(self.boundary):
            raise self._damaged("names no boundary between its parts")
        self._delimiter = b"\r\n--" + self.boundary.encode("ascii")

    def parts(self) -> Iterator[str]:
        """The media type of each part; then `content` gives its bytes.

        Raises
        ------
        ArchiveError
            When the boundary does not come, a header does not end, or the body breaks off before its closing boundary.
        """
        preamble = 0
        for piece in self._until_delimiter():
            preamble += len(piece)
            if preamble > _MAX_PREAMBLE:
                raise self._damaged("does not hold the boundary that it announces")
        while True:
            self._need(2)
            if self._buffer[:2] == b"--":
                return
            head = self._header_block()
            self._open = True
            yield _media_type(head)
            if self._open:
                for _ in self.content():
                    pass

    def content(self) -> Iterator[bytes]:
        """Bytes of the part that was announced last."""
        yield from self._until_delimiter()
        self._open = False

    def _until_delimiter(self) -> Iterator[bytes]:
        keep = len(self._delimiter) - 1
        while True:
            at = self._buffer.find(self._delimiter)
            if at >= 0:
                piece = bytes(self._buffer[:at])
                del self._buffer[: at + len(self._delimiter)]
                if piece:
                    yield piece
                return
            if len(self._buffer) > keep:
                piece = bytes(self._buffer[:-keep])
                del self._buffer[:-keep]
                yield piece
            self._more()

    def _header_block(self) -> bytes:
        while True:
            at = self._buffer.find(b"\r\n\r\n")
            if at >= 0:
                break
            if len(self._buffer) > _MAX_HEADERS:
                raise self._damaged("has a part whose header does not end")
            self._more()
        head = bytes(self._buffer[:at])
        del self._buffer[: at + 4]
        # between the boundary and its line end only white space may stand
        line, _, rest = head.partition(b"\r\n")
        if line.strip():
            raise self._damaged("has something else on the line of a boundary")
        return rest

    def _need(self, count: int) -> None:
        while len(self._buffer) < count:
            self._more()

    def _more(self) -> None:
        block = next(self.blocks, None)
        if block is None:
            raise self._damaged("breaks off before its last boundary")
        self._buffer += block

    def _damaged(self, how: str) -> ArchiveError:
        return ArchiveError(
            f"the answer of {self.who} {how}", expected="multipart/related, whole",
            remedy="try again; if it happens again, the archive or a proxy before it is at fault",
        )


def _media_type(head: bytes) -> str:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-type":
            return value.split(b";")[0].strip().decode("ascii", "replace").lower()
    return ""


def part_head(boundary: str) -> bytes:
    """What stands before an instance in a body that is sent."""
    return f"\r\n--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode("ascii")


def closing(boundary: str) -> bytes:
    """What stands behind the last part."""
    return f"\r\n--{boundary}--\r\n".encode("ascii")
