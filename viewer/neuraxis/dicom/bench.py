"""How fast series are read, side by side with what a user would otherwise pick: medians of interleaved runs on the same files."""

from __future__ import annotations

import importlib.util
import os
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.dicom.study_reader import open_study

Words = NDArray[np.uint16]

SYNTAXES = {
    "JPEG-LS": "1.2.840.10008.1.2.4.80", "JPEG 2000": "1.2.840.10008.1.2.4.90", "JPEG lossless SV1": "1.2.840.10008.1.2.4.70",
    "RLE": "1.2.840.10008.1.2.5",
}


@dataclass(frozen=True)
class BenchRow:
    """One line of the table: a task, a program, its median time, and the ratio to Neuraxis (above 1: slower than we)."""

    task: str
    program: str
    seconds: float
    ratio_to_neuraxis: float
    note: str = ""


def run_bench(
    *, repeats: int = 5, quick: bool = False, tell: Callable[[str], None] = lambda _: None, folder: Path | None = None
) -> list[BenchRow]:
    """The whole table; data is written to a temporary folder (about 700 MB, 30 MB when `quick`) and removed."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        rows: list[BenchRow] = []
        for task, make, programs in _tasks(quick):
            data = Path(name) / "data"
            data.mkdir()
            tell(f"writing {task}")
            make(data)
            tell(f"reading {task}")
            rows.extend(_interleaved(task, data, programs, repeats))
            shutil.rmtree(data)
        return rows


Program = Callable[[Path], Any]
Task = tuple[str, Callable[[Path], None], dict[str, Program]]


def _tasks(quick: bool) -> Iterator[Task]:
    full: dict[str, Program] = {
        "raw read, 1 thread": _raw_read, "Neuraxis": _neuraxis, "dcm2niix": _dcm2niix, "SimpleITK": _simpleitk,
        "pydicom": _pydicom, "pydicom, 2 threads": _pydicom_threads,
    }
    if importlib.util.find_spec("dicomsdl") is not None:
        full["dicomsdl"] = _dicomsdl
    slices, mr, compressed, headers = (40, 32, 12, 500) if quick else (600, 176, 100, 20_000)
    yield f"CT 512x512x{slices}", partial(write_series, count=slices, rows=512, columns=512), full
    yield f"MR 256x256x{mr}, 90 kB headers", partial(write_series, count=mr, rows=256, columns=256, blob=90_000), full
    for codec in SYNTAXES:
        programs = full | {"decoding alone, 2 threads": partial(_decode_alone, codec=codec)}
        yield f"{codec} 512x512x{compressed}", partial(write_series, count=compressed, rows=512, columns=512, codec=codec), programs
    listing: dict[str, Program] = {
        "open and read 16 kB": _open_and_read, "Neuraxis study list": open_study, "pydicom headers (1 in 20)": _pydicom_headers,
    }
    yield f"headers of {headers} files", partial(_write_many, count=headers // 20), listing


def _write_many(folder: Path, count: int) -> None:
    for number in range(20):
        write_series(folder, count, 16, 16, series=number)


def _interleaved(task: str, data: Path, programs: dict[str, Callable[[Path], Any]], repeats: int) -> list[BenchRow]:
    times: dict[str, list[float]] = {name: [] for name in programs}
    notes: dict[str, str] = {}
    for round_number in range(repeats + 1):
        for name, program in programs.items():
            if name in notes:
                continue
            start = time.perf_counter()
            try:
                result = program(data)
            except Exception as error:
                notes[name] = f"{type(error).__name__}: {error}"[:80]
                continue
            spent = time.perf_counter() - start
            del result
            if round_number:
                times[name].append(spent * (20 if "1 in 20" in name else 1))
    own = statistics.median(next(t for n, t in times.items() if n.startswith("Neuraxis")) or [float("nan")])
    rows = []
    for name, measured in times.items():
        median = statistics.median(measured) if measured else float("nan")
        rows.append(BenchRow(task, name, median, median / own, notes.get(name, "")))
    return rows


def write_series(
    folder: Path, count: int, rows: int, columns: int, *, blob: int = 0, codec: str = "", series: int = 0
) -> None:
    """A CT-like series of noise on a head-sized disc, as plain or compressed DICOM files."""
    rng = np.random.default_rng(series)
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    head = np.where(x * x + y * y < 0.8, 1064, 24) + rng.normal(0, 8, (rows, columns))
    for k in range(count):
        words = np.clip(np.roll(head, k, axis=0), 0, 4095).astype(np.uint16)
        path = folder / f"S{series:03d}_{k:05d}.dcm"
        path.write_bytes(dicom_file(k, words, blob, codec, series))


def _element(tag: int, vr: str, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    data += (b"\0" if vr in ("UI", "OB") else b" ") * (len(data) % 2)
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    if vr in ("OB", "OW"):
        return head + struct.pack("<HI", 0, len(data)) + data
    return head + struct.pack("<H", len(data)) + data


def dicom_file(k: int, words: Words, blob: int, codec: str, series: int) -> bytes:
    """Slice `k` of a CT-like series as a DICOM file; `blob` bytes of a private element, `codec` a name in `SYNTAXES` or empty."""
    uid = "1.2.826.0.1.3680043.9.7000"
    number = struct.Struct("<H").pack
    syntax = SYNTAXES.get(codec, "1.2.840.10008.1.2.1")
    image_class = "1.2.840.10008.5.1.4.1.1.2"
    meta = _element(0x00020002, "UI", image_class) + _element(0x00020010, "UI", syntax)
    body = [
        _element(0x00080008, "CS", "ORIGINAL\\PRIMARY\\AXIAL"), _element(0x00080016, "UI", image_class),
        _element(0x00080018, "UI", f"{uid}.{series}.{k}"), _element(0x00080060, "CS", "CT"), _element(0x00100020, "LO", "BENCH"),
        _element(0x00180050, "DS", "0.6"), _element(0x0020000D, "UI", f"{uid}.1"), _element(0x0020000E, "UI", f"{uid}.2.{series}"),
        _element(0x00200011, "IS", str(series + 1)), _element(0x00200013, "IS", str(k + 1)),
        _element(0x00200032, "DS", f"-100\\-100\\{0.6 * k:.4f}"), _element(0x00200037, "DS", "1\\0\\0\\0\\1\\0"),
        _element(0x00200052, "UI", f"{uid}.3"), _element(0x00280002, "US", number(1)), _element(0x00280004, "CS", "MONOCHROME2"),
        _element(0x00280010, "US", number(words.shape[0])), _element(0x00280011, "US", number(words.shape[1])),
        _element(0x00280030, "DS", "0.45\\0.45"), _element(0x00280100, "US", number(16)), _element(0x00280101, "US", number(12)),
        _element(0x00280102, "US", number(11)), _element(0x00280103, "US", number(0)), _element(0x00281052, "DS", "-1024"),
        _element(0x00281053, "DS", "1"), _element(0x00281054, "LO", "HU"),
    ]
    if blob:
        body.append(_element(0x00290010, "LO", "BENCH MAKER") + _element(0x00291001, "OB", bytes(blob)))
    body.append(_encapsulated(_encode(words, codec)) if codec else _element(0x7FE00010, "OW", words.tobytes()))
    return bytes(128) + b"DICM" + _element(0x00020000, "UL", struct.pack("<I", len(meta))) + meta + b"".join(body)


def _encapsulated(frame: bytes) -> bytes:
    frame += b"\0" * (len(frame) % 2)
    item = struct.Struct("<HHI").pack
    return (
        struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, 0xFFFFFFFF) + item(0xFFFE, 0xE000, 0)
        + item(0xFFFE, 0xE000, len(frame)) + frame + item(0xFFFE, 0xE0DD, 0)
    )


def _encode(words: Words, codec: str) -> bytes:
    import imagecodecs

    if codec == "JPEG-LS":
        return bytes(imagecodecs.jpegls_encode(words))
    if codec == "JPEG 2000":
        return bytes(imagecodecs.jpeg2k_encode(words, level=0, codecformat="j2k", reversible=True, bitspersample=12))
    if codec == "JPEG lossless SV1":
        return bytes(imagecodecs.ljpeg_encode(words, bitspersample=16))
    planes = [imagecodecs.packbits_encode(np.ascontiguousarray(p)) for p in ((words >> 8).astype(np.uint8), (words & 255).astype(np.uint8))]
    planes = [p + b"\0" * (len(p) % 2) for p in planes]
    return struct.pack("<16I", 2, 64, 64 + len(planes[0]), *[0] * 13) + planes[0] + planes[1]


def _raw_read(folder: Path) -> Any:
    """The bytes of all files into one array, nothing understood."""
    paths = sorted(folder.iterdir())
    size = paths[0].stat().st_size
    out = np.empty((len(paths), size + 4096), np.uint8)
    for k, path in enumerate(paths):
        descriptor = os.open(path, os.O_RDONLY)
        with os.fdopen(descriptor, "rb", buffering=0) as stream:
            stream.readinto(out[k].data)
    return out


def _neuraxis(folder: Path) -> Any:
    return open_study(folder).series[0].volume()


def _dcm2niix(folder: Path) -> Any:
    program = Path(sys.executable).parent / "dcm2niix"
    with tempfile.TemporaryDirectory() as out:
        subprocess.run(
            [str(program) if program.exists() else "dcm2niix", "-z", "n", "-b", "n", "-o", out, str(folder)], check=True,
            capture_output=True,
        )
        if not any(Path(out).glob("*.nii")):
            raise RuntimeError("nothing written")


def _simpleitk(folder: Path) -> Any:
    import SimpleITK

    names = SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(names)
    image = reader.Execute()
    return SimpleITK.GetArrayFromImage(image)


def _one(path: Path) -> tuple[float, Any]:
    import pydicom

    data = pydicom.dcmread(path)
    values = data.pixel_array * float(data.RescaleSlope) + float(data.RescaleIntercept)
    return float(data.ImagePositionPatient[2]), values.astype(np.float32)


def _stacked(slices: list[tuple[float, Any]]) -> Any:
    return np.stack([values for _, values in sorted(slices, key=lambda s: s[0])])


def _pydicom(folder: Path) -> Any:
    return _stacked([_one(path) for path in sorted(folder.iterdir())])


def _pydicom_threads(folder: Path) -> Any:
    with ThreadPoolExecutor(2) as pool:
        return _stacked(list(pool.map(_one, sorted(folder.iterdir()))))


def _dicomsdl(folder: Path) -> Any:
    """Only where somebody has installed it: no dependency. It applies the rescale by itself."""
    dicomsdl = importlib.import_module("dicomsdl")

    def one(path: Path) -> tuple[float, Any]:
        data = dicomsdl.open(str(path))
        return float(data.ImagePositionPatient[2]), data.pixelData().astype(np.float32)

    return _stacked([one(path) for path in sorted(folder.iterdir())])


def _pydicom_headers(folder: Path) -> Any:
    import pydicom

    return [pydicom.dcmread(path, stop_before_pixels=True) for path in sorted(folder.iterdir())[::20]]


def _open_and_read(folder: Path) -> Any:
    out = []
    for path in sorted(os.listdir(folder)):
        with open(folder / path, "rb", buffering=0) as stream:
            out.append(len(stream.read(16384)))
    return out


def _decode_alone(folder: Path, codec: str) -> Any:
    """Only the decoder, on frames already in memory: the floor for a compressed series."""
    import imagecodecs

    frames = []
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        start = data.rfind(b"\xe0\x7f\x10\x00OB") + 20
        frames.append(data[start + 8 : start + 8 + int.from_bytes(data[start + 4 : start + 8], "little")])
    decoders: dict[str, Callable[[bytes], Any]] = {
        "JPEG-LS": imagecodecs.jpegls_decode, "JPEG 2000": lambda b: imagecodecs.jpeg2k_decode(b, numthreads=1),
        "JPEG lossless SV1": imagecodecs.ljpeg_decode,
        "RLE": lambda b: [imagecodecs.packbits_decode(b[64 : int.from_bytes(b[8:12], "little")]),
                          imagecodecs.packbits_decode(b[int.from_bytes(b[8:12], "little") :])],
    }
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(decoders[codec], frames))
