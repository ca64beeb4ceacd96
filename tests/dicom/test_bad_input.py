"""One bad file costs one file, and says so; what cannot be known is not guessed."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuraxis.dicom import open_study
from neuraxis.domain.study import Study
from neuraxis.domain.volume import ValueKind
from neuraxis.errors import ReadError

Check = Callable[..., None]
MIDDLE = 8


def said(study: Study) -> str:
    """Everything a user is told about a study."""
    parts = [s.reason for s in study.report.skipped] + list(study.report.notes)
    for series in study.series:
        parts += [*series.warnings, series.refusal or ""]
    return "\n".join(parts)


def insert_before(data: bytes, mark: bytes, piece: bytes) -> bytes:
    at = data.find(mark)
    assert at > 0
    return data[:at] + piece + data[at:]


def nested(depth: int, *, closed: bool) -> bytes:
    head = (struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)) * depth
    tail = (struct.pack("<HHI", 0xFFFE, 0xE00D, 0) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)) * depth
    return head + (tail if closed else b"")


THICKNESS = b"\x18\x00\x50\x00DS"
ROWS = b"\x28\x00\x10\x00US"
POSITION = b"\x20\x00\x32\x00DS"

DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut in half": (lambda b: b[: -40 * 48], "pixel data is 1920 of 3840 bytes"),
    "last row gone": (lambda b: b[:-96], "pixel data is 3744 of 3840 bytes"),
    "cut in the meta group": (lambda b: b[:160], "ends inside the file meta information"),
    "cut in the header": (lambda b: b[:700], "damaged|ends early"),
    "sequence never closed": (lambda b: insert_before(b, THICKNESS, nested(1, closed=False)), r"\(0008,1140\) is never closed"),
    "nested 3000 deep": (lambda b: insert_before(b, THICKNESS, nested(3000, closed=True)), "nested deeper than 64"),
    "nested 100000 deep": (lambda b: insert_before(b, THICKNESS, nested(100_000, closed=False)), "nested deeper than 64"),
    "element longer than the file": (
        lambda b: insert_before(b, THICKNESS, struct.pack("<HH2sHI", 0x0011, 0x1001, b"OB", 0, 0xFFFFFFF0)), "claims 4294967280 bytes"),
    "position twice": (
        lambda b: insert_before(b, b"\x20\x00\x37\x00DS", POSITION + struct.pack("<H", 6) + b"0\\0\\0 "), r"\(0020,0032\) occurs twice"),
    "rows behind the pixels": (
        lambda b: b[: b.find(ROWS)] + b[b.find(ROWS) + 20 :] + b[b.find(ROWS) : b.find(ROWS) + 20], "out of order"),
    "a zeroed block in the header": (lambda b: b[:500] + bytes(128) + b[628:], "damaged"),
    "text-mode transfer": (lambda b: b.replace(b"\n", b"\r\n"), "IM009.dcm"),
    "empty": (lambda _: b"", r"is empty \(0 bytes\)"),
    "no rows": (lambda b: b.replace(ROWS + b"\x02\x00\x28\x00", ROWS + b"\x02\x00\x00\x00"), "0 rows"),
    "65535 rows and columns": (
        lambda b: b.replace(b"US\x02\x00\x28\x00", b"US\x02\x00\xff\xff").replace(b"US\x02\x00\x30\x00", b"US\x02\x00\xff\xff"),
        "claims 65535x65535 pixels"),
    "a thousand million frames": (
        lambda b: insert_before(b, ROWS, b"\x28\x00\x08\x00IS\x0a\x00999999999 "), "claims 999999999 frames"),
}


@pytest.mark.parametrize("name", list(DAMAGE))
def test_a_damaged_file_costs_one_slice_and_is_named(name: str, tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    paths = dicom.series(tmp_path)
    mutate, message = DAMAGE[name]
    paths[MIDDLE].write_bytes(mutate(paths[MIDDLE].read_bytes()))
    start = time.monotonic()
    study = open_study(tmp_path)
    (series,) = [s for s in study.series if s.is_volume]
    volume = series.volume()
    assert time.monotonic() - start < 10
    assert_true(volume, 15)
    assert volume.missing_slices == volume.refused_slices == (MIDDLE,)
    assert volume.padding is not None
    assert volume.padding[MIDDLE].all()
    (skipped,) = study.report.skipped
    assert skipped.path == str(paths[MIDDLE])
    assert __import__("re").search(message, skipped.reason), skipped.reason


SLICE: dict[str, tuple[dict[int, Any], str]] = {
    "no position": ({0x00200032: None}, "IM009.dcm has no position; left out"),
    "mirrored": ({0x00200037: ("DS", "-1\\0\\0\\0\\1\\0")}, "IM009.dcm has another orientation than the series"),
    "other spacing": ({0x00280030: ("DS", "1.4\\1.6")}, "IM009.dcm: PixelSpacing 1.4, the series has 0.7"),
    "spacing no number": ({0x00280030: ("DS", "0,7\\0,8")}, "PixelSpacing '0,7' is not a number"),
    "no rescale": ({0x00281052: None, 0x00281053: None, 0x00281054: None}, "has no rescale, the others have"),
    "no intercept": ({0x00281052: None}, "RescaleIntercept is missing"),
    "slope nan": ({0x00281053: ("DS", "nan")}, "RescaleSlope 'nan' is not a number"),
}


@pytest.mark.parametrize("name", list(SLICE))
def test_a_slice_that_does_not_fit_is_set_apart_and_named(name: str, tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    changes, message = SLICE[name]
    paths = dicom.series(tmp_path)
    paths[MIDDLE].write_bytes(dicom.slice(MIDDLE, changes))
    study = open_study(tmp_path)
    volume, apart = study.series
    assert_true(volume.volume(), 15)
    assert volume.volume().refused_slices == (MIDDLE,)
    assert message in (apart.refusal or "")
    assert message in " ".join(volume.warnings)
    assert study.report.files_loaded == 16


ALL: dict[str, tuple[dict[int, Any], str]] = {
    "decimal comma": ({0x00280030: ("DS", "0,7\\0,8")}, "PixelSpacing '0,7' is not a number"),
    "text": ({0x00280030: ("DS", "abc\\0.8")}, "PixelSpacing 'abc' is not a number"),
    "one value": ({0x00280030: ("DS", "0.7")}, "has 1 value, needs 2"),
    "zero spacing": ({0x00280030: ("DS", "0\\0")}, "pixel spacing is zero"),
    "negative spacing": ({0x00280030: ("DS", "-0.7\\-0.8")}, "pixel spacing is negative"),
    "no spacing": ({0x00280030: None}, "no pixel spacing"),
    "detector spacing": ({0x00280030: None, 0x00181164: ("DS", "0.7\\0.8")}, "millimetres at the detector"),
    "no orientation": ({0x00200037: None}, "left/right unknown"),
    "zero orientation": ({0x00200037: ("DS", "0\\0\\0\\0\\0\\0")}, "orientation is zero"),
    "skew orientation": ({0x00200037: ("DS", "1\\0\\0\\0.0523\\0.9986\\0")}, "not orthogonal"),
    "no positions": ({0x00200032: None}, "has no position"),
    "one position": ({0x00200032: ("DS", "-20\\-14\\30")}, "all 16 slices claim the same position"),
    "slope zero": ({0x00281053: ("DS", "0")}, "RescaleSlope is 0"),
    "thousandth of the spacing": ({}, "implausible"),
}


@pytest.mark.parametrize("name", list(ALL))
def test_a_series_that_cannot_be_placed_is_pictures_and_no_volume(name: str, tmp_path: Path, dicom: Any) -> None:
    changes, message = ALL[name]
    for k in range(16):
        position = (-0.02, -0.014, 0.03 + 0.0025 * k) if name.startswith("thousandth") else None
        (tmp_path / f"{k:02d}").write_bytes(dicom.slice(k, changes, position=position))
    study = open_study(tmp_path)
    assert not any(s.is_volume for s in study.series)
    assert message in (study.series[0].refusal or "")
    assert study.series[0].source.read_slice(0).shape == (40, 48)
    assert study.report.files_loaded == 16


GOOD_WITH_A_WORD: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "program in the preamble": (lambda b: b"MZ" + b[2:], "MZ: Windows program"),
    "wrong group length": (lambda b: b[:140] + struct.pack("<I", 10) + b[144:], "file meta group length is wrong"),
    "odd length": (lambda b: b.replace(b"\x08\x00\x60\x00CS\x02\x00CT", b"\x08\x00\x60\x00CS\x03\x00CT "), "odd-length value in (0008,0060)"),
    "unknown character set": (
        lambda b: insert_before(b, b"\x08\x00\x08\x00CS", b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 999"), "character set 'ISO_IR 999' is unknown"),
    "declared implicit": (
        lambda b: b.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2\0\0\0"), "does not match the encoding"),
}


@pytest.mark.parametrize("name", list(GOOD_WITH_A_WORD))
def test_what_is_odd_but_certain_is_read_and_said(name: str, tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    mutate, message = GOOD_WITH_A_WORD[name]
    for path in dicom.series(tmp_path):
        path.write_bytes(mutate(path.read_bytes()))
    (series,) = open_study(tmp_path).series
    assert_true(series.volume(), 16)
    assert message in " ".join(series.warnings)


def test_bytes_behind_the_data_set_are_said(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    paths = dicom.series(tmp_path)
    paths[3].write_bytes(paths[3].read_bytes() + np.random.default_rng(0).bytes(4096))
    (series,) = open_study(tmp_path).series
    assert_true(series.volume(), 16)
    assert "4096 bytes after the data set" in " ".join(series.warnings)


def test_the_other_byte_order_than_declared_is_refused(tmp_path: Path, dicom: Any) -> None:
    dicom.big = True
    dicom.series(tmp_path)
    study = open_study(tmp_path)
    assert not study.series
    assert len(study.report.skipped) == 16
    assert "declared transfer syntax" in study.report.skipped[0].reason


def test_a_deflate_bomb_is_left_out(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    dicom.series(tmp_path)
    bomb = type(dicom)(syntax="1.2.840.10008.1.2.1.99")
    items = bomb.attributes(30) | {0x00091001: ("OB", bytes(128 << 20))}
    (tmp_path / "bomb.dcm").write_bytes(bomb.file(items, bytes(3840)))
    study = open_study(tmp_path)
    assert_true(study.series[0].volume(), 16)
    assert "inflates beyond" in study.report.skipped[0].reason


def test_a_missing_slice_is_a_marked_gap_and_nothing_moves(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    paths = dicom.series(tmp_path)
    paths[MIDDLE].unlink()
    paths[1].unlink()
    (series,) = open_study(tmp_path).series
    volume = series.volume()
    assert volume.missing_slices == (1, MIDDLE)
    assert volume.refused_slices == ()
    assert volume.sop_instance_uids[MIDDLE] == ""
    assert_true(volume, 14)
    assert "1 slice is missing between slice 7 and 8 (5 mm gap)" in series.warnings


def test_a_change_of_spacing_is_said_and_kept(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    depths = [30 + 2.5 * k for k in range(8)] + [50 + 5 * k for k in range(1, 5)]
    for k, z in enumerate(depths):
        (tmp_path / f"{k}").write_bytes(dicom.slice(k, position=(-20, -14, z)))
    (series,) = open_study(tmp_path).series
    assert_true(series.volume(), 12)
    assert "slice spacing changes from 2.5 to 5 mm" in " ".join(series.warnings)


def test_uneven_slices_are_resampled_and_say_so_and_stay_readable(tmp_path: Path, dicom: Any) -> None:
    depths = [30, 32.1, 35.3, 36.9, 40.2, 42.0, 45.9, 47.0]
    for k, z in enumerate(depths):
        (tmp_path / f"{k}").write_bytes(dicom.slice(k, position=(-20, -14, z)))
    (series,) = open_study(tmp_path).series
    volume = series.volume()
    assert "resampled linearly" in " ".join(series.warnings)
    assert any("resampled" in c for c in volume.caveats)
    index = np.stack(np.meshgrid(*(np.arange(n) for n in volume.array.shape), indexing="ij"), axis=-1)
    points = volume.geometry.lps_from_index(index)
    far = np.abs(np.linalg.norm(points - np.array((-4.0, 0.0, 55.0)), axis=-1) - 8) > 6
    real = far if volume.padding is None else far & ~volume.padding
    assert np.abs(volume.array - dicom.truth(points))[real].max() < 1.5
    assert np.count_nonzero(real) > volume.array.size // 3


def test_a_tilted_gantry_stays_sheared(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    a = np.radians(15)
    for k in range(16):
        (tmp_path / f"{k}").write_bytes(dicom.slice(k, position=(-20, -14, 30 + 2.5 * k), orientation=(1, 0, 0, 0, np.cos(a), np.sin(a))))
    (series,) = open_study(tmp_path).series
    assert series.geometry is not None
    assert series.geometry.shear_degrees == pytest.approx(15, abs=0.01)
    assert_true(series.volume(), 16)
    assert "gantry tilt 15 degrees: volume is sheared" in series.warnings


def test_origins_that_jump_sideways_split_the_stack(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    for k in range(16):
        (tmp_path / f"{k}").write_bytes(dicom.slice(k, position=(-20 + 7 * (k >= 8), -14, 30 + 2.5 * k)))
    first, second = open_study(tmp_path).series
    assert_true(first.volume(), 8)
    assert_true(second.volume(), 8)
    assert "slice origins move by 7 mm across the slice plane at slice 9" in " ".join(first.warnings)


def test_an_outlier_far_away_is_set_apart(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    dicom.series(tmp_path)
    (tmp_path / "far.dcm").write_bytes(dicom.slice(99, position=(-20, -14, 330)))
    volume, apart = open_study(tmp_path).series
    assert_true(volume.volume(), 16)
    assert "far.dcm lies 262.5 mm beyond the stack" in (apart.refusal or "")


def test_positions_written_with_one_decimal_are_one_grid(tmp_path: Path, dicom: Any) -> None:
    for k in range(20):
        (tmp_path / f"{k}").write_bytes(dicom.slice(k, position=(-20, -14, round(30 + 0.625 * k, 1))))
    (series,) = open_study(tmp_path).series
    assert series.geometry is not None
    assert series.geometry.shape_zyx == (20, 40, 48)
    assert series.geometry.spacing_xyz_mm[2] == pytest.approx(0.625, abs=0.003)


SPLITS: dict[str, Callable[[int], dict[int, Any]]] = {
    "echo time": lambda p: {0x00180081: ("DS", ["5", "20", "30"][p])},
    "b-value": lambda p: {0x00189087: ("FD", 500.0 * p)},
    "image type": lambda p: {0x00080008: ("CS", "ORIGINAL\\PRIMARY\\" + "MPR"[p])},
    "time points": lambda p: {0x00200100: ("IS", str(p + 1))},
    "acquisitions": lambda p: {0x00200012: ("IS", str(p + 1))},
    "patient": lambda p: {0x00100020: ("LO", f"P{p}")},
    "frame of reference": lambda p: {0x00200052: ("UI", f"1.2.3.{p}")},
    "reconstruction kernel": lambda p: {0x00181210: ("SH", f"K{p}")},
    "acquisition times": lambda p: {0x00080032: ("TM", f"12000{p}")},
    "InstanceNumber": lambda _: {},
}


@pytest.mark.parametrize("name", list(SPLITS))
def test_acquisitions_in_one_series_are_told_apart(name: str, tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    for part in range(3):
        for k in range(6):
            number = part * 6 + k
            changes = {0x00080018: ("UI", f"1.2.3.4.{number}"), 0x00200013: ("IS", str(number + 1))} | SPLITS[name](part)
            gain = 1 << part
            (tmp_path / f"{number}").write_bytes(dicom.slice(k, changes, modality="MR", alter=lambda s, g=gain: s // g))
    study = open_study(tmp_path)
    assert len(study.series) == 3
    for part, series in enumerate(study.series):
        assert_true(series.volume(), 6, gain=1 / (1 << part))
        assert name in " ".join(series.warnings)


def test_copies_are_named_and_contradictions_are_not_decided(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    paths = dicom.series(tmp_path)
    for path in paths:
        (tmp_path / f"copy of {path.name}").write_bytes(path.read_bytes())
    study = open_study(tmp_path)
    assert_true(study.series[0].volume(), 16)
    assert len(study.report.skipped) == 16
    assert "16 files are copies of others" in said(study)
    other = tmp_path / "other"
    paths = dicom.series(other)
    (other / "twin.dcm").write_bytes(dicom.slice(MIDDLE, alter=lambda s: s // 2))
    study = open_study(other)
    volume = study.series[0].volume()
    assert_true(volume, 15)
    assert volume.refused_slices == (MIDDLE,)
    assert "carry the same UID but differ" in said(study)


def test_a_repeated_slice_is_kept_apart_and_named(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    dicom.series(tmp_path)
    again = {0x00080018: ("UI", "1.2.3.77"), 0x00200013: ("IS", "17"), 0x00200012: ("IS", "2")}
    (tmp_path / "again.dcm").write_bytes(dicom.slice(MIDDLE, again, alter=lambda s: s // 2))
    study = open_study(tmp_path)
    assert_true(study.series[0].volume(), 16)
    assert "2 images at the same position (slice 9)" in said(study)


def test_a_localizer_and_a_second_stack_are_split_off(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    dicom.series(tmp_path)
    scout = {0x00080018: ("UI", "1.2.3.78"), 0x00080008: ("CS", "ORIGINAL\\PRIMARY\\LOCALIZER"), 0x00200013: ("IS", "0")}
    (tmp_path / "scout").write_bytes(dicom.slice(50, scout, position=(0, -14, 60), orientation=(0, 1, 0, 0, 0, -1)))
    scout_series, stack = sorted(open_study(tmp_path).series, key=lambda s: s.frames)
    assert_true(stack.volume(), 16)
    assert scout_series.role.role.value == "LOCALIZER"
    assert scout_series.source.read_volume().kind is ValueKind.STORED


def test_declared_frames_without_descriptions_are_pictures(tmp_path: Path, dicom: Any) -> None:
    items = dicom.attributes(0) | {0x00280008: ("IS", "4"), 0x52009230: ("SQ", [{0x00209113: ("SQ", [{0x00200032: ("DS", "0\\0\\0")}])}] * 3)}
    (tmp_path / "e").write_bytes(dicom.file(items, bytes(4 * 3840)))
    (series,) = open_study(tmp_path).series
    assert series.refusal == "4 frames, 3 frame descriptions"


def test_values_beyond_bits_stored_are_asked_about(tmp_path: Path, dicom: Any) -> None:
    dicom.series(tmp_path, changes={0x00280101: ("US", 10), 0x00280102: ("US", 9)})
    (series,) = open_study(tmp_path).series
    with pytest.raises(ReadError, match="values exceed BitsStored 10"):
        series.volume()


def test_a_modality_lut_is_applied(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    lut = (np.arange(4096) - 1024).astype("<i2").tobytes()
    changes = {0x00281052: None, 0x00281053: None, 0x00281054: None,
               0x00283000: ("SQ", [{0x00283002: ("US", struct.pack("<HHH", 4096, 0, 16)), 0x00283004: ("LO", "HU"), 0x00283006: ("OW", lut)}])}
    dicom.series(tmp_path, changes=changes)
    (series,) = open_study(tmp_path).series
    assert series.volume().kind is ValueKind.HU
    assert_true(series.volume(), 16)
    assert "modality LUT" in " ".join(series.warnings)


def test_hounsfield_units_only_where_the_file_allows_them(tmp_path: Path, dicom: Any) -> None:
    dicom.series(tmp_path, changes={0x00281054: ("LO", "US")})
    volume = open_study(tmp_path).series[0].volume()
    assert volume.kind is ValueKind.STORED
    assert not volume.is_measurable


def test_a_lost_block_of_pixels_is_seen_beside_its_neighbours(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    paths = dicom.series(tmp_path)
    data = paths[MIDDLE].read_bytes()
    paths[MIDDLE].write_bytes(data[:-2048] + bytes(2048))
    volume = open_study(tmp_path).series[0].volume()
    assert_true(volume, 15)
    assert "lost block" in " ".join(volume.caveats)


def test_text_from_files_is_made_safe(tmp_path: Path, dicom: Any) -> None:
    dicom.series(tmp_path, count=3, changes={0x0008103E: ("LO", "\x1b[31mERROR\r\n\u202e".encode() + b"A" * 5001)})
    (series,) = open_study(tmp_path).series
    assert "\x1b" not in series.description
    assert "\n" not in series.description
    assert len(series.description) < 130


def test_odd_file_names_and_a_sparse_giant_do_no_harm(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    names = ["a b", "Mü", "\U0001f9e0.dcm", "new\nline.dcm", "-rf.dcm", "$HOME", "`id`", "x" * 200]
    for k in range(8):
        (tmp_path / names[k]).write_bytes(dicom.slice(k))
    os.rename(os.fsencode(tmp_path / "a b"), os.fsencode(tmp_path) + b"/\xff\xfe.dcm")
    with open(tmp_path / "giant.dcm", "wb") as giant:
        giant.write(bytes(128) + b"DICM")
        giant.truncate(40 << 30)
    study = open_study(tmp_path)
    assert_true(study.series[0].volume(), 8)
    assert [s.path for s in study.report.skipped] == [str(tmp_path / "giant.dcm")]


def test_slices_exported_as_series_of_their_own_are_named(tmp_path: Path, dicom: Any) -> None:
    for k in range(6):
        (tmp_path / f"{k}").write_bytes(dicom.slice(k, {0x0020000E: ("UI", f"1.2.3.{k}")}))
    study = open_study(tmp_path)
    assert len(study.series) == 6
    assert "6 series of 1 slice" in said(study)


def test_values_far_below_air_are_padding_even_undeclared(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    def circle(stored: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        out = stored - 1024
        out[:6, :6] = -2000
        return out

    changes = {0x00280103: ("US", 1), 0x00280101: ("US", 16), 0x00280102: ("US", 15), 0x00281052: ("DS", "0")}
    dicom.series(tmp_path, changes=changes, alter=circle)
    volume = open_study(tmp_path).series[0].volume()
    assert volume.padding is not None
    assert volume.padding.sum() == 16 * 36
    assert_true(volume, 16)
    assert "without PixelPaddingValue are taken for padding" in " ".join(volume.caveats)


def test_geometry_as_unknown_vr_is_read_by_its_tag(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    unknown = {t: ("UN", dicom.attributes(0)[t][1].encode().ljust(2)) for t in (0x00200037, 0x00280030)}
    for k in range(8):
        position = f"-20\\-14\\{30 + 2.5 * k} ".encode()
        (tmp_path / f"{k}").write_bytes(dicom.slice(k, unknown | {0x00200032: ("UN", position)}))
    (series,) = open_study(tmp_path).series
    assert_true(series.volume(), 8)


def test_an_icon_with_pixels_of_its_own_is_not_the_image(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    icon = [{0x00280010: ("US", 8), 0x00280011: ("US", 8), 0x7FE00010: ("OW", bytes(128))}]
    dicom.series(tmp_path, count=8, changes={0x00880200: ("SQ", icon)})
    (series,) = open_study(tmp_path).series
    assert_true(series.volume(), 8)


def test_without_a_series_uid_the_folder_and_the_geometry_decide(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    dicom.series(tmp_path, count=8, changes={0x0020000E: None})
    (series,) = open_study(tmp_path).series
    assert_true(series.volume(), 8)
    assert "no SeriesInstanceUID: grouped by folder and geometry" in series.warnings


def test_more_pixel_bytes_than_expected_are_said(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    paths = dicom.series(tmp_path, count=8)
    paths[3].write_bytes(dicom.slice(3, pack=lambda s: dicom.words(s) * 2))
    (series,) = open_study(tmp_path).series
    assert_true(series.volume(), 8)
    assert "IM004.dcm: 7680 bytes of pixels, 3840 expected" in series.warnings


def test_an_unusable_window_is_left_out_and_slices_may_lie_in_folders_of_their_own(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    for k in range(8):
        (tmp_path / f"d{k}").mkdir()
        (tmp_path / f"d{k}" / "IM").write_bytes(dicom.slice(k, {0x00281050: ("DS", "nan"), 0x00281051: ("DS", "0")}))
    (series,) = open_study(tmp_path).series
    assert_true(series.volume(), 8)
    assert series.windows == ()


def test_two_stacks_of_different_obliquity_are_two_volumes(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    a = np.radians(20)
    for k in range(6):
        (tmp_path / f"a{k}").write_bytes(dicom.slice(k, modality="MR"))
        tilted = (1, 0, 0, 0, np.cos(a), np.sin(a))
        position = tuple(np.array([-20, -14, 60.0]) + np.array([0, -np.sin(a), np.cos(a)]) * 2.5 * k)
        (tmp_path / f"b{k}").write_bytes(dicom.slice(20 + k, modality="MR", orientation=tilted, position=position))
    first, second = open_study(tmp_path).series
    assert_true(first.volume(), 6)
    assert_true(second.volume(), 6)
    assert "split by orientation: 2 stacks of 6, 6 images" in first.warnings


def test_a_uid_that_is_none_is_said(tmp_path: Path, dicom: Any) -> None:
    dicom.series(tmp_path, count=4, changes={0x0020000E: ("UI", "../../x")})
    (series,) = open_study(tmp_path).series
    assert "SeriesInstanceUID is not a UID; annotations cannot be stored as DICOM" in series.warnings


def test_a_file_without_permission_is_named(tmp_path: Path, dicom: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from neuraxis.dicom.byte_sources import open_regular as honest

    paths = dicom.series(tmp_path, count=8)

    def refuse(path: str) -> tuple[int, int]:
        if path == str(paths[3]):
            raise PermissionError(13, "Permission denied")
        return honest(path)

    monkeypatch.setattr("neuraxis.dicom.header_reader.open_regular", refuse)
    study = open_study(tmp_path)
    assert study.report.skipped[0].reason == "IM004.dcm cannot be read (Permission denied); left out"
