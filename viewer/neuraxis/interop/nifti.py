"""NIfTI-1: one volume with its exact grid, written and read."""

from __future__ import annotations

import gzip
import json
import struct
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.errors import WriteError

_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_CODES = {"int16": 4, "float32": 16, "uint8": 2}
_TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4"}


def write_nifti(
    stream: IO[bytes] | gzip.GzipFile, array: NDArray[Any], geometry: VolumeGeometry, about: dict[str, Any]
) -> None:
    """Header and voxels (z, y, x), little endian; what `about` says of gaps and caveats goes into an extension."""
    said = {key: about[key] for key in ("unit", "missing_slices", "padding_value", "caveats") if about.get(key)}
    stream.write(nifti_header(array, geometry, json.dumps(said) if said.keys() - {"unit"} else ""))
    for piece in array:
        stream.write(np.ascontiguousarray(piece, piece.dtype.newbyteorder("<")).data)


def nifti_header(array: NDArray[Any], geometry: VolumeGeometry, comment: str = "") -> bytes:
    """NIfTI-1 header: sform with the exact grid in RAS mm, qform only where the grid is orthogonal.

    352 bytes, and where there is a comment an extension that holds it (ecode 6, a multiple of 16 bytes).
    """
    nz, ny, nx = array.shape
    if max(array.shape) > 32767:
        raise WriteError(f"{array.shape} voxels are too many for NIfTI-1", remedy="write .nrrd or .npy")
    affine = _RAS @ geometry.affine_lps_from_xyz
    spacing = geometry.spacing_xyz_mm
    quaternion = None if geometry.is_sheared else _quaternion(affine[:3, :3] / np.array(spacing))
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, nx, ny, nz, 1, 1, 1, 1)
    code = _CODES[array.dtype.name]
    struct.pack_into("<2h", header, 70, code, array.dtype.itemsize * 8)
    handed = -1.0 if np.linalg.det(affine[:3, :3]) < 0 else 1.0
    struct.pack_into("<8f", header, 76, handed, *spacing, 0, 0, 0, 0)
    text = comment.encode("utf-8")
    room = (len(text) + 8 + 15) // 16 * 16 if text else 0
    struct.pack_into("<3f", header, 108, 352.0 + room, 1.0, 0.0)
    header[123] = 2
    header[148:156] = b"Neuraxis"
    struct.pack_into("<2h", header, 252, 0 if quaternion is None else 1, 1)
    if quaternion is not None:
        struct.pack_into("<6f", header, 256, *quaternion, *affine[:3, 3])
    struct.pack_into("<12f", header, 280, *affine[:3].ravel())
    header[344:348] = b"n+1\0"
    if not text:
        return bytes(header)
    header[348] = 1
    return bytes(header) + struct.pack("<2i", room, 6) + text.ljust(room - 8, b"\0")


def _quaternion(rotation: NDArray[np.float64]) -> tuple[float, float, float]:
    """(b, c, d) of the unit quaternion of a rotation whose third column may be mirrored (qfac)."""
    r = rotation.copy()
    if np.linalg.det(r) < 0:
        r[:, 2] = -r[:, 2]
    k = np.array([
        [r[0, 0] - r[1, 1] - r[2, 2], r[1, 0] + r[0, 1], r[2, 0] + r[0, 2], r[2, 1] - r[1, 2]],
        [r[1, 0] + r[0, 1], r[1, 1] - r[0, 0] - r[2, 2], r[2, 1] + r[1, 2], r[0, 2] - r[2, 0]],
        [r[2, 0] + r[0, 2], r[2, 1] + r[1, 2], r[2, 2] - r[0, 0] - r[1, 1], r[1, 0] - r[0, 1]],
        [r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1], r[0, 0] + r[1, 1] + r[2, 2]],
    ])
    x, y, z, w = np.linalg.eigh(k / 3)[1][:, -1]
    sign = -1.0 if w < 0 else 1.0
    return float(x * sign), float(y * sign), float(z * sign)


def read_nifti(data: bytes) -> tuple[NDArray[Any], VolumeGeometry]:
    """Voxels (z, y, x) and grid of an unpacked file; ValueError, KeyError or struct.error where it is none."""
    mark = "<" if struct.unpack_from("<i", data, 0)[0] == 348 else ">"
    if struct.unpack_from(mark + "i", data, 0)[0] != 348 or data[344:347] != b"n+1":
        raise ValueError("not a NIfTI-1 file")
    dimensions = struct.unpack_from(mark + "8h", data, 40)
    nx, ny, nz = dimensions[1:4]
    if min(nx, ny, nz) < 1 or any(d > 1 for d in dimensions[4 : dimensions[0] + 1]):
        raise ValueError("not a volume of three dimensions")
    kind = _TYPES[struct.unpack_from(mark + "h", data, 70)[0]]
    offset = int(struct.unpack_from(mark + "f", data, 108)[0])
    array = np.frombuffer(data, mark + kind, nx * ny * nz, offset).reshape(nz, ny, nx)
    if struct.unpack_from(mark + "h", data, 254)[0] > 0:
        affine = np.eye(4)
        affine[:3] = np.array(struct.unpack_from(mark + "12f", data, 280)).reshape(3, 4)
    else:
        affine = _qform(data, mark)
    return array, VolumeGeometry.from_affine((nz, ny, nx), _RAS @ affine)


def _qform(data: bytes, mark: str) -> NDArray[np.float64]:
    spacing = struct.unpack_from(mark + "4f", data, 76)
    b, c, d, x, y, z = struct.unpack_from(mark + "6f", data, 256)
    a = np.sqrt(max(0.0, 1 - b * b - c * c - d * d))
    rotation = np.array([
        [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
        [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
        [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
    ])
    affine = np.eye(4)
    affine[:3, :3] = rotation * np.array([spacing[1], spacing[2], spacing[3] * (-1 if spacing[0] < 0 else 1)])
    affine[:3, 3] = (x, y, z)
    return affine
