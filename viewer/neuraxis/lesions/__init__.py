"""Lesions of Neuraxis."""
