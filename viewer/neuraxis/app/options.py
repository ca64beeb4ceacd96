"""What holds for every panel of a reading grid: the tool in hand, what is drawn over the pictures, what moves together."""

from __future__ import annotations

import enum
from dataclasses import dataclass, fields, replace

from psygnal import Signal


class Tool(enum.Enum):
    """What the left mouse button does in a panel; the value is the word on the tool button."""

    WINDOW = "window"
    CROSSHAIR = "crosshair"
    PAN = "pan"
    ZOOM = "zoom"
    SCROLL = "scroll"
    ROTATE = "oblique"
    SEGMENT = "segment"
    PROBE = "probe"
    LENGTH = "length"
    BIDIRECTIONAL = "bidirectional"
    ANGLE = "angle"
    ELLIPSE = "ellipse"
    POLYGON = "polygon"
    WINDOW_REGION = "window from region"


class Marks(enum.Enum):
    """How much is written over the pictures; the space key goes round."""

    ALL = "all"
    FEW = "few"
    NONE = "none"


@dataclass(frozen=True)
class MaskLook:
    """How the mask of one lesion is drawn: number of its colour (None: that of its place in the list), filled, shown."""

    colour: int | None = None
    filled: bool = False
    shown: bool = True


@dataclass(frozen=True)
class ReadingChoices:
    """The values behind `ReadingOptions`."""

    tool: Tool = Tool.WINDOW
    marks: Marks = Marks.ALL
    crosshair: bool = True
    reference_lines: bool = False
    same_scale: bool = True
    masks: bool = True
    show_names: bool = True
    """Whether names and dates of patients are shown."""
    drag_down_brightens: bool = True
    """Direction of the level: dragging down brightens (IHE Basic Image Review), or darkens as in Weasis."""


class ReadingOptions:
    """Shared choices with a signal; every panel of a grid holds the same object."""

    changed = Signal()

    def __init__(self, choices: ReadingChoices | None = None) -> None:
        self.now = choices or ReadingChoices()
        self._looks: dict[str, MaskLook] = {}

    def look(self, tracking_uid: str) -> MaskLook:
        """How the mask of a lesion is drawn."""
        return self._looks.get(tracking_uid, MaskLook())

    def set_look(self, tracking_uid: str, look: MaskLook) -> None:
        """Draw the mask of a lesion in another way; emits `changed` where it is different."""
        if look != self.look(tracking_uid):
            self._looks[tracking_uid] = look
            self.changed.emit()

    def set(self, **changes: object) -> None:
        """Change choices by name; emits `changed` once where anything is different."""
        known = {f.name for f in fields(ReadingChoices)}
        assert set(changes) <= known, f"no such choice: {set(changes) - known}"
        new = replace(self.now, **changes)  # type: ignore[arg-type]
        if new != self.now:
            self.now = new
            self.changed.emit()
