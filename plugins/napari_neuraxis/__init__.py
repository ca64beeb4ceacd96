"""Neuraxis inside napari: reader, writer, sample data and dock widgets."""
