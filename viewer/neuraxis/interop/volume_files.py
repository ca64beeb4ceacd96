"""Volumes and masks as .nii, .nii.gz, .nrrd and .npy: voxels in real-world units with their place in the patient."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.align.resampling import bridged, upright
from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.lesion import LesionMask
from neuraxis.domain.study import Series
from neuraxis.domain.volume import Volume
from neuraxis.errors import GeometryError, ReadError, UsageError, WriteError
from neuraxis.interop.nifti import read_nifti, write_nifti

SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".npy")


def write_volume(volume: Volume, path: str | os.PathLike[str], *, native: bool = False) -> tuple[str, ...]:
    """Write a volume on a grid that every program can hold; returns what had to be done to it, in words for the user.

    A tilted (sheared) grid is resampled to one of right angles. .nrrd and .npy (with a .json beside it) carry all slices,
    gaps at the lowest value and named. NIfTI readers expect a grid without holes: few single slices for which no file
    exists (see `_may_be_bridged`) are bridged linearly and named; where gaps are wider, or a file exists but was refused,
    nothing is made up, and only the longest run of slices without a gap is written. What was done, which slices are missing and what padding holds stands in the file too (NIfTI:
    a comment extension).

    Parameters
    ----------
    native : write the voxels and the grid as they were read: shear and gaps stay, nothing is interpolated

    Raises
    ------
    UsageError
        When the ending is none of .nii.gz, .nii, .nrrd, .npy.
    WriteError
        When the file cannot be written; nothing half-written is left.
    """
    target = Path(path)
    ending = _ending(target)
    known = len(volume.caveats)
    if not native:
        volume = upright(volume)
        if ending in (".nii", ".nii.gz"):
            volume = bridged(volume) if _may_be_bridged(volume) else _longest_run(volume)
    array = volume.array if volume.array.dtype in (np.int16, np.float32) else volume.array.astype(np.float32)
    _write(array, volume.geometry, target, ending, _about(volume))
    return volume.caveats[known:]


def write_mask(mask: LesionMask, path: str | os.PathLike[str]) -> None:
    """Write a mask on the grid of its series, 0 and 1 as 8-bit numbers."""
    target = Path(path)
    about = {"series_uid": mask.series_uid, "method": mask.method}
    _write(mask.full().astype(np.uint8), mask.geometry, target, _ending(target), about)


def read_mask(path: str | os.PathLike[str], on: Series | VolumeGeometry) -> LesionMask:
    """A mask from .nii, .nii.gz, .nrrd or .npy on the grid of a series; anything above 0.5 belongs to it.

    Raises
    ------
    GeometryError
        When the file's grid is not the series' grid (corners within 0.05 mm).
    ReadError
        When the file cannot be read.
    """
    geometry = on.geometry if isinstance(on, Series) else on
    if geometry is None:
        raise UsageError("the series of the mask is no volume", remedy="choose a series that is a volume")
    source = Path(path)
    array, found = _read(source, _ending(source))
    if found is not None:
        found = replace(found, frame_of_reference_uid=geometry.frame_of_reference_uid)
    if array.shape != geometry.shape_zyx or (found is not None and not found.is_close_to(geometry, 0.05)):
        raise GeometryError(
            f"mask of {array.shape} voxels on another grid than the series", expected=f"{geometry.shape_zyx} voxels at the same places",
            remedy="draw or resample the mask on the series it is measured on",
        )
    fields = {"series_id": on.id, "series_uid": on.series_uid} if isinstance(on, Series) else {}
    return LesionMask.from_full(geometry, array > 0.5, method=f"mask file {source.name}", **fields)


MAX_BRIDGED_SHARE = 1 / 32
"""Single missing slices up to this share of a volume (one at least) are bridged: measured volumes change little."""


def _may_be_bridged(volume: Volume) -> bool:
    """Whether linear interpolation may stand for the gaps: none wider than one lost slice, and few of those.

    A stretch at either end with twice the usual spacing is taken as scanned so. Across wider gaps a small lesion would be
    invented or lost.
    """
    if volume.refused_slices:
        return False
    lost = set(volume.missing_slices)
    steps = np.diff([k for k in range(len(volume.array)) if k not in lost])
    if not len(steps):
        return False
    usual = float(np.median(steps))
    wide = np.flatnonzero(steps > 1.5 * usual)
    at_an_end = len(wide) > 2 and int(wide[-1] - wide[0]) == len(wide) - 1 and (wide[0] == 0 or wide[-1] == len(steps) - 1)
    few = len(wide) <= max(1, len(volume.array) * MAX_BRIDGED_SHARE)
    return bool(steps.max() <= 2 * usual and (few or at_an_end))


def _longest_run(volume: Volume) -> Volume:
    gaps = [-1, *volume.missing_slices, volume.array.shape[0]]
    start, stop = max(((a + 1, b) for a, b in itertools.pairwise(gaps)), key=lambda r: r[1] - r[0])
    _, rows, columns = volume.array.shape
    part = volume.cropped((start, 0, 0), (stop, rows, columns))
    lost, what = (volume.refused_slices, "the files of slices {} were left out") if volume.refused_slices else (
        volume.missing_slices, "slices {} are missing"
    )
    note = (
        f"slices {start + 1} to {stop} of {volume.array.shape[0]} written: {what.format(', '.join(str(k + 1) for k in lost))} "
        "and nothing was made up in their place (.nrrd and .npy carry all slices)"
    )
    return replace(part, caveats=(*part.caveats, note))


def _about(volume: Volume) -> dict[str, Any]:
    about: dict[str, Any] = {
        "unit": volume.unit, "series_uid": volume.series_uid, "missing_slices": list(volume.missing_slices),
        "caveats": list(volume.caveats),
    }
    if volume.padding is not None:
        values = np.unique(volume.array[volume.padding])
        if len(values) == 1:
            about["padding_value"] = float(values[0])
    return about


def _ending(path: Path) -> str:
    name = path.name.lower()
    for suffix in SUFFIXES:
        if name.endswith(suffix):
            return suffix
    raise UsageError(f"{path.name} has no known ending", expected="one of " + ", ".join(SUFFIXES))


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """A stream whose content takes the place of `path` only when all is written."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(temporary, "wb") as stream:
            yield stream
        os.replace(temporary, path)
    except OSError as error:
        raise WriteError(f"{path.name} cannot be written ({error.strerror or error})", remedy="choose another folder or free space") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _write(array: NDArray[Any], geometry: VolumeGeometry, path: Path, ending: str, about: dict[str, Any]) -> None:
    if ending == ".npy":
        _write_npy(array, geometry, path, about)
        return
    with _replacing(path) as stream:
        if ending == ".nrrd":
            stream.write(_nrrd_header(array, geometry, about))
            packer = zlib.compressobj(1, zlib.DEFLATED, 31)
            for piece in array:
                stream.write(packer.compress(np.ascontiguousarray(piece).data))
            stream.write(packer.flush())
        elif ending == ".nii":
            write_nifti(stream, array, geometry, about)
        else:
            # time 0 and no name in the gzip header: same input, same bytes
            with gzip.GzipFile(filename="", mode="wb", fileobj=stream, compresslevel=1, mtime=0) as packed:
                write_nifti(packed, array, geometry, about)


def _nrrd_header(array: NDArray[Any], geometry: VolumeGeometry, about: dict[str, Any]) -> bytes:
    kind = {"int16": "short", "float32": "float", "uint8": "uchar"}[array.dtype.name]
    nz, ny, nx = array.shape

    def vector(v: Any) -> str:
        return "(" + ",".join(repr(float(x)) for x in v) + ")"

    lines = [
        "NRRD0004", f"type: {kind}", "dimension: 3", "space: left-posterior-superior", f"sizes: {nx} {ny} {nz}",
        "space directions: " + " ".join(vector(v) for v in (geometry.step_x_mm, geometry.step_y_mm, geometry.step_z_mm)),
        "kinds: domain domain domain", "endian: little", "encoding: gzip", f"space origin: {vector(geometry.origin_lps_mm)}",
    ]
    for key, value in about.items():
        text = value if isinstance(value, str) else json.dumps(value)
        lines.append(f"{key}:={text}".replace("\n", " "))
    return ("\n".join(lines) + "\n\n").encode("utf-8")


def _write_npy(array: NDArray[Any], geometry: VolumeGeometry, path: Path, about: dict[str, Any]) -> None:
    with _replacing(path) as stream:
        np.lib.format.write_array(stream, np.ascontiguousarray(array), allow_pickle=False)
    with _replacing(path.with_suffix(".json")) as stream:
        fields = {
            "axes": "z, y, x", "shape_zyx": list(geometry.shape_zyx), "origin_lps_mm": list(geometry.origin_lps_mm),
            "step_x_mm": list(geometry.step_x_mm), "step_y_mm": list(geometry.step_y_mm), "step_z_mm": list(geometry.step_z_mm),
            "frame_of_reference_uid": geometry.frame_of_reference_uid, **about,
        }
        stream.write((json.dumps(fields, indent=1) + "\n").encode("utf-8"))


def _read(path: Path, ending: str) -> tuple[NDArray[Any], VolumeGeometry | None]:
    try:
        if ending == ".npy":
            return _read_npy(path)
        data = path.read_bytes()
        if ending == ".nrrd":
            return _read_nrrd(data)
        if ending == ".nii.gz":
            data = gzip.decompress(data)
        return read_nifti(data)
    except (OSError, EOFError, ValueError, KeyError, struct.error, zlib.error) as error:
        raise ReadError(f"{path.name} cannot be read ({error})", expected="a mask as .nii, .nii.gz, .nrrd or .npy") from None


def _read_npy(path: Path) -> tuple[NDArray[Any], VolumeGeometry | None]:
    array = np.load(path, allow_pickle=False)
    beside = path.with_suffix(".json")
    if not beside.is_file():
        return array, None
    fields = json.loads(beside.read_text(encoding="utf-8"))
    return array, VolumeGeometry(
        tuple(fields["shape_zyx"]), tuple(fields["origin_lps_mm"]), tuple(fields["step_x_mm"]), tuple(fields["step_y_mm"]),
        tuple(fields["step_z_mm"]),
    )


def _read_nrrd(data: bytes) -> tuple[NDArray[Any], VolumeGeometry]:
    head, _, body = data.partition(b"\n\n")
    fields = {}
    for line in head.decode("utf-8").splitlines()[1:]:
        key, found, value = line.partition(": ")
        if found:
            fields[key.strip().lower()] = value.strip()
    if not head.startswith(b"NRRD") or fields.get("space", "").lower() not in ("left-posterior-superior", "lps"):
        raise ValueError("not an NRRD file in left-posterior-superior space")
    nx, ny, nz = (int(n) for n in fields["sizes"].split())
    kind = {"short": "i2", "float": "f4", "uchar": "u1", "unsigned char": "u1", "int16": "i2", "uint8": "u1", "double": "f8"}[fields["type"]]
    raw = gzip.decompress(body) if fields["encoding"] in ("gzip", "gz") else body
    array = np.frombuffer(raw, "<" + kind, nx * ny * nz).reshape(nz, ny, nx)

    def numbers(text: str) -> tuple[float, float, float]:
        a, b, c = (float(v) for v in text.strip("() ").split(","))
        return (a, b, c)

    step_x, step_y, step_z = (numbers(part) for part in fields["space directions"].split(" ") if part)
    return array, VolumeGeometry((nz, ny, nx), numbers(fields["space origin"]), step_x, step_y, step_z)
