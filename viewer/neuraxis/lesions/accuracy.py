"""The accuracy study: bodies of known size seen through a CT's blur, slices and noise, measured by us and by others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import FloatArray, Vector3, VolumeGeometry
from neuraxis.domain.quantity import Quantity
from neuraxis.domain.volume import ValueKind, Volume
from neuraxis.errors import NotMeasurableError
from neuraxis.lesions.measurement import measure
from neuraxis.lesions.segmentation import segment

PIXEL_MM = 0.45
FINE_MM = 0.15
"""Grid on which the body is drawn before it is blurred."""
THROUGH_SIGMA_MM = 0.25
"""Blur along the table on top of the slice's box profile."""
BRAIN_HU, CSF_HU, BONE_HU = 35.0, 5.0, 1000.0
PEER_THRESHOLD_HU = 130.0
FWHM_PER_SIGMA = 2.354820045


@dataclass(frozen=True)
class Condition:
    """One row of the study.

    Parameters
    ----------
    diameter_mm : of the sphere; mean diameter of the ellipsoid
    elongation : ratios of the three diameters to the mean, (1, 1, 1) for a sphere
    slice_mm : thickness and distance of the slices
    fwhm_mm : of the point-spread function in the slice plane
    plateau_hu, noise_hu : of the lesion; standard deviation of white noise
    surroundings : 'brain', 'csf', 'brain and csf' (the lesion lies on their border), 'bone' (beside it, in brain)
    bone_gap_mm : gap between lesion and bone for 'bone'
    """

    diameter_mm: float
    elongation: Vector3 = (1.0, 1.0, 1.0)
    slice_mm: float = 0.6
    fwhm_mm: float = 0.8
    plateau_hu: float = 700.0
    noise_hu: float = 8.0
    surroundings: str = "brain"
    bone_gap_mm: float = 2.0

    @property
    def half_axes_mm(self) -> FloatArray:
        """Half axes along x, y, z."""
        return 0.5 * self.diameter_mm * np.asarray(self.elongation)

    @property
    def long_axis_mm(self) -> float:
        """True longest diameter in an axial slice through the middle."""
        return float(2 * self.half_axes_mm[:2].max())

    @property
    def volume_mm3(self) -> float:
        """True volume."""
        return float(4 / 3 * np.pi * self.half_axes_mm.prod())


@dataclass(frozen=True)
class Summary:
    """Bias and standard deviation of one method under one condition; lengths in mm, volumes in per cent.

    `coverage` is the part of cases whose 95 % interval holds the truth (None for methods that print none); `refused` counts
    cases in which no number was given.
    """

    method: str
    long_axis_bias_mm: float
    long_axis_sd_mm: float
    volume_bias_percent: float
    volume_sd_percent: float
    long_axis_coverage: float | None
    volume_coverage: float | None
    refused: int


@dataclass(frozen=True)
class Row:
    """A condition with what each method made of it."""

    condition: Condition
    cases: int
    ours: Summary
    peer: Summary

    def to_json(self) -> dict[str, object]:
        """Plain dictionaries."""
        return {
            "condition": asdict(self.condition), "cases": self.cases, "ours": asdict(self.ours),
            "peer": asdict(self.peer),
        }


def draw(condition: Condition, seed: int) -> tuple[Volume, Vector3]:
    """A CT volume with one lesion at a random position within a voxel, and the lesion's centre (LPS mm)."""
    rng = np.random.default_rng(seed)
    spacing = np.array([PIXEL_MM, PIXEL_MM, condition.slice_mm])
    half = condition.half_axes_mm.max() + 6.0 + 0.5 * condition.slice_mm
    shape = tuple(2 * int(np.ceil(half / s)) + 1 for s in spacing[::-1])
    origin = -(np.array(shape[::-1]) - 1) / 2 * spacing
    geometry = VolumeGeometry.axis_aligned(
        (shape[0], shape[1], shape[2]), (spacing[0], spacing[1], spacing[2]), (origin[0], origin[1], origin[2])
    )
    centre = rng.uniform(-0.5, 0.5, 3) * spacing
    values = _scanned(condition, geometry, centre, half)
    values += rng.normal(0.0, condition.noise_hu, values.shape)
    volume = Volume(
        np.rint(values).astype(np.int16), geometry, ValueKind.HU, slice_thickness_mm=condition.slice_mm,
        series_id="accuracy",
    )
    return volume, (float(centre[0]), float(centre[1]), float(centre[2]))


def _scanned(condition: Condition, geometry: VolumeGeometry, centre: FloatArray, half: float) -> NDArray[np.float64]:
    """The scene on a fine grid, blurred in the slice, averaged over the slice, read at voxel centres."""
    from scipy import ndimage

    reach = half + 3.0 + condition.slice_mm
    side = np.arange(-reach, reach + FINE_MM / 2, FINE_MM)
    scene = _scene(condition, side - centre[0], side - centre[1], side - centre[2]).astype(np.float32)
    sigma = condition.fwhm_mm / FWHM_PER_SIGMA / FINE_MM
    blurred = ndimage.gaussian_filter(scene, (THROUGH_SIGMA_MM / FINE_MM, sigma, sigma), mode="nearest", truncate=3.5)
    # an odd number of fine layers keeps the slice's middle where it is
    layers = 2 * round((condition.slice_mm / FINE_MM - 1) / 2) + 1
    blurred = ndimage.uniform_filter1d(blurred, max(layers, 1), axis=0, mode="nearest")
    points = geometry.lps_from_index(np.moveaxis(np.indices(geometry.shape_zyx), 0, -1))
    at = np.moveaxis((points[..., ::-1] + reach) / FINE_MM, -1, 0)
    out: NDArray[np.float64] = ndimage.map_coordinates(blurred, at, order=1, mode="nearest").astype(np.float64)
    return out


def _scene(condition: Condition, x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
    """HU on the fine grid, edges shared out over one fine voxel; coordinates relative to the lesion's centre."""
    a, b, c = condition.half_axes_mm
    q = np.sqrt((x / a)[None, None, :] ** 2 + (y / b)[None, :, None] ** 2 + (z / c)[:, None, None] ** 2)
    slope = np.sqrt((x / a**2)[None, None, :] ** 2 + (y / b**2)[None, :, None] ** 2 + (z / c**2)[:, None, None] ** 2)
    distance = (1 - q) * q / np.maximum(slope, 1e-6)
    lesion = np.clip(distance / FINE_MM + 0.5, 0.0, 1.0)
    around = np.full_like(lesion, CSF_HU if condition.surroundings == "csf" else BRAIN_HU)
    if condition.surroundings == "brain and csf":
        around[:, y > 0, :] = CSF_HU
    if condition.surroundings == "bone":
        wall = np.clip((y - b - condition.bone_gap_mm) / FINE_MM + 0.5, 0.0, 1.0)
        around += (BONE_HU - around) * wall[None, :, None]
    out: FloatArray = around + lesion * (condition.plateau_hu - around)
    return out


@dataclass(frozen=True)
class _Case:
    """One case's two sizes with the half widths of their intervals; NaN where refused."""

    long_mm: float = np.nan
    long_half_mm: float = np.nan
    volume_mm3: float = np.nan
    volume_half_mm3: float = np.nan


def _numbers(quantity: Quantity | None) -> tuple[float, float]:
    if quantity is None:
        return np.nan, np.nan
    return quantity.value, np.nan if quantity.uncertainty is None else quantity.uncertainty


def measure_ours(volume: Volume, centre: Vector3) -> _Case:
    """A click on the middle, then everything that follows from it."""
    try:
        result = measure(volume, segment(volume, centre))
    except NotMeasurableError:
        return _Case()
    length = _numbers(result.long_axis.quantity if result.long_axis else None)
    return _Case(*length, *_numbers(result.volume))


def measure_fixed_threshold(volume: Volume, centre: Vector3) -> _Case:
    """SimpleITK: the connected part at 130 HU, its Feret diameter in the slice of largest area, its physical size."""
    import SimpleITK as sitk

    sx, sy, sz = volume.geometry.spacing_xyz_mm
    mask = sitk.GetImageFromArray((volume.array >= PEER_THRESHOLD_HU).astype(np.uint8))
    mask.SetSpacing((sx, sy, sz))
    labels = sitk.ConnectedComponent(mask)
    z, y, x = volume.geometry.nearest_index(centre)
    label = labels[x, y, z]
    if label == 0:
        return _Case()
    part = labels == label
    areas = sitk.GetArrayFromImage(part).sum(axis=(1, 2))
    whole, section = sitk.LabelShapeStatisticsImageFilter(), sitk.LabelShapeStatisticsImageFilter()
    whole.Execute(part)
    section.ComputeFeretDiameterOn()
    section.Execute(part[:, :, int(areas.argmax())])
    return _Case(section.GetFeretDiameter(1), np.nan, whole.GetPhysicalSize(1), np.nan)


def _summary(method: str, condition: Condition, cases: list[_Case]) -> Summary:
    table = np.array([(c.long_mm, c.long_half_mm, c.volume_mm3, c.volume_half_mm3) for c in cases])
    given = np.isfinite(table[:, 0]) & np.isfinite(table[:, 2])
    length, length_half, volume, volume_half = table[given].T
    error = length - condition.long_axis_mm
    percent = 100 * (volume / condition.volume_mm3 - 1)
    has_interval = bool(np.isfinite(length_half).all()) and given.any()
    covered = np.abs(error) <= length_half, np.abs(volume - condition.volume_mm3) <= volume_half

    def of(values: NDArray[np.float64], how: Callable[[NDArray[np.float64]], object]) -> float:
        return float(str(how(values))) if values.size else float("nan")

    return Summary(
        method, of(error, np.mean), of(error, np.std), of(percent, np.mean), of(percent, np.std),
        float(covered[0].mean()) if has_interval else None, float(covered[1].mean()) if has_interval else None,
        int(np.count_nonzero(~given)),
    )


def study(conditions: Iterable[Condition], *, repeats: int = 25, seed: int = 0) -> Iterator[Row]:
    """Rows of the study, one a condition, as they are done.

    Parameters
    ----------
    conditions : see `standard_conditions`
    repeats : random positions and noises a condition
    seed : same seed, same rows
    """
    for number, condition in enumerate(conditions):
        ours, peer = [], []
        for repeat in range(repeats):
            volume, centre = draw(condition, seed + 1000 * number + repeat)
            ours.append(measure_ours(volume, centre))
            peer.append(measure_fixed_threshold(volume, centre))
        yield Row(
            condition, repeats, _summary("half-maximum, blur-corrected", condition, ours),
            _summary("130 HU, SimpleITK label statistics", condition, peer),
        )


def standard_conditions() -> tuple[Condition, ...]:
    """Spheres and ellipsoids of 2 to 20 mm over slices, blur, HU, noise and surroundings, one factor at a time."""
    base = Condition(4.0)
    diameters = [Condition(d, slice_mm=s) for d in (2.0, 3.0, 4.0, 6.0, 10.0, 20.0) for s in (0.6, 1.0)]
    thick = [Condition(d, slice_mm=s) for d in (4.0, 6.0, 10.0) for s in (2.5, 5.0)]
    shapes = [Condition(d, (1.3, 1.0, 0.8), slice_mm=1.0) for d in (3.0, 4.0, 6.0, 10.0)]
    soft = [Condition(d, fwhm_mm=1.2, slice_mm=1.0) for d in (3.0, 4.0, 6.0)]
    density = [Condition(base.diameter_mm, plateau_hu=p, noise_hu=n) for p in (200.0, 400.0, 1200.0) for n in (4.0, 20.0)]
    places = [Condition(base.diameter_mm, surroundings=s) for s in ("csf", "brain and csf")]
    beside = [Condition(d, surroundings="bone", bone_gap_mm=g) for d in (3.0, 4.0) for g in (1.0, 2.0, 3.0)]
    return (*diameters, *thick, *shapes, *soft, *density, *places, *beside)
