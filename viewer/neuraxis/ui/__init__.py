"""Ui of Neuraxis."""
