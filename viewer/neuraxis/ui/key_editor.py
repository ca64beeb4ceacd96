"""Every command with its keys, to be changed; two commands on one key are shown and cannot be kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QHeaderView,
    QKeySequenceEdit,
    QLabel,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from neuraxis.app.commands import COMMANDS, Command, command, key_clashes
from neuraxis.ui.texts import say

_ID = Qt.ItemDataRole.UserRole


class KeyEditor(QDialog):
    """Choose a command, press the key it shall have.

    Signals
    -------
    keys_chosen(tuple of Command) : kept by the user, without clashes
    """

    keys_chosen = Signal(object)

    def __init__(self, commands: tuple[Command, ...] = COMMANDS, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(say("key_editor.change_keys"))
        self.resize(620, 640)
        self.commands = {c.id: c for c in commands}
        self.tree = QTreeWidget(self)
        self.tree.setHeaderLabels([say("key_editor.command"), say("key_editor.keys")])
        self.tree.setAccessibleName(say("key_editor.commands_and_their_keys"))
        self.tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.tree.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.tree.header().setStretchLastSection(False)
        self.tree.currentItemChanged.connect(self._chosen)
        self.edit = QKeySequenceEdit(self)
        self.edit.setAccessibleName(say("key_editor.new_key"))
        if hasattr(self.edit, "setMaximumSequenceLength"):
            self.edit.setMaximumSequenceLength(1)
        self.edit.editingFinished.connect(self._typed)
        self.clash = QLabel(self)
        self.clash.setWordWrap(True)
        row = QHBoxLayout()
        row.addWidget(QLabel(say("key_editor.new_key_2"), self))
        row.addWidget(self.edit, 1)
        for text, tip, does in (
            (say("key_editor.no_key"), say("key_editor.the_command_keeps_no"), lambda: self.set_keys(self.current_id, ())),
            (say("key_editor.as_it_was"), say("key_editor.the_keys_that_the"), self._reset_one),
            (say("key_editor.all_as_they_were"), say("key_editor.all_keys_that_the"), self.reset_all),
        ):
            button = QPushButton(text, self)
            button.setToolTip(tip)
            button.setAutoDefault(False)
            button.clicked.connect(lambda _checked=False, d=does: d())
            row.addWidget(button)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.buttons.accepted.connect(self._keep)
        self.buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(self.tree, 1)
        column.addLayout(row)
        column.addWidget(self.clash)
        column.addWidget(self.buttons)
        self._items: dict[str, QTreeWidgetItem] = {}
        self._fill()
        self._tell_clashes()

    def _fill(self) -> None:
        groups: dict[str, QTreeWidgetItem] = {}
        for c in self.commands.values():
            if c.group not in groups:
                groups[c.group] = QTreeWidgetItem([c.group])
                groups[c.group].setFlags(Qt.ItemFlag.ItemIsEnabled)
                self.tree.addTopLevelItem(groups[c.group])
                groups[c.group].setExpanded(True)
            item = QTreeWidgetItem([c.text, ", ".join(c.keys)])
            item.setData(0, _ID, c.id)
            groups[c.group].addChild(item)
            self._items[c.id] = item

    @property
    def current_id(self) -> str:
        """Id of the chosen command, or ''."""
        item = self.tree.currentItem()
        return str(item.data(0, _ID) or "") if item is not None else ""

    def choose(self, command_id: str) -> None:
        """Choose a command in the list."""
        self.tree.setCurrentItem(self._items[command_id])

    def _chosen(self, _item: Any, _before: Any) -> None:
        self.edit.clear()

    def _typed(self) -> None:
        key = self.edit.keySequence().toString(QKeySequence.SequenceFormat.PortableText)
        if key and self.current_id:
            self.set_keys(self.current_id, (key,))
        self.edit.clear()

    def set_keys(self, command_id: str, keys: tuple[str, ...]) -> None:
        """Give a command other keys."""
        if command_id in self.commands:
            self.commands[command_id] = replace(self.commands[command_id], keys=keys)
            self._items[command_id].setText(1, ", ".join(keys))
            self._tell_clashes()

    def _reset_one(self) -> None:
        if self.current_id:
            self.set_keys(self.current_id, command(self.current_id).keys)

    def reset_all(self) -> None:
        """The keys that the program comes with."""
        for c in COMMANDS:
            self.set_keys(c.id, c.keys)

    def _tell_clashes(self) -> None:
        clashes = key_clashes(self.commands.values())
        involved = {i for ids in clashes.values() for i in ids}
        for command_id, item in self._items.items():
            keys = ", ".join(self.commands[command_id].keys)
            item.setText(1, f"⚠ {keys}" if command_id in involved else keys)
        told = [
            say("key_editor.stands_for", key=key) + ", ".join(self.commands[i].text for i in ids) for key, ids in clashes.items()
        ]
        self.clash.setText("\n".join(told) or say("key_editor.no_key_stands_for"))
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(not clashes)

    def _keep(self) -> None:
        self.keys_chosen.emit(tuple(self.commands.values()))
        self.accept()
