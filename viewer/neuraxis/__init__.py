"""Neuraxis: CT, MR and SWI DICOM to a measured, coded, checkable lesion description and a publication figure.

For teaching and research; not a medical device.

A notebook needs nothing but this module::

    import neuraxis
    study = neuraxis.open_study("folder")
    ct = study.find("1").volume()
    mask = neuraxis.segment(ct, (-14.0, 22.5, 3.0))
    sizes = neuraxis.measure(ct, mask)
    tags = neuraxis.tag(study, at=(-14.0, 22.5, 3.0))
    audits = neuraxis.audit(study, legend=text, at=(-14.0, 22.5, 3.0))
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neuraxis.app.workup import audit_legend as audit
    from neuraxis.app.workup import draw_study_figure as draw_figure
    from neuraxis.app.workup import tag_lesion as tag
    from neuraxis.dicom import open_study
    from neuraxis.legends import parse_legend
    from neuraxis.lesions import measure, segment

__version__ = "0.1.0"
__all__ = ["audit", "draw_figure", "measure", "open_study", "parse_legend", "segment", "tag"]

_WHERE = {
    "open_study": ("neuraxis.dicom", "open_study"),
    "segment": ("neuraxis.lesions", "segment"),
    "measure": ("neuraxis.lesions", "measure"),
    "tag": ("neuraxis.app.workup", "tag_lesion"),
    "parse_legend": ("neuraxis.legends", "parse_legend"),
    "audit": ("neuraxis.app.workup", "audit_legend"),
    "draw_figure": ("neuraxis.app.workup", "draw_study_figure"),
}


def __getattr__(name: str) -> Any:
    # Imported on first use: `import neuraxis` alone must not load SimpleITK, matplotlib and highdicom.
    if name not in _WHERE:
        raise AttributeError(f"module 'neuraxis' has no attribute {name!r}; it has {', '.join(__all__)}")
    module, attribute = _WHERE[name]
    return getattr(importlib.import_module(module), attribute)
