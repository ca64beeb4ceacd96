"""The same lesion at two dates: growth with its uncertainty, and whether it exceeds it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from neuraxis.domain.lesion import LengthMeasurement, LesionMeasurement
from neuraxis.domain.quantity import Quantity


class Change(enum.Enum):
    """What a difference of two measurements allows to say."""

    LARGER = "larger"
    SMALLER = "smaller"
    WITHIN_ERROR = "within measurement error"
    NOT_MEASURABLE = "not measurable"


@dataclass(frozen=True)
class SizeChange:
    """Later minus earlier of one size.

    Parameters
    ----------
    name : 'long axis', 'volume', ...
    difference : with the combined uncertainty of both; None where one of them is missing
    percent : of the earlier value
    verdict : LARGER or SMALLER only when the 95 % interval of the difference excludes 0
    """

    name: str
    difference: Quantity | None
    percent: Quantity | None
    verdict: Change


@dataclass(frozen=True)
class FollowUp:
    """Changes of every size, and what restricts the comparison."""

    long_axis: SizeChange
    short_axis: SizeChange
    max_3d_diameter: SizeChange
    volume: SizeChange
    warnings: tuple[str, ...] = ()

    @property
    def is_changed(self) -> bool:
        """Whether any size changed by more than its uncertainty."""
        sizes = (self.long_axis, self.short_axis, self.max_3d_diameter, self.volume)
        return any(s.verdict in (Change.LARGER, Change.SMALLER) for s in sizes)


def follow(earlier: LesionMeasurement, later: LesionMeasurement) -> FollowUp:
    """Growth of a lesion between two measurements of the same kind.

    Uncertainties add in quadrature. No response category is derived; differences of scanner, kernel and thickness come on
    top and are named where the methods differ.
    """
    warnings = []
    if earlier.method.split(",")[0] != later.method.split(",")[0]:
        warnings.append(f"measured by different methods: '{earlier.method}' and '{later.method}'")
    if earlier.intensity.unit != later.intensity.unit:
        warnings.append(f"different kinds of series: {earlier.intensity.unit} and {later.intensity.unit}")
    return FollowUp(
        _of_lengths("long axis", earlier.long_axis, later.long_axis),
        _of_lengths("short axis", earlier.short_axis, later.short_axis),
        _of_lengths("largest 3D diameter", earlier.max_3d_diameter, later.max_3d_diameter),
        _change("volume", earlier.volume, later.volume), tuple(warnings),
    )


def _of_lengths(name: str, earlier: LengthMeasurement | None, later: LengthMeasurement | None) -> SizeChange:
    return _change(name, earlier.quantity if earlier else None, later.quantity if later else None)


def _change(name: str, earlier: Quantity | None, later: Quantity | None) -> SizeChange:
    if earlier is None or later is None or earlier.uncertainty is None or later.uncertainty is None:
        return SizeChange(name, None, None, Change.NOT_MEASURABLE)
    value = later.value - earlier.value
    uncertainty = float(np.hypot(earlier.uncertainty, later.uncertainty))
    method = "difference of two measurements, uncertainties in quadrature"
    percent = None
    if earlier.value > 0:
        ratio = later.value / earlier.value
        spread = 100 * ratio * float(np.hypot(earlier.uncertainty / earlier.value, later.uncertainty / max(later.value, 1e-9)))
        percent = Quantity(100 * (ratio - 1), "%", spread, method)
    verdict = Change.WITHIN_ERROR
    if abs(value) > uncertainty:
        verdict = Change.LARGER if value > 0 else Change.SMALLER
    return SizeChange(name, Quantity(value, earlier.unit, uncertainty, method), percent, verdict)
