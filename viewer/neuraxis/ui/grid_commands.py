"""Carries out the commands of the reading grid and binds their keys to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from qtpy.QtCore import QEvent, QKeyCombination, QObject, Qt, Signal
from qtpy.QtGui import QKeySequence

from neuraxis.align.planes import Projection
from neuraxis.app.commands import COMMANDS, Command, command
from neuraxis.app.options import Marks, Tool
from neuraxis.app.panel_state import OVERLAY_COLOURS
from neuraxis.app.views import Orientation
from neuraxis.domain.volume import ValueKind
from neuraxis.domain.window import Window, automatic_window, window_preset
from neuraxis.ui.reading_grid import ReadingGrid
from neuraxis.ui.texts import say

FAST = 10


class GridCommands(QObject):
    """Carries out commands; keys work while a panel of the grid has the focus.

    Keys are taken as key events and not as shortcuts of the window, so that they neither reach into other widgets nor
    collide with the shortcuts of a host such as napari. `ran(id)` is emitted after a command was carried out.
    """

    ran = Signal(str)

    def __init__(self, grid: ReadingGrid, commands: tuple[Command, ...] = COMMANDS) -> None:
        super().__init__(grid)
        self.grid = grid
        self.extra: dict[str, Callable[[], None]] = {}
        """Commands that the window around the grid carries out (key sheet)."""
        self._windows_seen = 0
        self.set_commands(commands)
        grid.installEventFilter(self)

    def set_commands(self, commands: tuple[Command, ...]) -> None:
        """Bind the keys of these commands instead."""
        self.commands = commands
        self._keys = {QKeySequence(key).toString(): c.id for c in commands for key in c.keys}

    def tooltip(self, command_id: str) -> str:
        """Text of a command with the key it has now."""
        return next(c.tooltip for c in self.commands if c.id == command_id)

    def eventFilter(self, _watched: Any, event: Any) -> bool:
        """Key events that no panel took."""
        if event.type() == QEvent.Type.ShortcutOverride and self.command_of(event) is not None:
            event.accept()  # the key is ours, whatever a menu of the window may use it for
            return True
        if event.type() == QEvent.Type.KeyPress:
            command_id = self.command_of(event)
            if command_id is not None:
                self.run(command_id)
                return True
        return False

    def command_of(self, event: Any) -> str | None:
        """The command whose key was pressed. Shift counts only where it does not make the character itself ('+')."""
        keys = Qt.KeyboardModifier
        held = event.modifiers() & ~keys.KeypadModifier
        for modifiers in (held, held & ~keys.ShiftModifier):
            name = QKeySequence(QKeyCombination(modifiers, Qt.Key(event.key()))).toString()
            if name in self._keys and (modifiers == held or not event.text().isalpha()):
                return self._keys[name]
        return None

    def run(self, command_id: str) -> None:
        """Carry out a command by its id."""
        command(command_id)
        kind, _, what = command_id.partition(".")
        does = {
            "tool": self._tool, "window": self._window, "slice": self._slice, "panel": self._panel, "view": self._view,
            "slab": self._slab, "fusion": self._fusion, "work": self._work, "cine": self._cine,
        }
        if command_id in self.extra:
            self.extra[command_id]()
        elif kind in does:
            does[kind](what)
        self.ran.emit(command_id)

    def _tool(self, what: str) -> None:
        for panel in self.grid.panels:
            panel.mouse.placing.cancel()
        self.grid.options.set(tool=Tool(what))

    def _window(self, what: str) -> None:
        panel = self.grid.active
        series, volume = panel.scene.series, panel.scene.volume
        if series is None or volume is None:
            return
        if what == "automatic":
            panel.set_window(automatic_window(volume.array, volume.padding))
        elif what == "file":
            self.next_file_window()
        elif volume.kind is ValueKind.HU:
            panel.set_window(window_preset(what))
        else:
            panel.session.post_notice(
                say("grid_commands.the_window_is_in", what=what, title=series.title, unit=volume.unit)
            )

    def next_file_window(self) -> None:
        """The next of the windows that the file brings."""
        panel = self.grid.active
        series = panel.scene.series
        if series is None or not series.windows:
            panel.session.post_notice(say("grid_commands.the_file_brings_no"))
            return
        self._windows_seen += 1
        chosen: Window = series.windows[(self._windows_seen - 1) % len(series.windows)]
        panel.set_window(chosen if chosen.name else replace(chosen, name="file"))

    def _slice(self, what: str) -> None:
        far = 1_000_000
        steps = {
            "next": 1, "previous": -1, "next10": FAST, "previous10": -FAST, "first": -far, "last": far,
        }
        panel = self.grid.active
        position = panel.scene.slice_position()
        step = steps[what]
        if position is not None:
            step = max(-position[0], min(step, position[1] - 1 - position[0]))
        elif abs(step) == far and not panel.is_picture:
            return
        panel.step(step)

    def _panel(self, what: str) -> None:
        self.grid.activate_next(1 if what == "next" else -1)

    def _cine(self, _what: str) -> None:
        self.grid.toggle_cine()

    def _view(self, what: str) -> None:
        grid, options = self.grid, self.grid.options
        panel = grid.active
        state, choices = panel.state, options.now
        if what in {o.value for o in Orientation}:
            panel.set_state(replace(state, orientation=Orientation(what), rotation_degrees=(0.0, 0.0)))
        elif what in ("zoom_in", "zoom_out"):
            middle = panel.rect().center()
            panel.mouse.zoom(1.25 if what == "zoom_in" else 0.8, middle)
        elif what == "marks":
            order = tuple(Marks)
            options.set(marks=order[(order.index(choices.marks) + 1) % len(order)])
        elif what in ("crosshair", "reference_lines", "masks", "same_scale"):
            options.set(**{what: not getattr(choices, what)})
        elif what == "fill":
            self._toggle_fill()
        elif what == "smooth":
            panel.set_state(replace(state, smooth=not state.smooth))
        elif what == "invert":
            panel.set_state(replace(state, inverted=not state.inverted))
        else:
            {
                "fit": self._fit, "same_thickness": grid.level_thickness, "focus": grid.focus, "maximise": grid.toggle_maximised,
                "native": lambda: panel.set_state(replace(state, rotation_degrees=(0.0, 0.0))),
                "link": self._toggle_link,
            }[what]()

    def _toggle_fill(self) -> None:
        uid, options = self.grid.session.active_lesion, self.grid.options
        if uid:
            options.set_look(uid, replace(options.look(uid), filled=not options.look(uid).filled))

    def _fit(self) -> None:
        """Escape drops what is being placed; without that it shows everything."""
        busy = [p for p in self.grid.panels if p.mouse.placing.is_busy]
        for panel in busy:
            panel.mouse.placing.cancel()
        if not busy:
            self.grid.fit()

    def _toggle_link(self) -> None:
        panel = self.grid.active
        panel.set_state(replace(panel.state, linked=not panel.state.linked, own_point_lps_mm=panel.scene.point))

    def _slab(self, what: str) -> None:
        panel = self.grid.active
        if what in ("thicker", "thinner"):
            panel.mouse.change_slab(1 if what == "thicker" else -1)
            return
        projection = {"mip": Projection.MIP, "minip": Projection.MINIP, "mean": Projection.MEAN}.get(
            what, Projection.NONE)
        slab = panel.state.slab_mm or 10.0
        panel.set_state(replace(
            panel.state, projection=projection, slab_mm=slab if projection is not Projection.NONE else 0.0))

    def _fusion(self, what: str) -> None:
        panel = self.grid.active
        if not panel.state.overlay_id:
            panel.session.post_notice(say("grid_commands.no_series_is_fused"))
            return
        state = panel.state
        if what == "swipe":
            panel.set_state(replace(state, swipe=0.5 if state.swipe is None else None))
            return
        if what == "colours":
            following = (OVERLAY_COLOURS.index(state.overlay_colours) + 1) % len(OVERLAY_COLOURS)
            panel.set_state(replace(state, overlay_colours=OVERLAY_COLOURS[following]))
            return
        opacity = state.overlay_opacity
        if what == "flicker":
            opacity = 0.0 if opacity > 0 else 0.5
        else:
            opacity = min(1.0, max(0.0, opacity + (0.1 if what == "more" else -0.1)))
        panel.set_state(replace(state, overlay_opacity=round(opacity, 2)))

    def _work(self, what: str) -> None:
        session = self.grid.session
        if what == "undo":
            session.undo()
        elif what == "redo":
            session.redo()
        elif what == "delete":
            session.delete_drawing(session.active_drawing)
        elif what == "key_image":
            panel = self.grid.active
            session.toggle_key_image(panel.state.series_id, panel.scene.slice_position())
        elif what == "jump":
            session.jump_to_lesion(session.active_lesion)
            self.grid.focus()
