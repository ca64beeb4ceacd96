"""The workstation window of its own."""

from __future__ import annotations


def run(path: str | None) -> int:
    """Open the window, on a study where a path is given; returns the exit code when it is closed."""
    from neuraxis.desktop.launch import launch

    return launch(path)


__all__ = ["run"]
