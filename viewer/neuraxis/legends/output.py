"""Parsed legends as the JSON object of `neuraxis legend`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from neuraxis.domain.legend import LegendFigure


def to_json(figures: Iterable[LegendFigure]) -> dict[str, list[dict[str, Any]]]:
    """`{"figures": [{"id", "panels", "not_understood", "not_understood_spans"}]}`; spans count characters of the figure's text."""
    return {"figures": [figure.to_json() for figure in figures]}
