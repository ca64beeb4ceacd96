"""What the window asks about exchange: which objects come in, where the case or a study without identifiers goes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog

from neuraxis.ui.texts import say

if TYPE_CHECKING:
    from neuraxis.desktop.window import WorkstationWindow


def ask_objects(window: WorkstationWindow) -> None:
    """Ask for SEG, SR, RT structure sets, registrations or key images, and take them into the case."""
    if _has_study(window):
        names, _ = QFileDialog.getOpenFileNames(window, say("exchange_dialogs.objects_to_take_in"))
        if names:
            window.session.take_in([Path(n) for n in names])


def ask_case_folder(window: WorkstationWindow) -> None:
    """Ask for a folder and write the whole case there."""
    if _has_study(window):
        folder = QFileDialog.getExistingDirectory(window, say("exchange_dialogs.folder_for_the_case"))
        if folder:
            window.session.write_case(Path(folder))


def ask_deidentified_folder(window: WorkstationWindow) -> None:
    """Ask for an empty folder and write study and case there without identifiers."""
    if _has_study(window):
        folder = QFileDialog.getExistingDirectory(window, say("exchange_dialogs.empty_folder_for_the"))
        if folder:
            window.session.deidentify(Path(folder))


def _has_study(window: WorkstationWindow) -> bool:
    if window.session.study is None:
        window.session.post_notice(say("case_dialogs.no_study_is_open"))
        return False
    return True
