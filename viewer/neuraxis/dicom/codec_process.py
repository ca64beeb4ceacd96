"""The decoding process: run as a script by its path, imports nothing of Neuraxis, decodes one frame at a time.

Arguments: how to reach the shared buffer ("fd:<number>" or "tag:<name>"), its size, the memory limit in bytes, and where
packages are found (a JSON list).
Requests and answers are JSON lines on standard input and output. A request names where in the buffer the compressed
frame lies and where the decoded one goes; a crash, hang or memory blow-up here costs one frame, not the program.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import sys
from typing import Any


def _buffer(where: str, size: int) -> mmap.mmap:
    kind, _, name = where.partition(":")
    if kind == "fd":
        return mmap.mmap(int(name), size)
    return mmap.mmap(-1, size, tagname=name)  # type: ignore[call-arg, unused-ignore]


def _limit_memory(limit: int) -> None:
    try:
        import resource
    except ImportError:
        return
    for what, value in ((resource.RLIMIT_AS, limit), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (value, value))


def _rle(data: bytes, request: dict[str, Any]) -> Any:
    """DICOM RLE (PS3.5 annex G): byte planes, most significant first, each packed by itself; lengths must fit exactly."""
    import imagecodecs
    import numpy as np

    count = int.from_bytes(data[:4], "little")
    planes = request["samples"] * request["allocated"] // 8
    if count != planes:
        raise ValueError(f"{count} RLE segments, {planes} expected")
    offsets = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "little") for i in range(count)] + [len(data)]
    pixels = request["rows"] * request["columns"]
    width = request["allocated"] // 8
    out = np.empty((pixels, request["samples"], width), np.uint8)
    for i in range(count):
        if not 64 <= offsets[i] <= offsets[i + 1] <= len(data):
            raise ValueError("RLE segment offsets are damaged")
        segment = data[offsets[i] : offsets[i + 1]]
        plane = _unpack_plane(imagecodecs, segment, pixels)
        sample, byte = divmod(i, width)
        out[:, sample, width - 1 - byte] = np.frombuffer(plane, np.uint8)
    words = out.reshape(-1).view(f"<u{width}")
    shape = (request["rows"], request["columns"]) + ((request["samples"],) if request["samples"] > 1 else ())
    return words.reshape(shape)


def _unpack_plane(imagecodecs: Any, segment: bytes, pixels: int) -> bytes:
    """One plane; a pad byte behind the last run is allowed, a plane that is too short or long is an error."""
    for cut in (0, 1):
        try:
            plane: bytes = imagecodecs.packbits_decode(segment[: len(segment) - cut])
        except Exception:
            if cut:
                raise
            continue
        if len(plane) == pixels:
            return plane
        if len(plane) > pixels and len(plane) - pixels <= 128 and not any(plane[pixels:]):
            return plane[:pixels]
    raise ValueError("RLE segment does not have as many bytes as the picture")


def _decode(data: bytes, request: dict[str, Any]) -> Any:
    import imagecodecs

    codec = request["codec"]
    if codec == "rle":
        return _rle(data, request)
    if codec == "jpegls":
        return imagecodecs.jpegls_decode(data)
    if codec == "jpeg2k":
        return imagecodecs.jpeg2k_decode(data, numthreads=1)
    if codec == "htj2k":
        return imagecodecs.htj2k_decode(data)
    if codec == "htj2k, other decoder":
        return imagecodecs.jpeg2k_decode(data, numthreads=1)
    if codec == "ljpeg":
        return _lossless_jpeg(imagecodecs, data)
    if codec == "ljpeg, other decoder":
        return imagecodecs.jpegsof3_decode(data)
    if codec == "jpeg":
        colour = request.get("colour")
        if colour:
            return imagecodecs.jpeg8_decode(data, colorspace=colour, outcolorspace="RGB")
        return imagecodecs.jpeg8_decode(data)
    raise ValueError(f"no decoder for {codec}")


def _lossless_jpeg(imagecodecs: Any, data: bytes) -> Any:
    try:
        return imagecodecs.ljpeg_decode(data)
    except Exception:
        return imagecodecs.jpegsof3_decode(data)


def _check_round_trip(data: bytes, array: Any, request: dict[str, Any]) -> bool | None:
    """Whether encoding the decoded picture again gives the same bytes (reversible, by OpenJPEG's and OpenJPH's defaults)."""
    import imagecodecs

    if request["codec"] == "htj2k":
        again = imagecodecs.htj2k_encode(array, reversible=True)
        return bool(again[again.find(b"\xff\x93") :] == data[data.find(b"\xff\x93") :].rstrip(b"\0"))
    again = imagecodecs.jpeg2k_encode(
        array, level=0, codecformat="j2k", reversible=True, bitspersample=request["precision"],
        resolutions=request["resolutions"], mct=False, numthreads=1,
    )
    start, stop = again.find(b"\xff\x93"), data.find(b"\xff\x93")
    return bool(again[start:].rstrip(b"\0") == data[stop:].rstrip(b"\0"))


def _answer(buffer: mmap.mmap, request: dict[str, Any]) -> dict[str, Any]:
    import numpy as np

    begin = request["start"]
    data = buffer[begin : begin + request["length"]]
    array = np.ascontiguousarray(_decode(data, request))
    if array.nbytes > request["room"]:
        raise ValueError(f"picture of {array.nbytes} bytes where {request['room']} were expected")
    view = np.frombuffer(buffer, array.dtype, array.size, request["out"])
    view[...] = array.reshape(-1)
    answer: dict[str, Any] = {"dtype": array.dtype.str, "shape": list(array.shape)}
    if request.get("verify"):
        answer["same"] = _check_round_trip(data, array, request)
    return answer


def main() -> None:
    """Answer requests until standard input ends."""
    where, size, limit = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    sys.path[:] = json.loads(sys.argv[4])
    buffer = _buffer(where, size)
    import imagecodecs  # noqa: F401
    import numpy as np  # noqa: F401

    _limit_memory(limit)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # decoders that print to standard output must not disturb the answers
    os.dup2(2, 1)
    answers.write("{}\n")
    answers.flush()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = _answer(buffer, request)
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
