"""Reading DICOM: a folder in, a `Study` out; never silently wrong."""

from __future__ import annotations

from neuraxis.dicom.scan_json import scan_to_json
from neuraxis.dicom.study_reader import open_study, with_role

__all__ = ["open_study", "scan_to_json", "with_role"]
