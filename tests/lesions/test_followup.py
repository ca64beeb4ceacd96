"""Growth: named only when it exceeds what the two measurements can be wrong by."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuraxis.domain.lesion import LesionMeasurement
from neuraxis.lesions import Change, follow, measure, segment


def _measured(shapes: Any, diameter: float, seed: int, **grid: Any) -> LesionMeasurement:
    volume = shapes.draw(shapes.ball(diameter / 2), shapes.grid(**grid) if grid else None, seed=seed)
    return measure(volume, segment(volume, (0, 0, 0)))


@pytest.mark.parametrize("seed", range(6))
def test_the_same_lesion_scanned_twice_has_not_changed_in_size(shapes: Any, seed: int) -> None:
    result = follow(_measured(shapes, 4.0, seed), _measured(shapes, 4.0, seed + 100))
    assert result.volume.verdict is Change.WITHIN_ERROR
    assert result.long_axis.percent is not None
    assert abs(result.long_axis.percent.value) < 2.0


@pytest.mark.parametrize(("later", "verdict"), [(4.6, Change.LARGER), (3.4, Change.SMALLER)])
def test_a_change_of_half_a_millimetre_is_seen(shapes: Any, later: float, verdict: Change) -> None:
    result = follow(_measured(shapes, 4.0, 1), _measured(shapes, later, 2))
    assert result.is_changed
    assert result.long_axis.verdict is verdict
    assert result.volume.verdict is verdict
    assert result.volume.percent is not None
    assert result.volume.percent.value == pytest.approx(100 * ((later / 4) ** 3 - 1), abs=6)
    assert result.volume.difference is not None
    assert result.volume.difference.uncertainty is not None


def test_thick_slices_hide_what_thin_ones_show(shapes: Any) -> None:
    def measured(diameter: float, seed: int) -> Any:
        # a slice shows the mean over its thickness
        layers = [shapes.ball(diameter / 2, centre=(0.0, 0.0, z)) for z in np.linspace(-1.4, 1.4, 15)]
        volume = shapes.draw(
            lambda points: shapes.union(*layers)(points) / len(layers), shapes.grid((0.45, 0.45, 3.0)), seed=seed,
            slice_thickness_mm=3.0,
        )
        return measure(volume, segment(volume, (0, 0, 0)))

    result = follow(measured(4.0, 1), measured(4.2, 2))
    assert result.volume.verdict is Change.WITHIN_ERROR
    assert result.max_3d_diameter.verdict is Change.NOT_MEASURABLE
    assert result.max_3d_diameter.difference is None
    thin = follow(_measured(shapes, 4.0, 1), _measured(shapes, 4.2, 2))
    assert thin.volume.verdict is Change.LARGER
