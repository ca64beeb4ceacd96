"""How a study hangs and is windowed: kept in the case beside the reader's work, and no step of undo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from neuraxis.app.panel_state import PanelState
from neuraxis.domain.window import Window


@dataclass(frozen=True)
class Layout:
    """Rows and columns of the reading grid and what hangs in each panel, row by row."""

    rows: int
    columns: int
    panels: tuple[PanelState, ...]


@dataclass(frozen=True, eq=False)
class ViewState:
    """The windows that were set for series, by series id, and the layout that was chosen, if any."""

    windows: Mapping[str, Window] = field(default_factory=lambda: MappingProxyType({}))
    layout: Layout | None = None
