"""What every test may lean on: where real DICOM lies, and phantom studies that are written once."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from pathlib import Path

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parents[1]

# A shared two-core machine may be slow at any moment; the same examples every time keep failures repeatable.
settings.register_profile("neuraxis", deadline=None, derandomize=True, database=None)
settings.load_profile("neuraxis")


@pytest.fixture(scope="session")
def shared_real() -> Path:
    """The folder of real DICOM beside the checkout; skips where it is absent, fails where CI says it must be there."""
    folder = REPOSITORY.parent / "shared" / "real"
    if not folder.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"real DICOM must be present in CI: {folder} is missing")
        pytest.skip("real DICOM (../shared/real) is not on this machine")
    return folder


def phantom_study(case: str, seed: int = 0) -> Path:
    """A phantom study of the present phantom source, from the build folder or written there now.

    Two test processes may ask at once: the first takes a lock file, the other waits.
    """
    source = REPOSITORY / "sample_data" / "neuraxis_phantom"
    digest = hashlib.sha256()
    for file in sorted(f for f in source.rglob("*") if f.is_file() and f.suffix != ".pyc"):
        digest.update(file.read_bytes())
    folder = REPOSITORY / "build" / "samples" / digest.hexdigest()[:16] / f"{case}-{seed}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = folder.with_suffix(".lock")
    deadline = time.monotonic() + 280
    while not (folder / "truth.json").is_file():
        try:
            handle = os.open(lock, os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            if time.monotonic() > deadline or time.time() - lock.stat().st_mtime > 280:
                lock.unlink(missing_ok=True)
            time.sleep(0.5)
            continue
        try:
            _write_sample(case, seed, folder)
        finally:
            os.close(handle)
            lock.unlink(missing_ok=True)
    return folder


def _write_sample(case: str, seed: int, folder: Path) -> None:
    from neuraxis_phantom import write_case

    if (folder / "truth.json").is_file():
        return
    unfinished = folder.with_suffix(".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    write_case(case, unfinished, seed=seed)
    unfinished.replace(folder)


@pytest.fixture(scope="session")
def capnon_folder() -> Path:
    """The CAPNON sample study; read-only for tests."""
    return phantom_study("capnon")


@pytest.fixture(scope="session")
def meningioma_folder() -> Path:
    """The calcified meningioma sample; read-only for tests."""
    return phantom_study("meningioma_calcified")


@pytest.fixture(scope="session")
def schwannoma_folder() -> Path:
    """The schwannoma sample; read-only for tests."""
    return phantom_study("schwannoma")
