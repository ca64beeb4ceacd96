"""What a series' numbers mean: Hounsfield units, MR signal, phase, a mapped quantity, or nothing known."""

from __future__ import annotations

import contextlib
import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.dicom.attributes import Common, Rescale
from neuraxis.dicom.byte_sources import printable
from neuraxis.dicom.elements import DamagedFileError
from neuraxis.domain.volume import ValueKind

_CT_CLASSES = ("1.2.840.10008.5.1.4.1.1.2",)
_NO_UNIT = {"", "1", "NO UNITS", "{NO UNITS}", "US"}
_HU_UNITS = {"HU", "[HNSF'U]", "HNSF'U"}


@dataclass(frozen=True)
class Meaning:
    """Kind and unit of the values of a series, with what restricts them."""

    kind: ValueKind
    unit: str = ""
    caveats: tuple[str, ...] = ()
    factor: float = 1.0
    """Applied after the rescale (phase to radians)."""


def meaning_of(commons: list[Common]) -> Meaning:
    """What the rescaled values of slices mean that share these headers."""
    first = commons[0]
    caveats = []
    if any(c.lossy for c in commons):
        caveats.append("lossy compression: not for measurement")
    if any(c.get("BurnedInAnnotation").upper() == "YES" for c in commons):
        caveats.append("text is burned into the pictures")
    mapped = real_world_map(first)
    if mapped is not None and mapped.unit.upper() not in _NO_UNIT | _HU_UNITS:
        kind = ValueKind.ADC if mapped.unit.lower() == "mm2/s" else ValueKind.COEFFICIENT
        return Meaning(kind, mapped.unit, tuple(caveats))
    if first.get("Modality") == "CT":
        return _ct(commons, caveats)
    if first.get("Modality") == "MR":
        return _mr(first, caveats)
    return Meaning(ValueKind.STORED, "", tuple(caveats))


def _ct(commons: list[Common], caveats: list[str]) -> Meaning:
    first = commons[0]
    lut_type = modality_lut_type(first)
    rescale_type = (first.get("RescaleType") or lut_type).upper()
    if not all(c.rescale.present or "ModalityLUTSequence" in c.raw for c in commons):
        return Meaning(ValueKind.STORED, "", (*caveats, "no rescale: stored values, no HU"))
    if "LOCALIZER" in first.image_type:
        return Meaning(ValueKind.STORED, "", (*caveats, "localizer: values are not HU"))
    if rescale_type not in ("", "HU"):
        return Meaning(ValueKind.STORED, "", (*caveats, f"RescaleType is {printable(rescale_type, 16)}: no HU"))
    if any(word in first.image_type for word in _NO_HU_TYPES):
        return Meaning(ValueKind.STORED, "", (*caveats, "derived map: values are not HU"))
    if not first.get("SOPClassUID").startswith(_CT_CLASSES) and not first.get("RescaleType"):
        return Meaning(ValueKind.STORED, "", (*caveats, "not a CT image object: no HU"))
    return Meaning(ValueKind.HU, "", tuple(caveats))


_NO_HU_TYPES = frozenset(("PERFUSION", "RCBF", "RCBV", "MTT", "TTP", "TMAX", "CBF", "CBV", "EFF_ATOMIC_NUM", "MATERIAL",
                          "IODINE", "VNC_FRACTION", "DOSE_INFO", "PATIENT_INFO"))


def is_phase(common: Common) -> bool:
    """Whether a header says that its values are MR phase."""
    kind = common.value("GeImageKind") if common.get("GeCreator") == "GEMS_PARM_01" else None
    return (
        common.get("ComplexImageComponent").upper() == "PHASE" or kind == 1
        or common.get("PhilipsImageKind").upper() in ("P", "PHASE")
        or (len(common.image_type) > 2 and common.image_type[2] in ("P", "PHASE", "PHASE MAP"))
        or "PHASE" in common.image_type
    )


def _mr(common: Common, caveats: list[str]) -> Meaning:
    if "ADC" in common.image_type or "FA" in common.image_type[2:]:
        return Meaning(ValueKind.STORED, "", (*caveats, "scale of the map is not stated in the file"))
    if not is_phase(common):
        return Meaning(ValueKind.SIGNAL, "", tuple(caveats))
    factor = phase_factor(common)
    if factor is None:
        return Meaning(ValueKind.STORED, "", (*caveats, "scale of the phase is not stated in the file"))
    return Meaning(ValueKind.PHASE, "rad", tuple(caveats), factor)


def phase_factor(common: Common) -> float | None:
    """Factor from rescaled values to radians, where the file or its vendor's fixed convention states it."""
    unit = common.get("RescaleType").upper()
    if unit in ("RAD", "RADIANS"):
        return 1.0
    if unit in ("MRAD", "MILLIRADIANS"):
        return 1e-3
    rescale = common.rescale
    vendor = common.get("Manufacturer").upper()
    # 12-bit phase as Siemens writes it, and converters after it: one turn over 0..4095
    if rescale.present and (rescale.slope, rescale.intercept) == (2.0, -4096.0):
        return math.pi / 4096
    if "PHILIPS" in vendor and rescale.present and abs(rescale.intercept + 3142) < 30:
        return 1e-3
    return None


@dataclass(frozen=True)
class RealWorldMap:
    """Linear real-world value mapping: value = slope * stored + intercept."""

    slope: float
    intercept: float
    unit: str


def real_world_map(common: Common) -> RealWorldMap | None:
    """The first linear mapping of RealWorldValueMappingSequence, None where there is none that is usable."""
    for item in common.items("RealWorldValueMappingSequence"):
        slope, intercept = (_double(item.values.get(t), big=item.big) for t in (0x00409225, 0x00409224))
        unit = ""
        with contextlib.suppress(DamagedFileError):
            for code in item.items(0x004008EA):
                unit = code.values.get(0x00080100, b"").decode("latin-1").strip("\0 ")
        if slope is not None and intercept is not None and slope != 0:
            return RealWorldMap(slope, intercept, printable(unit, 24))
    return None


def _double(data: bytes | None, *, big: bool) -> float | None:
    if data is None or len(data) != 8:
        return None
    value = float(struct.unpack(">d" if big else "<d", data)[0])
    return value if math.isfinite(value) else None


@dataclass(frozen=True)
class ModalityLut:
    """Table of ModalityLUTSequence: first stored value mapped, and the values."""

    first: int
    table: NDArray[Any]


def modality_lut_type(common: Common) -> str:
    """ModalityLUTType, '' where there is none."""
    for item in common.items("ModalityLUTSequence")[:1]:
        return item.values.get(0x00283004, b"").decode("latin-1").strip("\0 ")
    return ""


def modality_lut(common: Common) -> ModalityLut | None:
    """The modality LUT of a header; None where absent or unusable."""
    for item in common.items("ModalityLUTSequence")[:1]:
        descriptor = item.values.get(0x00283002, b"")
        data = item.values.get(0x00283006, b"")
        if len(descriptor) != 6:
            return None
        mark = ">" if item.big else "<"
        count, first, bits = struct.unpack(mark + "HHH", descriptor)
        count = count or 65536
        signed = common.value("PixelRepresentation") == 1
        if signed and first > 32767:
            first -= 65536
        if bits > 8:
            table = np.frombuffer(data[: count * 2], mark + "u2").astype(np.int32)
        else:
            table = np.frombuffer(data[:count], np.uint8).astype(np.int32)
        if len(table) != count:
            return None
        if modality_lut_type(common).upper() == "HU" and bits == 16:
            table = np.where(table > 32767, table - 65536, table)
        return ModalityLut(first, table)
    return None


def linear_map(common: Common, meaning: Meaning) -> Rescale:
    """The linear map from stored values to the values of `meaning`."""
    if meaning.kind in (ValueKind.COEFFICIENT, ValueKind.ADC):
        mapped = real_world_map(common)
        if mapped is not None:
            return Rescale(mapped.slope, mapped.intercept, True)
    rescale = common.rescale if common.rescale.present and not common.rescale.problem else Rescale()
    if meaning.factor != 1.0:
        return Rescale(rescale.slope * meaning.factor, rescale.intercept * meaning.factor, True)
    return rescale
