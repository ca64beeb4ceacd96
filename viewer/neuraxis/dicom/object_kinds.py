"""What a DICOM object is, by its SOP class: an image, or something that is set apart and never taken for one."""

from __future__ import annotations

_SET_APART_PREFIXES = (
    ("1.2.840.10008.5.1.4.1.1.88.59", "key object selection"),
    ("1.2.840.10008.5.1.4.1.1.88", "structured report"),
    ("1.2.840.10008.5.1.4.1.1.66.4", "segmentation"),
    ("1.2.840.10008.5.1.4.1.1.66.7", "label map segmentation"),
    ("1.2.840.10008.5.1.4.1.1.66.5", "surface segmentation"),
    ("1.2.840.10008.5.1.4.1.1.66.1", "spatial registration"),
    ("1.2.840.10008.5.1.4.1.1.66.2", "spatial fiducials"),
    ("1.2.840.10008.5.1.4.1.1.66.3", "deformable registration"),
    ("1.2.840.10008.5.1.4.1.1.66.6", "tractography"),
    ("1.2.840.10008.5.1.4.1.1.66", "raw data"),
    ("1.2.840.10008.5.1.4.1.1.67", "real world value mapping"),
    ("1.2.840.10008.5.1.4.1.1.11", "presentation state"),
    ("1.2.840.10008.5.1.4.1.1.481", "radiotherapy object"),
    ("1.2.840.10008.5.1.4.1.1.104.1", "PDF document"),
    ("1.2.840.10008.5.1.4.1.1.104", "encapsulated document"),
    ("1.2.840.10008.5.1.4.1.1.9", "waveform"),
    ("1.2.840.10008.5.1.4.1.1.4.2", "MR spectroscopy"),
    ("1.2.840.10008.5.1.4.1.1.68", "surface scan"),
    ("1.2.840.10008.5.1.4.1.1.78", "ophthalmic measurement"),
    ("1.2.840.10008.5.1.4.1.1.79", "ophthalmic measurement"),
    ("1.2.840.10008.5.1.4.38", "hanging protocol"),
    ("1.2.840.10008.5.1.4.34", "procedure step"),
    ("1.2.840.10008.1.3.10", "DICOMDIR"),
    ("1.3.12.2.1107.5.9.1", "Siemens private object"),
    ("1.2.840.113619.4", "GE private object"),
    ("1.3.46.670589.11.0.0.12", "Philips private object"),
)
DICOMDIR_CLASS = "1.2.840.10008.1.3.10"


def set_apart_as(sop_class_uid: str, modality: str) -> str | None:
    """Name of the kind of object where it is not an image ("structured report"), else None."""
    for prefix, name in _SET_APART_PREFIXES:
        if sop_class_uid == prefix or sop_class_uid.startswith(prefix + "."):
            return name
    return {
        "SR": "structured report", "KO": "key object selection", "PR": "presentation state", "SEG": "segmentation",
        "RTSTRUCT": "radiotherapy object", "RTPLAN": "radiotherapy object", "RTDOSE": "radiotherapy object",
        "REG": "spatial registration", "RWV": "real world value mapping", "DOC": "encapsulated document",
    }.get(modality)
