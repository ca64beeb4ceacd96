"""The recipe: everything from which a figure can be made again, as typed values (schema version 1)."""

from __future__ import annotations

import math
import re
from pathlib import PurePosixPath
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from neuraxis.domain.window import Window, WindowFunction

RECIPE_VERSION: Literal[1] = 1
JOURNAL_WIDTHS_MM = (84.0, 174.0)
"""One and two columns of most radiology journals."""

Number: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
Point3: TypeAlias = tuple[Number, Number, Number]
Point2: TypeAlias = tuple[Number, Number]
Side: TypeAlias = Annotated[float, Field(gt=0, le=100000)]
Corner: TypeAlias = Literal["top-left", "top-right", "bottom-left", "bottom-right"]
Sha256: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Color: TypeAlias = Annotated[str, Field(pattern=r"^(white|black|yellow|cyan|magenta|#[0-9a-fA-F]{6})$")]
Letter: TypeAlias = Annotated[str, Field(min_length=1, max_length=24)]
Override: TypeAlias = Literal["full_face", "burned_in", "secondary_capture"]

_CAPTION_FIELD = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")


class _Part(BaseModel):
    """A part of a recipe: unknown keys are refused, nothing changes after it was made."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Mark(_Part):
    """A mark anchored in the patient (volumes) or in the picture (other panels).

    `anchor_lps_mm` is the point at which the tip stands (a line: where it starts; the others: their middle), in the
    panel's frame of reference; `anchor_px` the same in a picture, (x, y) from its top left corner. `direction_deg` is
    where the tip points on the screen, counter-clockwise from screen right (0 right, 90 up). `length_mm` is measured on
    the printed page. A circle's `radius_mm`, a box's `sides_mm` (across, down) and a line's `end_lps_mm` are in the
    patient; in a picture `radius_px`, `sides_px` and `end_px`. A text mark of one letter labels a structure.
    """

    kind: Literal["arrow", "arrowhead", "asterisk", "circle", "box", "line", "text"]
    anchor_lps_mm: Point3 | None = None
    anchor_px: Point2 | None = None
    direction_deg: Number = 0.0
    length_mm: Annotated[float, Field(gt=0, le=60)] = 5.0
    radius_mm: Annotated[float, Field(gt=0, le=200)] | None = None
    radius_px: Annotated[float, Field(gt=0)] | None = None
    sides_mm: tuple[Side, Side] | None = None
    sides_px: tuple[Side, Side] | None = None
    end_lps_mm: Point3 | None = None
    end_px: Point2 | None = None
    size_pt: Annotated[float, Field(ge=3, le=48)] = 9.0
    color: Color = "white"
    text: Annotated[str, Field(max_length=200)] = ""

    @model_validator(mode="after")
    def _complete(self) -> Mark:
        if (self.anchor_lps_mm is None) == (self.anchor_px is None):
            raise ValueError("give exactly one of anchor_lps_mm (volume panels) and anchor_px (picture panels)")
        if self.kind == "text" and not self.text:
            raise ValueError("a text mark needs text")
        needed = {"circle": ("radius_mm", "radius_px"), "box": ("sides_mm", "sides_px"), "line": ("end_lps_mm", "end_px")}
        if self.kind in needed:
            in_patient, in_picture = needed[self.kind]
            wanted = in_patient if self.anchor_lps_mm is not None else in_picture
            if getattr(self, wanted) is None:
                raise ValueError(f"a {self.kind} needs {in_patient} (volume panels) or {in_picture} (picture panels)")
        return self


class WindowSpec(_Part):
    """How values become grey (DICOM VOI LUT Function), with the name a reader knows it by."""

    center: Number
    width: Annotated[float, Field(gt=0)]
    name: Annotated[str, Field(max_length=60)] = ""
    function: Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"] = "LINEAR"
    note: Annotated[str, Field(max_length=300)] = ""

    @model_validator(mode="after")
    def _wide_enough(self) -> WindowSpec:
        if self.function == "LINEAR" and self.width < 1:
            raise ValueError("width must be at least 1 for the function LINEAR")
        return self

    def window(self) -> Window:
        """The domain value."""
        return Window(self.center, self.width, WindowFunction(self.function), self.name)

    @classmethod
    def of(cls, window: Window, note: str = "") -> WindowSpec:
        """From a domain window."""
        return cls(
            center=window.center, width=window.width, name=window.name, function=window.function.value, note=note
        )


class PlaneSpec(_Part):
    """A rectangle in patient space: centre in LPS mm of one frame of reference, screen right and screen down."""

    name: Literal["axial", "coronal", "sagittal", "oblique"]
    frame_of_reference_uid: Annotated[str, Field(pattern=r"^[0-9.]{0,64}$")] = ""
    centre_lps_mm: Point3
    right: Point3
    down: Point3
    field_of_view_mm: tuple[Annotated[float, Field(gt=0, le=1000)], Annotated[float, Field(gt=0, le=1000)]]
    slab_mm: Annotated[float, Field(ge=0, le=300)] = 0.0
    projection: Literal["mean", "max", "min"] = "mean"

    @model_validator(mode="after")
    def _orthonormal(self) -> PlaneSpec:
        for name, vector in (("right", self.right), ("down", self.down)):
            if abs(math.hypot(*vector) - 1) > 1e-3:
                raise ValueError(f"{name} must be a unit vector, its length is {math.hypot(*vector):.4f}")
        product = sum(a * b for a, b in zip(self.right, self.down, strict=True))
        if abs(product) > 1e-3:
            raise ValueError(f"right and down must be perpendicular, their product is {product:.4f}")
        return self


class SeriesReference(_Part):
    """Which voxels: the series and the hash of what was seen when the recipe was made."""

    series_uid: Annotated[str, Field(pattern=r"^[0-9.]{1,64}$")]
    series_id: Annotated[str, Field(min_length=1, max_length=80)]
    role: Annotated[str, Field(max_length=20)] = ""
    pixel_sha256: Sha256 | None = None


class Inset(_Part):
    """A small locator picture of another plane through the same point, with the panel's plane drawn as a line."""

    plane: Literal["axial", "coronal", "sagittal"]
    corner: Corner = "bottom-left"
    fraction: Annotated[float, Field(ge=0.1, le=0.5)] = 0.28
    field_of_view_mm: Annotated[float, Field(gt=0, le=1000)] = 240.0
    window: WindowSpec | None = None


class VolumePanel(_Part):
    """A panel resampled from the native voxels of one series."""

    kind: Literal["volume"] = "volume"
    letter: Letter
    series: SeriesReference
    plane: PlaneSpec
    window: WindowSpec
    interpolation: Literal["nearest", "linear", "cubic"] = "linear"
    marks: tuple[Mark, ...] = ()
    scale_bar_mm: Annotated[float, Field(gt=0, le=500)] | None = 10.0
    scale_bar_corner: Corner = "bottom-right"
    letter_corner: Corner = "top-left"
    show_letter: bool = True
    orientation_letters: bool = True
    show_window: bool = True
    text: Annotated[str, Field(max_length=60)] = ""
    inset: Inset | None = None

    @model_validator(mode="after")
    def _marks_in_the_patient(self) -> VolumePanel:
        for index, mark in enumerate(self.marks):
            if mark.anchor_lps_mm is None:
                raise ValueError(f"marks[{index}] needs anchor_lps_mm: a volume panel is anchored in the patient")
        if self.scale_bar_mm is not None and self.scale_bar_mm >= self.plane.field_of_view_mm[0]:
            raise ValueError(
                f"scale_bar_mm {self.scale_bar_mm:g} does not fit into a field of view of "
                f"{self.plane.field_of_view_mm[0]:g} mm"
            )
        return self


class PicturePanel(_Part):
    """A picture that is no volume: histology, photograph, drawing (PNG, JPEG or TIFF beside the recipe)."""

    kind: Literal["picture"] = "picture"
    letter: Letter
    file: Annotated[str, Field(min_length=1, max_length=300)]
    sha256: Sha256 | None = None
    microns_per_pixel: Annotated[float, Field(gt=0, le=10000)] | None = None
    magnification: Annotated[str, Field(max_length=20)] = ""
    crop_px: tuple[int, int, int, int] | None = None
    marks: tuple[Mark, ...] = ()
    scale_bar_um: Annotated[float, Field(gt=0)] | None = None
    scale_bar_corner: Corner = "bottom-right"
    letter_corner: Corner = "top-left"
    show_letter: bool = True
    text: Annotated[str, Field(max_length=60)] = ""

    @field_validator("file")
    @classmethod
    def _inside_the_folder(cls, value: str) -> str:
        path = PurePosixPath(value)
        outside = path.is_absolute() or ".." in path.parts or "\\" in value or re.match(r"^[A-Za-z]:", value)
        if outside or "\x00" in value:
            raise ValueError("must be a path relative to the recipe, inside its folder, with forward slashes")
        return value

    @field_validator("crop_px")
    @classmethod
    def _crop_with_area(cls, value: tuple[int, int, int, int] | None) -> tuple[int, int, int, int] | None:
        if value is not None and (min(value[:2]) < 0 or min(value[2:]) < 1):
            raise ValueError("must be [x, y, width, height] in pixels, x and y from 0, width and height from 1")
        return value

    @model_validator(mode="after")
    def _scale(self) -> PicturePanel:
        if self.scale_bar_um is not None and self.microns_per_pixel is None:
            raise ValueError("scale_bar_um needs microns_per_pixel: a magnification alone gives no length")
        for index, mark in enumerate(self.marks):
            if mark.anchor_px is None:
                raise ValueError(f"marks[{index}] needs anchor_px: a picture has no place in the patient")
        return self


class PlaceholderPanel(_Part):
    """A panel that the legend asks for and the study cannot give; drawn as an empty field that says why."""

    kind: Literal["placeholder"] = "placeholder"
    letter: Letter
    reason: Annotated[str, Field(min_length=1, max_length=400)]
    aspect: Annotated[float, Field(gt=0.1, le=10)] = 1.0


Panel: TypeAlias = Annotated[VolumePanel | PicturePanel | PlaceholderPanel, Field(discriminator="kind")]


class Layout(_Part):
    """Panels in reading order: either a number of columns, or rows of letters, each filling the whole width."""

    columns: Annotated[int, Field(ge=1, le=8)] | None = None
    rows: tuple[tuple[Letter, ...], ...] | None = None
    gap_mm: Annotated[float, Field(ge=0, le=20)] = 1.0

    @model_validator(mode="after")
    def _one_of_both(self) -> Layout:
        if self.columns is not None and self.rows is not None:
            raise ValueError("give columns or rows, not both")
        if self.rows is not None and not all(self.rows):
            raise ValueError("rows must hold at least one panel letter each")
        return self


class Recipe(_Part):
    """A figure that can be made again: layout, panels, type sizes and caption."""

    neuraxis_recipe: Literal[1] = RECIPE_VERSION
    width_mm: Annotated[float, Field(ge=30, le=400)] = 174.0
    dpi: Annotated[int, Field(ge=72, le=1200)] = 300
    font_size_pt: Annotated[float, Field(ge=4, le=24)] = 6.5
    letter_size_pt: Annotated[float, Field(ge=5, le=36)] = 10.0
    background: Literal["white", "black"] = "white"
    layout: Layout = Layout()
    panels: Annotated[tuple[Panel, ...], Field(min_length=1, max_length=40)]
    caption: Annotated[str, Field(max_length=20000)] = ""
    measurements: dict[str, Annotated[str, Field(max_length=200)]] = Field(default_factory=dict)
    privacy_overrides: tuple[Override, ...] = ()
    notes: tuple[Annotated[str, Field(max_length=600)], ...] = ()

    @model_validator(mode="after")
    def _letters_fit(self) -> Recipe:
        letters = [p.letter for p in self.panels]
        twice = sorted({x for x in letters if letters.count(x) > 1})
        if twice:
            raise ValueError(f"panels must have different letters; used twice: {', '.join(twice)}")
        if self.layout.rows is not None:
            placed = [x for row in self.layout.rows for x in row]
            if sorted(placed) != sorted(letters):
                raise ValueError(
                    f"layout.rows must hold each panel letter once: panels are {', '.join(letters)}, "
                    f"rows hold {', '.join(placed)}"
                )
        return self

    @model_validator(mode="after")
    def _caption_fields_known(self) -> Recipe:
        for found in _CAPTION_FIELD.finditer(self.caption):
            name = found.group(1)
            if name is not None and name not in self.measurements:
                known = ", ".join(sorted(self.measurements)) or "none (measurements is empty)"
                raise ValueError(
                    f"caption field {{{name}}} is not among measurements; known: {known}; double braces mean braces"
                )
        return self

    def caption_text(self) -> str:
        """The caption with its fields filled from `measurements` (plain replacement, nothing is evaluated)."""

        def filled(found: re.Match[str]) -> str:
            name = found.group(1)
            return found.group(0)[0] if name is None else self.measurements[name]

        return _CAPTION_FIELD.sub(filled, self.caption)


def caption_literal(text: str) -> str:
    """Text as a caption in which braces mean themselves."""
    return text.replace("{", "{{").replace("}", "}}")
