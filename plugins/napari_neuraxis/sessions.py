"""One study session for each napari viewer, shared by all of its dock widgets, and tied to its layers."""

from __future__ import annotations

from typing import Any

from neuraxis.app.case_opening import case_folder
from neuraxis.app.options import ReadingOptions
from neuraxis.app.session import StudySession
from neuraxis.ui.dispatch import GuiThread
from neuraxis.ui.layer_links import LayerLinks
from neuraxis.ui.texts import say


class ViewerSession:
    """A session with what ties it to its viewer."""

    def __init__(self, viewer: Any) -> None:
        self.gui_thread = GuiThread()
        self.session = StudySession(self.gui_thread.deliver)
        self.session.case_folder = case_folder()
        self.options = ReadingOptions()
        self.users = 0
        self.grid: Any = None
        """The reading grid of this viewer where its dock widget is open."""
        self.layers = LayerLinks(viewer, self.session, self.gui_thread.deliver)
        self.session.message_posted.connect(show_message)
        self.session.study_wanted.connect(self._tell_where)

    def _tell_where(self, _case: str, why: str) -> None:
        self.session.post_notice(say("case_dialogs.open_the_case_again", why=why))

    def close(self) -> None:
        """Stop all work and let go of the viewer."""
        self.layers.detach()
        self.session.message_posted.disconnect(show_message)
        self.session.close()


_sessions: dict[int, ViewerSession] = {}


def plain(viewer: Any) -> Any:
    """The viewer itself, where a plugin was given a proxy of it."""
    return getattr(viewer, "__wrapped__", viewer)


def acquire(viewer: Any, widget: Any) -> ViewerSession:
    """The session of a viewer for one of its dock widgets; it ends with the last of them."""
    key = id(plain(viewer))
    if key not in _sessions:
        _sessions[key] = ViewerSession(viewer)
    _sessions[key].users += 1
    widget.destroyed.connect(lambda: release(key))
    return _sessions[key]


def release(key: int) -> None:
    """One dock widget less."""
    known = _sessions.get(key)
    if known is not None:
        known.users -= 1
        if known.users == 0:
            del _sessions[key]
            known.close()


def show_message(message: Any) -> None:
    """A message of the session as a napari notification."""
    from napari.utils.notifications import show_error, show_info

    parts = [message.text]
    if message.expected:
        parts.append(say("sessions.expected", expected=message.expected))
    if message.remedy:
        parts.append(say("sessions.what_to_do", remedy=message.remedy))
    (show_error if message.is_error else show_info)(" ".join(parts))
