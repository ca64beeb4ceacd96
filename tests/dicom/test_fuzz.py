"""Whatever bytes a file holds: no crash, no hang, nothing unaccounted for, and never a wrong voxel in the other slices."""

from __future__ import annotations

import contextlib
import shutil
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
