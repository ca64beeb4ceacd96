"""How real-world values become grey: window centre, width and function (DICOM PS3.3 C.11.2.1.2)."""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.errors import UsageError


class WindowFunction(enum.Enum):
    """VOI LUT Function (0028,1056)."""

    LINEAR = "LINEAR"
    LINEAR_EXACT = "LINEAR_EXACT"
    SIGMOID = "SIGMOID"


@dataclass(frozen=True)
class Window:
    """A window: centre (level) and width in the volume's unit.

    LINEAR needs a width of at least 1, the others one above 0 (PS3.3 C.11.2.1.2.1 and .3).
    """

    center: float
    width: float
    function: WindowFunction = WindowFunction.LINEAR
    name: str = ""

    def __post_init__(self) -> None:
        lowest = 1.0 if self.function is WindowFunction.LINEAR else 0.0
        finite = np.isfinite(self.center) and np.isfinite(self.width)
        if not finite or self.width < lowest or self.width == 0:
            raise UsageError(
                f"window width {self.width:g} at centre {self.center:g}",
                expected=f"a width of {'at least 1' if lowest else 'more than 0'} for {self.function.value}",
            )

    @property
    def limits(self) -> tuple[float, float]:
        """Values shown black and white; for SIGMOID those of the equally wide LINEAR_EXACT window."""
        if self.function is WindowFunction.LINEAR:
            return self.center - 0.5 - (self.width - 1) / 2, self.center - 0.5 + (self.width - 1) / 2
        return self.center - self.width / 2, self.center + self.width / 2

    @property
    def label(self) -> str:
        """'brain W 80 L 40', as radiologists write it."""
        numbers = f"W {self.width:g} L {self.center:g}"
        return f"{self.name} {numbers}" if self.name else numbers

    def to_grey(self, values: NDArray[Any], *, inverted: bool = False) -> NDArray[np.uint8]:
        """8-bit grey of an array of real-world values, same shape; NaN becomes black.

        Parameters
        ----------
        values : any shape, in the window's unit
        inverted : for MONOCHROME1 and the invert switch; the values stay what they are
        """
        x = np.asarray(values, dtype=np.float32)
        if self.function is WindowFunction.SIGMOID:
            # beyond 60 the curve is flat to float32; clipped so that exp cannot overflow
            y = 255.0 / (1.0 + np.exp(np.clip(-4.0 * (x - self.center) / self.width, -60.0, 60.0)))
        else:
            low, high = self.limits
            span = high - low
            y = (x - low) * (255.0 / span) if span > 0 else np.where(x > low, 255.0, 0.0)
        grey: NDArray[np.uint8] = np.rint(np.clip(np.nan_to_num(y, nan=0.0), 0.0, 255.0)).astype(np.uint8)
        return 255 - grey if inverted else grey


@dataclass(frozen=True)
class WindowPreset:
    """A named window of the preset list, with its key in the reading grid and where it comes from."""

    name: str
    window: Window
    key: str
    source: str


@cache
def window_presets() -> tuple[WindowPreset, ...]:
    """The CT presets of `windows.json`, in the order of the menu."""
    entries = json.loads((files("neuraxis.domain") / "windows.json").read_text(encoding="utf-8"))
    return tuple(
        WindowPreset(e["name"], Window(float(e["center"]), float(e["width"]), name=e["name"]), e["key"], e["source"])
        for e in entries
    )


def window_preset(name: str) -> Window:
    """The preset of that name; raises UsageError that lists the known ones."""
    for preset in window_presets():
        if preset.name == name:
            return preset.window
    known = ", ".join(p.name for p in window_presets())
    raise UsageError(f"window preset {name!r} is not known", expected=f"one of: {known}")


def automatic_window(values: NDArray[Any], padding: NDArray[np.bool_] | None = None) -> Window:
    """Window for MR, which has no absolute scale: 1st to 99th percentile of what is not air.

    Air is what lies below 5 % of the 99.5th percentile of magnitude; where the data has negative values (phase),
    nothing is taken for air.
    """
    data = np.asarray(values)
    data = data[~padding] if padding is not None else data.ravel()
    step = max(1, data.size // 400_000)
    sample = data[::step].astype(np.float32)
    sample = sample[np.isfinite(sample)]
    if sample.size == 0:
        return Window(0.5, 1.0, WindowFunction.LINEAR_EXACT, "automatic")
    if float(sample.min()) >= 0:
        tissue = sample[sample > 0.05 * float(np.percentile(sample, 99.5))]
        sample = tissue if tissue.size else sample
    low, high = (float(v) for v in np.percentile(sample, [1, 99]))
    if float(np.asarray(values).min()) >= 0:
        low = 0.0 if low < 0.25 * high else low * 0.5
    width = max(high - low, 1e-6)
    return Window((low + high) / 2, width, WindowFunction.LINEAR_EXACT, "automatic")
