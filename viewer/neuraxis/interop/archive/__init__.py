"""The archive: DICOMweb and DIMSE. Nothing is contacted unless asked; what arrives is checked before it is kept."""
