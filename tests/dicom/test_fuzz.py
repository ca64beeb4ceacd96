"""Whatever bytes a file holds: no crash, no hang, nothing unaccounted for, and never a wrong voxel in the other slices."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neuraxis.dicom import open_study
from neuraxis.dicom.byte_sources import MemorySource
from neuraxis.dicom.elements import DamagedFileError
from neuraxis.dicom.header_walk import walk_header
from neuraxis.dicom.nested import parse_items
from neuraxis.errors import NeuraxisError

COUNT, BAD = 6, 3
BOUNDED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], derandomize=True
)

EDIT = st.tuples(st.sampled_from(["flip", "cut", "insert", "zero", "double"]), st.floats(0, 1), st.binary(min_size=1, max_size=12))


def mutate(data: bytes, edits: list[tuple[str, float, bytes]], header: int) -> bytes:
    """Apply edits, most of them in the header, where they hurt."""
    out = bytearray(data)
    for kind, where, piece in edits:
        at = min(int(where * header * 1.1), max(len(out) - 1, 0))
        if kind == "flip":
            out[at : at + len(piece)] = piece
        elif kind == "cut":
            del out[at : at + len(piece) * 8]
        elif kind == "insert":
            out[at:at] = piece
        elif kind == "zero":
            out[at : at + 64] = bytes(len(out[at : at + 64]))
        else:
            out[at:at] = out[at : at + len(piece) * 16]
    return bytes(out)


def check_others(study: Any, dicom: Any) -> None:
    """Slices that were not touched lie where they should and hold what they should, in whatever volume they ended up."""
    good = {f"{dicom.uid}.3.{k + 1}": k for k in range(COUNT) if k != BAD}
    for series in study.series:
        if not series.is_volume:
            continue
        try:
            volume = series.volume()
        except NeuraxisError:
            continue
        for slot, uid in enumerate(volume.sop_instance_uids):
            if uid not in good or slot in volume.missing_slices:
                continue
            rows, columns = volume.array.shape[1:]
            if (rows, columns) != (dicom.rows, dicom.columns):
                continue
            y, x = np.mgrid[:rows, :columns]
            points = volume.geometry.lps_from_index(np.stack([np.full_like(y, slot), y, x], axis=-1))
            assert np.abs(points[0, 0] - (-20, -14, 30 + 2.5 * good[uid])).max() < 0.05
            assert np.abs(volume.array[slot] - dicom.truth(points)).max() < 2.1


@BOUNDED
@given(edits=st.lists(EDIT, min_size=1, max_size=4), encoding=st.sampled_from(["explicit", "implicit", "deflated"]))
def test_a_mutated_file_never_harms_the_others(
    edits: list[tuple[str, float, bytes]], encoding: str, tmp_path: Path, dicom: Any
) -> None:
    folder = tmp_path / "f"
    shutil.rmtree(folder, ignore_errors=True)
    dicom.explicit = encoding != "implicit"
    dicom.syntax = {"explicit": "1.2.840.10008.1.2.1", "implicit": "1.2.840.10008.1.2", "deflated": "1.2.840.10008.1.2.1.99"}[encoding]
    paths = dicom.series(folder, count=COUNT)
    data = paths[BAD].read_bytes()
    paths[BAD].write_bytes(mutate(data, edits, 900))
    start = time.monotonic()
    study = open_study(folder)
    assert time.monotonic() - start < 10
    report = study.report
    assert report.files_seen == COUNT == report.files_loaded + len(report.set_apart) + len(report.skipped)
    check_others(study, dicom)


@BOUNDED
@given(data=st.binary(max_size=600))
def test_any_bytes_behind_a_right_start_end_in_a_reason(data: bytes) -> None:
    head = bytes(128) + b"DICM" + b"\x02\x00\x10\x00UI\x14\x001.2.840.10008.1.2.1\0"
    for source in (MemorySource(head + data), MemorySource(data)):
        with contextlib.suppress(DamagedFileError):
            header, _ = walk_header(source)
            assert header.pixel_offset <= source.size
    with contextlib.suppress(DamagedFileError):
        parse_items(data, explicit=True, big=False)
        parse_items(b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + data, explicit=False, big=False)


@BOUNDED
@given(keep=st.sets(st.integers(0, 9), min_size=4), seed=st.randoms(use_true_random=False))
def test_losing_or_shuffling_slices_never_moves_the_others(keep: set[int], seed: Any, tmp_path: Path, dicom: Any) -> None:
    folder = tmp_path / "f"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    names = list(range(10))
    seed.shuffle(names)
    for k in keep:
        (folder / f"{names[k]:02d}").write_bytes(dicom.slice(k))
    study = open_study(folder)
    seen = 0
    for series in study.series:
        volume = series.volume()
        for slot, uid in enumerate(volume.sop_instance_uids):
            if not uid:
                continue
            seen += 1
            k = int(uid.rsplit(".", 1)[1]) - 1
            z = volume.geometry.lps_from_index((slot, 0, 0))[2]
            if volume.caveats and any("resampled" in c for c in volume.caveats):
                continue
            assert z == pytest.approx(30 + 2.5 * k, abs=1e-6)
    assert seen or any("resampled" in w for s in study.series for w in s.warnings)


def test_two_differing_files_with_one_uid_and_bits_above_bits_stored_are_named(tmp_path: Path, dicom: Any) -> None:
    """Found by fuzzing: comparing the two pictures asked for a decision that only a whole series can make."""
    dicom.series(tmp_path, count=4)
    twin = dicom.slice(1, {0x00280101: ("US", 8), 0x00280102: ("US", 7)}, alter=lambda stored: stored + 300)
    (tmp_path / "twin").write_bytes(twin)
    study = open_study(tmp_path)
    assert study.report.files_seen == 5
    assert any("carry the same UID but differ: none was chosen" in w for s in study.series for w in s.warnings)


@pytest.mark.parametrize("tag", [0x00180012, 0x00283000, 0x00409096])
def test_a_slice_with_a_damaged_sequence_is_left_out_and_the_others_are_read(tag: int, tmp_path: Path, dicom: Any) -> None:
    """Found by fuzzing: sequences are kept as bytes and were looked into only when the whole series was judged."""
    paths = dicom.series(tmp_path, count=COUNT)
    # an item whose only element claims more bytes than the item has
    item = b"\xfe\xff\x00\xe0\x0a\x00\x00\x00" + b"\x08\x00\x00\x01SH\xf0\x00ab"
    paths[BAD].write_bytes(dicom.slice(BAD, {tag: ("SQ", item)}))
    study = open_study(tmp_path)
    assert [Path(s.path).name for s in study.report.skipped] == [paths[BAD].name]
    assert "damaged" in study.report.skipped[0].reason
    assert study.report.files_loaded == COUNT - 1
    check_others(study, dicom)
    assert study.series[0].volume().refused_slices == (BAD,)


def enhanced(dicom: Any, per_frame: bytes | list[Any]) -> bytes:
    """An enhanced CT of two frames with these functional groups."""
    items = dicom.attributes(0) | {0x00280008: ("IS", "2"), 0x00200032: None, 0x52009230: ("SQ", per_frame)}
    return bytes(dicom.file(items, bytes(4 * dicom.rows * dicom.columns)))


def test_a_multi_frame_file_with_damaged_frame_descriptions_is_counted_once(tmp_path: Path, dicom: Any) -> None:
    """Found by fuzzing: it was counted as loaded and as left out."""
    (tmp_path / "e").write_bytes(enhanced(dicom, b"\xfe\xff\x00\xe0\x0a\x00\x00\x00" + b"\x20\x00\x13\x91SQ\xf0\x00ab"))
    report = open_study(tmp_path).report
    assert (report.files_seen, report.files_loaded, len(report.skipped)) == (1, 0, 1)


def test_frame_descriptions_that_contradict_the_pixels_refuse_the_file(tmp_path: Path, dicom: Any) -> None:
    frame = {0x00209113: ("SQ", [{0x00200032: ("DS", "-20\\-14\\30"), 0x00280101: ("US", 17)}])}
    (tmp_path / "e").write_bytes(enhanced(dicom, [frame, frame]))
    study = open_study(tmp_path)
    assert not study.series
    assert "contradict each other" in study.report.skipped[0].reason


def test_slices_of_another_size_with_and_without_a_place_are_left_out(tmp_path: Path, dicom: Any) -> None:
    """Found by fuzzing: one of the odd slices had a position and the next one none."""
    dicom.series(tmp_path, count=30)
    dicom.rows = 20
    (tmp_path / "odd1").write_bytes(dicom.slice(40, position=(-20, -14, 31)))
    (tmp_path / "odd2").write_bytes(dicom.slice(41, {0x00200032: None}))
    study = open_study(tmp_path)
    report = study.report
    assert report.files_seen == 32 == report.files_loaded + len(report.set_apart) + len(report.skipped)
    assert next(s for s in study.series if s.is_volume).volume().array.shape == (30, 40, 48)


def test_an_uneven_series_of_which_too_little_can_be_decoded_is_refused(tmp_path: Path, dicom: Any) -> None:
    """Found by fuzzing: every slice of the regular grid lacked one of the two slices that it is computed from."""
    dicom.syntax = "1.2.840.10008.1.2.5"
    for k, z in enumerate((30.0, 32.5, 35.9, 37.7, 41.0, 43.5)):
        junk = dicom.encapsulated([bytes(64) if k != 2 else rle(dicom.stored((-20, -14, z)))])
        (tmp_path / f"{k}").write_bytes(dicom.slice(k, position=(-20, -14, z), pack=lambda stored, junk=junk: junk))
    (series,) = open_study(tmp_path).series
    assert any("resampled" in w for w in series.warnings)
    with pytest.raises(NeuraxisError, match="damaged"):
        series.volume()


def test_a_repeat_a_hair_beside_its_slice_is_at_the_same_place(tmp_path: Path, dicom: Any) -> None:
    """Found by fuzzing: 0.003 mm beside each other were two places at one depth, and the volume between them had no numbers."""
    dicom.series(tmp_path, count=6)
    (tmp_path / "twin").write_bytes(dicom.slice(20, position=(-20, -14.003, 35), alter=lambda stored: stored + 500))
    study = open_study(tmp_path)
    check_others(study, dicom)
    assert any("same position" in w for s in study.series for w in s.warnings)
    for series in study.series:
        if series.is_volume:
            assert np.isfinite(series.volume().array).all()


def rle(stored: Any) -> bytes:
    """A frame in DICOM RLE, literal runs only."""
    planes = []
    for shift in (8, 0):
        raw = ((stored >> shift) & 255).astype(np.uint8).tobytes()
        packed = b"".join(bytes([len(raw[i : i + 128]) - 1]) + raw[i : i + 128] for i in range(0, len(raw), 128))
        planes.append(packed + b"\0" * (len(packed) % 2))
    offsets = [2, 64, 64 + len(planes[0]), *[0] * 13]
    return b"".join(n.to_bytes(4, "little") for n in offsets) + planes[0] + planes[1]


def test_some_thousand_mutants_are_read_without_a_find(tmp_path: Path) -> None:
    program = Path(__file__).resolve().parents[1] / "fuzz" / "fuzz_reader.py"
    done = subprocess.run(
        [sys.executable, str(program), "--inputs", "3000", "--seconds", "30", "--seed", "11", "--finds", str(tmp_path)],
        capture_output=True, text=True, timeout=120, check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 finds" in done.stdout
