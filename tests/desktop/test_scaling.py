"""At 100, 150 and 200 %, light and dark: nothing is clipped, nothing lies over another text, everything can be read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.gui
PROGRAM = Path(__file__).with_name("scaled_window.py")
KEPT = Path(__file__).resolve().parents[2] / "build" / "screenshots"


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
def test_the_window_fits_at_every_scale_in_both_themes(scale: float) -> None:
    KEPT.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(KEPT)], capture_output=True, text=True, check=False, timeout=240,
        env={**os.environ, "QT_SCALE_FACTOR": str(scale)},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["scale"] == scale
    for name in ("dark", "light"):
        told = found[name]
        assert told["picture"] == [round(1500 * scale), round(950 * scale)]
        assert told["faint"] == [], name
        assert told["clipped"] == [], name
        assert told["overlaps"] == [], name
        assert told["panel"] < 20, "pictures stay on black in the light theme too"
