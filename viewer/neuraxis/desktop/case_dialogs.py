"""What the window asks about the case: another file for it, the folder of its study, whether to lose unsaved work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog, QMessageBox

from neuraxis.app.case_opening import SUFFIX
from neuraxis.ui.texts import say

if TYPE_CHECKING:
    from neuraxis.desktop.window import WorkstationWindow


def ask_save_case_as(window: WorkstationWindow) -> None:
    """Ask for a new file; the case goes on there."""
    if window.session.study is None:
        window.session.post_notice(say("case_dialogs.no_study_is_open"))
        return
    name, _ = QFileDialog.getSaveFileName(
        window, say("case_dialogs.save_case_as"), f"case{SUFFIX}", say("case_dialogs.neuraxis_cases", suffix=SUFFIX),
        options=QFileDialog.Option.DontConfirmOverwrite
    )
    if name:
        path = Path(name)
        window.session.save_case_as(path if path.suffix else path.with_suffix(SUFFIX))


def ask_study_of_case(window: WorkstationWindow, case: str, why: str) -> None:
    """Ask where the study of a case lies now, and open both."""
    folder = QFileDialog.getExistingDirectory(window, say("case_dialogs.where_is_it", why=why))
    if folder:
        window.session.open(case, study=folder)
    else:
        window.session.post_notice(say("case_dialogs.open_the_case_again", why=why))


def may_lose_work(window: WorkstationWindow) -> bool:
    """Whether the study may be let go. What is in its case is safe; a person is asked where something is not."""
    session = window.session
    session.flush()
    if not window.ask_before_losing or not session.has_unsaved_work:
        return True
    answer = QMessageBox.question(
        window, "Neuraxis", say("case_dialogs.the_last_steps_on", saving=session.saving)
    )
    return bool(answer == QMessageBox.StandardButton.Yes)
