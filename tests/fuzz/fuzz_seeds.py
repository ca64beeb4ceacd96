"""Small files of every kind the reader knows, each kind as the slices of one series: what fuzzing starts from."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

TESTS = Path(__file__).resolve().parents[1] / "dicom"
SLICES = 12
SYNTAXES = {
    "explicit": "1.2.840.10008.1.2.1", "implicit": "1.2.840.10008.1.2", "big": "1.2.840.10008.1.2.2", "deflated": "1.2.840.10008.1.2.1.99",
}
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"


def _module(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"fuzz_{name}", TESTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def plain_seeds() -> dict[str, list[bytes]]:
    """Kind to its slices; pixels lie in the files as they are."""
    writer = _module("conftest").Dicom
    out: dict[str, list[bytes]] = {}
    for name, syntax in SYNTAXES.items():
        for modality in ("CT", "MR"):
            dicom = writer(rows=8, columns=8, explicit=name != "implicit", big=name == "big", syntax=syntax)
            out[f"{name} {modality}"] = [dicom.slice(k, modality=modality) for k in range(SLICES)]
    dicom = writer(rows=8, columns=8)
    tilted = (1, 0, 0, 0, 0.951057, -0.309017)
    out["tilted"] = [dicom.slice(k, position=(-20, -14, 30 + 2.5 * k), orientation=tilted) for k in range(SLICES)]
    out["echoes"] = [
        dicom.slice(k, {0x00180081: ("DS", str(10 + k % 2)), 0x00200013: ("IS", str(k))}, position=(-20, -14, 30 + 2.5 * (k // 2)), modality="MR")
        for k in range(SLICES)
    ]
    out["private"] = [dicom.slice(k, {0x00290010: ("LO", "MAKER"), 0x00291001: ("OB", bytes(600))}) for k in range(SLICES)]
    lut = [{0x00283002: ("US", b"\x10\0\0\0\x10\0"), 0x00283003: ("LO", "t"), 0x00283004: ("LO", "US"), 0x00283006: ("OW", bytes(range(32)))}]
    lut_change: Any = {0x00281052: None, 0x00281053: None, 0x00281054: None, 0x00283000: ("SQ", lut)}
    out["modality LUT"] = [dicom.slice(k, lut_change) for k in range(SLICES)]
    odd: Any = {0x00280100: ("US", 12), 0x00280120: ("US", 5), 0x00080032: ("TM", "101010"), 0x0020000E: ("UI", dicom.uid + ".7")}
    out["12 bits, padding"] = [dicom.slice(k, odd, pack=lambda stored: bytes(96)) for k in range(SLICES)]
    rgb: Any = {0x00280002: ("US", 3), 0x00280004: ("CS", "RGB"), 0x00280006: ("US", 0), 0x00280100: ("US", 8), 0x00280101: ("US", 8), 0x00280102: ("US", 7)}
    out["RGB"] = [dicom.slice(k, rgb, pack=lambda stored: bytes(range(192))) for k in range(SLICES)]
    table: Any = {0x00281100 + n: ("US", b"\x10\0\0\0\x10\0") for n in (1, 2, 3)} | {0x00281200 + n: ("OW", bytes(range(32))) for n in (1, 2, 3)}
    out["palette"] = [dicom.slice(k, {0x00280004: ("CS", "PALETTE COLOR")} | table) for k in range(SLICES)]
    out["enhanced"] = [_enhanced(dicom, n) for n in range(3)]
    multi = _module("test_multiframe")
    header = multi.csa({"NumberOfImagesInMosaic": ["7"], "SliceNormalVector": ["0", "0", "1"]})
    out["mosaic"] = [multi.mosaic(dicom, header)]
    return out


def _enhanced(dicom: Any, number: int) -> bytes:
    frames = [
        {0x00209111: ("SQ", [{0x00209056: ("SH", "1"), 0x00209057: ("UL", (k + 1).to_bytes(4, "little"))}]),
         0x00209113: ("SQ", [{0x00200032: ("DS", f"-20\\-14\\{30 + 2.5 * k}")}]),
         0x00289145: ("SQ", [{0x00281052: ("DS", "-1024"), 0x00281053: ("DS", "1"), 0x00281054: ("LO", "HU")}])}
        for k in range(4)
    ]
    shared = [{0x00289110: ("SQ", [{0x00280030: ("DS", "0.7\\0.8"), 0x00180050: ("DS", "2.5")}]),
               0x00209116: ("SQ", [{0x00200037: ("DS", "1\\0\\0\\0\\1\\0")}])}]
    items = dicom.attributes(number) | {
        0x00080016: ("UI", ENHANCED_CT), 0x00280008: ("IS", "4"), 0x00200032: None, 0x00200037: None, 0x00280030: None, 0x00281052: None,
        0x00281053: None, 0x00281054: None, 0x52009229: ("SQ", shared), 0x52009230: ("SQ", frames),
    }
    return bytes(dicom.file(items, bytes(range(128)) * 4))


def compressed_seeds() -> dict[str, list[bytes]]:
    """Kind to its slices; pixels are codestreams."""
    from neuraxis.dicom.bench import SYNTAXES as CODECS
    from neuraxis.dicom.bench import dicom_file

    words = (np.add.outer(np.arange(16), np.arange(16)) * 37).astype(np.uint16)
    return {name: [dicom_file(k, np.roll(words, k), 0, name, 50 + n) for k in range(SLICES)] for n, name in enumerate(CODECS)}


def real_seeds(folder: Path, most_bytes: int = 40_000) -> dict[str, list[bytes]]:
    """Files of a folder that are small enough to be mutated many times, one kind for each sub-folder."""
    out: dict[str, list[bytes]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.stat().st_size <= most_bytes and path.suffix.lower() not in (".txt", ".md"):
            out.setdefault(str(path.parent), []).append(path.read_bytes())
    return out
