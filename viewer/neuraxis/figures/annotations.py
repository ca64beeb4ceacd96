"""Letters, scale bars and marks of a panel as primitives on the page."""

from __future__ import annotations

import math
from dataclasses import dataclass

from neuraxis.domain.geometry import orientation_letters
from neuraxis.figures.layout import Box
from neuraxis.figures.recipe import Corner, Mark, PlaneSpec
from neuraxis.figures.scene import CAP_HEIGHT, POINT_MM, Circle, Item, ItemRole, Line, Polygon, Text, text_width_mm

MARGIN_MM = 1.2
BAR_THICKNESS_MM = 0.5
ARROW_HEAD = 0.42
"""Share of an arrow's length that its head takes."""


@dataclass(frozen=True)
class TypeSizes:
    """Type sizes of a figure in points."""

    small_pt: float
    letter_pt: float


def corner_text(
    box: Box, corner: Corner, text: str, size_pt: float, role: ItemRole, *, bold: bool = False, row_mm: float = 0.0
) -> Text:
    """A line of type in a corner of a panel, moved inwards by `row_mm`."""
    vertical, side = corner.split("-")
    x = box.x_mm + MARGIN_MM if side == "left" else box.x_mm + box.width_mm - MARGIN_MM
    cap = CAP_HEIGHT * size_pt * POINT_MM
    from_top, from_bottom = MARGIN_MM + cap + row_mm, box.height_mm - MARGIN_MM - row_mm
    y = box.y_mm + (from_top if vertical == "top" else from_bottom)
    return Text(x, y, text, size_pt, "", role, "left" if side == "left" else "right", bold)


def orientation_texts(box: Box, plane: PlaneSpec, size_pt: float) -> list[Text]:
    """Patient letters at the middle of the four edges, from the plane's own directions."""
    right, down = orientation_letters(plane.right), orientation_letters(plane.down)
    left = orientation_letters([-v for v in plane.right])
    up = orientation_letters([-v for v in plane.down])
    cap = CAP_HEIGHT * size_pt * POINT_MM
    inset = MARGIN_MM * 0.75
    middle_x, middle_y = box.x_mm + box.width_mm / 2, box.y_mm + box.height_mm / 2 + cap / 2
    return [
        Text(box.x_mm + inset, middle_y, left, size_pt, "", "orientation", "left"),
        Text(box.x_mm + box.width_mm - inset, middle_y, right, size_pt, "", "orientation", "right"),
        Text(middle_x, box.y_mm + inset + cap, up, size_pt, "", "orientation", "center"),
        Text(middle_x, box.y_mm + box.height_mm - inset, down, size_pt, "", "orientation", "center"),
    ]


def scale_bar(box: Box, corner: Corner, length_mm: float, label: str, size_pt: float) -> list[Item]:
    """A bar of `length_mm` on the page (as long as the labelled length is in the panel) and its label above it."""
    vertical, side = corner.split("-")
    left = box.x_mm + MARGIN_MM if side == "left" else box.x_mm + box.width_mm - MARGIN_MM - length_mm
    cap = CAP_HEIGHT * size_pt * POINT_MM
    if vertical == "bottom":
        bottom = box.y_mm + box.height_mm - MARGIN_MM
    else:
        bottom = box.y_mm + MARGIN_MM + cap + 0.6 + BAR_THICKNESS_MM
    top = bottom - BAR_THICKNESS_MM
    corners = ((left, top), (left + length_mm, top), (left + length_mm, bottom), (left, bottom))
    # a label wider than its bar must not leave the panel: it then ends with the bar
    width = text_width_mm(label, size_pt)
    if width <= length_mm:
        text = Text(left + length_mm / 2, top - 0.6, label, size_pt, "", "scale-label", "center")
    elif side == "left":
        text = Text(left, top - 0.6, label, size_pt, "", "scale-label", "left")
    else:
        text = Text(left + length_mm, top - 0.6, label, size_pt, "", "scale-label", "right")
    return [Polygon(corners, "", "scale-bar", outline_mm=0.15), text]


def arrow_points(tip: tuple[float, float], direction_deg: float, length_mm: float) -> tuple[tuple[float, float], ...]:
    """Outline of an arrow on the page (y down) whose tip stands at `tip`."""
    head = max(1.3, ARROW_HEAD * length_mm)
    half_head, half_shaft = 0.42 * head, 0.15 * head
    profile = (
        (0.0, 0.0), (-head, half_head), (-0.82 * head, half_shaft), (-length_mm, half_shaft),
        (-length_mm, -half_shaft), (-0.82 * head, -half_shaft), (-head, -half_head),
    )
    return _turned(profile, tip, direction_deg)


def arrowhead_points(
    tip: tuple[float, float], direction_deg: float, length_mm: float
) -> tuple[tuple[float, float], ...]:
    """Outline of a notched arrowhead on the page whose tip stands at `tip`."""
    half = 0.42 * length_mm
    return _turned(((0.0, 0.0), (-length_mm, half), (-0.75 * length_mm, 0.0), (-length_mm, -half)), tip, direction_deg)


def _turned(
    profile: tuple[tuple[float, float], ...], tip: tuple[float, float], direction_deg: float
) -> tuple[tuple[float, float], ...]:
    angle = math.radians(direction_deg)
    # the page's y axis points down, directions count counter-clockwise
    ux, uy = math.cos(angle), -math.sin(angle)
    return tuple((tip[0] + a * ux - b * uy, tip[1] + a * uy + b * ux) for a, b in profile)


def mark_items(
    mark: Mark, at: tuple[float, float], page_mm_per_unit: float, end: tuple[float, float] | None = None
) -> list[Item]:
    """A mark whose anchor lies at `at` on the page.

    Parameters
    ----------
    page_mm_per_unit : of the patient's millimetres, or of a picture's pixels
    end : where a line ends on the page
    """
    contrast = "white" if mark.color == "black" else "black"
    if mark.kind == "arrow":
        points = arrow_points(at, mark.direction_deg, mark.length_mm)
        return [Polygon(points, "", "mark", mark.color, contrast, 0.25, "arrow")]
    if mark.kind == "arrowhead":
        points = arrowhead_points(at, mark.direction_deg, mark.length_mm)
        return [Polygon(points, "", "mark", mark.color, contrast, 0.25, "arrowhead")]
    if mark.kind == "circle":
        radius = (mark.radius_mm if mark.radius_mm is not None else mark.radius_px or 1.0) * page_mm_per_unit
        return [Circle(at[0], at[1], radius, "", "mark", color=mark.color, halo=contrast)]
    if mark.kind == "box":
        across, down = (v * page_mm_per_unit / 2 for v in mark.sides_mm or mark.sides_px or (1.0, 1.0))
        corners = [(at[0] + i * across, at[1] + j * down) for i, j in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
        # one stroke past the first corner closes it without a notch
        outline = (*corners, corners[0], corners[1])
        return [Line(outline, "", "mark", color=mark.color, halo=contrast, name="box")]
    if mark.kind == "line":
        return [Line((at, end or at), "", "mark", color=mark.color, halo=contrast, name="line")]
    if mark.kind == "text":
        y = at[1] + CAP_HEIGHT * mark.size_pt * POINT_MM / 2
        return [Text(at[0], y, mark.text, mark.size_pt, "", "mark", "center", True, mark.color, contrast)]
    return _asterisk(mark, at, contrast)


def _asterisk(mark: Mark, at: tuple[float, float], contrast: str) -> list[Item]:
    radius = mark.size_pt * POINT_MM * 0.42
    width = radius * 0.34
    corners = []
    for arm in range(6):
        angle = math.radians(90 + 60 * arm)
        cos, sin = math.cos(angle), math.sin(angle)
        # two corners at the end of the arm, then the notch between it and the next
        for along, across in ((radius, -width / 2), (radius, width / 2)):
            corners.append((at[0] + along * cos - across * sin, at[1] - along * sin - across * cos))
        notch = angle + math.radians(30)
        corners.append((at[0] + width * math.cos(notch), at[1] - width * math.sin(notch)))
    return [Polygon(tuple(corners), "", "mark", mark.color, contrast, 0.2, "asterisk")]
