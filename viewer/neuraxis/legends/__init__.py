"""Figure legends: text to panels and claims, and claims back to text."""

from __future__ import annotations

from neuraxis.legends.audit import ClaimAudit, LegendAudit, PanelAudit, audit
from neuraxis.legends.output import to_json
from neuraxis.legends.parser import parse_legend
from neuraxis.legends.writer import write_legend

__all__ = ["ClaimAudit", "LegendAudit", "PanelAudit", "audit", "parse_legend", "to_json", "write_legend"]
