"""Dicom of Neuraxis."""
