"""Windows for the panels of a legend: presets for CT, percentiles of the field of view for MR, one for a T1 pair."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.volume import ValueKind, Volume
from neuraxis.domain.window import Window, WindowFunction, automatic_window, window_preset
from neuraxis.figures.recipe import WindowSpec

CENTRAL_SHARE = 0.7
"""Diameter of the ellipse that sets an automatic window, as a share of the panel's sides [prop]."""
_PRESETS = {"bone": "bone", "brain": "brain", "soft_tissue": "soft tissue"}


def panel_window(stated: str | None, volume: Volume, values: NDArray[np.float32]) -> WindowSpec:
    """Window of one panel.

    Parameters
    ----------
    stated : 'bone', 'brain', 'soft_tissue' or None where the legend states none (CT: brain)
    volume : the series' voxels, for what their numbers mean
    values : (rows, columns) values in the panel's field of view, NaN outside the volume
    """
    if volume.kind is ValueKind.HU:
        note = "" if stated else "no window stated: brain"
        return WindowSpec.of(window_preset(_PRESETS.get(stated or "", "brain")), note)
    return _rounded(
        automatic_window(_central(values)), "1st to 99th percentile of the tissue in the middle of the field of view"
    )


def _central(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values in the middle ellipse of a panel, where the eye looks: bright scalp fat at the rim does not count."""
    rows, columns = values.shape
    y, x = np.ogrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    middle = values[(x**2 + y**2 <= CENTRAL_SHARE**2) & np.isfinite(values)]
    return middle if middle.size >= 500 else values[np.isfinite(values)]


def paired_windows(
    pre: NDArray[np.float32], post: NDArray[np.float32], pre_window: WindowSpec, post_window: WindowSpec,
    letters: tuple[str, str],
) -> tuple[WindowSpec, WindowSpec] | None:
    """One window for a series before and after contrast, so that equal tissue has equal grey.

    The scale between both is the median ratio of their signals over tissue seen in both; most tissue does not enhance,
    so the median is that of unenhanced tissue. None where too little tissue is shared.

    Parameters
    ----------
    pre, post : values of both series on the same pixels, NaN outside
    letters : of the two panels, for the note
    """
    both = np.isfinite(pre) & np.isfinite(post)
    if not both.any():
        return None
    floor = [0.15 * float(np.percentile(v[both], 99)) for v in (pre, post)]
    tissue = both & (pre > floor[0]) & (post > floor[1])
    if int(tissue.sum()) < 200:
        return None
    ratio = float(np.median(post[tissue] / pre[tissue]))
    low_pre, high_pre = pre_window.window().limits
    low_post, high_post = (v / ratio for v in post_window.window().limits)
    low, high = min(low_pre, low_post), max(high_pre, high_post)
    note = (
        f"same window for panels {letters[0]} and {letters[1]} after scaling by the median signal ratio {ratio:.3f} of "
        "shared tissue"
    )
    first = Window((low + high) / 2, high - low, WindowFunction.LINEAR_EXACT, "automatic")
    second = Window(first.center * ratio, first.width * ratio, WindowFunction.LINEAR_EXACT, "automatic")
    return _rounded(first, note), _rounded(second, note)


def _rounded(window: Window, note: str) -> WindowSpec:
    """Four significant digits are more than an eye sees, and a recipe stays readable."""
    return WindowSpec(
        center=float(f"{window.center:.4g}"), width=float(f"{window.width:.4g}"), name=window.name,
        function=window.function.value, note=note,
    )
