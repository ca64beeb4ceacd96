"""What may not leave in a picture unless someone asks for it by name: burned-in text, screen captures, faces."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.study import Role, Series
from neuraxis.domain.transform import RegistrationSet
from neuraxis.domain.volume import Volume
from neuraxis.errors import UsageError
from neuraxis.figures.recipe import VolumePanel
from neuraxis.figures.sampling import PixelGrid, sample_grid

FACE_PROFILE_MM = 60.0
"""Head-foot length of skin seen from the side, above which a profile with a nose in it is recognisable [prop]."""
NOSE_MM = 9.0
"""How far the skin must stand out over what lies above and below it to count as a nose [prop]."""
FACE_SLAB_MM = 20.0
"""Thickness of a projection from the front or the side that shows the surface of a face [prop]."""
_COARSE_MM = 1.5


class PrivacyError(UsageError):
    """A panel that could show who the patient is; `override` is the name that allows it."""

    def __init__(self, found: str, *, override: str, expected: str) -> None:
        super().__init__(
            found, expected=expected,
            remedy=f"choose another series or a smaller field of view; or, where that is wanted and permitted, allow it "
            f"by name: {override} (--allow on the command line, privacy_overrides in the recipe)",
        )
        self.override = override


def check_privacy(
    panel: VolumePanel, series: Series, volume: Volume, allowed: set[str], registrations: RegistrationSet
) -> None:
    """Raise PrivacyError where a panel would show burned-in text, a screen capture or a face.

    Rules
    -----
    burned_in : BurnedInAnnotation (0028,0301) is YES.
    secondary_capture : the series is a secondary capture (its pixels may hold any text).
    full_face : CT or MR, and either a sagittal view in which the anterior skin shows a nose (see `NOSE_MM`) along at
        least `FACE_PROFILE_MM`, or a coronal, sagittal or oblique maximum or mean projection thicker than `FACE_SLAB_MM`
        with tissue along at least `FACE_PROFILE_MM`. A single coronal or axial slice does not show a face.
    """
    where = f"panel {panel.letter}"
    if series.acquisition.burned_in_annotation.strip().upper() == "YES" and "burned_in" not in allowed:
        raise PrivacyError(
            f"{where}: series {series.id} says that text is burned into its pixels", override="burned_in",
            expected="BurnedInAnnotation NO",
        )
    image_type = {part.upper() for part in series.acquisition.image_type}
    capture = series.role.role is Role.SECONDARY or "SCREEN SAVE" in image_type or series.modality in ("SC", "OT")
    if capture and "secondary_capture" not in allowed:
        raise PrivacyError(
            f"{where}: series {series.id} is a secondary capture, which may show names", override="secondary_capture",
            expected="an original acquisition",
        )
    if "full_face" not in allowed and shows_face(panel, volume, registrations):
        raise PrivacyError(
            f"{where}: the {panel.plane.name} view shows the face", override="full_face",
            expected="a field of view without the profile of the face",
        )


def shows_face(panel: VolumePanel, volume: Volume, registrations: RegistrationSet | None = None) -> bool:
    """Whether a panel shows a recognisable face, by the rules of `check_privacy`."""
    plane = panel.plane
    normal = np.abs(np.cross(plane.right, plane.down))
    if normal[2] > 0.8:
        return False
    width, height = plane.field_of_view_mm
    grid = PixelGrid(plane, max(4, round(width / _COARSE_MM)), max(4, round(height / _COARSE_MM)))
    values = sample_grid(volume, grid, "nearest", registrations)
    tissue = _tissue(values, volume)
    if plane.slab_mm > FACE_SLAB_MM:
        return _projects_a_surface(panel, tissue)
    if normal[0] < 0.8:
        return False
    # with anterior on the left and head up, whatever way the panel is turned
    if plane.right[1] < 0:
        tissue = tissue[:, ::-1]
    if plane.down[2] > 0:
        tissue = tissue[::-1]
    return _has_nose(tissue, grid.pixel_mm)


def _tissue(values: NDArray[np.float32], volume: Volume) -> NDArray[np.bool_]:
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return np.zeros(values.shape, dtype=bool)
    limit = -300.0 if volume.unit == "HU" else 0.08 * float(np.percentile(finite, 99.5))
    return np.nan_to_num(values, nan=-np.inf) > limit


def _projects_a_surface(panel: VolumePanel, tissue: NDArray[np.bool_]) -> bool:
    """Whether a thick projection sums up enough head to show its surface or outline."""
    lengths = tissue.sum(axis=0).max(initial=0) * _COARSE_MM
    return bool(lengths >= FACE_PROFILE_MM and panel.plane.projection in ("max", "mean"))


def _has_nose(tissue: NDArray[np.bool_], pixel_mm: float) -> bool:
    """Whether the first tissue from the left, row by row, stands out like a nose along a visible profile."""
    from scipy.ndimage import binary_opening

    # single bright pixels of air noise are no skin
    solid = binary_opening(tissue, np.ones((3, 3), dtype=bool))
    air_in_front = round(4 / pixel_mm)
    first = np.where(solid.any(axis=1), solid.argmax(axis=1), -1)
    visible = first >= air_in_front
    depth = first.astype(np.float64) * pixel_mm
    reach = round(25 / pixel_mm)
    for tip in (int(row) for row in np.flatnonzero(visible)):
        above = [r for r in range(max(0, tip - reach), tip) if visible[r]]
        below = [r for r in range(tip + 1, min(len(first), tip + reach + 1)) if visible[r]]
        if not above or not below:
            continue
        over = depth[above].max() - depth[tip], depth[below].max() - depth[tip]
        if min(over) >= NOSE_MM and visible.sum() * pixel_mm >= FACE_PROFILE_MM:
            return True
    return False
