"""Legends of Neuraxis."""
