"""Messages with what was found, expected and what to do; and the progress of background work with a way to stop it."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from neuraxis.app.open_study import Message
from neuraxis.app.session import StudySession
from neuraxis.ui.connections import Connections
from neuraxis.ui.texts import say


class MessageBar(QFrame):
    """The last message, until it is dismissed. Errors and notices differ in icon and word, not in colour alone."""

    def __init__(self, session: StudySession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("messageBar")
        self.message: Message | None = None
        self._text = QLabel(self)
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        close = QToolButton(self)
        close.setText("✕")
        close.setToolTip(say("message_bar.dismiss_this_message"))
        close.setAccessibleName(say("message_bar.dismiss_message"))
        close.clicked.connect(self.dismiss)
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 6, 6, 6)
        row.addWidget(self._text, 1)
        row.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        self.hide()
        self._links = Connections(self)
        self._links.connect(session.message_posted, self.show_message)
        self._links.connect(session.volume_failed, self._on_failed)

    def detach(self) -> None:
        """Stop listening."""
        self._links.release()

    @property
    def text(self) -> str:
        """What is shown."""
        return str(self._text.text())

    def show_message(self, message: Any) -> None:
        """Show a `Message`."""
        self.message = message
        lines = [say("message_bar.error" if message.is_error else "message_bar.note", text=message.text)]
        if message.expected:
            lines.append(say("message_bar.expected", expected=message.expected))
        if message.remedy:
            lines.append(say("message_bar.what_to_do", remedy=message.remedy))
        self._text.setText("\n".join(lines))
        edge = "#d55e00" if message.is_error else "#56b4e9"
        self.setStyleSheet(f"#messageBar {{ border-left: 5px solid {edge}; background: palette(alternate-base); }}")
        self.show()

    def _on_failed(self, _series_id: str, message: Any) -> None:
        self.show_message(message)

    def dismiss(self) -> None:
        """Take the message away."""
        self.message = None
        self.hide()


class ProgressLine(QWidget):
    """The first of the running jobs with its progress, how many wait, and a stop button."""

    def __init__(self, session: StudySession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._label = QLabel(self)
        self._label.setTextFormat(Qt.TextFormat.PlainText)
        self._bar = QProgressBar(self)
        self._bar.setFixedWidth(140)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(say("message_bar.progress"))
        self._stop = QPushButton(say("message_bar.stop"), self)
        self._stop.setToolTip(say("message_bar.stop_all_background_work"))
        self._stop.clicked.connect(self.stop_all)
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 0, 4, 0)
        row.addWidget(self._label)
        row.addWidget(self._bar)
        row.addWidget(self._stop)
        self._timer = self.startTimer(150)
        self._links = Connections(self)
        self._links.connect(session.jobs.changed, self.refresh)
        self.refresh()

    def detach(self) -> None:
        """Stop listening."""
        self.killTimer(self._timer)
        self._links.release()

    def timerEvent(self, _event: Any) -> None:
        """Progress is written by another thread; it is read here."""
        if self._session.jobs.jobs:
            self.refresh()

    def refresh(self) -> None:
        """Show what runs now."""
        jobs = [j for j in self._session.jobs.jobs if not j.is_cancelled]
        for widget in (self._label, self._bar, self._stop):
            widget.setVisible(bool(jobs))
        if not jobs:
            return
        job = next((j for j in jobs if j.fraction is not None), jobs[0])
        waiting = f"  (+{len(jobs) - 1})" if len(jobs) > 1 else ""
        detail = f": {job.detail}" if job.detail else ""
        self._label.setText(f"{job.title}{detail}{waiting}"[:90])
        if job.fraction is None:
            self._bar.setRange(0, 0)
        else:
            self._bar.setRange(0, 100)
            self._bar.setValue(round(100 * min(1.0, max(0.0, job.fraction))))

    def stop_all(self) -> None:
        """Cancel everything that runs or waits."""
        for job in self._session.jobs.jobs:
            job.cancel()
        self.refresh()
