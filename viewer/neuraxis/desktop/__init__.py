"""The workstation window of its own."""

from __future__ import annotations


def run(path: str | None, study: str | None = None) -> int:
    """Open the window, on a study or a case where a path is given; `study` is where the study of a case lies now.

    Returns the exit code when it is closed.
    """
    from neuraxis.desktop.launch import launch

    return launch(path, study)


__all__ = ["run"]
