"""Neuraxis in napari: DICOM studies as layers, the reading grid and the sheets as dock widgets."""
