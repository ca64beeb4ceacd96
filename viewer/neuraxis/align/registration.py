"""Rigid registration of two volumes by mutual information, with an estimate of its error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from neuraxis.align.descent import descend
from neuraxis.align.information import MutualInformation, body_centre, coarse_search
from neuraxis.align.pyramid import Level, make_level
from neuraxis.align.rotation import about, left_jacobian, nearest_rigid, rotation_from_vector
from neuraxis.domain.geometry import FloatArray
from neuraxis.domain.transform import Registration
from neuraxis.domain.volume import Volume
from neuraxis.errors import NeuraxisError, NotMeasurableError

FOCUS_RADIUS_MM = 70.0
"""Radius around the place of interest within which the last level looks."""
REPEATS = 4
"""Further runs of the last level on other samples, whose scatter gives the residual."""
COVERAGE = 2.8
"""Factor from the scatter of the repeats to the 95th percentile of the true error; calibrated on the phantom."""
FLOOR_MM = 0.16
"""Error that repeats cannot see: distortion, interpolation, chemical shift."""
WORST_SCATTER_MM = 4.0
DOUBTFUL_MM = 1.0
"""A residual from which the search is made again on other samples; heads of one patient mostly state 0.2 mm."""
OTHER_SEEDS = (101, 202)
AROUND_MM = 50.0
LEAST_SCORE = 0.02
"""Normalised mutual information above 1 times overlap, at 2 mm; unrelated volumes stay below a third of it, CT and MR of a head
reach 0.1 and more."""
STEEPNESS = 50.0
"""Factor that brings the curvature of the information near 1 per mm2, so that first steps fit."""
LEVER_MM = 50.0
"""A turn of 1/50 rad counts as much as a shift of 1 mm."""


class RegistrationCancelledError(NeuraxisError):
    """The caller asked to stop."""


class RegistrationFailedError(NotMeasurableError):
    """No transform was found that the two volumes agree on."""


@dataclass(frozen=True, eq=False)
class _Task:
    """What the refinement needs: one level of both volumes, centre of rotation, place of interest."""

    fixed: Level
    moving: Level
    centre: FloatArray
    focus: FloatArray | None = None


def register(
    fixed: Volume, moving: Volume, *, focus_lps_mm: ArrayLike | None = None, initial: Registration | None = None,
    should_stop: Callable[[], bool] | None = None, check: bool = False, seed: int = 1,
) -> Registration:
    """Rigid map from points of `fixed`'s frame of reference to points of `moving`'s.

    Mutual information of block means, first at many trial poses of 8 mm blocks (shifts of more than 30 mm, turns up to 20
    degrees), then by quasi-Newton steps at 4 and 2 mm, and last at 1 mm within 70 mm of the place of interest. Only the
    overlap of the two fields of view counts.

    Parameters
    ----------
    fixed, moving : any modality, any grid (sheared ones too)
    focus_lps_mm : place of interest in `fixed`'s frame, where the residual is stated; if None, the worst within 50 mm of the middle
    initial : a first guess from `fixed`'s frame to `moving`'s (a manual nudge); it is one start among others
    should_stop : asked between steps; True raises `RegistrationCancelledError`
    check : also register volumes that share a frame of reference (a patient may move between series); the map
        is then between points of one frame
    seed : of the sample positions; the same seed gives the same map

    Returns
    -------
    Registration
        `apply(point in fixed.frame) -> point in moving.frame`. `residual_mm` is the estimated 95th percentile of the
        error at the place of interest, from the scatter of repeated runs on other samples.

    Raises
    ------
    RegistrationFailedError
        When the volumes overlap too little or the repeats disagree by more than 4 mm.
    """
    if fixed.frame_of_reference_uid == moving.frame_of_reference_uid and fixed.frame_of_reference_uid and not check:
        return Registration.identity(fixed.frame_of_reference_uid)
    focus = None if focus_lps_mm is None else np.asarray(focus_lps_mm, dtype=np.float64)
    start = np.eye(4) if initial is None else initial.array
    found, residual = _attempt(fixed, moving, focus, start, should_stop, seed)
    for other in OTHER_SEEDS:
        if residual <= DOUBTFUL_MM:
            break
        # runs that scatter this far mostly sit in a wrong valley: other samples find the right one
        again, its_residual = _attempt(fixed, moving, focus, start, should_stop, seed + other)
        if its_residual < residual:
            found, residual = again, its_residual
    return Registration.from_array(
        nearest_rigid(found), fixed.frame_of_reference_uid, moving.frame_of_reference_uid, residual,
        "mutual information, rigid",
    )


def _attempt(
    fixed: Volume, moving: Volume, focus: FloatArray | None, start: FloatArray,
    should_stop: Callable[[], bool] | None, seed: int,
) -> tuple[FloatArray, float]:
    """Matrix from fixed to moving and the residual, searched from the side of the smaller field of view."""
    if _extent(fixed) > 1.3 * _extent(moving):
        # samples are drawn from the smaller field of view, so that nearly all of them find a partner
        turned = None if focus is None else start[:3, :3] @ focus + start[:3, 3]
        back, residual = _solve(moving, fixed, turned, _inverse(start), should_stop, seed)
        return _inverse(back), residual
    return _solve(fixed, moving, focus, start, should_stop, seed)


def _inverse(matrix: FloatArray) -> FloatArray:
    return np.linalg.inv(matrix).astype(np.float64)


def _extent(volume: Volume) -> float:
    return float(volume.geometry.voxel_volume_mm3 * volume.array.size)


def _pause(should_stop: Callable[[], bool] | None) -> None:
    if should_stop is not None and should_stop():
        raise RegistrationCancelledError("registration stopped before its end", remedy="start it again")


def _solve(
    fixed: Volume, moving: Volume, focus: FloatArray | None, start: FloatArray,
    should_stop: Callable[[], bool] | None, seed: int,
) -> tuple[FloatArray, float]:
    """Matrix from fixed to moving, and the residual at the focus."""
    coarse = make_level(fixed, 8.0), make_level(moving, 8.0)
    centre = body_centre(coarse[0])
    _pause(should_stop)
    poses = coarse_search(*coarse, centre, start, seed)
    if not poses or poses[0].score <= 0:
        raise RegistrationFailedError(
            "the two volumes hardly overlap", expected="a common part of the head",
            remedy="bring them together by hand first (initial)",
        )
    middle = _Task(make_level(fixed, 4.0), make_level(moving, 4.0), centre)
    tried = []
    for pose in poses[:3]:
        _pause(should_stop)
        tried.append(_refine(middle, pose.matrix, samples=8_000, seed=seed))
    best = max(tried, key=lambda t: t[1])[0]
    fine = _Task(make_level(fixed, 2.0), make_level(moving, 2.0), centre)
    _pause(should_stop)
    best, score = _refine(fine, best, samples=20_000, seed=seed)
    if score < LEAST_SCORE:
        raise RegistrationFailedError(
            f"the best position found explains next to nothing (score {score:.3f})",
            expected=f"at least {LEAST_SCORE:g}, as two series of one head give",
            remedy="check that both show the same head, or bring them together by hand first (initial)",
        )
    if focus is None:
        # nobody knows yet where the map will be used: the worst of the middle and six places around it counts
        around = centre + AROUND_MM * np.concatenate([np.zeros((1, 3)), np.eye(3), -np.eye(3)])
        return _with_residual(fine, best, around, should_stop, seed, 15_000)
    local = _local_task(fixed, moving, best, focus)
    _pause(should_stop)
    return _with_residual(local, best, focus[None, :], should_stop, seed, 15_000)


def _local_task(fixed: Volume, moving: Volume, matrix: FloatArray, focus: FloatArray) -> _Task:
    """The neighbourhood of the place of interest at about 1 mm."""
    near = _ball_crop(fixed, focus, FOCUS_RADIUS_MM)
    partner = _ball_crop(moving, matrix[:3, :3] @ focus + matrix[:3, 3], FOCUS_RADIUS_MM + 12.0)
    return _Task(make_level(near, 1.0), make_level(partner, 1.0), focus, focus)


def _ball_crop(volume: Volume, centre: FloatArray, radius_mm: float) -> Volume:
    reach = radius_mm * np.linalg.norm(volume.geometry.affine_xyz_from_lps[:3, :3], axis=1)[::-1]
    middle = volume.geometry.index_from_lps(centre)
    low = np.clip(np.floor(middle - reach), 0, np.asarray(volume.array.shape) - 1).astype(int)
    high = np.clip(np.ceil(middle + reach) + 1, low + 1, volume.array.shape).astype(int)
    return volume.cropped((int(low[0]), int(low[1]), int(low[2])), (int(high[0]), int(high[1]), int(high[2])))


def _with_residual(
    task: _Task, start: FloatArray, places: FloatArray, should_stop: Callable[[], bool] | None, seed: int, samples: int
) -> tuple[FloatArray, float]:
    """The mean of several runs on different samples from perturbed starts, and the error their scatter speaks for."""
    from concurrent.futures import ThreadPoolExecutor

    nudges = np.random.default_rng(seed + 100).normal(0.0, 0.4, (1 + REPEATS, 3))
    nudges[0] = 0.0

    def run(repeat: int) -> FloatArray:
        _pause(should_stop)
        nudged = start.copy()
        nudged[:3, 3] += nudges[repeat]
        return _refine(task, nudged, samples=samples, seed=seed + 1 + repeat)[0]

    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(run, range(1 + REPEATS)))
    points = np.array([places @ m[:3, :3].T + m[:3, 3] for m in runs])
    variance = ((points - points.mean(axis=0)) ** 2).sum(axis=(0, 2)) / (len(runs) - 1)
    scatter = float(np.sqrt(variance.max()))
    if scatter > WORST_SCATTER_MM:
        raise RegistrationFailedError(
            f"repeated registrations differ by {scatter:.1f} mm", expected="agreement within a millimetre",
            remedy="bring the two series together by hand first (initial), or check that they show the same head",
        )
    mean = nearest_rigid(np.mean(runs, axis=0))
    return mean, float(np.hypot(FLOOR_MM, COVERAGE * scatter))


def _refine(task: _Task, start: FloatArray, *, samples: int, seed: int) -> tuple[FloatArray, float]:
    """Quasi-Newton ascent of the mutual information from one start; matrix and score (larger is better)."""
    information = MutualInformation(task.fixed, task.moving, seed, samples)
    pivot = start[:3, :3] @ task.centre + start[:3, 3]
    scale = np.array([1 / LEVER_MM] * 3 + [1.0] * 3)

    def loss(parameters: FloatArray) -> tuple[float, FloatArray]:
        turn, shift = parameters[:3] * scale[:3], parameters[3:]
        matrix = about(pivot, rotation_from_vector(turn), shift) @ start
        score, gradient = information.score_and_gradient(matrix, pivot + shift)
        by_turn = left_jacobian(turn).T @ gradient[:3]
        return -STEEPNESS * score, -STEEPNESS * np.concatenate([by_turn, gradient[3:]]) * scale

    best = descend(loss, np.zeros(6))
    found = about(pivot, rotation_from_vector(best[:3] * scale[:3]), best[3:]) @ start
    return found, information.score(found)
