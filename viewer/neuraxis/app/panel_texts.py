"""The words in the corners of a panel: series, slice, window, badges."""

from __future__ import annotations

import re

from neuraxis.align.planes import Projection
from neuraxis.app.pictures import PROJECTION_WORDS, Picture, slice_count, slice_spacing_mm
from neuraxis.app.views import OBLIQUE_BADGE_DEGREES, NativeView, vector3
from neuraxis.domain.geometry import Vector3, orientation_letters
from neuraxis.domain.study import Confidence, Role, Series
from neuraxis.domain.volume import Volume
from neuraxis.domain.window import Window


def role_word(series: Series) -> str:
    """The role, with its confidence where it is not certain: 'T1', 'T2 (probable)', 'role unknown'."""
    if series.role.role is Role.UNKNOWN:
        return "role unknown"
    role = series.role.role.value
    return role if series.role.confidence is Confidence.CERTAIN else f"{role} ({series.role.confidence.value})"


def series_text(series: Series) -> str:
    """Role with its confidence where it is not certain, number and description."""
    role = role_word(series)
    number = f"  #{series.number}" if series.number is not None else ""
    return f"{role}{number}\n{series.description}".strip()


def window_text(window: Window | None) -> str:
    """Name, width and level; explanations that say nothing ('WINDOW1') are left out."""
    if window is None:
        return ""
    name = "" if re.fullmatch(r"(?i)window\s*\d*|user|algo\d*", window.name) else window.name
    numbers = f"W\u00a0{window.width:.4g} L\u00a0{window.center:.4g}"  # broken between the two only
    return f"{name}\n{numbers}" if name else numbers


def position_text(normal: Vector3, point_lps_mm: Vector3) -> str:
    """Where a slice lies along its normal: 'H 12.3 mm' (to the head of the origin), 'R 4.0 mm'."""
    axis = max(range(3), key=lambda k: abs(normal[k]))
    value = point_lps_mm[axis]
    direction = [0.0, 0.0, 0.0]
    direction[axis] = 1.0 if value >= 0 else -1.0
    return f"{orientation_letters(vector3(direction))} {abs(value):.1f} mm"


def slice_text(
    series: Series, volume: Volume, view: NativeView, picture: Picture, on_plane: Vector3,
    turned: tuple[float, float] = (0.0, 0.0),
) -> str:
    """Slice number, position, thickness and spacing; for oblique planes by how much they are turned."""
    if picture.slice_index is None:
        a, b = turned
        return f"{view.orientation.value}\nturned {a:.0f}° {b:.0f}°\n{position_text(view.normal, on_plane)}"
    count = slice_count(volume.geometry, view)
    # counted in the direction in which the normal grows, so that numbers rise towards head, posterior and right
    number = picture.slice_index + 1 if view.slice_sign > 0 else count - picture.slice_index
    lines = [f"{view.orientation.value} {number}/{count}", position_text(view.normal, on_plane)]
    spacing = slice_spacing_mm(volume.geometry, view)
    thickness = volume.slice_thickness_mm or series.acquisition.slice_thickness_mm
    if view.slice_axis == 0 and thickness:
        lines.append(f"{thickness:.3g} mm thick\nevery {spacing:.3g} mm")
    else:
        lines.append(f"every {spacing:.3g} mm")
    return "\n".join(lines)


def badges(series: Series, volume: Volume, view: NativeView, picture: Picture, projection: Projection) -> list[str]:
    """What a reader has to know before trusting the picture; empty for a plain native slice."""
    found = []
    if picture.slab_mm:
        found.append(f"{PROJECTION_WORDS[projection]} {picture.slab_mm:.1f} mm")
    if picture.interpolated:
        found.append("interpolated")
    if volume.geometry.is_sheared:
        found.append(f"gantry tilt {volume.geometry.shear_degrees:.0f}°")
    elif not picture.interpolated and view.tilt_degrees > OBLIQUE_BADGE_DEGREES:
        found.append(f"tilted {view.tilt_degrees:.0f}°")
    if series.acquisition.lossy:
        found.append("lossy")
    if volume.missing_slices:
        missing = len(volume.missing_slices)
        found.append(f"{missing} slice{'s' if missing > 1 else ''} missing")
    if not volume.is_measurable:
        found.append("not for measurement")
    return found
