"""How one image is shown, as DICOM Grayscale Softcopy Presentation State: window, zoom, arrows, words."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import Vector3, VolumeGeometry
from neuraxis.domain.study import Series
from neuraxis.domain.window import Window
from neuraxis.errors import UsageError
from neuraxis.interop.dicom_file import pin_identity, write_object
from neuraxis.interop.identity import MANUFACTURER, Author, Authorship, UidSource, software_version
from neuraxis.interop.seg import SERIES_NUMBER_OFFSET, copy_body_part
from neuraxis.interop.source_images import SourceImage, source_images
from neuraxis.interop.sr_items import IN_SLICE_TOLERANCE, image_points

if TYPE_CHECKING:
    import datetime

    from pydicom.dataset import Dataset

LAYER = "NEURAXIS"
BARB_FRACTION, BARB_SPREAD = 0.3, 0.5
"""Of an arrow's length: how long its barbs are, and how far they stand off the shaft (ratio)."""


@dataclass(frozen=True)
class Arrow:
    """An arrow in the image plane; LPS mm."""

    tail_lps_mm: Vector3
    tip_lps_mm: Vector3


@dataclass(frozen=True)
class Caption:
    """Words at a point of the image plane; LPS mm."""

    at_lps_mm: Vector3
    words: str


@dataclass(frozen=True)
class ImageView:
    """One native slice as a panel shows it.

    A presentation state cannot reslice: an oblique or reformatted panel has none (write its picture as Secondary
    Capture instead).

    Parameters
    ----------
    series, slice_index : the image
    window : in the series' real-world unit
    center_lps_mm, field_of_view_mm : middle and (width, height) of the part shown; None shows all of the image
    label : Content Label: 1 to 16 capitals, digits, spaces and underscores ("FIG_1A")
    inverted : shown with black and white exchanged
    """

    series: Series
    slice_index: int
    window: Window
    center_lps_mm: Vector3 | None = None
    field_of_view_mm: tuple[float, float] | None = None
    arrows: tuple[Arrow, ...] = ()
    captions: tuple[Caption, ...] = ()
    label: str = "PANEL"
    description: str = ""
    inverted: bool = False


def write_presentation_state(
    view: ImageView, path: Path, *, author: Author | None, uids: UidSource, written_at: datetime.datetime
) -> str:
    """Write how one image is shown; return the SOP Instance UID.

    Arrows are compound graphics, with a polyline of the same instance for programs that do not draw those.

    Raises
    ------
    UsageError
        When an arrow or caption does not lie in the plane of the image.
    GeometryError, ReadError, WriteError
        As in `write_seg`.
    """
    import highdicom as hd

    authorship = Authorship(author, written_at, uids)
    (source,) = source_images(view.series, [view.slice_index])
    assert view.series.geometry is not None
    layer = hd.pr.GraphicLayer(LAYER, 1, "Arrows and words")
    annotations = _annotations(view, view.series.geometry, source, layer)
    inverse = view.inverted != view.series.inverted
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in seg: odd values in the scanner's headers
        dataset: Dataset = hd.pr.GrayscaleSoftcopyPresentationState(
            referenced_images=[source.header], series_instance_uid="2.25.1",
            series_number=5 * SERIES_NUMBER_OFFSET + (view.series.number or 0), sop_instance_uid="2.25.1",
            instance_number=1, manufacturer=MANUFACTURER, manufacturer_model_name=MANUFACTURER,
            software_versions=software_version(), device_serial_number=software_version(), content_label=view.label,
            content_description=view.description[:64] or None, graphic_annotations=annotations or None,
            graphic_layers=[layer] if annotations else None,
            content_creator_name=author.name if author else None,
            voi_lut_transformations=[_voi(view.window)],
            presentation_lut_transformation=hd.PresentationLUTTransformation("INVERSE" if inverse else "IDENTITY"),
            series_description="Neuraxis panel views",
        )
    dataset.DisplayedAreaSelectionSequence = [_area(view, source, dataset)]
    _add_compound_arrows(dataset, view, view.series.geometry)
    if "ContentCreatorName" not in dataset:
        dataset.ContentCreatorName = ""
    copy_body_part(source.header, dataset)
    pin_identity(dataset, authorship, kind="PR", series_key=(view.series.series_uid,))
    return write_object(dataset, path, uids)


def _voi(window: Window) -> Any:
    import highdicom as hd

    return hd.pr.SoftcopyVOILUTTransformation(
        window_center=[float(window.center)], window_width=[float(window.width)],
        window_explanation=[window.name[:64]] if window.name else None, voi_lut_function=window.function.value,
    )


def in_image(points_lps_mm: Sequence[Vector3], geometry: VolumeGeometry, slice_index: int) -> NDArray[np.float64]:
    """(column, row) points, shape (n, 2), pixel centres at .5; UsageError where one is not in the plane of the slice."""
    depth = geometry.index_from_lps(points_lps_mm)[:, 0] - slice_index
    if np.abs(depth).max() > 0.5 + IN_SLICE_TOLERANCE:
        raise UsageError(
            f"a mark {abs(depth).max() * geometry.slice_distance_mm:.1f} mm off the slice",
            expected="marks within the slice they are shown on", remedy="place the mark on the slice, or choose its slice",
        )
    return image_points(points_lps_mm, geometry)


def _annotations(view: ImageView, geometry: VolumeGeometry, source: SourceImage, layer: Any) -> list[Any]:
    import highdicom as hd

    graphics = []
    for arrow in view.arrows:
        tail, tip = in_image([arrow.tail_lps_mm, arrow.tip_lps_mm], geometry, view.slice_index)
        graphics.append(hd.pr.GraphicObject(
            hd.pr.GraphicTypeValues.POLYLINE, arrow_polyline(tail, tip), hd.pr.AnnotationUnitsValues.PIXEL
        ))
    texts = [
        hd.pr.TextObject(
            caption.words, hd.pr.AnnotationUnitsValues.PIXEL, anchor_point=(float(at[0]), float(at[1])),
            anchor_point_visible=False,
        )
        for caption in view.captions for at in in_image([caption.at_lps_mm], geometry, view.slice_index)
    ]
    if not graphics and not texts:
        return []
    return [hd.pr.GraphicAnnotation(
        [source.header], layer, source.frame_number, graphic_objects=graphics or None, text_objects=texts or None
    )]


def arrow_polyline(tail: NDArray[np.float64], tip: NDArray[np.float64]) -> NDArray[np.float64]:
    """(5, 2) points that draw shaft and both barbs in one line: tail, tip, barb, tip, other barb."""
    back = (tail - tip) * BARB_FRACTION
    side = np.array([-back[1], back[0]]) * BARB_SPREAD
    return np.array([tail, tip, tip + back + side, tip, tip + back - side])


def _add_compound_arrows(dataset: Dataset, view: ImageView, geometry: VolumeGeometry) -> None:
    if not view.arrows:
        return
    from pydicom.dataset import Dataset

    annotation = dataset.GraphicAnnotationSequence[0]
    compounds = []
    for number, (arrow, fallback) in enumerate(zip(view.arrows, annotation.GraphicObjectSequence, strict=True), start=1):
        ends = in_image([arrow.tail_lps_mm, arrow.tip_lps_mm], geometry, view.slice_index)
        compound = Dataset()
        compound.CompoundGraphicInstanceID = number
        compound.CompoundGraphicUnits = "PIXEL"
        compound.GraphicDimensions, compound.NumberOfGraphicPoints = 2, 2
        compound.GraphicData = [float(v) for v in ends.ravel()]  # tail first: the head is at the last point
        compound.CompoundGraphicType = "ARROW"
        compounds.append(compound)
        fallback.CompoundGraphicInstanceID = number
    annotation.CompoundGraphicSequence = compounds


def _area(view: ImageView, source: SourceImage, dataset: Dataset) -> Dataset:
    """Displayed area in whole pixels, which may reach outside the image; shown with square millimetres."""
    from pydicom.dataset import Dataset

    assert view.series.geometry is not None
    rows, columns = view.series.geometry.shape_zyx[1:]
    sx, sy, _ = view.series.geometry.spacing_xyz_mm
    first, last = (1, 1), (columns, rows)
    if view.center_lps_mm is not None and view.field_of_view_mm is not None:
        (column, row), = in_image([view.center_lps_mm], view.series.geometry, view.slice_index)
        width, height = max(1, round(view.field_of_view_mm[0] / sx)), max(1, round(view.field_of_view_mm[1] / sy))
        first = (round(column - width / 2) + 1, round(row - height / 2) + 1)
        last = (first[0] + width - 1, first[1] + height - 1)
    item = Dataset()
    item.ReferencedImageSequence = dataset.ReferencedSeriesSequence[0].ReferencedImageSequence
    if source.frame_number is not None:
        reference = Dataset()
        reference.ReferencedSOPClassUID = source.header.SOPClassUID
        reference.ReferencedSOPInstanceUID = source.header.SOPInstanceUID
        reference.ReferencedFrameNumber = source.frame_number
        item.ReferencedImageSequence = [reference]
    item.DisplayedAreaTopLeftHandCorner = list(first)
    item.DisplayedAreaBottomRightHandCorner = list(last)
    item.PresentationSizeMode = "SCALE TO FIT"
    item.PresentationPixelSpacing = [sy, sx]
    return item
