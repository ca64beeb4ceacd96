"""All keys and mouse buttons on one page."""

from __future__ import annotations

from html import escape

from qtpy.QtWidgets import QDialog, QDialogButtonBox, QTextBrowser, QVBoxLayout, QWidget

from neuraxis.app.commands import COMMANDS, MOUSE_SHEET, Command
from neuraxis.ui.texts import say


def key_sheet_html(commands: tuple[Command, ...] = COMMANDS) -> str:
    """The page: one table a group, three columns of tables of about the same length."""
    groups: dict[str, list[tuple[str, str]]] = {say("key_sheet.mouse"): list(MOUSE_SHEET)}
    for c in commands:
        groups.setdefault(c.group, []).append((", ".join(c.keys), c.text))
    columns: list[list[str]] = [[], [], []]
    lengths = [0, 0, 0]
    for name, rows in groups.items():
        shortest = lengths.index(min(lengths))
        lengths[shortest] += len(rows) + 3
        columns[shortest].append(
            f"<h3>{escape(name)}</h3><table cellpadding='2'>"
            + "".join(f"<tr><td><b>{escape(k)}</b></td><td>&nbsp;{escape(t)}</td></tr>" for k, t in rows)
            + "</table>"
        )
    cells = "".join(f"<td width='33%'>{''.join(blocks)}</td>" for blocks in columns)
    return f"<table width='100%'><tr>{cells}</tr></table>"


class KeySheet(QDialog):
    """The key sheet (F1)."""

    def __init__(self, commands: tuple[Command, ...] = COMMANDS, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(say("key_sheet.keys_and_mouse"))
        self.resize(1240, 780)
        page = QTextBrowser(self)
        page.setHtml(key_sheet_html(commands))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(page, 1)
        column.addWidget(buttons)
