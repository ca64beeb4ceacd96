"""The registration study: pairs moved by known rigid transforms, registered by us and by elastix; error, time, coverage."""

from __future__ import annotations

import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from neuraxis.align.registration import RegistrationFailedError, register
from neuraxis.align.rotation import about, rotation_from_vector
from neuraxis.domain.geometry import FloatArray, Vector3, VolumeGeometry
from neuraxis.domain.volume import Volume

FARTHEST_MM, STEEPEST_DEG = 30.0, 20.0
NOISE_SHARE = 0.02
"""Standard deviation of the fresh noise a moved series gets, as part of its 99th percentile."""
ELASTIX_PARAMETERS = """
(FixedInternalImagePixelType "float")
(MovingInternalImagePixelType "float")
(FixedImageDimension 3)
(MovingImageDimension 3)
(UseDirectionCosines "true")
(Registration "MultiResolutionRegistration")
(Interpolator "LinearInterpolator")
(ResampleInterpolator "FinalBSplineInterpolator")
(FinalBSplineInterpolationOrder 1)
(Resampler "DefaultResampler")
(FixedImagePyramid "FixedRecursiveImagePyramid")
(MovingImagePyramid "MovingRecursiveImagePyramid")
(NumberOfResolutions 4)
(Optimizer "AdaptiveStochasticGradientDescent")
(Transform "EulerTransform")
(Metric "AdvancedMattesMutualInformation")
(AutomaticScalesEstimation "true")
(AutomaticTransformInitialization "true")
(HowToCombineTransforms "Compose")
(NumberOfHistogramBins 32)
(ImageSampler "RandomCoordinate")
(NumberOfSpatialSamples 4096)
(NewSamplesEveryIteration "true")
(MaximumNumberOfIterations 500)
(MaximumNumberOfSamplingAttempts 8)
(RequiredRatioOfValidSamples 0.05)
(DefaultPixelValue 0)
(WriteResultImage "false")
"""
"""elastix's usual recipe for rigid multi-modal registration (its manual, section on parameter files)."""


@dataclass(frozen=True, eq=False)
class Pair:
    """Two volumes of one head and the true map (4, 4) from the fixed one's frame to the moving one's, at a place (LPS mm)."""

    name: str
    fixed: Volume
    moving: Volume
    truth: FloatArray
    focus_lps_mm: Vector3


@dataclass(frozen=True)
class Result:
    """One registration: distance at the place from where it should be, what was stated, seconds of wall clock and CPU."""

    error_mm: float
    stated_mm: float
    seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class Case:
    """One moved pair: how far, ours (None: refused), elastix's (None: not run or refused)."""

    name: str
    shift_mm: float
    turn_deg: float
    ours: Result | None
    elastix: Result | None
    elastix_was_run: bool


def random_motion(centre_lps_mm: FloatArray, seed: int) -> tuple[FloatArray, float, float]:
    """A rigid motion about a point: matrix (4, 4), its shift up to 30 mm and its turn up to 20 degrees, any direction."""
    rng = np.random.default_rng([7, seed])
    shift, axis = rng.normal(size=3), rng.normal(size=3)
    length, degrees = float(rng.uniform(0, FARTHEST_MM)), float(rng.uniform(0, STEEPEST_DEG))
    turn = rotation_from_vector(np.radians(degrees) * axis / np.linalg.norm(axis))
    return about(centre_lps_mm, turn, length * shift / np.linalg.norm(shift)), length, degrees


def moved(pair: Pair, seed: int) -> tuple[Pair, float, float]:
    """The pair with its moving volume put elsewhere in a frame of its own, with fresh noise; shift and turn.

    The grid is moved, the voxels are not: nothing is lost by interpolation, and the truth is exact.
    """
    centre = pair.moving.geometry.lps_from_index((np.asarray(pair.moving.array.shape) - 1) / 2)
    motion, shift, turn = random_motion(centre, seed)
    affine = motion @ pair.moving.geometry.affine_lps_from_xyz
    geometry = VolumeGeometry.from_affine(pair.moving.geometry.shape_zyx, affine, f"moved {seed}")
    rng = np.random.default_rng([8, seed])
    sigma = NOISE_SHARE * float(np.percentile(pair.moving.array[:, ::4, ::4], 99))
    array = pair.moving.array.astype(np.float32)
    array += sigma * rng.standard_normal(array.shape, dtype=np.float32)
    volume = replace(pair.moving, array=array, geometry=geometry, padding=None)
    return replace(pair, moving=volume, truth=motion @ pair.truth), shift, turn


def moved_copy(name: str, volume: Volume, seed: int) -> Pair:
    """A single series as a pair: the moving one is the same series between its own voxels, half a pixel aside, with noise."""
    from scipy import ndimage

    rng = np.random.default_rng([9, seed])
    offset = rng.uniform(0.3, 0.7, 2)
    array = ndimage.shift(volume.array.astype(np.float32), (0.0, *offset), order=3, mode="nearest")
    affine = volume.geometry.affine_lps_from_xyz.copy()
    affine[:3, 3] = volume.geometry.lps_from_index((0.0, -offset[0], -offset[1]))
    geometry = VolumeGeometry.from_affine(volume.geometry.shape_zyx, affine, volume.geometry.frame_of_reference_uid)
    middle = volume.geometry.lps_from_index((np.asarray(volume.array.shape) - 1) / 2)
    x, y, z = (float(v) for v in middle + rng.uniform(-20, 20, 3) * (1, 1, 0.5))
    return Pair(name, volume, replace(volume, array=array, geometry=geometry, padding=None), np.eye(4), (x, y, z))


def run(pairs: Iterable[tuple[Pair, int]], *, elastix_every: int = 0) -> Iterator[Case]:
    """Each pair moved by the motion of its number and registered.

    Parameters
    ----------
    pairs : with the number of the motion
    elastix_every : run elastix on every so many cases (0: never); it must be on the path
    """
    for number, (pair, seed) in enumerate(pairs):
        case, shift, turn = moved(pair, seed)
        with_elastix = elastix_every > 0 and number % elastix_every == 0 and shutil.which("elastix") is not None
        peer = _elastix(case) if with_elastix else None
        yield Case(pair.name, shift, turn, _ours(case, seed), peer, with_elastix)


def _error_mm(matrix: FloatArray, pair: Pair) -> float:
    place = np.append(pair.focus_lps_mm, 1.0)
    return float(np.linalg.norm((matrix @ place - pair.truth @ place)[:3]))


def _ours(pair: Pair, seed: int) -> Result | None:
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        found = register(pair.fixed, pair.moving, focus_lps_mm=pair.focus_lps_mm, seed=seed + 1)
    except RegistrationFailedError:
        return None
    spent = time.perf_counter() - wall, time.process_time() - cpu
    return Result(_error_mm(found.array, pair), found.residual_mm, *spent)


def _elastix(pair: Pair) -> Result | None:
    """Elastix on the same voxels, 2 threads, from files; time without writing them; None where it gave up."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for volume, file in ((pair.fixed, "fixed.mha"), (pair.moving, "moving.mha")):
            _write_mha(volume, folder / file)
        (folder / "rigid.txt").write_text(ELASTIX_PARAMETERS, encoding="utf-8")
        command = ["elastix", "-f", "fixed.mha", "-m", "moving.mha", "-p", "rigid.txt", "-out", ".", "-threads", "2"]
        wall, cpu = time.perf_counter(), _children_cpu()
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=1800, check=False)
        spent = time.perf_counter() - wall, _children_cpu() - cpu
        found = folder / "TransformParameters.0.txt"
        if done.returncode or not found.is_file():
            return None
        return Result(_error_mm(euler_matrix(found.read_text(encoding="utf-8")), pair), np.nan, *spent)


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _write_mha(volume: Volume, path: Path) -> None:
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(volume.array)
    g = volume.geometry
    image.SetSpacing(g.spacing_xyz_mm)
    image.SetOrigin(g.origin_lps_mm)
    image.SetDirection(np.asarray(g.direction_lps).T.ravel().tolist())
    sitk.WriteImage(image, str(path))


def euler_matrix(parameter_file: str) -> FloatArray:
    """4x4 matrix from fixed to moving points of an elastix Euler transform (rotation about z after x after y)."""
    entries: dict[str, list[str]] = {}
    for line in parameter_file.splitlines():
        words = line.strip().strip("()").split()
        if line.startswith("(") and words:
            entries[words[0]] = words[1:]
    values = [float(v) for v in entries["TransformParameters"]]
    centre = np.array([float(v) for v in entries["CenterOfRotationPoint"]])
    x, y, z = (rotation_from_vector(a * e) for a, e in zip(values[:3], np.eye(3), strict=True))
    order = z @ y @ x if entries.get("ComputeZYX", [""])[0].strip('"') == "true" else z @ x @ y
    return about(centre, order, np.array(values[3:6]))


@dataclass(frozen=True)
class StudySummary:
    """All cases in numbers; times are medians in seconds, errors in mm, NaN where nothing ran."""

    cases: int
    refused: int
    median_mm: float
    worst_mm: float
    covered: float
    seconds: float
    cpu_seconds: float
    elastix_cases: int
    elastix_lost: int
    elastix_median_mm: float
    elastix_worst_mm: float
    elastix_seconds: float
    elastix_cpu_seconds: float
    same_cases_median_mm: float
    wall_ratio: float
    cpu_ratio: float


def summarise(cases: list[Case]) -> StudySummary:
    """Medians, worst and coverage of some cases; ratios are medians over the cases that both solved."""
    ours = [c.ours for c in cases if c.ours is not None]
    peers = [c.elastix for c in cases if c.elastix is not None]
    both = [(c.ours, c.elastix) for c in cases if c.ours is not None and c.elastix is not None]

    def median(values: list[float]) -> float:
        return float(np.median(values)) if values else float("nan")

    return StudySummary(
        len(cases), len(cases) - len(ours), median([r.error_mm for r in ours]), max((r.error_mm for r in ours), default=np.nan),
        float(np.mean([r.error_mm <= r.stated_mm for r in ours])) if ours else float("nan"),
        median([r.seconds for r in ours]), median([r.cpu_seconds for r in ours]),
        sum(c.elastix_was_run for c in cases), sum(c.elastix_was_run and c.elastix is None for c in cases),
        median([r.error_mm for r in peers]), max((r.error_mm for r in peers), default=np.nan),
        median([r.seconds for r in peers]), median([r.cpu_seconds for r in peers]), median([a.error_mm for a, _ in both]),
        median([b.seconds / a.seconds for a, b in both]), median([b.cpu_seconds / a.cpu_seconds for a, b in both]),
    )
