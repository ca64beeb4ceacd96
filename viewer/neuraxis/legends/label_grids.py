"""Names of pictures that a legend finds by row and column."""

from __future__ import annotations

import re

Placed = tuple[int, tuple[str, ...], bool]
"""Where a label stands in the text, what it names, and whether it stands in brackets."""

_ROWS, _COLUMNS = frozenset({"top", "middle", "bottom"}), frozenset({"left", "middle", "right"})


def _split(placed: list[Placed]) -> tuple[list[Placed], list[Placed]]:
    rows = [p for p in placed if set(p[1]) <= _ROWS and set(p[1]) != {"middle"}]
    columns = [p for p in placed if set(p[1]) <= _COLUMNS and p not in rows]
    return rows, columns


def name_nested(placed: list[Placed]) -> dict[int, tuple[str, ...]]:
    """Names by place in the text: the pictures of "Top: DWI (left) and ADC (right). Bottom: T1"; () for a row that is divided."""
    rows, columns = _split([p for p in placed if p[2] or len(p[1]) == 1])
    rows = [r for r in rows if not r[2]]
    columns = [c for c in columns if c[2]]
    if len(rows) < 2 or len(columns) < 2:
        return {}
    names: dict[int, tuple[str, ...]] = {}
    for start, labels, _ in columns:
        row = next((r for r in reversed(rows) if r[0] < start), None)
        if row is not None:
            names[start] = tuple(f"{row[1][0]}-{x}" for x in labels)
            names[row[0]] = ()
    return names


def name_grid(placed: list[Placed], norm: str) -> dict[int, tuple[str, ...]]:
    """Names by place in the text where rows and columns are told apart: "Upper row: before. Lower row: after. T1 (left), T2 (right)"."""
    rows, columns = _split(placed)
    named = [x for _, labels, _ in rows for x in labels], [x for _, labels, _ in columns for x in labels]
    if any(len(names) < 2 or len(set(names)) != len(names) for names in named) or len(rows) + len(columns) != len(placed):
        return {}
    first, second = sorted((rows, columns), key=lambda group: group[0][0])
    between = norm[first[-1][0]:second[0][0]]
    apart = first[-1][0] < second[0][0] and re.search(r"[.;]\s|\n", between) is not None
    if not apart and not all(p[2] for p in placed):
        return {}
    by_row = {start: tuple(f"{x}-{y}" for x in labels for y in named[1]) for start, labels, _ in rows}
    return by_row | {start: tuple(f"{x}-{y}" for x in named[0] for y in labels) for start, labels, _ in columns}
