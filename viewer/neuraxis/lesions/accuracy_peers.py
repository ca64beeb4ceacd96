"""What a user would otherwise pick to size a lesion: a fixed 130 HU mask with SimpleITK's or PyRadiomics' numbers."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import Vector3
from neuraxis.domain.volume import Volume
from neuraxis.errors import UsageError

THRESHOLD_HU = 130.0
SITK_NAME = "130 HU, SimpleITK label statistics"
RADIOMICS_NAME = "130 HU, PyRadiomics shape"
_SHAPE_SERVER = """
import json, logging, sys
import numpy as np, SimpleITK as sitk
logging.disable(logging.WARNING)
from radiomics.shape import RadiomicsShape
for line in sys.stdin:
    path, spacing = json.loads(line)
    mask = sitk.GetImageFromArray(np.load(path))
    mask.SetSpacing(spacing)
    try:
        shape = RadiomicsShape(mask, mask, label=1)
        shape.disableAllFeatures()
        for name in ("Maximum2DDiameterSlice", "MeshVolume"):
            shape.enableFeatureByName(name)
        found = shape.execute()
        answer = [float(found["Maximum2DDiameterSlice"]), float(found["MeshVolume"])]
    except Exception:
        answer = None
    print(json.dumps(answer), flush=True)
"""


@dataclass(frozen=True)
class Sizes:
    """Two sizes of one case with the half widths of their 95 % intervals; NaN where refused or not printed."""

    long_mm: float = np.nan
    long_half_mm: float = np.nan
    volume_mm3: float = np.nan
    volume_half_mm3: float = np.nan


def fixed_threshold_mask(volume: Volume, centre: Vector3) -> NDArray[np.bool_] | None:
    """The face-connected part at 130 HU and above that holds a point, (z, y, x); None where it is below 130 HU."""
    import SimpleITK as sitk

    bright = sitk.GetImageFromArray((volume.array >= THRESHOLD_HU).astype(np.uint8))
    labels = sitk.GetArrayFromImage(sitk.ConnectedComponent(bright))
    label = labels[volume.geometry.nearest_index(centre)]
    if label == 0:
        return None
    part: NDArray[np.bool_] = labels == label
    return part


def label_statistics(mask: NDArray[np.bool_] | None, volume: Volume) -> Sizes:
    """SimpleITK: Feret diameter in the slice of largest area, physical size."""
    import SimpleITK as sitk

    if mask is None:
        return Sizes()
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing(volume.geometry.spacing_xyz_mm)
    whole, section = sitk.LabelShapeStatisticsImageFilter(), sitk.LabelShapeStatisticsImageFilter()
    whole.Execute(image)
    section.ComputeFeretDiameterOn()
    section.Execute(image[:, :, int(mask.sum(axis=(1, 2)).argmax())])
    return Sizes(section.GetFeretDiameter(1), np.nan, whole.GetPhysicalSize(1), np.nan)


def radiomics_python(named: Path | None = None) -> Path | None:
    """A Python that has PyRadiomics: the one named, else this one if it has it, else None.

    Raises
    ------
    UsageError
        When the one named cannot import it.
    """
    if named is None:
        return Path(sys.executable) if importlib.util.find_spec("radiomics") is not None else None
    try:
        done = subprocess.run([named, "-c", "import radiomics.shape"], capture_output=True, text=True, timeout=120, check=False)
        said = done.stderr.strip().splitlines()[-1:] if done.returncode else []
    except OSError as error:
        said, done = [str(error.strerror)], None
    if done is None or done.returncode:
        raise UsageError(
            f"no PyRadiomics there: {' '.join(said)}", expected="a Python in which `import radiomics` works",
            remedy="make an environment with PyRadiomics 3.0.1 and name its Python",
        )
    return named


class ShapeProcess:
    """PyRadiomics in a process of its own, because it cannot be installed beside everything; close it when done."""

    def __init__(self, python: Path) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._process = subprocess.Popen(
            [python, "-c", _SHAPE_SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def sizes(self, mask: NDArray[np.bool_] | None, volume: Volume) -> Sizes:
        """Largest diameter in a slice and volume of the mesh."""
        if mask is None:
            return Sizes()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        path = Path(self._folder.name) / "mask.npy"
        np.save(path, mask.astype(np.uint8))
        self._process.stdin.write(json.dumps([str(path), volume.geometry.spacing_xyz_mm]) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline() or "null")
        return Sizes() if answer is None else Sizes(answer[0], np.nan, answer[1], np.nan)

    def close(self) -> None:
        """End the process and remove what it was given."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()
        self._folder.cleanup()
