"""Roles of series by the rule table `role_rules.toml`."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from neuraxis.dicom.attributes import Common
from neuraxis.dicom.byte_sources import printable
from neuraxis.dicom.meaning import is_phase
from neuraxis.domain.study import Confidence, Role, RoleAssignment

_ENHANCED_SEQUENCES = {"SPIN": "SE", "GRADIENT": "GR", "BOTH": "GR"}


@dataclass(frozen=True)
class Features:
    """What the rules look at, taken from one header."""

    modality: str
    types: frozenset[str]
    sequences: frozenset[str]
    variants: frozenset[str]
    options: frozenset[str]
    text: str
    name: str
    numbers: dict[str, float | None]
    contrast: str
    acquisition: str
    component: str
    contrast_attribute: str
    phase: bool
    angio: bool
    derived: bool
    secondary: bool
    slices: int
    signed: bool


def features_of(common: Common, slices: int, *, signed: bool = False) -> Features:
    """Features of a series from one of its headers."""
    photometric = common.pixel_format.photometric if common.pixel_format else ""
    samples = common.pixel_format.samples if common.pixel_format else 1
    b_value = next(
        (v for v in (common.value(k) for k in ("DiffusionBValue", "PhilipsBValue", "SiemensBValue")) if v is not None), None
    )
    agent = common.get("ContrastBolusAgent")
    if not agent and common.items("ContrastBolusAgentSequence"):
        agent = "coded agent"
    if agent.upper() in {"NO", "NONE", "N", "WITHOUT", "0"}:
        agent = ""
    text = " ".join((common.get("SeriesDescription"), common.get("ProtocolName"))).replace("_", " _ ")
    return Features(
        common.get("Modality"), frozenset(common.image_type), _sequences(common),
        frozenset(common.multi("SequenceVariant")), frozenset(common.multi("ScanOptions")),
        re.sub(r" _ ", "_", text) + " " + re.sub(r"[_\-]+", " ", text),
        " ".join((common.get("SequenceName"), common.get("PulseSequenceName"))).strip(),
        {
            "te": common.value("EchoTime"), "tr": common.value("RepetitionTime"), "ti": common.value("InversionTime"),
            "fa": common.value("FlipAngle"), "b": b_value,
        },
        agent, common.get("MRAcquisitionType"), common.get("ComplexImageComponent"), common.get("AcquisitionContrast"),
        is_phase(common) and common.get("Modality") == "MR", common.get("AngioFlag") == "Y",
        bool(common.image_type[:1]) and common.image_type[0] == "DERIVED",
        common.get("SOPClassUID").startswith("1.2.840.10008.5.1.4.1.1.7") or samples > 1 or photometric == "PALETTE COLOR",
        slices, signed,
    )


def _sequences(common: Common) -> frozenset[str]:
    """ScanningSequence, from the enhanced attributes where the classic one is absent."""
    found = set(common.multi("ScanningSequence"))
    if not found:
        found.update(filter(None, [_ENHANCED_SEQUENCES.get(common.get("EchoPulseSequence"))]))
        if common.get("InversionRecovery") == "YES":
            found.add("IR")
        if common.get("EchoPlanarPulseSequence") == "YES":
            found.add("EP")
    return frozenset(found)


@cache
def rule_table() -> dict[str, list[dict[str, Any]]]:
    """The rules as they stand in `role_rules.toml`."""
    return tomllib.loads((files("neuraxis.dicom") / "role_rules.toml").read_text(encoding="utf-8"))


def _in_range(value: float | None, limits: list[float]) -> bool:
    return value is not None and limits[0] <= value < limits[1]


def _holds(condition: str, wanted: Any, f: Features, t1: str) -> bool:
    sets = {"type": f.types, "sequence": f.sequences, "variant": f.variants, "options": f.options}
    if condition in sets:
        return not sets[condition].isdisjoint(wanted)
    if condition.startswith("not_") and condition[4:] in sets:
        return sets[condition[4:]].isdisjoint(wanted)
    if condition in f.numbers:
        return _in_range(f.numbers[condition], wanted)
    if condition == "t1":
        return bool(t1)
    if condition in ("text", "name"):
        return re.search(wanted, getattr(f, condition), re.IGNORECASE) is not None
    if condition == "not_text":
        return re.search(wanted, f.text, re.IGNORECASE) is None
    if condition in ("modality", "contrast_attribute"):
        return getattr(f, condition) in wanted
    if condition == "contrast":
        return bool(f.contrast) is wanted
    if condition == "max_slices":
        return bool(f.slices <= wanted)
    return bool(getattr(f, condition) == wanted)


def _words(reason: str, f: Features, t1: str) -> str:
    fields = {k: "unknown" if v is None else f"{v:g}" for k, v in f.numbers.items()}
    return reason.format(**fields, contrast=printable(f.contrast, 40), name=printable(f.name, 40), t1_reason=t1)


def assign_role(common: Common, slices: int, *, signed: bool = False) -> RoleAssignment:
    """Role of a series by the first rule that holds; UNKNOWN with a reason where none does."""
    f = features_of(common, slices, signed=signed)
    t1 = ""
    if f.modality == "MR":
        for entry in rule_table()["t1"]:
            if all(_holds(c, w, f, "") for c, w in entry["when"].items()):
                t1 = _words(entry["reason"], f, "")
                break
    for entry in rule_table()["rule"]:
        if all(_holds(c, w, f, t1) for c, w in entry["when"].items()):
            return RoleAssignment(Role(entry["role"]), Confidence(entry["confidence"]), _words(entry["reason"], f, t1))
    return RoleAssignment(Role.UNKNOWN, Confidence.UNKNOWN, f"no rule fits modality {printable(f.modality, 16) or 'none'}")
