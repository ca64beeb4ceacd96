"""A phantom whose value is a function of the physical point, written as DICOM byte by byte, so that tests can lie in every field."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Array = NDArray[np.float64]
CT_CLASS, MR_CLASS = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
_LONG = {"OB", "OW", "OF", "SQ", "UN", "UT"}
ORIGIN = (-20.0, -14.0, 30.0)
CENTRE = (-4.0, 0.0, 55.0)
RADIUS = 8.0


@dataclass
class Dicom:
    """Writes slices of the phantom; every element can be replaced or left out by its tag."""

    rows: int = 40
    columns: int = 48
    spacing: tuple[float, float] = (0.7, 0.8)
    step: float = 2.5
    explicit: bool = True
    big: bool = False
    syntax: str = "1.2.840.10008.1.2.1"
    uid: str = "1.2.826.0.1.3680043.9.1234"
    extra: dict[int, tuple[str, Any] | None] = field(default_factory=dict)

    def truth(self, points: Any) -> Array:
        """Value at LPS points in mm, shape (..., 3)."""
        p = np.asarray(points, dtype=np.float64)
        q = p - np.array(ORIGIN)
        value: Array = 150 + 4 * q[..., 0] + 2 * q[..., 1] + 6 * q[..., 2]
        value += 900 * (np.linalg.norm(p - np.array(CENTRE), axis=-1) <= RADIUS)
        return value

    def points(self, position: Any, orientation: Any = (1, 0, 0, 0, 1, 0)) -> Array:
        """Centres of the pixels of one slice, (rows, columns, 3), LPS mm."""
        row, column = np.array(orientation[:3], float), np.array(orientation[3:], float)
        y, x = np.mgrid[: self.rows, : self.columns]
        out: Array = np.array(position, float) + x[..., None] * self.spacing[1] * row + y[..., None] * self.spacing[0] * column
        return out

    def stored(self, position: Any, orientation: Any = (1, 0, 0, 0, 1, 0), intercept: float = -1024, slope: float = 1) -> NDArray[np.int64]:
        """Stored values of one slice."""
        return np.rint((self.truth(self.points(position, orientation)) - intercept) / slope).astype(np.int64)

    def element(self, tag: int, vr: str, value: Any) -> bytes:
        """One element; `value` is bytes, text, a number for US, or a list of items (each a dict of elements) for SQ."""
        mark = ">" if self.big else "<"
        if vr == "SQ" and not isinstance(value, bytes):
            value = b"".join(
                struct.pack(mark + "HHI", 0xFFFE, 0xE000, len(body)) + body for body in (self.elements(item) for item in value)
            )
        elif vr in ("US", "SS") and not isinstance(value, bytes):
            value = struct.pack(mark + {"US": "H", "SS": "h"}[vr], value)
        elif vr == "FD" and not isinstance(value, bytes):
            value = struct.pack(mark + "d", value)
        elif isinstance(value, str):
            value = value.encode("latin-1")
            value += (b"\0" if vr == "UI" else b" ") * (len(value) % 2)
        head = struct.pack(mark + "HH", tag >> 16, tag & 0xFFFF)
        if not self.explicit:
            return bytes(head + struct.pack(mark + "I", len(value)) + value)
        if vr in _LONG:
            return bytes(head + vr.encode() + b"\0\0" + struct.pack(mark + "I", len(value)) + value)
        return bytes(head + vr.encode() + struct.pack(mark + "H", len(value)) + value)

    def elements(self, items: Mapping[int, tuple[str, Any] | None]) -> bytes:
        """Elements in tag order; None leaves one out."""
        return b"".join(self.element(tag, *item) for tag, item in sorted(items.items()) if item is not None)

    def attributes(self, k: int, position: Any = None, orientation: Any = (1, 0, 0, 0, 1, 0), modality: str = "CT") -> dict[int, tuple[str, Any] | None]:
        """The elements of slice `k`, without pixel data."""
        if position is None:
            position = (ORIGIN[0], ORIGIN[1], ORIGIN[2] + self.step * k)

        def numbers(values: Iterable[float]) -> str:
            return "\\".join(f"{v:.6f}".rstrip("0").rstrip(".") for v in values)

        items: dict[int, tuple[str, Any] | None] = {
            0x00080008: ("CS", "ORIGINAL\\PRIMARY\\AXIAL" if modality == "CT" else "ORIGINAL\\PRIMARY\\M\\ND"),
            0x00080016: ("UI", CT_CLASS if modality == "CT" else MR_CLASS), 0x00080018: ("UI", f"{self.uid}.3.{k + 1}"),
            0x00080060: ("CS", modality), 0x00080070: ("LO", "MAKER"), 0x0008103E: ("LO", "phantom"),
            0x00100010: ("PN", "Phantom^A"), 0x00100020: ("LO", "P1"), 0x00180050: ("DS", f"{self.step:g}"),
            0x0020000D: ("UI", f"{self.uid}.1"), 0x0020000E: ("UI", f"{self.uid}.2"), 0x00200011: ("IS", "7"),
            0x00200012: ("IS", "1"), 0x00200013: ("IS", str(k + 1)), 0x00200032: ("DS", numbers(position)),
            0x00200037: ("DS", numbers(orientation)), 0x00200052: ("UI", f"{self.uid}.9"), 0x00280002: ("US", 1),
            0x00280004: ("CS", "MONOCHROME2"), 0x00280010: ("US", self.rows), 0x00280011: ("US", self.columns),
            0x00280030: ("DS", f"{self.spacing[0]}\\{self.spacing[1]}"), 0x00280100: ("US", 16), 0x00280101: ("US", 12),
            0x00280102: ("US", 11), 0x00280103: ("US", 0),
        }
        if modality == "CT":
            items |= {0x00180060: ("DS", "120"), 0x00281052: ("DS", "-1024"), 0x00281053: ("DS", "1"), 0x00281054: ("LO", "HU")}
        else:
            items |= {0x00180020: ("CS", "SE"), 0x00180080: ("DS", "500"), 0x00180081: ("DS", "12")}
        return items

    def file(self, items: Mapping[int, tuple[str, Any] | None], pixels: bytes | None, *, preamble: bytes = b"\0" * 128) -> bytes:
        """A Part 10 file of these elements."""
        body = self.elements({**items, **self.extra})
        if pixels is not None:
            body += pixels if pixels[:2] in (b"\xe0\x7f", b"\x7f\xe0") else self.element(0x7FE00010, "OW", pixels)
        plain = Dicom()
        meta = plain.elements({0x00020002: ("UI", CT_CLASS), 0x00020003: ("UI", f"{self.uid}.3"), 0x00020010: ("UI", self.syntax)})
        head = preamble + b"DICM" + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(meta)) + meta
        if self.syntax == "1.2.840.10008.1.2.1.99":
            packer = zlib.compressobj(6, zlib.DEFLATED, -15)
            body = packer.compress(body) + packer.flush()
        return head + body

    def encapsulated(self, frames: Iterable[bytes]) -> bytes:
        """A pixel data element that holds compressed frames, one fragment each."""
        out = struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0)
        for frame in frames:
            even = frame + b"\0" * (len(frame) % 2)
            out += struct.pack("<HHI", 0xFFFE, 0xE000, len(even)) + even
        return out + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)

    def words(self, stored: NDArray[Any]) -> bytes:
        """Stored values as 16-bit words."""
        return (stored & 0xFFFF).astype(">u2" if self.big else "<u2").tobytes()

    def slice(
        self, k: int, changes: Mapping[int, tuple[str, Any] | None] | None = None, *, position: Any = None,
        orientation: Any = (1, 0, 0, 0, 1, 0), modality: str = "CT", pack: Callable[[NDArray[Any]], bytes] | None = None,
        alter: Callable[[NDArray[np.int64]], NDArray[np.int64]] | None = None,
    ) -> bytes:
        """One slice as a file: `changes` replace elements, `alter` changes stored values, `pack` makes the pixel element."""
        items = self.attributes(k, position, orientation, modality) | dict(changes or {})
        where = position or (ORIGIN[0], ORIGIN[1], ORIGIN[2] + self.step * k)
        stored = self.stored(where, orientation, -1024 if modality == "CT" else 0)
        stored = alter(stored) if alter else stored
        return self.file(items, pack(stored) if pack else self.words(stored))

    def series(self, folder: Path, count: int = 16, **kwargs: Any) -> list[Path]:
        """A whole series as files IM001.dcm, IM002.dcm, …"""
        folder.mkdir(parents=True, exist_ok=True)
        out = []
        for k in range(count):
            path = folder / f"IM{k + 1:03d}.dcm"
            path.write_bytes(self.slice(k, **kwargs))
            out.append(path)
        return out


@pytest.fixture
def dicom() -> Dicom:
    """A fresh phantom writer."""
    return Dicom()


@pytest.fixture
def assert_true(dicom: Dicom) -> Callable[..., None]:
    """Checks every voxel of a volume against the phantom at the place its geometry gives, missing slices and padding apart."""

    def check(volume: Any, slices: int, tolerance: float = 1.01, gain: float = 1.0, offset: float = 0.0) -> None:
        index = np.stack(np.meshgrid(*(np.arange(n) for n in volume.array.shape), indexing="ij"), axis=-1)
        difference = np.abs(volume.array - (gain * dicom.truth(volume.geometry.lps_from_index(index)) + offset))
        good = np.ones(volume.array.shape, bool) if volume.padding is None else ~volume.padding
        assert len(volume.array) - len(volume.missing_slices) == slices
        assert difference[good].max() <= tolerance, f"{np.count_nonzero(difference[good] > tolerance)} voxels are wrong"

    return check
