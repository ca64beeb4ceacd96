"""The stored pixels of one frame: raw bytes straight from the file, compressed ones through a decoding process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.dicom.attributes import PixelFormat
from neuraxis.dicom.byte_sources import DescriptorSource, InflatedSource, MemorySource, open_regular, read_into
from neuraxis.dicom.codestream import Codestream, read_codestream
from neuraxis.dicom.decoding import POOL
from neuraxis.dicom.elements import UNDEFINED, ByteSource, DamagedFileError
from neuraxis.dicom.frame import Frame
from neuraxis.dicom.header_walk import walk_header
from neuraxis.dicom.stored_values import Findings, unpack_bits

AnyArray = NDArray[Any]


class OpenFile:
    """Keeps the file that was read last open, for many frames of one file; one per thread."""

    def __init__(self) -> None:
        self.path = ""
        self.descriptor = -1
        self.size = 0
        self.source: ByteSource | None = None
        self.fragments: list[tuple[int, int]] | None = None

    def open(self, frame: Frame) -> None:
        """Make a frame's file the open one."""
        if frame.ref.path == self.path:
            return
        self.close()
        if frame.ref.is_member:
            self.source = MemorySource(frame.ref.load())
        else:
            self.descriptor, self.size = open_regular(frame.ref.path)
            self.source = DescriptorSource(self.descriptor, self.size)
        if frame.inflated:
            _, inflated = walk_header(self.source)
            assert isinstance(inflated, InflatedSource)
            self.source = MemorySource(inflated.read_all())
        if self.source.size != frame.file_size and not frame.inflated:
            raise DamagedFileError("has changed since it was scanned")
        self.path = frame.ref.path

    def close(self) -> None:
        """Close the file."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
        self.path, self.descriptor, self.source, self.fragments = "", -1, None, None


@contextlib.contextmanager
def open_file() -> Iterator[OpenFile]:
    """An `OpenFile` that is closed at the end."""
    opened = OpenFile()
    try:
        yield opened
    finally:
        opened.close()


def is_direct(frame: Frame) -> bool:
    """Whether the frame's pixels lie in a plain file as they are."""
    return (
        not frame.ref.is_member and not frame.inflated and frame.pixel_length != UNDEFINED and frame.tiles is None
    )


def _file_format(frame: Frame) -> PixelFormat:
    pixel_format = frame.common.pixel_format
    assert pixel_format is not None
    if frame.tiles is None:
        return pixel_format
    across = frame.tiles[1]
    return replace(pixel_format, rows=pixel_format.rows * across, columns=pixel_format.columns * across)


def read_direct(frame: Frame, target: memoryview, opened: OpenFile) -> None:
    """Fill a buffer of exactly one frame from a plain file."""
    opened.open(frame)
    assert frame.common.pixel_format is not None
    offset = frame.pixel_offset + frame.index * frame.common.pixel_format.frame_bytes
    if read_into(opened.descriptor, target, offset) != len(target):
        raise DamagedFileError("pixel data is cut")


def read_stored(frame: Frame, opened: OpenFile, findings: Findings) -> tuple[AnyArray, PixelFormat]:
    """(words of a frame, format they are to be read as); shape (rows, columns) or (rows, columns, samples).

    The array may be a view that the next call overwrites.

    Raises
    ------
    DamagedFileError
        When the pixels cannot be read.
    """
    opened.open(frame)
    assert opened.source is not None
    whole = _file_format(frame)
    if frame.pixel_length == UNDEFINED:
        array, as_format = _decode(frame, whole, opened, findings)
    else:
        array, as_format = _native(frame, whole, opened.source), whole
    if frame.tiles is not None:
        tile, across, _ = frame.tiles
        rows, columns = whole.rows // across, whole.columns // across
        y, x = divmod(tile, across)
        array = array[y * rows : (y + 1) * rows, x * columns : (x + 1) * columns]
        as_format = replace(as_format, rows=rows, columns=columns)
    return array, as_format


def _native(frame: Frame, f: PixelFormat, source: ByteSource) -> AnyArray:
    bits = frame.index * f.frame_bits
    count = f.rows * f.columns * (2 if f.photometric == "YBR_FULL_422" and f.samples == 3 else f.samples)
    if f.allocated == 1 and bits % 8:
        data = source.read(frame.pixel_offset, (bits + f.frame_bits + 7) // 8)
        return np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[bits : bits + count].reshape(f.rows, f.columns)
    data = source.read(frame.pixel_offset + bits // 8, f.frame_bytes)
    if len(data) < f.frame_bytes:
        raise DamagedFileError(f"pixel data is {len(data)} of {f.frame_bytes} bytes")
    words = unpack_bits(data, f, count)
    if f.samples == 1:
        return words.reshape(f.rows, f.columns)
    if f.photometric == "YBR_FULL_422":
        pairs = words.reshape(f.rows, f.columns // 2, 4)
        out = np.empty((f.rows, f.columns, 3), words.dtype)
        out[:, 0::2, 0], out[:, 1::2, 0] = pairs[..., 0], pairs[..., 1]
        out[:, 0::2, 1] = out[:, 1::2, 1] = pairs[..., 2]
        out[:, 0::2, 2] = out[:, 1::2, 2] = pairs[..., 3]
        return out
    if f.planar == 1:
        return np.moveaxis(words.reshape(f.samples, f.rows, f.columns), 0, -1)
    return words.reshape(f.rows, f.columns, f.samples)


def find_fragments(source: ByteSource, offset: int) -> tuple[list[int], list[tuple[int, int]]]:
    """(basic offset table, (offset, length) of each fragment) of encapsulated pixel data at an offset."""
    table: list[int] = []
    fragments: list[tuple[int, int]] = []
    first = True
    while True:
        head = source.read(offset, 8)
        if len(head) < 8:
            raise DamagedFileError("compressed pixel data is cut")
        length = int.from_bytes(head[4:8], "little")
        offset += 8
        if head[:4] == b"\xfe\xff\xdd\xe0":
            return table, fragments
        if head[:4] != b"\xfe\xff\x00\xe0" or offset + length > source.size:
            raise DamagedFileError("compressed pixel data is cut")
        if first:
            data = source.read(offset, min(length, 1 << 24))
            table = [int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data) - 3, 4)]
            first = False
        else:
            fragments.append((offset, length))
        offset += length


def frame_bytes(frame: Frame, source: ByteSource, known: list[tuple[int, int]] | None = None) -> bytes:
    """The compressed bytes of one frame, its fragments joined."""
    table, fragments = ([], known) if known is not None else find_fragments(source, frame.pixel_offset)
    count = frame.common.frames
    if count == 1:
        chosen = fragments
    elif len(fragments) == count:
        chosen = [fragments[frame.index]]
    else:
        if known is not None:
            table, fragments = find_fragments(source, frame.pixel_offset)
        chosen = _by_table(frame, table, fragments, source)
    return b"".join(source.read(o, n) for o, n in chosen)


def _by_table(
    frame: Frame, table: list[int], fragments: list[tuple[int, int]], source: ByteSource
) -> list[tuple[int, int]]:
    """Fragments of a frame where frames have several: by the offset table, else by the marks that start a picture."""
    base = fragments[0][0] - 8
    starts = {o - 8 - base: n for n, (o, _) in enumerate(fragments)}
    if len(table) == frame.common.frames and all(t in starts for t in table):
        first = [starts[t] for t in table]
    else:
        first = [
            n for n, (o, _) in enumerate(fragments) if source.read(o, 4)[:2] in (b"\xff\xd8", b"\xff\x4f")
        ]
    if len(first) != frame.common.frames:
        raise DamagedFileError(f"{len(fragments)} fragments cannot be shared out to {frame.common.frames} frames")
    stop = [*first[1:], len(fragments)]
    return fragments[first[frame.index] : stop[frame.index]]


def _decode(
    frame: Frame, f: PixelFormat, opened: OpenFile, findings: Findings
) -> tuple[AnyArray, PixelFormat]:
    assert opened.source is not None
    if opened.fragments is None:
        _, opened.fragments = find_fragments(opened.source, frame.pixel_offset)
    data = frame_bytes(frame, opened.source, opened.fragments)
    stream = read_codestream(data, f)
    if stream.codec in ("jpeg", "ljpeg", "jpegls", "htj2k") and data.rfind(b"\xff\xd9", max(0, len(data) - 64)) < 0:
        raise DamagedFileError("the compressed picture is damaged (cut: no end mark)")
    if stream.lossy:
        findings.say("lossy compression: not for measurement")
    with POOL.process() as process:
        array, _ = process.decode(data, stream, f)
        array = array.copy()
    if array.shape[:2] != (f.rows, f.columns):
        raise DamagedFileError(f"decoded picture is {array.shape[0]}x{array.shape[1]}, header {f.rows}x{f.columns}")
    return _settle(array, stream, f, findings, frame.name)


def makes_the_same_codestream(frame: Frame) -> bool | None:
    """Whether the decoded picture, encoded again, gives the same bytes; None where that cannot be asked.

    Decoders pass over flipped bits of JPEG 2000 in silence. Reversible codestreams made with the usual parameters come
    out byte for byte, damaged ones do not.
    """
    data, stream, f = _compressed(frame)
    if not stream.reversible or stream.codec not in ("jpeg2k", "htj2k"):
        return None
    with POOL.process() as process:
        return bool(process.decode(data, stream, f, verify=True)[1])


def decoders_agree(frame: Frame) -> bool | None:
    """Whether two decoders read the same picture from a lossless JPEG or HTJ2K frame; None for other frames.

    Neither tells of flipped bits, but they lose their way in them differently.
    """
    data, stream, f = _compressed(frame)
    if stream.codec not in ("ljpeg", "htj2k"):
        return None
    with POOL.process() as process:
        first = process.decode(data, stream, f)[0].copy()
        try:
            second = process.decode(data, replace(stream, codec=f"{stream.codec}, other decoder"), f)[0]
        except DamagedFileError:
            return False
        return first.shape == second.shape and bool((first == second).all())


def _compressed(frame: Frame) -> tuple[bytes, Codestream, PixelFormat]:
    f = frame.common.pixel_format
    assert f is not None
    with open_file() as opened:
        opened.open(frame)
        assert opened.source is not None
        data = frame_bytes(frame, opened.source)
    return data, read_codestream(data, f), f


def _settle(
    array: AnyArray, stream: Codestream, f: PixelFormat, findings: Findings, name: str
) -> tuple[AnyArray, PixelFormat]:
    """Bring decoded samples and the header's format together."""
    f = replace(f, big_endian=False)
    if f.samples > 1:
        return array, f
    if f.allocated == 1:
        return array, f
    if array.dtype.kind == "i" and not f.signed and stream.signed:
        findings.say(f"codestream is signed, header says unsigned (first seen in {name}): read as signed; not for measurement")
        width = array.dtype.itemsize * 8
        return array, replace(f, signed=True, allocated=width, stored=width, high_bit=width - 1)
    if stream.codec != "rle" and f.high_bit != f.stored - 1:
        f = replace(f, high_bit=f.stored - 1)
    target = np.dtype(f"{'i' if array.dtype.kind == 'i' else 'u'}{max(f.allocated, 8) // 8}")
    if array.dtype != target:
        array = array.astype(target)
    return array, f
