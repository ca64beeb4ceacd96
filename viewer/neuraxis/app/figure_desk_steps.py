"""The steps of the figure desk that keys and buttons take, by the name of their command."""

from __future__ import annotations

from typing import Any

from neuraxis.app.figure_desk import FigureDesk
from neuraxis.domain.window import window_presets
from neuraxis.figures import editing, mark_editing
from neuraxis.figures.figure import Figure
from neuraxis.figures.recipe import Inset, PlaceholderPanel, Recipe, VolumePanel, WindowSpec

NUDGE_MM = 0.25
FAR_MM = 2.0
TURN_DEGREES = 5.0
ZOOM = 1.15
_DIRECTIONS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}


class DeskSteps:
    """Commands of a figure desk on what is chosen."""

    def __init__(self, desk: FigureDesk) -> None:
        self._desk = desk

    def run(self, command_id: str) -> None:
        """Do a command; one that does not fit what is chosen does nothing."""
        desk = self._desk
        group, _, name = command_id.partition(".")
        if command_id == "edit.undo":
            desk.undo()
        elif command_id == "edit.redo":
            desk.redo()
        elif desk.recipe is None:
            return
        elif group == "move":
            self._move(name)
        elif group == "mark":
            self._mark(name)
        elif group == "panel":
            self._panel(name)
        elif group == "view":
            self._view(name)
        elif command_id == "edit.delete":
            self.delete()

    def change(self, label: str, **fields: Any) -> None:
        """Other values of the recipe's own fields, as one step."""
        if self._desk.recipe is not None:
            self._desk.edit(label, lambda f: editing.revalidated(f.recipe, **fields))

    @property
    def _volume_panel(self) -> VolumePanel | None:
        panel = editing.panel_of(self._desk.figure_recipe(), self._desk.chosen.letter)
        return panel if isinstance(panel, VolumePanel) else None

    def delete(self) -> None:
        """Remove the chosen mark, or the chosen panel; the last panel leaves an empty desk."""
        desk, letter, mark = self._desk, self._desk.chosen.letter, self._desk.chosen.mark
        if mark is not None:
            desk.edit("remove mark", lambda f: mark_editing.without_mark(f.recipe, letter, mark))
            desk.choose(letter)
        elif len(desk.figure_recipe().panels) == 1:
            desk.step("remove panel", None)
        else:
            desk.edit("remove panel", lambda f: editing.without_panel(f.recipe, letter))

    def _move(self, name: str) -> None:
        direction, _, far = name.partition("_")
        step = FAR_MM if far else NUDGE_MM
        right, down = (step * v for v in _DIRECTIONS[direction])
        letter, index = self._desk.chosen.letter, self._desk.chosen.mark
        if index is not None:
            def moved(figure: Figure) -> Recipe:
                x, y = mark_editing.anchor_on_page(figure, letter, mark_editing.marks_of(figure.recipe, letter)[index])
                return mark_editing.with_mark_at(figure, letter, index, x + right, y + down)

            self._desk.edit("move mark", moved, merge=f"move {letter} {index}")
        elif self._volume_panel is not None:
            # the view goes where the key points, so the picture moves the other way
            self._desk.edit("move picture", lambda f: editing.panned(f, letter, -4 * right, -4 * down), merge=f"pan {letter}")

    def _mark(self, name: str) -> None:
        letter, index = self._desk.chosen.letter, self._desk.chosen.mark
        count = len(mark_editing.marks_of(self._desk.figure_recipe(), letter))
        if name == "next" and count:
            self._desk.choose(letter, 0 if index is None else (index + 1) % count)
        elif index is not None:
            turn = {"left": TURN_DEGREES, "right": -TURN_DEGREES}.get(name, 0.0)
            longer = {"longer": 0.5, "shorter": -0.5}.get(name, 0.0)
            self._desk.edit(
                "turn mark", lambda f: mark_editing.with_mark_turned(f.recipe, letter, index, turn, longer),
                merge=f"turn {letter} {index}",
            )

    def _panel(self, name: str) -> None:
        desk, letter = self._desk, self._desk.chosen.letter
        rows = editing.rows_of(desk.figure())
        order = [x for row in rows for x in row]
        if name in ("next", "previous"):
            desk.choose(order[(order.index(letter) + (1 if name == "next" else -1)) % len(order)])
        elif name == "letters":
            place = order.index(letter)
            desk.edit("letter anew", editing.relettered)
            desk.choose([x for row in editing.rows_of(desk.figure()) for x in row][place])
        elif name == "locator":
            self._toggle_locator()
        else:
            row = next(i for i, r in enumerate(rows) if letter in r)
            column = rows[row].index(letter)
            target = {
                "earlier": (row, column - 1, False), "later": (row, column + 2, False),
                "up": (row - 1, column, row == 0), "down": (row + 1, column, False),
            }[name]
            if target[1] >= 0:
                desk.edit("arrange", lambda f: editing.moved_panel(f, letter, max(target[0], 0), target[1], own_row=target[2]))
                desk.choose(letter)

    def _toggle_locator(self) -> None:
        panel = self._volume_panel
        if panel is None:
            return
        across = "sagittal" if panel.plane.name in ("axial", "coronal", "oblique") else "axial"
        inset = None if panel.inset is not None else Inset.model_validate({"plane": across})
        changed = panel.model_copy(update={"inset": inset})
        self._desk.edit("locator", lambda f: editing.with_panel(f.recipe, changed))

    def _view(self, name: str) -> None:
        panel, letter = self._volume_panel, self._desk.chosen.letter
        if panel is None:
            return
        if name in ("zoom_in", "zoom_out"):
            def zoomed(figure: Figure) -> Recipe:
                box = figure.page.boxes[letter]
                middle = (box.x_mm + box.width_mm / 2, box.y_mm + box.height_mm / 2)
                return editing.zoomed(figure, letter, ZOOM if name == "zoom_in" else 1 / ZOOM, *middle)

            self._desk.edit("zoom", zoomed, merge=f"zoom {letter}")
        elif name == "window":
            self._next_window(panel)
        elif name == "equal_window":
            same = [p.letter for p in self._others(panel) if (p.series.role == "CT") == (panel.series.role == "CT")
                    and (panel.series.role == "CT" or p.series.series_id == panel.series.series_id)]
            self._desk.edit("equal windows", lambda f: editing.equal_windows(f.recipe, letter, same))
        elif name == "equal_field":
            others = [p.letter for p in self._others(panel)]
            self._desk.edit("equal fields of view", lambda f: editing.equal_fields_of_view(f.recipe, letter, others))

    def _others(self, panel: VolumePanel) -> list[VolumePanel]:
        panels = self._desk.figure_recipe().panels
        return [p for p in panels if isinstance(p, VolumePanel) and p.letter != panel.letter]

    def _next_window(self, panel: VolumePanel) -> None:
        """CT goes through the presets; where values have no scale, the window gets wider in steps and starts anew."""
        if panel.series.role == "CT":
            windows = [p.window for p in window_presets()]
            here = next((i for i, w in enumerate(windows) if w.name == panel.window.name), -1)
            window = WindowSpec.of(windows[(here + 1) % len(windows)])
        else:
            low, high = panel.window.window().limits
            width = (high - low) * (0.5 if panel.window.name == "wide" else 1.41)
            name = {"wide": "narrow", "narrow": "", "": "wide"}.get(panel.window.name, "wide")
            window = WindowSpec(center=low + width / 2, width=width, name=name, function="LINEAR_EXACT")
        changed = panel.model_copy(update={"window": window})
        self._desk.edit("window", lambda f: editing.with_panel(f.recipe, changed))

    # Texts

    def text_of_chosen(self) -> str | None:
        """Words of the chosen text mark, else of the panel; None where there are none to change."""
        desk = self._desk
        if desk.recipe is None or not desk.chosen.letter:
            return None
        panel = editing.panel_of(desk.recipe, desk.chosen.letter)
        if isinstance(panel, PlaceholderPanel):
            return None
        if desk.chosen.mark is not None:
            mark = panel.marks[desk.chosen.mark]
            return mark.text if mark.kind == "text" else None
        return panel.text

    def set_text(self, text: str) -> None:
        """Other words for the chosen text mark, or for the panel."""
        desk, letter, index = self._desk, self._desk.chosen.letter, self._desk.chosen.mark
        if self.text_of_chosen() is None:
            return
        if index is not None:
            desk.edit("text", lambda f: mark_editing.with_mark_changed(f.recipe, letter, index, text=text))
        else:
            panel = editing.panel_of(desk.figure_recipe(), letter).model_copy(update={"text": text})
            desk.edit("text", lambda f: editing.with_panel(f.recipe, panel))
