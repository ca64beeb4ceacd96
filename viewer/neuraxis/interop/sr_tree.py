"""The content tree of any DICOM structured report as plain values, read with limits on depth and size."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.lexicon import Code
from neuraxis.errors import ReadError
from neuraxis.interop.concepts import code_from

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

DEEPEST = 64
"""Levels; TID 1500 needs 7."""
MOST_ITEMS = 500_000
LARGEST_FILE = 256 * 1024**2


@dataclass(frozen=True)
class Reference:
    """What an IMAGE or COMPOSITE item points to."""

    sop_class_uid: str
    sop_instance_uid: str
    frames: tuple[int, ...] = ()
    segments: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Item:
    """One content item with its children; which of the value fields is set depends on `kind`.

    Parameters
    ----------
    kind : Value Type (CONTAINER, NUM, CODE, TEXT, UIDREF, PNAME, IMAGE, COMPOSITE, SCOORD, SCOORD3D, ...)
    relation : Relationship Type to the parent
    words : text, UID or person name
    number, unit : of NUM, unit as UCUM code; the number is None where the file has none that can be read
    points : (n, 2) (column, row) of SCOORD or (n, 3) LPS mm of SCOORD3D
    """

    kind: str
    relation: str
    name: Code | None
    children: tuple[Item, ...] = ()
    code: Code | None = None
    words: str = ""
    number: float | None = None
    unit: str = ""
    points: NDArray[np.float64] | None = None
    graphic_type: str = ""
    frame_of_reference_uid: str = ""
    reference: Reference | None = None

    def is_named(self, *codes: Code) -> bool:
        """Whether the concept name is one of these."""
        return self.name in codes

    def walk(self) -> Iterator[Item]:
        """This item and all below, parents first."""
        stack = [self]
        while stack:
            item = stack.pop()
            yield item
            stack.extend(reversed(item.children))

    def child(self, *codes: Code) -> Item | None:
        """First child with one of these names."""
        return next((i for i in self.children if i.is_named(*codes)), None)

    def texts(self, code: Code) -> tuple[str, ...]:
        """Words of all children of that name."""
        return tuple(i.words for i in self.children if i.is_named(code))


def read_report(path: Path) -> tuple[Dataset, Item]:
    """Data set and content tree of an SR file.

    Raises
    ------
    ReadError
        When the file is no structured report, is nested deeper than 64 levels, or is unreasonably large.
    """
    import pydicom
    from pydicom.errors import InvalidDicomError

    path = Path(path)
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ReadError(f"{path.name} has {path.stat().st_size:,} bytes", expected=f"at most {LARGEST_FILE:,}")
        dataset = pydicom.dcmread(path)
        modality = str(dataset.get("Modality", ""))
        if modality not in ("SR", "KO") or "ContentSequence" not in dataset:
            raise ReadError(f"{path.name} is no structured report (modality {modality or 'missing'})",
                            expected="a DICOM SR document")
        budget = [MOST_ITEMS]
        return dataset, _item(dataset, 0, budget, path)
    except RecursionError as error:
        raise _too_deep(path) from error
    except (OSError, InvalidDicomError, EOFError, ValueError, AttributeError, TypeError) as error:
        if isinstance(error, ReadError):
            raise
        raise ReadError(f"cannot read {path.name}: {error}", expected="a DICOM SR document") from error


def _too_deep(path: Path) -> ReadError:
    return ReadError(f"{path.name}: report nested deeper than {DEEPEST}", expected=f"at most {DEEPEST} levels")


def _item(dataset: Dataset, depth: int, budget: list[int], path: Path) -> Item:
    budget[0] -= 1
    if depth > DEEPEST:
        raise _too_deep(path)
    if budget[0] < 0:
        raise ReadError(f"{path.name} has more than {MOST_ITEMS:,} content items", expected="fewer")
    names = dataset.get("ConceptNameCodeSequence")
    children = tuple(_item(d, depth + 1, budget, path) for d in dataset.get("ContentSequence") or ())
    kind = str(dataset.get("ValueType", ""))
    return Item(
        kind, str(dataset.get("RelationshipType", "")), code_from(names[0]) if names else None, children,
        **_value(kind, dataset),
    )


def _value(kind: str, dataset: Dataset) -> dict[str, Any]:
    if kind == "NUM":
        return _number(dataset)
    if kind == "CODE":
        codes = dataset.get("ConceptCodeSequence")
        return {"code": code_from(codes[0]) if codes else None}
    if kind in ("TEXT", "UIDREF", "PNAME", "DATE", "TIME", "DATETIME"):
        keyword = {"TEXT": "TextValue", "UIDREF": "UID", "PNAME": "PersonName"}.get(kind, kind.title())
        return {"words": str(dataset.get(keyword, ""))}
    if kind in ("SCOORD", "SCOORD3D"):
        width = 2 if kind == "SCOORD" else 3
        data = np.array([float(v) for v in dataset.get("GraphicData") or ()], dtype=np.float64)
        return {
            "points": data[: len(data) // width * width].reshape(-1, width),
            "graphic_type": str(dataset.get("GraphicType", "")),
            "frame_of_reference_uid": str(dataset.get("ReferencedFrameOfReferenceUID", "")),
        }
    if kind in ("IMAGE", "COMPOSITE", "WAVEFORM"):
        items = dataset.get("ReferencedSOPSequence")
        return {"reference": _reference(items[0]) if items else None}
    return {}


def _reference(item: Dataset) -> Reference:
    def numbers(keyword: str) -> tuple[int, ...]:
        value = item.get(keyword)
        if value is None:
            return ()
        return tuple(int(v) for v in value) if hasattr(value, "__iter__") else (int(value),)

    return Reference(
        str(item.get("ReferencedSOPClassUID", "")), str(item.get("ReferencedSOPInstanceUID", "")),
        numbers("ReferencedFrameNumber"), numbers("ReferencedSegmentNumber"),
    )


def _number(dataset: Dataset) -> dict[str, Any]:
    measured = dataset.get("MeasuredValueSequence")
    if not measured:
        return {"number": None}
    units = measured[0].get("MeasurementUnitsCodeSequence")
    unit = code_from(units[0]).value if units else ""
    number, precise = _finite(measured[0], "NumericValue"), _finite(measured[0], "FloatingPointValue")
    if number is not None and precise is not None:
        # the second repeats the first in full precision; where they differ, neither can be trusted
        number = precise if math.isclose(number, precise, rel_tol=1e-6, abs_tol=1e-12) else None
    return {"number": number, "unit": unit}


def _finite(item: Dataset, keyword: str) -> float | None:
    try:
        value = item.get(keyword)
        number = float(value) if value not in (None, "") else math.nan
    except (ValueError, TypeError, OverflowError):
        return None
    return number if math.isfinite(number) else None
