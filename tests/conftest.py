"""What every test may lean on: where real DICOM lies, and one phantom study a session."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_real() -> Path:
    """The folder of real DICOM beside the checkout; skips where it is absent, fails where CI says it must be there."""
    folder = REPOSITORY.parent / "shared" / "real"
    if not folder.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"real DICOM must be present in CI: {folder} is missing")
        pytest.skip("real DICOM (../shared/real) is not on this machine")
    return folder


@pytest.fixture(scope="session")
def capnon_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The CAPNON sample study, written once a session (or reused from NEURAXIS_TEST_SAMPLE)."""
    ready = os.environ.get("NEURAXIS_TEST_SAMPLE")
    if ready and (Path(ready) / "capnon" / "truth.json").is_file():
        return Path(ready) / "capnon"
    from neuraxis_phantom import write_case

    return write_case("capnon", tmp_path_factory.mktemp("sample") / "capnon", seed=0)
