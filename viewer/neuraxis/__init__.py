"""Neuraxis: CT, MR and SWI DICOM to a measured, coded, checkable lesion description and a publication figure."""

__version__ = "0.1.0"
