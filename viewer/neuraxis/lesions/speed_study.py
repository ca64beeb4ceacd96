"""How fast lesions are measured in a CT of 512x512x600, beside what a user would otherwise pick: interleaved runs, medians."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import Vector3, VolumeGeometry
from neuraxis.domain.volume import ValueKind, Volume
from neuraxis.lesions.accuracy_peers import ShapeProcess
from neuraxis.lesions.measurement import measure
from neuraxis.lesions.segmentation import segment

SPACING_MM = (0.45, 0.45, 0.6)
BRAIN_HU, LESION_HU, BONE_HU, NOISE_HU = 35.0, 700.0, 1000.0, 8.0
EDGE_MM = 0.45
"""Width of the blurred edge of a body."""
SMALL_MM, LARGE_MM, MANY = 4.0, 60.0, 30
BONE_AT_MM = 12.0
"""A plate of bone runs this far from the surface of every lesion, as the skull would."""


@dataclass(frozen=True, eq=False)
class Task:
    """Lesions of one size in a volume: their middles, and a label a lesion for the programs that start from a mask."""

    name: str
    volume: Volume
    centres: tuple[Vector3, ...]
    labels: NDArray[np.uint8]


@dataclass(frozen=True)
class Line:
    """One program on one task: median seconds of wall clock and of CPU, and its time over ours (by CPU)."""

    task: str
    program: str
    seconds: float
    cpu_seconds: float
    times_ours: float


def _empty(slices: int, side: int) -> tuple[NDArray[np.int16], VolumeGeometry]:
    """Brain with noise that repeats slice by slice (drawing as many numbers as voxels would take longer than all else)."""
    rng = np.random.default_rng(3)
    plane = rng.normal(BRAIN_HU, NOISE_HU, (16, side, side))
    array = np.empty((slices, side, side), dtype=np.int16)
    for z in range(slices):
        array[z] = np.roll(plane[z % 16], (7 * z % side, 13 * z % side), axis=(0, 1))
    return array, VolumeGeometry.axis_aligned((slices, side, side), SPACING_MM, (0.0, 0.0, 0.0), "speed")


def make_task(name: str, diameter_mm: float, count: int, *, slices: int = 600, side: int = 512) -> Task:
    """Balls of that diameter on a lattice in a volume of 512x512x600, each with a plate of bone beside it."""
    array, geometry = _empty(slices, side)
    labels = np.zeros(array.shape, dtype=np.uint8)
    per_axis = max(1, round(count ** (1 / 3) + 0.49))
    extent = (np.asarray(array.shape[::-1]) - 1) * SPACING_MM
    pitch = extent / per_axis
    centres: list[Vector3] = []
    for number in range(count):
        cell = np.array([number % per_axis, number // per_axis % per_axis, number // per_axis**2])
        # off the lattice of voxels, so that no two lesions look alike
        centre = pitch * (cell + 0.5) + np.array([0.11, 0.17, 0.23]) * number
        _draw(array, labels, centre, diameter_mm, number + 1)
        centres.append((float(centre[0]), float(centre[1]), float(centre[2])))
    return Task(name, Volume(array, geometry, ValueKind.HU, slice_thickness_mm=SPACING_MM[2], series_id="speed"), tuple(centres), labels)


def _draw(array: NDArray[np.int16], labels: NDArray[np.uint8], centre: NDArray[np.float64], diameter_mm: float, label: int) -> None:
    radius = diameter_mm / 2
    spacing = np.asarray(SPACING_MM)
    reach = radius + BONE_AT_MM + 5.0
    low = np.maximum(np.floor((centre - reach) / spacing).astype(int), 0)
    high = np.minimum(np.ceil((centre + reach) / spacing).astype(int) + 1, array.shape[::-1])
    place = tuple(slice(int(a), int(b)) for a, b in zip(low[::-1], high[::-1], strict=True))
    x, y, z = (np.arange(a, b) * s - c for a, b, s, c in zip(low, high, spacing, centre, strict=True))
    distance = np.sqrt(x[None, None, :] ** 2 + y[None, :, None] ** 2 + z[:, None, None] ** 2) - radius
    share = np.clip(0.5 - distance / EDGE_MM, 0.0, 1.0)
    part = array[place].astype(np.float32)
    plate = (y > radius + BONE_AT_MM) & (y < radius + BONE_AT_MM + 4.0)
    part[:, plate, :] += BONE_HU
    array[place] = np.rint(part + share * (LESION_HU - BRAIN_HU))
    labels[place][share >= 0.5] = label


def _ours(task: Task) -> None:
    for centre in task.centres:
        measure(task.volume, segment(task.volume, centre))


def _ours_mask_only(task: Task) -> None:
    for centre in task.centres:
        segment(task.volume, centre)


def _simpleitk(task: Task) -> None:
    import SimpleITK as sitk

    image, labels = sitk.GetImageFromArray(task.volume.array), sitk.GetImageFromArray(task.labels)
    for part in (image, labels):
        part.SetSpacing(SPACING_MM)
    shape, intensity = sitk.LabelShapeStatisticsImageFilter(), sitk.LabelIntensityStatisticsImageFilter()
    shape.ComputeFeretDiameterOn()
    shape.Execute(labels)
    intensity.Execute(labels, image)


def _scikit_image(task: Task) -> None:
    from skimage.measure import regionprops_table

    names = ("label", "area", "centroid", "major_axis_length", "minor_axis_length", "mean_intensity", "max_intensity", "min_intensity")
    regionprops_table(task.labels, task.volume.array, properties=names, spacing=SPACING_MM[::-1])


def _radiomics(process: ShapeProcess) -> Callable[[Task], None]:
    def shapes(task: Task) -> None:
        for number, centre in enumerate(task.centres, start=1):
            z, y, x = task.volume.geometry.nearest_index(centre)
            half = [int(np.ceil(0.5 * _diameter(task) / s)) + 3 for s in SPACING_MM[::-1]]
            place = tuple(slice(max(0, c - h), c + h + 1) for c, h in zip((z, y, x), half, strict=True))
            process.sizes(task.labels[place] == number, task.volume)

    return shapes


def _diameter(task: Task) -> float:
    voxel = float(np.prod(SPACING_MM))
    return float((6 * np.count_nonzero(task.labels) * voxel / len(task.centres) / np.pi) ** (1 / 3))


def tasks(*, quick: bool = False) -> Iterator[Task]:
    """One lesion of 4 mm, thirty of them, one of 60 mm; in a smaller volume when `quick`."""
    size = {"slices": 120, "side": 160} if quick else {}
    yield make_task("1 lesion of 4 mm", SMALL_MM, 1, **size)
    yield make_task(f"{8 if quick else MANY} lesions of 4 mm", SMALL_MM, 8 if quick else MANY, **size)
    yield make_task(f"1 lesion of {20 if quick else LARGE_MM:g} mm", 20.0 if quick else LARGE_MM, 1, **size)


def run(*, repeats: int = 5, quick: bool = False, radiomics: Path | None = None) -> Iterator[Line]:
    """Lines of the table. PyRadiomics gets each lesion cropped, from a process of its own; its CPU is not ours to count."""
    process = ShapeProcess(radiomics) if radiomics is not None else None
    programs: dict[str, Callable[[Task], None]] = {
        "Neuraxis, click to all numbers": _ours, "Neuraxis, click to mask": _ours_mask_only,
        "SimpleITK label statistics with Feret": _simpleitk, "scikit-image table without Feret": _scikit_image,
    }
    if process is not None:
        programs["PyRadiomics shape, pre-cropped"] = _radiomics(process)
    try:
        for task in tasks(quick=quick):
            yield from _interleaved(task, programs, repeats)
    finally:
        if process is not None:
            process.close()


def _interleaved(task: Task, programs: dict[str, Callable[[Task], None]], repeats: int) -> list[Line]:
    wall: dict[str, list[float]] = {name: [] for name in programs}
    cpu: dict[str, list[float]] = {name: [] for name in programs}
    for repeat in range(repeats + 1):
        for name, program in programs.items():
            started = time.perf_counter(), time.process_time()
            program(task)
            if repeat:  # the first run pays for imports and first touches
                wall[name].append(time.perf_counter() - started[0])
                cpu[name].append(time.process_time() - started[1])
    ours = statistics.median(cpu["Neuraxis, click to all numbers"])
    lines = []
    for name in programs:
        seconds, used = statistics.median(wall[name]), statistics.median(cpu[name])
        other_process = name.startswith("PyRadiomics")
        lines.append(Line(task.name, name, seconds, float("nan") if other_process else used, (seconds if other_process else used) / ours))
    return lines
