"""Legends written from claims."""

from __future__ import annotations


def write_legend() -> str:
    """Placeholder."""
    return ""
