"""Align of Neuraxis."""
