"""Bad input and bad places for output: a clear message, exit 1, nothing half-written."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Neuraxis = Callable[..., Any]  # the fixture of conftest.py


@pytest.fixture(scope="module")
def thick_ct(capnon_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sample's thick CT series, which tests may spoil."""
    folders = sorted(p for p in capnon_folder.iterdir() if p.is_dir() and "ct" in p.name.lower())
    smallest = min(folders, key=lambda p: len(list(p.iterdir())))
    copy = tmp_path_factory.mktemp("thick") / "ct"
    shutil.copytree(smallest, copy)
    return copy


@pytest.fixture
def spoiled(thick_ct: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "ct"
    shutil.copytree(thick_ct, copy)
    return copy


def middle_file(folder: Path) -> Path:
    files = sorted(folder.iterdir())
    return files[len(files) // 2]


def test_a_truncated_file_costs_one_slice_and_is_named(neuraxis: Neuraxis, spoiled: Path) -> None:
    victim = middle_file(spoiled)
    victim.write_bytes(victim.read_bytes()[:-1000])
    run = neuraxis("scan", spoiled, "--json")
    assert run.code == 0
    assert [Path(s["path"]).name for s in run.json["skipped"]] == [victim.name]
    assert "pixel data" in run.json["skipped"][0]["reason"]


def test_a_text_file_named_dcm_is_listed_not_loaded(neuraxis: Neuraxis, spoiled: Path) -> None:
    (spoiled / "letter.dcm").write_text("Dear colleague")
    run = neuraxis("scan", spoiled, "--json")
    assert run.code == 0
    assert [Path(s["path"]).name for s in run.json["skipped"]] == ["letter.dcm"]
    assert len(run.json["series"]) == 1


def test_a_missing_slice_is_said_and_never_closed_up(neuraxis: Neuraxis, spoiled: Path) -> None:
    whole = neuraxis("scan", spoiled, "--json").json["series"][0]
    middle_file(spoiled).unlink()
    gappy = neuraxis("scan", spoiled, "--json").json["series"][0]
    assert "missing" in " ".join([*gappy["warnings"], gappy["refusal"] or ""])
    assert gappy["spacing_xyz_mm"] == whole["spacing_xyz_mm"]


def test_a_point_outside_the_volume_is_refused_with_the_bounds(neuraxis: Neuraxis, spoiled: Path) -> None:
    run = neuraxis("measure", spoiled, "--at", "900,0,0")
    assert run.code == 1
    assert "outside the volume" in run.err
    assert run.out == ""


def test_a_click_on_nothing_says_so(neuraxis: Neuraxis, spoiled: Path) -> None:
    low, high = _bounds(neuraxis, spoiled)
    corner = ",".join(str(a + 0.02 * (b - a)) for a, b in zip(low, high, strict=True))
    run = neuraxis("segment", spoiled, "--at", corner, "--to", spoiled.parent / "mask.nii.gz")
    assert run.code == 1
    assert len(run.err.strip().splitlines()) == 1
    assert not (spoiled.parent / "mask.nii.gz").exists()


def _bounds(neuraxis: Neuraxis, folder: Path) -> tuple[list[float], list[float]]:
    import numpy as np

    s = neuraxis("scan", folder, "--json").json["series"][0]
    end = np.array(s["origin_lps_mm"], dtype=float)
    for length, step, direction in zip(reversed(s["shape_zyx"]), s["spacing_xyz_mm"], s["direction_lps"], strict=True):
        end += (length - 1) * step * np.array(direction)
    return s["origin_lps_mm"], end.tolist()


def without_root_rights() -> None:
    """Root reads everything; dropping two capabilities from the bounding set makes file modes count again."""
    import ctypes

    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


def test_an_unreadable_folder_is_said(neuraxis: Neuraxis, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0)
    try:
        run = neuraxis("scan", locked, preexec=without_root_rights if os.geteuid() == 0 else None)
    finally:
        locked.chmod(0o755)
    assert run.code == 1
    assert "locked" in run.err


def test_a_full_disk_leaves_nothing_half_written(neuraxis: Neuraxis, spoiled: Path, tmp_path: Path) -> None:
    series = neuraxis("scan", spoiled, "--json").json["series"][0]["id"]
    out = tmp_path / "out" / "ct.npy"

    def small_files_only() -> None:
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    run = neuraxis("export", spoiled, "--series", series, "--to", out, preexec=small_files_only)
    assert run.code == 1
    assert "written" in run.err
    assert list(out.parent.glob("*")) == []


def test_a_read_only_place_is_named(neuraxis: Neuraxis, spoiled: Path) -> None:
    series = neuraxis("scan", spoiled, "--json").json["series"][0]["id"]
    run = neuraxis("export", spoiled, "--series", series, "--to", "/proc/nowhere/ct.nii.gz")
    assert run.code == 1
    assert "written" in run.err


def test_opening_a_folder_leaves_it_as_it_was(neuraxis: Neuraxis, spoiled: Path) -> None:
    import hashlib

    def state() -> dict[str, str]:
        return {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(spoiled.iterdir())}

    before = state()
    neuraxis("scan", spoiled)
    assert state() == before
