"""What tells the acquisitions of one series apart: attributes that always split, and attributes of shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from neuraxis.dicom.attributes import Common


def spacing_key(common: Common) -> Any:
    """Pixel spacing to four decimals of a mm, or what is wrong with it."""
    return tuple(round(s, 4) for s in common.spacing_mm) if common.spacing_mm else common.spacing_problem


def _echo_key(common: Common) -> Any:
    echo = common.value("EchoTime")
    return None if echo is None else round(echo, 2)


def _b_value(common: Common) -> float | None:
    for keyword in ("DiffusionBValue", "PhilipsBValue", "SiemensBValue"):
        value = common.value(keyword)
        if value is not None:
            return value
    text = common.get("GeBValue").split("\\")[0]
    number = float(text) if text.strip().lstrip("-").isdigit() and common.get("GeCreator") == "GEMS_PARM_01" else None
    return None if number is None else number % 100000


def _ge_kind(common: Common) -> Any:
    if common.get("GeCreator") != "GEMS_PARM_01":
        return None
    kind = common.value("GeImageKind")
    return {0: "magnitude", 1: "phase", 2: "real", 3: "imaginary"}.get(int(kind)) if kind is not None else None


HARD_KEYS: tuple[tuple[str, Callable[[Common], Any]], ...] = (
    ("patient", lambda c: c.get("PatientID")),
    ("frame of reference", lambda c: c.get("FrameOfReferenceUID")),
    ("kind of object", lambda c: c.get("SOPClassUID")),
    ("modality", lambda c: c.get("Modality")),
    ("image type", lambda c: c.image_type),
    ("complex component", lambda c: c.get("ComplexImageComponent")),
    ("magnitude or phase", _ge_kind),
    ("GE image flag", lambda c: c.value("GeCollapseFlag") if c.get("GeCreator") == "GEMS_PARM_01" else None),
    ("Philips image kind", lambda c: c.get("PhilipsImageKind")),
    ("echo time", _echo_key),
    ("echo number", lambda c: c.value("EchoNumbers")),
    ("b-value", _b_value),
    ("inversion time", lambda c: c.value("InversionTime")),
    ("reconstruction kernel", lambda c: c.get("ConvolutionKernel")),
    ("tube voltage", lambda c: c.value("KVP")),
    ("stack", lambda c: c.get("StackID")),
    ("contrast agent", lambda c: c.get("ContrastBolusAgent")),
    ("series description", lambda c: c.get("SeriesDescription")),
    ("colour", lambda c: c.pixel_format and (c.pixel_format.samples, _colour(c.pixel_format.photometric))),
    ("number format", lambda c: c.pixel_format and c.pixel_format.pixel_tag),
    ("lossy compression", lambda c: c.lossy),
)
SHAPE_KEYS: tuple[tuple[str, Callable[[Common], Any]], ...] = (
    ("matrix", lambda c: c.pixel_format and (c.pixel_format.rows, c.pixel_format.columns)),
    ("pixel spacing", spacing_key),
    ("rescale", lambda c: (c.rescale.problem, c.rescale.present, "ModalityLUTSequence" in c.raw)),
)


def _colour(photometric: str) -> str:
    return "MONOCHROME" if photometric in ("MONOCHROME1", "MONOCHROME2") else photometric
