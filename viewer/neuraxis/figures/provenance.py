"""What a figure says about itself: sources by hash, geometry, windows, version; nothing that names a person."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from neuraxis.figures.recipe import PicturePanel, Recipe, VolumePanel
from neuraxis.figures.source import pixel_sha256

if TYPE_CHECKING:
    from neuraxis.figures.panels import PanelSource

PURPOSE = "For teaching and research; not a medical device."


def software() -> str:
    """Name and version of the program, as outputs state it."""
    return f"neuraxis {version('neuraxis')}"


def figure_metadata(recipe: Recipe, sources: dict[str, PanelSource]) -> dict[str, str]:
    """Title, Description, Software and Provenance (JSON), from an allow-list.

    Neither UIDs nor descriptions, dates, file names or the caption: UIDs identify a patient's study (PS3.15 Annex E).
    """
    panels = []
    for panel in recipe.panels:
        entry: dict[str, Any] = {"panel": panel.letter, "kind": panel.kind}
        if isinstance(panel, VolumePanel):
            entry |= _volume_entry(panel, sources[panel.letter])
        elif isinstance(panel, PicturePanel) and panel.sha256:
            entry["sha256"] = panel.sha256
        panels.append(entry)
    provenance = {"neuraxis": version("neuraxis"), "purpose": PURPOSE, "panels": panels}
    return {
        "Title": "Figure", "Description": PURPOSE, "Software": software(),
        "Provenance": json.dumps(provenance, ensure_ascii=True, sort_keys=True, separators=(",", ":")),
    }


def _volume_entry(panel: VolumePanel, source: PanelSource) -> dict[str, Any]:
    plane = panel.plane
    return {
        "role": source.series.role.role.value, "modality": source.series.modality[:4],
        "pixel_sha256": pixel_sha256(source.volume), "plane": plane.name,
        "centre_lps_mm": [round(v, 3) for v in plane.centre_lps_mm], "right": [round(v, 6) for v in plane.right],
        "down": [round(v, 6) for v in plane.down], "field_of_view_mm": list(plane.field_of_view_mm),
        "slab_mm": plane.slab_mm, "projection": plane.projection if plane.slab_mm > 0 else None,
        "interpolation": panel.interpolation,
        "window": {"center": panel.window.center, "width": panel.window.width, "function": panel.window.function},
    }
