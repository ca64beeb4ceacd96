"""Figures of Neuraxis."""
