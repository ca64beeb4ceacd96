"""Right series, in every encoding, come out voxel by voxel at their place."""

from __future__ import annotations

import os
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuraxis.dicom import open_study, scan_to_json, with_role
from neuraxis.domain.study import Confidence, Role
from neuraxis.domain.volume import ValueKind
from neuraxis.errors import CancelledError, ReadError, UsageError

Check = Callable[..., None]


def rle(stored: np.ndarray[Any, Any]) -> bytes:
    """DICOM RLE with literal runs only."""
    def plane(data: bytes) -> bytes:
        out = b"".join(bytes([len(data[i : i + 128]) - 1]) + data[i : i + 128] for i in range(0, len(data), 128))
        return out + b"\0" * (len(out) % 2)

    high, low = plane((stored >> 8).astype(np.uint8).tobytes()), plane((stored & 255).astype(np.uint8).tobytes())
    return struct.pack("<16I", 2, 64, 64 + len(high), *[0] * 13) + high + low


def test_a_plain_ct_series_is_hounsfield_units_at_the_right_place(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    dicom.series(tmp_path)
    study = open_study(tmp_path)
    (series,) = study.series
    volume = series.volume()
    assert_true(volume, 16)
    assert volume.kind is ValueKind.HU
    assert volume.array.dtype == np.int16
    assert series.warnings == ()
    assert volume.caveats == ()
    assert (study.report.files_seen, study.report.files_loaded, study.report.skipped) == (16, 16, ())


@pytest.mark.parametrize("kind", ["implicit", "big endian", "deflated", "no preamble", "bare implicit"])
def test_every_uncompressed_encoding_reads_the_same(kind: str, tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    if kind in ("implicit", "bare implicit"):
        dicom.explicit, dicom.syntax = False, "1.2.840.10008.1.2"
    elif kind == "big endian":
        dicom.big, dicom.syntax = True, "1.2.840.10008.1.2.2"
    elif kind == "deflated":
        dicom.syntax = "1.2.840.10008.1.2.1.99"
    paths = dicom.series(tmp_path)
    for path in paths:
        data = path.read_bytes()
        if kind == "no preamble":
            path.write_bytes(data[132:])
        elif kind == "bare implicit":
            path.write_bytes(data[144 + struct.unpack("<I", data[140:144])[0] :])
    (series,) = open_study(tmp_path).series
    assert_true(series.volume(), 16)


@pytest.mark.parametrize(
    ("syntax", "codec"),
    [("1.2.840.10008.1.2.5", "rle"), ("1.2.840.10008.1.2.4.80", "jpegls"), ("1.2.840.10008.1.2.4.90", "jpeg2k"),
     ("1.2.840.10008.1.2.4.70", "ljpeg")],
)
def test_every_lossless_compression_reads_the_same(syntax: str, codec: str, tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    import imagecodecs

    def pack(stored: np.ndarray[Any, Any]) -> bytes:
        words = np.ascontiguousarray(stored.astype(np.uint16))
        if codec == "rle":
            frame = rle(stored)
        elif codec == "jpegls":
            frame = bytes(imagecodecs.jpegls_encode(words))
        elif codec == "jpeg2k":
            frame = bytes(imagecodecs.jpeg2k_encode(words, level=0, codecformat="j2k", reversible=True, bitspersample=12))
        else:
            frame = bytes(imagecodecs.ljpeg_encode(words, bitspersample=16))
        return bytes(dicom.encapsulated([frame]))

    dicom.syntax = syntax
    dicom.series(tmp_path, pack=pack)
    (series,) = open_study(tmp_path).series
    assert_true(series.volume(), 16)
    assert not series.volume().caveats


def test_order_comes_from_positions_not_from_names_or_numbers(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    order = list(range(16))
    random.Random(4).shuffle(order)
    for name, k in enumerate(order):
        (tmp_path / f"{name}").write_bytes(dicom.slice(k, {0x00200013: ("IS", str(order[k]))}))
    (series,) = open_study(tmp_path).series
    assert_true(series.volume(), 16)


def test_a_feet_first_sagittal_and_an_oblique_series_are_placed_right(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    for k in range(12):
        (tmp_path / f"s{k}").write_bytes(dicom.slice(k, position=(10 - 2.0 * k, -14, 60), orientation=(0, 1, 0, 0, 0, -1), modality="MR"))
    (series,) = open_study(tmp_path).series
    assert_true(series.volume(), 12)
    a = np.radians(20)
    row, column = np.array([np.cos(a), np.sin(a), 0]), np.array([-np.sin(a) * 0.8, np.cos(a) * 0.8, 0.6])
    normal = np.cross(row, column)
    oblique = tmp_path / "oblique"
    oblique.mkdir()
    for k in range(12):
        (oblique / f"o{k}").write_bytes(
            dicom.slice(k, position=tuple(np.array([-20, -10, 30.0]) + normal * 2.5 * k), orientation=(*row, *column), modality="MR")
        )
    (series,) = open_study(oblique).series
    assert_true(series.volume(), 12, tolerance=1.2)


def test_slope_and_intercept_are_applied_slice_by_slice(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    for k in range(16):
        slope, intercept = 0.5 + 0.05 * k, -1000.0 + 10 * k
        (tmp_path / f"{k}").write_bytes(dicom.slice(
            k, {0x00281053: ("DS", f"{slope:.4f}"), 0x00281052: ("DS", f"{intercept}"), 0x00280101: ("US", 16), 0x00280102: ("US", 15)},
            alter=lambda s, a=slope, b=intercept: np.rint((s - 1024 - b) / a).astype(np.int64),
        ))
    (series,) = open_study(tmp_path).series
    assert series.volume().array.dtype == np.float32
    assert_true(series.volume(), 16, tolerance=1.5)


def test_left_aligned_garbage_and_signed_words_give_the_same_values(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    (tmp_path / "left").mkdir()
    dicom.series(tmp_path / "left", changes={0x00280102: ("US", 15)}, alter=lambda s: s << 4)
    (tmp_path / "garbage").mkdir()
    dicom.series(tmp_path / "garbage", alter=lambda s: s | 0xA000)
    (tmp_path / "signed").mkdir()
    dicom.series(tmp_path / "signed", changes={0x00280103: ("US", 1), 0x00281052: ("DS", "1000")}, alter=lambda s: (s - 2024) & 0xFFF)
    for name in ("left", "garbage", "signed"):
        (series,) = open_study(tmp_path / name).series
        assert_true(series.volume(), 16)
        assert not series.volume().caveats


def test_padding_is_marked_and_never_a_value(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    def pad(stored: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        out = stored - 1024
        out[:5, :7] = -2000
        return out

    changes = {0x00280103: ("US", 1), 0x00280101: ("US", 16), 0x00280102: ("US", 15), 0x00281052: ("DS", "0"), 0x00280120: ("SS", -2000)}
    dicom.series(tmp_path, changes=changes, alter=pad)
    volume = open_study(tmp_path).series[0].volume()
    assert volume.padding is not None
    assert volume.padding.sum() == 16 * 35
    assert volume.array.min() > 100
    assert_true(volume, 16)


def test_monochrome1_changes_the_display_and_not_the_values(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    dicom.series(tmp_path, changes={0x00280004: ("CS", "MONOCHROME1")})
    (series,) = open_study(tmp_path).series
    assert series.inverted
    assert_true(series.volume(), 16)


def test_one_slice_reads_alone_and_equals_the_volume(tmp_path: Path, dicom: Any) -> None:
    dicom.series(tmp_path)
    (series,) = open_study(tmp_path).series
    volume = series.volume()
    assert np.array_equal(series.source.read_slice(7), volume.array[7])
    assert series.source.read_picture(7).dtype == np.uint8
    assert series.volume() is volume
    with pytest.raises(UsageError, match="slice 16"):
        series.source.read_slice(16)


def test_an_enhanced_file_is_taken_apart_by_its_frames(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    order = [3, 0, 5, 1, 4, 2, 7, 6]
    shared = [{0x00289110: ("SQ", [{0x00280030: ("DS", "0.7\\0.8"), 0x00180050: ("DS", "2.5")}]),
               0x00209116: ("SQ", [{0x00200037: ("DS", "1\\0\\0\\0\\1\\0")}])}]
    frames, pixels = [], b""
    for k in order:
        slope = 1 + 0.5 * (k % 2)
        frames.append({
            0x00209113: ("SQ", [{0x00200032: ("DS", f"-20\\-14\\{30 + 2.5 * k}")}]),
            0x00289145: ("SQ", [{0x00281052: ("DS", "-1024"), 0x00281053: ("DS", f"{slope}"), 0x00281054: ("LO", "HU")}]),
        })
        pixels += dicom.words(dicom.stored((-20, -14, 30 + 2.5 * k), slope=slope))
    items = dicom.attributes(0) | dict.fromkeys((0x00200032, 0x00200037, 0x00280030, 0x00281052, 0x00281053, 0x00281054, 0x00180050))
    items |= {0x00080016: ("UI", CT_ENHANCED), 0x00280008: ("IS", "8"), 0x52009229: ("SQ", shared), 0x52009230: ("SQ", frames)}
    (tmp_path / "one").write_bytes(dicom.file(items, pixels))
    (series,) = open_study(tmp_path).series
    assert (series.frames, len(series.instances)) == (8, 1)
    assert_true(series.volume(), 8, tolerance=1.5)


CT_ENHANCED = "1.2.840.10008.5.1.4.1.1.2.1"


def test_archives_links_and_names_without_ending_are_read(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    source = tmp_path / "source"
    paths = dicom.series(source)
    study = tmp_path / "study"
    study.mkdir()
    with zipfile.ZipFile(study / "part.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths[:8]:
            archive.write(path, path.name)
        archive.writestr("../evil.dcm", b"x")
    for path in paths[8:]:
        (study / path.stem).symlink_to(path)
    (study / "loop").symlink_to(study)
    os.mkfifo(study / "pipe.dcm")
    (study / "gone.dcm").symlink_to(study / "nothing")
    opened = open_study(study)
    (series,) = opened.series
    assert_true(series.volume(), 16)
    reasons = " ".join(s.reason for s in opened.report.skipped)
    assert "points outside the archive" in reasons
    assert "is not a regular file" in reasons
    assert "points nowhere" in reasons
    assert opened.report.files_seen == opened.report.files_loaded + len(opened.report.set_apart) + len(opened.report.skipped)
    assert not (tmp_path / "evil.dcm").exists()


def test_a_zip_bomb_is_not_opened(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("IM001.dcm", bytes(200 << 20))
    study = open_study(tmp_path)
    assert not study.series
    assert "expands" in study.report.skipped[0].reason


def test_colour_pictures_and_foreign_objects_are_set_apart(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    dicom.series(tmp_path)
    rgb = dicom.attributes(40) | {0x00280002: ("US", 3), 0x00280004: ("CS", "RGB"), 0x00280006: ("US", 0), 0x00280100: ("US", 8),
                                  0x00280101: ("US", 8), 0x00280102: ("US", 7), 0x00200032: None}
    (tmp_path / "shot.dcm").write_bytes(dicom.file(rgb, bytes([200, 10, 30]) * (40 * 48)))
    report = dicom.attributes(41) | {0x00080016: ("UI", "1.2.840.10008.5.1.4.1.1.88.33"), 0x00080060: ("CS", "SR")}
    (tmp_path / "report.dcm").write_bytes(dicom.file(report, None))
    study = open_study(tmp_path)
    volume, picture = study.series
    assert_true(volume.volume(), 16)
    assert picture.refusal == "colour picture: no measurable values"
    assert picture.source.read_picture(0)[3, 3].tolist() == [200, 10, 30]
    assert [s.reason for s in study.report.set_apart] == ["report.dcm is a structured report: listed, not taken for an image"]
    with pytest.raises(UsageError, match="no volume"):
        picture.volume()


def test_the_json_of_a_scan_has_the_promised_shape(tmp_path: Path, dicom: Any) -> None:
    dicom.series(tmp_path)
    (tmp_path / "notes.txt").write_text("seen")
    scan = scan_to_json(open_study(tmp_path))
    (entry,) = scan["series"]
    assert set(entry) >= {
        "id", "series_uid", "study_uid", "frame_of_reference_uid", "number", "description", "modality", "role", "role_confidence",
        "role_reason", "files", "frames", "rows", "columns", "is_volume", "shape_zyx", "spacing_xyz_mm", "origin_lps_mm",
        "direction_lps", "refusal", "warnings",
    }
    assert entry["shape_zyx"] == [16, 40, 48]
    assert entry["spacing_xyz_mm"] == pytest.approx([0.8, 0.7, 2.5])
    assert entry["origin_lps_mm"] == pytest.approx([-20, -14, 30])
    assert entry["direction_lps"] == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert scan["skipped"] == [{"path": str(tmp_path / "notes.txt"), "reason": "notes.txt is not DICOM"}]


def test_the_users_role_wins_and_ids_are_stable(tmp_path: Path, dicom: Any) -> None:
    dicom.series(tmp_path)
    study = open_study(tmp_path)
    assert study.series[0].role.role is Role.CT
    changed = with_role(study, study.series[0].id, Role.SECONDARY)
    assert (changed.series[0].role.role, changed.series[0].role.confidence) == (Role.SECONDARY, Confidence.CERTAIN)
    assert "was CT" in changed.series[0].role.reason
    assert [s.id for s in open_study(tmp_path).series] == [s.id for s in study.series]


def test_progress_is_told_and_reading_can_be_stopped(tmp_path: Path, dicom: Any) -> None:
    dicom.series(tmp_path)
    told: list[tuple[float, str]] = []
    open_study(tmp_path, progress=lambda fraction, text: told.append((fraction, text)))
    assert told[0][0] == 0
    assert told[-1][0] == 1
    with pytest.raises(CancelledError):
        open_study(tmp_path, should_stop=lambda: True)


def test_a_path_that_is_not_there_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="expected: a DICOM file, folder or zip archive"):
        open_study(tmp_path / "nothing")


def test_a_dicomdir_is_compared_with_its_folder(tmp_path: Path, dicom: Any, assert_true: Check) -> None:
    dicom.series(tmp_path, count=5)
    names = ["IM001.dcm", "IM002.dcm", "GONE", "..\\..\\etc\\passwd"]
    records = [{0x00041430: ("CS", "IMAGE"), 0x00041500: ("CS", name)} for name in names]
    body = dicom.element(0x00041220, "SQ", records)
    meta = dicom.elements({0x00020002: ("UI", "1.2.840.10008.1.3.10"), 0x00020010: ("UI", "1.2.840.10008.1.2.1")})
    head = bytes(128) + b"DICM" + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(meta)) + meta
    (tmp_path / "DICOMDIR").write_bytes(head + body)
    for path in (tmp_path, tmp_path / "DICOMDIR"):
        study = open_study(path)
        assert_true(study.series[0].volume(), 5)
        assert "DICOMDIR names 1 files outside its folder: left out" in study.report.notes
        assert "DICOMDIR names 1 files that are not there and misses 3 that are; the folder itself was read" in study.report.notes
        assert study.report.set_apart[0].reason.startswith("DICOMDIR is a DICOMDIR")
