"""Decoding compressed frames in processes of their own, with limits on time and memory."""

from __future__ import annotations

import atexit
import contextlib
import json
import mmap
import os
import select
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.dicom.attributes import PixelFormat
from neuraxis.dicom.codestream import Codestream
from neuraxis.dicom.elements import DamagedFileError
from neuraxis.errors import ReadError

FRAME_SECONDS = 10.0
START_SECONDS = 30.0
MEMORY_BYTES = 3 << 29
"""Address space of a decoding process beyond its shared buffer: 1.5 GB."""

_MIN_BUFFER = 16 << 20
_SCRIPT = str(Path(__file__).with_name("codec_process.py"))


class DecodingProcess:
    """One decoding process and its shared buffer; not for use by two threads at once."""

    def __init__(self) -> None:
        self.size = 0
        self.buffer: mmap.mmap | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.ready = False

    def start(self, size: int) -> None:
        """Start (again) with a shared buffer of at least `size` bytes."""
        self.stop()
        self.size = max(_MIN_BUFFER, (size + 4095) // 4096 * 4096)
        descriptor = _anonymous_file(self.size)
        inherited: tuple[int, ...] = ()
        if descriptor is None:
            name = f"neuraxis-{os.getpid()}-{id(self)}-{time.monotonic_ns()}"
            self.buffer = mmap.mmap(-1, self.size, tagname=name)  # type: ignore[call-arg, unused-ignore]
            where = f"tag:{name}"
        else:
            self.buffer = mmap.mmap(descriptor, self.size)
            where, inherited = f"fd:{descriptor}", (descriptor,)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        environment["OMP_NUM_THREADS"] = environment["OPENBLAS_NUM_THREADS"] = "1"
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-I", _SCRIPT, where, str(self.size), str(MEMORY_BYTES + self.size), _import_path()],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, pass_fds=inherited,
                env=environment, bufsize=0,
            )
        except OSError as error:
            raise ReadError(
                f"the decoding process cannot be started ({error})", remedy="compressed series need a second process"
            ) from None
        finally:
            if descriptor is not None:
                os.close(descriptor)
        self.ready = False

    def stop(self) -> None:
        """End the process and give the buffer back."""
        process, self.process = self.process, None
        if process is not None:
            with contextlib.suppress(OSError):
                process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()
        if self.buffer is not None:
            # views on the buffer that are still alive keep the mapping until they go
            with contextlib.suppress(BufferError):
                self.buffer.close()
            self.buffer = None

    def _line(self, seconds: float) -> dict[str, Any]:
        assert self.process is not None
        assert self.process.stdout is not None
        stream = self.process.stdout
        data = b""
        end = time.monotonic() + seconds
        while not data.endswith(b"\n"):
            left = end - time.monotonic()
            if left <= 0 or not _readable(stream, left):
                raise TimeoutError
            piece = os.read(stream.fileno(), 65536)
            if not piece:
                raise EOFError
            data += piece
        answer: dict[str, Any] = json.loads(data)
        return answer

    def _wait_for_start(self) -> None:
        if self.ready:
            return
        try:
            self._line(START_SECONDS)
        except (TimeoutError, EOFError, OSError, ValueError):
            self.stop()
            raise ReadError(
                "the decoding process does not start", expected="numpy and imagecodecs in this Python",
                remedy="install neuraxis again",
            ) from None
        self.ready = True

    def decode(
        self, data: bytes, stream: Codestream, pixel_format: PixelFormat, *, verify: bool = False
    ) -> tuple[NDArray[Any], bool | None]:
        """Decode one frame; the array is a view of the shared buffer, valid until the next call.

        Returns the array and, where `verify`, whether encoding it again gave the same bytes.

        Raises
        ------
        DamagedFileError
            When the frame cannot be decoded, or the decoder crashed, hung or wanted too much memory.
        """
        width = 4 if pixel_format.allocated > 16 else 2
        room = pixel_format.rows * pixel_format.columns * max(pixel_format.samples, 1) * width
        out = (len(data) + 63) // 64 * 64
        if self.process is None or out + room > self.size:
            self.start((out + room) * 5 // 4)
        assert self.buffer is not None
        assert self.process is not None
        assert self.process.stdin is not None
        self.buffer[: len(data)] = data
        request = {
            "codec": stream.codec, "start": 0, "length": len(data), "out": out, "room": room, "rows": pixel_format.rows,
            "columns": pixel_format.columns, "samples": pixel_format.samples, "allocated": pixel_format.allocated,
            "colour": stream.colour, "verify": verify, "precision": stream.precision, "resolutions": stream.resolutions,
        }
        seconds = FRAME_SECONDS + pixel_format.rows * pixel_format.columns / 2e6
        self._wait_for_start()
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            answer = self._line(seconds)
        except TimeoutError:
            self.stop()
            raise DamagedFileError(f"the compressed picture is damaged (not decoded within {seconds:.0f} s)") from None
        except (EOFError, OSError, ValueError):
            self.stop()
            raise DamagedFileError("the compressed picture is damaged (it crashed the decoder)") from None
        if "error" in answer:
            raise DamagedFileError(f"the compressed picture is damaged ({answer['error']})")
        count = int(np.prod(answer["shape"]))
        array = np.frombuffer(self.buffer, answer["dtype"], count, out).reshape(answer["shape"])
        return array, answer.get("same")


def _import_path() -> str:
    """Where this program finds its packages, for a process that must find the same ones (never the current folder)."""
    return json.dumps([p for p in sys.path if p and os.path.isabs(p)])


def _readable(stream: Any, seconds: float) -> bool:
    if os.name == "nt":
        return True
    return bool(select.select([stream], [], [], seconds)[0])


def _anonymous_file(size: int) -> int | None:
    """Descriptor of memory that a child can map; None where only named mappings exist (Windows)."""
    if os.name == "nt":
        return None
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("neuraxis-frames")
    else:
        import tempfile

        with tempfile.TemporaryFile() as stream:
            descriptor = os.dup(stream.fileno())
    os.ftruncate(descriptor, size)
    return descriptor


class DecodingPool:
    """As many decoding processes as there are threads that ask, kept for the next series."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.idle: list[DecodingProcess] = []

    def warm(self, count: int = 1) -> None:
        """Start processes ahead of need; returns at once."""
        with self.lock:
            while len(self.idle) < count:
                process = DecodingProcess()
                process.start(_MIN_BUFFER)
                self.idle.append(process)

    @contextlib.contextmanager
    def process(self) -> Any:
        """A decoding process for one thread."""
        with self.lock:
            process = self.idle.pop() if self.idle else DecodingProcess()
        try:
            yield process
        finally:
            with self.lock:
                self.idle.append(process)

    def close(self) -> None:
        """End all processes."""
        with self.lock:
            idle, self.idle = self.idle, []
        for process in idle:
            process.stop()


POOL = DecodingPool()
atexit.register(POOL.close)
