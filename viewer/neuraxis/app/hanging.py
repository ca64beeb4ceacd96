"""Hanging protocols: which series goes where, by role, as data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import chain
from typing import Any

from neuraxis.app.panel_state import PanelState
from neuraxis.app.views import Orientation
from neuraxis.domain.study import LoadReport, Role, Series, Study
from neuraxis.domain.window import window_preset, window_presets
from neuraxis.errors import UsageError

MAX_ROWS, MAX_COLUMNS = 2, 4


@dataclass(frozen=True)
class HangingCell:
    """One panel of a protocol: roles in order of preference ('*': the chosen series), plane, window preset."""

    roles: tuple[str, ...]
    plane: Orientation = Orientation.AXIAL
    window: str = ""


@dataclass(frozen=True)
class Hanging:
    """A named layout of panels."""

    key: str
    name: str
    rows: int
    columns: int
    cells: tuple[HangingCell, ...]


@cache
def hangings() -> tuple[Hanging, ...]:
    """The protocols that come with the program, in the order of the menu."""
    entries = json.loads((files("neuraxis.app") / "hangings.json").read_text(encoding="utf-8"))
    return tuple(
        Hanging(
            e["key"], e["name"], e["rows"], e["columns"],
            tuple(
                HangingCell(tuple(p["roles"]), Orientation(p.get("plane", "axial")), p.get("window", ""))
                for p in e["panels"]
            ),
        )
        for e in entries
    )


def hanging_from_states(
    name: str, rows: int, columns: int, states: Sequence[PanelState], series: Sequence[Series]
) -> Hanging:
    """What hangs now as a protocol: the role, plane and preset of each panel."""
    roles = {s.id: s.role.role.value for s in series}
    presets = {p.name for p in window_presets()}
    cells = tuple(
        HangingCell(
            (roles[s.series_id],) if s.series_id in roles else (), s.orientation,
            s.window.name if s.window is not None and s.window.name in presets else "",
        )
        for s in states
    )
    return Hanging(f"own {name}", name, rows, columns, cells)


def hanging_to_json(protocol: Hanging) -> dict[str, object]:
    """As in `hangings.json`."""
    return {
        "name": protocol.name, "key": protocol.key, "rows": protocol.rows, "columns": protocol.columns,
        "panels": [{"roles": list(c.roles), "plane": c.plane.value, "window": c.window} for c in protocol.cells],
    }


def hanging_from_json(entry: Mapping[str, Any]) -> Hanging:
    """A protocol of a settings file.

    Raises
    ------
    UsageError
        When it names a plane, role or window that is not known, or has another number of panels than its layout.
    """
    try:
        cells = tuple(
            HangingCell(tuple(str(r) for r in p["roles"]), Orientation(p["plane"]), str(p["window"]))
            for p in entry["panels"]
        )
        made = Hanging(str(entry["key"]), str(entry["name"]), int(entry["rows"]), int(entry["columns"]), cells)
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError("hanging protocol that cannot be read", expected="name, key, rows, columns, panels") from error
    known = {r.value for r in Role} | {"*"}
    if not set(chain.from_iterable(c.roles for c in cells)) <= known or any(
        c.window and c.window not in {p.name for p in window_presets()} for c in cells
    ):
        raise UsageError(f"hanging {made.name!r} with an unknown role or window", expected="roles and presets as listed")
    if not (1 <= made.rows <= MAX_ROWS and 1 <= made.columns <= MAX_COLUMNS) or len(cells) != made.rows * made.columns:
        raise UsageError(
            f"hanging {made.name!r} of {made.rows} x {made.columns} with {len(cells)} panels",
            expected=f"up to {MAX_ROWS} x {MAX_COLUMNS}, one entry a panel",
        )
    return made


def hanging(key: str) -> Hanging:
    """The protocol with that key."""
    for known in hangings():
        if known.key == key:
            return known
    raise UsageError(f"hanging {key!r} is not known", expected="one of: " + ", ".join(h.key for h in hangings()))


def hang(
    protocol: Hanging, series: Sequence[Series], chosen_id: str = "", newest_first: Sequence[str] = ()
) -> tuple[PanelState, ...]:
    """The panels of a protocol filled from the series that are there; a cell without a fitting series stays empty.

    A series serves two cells only where they ask for different planes or windows. Of several with one role that of
    the study named first in `newest_first` (study UIDs) is taken, then the one with the thinnest slices.
    """
    ranks = {uid: rank for rank, uid in enumerate(newest_first)}
    study = Study("", tuple(series), LoadReport())
    used: set[tuple[str, Orientation, str]] = set()
    states = []
    for cell in protocol.cells:
        found = _series_for(cell, study, chosen_id, used, ranks)
        window = window_preset(cell.window) if cell.window and found else None
        states.append(PanelState(found or "", cell.plane, window=window))
        if found:
            used.add((found, cell.plane, cell.window))
    return tuple(states)


def _series_for(
    cell: HangingCell, study: Study, chosen_id: str, used: set[tuple[str, Orientation, str]], ranks: dict[str, int]
) -> str | None:
    for role in cell.roles:
        if role == "*":
            return chosen_id or next((s.id for s in study.series if s.is_volume), None)
        for candidate in sorted(study.volumes_of(Role(role)), key=lambda s: ranks.get(s.study_uid, len(ranks))):
            if (candidate.id, cell.plane, cell.window) not in used:
                return candidate.id
    return None


COMPARED = (Role.T1C, Role.CT, Role.T2, Role.FLAIR, Role.SWI, Role.T1)
"""Which roles are hung first when two dates are compared."""


def hang_two_dates(
    series: Sequence[Series], current_uid: str, prior_uid: str
) -> tuple[int, int, tuple[PanelState, ...]]:
    """Rows, columns and panels of a study and an earlier one: the same role of both, current on the left or above.

    Raises
    ------
    UsageError
        When no role is there in both.
    """
    def first(uid: str, role: Role) -> str | None:
        found = Study("", tuple(s for s in series if s.study_uid == uid), LoadReport()).volumes_of(role)
        return found[0].id if found else None

    pairs = [(first(current_uid, role), first(prior_uid, role)) for role in COMPARED]
    shared = [(a, b) for a, b in pairs if a is not None and b is not None][:MAX_COLUMNS]
    if not shared:
        raise UsageError(
            "the two dates share no series of one role", expected="for example T1C on both days",
            remedy="correct the roles in the study list, or drag the series to the panels",
        )
    if len(shared) == 1:
        return 1, 2, tuple(PanelState(i) for i in shared[0])
    return 2, len(shared), (*(PanelState(a) for a, _ in shared), *(PanelState(b) for _, b in shared))


def best_hanging(
    series: Sequence[Series], newest_first: Sequence[str] = ()
) -> tuple[Hanging, tuple[PanelState, ...]]:
    """What a study opens with: the lesion protocol where at least three of its cells fill, else three planes."""
    filled = hang(hanging("lesion"), series, newest_first=newest_first)
    if len({s.series_id for s in filled if s.series_id}) >= 3:
        return hanging("lesion"), filled
    return hanging("planes"), hang(hanging("planes"), series)
