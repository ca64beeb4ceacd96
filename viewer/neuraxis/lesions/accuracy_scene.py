"""What the accuracy study looks at: bodies of known size in the phantom's head, seen by its CT model on a small crop."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.domain.geometry import FloatArray, Vector3, VolumeGeometry
from neuraxis.domain.volume import ValueKind, Volume

if TYPE_CHECKING:
    from neuraxis_phantom.frames import Grid
    from neuraxis_phantom.head import Head
    from neuraxis_phantom.place import PlacedLesion

PIXEL_MM = 0.45
LAYER_MM = 0.2
"""Distance of the layers that a slice is averaged from."""
SLICE_PROFILE_FWHM_MM = 0.4
"""Blur along the table on top of the slice's box profile, as in the phantom's thin series."""
AROUND_MM = 8.0
"""How far beyond the lesion the crop reaches."""
CLEAR_MM = 4.0
"""Distance to bone, air and fat that lesions in brain and beside CSF keep, at least."""
MAP_MM = 1.25
STEEPEST_DEG = 15.0
"""Tilt of an ellipsoid's third axis against the table; about it, it is turned anyhow."""
PLACES = ("brain", "csf", "bone")


@dataclass(frozen=True)
class Condition:
    """One row of the study.

    Parameters
    ----------
    diameter_mm : of the sphere; mean diameter of the ellipsoid
    elongation : ratios of the three diameters to the mean, (1, 1, 1) for a sphere
    slice_mm : thickness and distance of the slices
    fwhm_mm : of the point-spread function in the slice plane
    plateau_hu, noise_hu : of the lesion; standard deviation of the noise, which has the grain of the phantom's kernels
    place : 'brain'; 'csf': between brain and CSF; 'bone': beside it, inside the skull
    bone_gap_mm : gap between lesion and bone for 'bone'
    """

    diameter_mm: float
    elongation: Vector3 = (1.0, 1.0, 1.0)
    slice_mm: float = 0.6
    fwhm_mm: float = 0.8
    plateau_hu: float = 700.0
    noise_hu: float = 8.0
    place: str = "brain"
    bone_gap_mm: float = 2.0

    @property
    def is_sphere(self) -> bool:
        """Whether all diameters are the same."""
        return len(set(self.elongation)) == 1

    @property
    def half_axes_mm(self) -> FloatArray:
        """Half axes of the body, before it is turned."""
        return 0.5 * self.diameter_mm * np.asarray(self.elongation)

    @property
    def volume_mm3(self) -> float:
        """True volume."""
        return float(4 / 3 * np.pi * self.half_axes_mm.prod())


@dataclass(frozen=True, eq=False)
class Scene:
    """A drawn volume with the truth: centre of the lesion (LPS mm), long axis in the slice through it, volume."""

    volume: Volume
    centre_lps_mm: Vector3
    long_axis_mm: float
    volume_mm3: float


@cache
def _head(seed: int) -> Head:
    """The phantom's head without a lesion."""
    from neuraxis_phantom.head import LOW, STEP_MM, Head, build_fields, crop_layers

    return Head(crop_layers(build_fields(seed)), LOW, STEP_MM)


@dataclass(frozen=True, eq=False)
class _Map:
    """The head at 1.25 mm: distance to bone, air and fat; share of CSF; inside of the skull; first point (model mm)."""

    free_mm: NDArray[np.float32]
    bone_mm: NDArray[np.float32]
    csf: NDArray[np.float32]
    inner: NDArray[np.bool_]
    low: FloatArray

    def points(self, chosen: NDArray[np.bool_]) -> FloatArray:
        """Model coordinates (x, y, z), shape (n, 3), of chosen voxels."""
        out: FloatArray = np.argwhere(chosen)[:, ::-1] * MAP_MM + self.low
        return out


@cache
def _map(seed: int) -> _Map:
    import edt

    from neuraxis_phantom.frames import Grid, Rigid
    from neuraxis_phantom.head import HIGH, LOW
    from neuraxis_phantom.paint import paint
    from neuraxis_phantom.tissues import TISSUES

    shape = tuple(round((b - a) / MAP_MM) + 1 for a, b in zip(LOW[::-1], HIGH[::-1], strict=True))
    grid = Grid((shape[0], shape[1], shape[2]), (MAP_MM,) * 3, np.asarray(LOW), np.eye(3))
    head = _head(seed)
    # one channel for HU, one that is 1 inside the skull's contents
    inside = ("csf", "grey", "white", "stem", "deep_grey")
    values: dict[str, tuple[float, ...]] = {
        name: (t.hu, float(name in inside), float(name == "csf")) for name, t in TISSUES.items()
    }
    model = Rigid(np.eye(3), np.zeros(3))
    hu, content, csf = paint(head, None, grid, model, values, edge_mm=MAP_MM)
    spacing = (MAP_MM,) * 3
    foreign = (hu > 120) | (hu < -20)
    return _Map(
        edt.edt(~foreign, anisotropy=spacing, black_border=False), edt.edt(hu < 300, anisotropy=spacing, black_border=False),
        csf, content > 0.9, np.asarray(LOW),
    )


def _turned(placed: PlacedLesion, turn: FloatArray) -> PlacedLesion:
    """The same lesion, turned about its centre: its distance is that of the point turned back."""
    from neuraxis_phantom.place import PlacedLesion

    class Turned(PlacedLesion):
        def distance(self, x: Any, y: Any, z: Any) -> Any:
            offset = [v - np.float32(c) for v, c in zip((x, y, z), self.centre, strict=True)]
            back = [sum(np.float32(turn[b, a]) * offset[b] for b in range(3)) for a in range(3)]
            return super().distance(*(v + np.float32(c) for v, c in zip(back, self.centre, strict=True)))

    return Turned(placed.lesion, placed.centre, placed.spots)


def _turn(condition: Condition, rng: np.random.Generator) -> FloatArray:
    """A rotation (3, 3): any angle about the table's axis, a tilt of at most 15 degrees; none for spheres."""
    from neuraxis_phantom.frames import rotation_xyz

    if condition.is_sphere:
        return np.eye(3)
    tilt_x, tilt_y = rng.uniform(-STEEPEST_DEG, STEEPEST_DEG, 2)
    return rotation_xyz((0.0, 0.0, float(rng.uniform(0, 360)))) @ rotation_xyz((float(tilt_x), float(tilt_y), 0.0))


def _placed(condition: Condition, centre: FloatArray, turn: FloatArray) -> PlacedLesion:
    from neuraxis_phantom.lesions import Lesion
    from neuraxis_phantom.place import PlacedLesion

    a, b, c = (float(2 * v) for v in condition.half_axes_mm)
    lesion = Lesion(
        "foramen_magnum", "left", (a, b, c), "intra_axial", calcification="dense", calcium_hu=condition.plateau_hu,
        hu=condition.plateau_hu, bone_gap_mm=condition.bone_gap_mm if condition.place == "bone" else None,
    )
    return _turned(PlacedLesion(lesion, centre, np.zeros((0, 4))), turn)


def place(condition: Condition, seed: int, repeat: int) -> tuple[PlacedLesion, FloatArray]:
    """The lesion of one repeat at its place in the head, and how it is turned (3, 3).

    Conditions of one size and place share their positions.

    Raises
    ------
    ValueError
        When the head has no place for it.
    """
    from neuraxis_phantom.place import bone_distance, settle

    rng = np.random.default_rng([seed, repeat, PLACES.index(condition.place), round(10 * condition.bone_gap_mm)])
    turn = _turn(condition, rng)
    candidates = _candidates(condition.place, round(condition.half_axes_mm.max(), 3), condition.bone_gap_mm, seed)
    head = _head(seed)
    for _ in range(30):
        centre = candidates[rng.integers(len(candidates))] + rng.uniform(-0.6, 0.6, 3)
        placed = _placed(condition, centre, turn)
        if condition.place != "bone":
            return placed, turn
        placed = settle(head, placed)
        gap, _nearest = bone_distance(head, placed)
        if abs(gap - condition.bone_gap_mm) < 0.05:
            return placed, turn
    raise ValueError(f"no place {condition.bone_gap_mm:g} mm from bone for a lesion of {condition.diameter_mm:g} mm")


@cache
def _candidates(place_name: str, radius_mm: float, gap_mm: float, seed: int) -> FloatArray:
    """Model points (n, 3) at which a lesion of that radius lies as its place says, to about a millimetre."""
    from scipy import ndimage

    from neuraxis_phantom.head import HIGH, LOW

    where = _map(seed)
    if place_name == "bone":
        chosen = where.inner & (np.abs(where.bone_mm - radius_mm - gap_mm) < MAP_MM)
    else:
        size = 2 * round((radius_mm + 1.5) / MAP_MM) + 1
        share = ndimage.uniform_filter(where.csf, size)
        wet = (share > 0.25) & (share < 0.75) if place_name == "csf" else share < 0.12
        chosen = where.inner & (where.free_mm > radius_mm + CLEAR_MM) & wet
    points = where.points(chosen)
    low, high = (np.asarray(edge) for edge in (LOW, HIGH))
    # beyond its own edges the model has no anatomy
    reach = radius_mm + AROUND_MM
    points = points[((points > low + reach) & (points < high - reach)).all(axis=1)]
    if not len(points):
        raise ValueError(f"no place in {place_name} for a lesion of radius {radius_mm:g} mm")
    return points


def draw(condition: Condition, seed: int, repeat: int = 0) -> Scene:
    """A crop of CT with one lesion at a random place of the head and within a voxel, as the phantom's scanner sees it.

    Parameters
    ----------
    seed : of the head
    repeat : number of the case; the same numbers draw the same voxels
    """
    painted = _painted(replace(condition, fwhm_mm=0.0, plateau_hu=0.0, noise_hu=0.0), seed, repeat)
    volume = Volume(
        np.clip(np.rint(_scanned(condition, painted, seed, repeat)), -1024, 3071).astype(np.int16), painted.geometry,
        ValueKind.HU, slice_thickness_mm=condition.slice_mm, series_id="accuracy",
    )
    x, y, z = (float(v) for v in painted.centre)
    return Scene(volume, (x, y, z), painted.long_axis_mm, condition.volume_mm3)


def _grid(condition: Condition, centre: FloatArray, layers: int, rng: np.random.Generator) -> Grid:
    """Grid of layers around a lesion, whose centre falls anywhere within a voxel."""
    from neuraxis_phantom.frames import Grid

    step = condition.slice_mm / layers
    half = float(condition.half_axes_mm.max()) + AROUND_MM
    across = 2 * int(np.ceil(half / PIXEL_MM)) + 1
    slices = 2 * int(np.ceil((half + 0.5 * condition.slice_mm) / condition.slice_mm)) + 1
    shape = (slices * layers, across, across)
    middle = (np.asarray(shape[::-1]) - 1) / 2 * (PIXEL_MM, PIXEL_MM, step)
    shift = rng.uniform(-0.5, 0.5, 3) * (PIXEL_MM, PIXEL_MM, condition.slice_mm)
    return Grid(shape, (PIXEL_MM, PIXEL_MM, step), centre - middle + shift, np.eye(3))


@dataclass(frozen=True, eq=False)
class _Painted:
    """A lesion of 0 HU in its surroundings, averaged over the slices, before blur in them; and the lesion's share."""

    hu: NDArray[np.float32]
    share: NDArray[np.float32]
    geometry: VolumeGeometry
    centre: FloatArray
    long_axis_mm: float


@lru_cache(maxsize=32)
def _painted(bare: Condition, seed: int, repeat: int) -> _Painted:
    """Painted in thin layers, blurred along the table, averaged over slices; conditions of one body share it."""
    from neuraxis_phantom import ct
    from neuraxis_phantom.acquire import blur_slices
    from neuraxis_phantom.frames import Rigid
    from neuraxis_phantom.paint import paint

    placed, turn = place(bare, seed, repeat)
    layers = max(1, round(bare.slice_mm / LAYER_MM))
    grid = _grid(bare, placed.centre, layers, np.random.default_rng([seed, repeat, round(100 * bare.slice_mm)]))
    # the second channel is 1 in the lesion, so that any density can be given to it afterwards
    values: dict[str, tuple[float, ...]] = {
        name: (hu, float(name.startswith("lesion"))) for name, (hu, *_) in ct.hu_values(placed).items()
    }
    splits = (2, 4, 4) if bare.diameter_mm < 8 else (1, 3, 3)
    channels = paint(_head(seed), placed, grid, Rigid(np.eye(3), np.zeros(3)), values, edge_mm=0.5, splits=splits)
    step = grid.spacing_xyz_mm[2]
    hu, share = (
        blur_slices(c, SLICE_PROFILE_FWHM_MM / ct.FWHM / step).reshape(-1, layers, *grid.shape[1:]).mean(axis=1) for c in channels
    )
    x, y, z = (float(v) for v in grid.origin_lps_mm)
    geometry = VolumeGeometry.axis_aligned(
        (hu.shape[0], hu.shape[1], hu.shape[2]), (PIXEL_MM, PIXEL_MM, bare.slice_mm), (x, y, z + (layers - 1) / 2 * step)
    )
    shape = turn @ np.diag(bare.half_axes_mm**-2.0) @ turn.T
    return _Painted(hu, share, geometry, placed.centre, 2 / float(np.sqrt(np.linalg.eigvalsh(shape[:2, :2])[0])))


def _scanned(condition: Condition, painted: _Painted, seed: int, repeat: int) -> NDArray[np.float32]:
    """HU of the crop: the lesion at its density, the kernel's blur in the slices, noise with its grain."""
    from neuraxis_phantom import ct
    from neuraxis_phantom.acquire import blur_in_plane

    values = painted.hu + np.float32(condition.plateau_hu) * painted.share
    blur_in_plane(values, condition.fwhm_mm / ct.FWHM / PIXEL_MM)
    grain = ct.THIN.grain_mm if condition.fwhm_mm < 1.0 else ct.SOFT.grain_mm
    numbers = (condition.slice_mm, condition.fwhm_mm, condition.plateau_hu, condition.noise_hu)
    noise_seed = int(np.random.default_rng([seed, repeat, *(round(100 * v) for v in numbers)]).integers(2**31))
    ct.add_noise(values, ct.Kernel("", condition.fwhm_mm, condition.noise_hu, grain), PIXEL_MM, noise_seed, 1)
    return values
