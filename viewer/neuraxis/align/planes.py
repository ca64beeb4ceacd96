"""Planes and the pictures on them, in one place to import from."""

from neuraxis.align.pictures import sample_plane
from neuraxis.align.plane import DEFAULT_FIELD_MM, DEFAULT_PIXEL_MM, EdgeLetters, Plane, Projection

__all__ = ["DEFAULT_FIELD_MM", "DEFAULT_PIXEL_MM", "EdgeLetters", "Plane", "Projection", "sample_plane"]
