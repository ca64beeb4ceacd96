"""Window presets as a menu: those of the list with their keys, the file's own, automatic, and typed numbers."""

from __future__ import annotations

from dataclasses import replace

from qtpy.QtWidgets import QDialog, QDialogButtonBox, QDoubleSpinBox, QFormLayout, QMenu, QWidget

from neuraxis.domain.volume import ValueKind
from neuraxis.domain.window import Window, WindowFunction, window_presets
from neuraxis.ui.grid_commands import GridCommands
from neuraxis.ui.texts import say


class WindowNumbers(QDialog):
    """Width and level as numbers."""

    def __init__(self, window: Window, unit: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(say("window_menu.window"))
        self._function = window.function
        self.width_box, self.level_box = QDoubleSpinBox(self), QDoubleSpinBox(self)
        for box, value in ((self.width_box, window.width), (self.level_box, window.center)):
            box.setDecimals(2)
            box.setRange(-1e6, 1e6)
            box.setValue(value)
            box.setSuffix(f" {unit}")
        self.width_box.setMinimum(1.0 if window.function is WindowFunction.LINEAR else 0.01)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        form = QFormLayout(self)
        form.addRow(say("window_menu.width"), self.width_box)
        form.addRow(say("window_menu.level"), self.level_box)
        form.addRow(buttons)

    def window_value(self) -> Window:
        """The window that was typed."""
        return Window(self.level_box.value(), self.width_box.value(), self._function)


def fill_window_menu(menu: QMenu, commands: GridCommands) -> None:
    """The presets for the active panel; those in HU only where the panel shows CT."""
    menu.clear()
    panel = commands.grid.active
    series, volume = panel.scene.series, panel.scene.volume
    is_ct = volume is not None and volume.kind is ValueKind.HU
    for preset in window_presets():
        action = menu.addAction(f"{preset.window.label}\t{preset.key}")
        action.setEnabled(is_ct)
        action.triggered.connect(lambda _c=False, n=preset.name: commands.run(f"window.{n}"))
    menu.addSeparator()
    for window in series.windows if series else ():
        named = window if window.name else replace(window, name="file")
        menu.addAction(say("window_menu.of_the_file", label=named.label), lambda w=named: panel.set_window(w))
    menu.addAction(say("window_menu.automatic"), lambda: commands.run("window.automatic"))
    menu.addAction(say("window_menu.width_and_level"), lambda: ask_window(commands))


def ask_window(commands: GridCommands) -> None:
    """Ask for numbers and set them in the active panel."""
    panel = commands.grid.active
    window, volume = panel.scene.window(), panel.scene.volume
    if window is None or volume is None:
        return
    dialog = WindowNumbers(window, volume.unit, panel)
    if dialog.exec() == QDialog.DialogCode.Accepted:
        panel.set_window(dialog.window_value())
    dialog.deleteLater()
