"""What every test may lean on: where real DICOM lies, and phantom studies that are written once."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parents[1]

# Tests share made-up studies (`tests.app.synthetic_study`); importlib mode leaves the root off the path.
if str(REPOSITORY) not in sys.path:
    sys.path.insert(0, str(REPOSITORY))

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
    deadline = time.monotonic() + 840
    while not (folder / "truth.json").is_file():
        try:
            handle = os.open(lock, os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            if time.monotonic() > deadline or time.time() - lock.stat().st_mtime > 840:
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


@pytest.fixture(autouse=True)
def window_system(request: pytest.FixtureRequest) -> None:
    """Tests marked `gui` skip where there is no display, and fail in CI."""
    native = sys.platform in ("win32", "darwin")
    display = native or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    if request.node.get_closest_marker("gui") is not None and not display:
        if os.environ.get("CI"):
            pytest.fail("no display: run the tests under xvfb-run")
        pytest.skip("no display")


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings and cases of the tests stay out of the user's."""
    monkeypatch.setenv("NEURAXIS_SETTINGS", str(tmp_path / "settings.json"))
    monkeypatch.setenv("NEURAXIS_CASES", str(tmp_path / "cases"))


@pytest.fixture
def flush_deleted(qapp: Any) -> Iterator[None]:
    """Widgets that were thrown away are really gone after the test."""
    yield
    from qtpy.QtCore import QCoreApplication, QEvent

    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    qapp.processEvents()
