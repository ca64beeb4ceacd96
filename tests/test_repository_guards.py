"""The tools guard what they claim to guard."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def configuration() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_path_in_the_tool_configuration_exists(configuration: dict[str, Any]) -> None:
    tools = configuration["tool"]
    paths = [*tools["mypy"]["files"], *tools["mypy"]["mypy_path"], *tools["ruff"]["src"], *tools["pytest"]["ini_options"]["testpaths"]]
    paths += tools["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert [p for p in paths if not (ROOT / p).exists()] == []


def test_every_ignore_pattern_matches_a_file(configuration: dict[str, Any]) -> None:
    patterns = configuration["tool"]["ruff"]["lint"]["per-file-ignores"]
    assert [p for p in patterns if not any(ROOT.glob(p))] == []


def test_nothing_is_imported_through_its_source_root() -> None:
    assert "viewer" not in sys.modules
    assert "plugins" not in sys.modules
    assert "sample_data" not in sys.modules


def test_tests_are_no_package() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_the_lock_pins_hashes_and_names_no_index_or_host() -> None:
    lines = (ROOT / "requirements" / "lock.txt").read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if re.search(r"https?://|--(extra-)?index|--find-links", line)]
    pinned = [line for line in lines if re.match(r"^[A-Za-z0-9]", line)]
    assert pinned
    assert all("==" in line for line in pinned)
    assert sum("--hash=sha256:" in line for line in lines) >= len(pinned)


def test_the_command_line_starts_without_heavy_packages() -> None:
    code = "import sys, neuraxis.cli; print(sorted({m.split('.')[0] for m in sys.modules}))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"napari", "qtpy", "SimpleITK", "matplotlib", "highdicom", "pydicom", "skimage", "scipy"} & set(eval(out))


def test_no_tracked_file_names_this_machine() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    bad = []
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix in {".py", ".md", ".toml", ".txt", ".yaml", ".yml", ".json", ".csv"} and path.exists():
            text = path.read_text(encoding="utf-8", errors="replace")
            if re.search(r"(?<![\w.])/(root|work|home/\w+)/", text) and path.name != Path(__file__).name:
                bad.append(name)
    assert bad == []
