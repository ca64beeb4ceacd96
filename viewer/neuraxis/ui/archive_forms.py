"""Small forms of the archive dialog: how an archive is reached, and who signs in."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtWidgets import QCheckBox, QDialog, QDialogButtonBox, QFormLayout, QLineEdit, QWidget

from neuraxis.app.archive_entries import ArchiveEntry
from neuraxis.ui.texts import say


class ArchiveForm(QDialog):
    """Asks how an archive is reached; `entry` is what was entered."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(say("archive_forms.add_an_archive"))
        form = QFormLayout(self)
        self.name, self.url, self.host, self.port = (QLineEdit(self) for _ in range(4))
        self.aet, self.own_aet, self.ca_file = (QLineEdit(self) for _ in range(3))
        self.tls = QCheckBox(self)
        self.own_aet.setText(ArchiveEntry().own_aet)
        for text, field in (
            (say("archive_forms.name"), self.name), (say("archive_forms.web_address"), self.url),
            (say("archive_forms.or_host"), self.host), (say("archive_forms.port"), self.port),
            (say("archive_forms.aet"), self.aet), (say("archive_forms.own_aet"), self.own_aet),
            (say("archive_forms.tls"), self.tls), (say("archive_forms.ca_file"), self.ca_file),
        ):
            form.addRow(text, field)
            field.setAccessibleName(text)
        form.addRow(_buttons(self))
        self.resize(520, self.sizeHint().height())

    @property
    def entry(self) -> ArchiveEntry:
        """What was entered, unchecked."""
        port = self.port.text().strip()
        return ArchiveEntry(
            name=self.name.text().strip(), url=self.url.text().strip(), host=self.host.text().strip(),
            port=int(port) if port.isdecimal() else 0, aet=self.aet.text().strip(), own_aet=self.own_aet.text().strip(),
            tls=self.tls.isChecked(), ca_file=self.ca_file.text().strip(),
        )


@dataclass(frozen=True)
class SignIn:
    """What was entered to sign in."""

    user: str
    secret: str
    keep: bool


class SignInForm(QDialog):
    """Asks for a password or token; what is typed is not shown."""

    def __init__(self, archive: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(say("archive_forms.sign_in_to", archive=archive))
        form = QFormLayout(self)
        self.user, self.secret, self.keep = QLineEdit(self), QLineEdit(self), QCheckBox(self)
        self.secret.setEchoMode(QLineEdit.EchoMode.Password)
        for text, field in (
            (say("archive_forms.user"), self.user), (say("archive_forms.secret"), self.secret),
            (say("archive_forms.keep"), self.keep),
        ):
            form.addRow(text, field)
            field.setAccessibleName(text)
        form.addRow(_buttons(self))
        self.resize(460, self.sizeHint().height())

    @property
    def entered(self) -> SignIn:
        """User name, secret, and whether the keyring shall keep them."""
        return SignIn(self.user.text().strip(), self.secret.text(), self.keep.isChecked())


def _buttons(dialog: QDialog) -> QDialogButtonBox:
    box = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel, dialog)
    box.accepted.connect(dialog.accept)
    box.rejected.connect(dialog.reject)
    return box
