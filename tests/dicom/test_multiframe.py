"""Many slices in one file: mosaics cut by their header, magnitude and phase frames told apart."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuraxis.dicom import open_study
from neuraxis.dicom.multiframe import read_csa
from neuraxis.domain.volume import ValueKind

Check = Callable[..., None]


def csa(tags: dict[str, list[str]]) -> bytes:
    """A Siemens CSA2 header with these tags."""
    out = b"SV10\x04\x03\x02\x01" + struct.pack("<II", len(tags), 77)
    for name, values in tags.items():
        out += name.encode().ljust(64, b"\0") + struct.pack("<i4siii", len(values), b"FD\0\0", 0, len(values), 77)
        for value in values:
            data = value.encode() + b"\0"
            out += struct.pack("<iiii", len(data), len(data), 77, len(data)) + data + b"\0" * (-len(data) % 4)
    return out


def mosaic(dicom: Any, header: bytes | None) -> bytes:
    """Seven slices as tiles of a 3 x 3 mosaic, placed as Siemens does: about the centre of the first slice."""
    tiles = np.zeros((3, 3, dicom.rows, dicom.columns), np.int64)
    for k in range(7):
        tiles[k // 3, k % 3] = dicom.stored((-20, -14, 30 + 2.5 * k), intercept=0)
    whole = tiles.transpose(0, 2, 1, 3).reshape(3 * dicom.rows, 3 * dicom.columns)
    corner = (-20 - dicom.columns * 0.8, -14 - dicom.rows * 0.7, 30)
    items = dicom.attributes(0, corner, modality="MR")
    items |= {0x00080008: ("CS", "ORIGINAL\\PRIMARY\\M\\ND\\MOSAIC"), 0x00080070: ("LO", "SIEMENS"), 0x00180088: ("DS", "2.5"),
              0x00280010: ("US", 3 * dicom.rows), 0x00280011: ("US", 3 * dicom.columns)}
    if header is not None:
        items |= {0x00290010: ("LO", "SIEMENS CSA HEADER"), 0x00291010: ("OB", header + b"\0" * (len(header) % 2))}
    return bytes(dicom.file(items, dicom.words(whole)))


def test_a_mosaic_is_cut_into_slices_at_their_places(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    header = csa({"NumberOfImagesInMosaic": ["7"], "SliceNormalVector": ["0", "0", "1"]})
    (tmp_path / "m.dcm").write_bytes(mosaic(dicom, header))
    (series,) = open_study(tmp_path).series
    assert_true(series.volume(), 7)
    assert series.volume().array.shape == (7, 40, 48)


def test_a_mosaic_without_its_header_stays_a_picture(tmp_path: Path, dicom: Any) -> None:
    (tmp_path / "m.dcm").write_bytes(mosaic(dicom, None))
    (series,) = open_study(tmp_path).series
    assert series.refusal == "mosaic without its header: cannot be cut into slices"
    assert series.source.read_picture(0).shape == (120, 144)


@pytest.mark.parametrize("cut", [3, 20, 90, 130, 180])
def test_a_damaged_csa_header_gives_nothing_and_no_crash(cut: int) -> None:
    assert isinstance(read_csa(csa({"NumberOfImagesInMosaic": ["7"], "Other": ["1", "2"]})[:cut]), dict)
    assert read_csa(b"SV10" + b"\xff" * cut) == {}


def test_magnitude_and_phase_in_one_enhanced_file_are_two_volumes(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    shared = [{0x00289110: ("SQ", [{0x00280030: ("DS", "0.7\\0.8"), 0x00180050: ("DS", "2.5")}]),
               0x00209116: ("SQ", [{0x00200037: ("DS", "1\\0\\0\\0\\1\\0")}])}]
    frames, pixels = [], b""
    for k in range(5):
        for part, (slope, intercept) in {"MAGNITUDE": (1, 0), "PHASE": (2, -4096)}.items():
            frames.append({
                0x00209113: ("SQ", [{0x00200032: ("DS", f"-20\\-14\\{30 + 2.5 * k}")}]),
                0x00189226: ("SQ", [{0x00089208: ("CS", part)}]),
                0x00189114: ("SQ", [{0x00189082: ("FD", 20.0)}]),
                0x00289145: ("SQ", [{0x00281052: ("DS", str(intercept)), 0x00281053: ("DS", str(slope)), 0x00281054: ("LO", "US")}]),
            })
            pixels += dicom.words(dicom.stored((-20, -14, 30 + 2.5 * k), intercept=0))
    items = dicom.attributes(0, modality="MR") | dict.fromkeys((0x00200032, 0x00200037, 0x00280030, 0x00180050, 0x00180081))
    items |= {0x00080016: ("UI", "1.2.840.10008.5.1.4.1.1.4.1"), 0x00280008: ("IS", "10"), 0x52009229: ("SQ", shared), 0x52009230: ("SQ", frames)}
    (tmp_path / "e.dcm").write_bytes(dicom.file(items, pixels))
    magnitude, phase = open_study(tmp_path).series
    assert_true(magnitude.volume(), 5)
    assert magnitude.acquisition.echo_time_ms == 20
    assert phase.volume().kind is ValueKind.PHASE
    assert_true(phase.volume(), 5, tolerance=0.002, gain=2 * np.pi / 4096, offset=-np.pi)
    assert "complex component (MAGNITUDE, PHASE)" in " ".join(magnitude.warnings)
