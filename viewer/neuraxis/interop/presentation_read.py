"""Read presentation states, ours and other programs': what is shown where, as points on the image or in the patient."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.study import Study
from neuraxis.domain.window import Window, WindowFunction
from neuraxis.errors import ReadError, UsageError
from neuraxis.interop.sr_places import ImagePlaces
from neuraxis.interop.sr_tree import Reference

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

GRAYSCALE_STATE = "1.2.840.10008.5.1.4.1.1.11.1"
DRAWN_TYPES = ("POINT", "POLYLINE", "INTERPOLATED", "CIRCLE", "ELLIPSE", "ARROW")


@dataclass(frozen=True, eq=False)
class Shape:
    """A graphic: `kind` as in DICOM (POLYLINE, ELLIPSE, ..., or ARROW: tail, tip).

    Parameters
    ----------
    points : (n, 2) (column, row), pixel centres at .5; fractions of the displayed area where `in_display`
    points_lps_mm : (n, 3) in the patient; None where the image is not in the study or `in_display`
    """

    kind: str
    points: NDArray[np.float64]
    points_lps_mm: NDArray[np.float64] | None
    filled: bool
    in_display: bool


@dataclass(frozen=True, eq=False)
class Words:
    """Text at a point, as `Shape`."""

    words: str
    points: NDArray[np.float64]
    points_lps_mm: NDArray[np.float64] | None
    in_display: bool


@dataclass(frozen=True, eq=False)
class PresentationState:
    """One state: the images it is for, window, displayed area and annotations; `notes` name what was left out.

    `displayed_area` is (first column, first row, last column, last row), counted from 1.
    """

    label: str
    images: tuple[Reference, ...]
    windows: tuple[Window, ...]
    displayed_area: tuple[int, int, int, int] | None
    inverted: bool
    shapes: tuple[Shape, ...]
    words: tuple[Words, ...]
    notes: tuple[str, ...]


def read_presentation_state(path: Path, study: Study | None = None) -> PresentationState:
    """A grayscale softcopy presentation state.

    Raises
    ------
    ReadError
        When the file is no such object.
    """
    import pydicom
    from pydicom.errors import InvalidDicomError

    path = Path(path)
    try:
        d = pydicom.dcmread(path, stop_before_pixels=True)
    except (OSError, InvalidDicomError, EOFError, ValueError) as error:
        raise ReadError(f"cannot read {path.name}: {error}", expected="a presentation state") from error
    if d.get("SOPClassUID") != GRAYSCALE_STATE:
        raise ReadError(f"{path.name} is no grayscale presentation state", expected="a DICOM GSPS object")
    notes: list[str] = []
    places = ImagePlaces(study)
    images = tuple(
        _reference(item) for series in d.get("ReferencedSeriesSequence", ())
        for item in series.get("ReferencedImageSequence", ())
    )
    absent = sum(not places.has(i) for i in images)
    if study is not None and absent:
        notes.append(f"{absent} of {len(images)} images of the presentation state are not in the study")
    shapes: list[Shape] = []
    words: list[Words] = []
    for annotation in d.get("GraphicAnnotationSequence", ()):
        on = next((_reference(i) for i in annotation.get("ReferencedImageSequence", ())), images[0] if images else None)
        shapes += _shapes(annotation, on, places, notes)
        words += _words(annotation, on, places)
    notes += [f"{keyword} is not applied" for keyword in ("ShutterShape", "MaskSubtractionSequence") if keyword in d]
    notes += ["overlay planes are not drawn"] if any(0x6000 <= e.tag.group < 0x6100 for e in d) else []
    return PresentationState(
        str(d.get("ContentLabel", "")), images, tuple(_windows(d, notes)), _area(d),
        d.get("PresentationLUTShape") == "INVERSE", tuple(shapes), tuple(words), tuple(dict.fromkeys(notes)),
    )


def _reference(item: Dataset) -> Reference:
    frames = item.get("ReferencedFrameNumber")
    numbers = () if frames is None else tuple(int(f) for f in (frames if hasattr(frames, "__iter__") else [frames]))
    return Reference(str(item.get("ReferencedSOPClassUID", "")), str(item.get("ReferencedSOPInstanceUID", "")), numbers)


def _windows(d: Dataset, notes: list[str]) -> Iterator[Window]:
    for item in d.get("SoftcopyVOILUTSequence", ()):
        if "VOILUTSequence" in item:
            notes.append("a VOI lookup table is not applied")
        centers, widths = _many(item, "WindowCenter"), _many(item, "WindowWidth")
        names = item.get("WindowCenterWidthExplanation") or ""
        listed = [names] if isinstance(names, str) else [str(n) for n in names]
        for index, (center, width) in enumerate(zip(centers, widths, strict=False)):
            name = listed[index] if index < len(listed) else ""
            try:
                yield Window(center, width, WindowFunction(str(item.get("VOILUTFunction", "LINEAR"))), name)
            except (UsageError, ValueError) as error:
                notes.append(f"a window is not usable: {error}")


def _many(item: Dataset, keyword: str) -> list[float]:
    value = item.get(keyword)
    if value is None:
        return []
    return [float(v) for v in value] if hasattr(value, "__iter__") else [float(value)]


def _area(d: Dataset) -> tuple[int, int, int, int] | None:
    for item in d.get("DisplayedAreaSelectionSequence", ()):
        first, last = item.DisplayedAreaTopLeftHandCorner, item.DisplayedAreaBottomRightHandCorner
        return int(first[0]), int(first[1]), int(last[0]), int(last[1])
    return None


def _located(data: Any, on: Reference | None, units: str, places: ImagePlaces) -> tuple[Any, Any, bool]:
    values = np.array([float(v) for v in data or ()], dtype=np.float64)
    points = values[: len(values) // 2 * 2].reshape(-1, 2)
    in_display = units == "DISPLAY"
    axes = None if in_display or on is None else places.axes(on)
    return points, None if axes is None else axes[0] + (points - 0.5) @ axes[1], in_display


def _shapes(annotation: Dataset, on: Reference | None, places: ImagePlaces, notes: list[str]) -> Iterator[Shape]:
    compounds = {int(c.CompoundGraphicInstanceID): c for c in annotation.get("CompoundGraphicSequence", ())}
    drawn = set()
    for number, item in compounds.items():
        kind = str(item.get("CompoundGraphicType", ""))
        if kind in DRAWN_TYPES:
            drawn.add(number)
            yield _shape(kind, item, on, str(item.get("CompoundGraphicUnits", "")), places)
    for item in annotation.get("GraphicObjectSequence", ()):
        # a simple graphic that belongs to a compound is what it is drawn with by programs that do not know that one
        if item.get("CompoundGraphicInstanceID") in drawn:
            continue
        kind = str(item.get("GraphicType", ""))
        if kind not in DRAWN_TYPES:
            notes.append(f"graphic of type {kind or 'unknown'} is not drawn")
            continue
        yield _shape(kind, item, on, str(item.get("GraphicAnnotationUnits", "")), places)
    fallbacks = {i.get("CompoundGraphicInstanceID") for i in annotation.get("GraphicObjectSequence", ())}
    notes.extend(
        f"compound graphic of type {c.get('CompoundGraphicType', 'unknown')} is not drawn"
        for number, c in compounds.items() if number not in drawn and number not in fallbacks
    )


def _shape(kind: str, item: Dataset, on: Reference | None, units: str, places: ImagePlaces) -> Shape:
    points, lps, in_display = _located(item.get("GraphicData"), on, units, places)
    return Shape(kind, points, lps, item.get("GraphicFilled") == "Y", in_display)


def _words(annotation: Dataset, on: Reference | None, places: ImagePlaces) -> Iterator[Words]:
    for item in annotation.get("TextObjectSequence", ()):
        units, data = item.get("AnchorPointAnnotationUnits", ""), item.get("AnchorPoint")
        if data is None:
            units = item.get("BoundingBoxAnnotationUnits", "")
            data = list(item.get("BoundingBoxTopLeftHandCorner") or ())
        points, lps, in_display = _located(data, on, str(units), places)
        yield Words(str(item.get("UnformattedTextValue", "")), points, lps, in_display)
