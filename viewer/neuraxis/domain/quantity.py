"""A measured number with its unit, uncertainty and the way it was measured."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Quantity:
    """A value that can be printed honestly.

    Parameters
    ----------
    value : the best estimate, full precision
    unit : 'mm', 'mm3', 'HU', 'ratio', ...
    uncertainty : half width of the 95 % interval, same unit; None where none can be stated
    method : how it was measured, in a few words
    """

    value: float
    unit: str
    uncertainty: float | None = None
    method: str = ""

    @property
    def interval(self) -> tuple[float, float] | None:
        """Lower and upper end of the 95 % interval."""
        return None if self.uncertainty is None else (self.value - self.uncertainty, self.value + self.uncertainty)

    def display(self) -> str:
        """The value rounded to what its uncertainty allows: '4.1 ± 0.4 mm'."""
        if self.uncertainty is None or not math.isfinite(self.uncertainty) or self.uncertainty <= 0:
            return f"{self.value:.3g} {self.unit}".strip()
        digits = max(0, -math.floor(math.log10(self.uncertainty)))
        return f"{self.value:.{digits}f} ± {self.uncertainty:.{digits}f} {self.unit}".strip()

    def to_json(self) -> dict[str, object]:
        """`{"value", "unit", "uncertainty", "method"}`."""
        return {"value": self.value, "unit": self.unit, "uncertainty": self.uncertainty, "method": self.method}
