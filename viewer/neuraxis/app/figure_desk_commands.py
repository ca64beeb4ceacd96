"""What a user can do at the figure desk, as data: words, keys and groups, shared by buttons, tooltips and key presses."""

from __future__ import annotations

from neuraxis.app.commands import Command

MARK_KEYS = {"arrow": "A", "arrowhead": "H", "asterisk": "S", "circle": "O", "box": "B", "line": "L", "text": "T"}
"""Kind of mark by the key that places it."""

_ROWS = (
    ("file.capture", "Capture the active panel of the reading grid", ("Ctrl+Shift+C",), "Figure"),
    ("file.legend", "Lay out the figure that a legend describes", ("Ctrl+L",), "Figure"),
    ("file.picture", "Add a picture: histology, photograph", ("Ctrl+P",), "Figure"),
    ("file.open", "Open a recipe", ("Ctrl+O",), "Figure"),
    ("file.save", "Save the recipe", ("Ctrl+S",), "Figure"),
    ("file.export", "Export the figure", ("Ctrl+E",), "Figure"),
    ("edit.undo", "Undo", ("Ctrl+Z",), "Figure"), ("edit.redo", "Redo", ("Ctrl+Y", "Ctrl+Shift+Z"), "Figure"),
    ("edit.delete", "Remove the chosen mark or panel", ("Del", "Backspace"), "Figure"),
    ("panel.next", "Next panel", ("PgDown",), "Panels"), ("panel.previous", "Previous panel", ("PgUp",), "Panels"),
    ("panel.earlier", "Move the panel to the left", ("Ctrl+Left",), "Panels"),
    ("panel.later", "Move the panel to the right", ("Ctrl+Right",), "Panels"),
    ("panel.up", "Move the panel to the row above", ("Ctrl+Up",), "Panels"),
    ("panel.down", "Move the panel to the row below", ("Ctrl+Down",), "Panels"),
    ("panel.letters", "Letter the panels anew in their order", ("Shift+R",), "Panels"),
    ("panel.text", "Text of the panel or of the chosen mark", ("F2", "Return"), "Panels"),
    ("panel.locator", "Locator on or off", ("K",), "Panels"),
    ("view.zoom_in", "Enlarge the panel", ("+", "="), "Picture"), ("view.zoom_out", "Make the panel smaller", ("-",), "Picture"),
    ("view.crop", "Crop: drag a rectangle", ("C",), "Picture"),
    ("view.window", "Next window preset", ("W",), "Picture"),
    ("view.equal_window", "Give all panels of the same kind this window", ("Shift+W",), "Picture"),
    ("view.equal_field", "Give all panels this field of view", ("Shift+F",), "Picture"),
    ("move.left", "Move the chosen mark, or the picture, to the left", ("Left",), "Marks"),
    ("move.right", "… to the right", ("Right",), "Marks"), ("move.up", "… up", ("Up",), "Marks"),
    ("move.down", "… down", ("Down",), "Marks"),
    ("move.left_far", "… far to the left", ("Shift+Left",), "Marks"),
    ("move.right_far", "… far to the right", ("Shift+Right",), "Marks"),
    ("move.up_far", "… far up", ("Shift+Up",), "Marks"), ("move.down_far", "… far down", ("Shift+Down",), "Marks"),
    ("mark.next", "Next mark of the panel", ("M",), "Marks"),
    ("mark.left", "Turn the arrow to the left", ("[",), "Marks"), ("mark.right", "Turn the arrow to the right", ("]",), "Marks"),
    ("mark.longer", "Longer arrow", (".",), "Marks"), ("mark.shorter", "Shorter arrow", (",",), "Marks"),
    *((f"mark.{kind}", f"Place {'an' if kind[0] in 'aeiou' else 'a'} {kind}: click, or press twice for the middle", (key,), "Marks")
      for kind, key in MARK_KEYS.items()),
    ("stop", "Stop placing or cropping; let go of the mark", ("Esc",), "Marks"),
)
DESK_COMMANDS: tuple[Command, ...] = tuple(Command(*row) for row in _ROWS)
BY_ID = {command.id: command for command in DESK_COMMANDS}
