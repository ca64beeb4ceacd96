"""A window system for the tests of widgets; in CI its absence is a failure, elsewhere a reason to skip."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

SCREENSHOTS = ROOT / "build" / "screenshots"


def has_display() -> bool:
    """Whether a window can be opened."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@pytest.fixture(autouse=True)
def window_system(request: pytest.FixtureRequest) -> None:
    """Skip or fail tests marked `gui` where there is no display."""
    if request.node.get_closest_marker("gui") is not None and not has_display():
        if os.environ.get("CI"):
            pytest.fail("no display: run the tests under xvfb-run")
        pytest.skip("no display")


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of the tests stay out of the user's."""
    monkeypatch.setenv("NEURAXIS_SETTINGS", str(tmp_path / "settings.json"))


@pytest.fixture
def flush_deleted(qapp: Any) -> Iterator[None]:
    """Widgets that were thrown away are really gone after the test."""
    yield
    from qtpy.QtCore import QCoreApplication, QEvent

    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    qapp.processEvents()


def save_screen(widget: Any, name: str) -> Path:
    """Keep a picture of a widget under build/screenshots."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    path = SCREENSHOTS / f"{name}.png"
    widget.grab().save(str(path))
    return path
