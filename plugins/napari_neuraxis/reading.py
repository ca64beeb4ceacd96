"""Reads what was dropped on napari, a folder or a file, as image layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from neuraxis.app.layers import LayerData, study_layers
from neuraxis.app.open_study import default_window
from neuraxis.domain.study import Study
from neuraxis.errors import NeuraxisError, ReadError
from neuraxis.ui.texts import say

Reader = Callable[[Any], list[LayerData]]
HEADER_BYTES = 132
FILE_SUFFIXES = (".dcm", ".ima", ".dicom", ".zip")
LOOKED_AT = 200
"""Files of a folder whose first bytes are looked at before it is left to other readers."""


def looks_like_dicom(path: Path) -> bool:
    """Whether a file has the DICOM prefix (PS3.10 7.1), or is a zip or DICOMDIR."""
    if path.suffix.lower() == ".zip" or path.name.upper() == "DICOMDIR":
        return True
    try:
        with path.open("rb") as file:
            return file.read(HEADER_BYTES)[128:] == b"DICM"
    except OSError:
        return False


def folder_has_dicom(folder: Path) -> bool:
    """Whether one of the first files in a folder or its sub-folders is DICOM."""
    looked = 0
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            if looks_like_dicom(path):
                return True
            looked += 1
            if looked >= LOOKED_AT:
                return False
    return False


def get_reader(path: str | Sequence[str]) -> Reader | None:
    """The reader for a path, or None where it holds no DICOM so that other plugins get it."""
    first = Path(path if isinstance(path, str) else path[0])
    if first.is_dir():
        return read_study if folder_has_dicom(first) else None
    fits = first.suffix.lower() in FILE_SUFFIXES or first.name.upper() == "DICOMDIR"
    return read_study if fits and looks_like_dicom(first) else None


def read_study(path: str | Sequence[str]) -> list[LayerData]:
    """Image layers of every volume under a path.

    The layers carry the study in their metadata, from where the dock widgets of the viewer take it.
    """
    from neuraxis.app.workup import open_input

    return layers_of(open_input(path if isinstance(path, str) else str(path[0])))


def layers_of(study: Study) -> list[LayerData]:
    """Image layers of a study, CT first.

    Raises
    ------
    ReadError
        When the study holds no volume; the message says why for the first series.
    """
    found, failed = [], []
    for series in sorted((s for s in study.series if s.is_volume), key=lambda s: s.modality != "CT"):
        try:
            volume = series.volume()
        except NeuraxisError as error:
            failed.append(f"{series.title}: {error.found}")
        else:
            found.append((series, volume, default_window(series, volume)))
    if not found:
        reasons = failed or [f"{s.title}: {s.refusal}" for s in study.series]
        raise ReadError(
            f"no series under {study.path} is a volume", expected="slices on a regular grid",
            remedy=f"first reason: {reasons[0]}" if reasons else "open a folder with DICOM images",
        )
    if failed:
        from napari.utils.notifications import show_warning

        show_warning(say("reading.not_read", series="; ".join(failed)))
    return study_layers(study, found)
