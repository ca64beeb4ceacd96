"""Optional parts: a missing one names the feature and what installs it."""

from __future__ import annotations

from importlib.util import find_spec

from neuraxis.errors import NeuraxisError


def require_desktop() -> None:
    """Raise NeuraxisError where the window's packages are not installed."""
    missing = [name for name in ("qtpy", "superqt", "napari") if find_spec(name) is None]
    if missing:
        raise NeuraxisError(
            f"the viewer needs {', '.join(missing)}", expected="the desktop extra",
            remedy='pip install "neuraxis[desktop]"',
        )
