"""Interop of Neuraxis."""
