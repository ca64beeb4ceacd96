"""The sample studies, written once into the user's cache."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def sample_folder(case: str) -> Path:
    """Where a sample study of this version is kept."""
    from platformdirs import user_cache_path

    from neuraxis import __version__

    return Path(user_cache_path("neuraxis", appauthor=False)) / f"sample-{__version__}" / case


def write_sample(case: str, folder: Path, report: Callable[[float, str], None]) -> Path:
    """Write a sample study unless it is there; progress goes to `report`, which may stop it."""
    from neuraxis_phantom import write_case

    if not (folder / "truth.json").is_file():
        folder.parent.mkdir(parents=True, exist_ok=True)
        write_case(case, folder, seed=0, progress=report)
    return folder
