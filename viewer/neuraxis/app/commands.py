"""What a user can do in the reading grid, as data: words, keys, and which group of the key sheet they stand in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from neuraxis.domain.window import window_presets
from neuraxis.errors import UsageError


@dataclass(frozen=True)
class Command:
    """One thing to do.

    Parameters
    ----------
    id : stable name, used in the settings file
    text : what it is called in menus and tooltips
    keys : key sequences, the first is the one shown
    group : heading in the key sheet
    """

    id: str
    text: str
    keys: tuple[str, ...]
    group: str

    @property
    def tooltip(self) -> str:
        """Text with its key."""
        return f"{self.text}  [{self.keys[0]}]" if self.keys else self.text


_TOOLS = (
    ("tool.window", "Window: drag right for width, up and down for level", "W"),
    ("tool.crosshair", "Crosshair: move the linked point", "H"),
    ("tool.pan", "Pan", "T"), ("tool.zoom", "Zoom", "Z"), ("tool.scroll", "Scroll through slices", "S"),
    ("tool.oblique", "Turn the plane (oblique)", "O"), ("tool.segment", "Segment the lesion at a click", "G"),
    ("tool.length", "Length", "D"), ("tool.bidirectional", "Long and short axis", "B"), ("tool.angle", "Angle", "A"),
    ("tool.ellipse", "Ellipse", "E"), ("tool.polygon", "Polygon", "Y"), ("tool.probe", "Probe", "P"),
    ("tool.window from region", "Window from a region", "Shift+W"),
)
_SLICES = (
    ("slice.next", "Next slice", ("Down",)), ("slice.previous", "Previous slice", ("Up",)),
    ("slice.next10", "Ten slices on", ("Shift+Down", "PgDown")),
    ("slice.previous10", "Ten slices back", ("Shift+Up", "PgUp")),
    ("slice.first", "First slice", ("Home",)), ("slice.last", "Last slice", ("End",)),
    ("panel.next", "Next panel", ("Right",)), ("panel.previous", "Previous panel", ("Left",)),
    ("cine", "Play or stop the slices", ("C",)),
)
_VIEW = (
    ("view.zoom_in", "Zoom in", ("+", "Ctrl++", "=")), ("view.zoom_out", "Zoom out", ("-", "Ctrl+-")),
    ("view.fit", "Fit all", ("Esc", "Ctrl+Return")), ("view.focus", "Zoom on the linked point (60 mm)", ("F",)),
    ("view.maximise", "One panel or all", ("M", "Return")), ("view.axial", "Axial plane", ("Ctrl+1",)),
    ("view.coronal", "Coronal plane", ("Ctrl+2",)), ("view.sagittal", "Sagittal plane", ("Ctrl+3",)),
    ("view.native", "Back from oblique to the native plane", ("Shift+O",)),
    ("view.marks", "All texts, few, none", ("Space",)), ("view.crosshair", "Crosshair lines on or off", ("X",)),
    ("view.reference_lines", "Reference lines on or off", ("R",)),
    ("view.masks", "Lesion outlines on or off", ("L",)), ("view.fill", "Fill or outline the active lesion", ("Shift+L",)), ("view.smooth", "Smooth or voxel by voxel", ("N",)),
    ("view.invert", "Invert grey", ("I",)), ("view.link", "Link this panel or give it its own slice", ("U",)),
    ("view.same_scale", "Same scale in all panels", ("Q",)),
    ("view.same_thickness", "Same slice thickness in all panels (mean slabs)", ("Shift+Q",)),
)
_SLAB = (
    ("slab.thicker", "Thicker slab", ("]", "Alt+Up")), ("slab.thinner", "Thinner slab", ("[", "Alt+Down")),
    ("slab.mip", "Slab: MIP", ("Ctrl+Alt+M",)), ("slab.minip", "Slab: minIP", ("Ctrl+Alt+N",)),
    ("slab.mean", "Slab: mean", ("Ctrl+Alt+B",)), ("slab.none", "Single slice", ("Ctrl+Alt+0",)),
)
_FUSION = (
    ("fusion.flicker", "Flicker between the two fused series", ("V",)),
    ("fusion.swipe", "Swipe: drag the border between the two series", ("Shift+V",)),
    ("fusion.colours", "Next colour map of the fused series", ("Alt+V",)),
    ("fusion.more", "More of the fused series", ("Ctrl+Right",)),
    ("fusion.less", "Less of the fused series", ("Ctrl+Left",)),
)
_WORK = (
    ("work.undo", "Undo", ("Ctrl+Z",)), ("work.redo", "Redo", ("Ctrl+Y", "Ctrl+Shift+Z")),
    ("work.jump", "Go to the active lesion", ("J",)), ("work.delete", "Delete the chosen drawing", ("Del",)),
    ("work.key_image", "Key image", ("K",)), ("help.keys", "All keys", ("F1",)),
    ("help.edit_keys", "Change keys", ("Ctrl+K",)),
)


def _build() -> tuple[Command, ...]:
    windows = tuple(
        Command(f"window.{p.name}", f"Window {p.window.label}", (p.key,), "Windows") for p in window_presets()
    )
    return (
        *(Command(i, text, (key,), "Left mouse button") for i, text, key in _TOOLS), *windows,
        Command("window.file", "Window of the file (again: the next one)", ("9",), "Windows"),
        Command("window.automatic", "Automatic window", ("0",), "Windows"),
        *(Command(i, text, keys, "Slices and panels") for i, text, keys in _SLICES),
        *(Command(i, text, keys, "View") for i, text, keys in _VIEW),
        *(Command(i, text, keys, "Slabs") for i, text, keys in _SLAB),
        *(Command(i, text, keys, "Fusion") for i, text, keys in _FUSION),
        *(Command(i, text, keys, "Work") for i, text, keys in _WORK),
    )


COMMANDS = _build()

MOUSE_SHEET = (
    ("Left drag", "the chosen tool (default: window)"), ("Left click", "move the linked point"),
    ("Shift + left drag", "crosshair, whatever the tool"), ("Middle drag", "pan"), ("Right drag", "zoom"),
    ("Right click", "menu of the panel"), ("Wheel", "slices"), ("Shift + wheel", "ten slices at a time"),
    ("Ctrl + wheel", "zoom at the mouse"), ("Alt + wheel", "slab thickness"), ("Double click", "one panel or all"),
)
"""Mouse bindings for the key sheet."""


def command(command_id: str) -> Command:
    """The command of that id."""
    for known in COMMANDS:
        if known.id == command_id:
            return known
    raise UsageError(f"command {command_id!r} is not known", expected="one of: " + ", ".join(c.id for c in COMMANDS))


def with_keys(changes: Mapping[str, tuple[str, ...]]) -> tuple[Command, ...]:
    """The commands with keys of the user's own.

    Raises
    ------
    UsageError
        When an id is not known or a key would then stand for two commands.
    """
    for command_id in changes:
        command(command_id)
    commands = tuple(replace(c, keys=tuple(changes[c.id])) if c.id in changes else c for c in COMMANDS)
    for key, ids in key_clashes(commands).items():
        raise UsageError(
            f"key {key} stands for both {ids[0]} and {ids[1]}", expected="one command a key",
            remedy="choose another key for one of them",
        )
    return commands


def key_clashes(commands: Iterable[Command]) -> dict[str, tuple[str, ...]]:
    """Keys that stand for more than one command, with the ids of those."""
    owners: dict[str, tuple[str, ...]] = {}
    for c in commands:
        for key in c.keys:
            owners[key] = (*owners.get(key, ()), c.id)
    return {key: ids for key, ids in owners.items() if len(ids) > 1}


def changed_keys(commands: Iterable[Command]) -> dict[str, tuple[str, ...]]:
    """The keys that differ from those the program comes with, for the settings."""
    return {c.id: c.keys for c in commands if c.keys != command(c.id).keys}
