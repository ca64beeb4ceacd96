"""How the panels of a legend are laid out on the page."""

from __future__ import annotations

from neuraxis.domain.legend import LegendFigure
from neuraxis.figures.recipe import Layout

_PLACES = ("left", "right", "top", "middle", "bottom", "upper", "lower", "main", "inset", "centre", "center")


def is_positional(label: str) -> bool:
    """Whether a label says where a panel stands ('top-left', 'main') or only counts unlabelled ones ('2')."""
    return label.isdigit() or label.split("-", maxsplit=1)[0] in _PLACES


def _positional_rows(labels: list[str]) -> tuple[tuple[str, ...], ...] | None:
    """Rows of panels labelled top, middle, bottom, or top-left and so on; None for other labels."""
    rows: dict[str, list[str]] = {}
    for label in labels:
        first = label.split("-", maxsplit=1)[0]
        if first not in ("top", "middle", "bottom", "upper", "lower"):
            return None
        rows.setdefault(first, []).append(label)
    return tuple(tuple(row) for row in rows.values())


def legend_layout(figure: LegendFigure, width_mm: float) -> Layout:
    """Rows of a legend's panels in its order: two rows for 5 to 8, broken where the modality changes if that is even enough."""
    labels = [p.label for p in figure.panels]
    count = len(labels)
    placed = _positional_rows(labels)
    if placed is not None:
        return Layout(rows=placed)
    if width_mm < 110 or count <= 4 or count > 8:
        return Layout()
    middle = [k for k in range(2, count - 1) if 2 <= k <= 4 and 2 <= count - k <= 4]
    modality = [(p.kind, p.modality) for p in figure.panels]
    best = min(middle, key=lambda k: (modality[k - 1] == modality[k], abs(count - 2 * k), -k))
    return Layout(rows=(tuple(labels[:best]), tuple(labels[best:])))
