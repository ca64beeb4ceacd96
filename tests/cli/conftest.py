"""The command line as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Run:
    """What one run of `neuraxis` gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Neuraxis = Callable[..., Run]


@pytest.fixture(scope="session")
def neuraxis() -> Neuraxis:
    """Run `neuraxis` with arguments in a process of its own; no traceback may ever appear."""

    def run(*arguments: str | Path, cwd: Path | None = None, stdin: str = "", preexec: Callable[[], None] | None = None) -> Run:
        done = subprocess.run(
            [sys.executable, "-m", "neuraxis.cli", *map(str, arguments)],
            capture_output=True, text=True, cwd=cwd, input=stdin, preexec_fn=preexec, check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Run(done.returncode, done.stdout, done.stderr)

    return run
