"""A frame that hangs, crashes or bloats its decoder costs one frame; the program and the other slices go on."""

from __future__ import annotations

import os
import signal
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuraxis.dicom import decoding, open_study
from neuraxis.dicom.attributes import PixelFormat
from neuraxis.dicom.codestream import read_codestream
from neuraxis.dicom.decoding import DecodingProcess
from neuraxis.dicom.elements import DamagedFileError

Check = Callable[..., None]
J2K, JLS, RLE = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.5"
SV1 = "1.2.840.10008.1.2.4.70"


def pixel_format(syntax: str, rows: int = 64, columns: int = 64) -> PixelFormat:
    return PixelFormat(rows, columns, 1, "MONOCHROME2", 16, 12, 11, False, 0, 0x7FE00010, syntax, False)


def picture() -> np.ndarray[Any, Any]:
    y, x = np.mgrid[:64, :64]
    return np.ascontiguousarray(((x * 13 + y * 7) % 4000).astype(np.uint16))


def j2k(array: np.ndarray[Any, Any]) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.jpeg2k_encode(array, level=0, codecformat="j2k", reversible=True, bitspersample=12))


def test_a_frame_comes_back_as_it_was() -> None:
    frame, f = j2k(picture()), pixel_format(J2K)
    process = DecodingProcess()
    try:
        array, _ = process.decode(frame, read_codestream(frame, f), f)
        assert np.array_equal(array, picture())
    finally:
        process.stop()


def test_a_process_that_dies_costs_one_frame_and_starts_again() -> None:
    frame, f = j2k(picture()), pixel_format(J2K)
    process = DecodingProcess()
    try:
        process.decode(frame, read_codestream(frame, f), f)
        assert process.process is not None
        os.kill(process.process.pid, signal.SIGKILL)
        with pytest.raises(DamagedFileError, match="crashed the decoder"):
            process.decode(frame, read_codestream(frame, f), f)
        array, _ = process.decode(frame, read_codestream(frame, f), f)
        assert np.array_equal(array, picture())
    finally:
        process.stop()


def test_a_process_that_hangs_is_ended_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "FRAME_SECONDS", 0.5)
    frame, f = j2k(picture()), pixel_format(J2K)
    process = DecodingProcess()
    try:
        process.decode(frame, read_codestream(frame, f), f)
        assert process.process is not None
        os.kill(process.process.pid, signal.SIGSTOP)
        start = time.monotonic()
        with pytest.raises(DamagedFileError, match="not decoded within"):
            process.decode(frame, read_codestream(frame, f), f)
        assert time.monotonic() - start < 5
    finally:
        process.stop()


def test_memory_of_the_process_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "MEMORY_BYTES", 300 << 20)
    frame = bytearray(j2k(picture()))
    at = frame.find(b"\xff\x51")
    for offset in (6, 10, 22, 26):
        frame[at + offset : at + offset + 4] = struct.pack(">I", 20000)
    f = pixel_format(J2K, 20000, 20000)
    process = DecodingProcess()
    try:
        with pytest.raises(DamagedFileError, match="damaged"):
            process.decode(bytes(frame), read_codestream(bytes(frame), f), f)
    finally:
        process.stop()


@pytest.mark.parametrize("cut", [10, 40, 100, 0.5])
@pytest.mark.parametrize("syntax", [J2K, JLS, RLE, SV1])
def test_a_cut_frame_costs_one_slice(cut: float, syntax: str, tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    import imagecodecs

    def frame(stored: np.ndarray[Any, Any]) -> bytes:
        words = np.ascontiguousarray(stored.astype(np.uint16))
        if syntax == J2K:
            return j2k(words)
        if syntax == JLS:
            return bytes(imagecodecs.jpegls_encode(words))
        if syntax == SV1:
            return bytes(imagecodecs.ljpeg_encode(words, bitspersample=16))
        planes = [imagecodecs.packbits_encode(np.ascontiguousarray(p)) for p in ((words >> 8).astype(np.uint8), (words & 255).astype(np.uint8))]
        return struct.pack("<16I", 2, 64, 64 + len(planes[0]), *[0] * 13) + planes[0] + planes[1]

    dicom.syntax = syntax
    paths = dicom.series(tmp_path, count=7, pack=lambda s: dicom.encapsulated([frame(s)]))
    whole = frame(dicom.stored((-20, -14, 30 + 2.5 * 3)))
    part = whole[: -int(cut)] if cut >= 1 else whole[: int(len(whole) * cut)]
    paths[3].write_bytes(dicom.slice(3, pack=lambda _: dicom.encapsulated([part])))
    study = open_study(tmp_path)
    (series,) = study.series
    assert_true(series.volume(), 6)
    said = " ".join(series.volume().caveats) + " ".join(s.reason for s in study.report.skipped)
    assert "IM004.dcm" in said


def test_a_codestream_of_another_size_is_refused_before_decoding(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    dicom.syntax = J2K
    paths = dicom.series(tmp_path, count=7, pack=lambda s: dicom.encapsulated([j2k(s.astype(np.uint16))]))
    paths[3].write_bytes(dicom.slice(3, pack=lambda _: dicom.encapsulated([j2k(picture())])))
    study = open_study(tmp_path)
    assert_true(study.series[0].volume(), 6)
    assert study.report.skipped[0].reason == "IM004.dcm: codestream 64x64, header 40x48; left out"


def test_a_picture_bomb_is_not_decoded(tmp_path: Path, dicom: Any) -> None:
    frame = bytearray(j2k(picture()))
    at = frame.find(b"\xff\x51")
    for offset in (6, 10, 22, 26):
        frame[at + offset : at + offset + 4] = struct.pack(">I", 20000)
    dicom.syntax = J2K
    changes = {0x00280010: ("US", 20000), 0x00280011: ("US", 20000)}
    (tmp_path / "bomb.dcm").write_bytes(dicom.slice(0, changes, pack=lambda _: dicom.encapsulated([bytes(frame)])))
    study = open_study(tmp_path)
    assert not study.series
    assert "claims 800 MB of pixels" in study.report.skipped[0].reason


def test_flipped_bits_in_a_reversible_codestream_are_found(tmp_path: Path, dicom: Any) -> None:
    dicom.rows = dicom.columns = 256
    noise = np.random.default_rng(1).normal(0, 6, (256, 256))
    dicom.syntax = J2K

    def frame(stored: np.ndarray[Any, Any], seed: int) -> bytes:
        return j2k(np.clip(stored + np.roll(noise, seed, 0), 0, 4095).astype(np.uint16))

    for k in range(9):
        data = bytearray(frame(dicom.stored((-20, -14, 30 + 2.5 * k)), k))
        if k == 4:
            for i in range(len(data) // 8, len(data) // 8 + 16):
                data[i] ^= 0x55
        (tmp_path / f"IM{k}.dcm").write_bytes(dicom.slice(k, pack=lambda _, d=bytes(data): dicom.encapsulated([d])))
    volume = open_study(tmp_path).series[0].volume()
    assert volume.refused_slices == (4,)
    assert "the compressed picture is damaged" in " ".join(volume.caveats)


def test_no_thread_or_process_is_left_reading(tmp_path: Path, dicom: Any) -> None:
    before = threading.active_count()
    dicom.series(tmp_path)
    open_study(tmp_path).series[0].volume()
    assert threading.active_count() == before


@pytest.mark.parametrize("where", [0.3, 0.5, 0.8])
def test_flipped_bits_in_a_jpeg_ls_frame_are_found(where: float, tmp_path: Path, dicom: Any) -> None:
    import imagecodecs

    noise = np.random.default_rng(2).normal(0, 6, (40, 48))
    dicom.syntax = JLS
    for k in range(9):
        words = np.clip(dicom.stored((-20, -14, 30 + 2.5 * k)) + np.roll(noise, k, 0), 0, 4095).astype(np.uint16)
        data = bytearray(imagecodecs.jpegls_encode(words))
        if k == 4:
            for i in range(int(len(data) * where), int(len(data) * where) + 16):
                data[i] ^= 0x55
        (tmp_path / f"IM{k}.dcm").write_bytes(dicom.slice(k, pack=lambda _, d=bytes(data): dicom.encapsulated([d])))
    volume = open_study(tmp_path).series[0].volume()
    assert volume.refused_slices == (4,)
    assert "IM4.dcm: the compressed picture is damaged" in " ".join(volume.caveats)


def test_a_lossless_jpeg_frame_that_two_decoders_read_differently_is_left_out(tmp_path: Path, dicom: Any) -> None:
    import imagecodecs

    dicom.rows = dicom.columns = 128
    noise = np.random.default_rng(0).normal(0, 8, (128, 128))
    dicom.syntax = SV1
    changes = {0x00280101: ("US", 16), 0x00280102: ("US", 15)}
    for k in range(9):
        words = np.clip(dicom.stored((-20, -14, 30 + 2.5 * k)) + np.roll(noise, k, 0), 0, 65535).astype(np.uint16)
        data = bytearray(imagecodecs.ljpeg_encode(words, bitspersample=16))
        if k == 4:
            for i in range(len(data) // 2, len(data) // 2 + 16):
                data[i] ^= 0x55
            one = imagecodecs.ljpeg_decode(bytes(data))
            if np.array_equal(one, imagecodecs.jpegsof3_decode(bytes(data))):
                pytest.skip("these decoders agree on this damage")
        (tmp_path / f"IM{k}.dcm").write_bytes(dicom.slice(k, changes, pack=lambda _, d=bytes(data): dicom.encapsulated([d])))
    volume = open_study(tmp_path).series[0].volume()
    assert volume.refused_slices == (4,)


def test_one_slice_with_values_out_of_range_costs_one_slice(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    paths = dicom.series(tmp_path)
    paths[5].write_bytes(dicom.slice(5, alter=lambda s: s ^ 0x3000 * (np.arange(s.shape[1]) % 3 == 0)))
    volume = open_study(tmp_path).series[0].volume()
    assert_true(volume, 15)
    assert "IM006.dcm: values exceed BitsStored 12" in " ".join(volume.caveats)
