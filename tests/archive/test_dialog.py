"""The archive dialog, driven by a user: search, retrieve and open, send, stop; errors are told in it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from tests.archive.conftest import PASSWORD, STUDY, USER, Behaviour, Orthanc, WebServer, by_uid

from neuraxis.app.archive import find, push, series_of
from neuraxis.app.archive_entries import ArchiveEntry, archives_file
from neuraxis.desktop.window import WorkstationWindow
from neuraxis.interop.archive.query import StudyQuery
from neuraxis.ui.archive_dialog import ArchiveDialog
from neuraxis.ui.archive_forms import ArchiveForm, SignIn, SignInForm

pytestmark = pytest.mark.gui
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def window(qtbot: Any, flush_deleted: None) -> Iterator[WorkstationWindow]:
    made = WorkstationWindow(remember=False)
    qtbot.addWidget(made)
    made.show()
    yield made
    made.close()


@pytest.fixture
def dialog(window: WorkstationWindow) -> ArchiveDialog:
    window.show_archive()
    assert window.archive is not None
    return window.archive


def click(button: Any) -> None:
    assert button.isEnabled()
    QTest.mouseClick(button, LEFT)


def finished(dialog: ArchiveDialog, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: not dialog.session.jobs.jobs and dialog.search_button.isEnabled(), timeout=60_000)


@pytest.mark.slow
def test_a_study_is_found_retrieved_opened_and_what_was_made_of_it_is_sent(
    dialog: ArchiveDialog, window: WorkstationWindow, orthanc: Orthanc, study_folder: Path, tmp_path: Path, qtbot: Any
) -> None:
    push(orthanc.web, [study_folder], credentials=orthanc.credentials)
    assert not dialog.search_button.isEnabled()
    form = ArchiveForm(dialog)
    form.name.setText("ours")
    form.url.setText(orthanc.web.url)
    dialog.add_archive(form.entry)
    click(dialog.search_button)
    finished(dialog, qtbot)
    assert "refuses a request without credentials" in dialog.status.text()
    assert "What to do" in dialog.status.text()

    signing = SignInForm("ours", dialog)
    signing.user.setText(USER)
    QTest.keyClicks(signing.secret, PASSWORD)
    assert signing.secret.displayText() != PASSWORD
    dialog.sign_in(signing.entered)
    dialog.form.patient_name.setText("Mül")
    click(dialog.search_button)
    finished(dialog, qtbot)
    assert dialog.results.topLevelItemCount() == 1
    dialog.results.topLevelItem(0).setSelected(True)
    assert dialog.results.chosen_study == STUDY
    dialog.retrieve(tmp_path)
    finished(dialog, qtbot)
    qtbot.waitUntil(lambda: window.session.study is not None and not window.session.jobs.jobs, timeout=60_000)
    assert by_uid(tmp_path / STUDY) == by_uid(study_folder)

    click(dialog.send_button)
    finished(dialog, qtbot)
    assert "nothing that could be sent" in dialog.status.text()
    series = next(s for s in window.session.series if s.is_volume)
    window.session.toggle_key_image(series.id, (3, 0))
    click(dialog.send_button)
    finished(dialog, qtbot)
    assert "1 objects were sent and read back equal" in dialog.status.text()
    assert "KO" in {s.modality for s in series_of(orthanc.dimse, STUDY)}
    (match,) = find(orthanc.web, StudyQuery(study_uid=STUDY), credentials=orthanc.credentials)
    assert "KO" in match.modalities
    kept = archives_file().read_text()
    assert "ours" in kept
    assert PASSWORD not in kept
    assert USER not in kept


def test_a_search_can_be_stopped_while_the_archive_is_silent(
    dialog: ArchiveDialog, serve: Callable[[Behaviour], WebServer], qtbot: Any
) -> None:
    web = serve(lambda _handler: time.sleep(8))
    dialog.add_archive(ArchiveEntry(name="silent", url=web.entry.url))
    click(dialog.search_button)
    assert dialog.stop_button.isVisible()
    assert not dialog.search_button.isEnabled()
    qtbot.waitUntil(lambda: len(web.asked) == 1, timeout=30_000)
    click(dialog.stop_button)
    finished(dialog, qtbot)
    assert "Stopped" in dialog.status.text()
    assert not dialog.stop_button.isVisible()


def test_a_wrong_date_or_address_is_told_and_nothing_is_contacted(
    dialog: ArchiveDialog, serve: Callable[[Behaviour], WebServer], qtbot: Any
) -> None:
    web = serve(lambda _handler: None)
    dialog.add_archive(ArchiveEntry(name="far", url="http://archive.example/dw"))
    assert "is not encrypted" in dialog.status.text()
    dialog.add_archive(ArchiveEntry(name="near", url=web.entry.url))
    dialog.form.from_date.setText("yesterday")
    dialog.sign_in(SignIn("a", "b", keep=False))
    click(dialog.search_button)
    finished(dialog, qtbot)
    assert "'yesterday' is no date" in dialog.status.text()
    assert web.asked == []


def test_a_secret_that_no_keyring_takes_is_told(
    dialog: ArchiveDialog, serve: Callable[[Behaviour], WebServer], qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring = pytest.importorskip("keyring")
    from keyring.backends.fail import Keyring

    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())  # type: ignore[no-untyped-call]
    try:
        dialog.add_archive(ArchiveEntry(name="near", url=serve(lambda _handler: None).entry.url))
        dialog.sign_in(SignIn("reader", PASSWORD, keep=True))
        finished(dialog, qtbot)
    finally:
        keyring.set_keyring(before)
    assert "keyring cannot be used here" in dialog.status.text()
    assert PASSWORD not in dialog.status.text()
    assert PASSWORD not in str(dict(os.environ))
