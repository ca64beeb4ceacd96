"""Files that start oddly, headers that the pixels contradict, and gaps where a file is known: read rightly or left out by name."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuraxis.dicom import open_study
from neuraxis.dicom.lone_formats import turns_over
from neuraxis.errors import ReadError
from neuraxis.interop.volume_files import write_volume

Check = Callable[..., None]
MIDDLE = 8
JLS_NEAR, J2K, J2K_ANY, HTJ2K, RLE = (
    "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.5"
)


def body_of(data: bytes) -> bytes:
    """The data set of a file of the phantom, without preamble and file meta information."""
    return data[144 + int.from_bytes(data[140:144], "little") :]


def implicit_meta(syntax: bytes) -> bytes:
    pairs = ((2, b"1.2.840.10008.5.1.4.1.1.2\0"), (3, b"1.2.3.4\0"), (0x10, syntax))
    return b"".join(struct.pack("<HHI", 2, e, len(v)) + v for e, v in pairs)


STARTS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "bare data set": (body_of, "explicit VR little endian assumed"),
    "a stray byte before a bare data set": (lambda b: b" " + body_of(b), "1 bytes before it; explicit"),
    "preamble without mark and meta": (lambda b: bytes(128) + body_of(b), "128 bytes before it"),
    "preamble without mark": (lambda b: bytes(128) + b[132:], "no DICM mark"),
    "mark and no meta": (lambda b: b[:132] + body_of(b), "no transfer syntax"),
    "mark at the first byte": (lambda b: b[128:], "the DICM mark stands at byte 0 instead of 128"),
    "byte order mark in front": (lambda b: b"\xef\xbb\xbf" + b, "stands at byte 131"),
    "MacBinary header in front": (lambda b: bytes(128) + b, "stands at byte 256"),
    "file meta in implicit VR": (lambda b: b[:132] + implicit_meta(b"1.2.840.10008.1.2.1\0") + body_of(b), "in implicit VR"),
}


@pytest.mark.parametrize("name", list(STARTS))
def test_a_data_set_is_found_wherever_it_starts(name: str, tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    change, message = STARTS[name]
    for path in dicom.series(tmp_path, count=5):
        path.write_bytes(change(path.read_bytes()))
    (series,) = open_study(tmp_path).series
    assert_true(series.volume(), 5)
    assert message in " ".join(series.warnings)


@pytest.mark.parametrize("front", [b"", bytes(128)])
def test_a_bare_big_endian_or_implicit_data_set_is_read(front: bytes, tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    for big in (True, False):
        dicom.big, dicom.explicit = big, big
        for k in range(4):
            (tmp_path / f"{k}.dcm").write_bytes(front + body_of(dicom.slice(k)))
        (series,) = open_study(tmp_path).series
        assert_true(series.volume(), 4)
        assert ("big endian assumed" if big else "implicit VR little endian assumed") in " ".join(series.warnings)


def test_a_data_set_behind_its_network_command_is_read(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    dicom.explicit = False
    command = struct.pack("<HHII", 0, 0, 4, 10) + struct.pack("<HHIH", 0, 0x100, 2, 1)
    for k in range(4):
        (tmp_path / f"{k}.dcm").write_bytes(command + body_of(dicom.slice(k)))
    (series,) = open_study(tmp_path).series
    assert_true(series.volume(), 4)


@pytest.mark.parametrize("packed", [False, True])
def test_a_deflated_data_set_that_is_none_or_has_a_zlib_header_is_read_and_said(
    packed: bool, tmp_path: Path, dicom: Any, assert_true: Check
) -> None:
    for path in dicom.series(tmp_path, count=4):
        body = body_of(path.read_bytes())
        uid = b"1.2.840.10008.1.2.1.99"
        meta = struct.pack("<HH2sH", 2, 0x10, b"UI", len(uid)) + uid
        path.write_bytes(bytes(128) + b"DICM" + meta + (zlib.compress(body) if packed else body))
    (series,) = open_study(tmp_path).series
    assert_true(series.volume(), 4)
    assert ("zlib header" if packed else "deflated declared, is not") in " ".join(series.warnings)


def test_archives_of_other_kinds_and_junk_are_no_dicom(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    dicom.series(tmp_path, count=4)
    (tmp_path / "zeros.bin").write_bytes(bytes(5000))
    (tmp_path / "noise.bin").write_bytes(np.random.default_rng(1).bytes(5000))
    with zipfile.ZipFile(tmp_path / "archive.dat", "w") as archive:
        archive.write(tmp_path / "IM001.dcm", "IM001.dcm")
    study = open_study(tmp_path)
    assert_true(study.series[0].volume(), 4)
    reasons = {s.path.rsplit("/", 1)[-1]: s.reason for s in study.report.skipped}
    assert set(reasons) == {"zeros.bin", "noise.bin", "archive.dat"}
    assert "zip archive without the ending" in reasons["archive.dat"]


def exported(tmp_path: Path, volume: Any) -> tuple[str, ...]:
    return write_volume(volume, tmp_path / "out.nii")


@pytest.mark.parametrize("spoil", [lambda b: b[:100], lambda b: bytes(400) + b[400:], lambda b: b""])
def test_a_gap_beside_an_unreadable_file_of_the_same_kind_is_not_bridged(
    spoil: Callable[[bytes], bytes], tmp_path: Path, dicom: Any, assert_true: Check
) -> None:
    paths = dicom.series(tmp_path / "s")
    paths[MIDDLE].write_bytes(spoil(paths[MIDDLE].read_bytes()))
    (series,) = open_study(tmp_path / "s").series
    assert_true(series.volume(), 15)
    assert series.volume().refused_slices == (MIDDLE,)
    assert exported(tmp_path, series.volume())[0].startswith("slices 1 to 8 of 16 written")


@pytest.mark.parametrize(
    "changes", [{0x00280004: ("CS", "GRAY")}, {0x0020000E: ("UI", "1.2.3.4")}, {0x00200032: ("DS", "0\\0\\0")}], ids=["colour", "series", "place"]
)
def test_a_gap_whose_slice_lies_apart_is_not_bridged(changes: Any, tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    paths = dicom.series(tmp_path / "s")
    paths[MIDDLE].write_bytes(dicom.slice(MIDDLE, changes))
    series = max(open_study(tmp_path / "s").series, key=lambda s: s.frames)
    assert_true(series.volume(), 15)
    assert series.volume().refused_slices == (MIDDLE,)


@pytest.mark.parametrize(("lost", "written"), [((4, 5), "slices 7 to 16"), ((4, 9), "slices 11 to 16")])
def test_wide_and_several_gaps_are_not_bridged(lost: tuple[int, ...], written: str, tmp_path: Path, dicom: Any) -> None:
    paths = dicom.series(tmp_path / "s")
    for k in lost:
        paths[k].unlink()
    volume = open_study(tmp_path / "s").series[0].volume()
    assert volume.missing_slices == lost
    (note,) = exported(tmp_path, volume)
    assert note.startswith(written)
    assert "are missing and nothing was made up" in note


def test_a_stretch_of_double_spacing_is_bridged(tmp_path: Path, dicom: Any) -> None:
    paths = dicom.series(tmp_path / "s", count=17)
    for k in (9, 11, 13, 15):
        paths[k].unlink()
    (note,) = exported(tmp_path, open_study(tmp_path / "s").series[0].volume())
    assert note == "missing slices bridged by linear interpolation: 10, 12, 14, 16"


def test_small_jitter_keeps_the_usual_step_and_a_real_change_takes_the_finest(tmp_path: Path, dicom: Any) -> None:
    for name, depths, count in (("jitter", [30 + 2.5 * k + 0.03 * (k % 2) for k in range(12)], 12), ("change", [30, 34, 38, 42, 45, 48, 50, 52], 12)):
        (tmp_path / name).mkdir()
        for k, z in enumerate(depths):
            (tmp_path / name / f"{k}").write_bytes(dicom.slice(k, position=(-20, -14, z)))
        (series,) = open_study(tmp_path / name).series
        assert "resampled linearly" in " ".join(series.warnings)
        assert series.geometry is not None
        assert series.geometry.shape_zyx[0] == count


LONE: dict[str, tuple[dict[int, Any], str]] = {
    "fewer bits": ({0x00280101: ("US", 10), 0x00280102: ("US", 9)}, "values exceed BitsStored 10, those of the other slices do not"),
    "left aligned": ({0x00280102: ("US", 15)}, "HighBit is 15, 11 in the others"),
    "negative slope": ({0x00281053: ("DS", "-1")}, "RescaleSlope is -1, 1 in the others"),
    "another intercept": ({0x00281052: ("DS", "0")}, "RescaleIntercept is 0, -1024 in the others"),
}


@pytest.mark.parametrize("where", [0, MIDDLE])
@pytest.mark.parametrize("name", list(LONE))
def test_a_slice_whose_format_its_neighbours_contradict_is_left_out(
    name: str, where: int, tmp_path: Path, dicom: Any, assert_true: Check
) -> None:
    changes, message = LONE[name]
    paths = dicom.series(tmp_path)
    paths[where].write_bytes(dicom.slice(where, changes))
    volume = open_study(tmp_path).series[0].volume()
    assert_true(volume, 15)
    assert volume.refused_slices == (where,)
    assert any(message in c and "left out" in c for c in volume.caveats)


def test_a_lone_format_that_fits_its_neighbours_is_read(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    paths = dicom.series(tmp_path)
    paths[3].write_bytes(dicom.slice(3, {0x00280101: ("US", 16), 0x00280102: ("US", 15)}))
    paths[6].write_bytes(dicom.slice(6, {0x00281052: ("DS", "-1000")}, alter=lambda s: s - 24))
    paths[9].write_bytes(
        dicom.slice(9, {0x00280101: ("US", 16), 0x00280102: ("US", 15), 0x00280103: ("US", 1), 0x00281052: ("DS", "0")}, alter=lambda s: s - 1024)
    )
    volume = open_study(tmp_path).series[0].volume()
    assert_true(volume, 16)


@pytest.mark.parametrize("signed", [True, False])
def test_a_sign_that_makes_values_turn_over_is_found_in_a_picture(signed: bool) -> None:
    y, x = np.mgrid[:64, :64]
    smooth = 1400 + 20 * x + 3 * y if signed else 20 * x - 640 + 3 * y
    words = (smooth.astype(np.int64) & 0xFFF).astype(np.uint16)
    assert turns_over(words, 12, signed=signed)
    assert not turns_over(words, 12, signed=not signed)
    disc = np.where((x - 32) ** 2 + (y - 32) ** 2 < 400, 4095, 5).astype(np.uint16)
    assert not turns_over(disc, 12, signed=False)


@pytest.mark.parametrize("kind", ["smooth", "far below air"])
def test_a_series_with_the_wrong_sign_is_refused(kind: str, tmp_path: Path, dicom: Any) -> None:
    y, x = np.mgrid[:40, :48]
    dense = np.where((x > 20) & (x < 34), 2500 + 9 * y, 0)
    for k, path in enumerate(dicom.series(tmp_path, count=6)):
        alter = (lambda s: s + 30 * x) if kind == "smooth" else (lambda s: np.where(dense > 0, dense, s % 500 + 900))
        path.write_bytes(dicom.slice(k, {0x00280103: ("US", 1)}, alter=alter))
    with pytest.raises(ReadError, match=r"turn over|look unsigned"):
        open_study(tmp_path).series[0].volume()


@pytest.mark.parametrize("text", ["1e30", "1e-30"])
def test_an_implausible_slope_gives_no_hounsfield_units(text: str, tmp_path: Path, dicom: Any) -> None:
    dicom.series(tmp_path, count=4, changes={0x00281053: ("DS", text)})
    (series,) = open_study(tmp_path).series
    assert series.refusal is not None
    assert "implausible" in series.refusal


def compressed(stored: Any, syntax: str) -> bytes:
    import imagecodecs

    words = np.ascontiguousarray(stored.astype(np.uint16))
    if syntax == HTJ2K:
        return bytes(imagecodecs.htj2k_encode(words, reversible=True))
    if syntax == JLS_NEAR:
        return bytes(imagecodecs.jpegls_encode(words, level=2))
    if syntax == RLE:
        planes = [imagecodecs.packbits_encode(np.ascontiguousarray(p)) for p in ((words >> 8).astype(np.uint8), (words & 255).astype(np.uint8))]
        return struct.pack("<16I", 2, 64, 64 + len(planes[0]), *[0] * 13) + planes[0] + planes[1]
    lossy = syntax == J2K_ANY
    return bytes(imagecodecs.jpeg2k_encode(words, level=70 if lossy else 0, codecformat="j2k", reversible=not lossy, bitspersample=12))


@pytest.mark.parametrize("syntax", [JLS_NEAR, J2K_ANY])
def test_lossy_codestreams_are_marked_though_the_header_keeps_silent(syntax: str, tmp_path: Path, dicom: Any) -> None:
    dicom.syntax = syntax
    dicom.series(tmp_path, count=5, pack=lambda s: dicom.encapsulated([compressed(s, syntax)]))
    (series,) = open_study(tmp_path).series
    assert series.acquisition.lossy
    assert "lossy compression: not for measurement" in series.warnings
    assert not series.volume().is_measurable


def flipped(data: bytes, at: float) -> bytes:
    start = int(len(data) * at)
    return data[:start] + bytes(b ^ 0xA5 for b in data[start : start + 16]) + data[start + 16 :]


@pytest.mark.parametrize(
    ("syntax", "spoil"),
    [
        (HTJ2K, lambda b: b[: len(b) // 2]), (HTJ2K, lambda b: b[:-2]), (HTJ2K, lambda b: flipped(b, 0.9)), (J2K, lambda b: flipped(b, 0.5)),
        (J2K, lambda b: flipped(b, 0.9)), (RLE, lambda b: b[:64] + b"\x7f" + b[65:]),
    ],
)
def test_a_damaged_small_frame_is_left_out_alone(
    syntax: str, spoil: Callable[[bytes], bytes], tmp_path: Path, dicom: Any, assert_true: Check
) -> None:
    dicom.syntax = syntax
    paths = dicom.series(tmp_path, pack=lambda s: dicom.encapsulated([compressed(s, syntax)]))
    paths[MIDDLE].write_bytes(dicom.slice(MIDDLE, pack=lambda s: dicom.encapsulated([spoil(compressed(s, syntax))])))
    volume = open_study(tmp_path).series[0].volume()
    assert_true(volume, 15)
    assert volume.refused_slices == (MIDDLE,)


def zipped(target: Path, paths: list[Path], names: list[str] | None = None, packing: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(target, "w", packing) as archive:
        for k, path in enumerate(paths):
            archive.write(path, names[k] if names else path.name)


def test_changed_bytes_of_an_archive_member_are_found_by_its_checksum(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    paths = dicom.series(tmp_path / "s")
    zipped(tmp_path / "study.zip", paths, packing=zipfile.ZIP_STORED)
    data = bytearray((tmp_path / "study.zip").read_bytes())
    data[data.find(b"IM009.dcm") + 3000] ^= 1
    (tmp_path / "study.zip").write_bytes(data)
    study = open_study(tmp_path / "study.zip")
    assert_true(study.series[0].volume(), 15)
    assert study.report.skipped[0].reason == "IM009.dcm: archive member is damaged (checksum); left out"
    assert study.series[0].volume().refused_slices == (MIDDLE,)


@pytest.mark.parametrize(("field", "value"), [(24, 0x7FFFFFFF), (24, 10), (20, 0x7FFFFFFF), (42, 0x7FFFFFF0)])
def test_a_lying_archive_directory_costs_one_member_and_no_memory(
    field: int, value: int, tmp_path: Path, dicom: Any, assert_true: Check
) -> None:
    import tracemalloc

    zipped(tmp_path / "study.zip", dicom.series(tmp_path / "s"))
    data = bytearray((tmp_path / "study.zip").read_bytes())
    struct.pack_into("<I", data, data.find(b"PK\1\2") + field, value)
    (tmp_path / "study.zip").write_bytes(data)
    tracemalloc.start()
    study = open_study(tmp_path / "study.zip")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert_true(study.series[0].volume(), 15)
    assert [s.path.rsplit("/", 1)[-1] for s in study.report.skipped] == ["IM001.dcm"]
    assert peak < 64 << 20


def test_a_member_that_points_outside_leaves_a_gap_that_is_not_bridged(tmp_path: Path, dicom: Any) -> None:
    paths = dicom.series(tmp_path / "s")
    names = [f"../../{p.name}" if k == MIDDLE else p.name for k, p in enumerate(paths)]
    zipped(tmp_path / "study.zip", paths, names)
    volume = open_study(tmp_path / "study.zip").series[0].volume()
    assert volume.refused_slices == (MIDDLE,)


def test_a_slice_beside_a_gap_is_not_taken_for_damaged(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    dicom.syntax = HTJ2K
    paths = dicom.series(tmp_path, pack=lambda s: dicom.encapsulated([compressed(s**2 // 2000, HTJ2K)]))
    paths[MIDDLE].unlink()
    volume = open_study(tmp_path).series[0].volume()
    assert volume.missing_slices == (MIDDLE,)
    assert volume.refused_slices == ()


def test_of_copies_the_one_with_the_soundest_header_is_kept(tmp_path: Path, dicom: Any) -> None:
    whole = dicom.slice(0)
    (tmp_path / "a").write_bytes(b" " + body_of(whole))
    (tmp_path / "whole.dcm").write_bytes(whole)
    study = open_study(tmp_path)
    assert [Path(i.path).name for i in study.series[0].instances] == ["whole.dcm"]
    assert study.report.skipped[0].reason == "a is a copy of whole.dcm"
