"""The coded concepts that our DICOM objects use besides the tags: quantities, units, methods, private questions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neuraxis.domain.lexicon import Code
from neuraxis.domain.lexicon.model import PRIVATE_SCHEME

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.sr.coding import Code as SrCode

def dicom_code(code: Code) -> SrCode:
    """A lexicon code for highdicom and pydicom; meanings are cut to the 64 characters that DICOM allows."""
    from pydicom.sr.coding import Code as SrCode

    return SrCode(code.value, code.scheme, code.meaning[:64])


def code_from(item: Dataset) -> Code:
    """From a code sequence item, whichever of the three value attributes it uses."""
    value = item.get("CodeValue") or item.get("LongCodeValue") or item.get("URNCodeValue") or ""
    scheme, meaning = str(item.get("CodingSchemeDesignator", "")), str(item.get("CodeMeaning", ""))
    return Code(*SUPERSEDED_CODES.get((scheme, str(value)), (scheme, str(value))), meaning)


SUPERSEDED_CODES = {  # SNOMED RT identifiers that older writers use for what we look for (PS3.16 Annex O)
    ("SRT", "G-D705"): ("SCT", "118565006"),
    ("SRT", "G-A185"): ("SCT", "103339001"),
    ("SRT", "G-A186"): ("SCT", "103340004"),
    ("SRT", "G-D7FE"): ("SCT", "410668003"),
    ("SRT", "G-A166"): ("SCT", "42798000"),
    ("SRT", "R-00317"): ("SCT", "373098007"),
    ("SRT", "G-A437"): ("SCT", "56851009"),
    ("SRT", "R-404FB"): ("SCT", "255605001"),
    ("SRT", "R-10047"): ("SCT", "386136009"),
    ("SRT", "G-C0E3"): ("SCT", "363698007"),
    ("SRT", "G-C171"): ("SCT", "272741003"),
}


def private(value: str, meaning: str) -> Code:
    """A concept of our own scheme."""
    return Code(PRIVATE_SCHEME, value, meaning)


LESION = Code("SCT", "52988006", "Lesion")
ABNORMAL_STRUCTURE = Code("SCT", "49755003", "Morphologically Abnormal Structure")
FINDING_SITE = Code("SCT", "363698007", "Finding Site")
LATERALITY = Code("SCT", "272741003", "Laterality")
FINDING_CATEGORY = Code("SCT", "276214006", "Findings category type (qualifier value)")
FINDING = Code("DCM", "121071", "Finding")
HISTOGRAM_ANALYSIS = Code("DCM", "123105", "Histogram Analysis")
REPORT_TITLE = Code("DCM", "126000", "Imaging Measurement Report")
PROCEDURES = {
    "CT": Code("LN", "25045-6", "CT unspecified body region"),
    "MR": Code("LN", "25056-3", "MRI unspecified body region"),
}

VOLUME = Code("SCT", "118565006", "Volume")
VOXEL_SUM_VOLUME = Code("IBSI", "YEKZ", "Volume from Voxel Summation")
LONG_AXIS = Code("SCT", "103339001", "Long axis")
SHORT_AXIS = Code("SCT", "103340004", "Short axis")
LENGTH = Code("SCT", "410668003", "Length")
MAX_3D_DIAMETER = Code("IBSI", "L0JK", "Maximum 3D Diameter of a Mesh")
SURFACE_AREA = Code("IBSI", "C0JK", "Surface Area of Mesh")
AREA = Code("SCT", "42798000", "Area")
DISTANCE_TO_BONE = private("DIST-BONE", "Distance from lesion to bone")
ATTENUATION = Code("DCM", "110850", "X-Ray Attenuation")
MR_SIGNAL = Code("DCM", "110852", "MR signal intensity")
VOXEL_VALUE = private("VOXEL-VALUE", "Voxel value in the unit of the series")
VOXEL_COUNT = private("VOXEL-COUNT", "Number of voxels in the segment")
SLICES_SPANNED = private("SLICES-SPANNED", "Number of slices that the segment spans")
CENTROID = private("CENTROID", "Centroid of the segment")

MEAN = Code("SCT", "373098007", "Mean")
MAXIMUM = Code("SCT", "56851009", "Maximum")
MINIMUM = Code("SCT", "255605001", "Minimum")
DEVIATION = Code("SCT", "386136009", "Standard Deviation")
P10 = private("P10", "10th percentile")
P90 = private("P90", "90th percentile")

VOXEL_SUM_METHOD = Code("DCM", "126030", "Sum of segmented voxel method for volume")
METHOD_TEXT = private("METHOD", "Method in words")
WARNING_TEXT = private("WARNING", "Warning")
TAG_STATUS = private("TAG-STATUS", "Who states the tag")
ASSERTED = private("ASSERTED", "asserted by the reader")
SUGGESTED = private("SUGGESTED", "suggested by the program, not confirmed by a reader")
ASSERTED_BY = private("ASSERTED-BY", "Reader who asserted the tag")
COMMENT = private("COMMENT", "Reader's comment on the tag")
VERDICT = private("VERDICT", "What the voxels say of the tag")
EVIDENCE_FOR = private("EVIDENCE-FOR", "Concept that the evidence speaks to")
EVIDENCE_METRIC = private("EVIDENCE-METRIC", "Metric of the evidence")
RULE = private("RULE", "Rule applied")
REASON = private("REASON", "Reason of the verdict")
INPUTS = private("INPUT", "Further number that entered")
EVIDENCE_SERIES = private("EVIDENCE-SERIES", "Series the evidence was measured on")
EVIDENCE_UNIT = private("EVIDENCE-UNIT", "Unit of the evidence")
EVIDENCE_PLACE = private("EVIDENCE-PLACE", "Point that shows the evidence")
VERDICTS = {
    name: private("V-" + name.upper().replace("_", "-")[:14], name.replace("_", " "))
    for name in ("supports", "contradicts", "neutral", "not_assessable")
}

_UNITS = {
    "mm": Code("UCUM", "mm", "mm"),
    "mm2": Code("UCUM", "mm2", "square millimeter"),
    "mm3": Code("UCUM", "mm3", "cubic millimeter"),
    "HU": Code("UCUM", "[hnsf'U]", "Hounsfield unit"),
    "ratio": Code("UCUM", "{ratio}", "ratio"),
    "": Code("UCUM", "1", "no units"),
    "1": Code("UCUM", "1", "no units"),
    "%": Code("UCUM", "%", "percent"),
    "rad": Code("UCUM", "rad", "radian"),
    "deg": Code("UCUM", "deg", "degree"),
    "ms": Code("UCUM", "ms", "millisecond"),
    "mm2/s": Code("UCUM", "mm2/s", "mm2/s"),
    "signal": Code("UCUM", "{signal}", "arbitrary signal unit of the series"),
    "stored value": Code("UCUM", "{stored}", "stored value"),
}
_LENGTHS_IN_MM = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "um": 1e-3}
_UNIT_NAMES = {code.value: name for name, code in _UNITS.items() if name != "1"}
UNIT_TEXTS = frozenset(_UNITS)
"""Units as the domain writes them."""


def unit_code(unit: str) -> Code:
    """UCUM code of a unit as the domain writes it; an unknown one becomes a UCUM annotation."""
    return _UNITS.get(unit) or Code("UCUM", "{" + unit.replace("{", "").replace("}", "")[:14] + "}", unit)


def from_ucum(value: float, ucum: str) -> tuple[float, str]:
    """Number and unit as the domain writes them: lengths, areas and volumes in mm, others as they are."""
    for power, suffix in ((1, ""), (2, "2"), (3, "3")):
        base = ucum.removesuffix(suffix) if suffix else ucum
        if base in _LENGTHS_IN_MM and (not suffix or ucum.endswith(suffix)):
            return value * _LENGTHS_IN_MM[base] ** power, f"mm{suffix}"
    if ucum in ("ml", "mL"):
        return value * 1000.0, "mm3"
    if ucum in _UNIT_NAMES:
        return value, _UNIT_NAMES[ucum]
    annotation = ucum.startswith("{") and ucum.endswith("}") and ucum.count("{") == 1
    return value, ucum[1:-1] if annotation else ucum


def coding_scheme_items() -> list[Any]:
    """Coding Scheme Identification Sequence items for our private scheme."""
    from pydicom.dataset import Dataset

    item = Dataset()
    item.CodingSchemeDesignator = PRIVATE_SCHEME
    item.CodingSchemeName = "Neuraxis lesion description concepts"
    item.CodingSchemeResponsibleOrganization = "The Neuraxis developers"
    return [item]
