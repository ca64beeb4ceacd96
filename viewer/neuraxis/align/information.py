"""Mutual information of two small volumes under many trial transforms: the coarse search of a registration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuraxis.align.pyramid import Level
from neuraxis.align.rotation import about, angle_deg, rotation_from_angles
from neuraxis.domain.geometry import FloatArray

BINS = 24
SEARCH_SAMPLES = 3000
LEAST_OVERLAP = 0.3
"""Fraction of the samples that must fall into the moving volume, else a trial does not count."""


@dataclass(frozen=True, eq=False)
class Pose:
    """A rigid transform about a centre, with its score (larger is better)."""

    matrix: FloatArray
    score: float


@dataclass(frozen=True, eq=False)
class _Overlap:
    """Samples that fall into the moving volume: which, where (3, n), their moving values and gradients by mm (3, n)."""

    inside: NDArray[np.bool_]
    points: FloatArray
    value: NDArray[np.float64]
    gradient: FloatArray


class MutualInformation:
    """Normalised mutual information of fixed samples and the moving values they fall on, with its exact gradient.

    Samples lie at random places between voxel centres: samples on the grid would favour transforms that bring grid on
    grid (Pluim 2000, doi 10.1006/cviu.1999.0816). Values enter two neighbouring bins by linear weights, so that the
    score is continuous and its gradient the true one. SimpleITK's Mattes metric was tried first; on block means with
    hard edges its gradient led descents half a millimetre and more past its own optimum.
    """

    def __init__(self, fixed: Level, moving: Level, seed: int, samples: int = SEARCH_SAMPLES) -> None:
        rng = np.random.default_rng(seed)
        inside = np.flatnonzero(fixed.body)
        chosen = rng.choice(inside, size=min(samples, inside.size), replace=False)
        index = np.stack(np.unravel_index(chosen, fixed.body.shape), axis=-1) + rng.uniform(-0.5, 0.5, (chosen.size, 3))
        index = np.clip(index, 0, np.asarray(fixed.body.shape) - 1)
        self._points = np.ascontiguousarray(fixed.geometry.lps_from_index(index).T)
        self._fixed_bin, self._fixed_weight = _bins(_trilinear(fixed.values, index.T)[0])
        self._moving = moving

    def score(self, matrix: FloatArray) -> float:
        """Normalised mutual information above 1, times the part of the samples that overlaps; 0 where that is too little.

        Without the second factor, poses that push most of one head out of the other's field of view score best: what is
        left agrees by chance.
        """
        overlap = self._overlap(matrix, gradient=False)
        if overlap is None:
            return 0.0
        return (self._information(overlap)[0] - 1.0) * float(overlap.inside.mean())

    def score_and_gradient(self, matrix: FloatArray, pivot: FloatArray) -> tuple[float, FloatArray]:
        """Information, and its derivative by a turn (rad, about `pivot` in moving space) and a shift (mm) after `matrix`.

        Returns
        -------
        information, gradient : (H(fixed) + H(moving)) / H(both), between 1 and 2 (0 where too little overlaps); the
            gradient has shape (6,): three turns, three shifts
        """
        overlap = self._overlap(matrix, gradient=True)
        if overlap is None:
            return 0.0, np.zeros(6)
        score, slope = self._information(overlap)
        moment = (overlap.points - pivot[:, None]) @ (slope * overlap.gradient).T
        turn = np.array([moment[1, 2] - moment[2, 1], moment[2, 0] - moment[0, 2], moment[0, 1] - moment[1, 0]])
        return score, np.concatenate([turn, overlap.gradient @ slope])

    def _overlap(self, matrix: FloatArray, *, gradient: bool) -> _Overlap | None:
        to_index = (self._moving.geometry.affine_xyz_from_lps @ matrix)[[2, 1, 0]]
        position = to_index[:, :3] @ self._points + to_index[:, 3:]
        inside = np.ones(position.shape[1], dtype=bool)
        for axis, count in enumerate(self._moving.values.shape):
            along = position[axis]
            inside &= along >= -0.5
            inside &= along <= count - 0.5
            np.clip(along, 0, count - 1, out=along)
        kept = int(np.count_nonzero(inside))
        if kept < LEAST_OVERLAP * inside.size:
            return None
        points = self._points
        if kept < inside.size:
            position, points = position[:, inside], points[:, inside]
        value, by_index = _trilinear(self._moving.values, position, gradient=gradient)
        if not gradient:
            return _Overlap(inside, points, value, by_index)
        moved = matrix[:3, :3] @ points + matrix[:3, 3:]
        by_lps = self._moving.geometry.affine_xyz_from_lps[[2, 1, 0], :3].T @ by_index
        return _Overlap(inside, moved, value, by_lps)

    def _information(self, overlap: _Overlap) -> tuple[float, NDArray[np.float64]]:
        """Score, and its derivative by the moving value of each sample."""
        low, weight = _bins(overlap.value)
        fixed_low, fixed_weight = self._fixed_bin, self._fixed_weight
        if overlap.value.size < fixed_low.size:
            fixed_low, fixed_weight = fixed_low[overlap.inside], fixed_weight[overlap.inside]
        cell = fixed_low * BINS + low
        joint = np.zeros(BINS * BINS + BINS + 1)
        for step_f, wf in ((0, 1 - fixed_weight), (BINS, fixed_weight)):
            joint += np.bincount(cell + step_f, wf * (1 - weight), joint.size)
            joint += np.bincount(cell + step_f + 1, wf * weight, joint.size)
        p = joint[: BINS * BINS].reshape(BINS, BINS) / overlap.value.size
        log_joint, log_f, log_m = (np.log(np.maximum(q, 1e-12)) for q in (p, p.sum(axis=1), p.sum(axis=0)))
        both = -float((p * log_joint).sum())
        if both <= 0:
            return 0.0, np.zeros_like(weight)
        single = -float(p.sum(axis=1) @ log_f) - float(p.sum(axis=0) @ log_m)
        # derivative of (Hf + Hm) / Hfm by a cell's probability
        cells = (-(log_f[:, None] + log_m[None, :] + 2) + single / both * (log_joint + 1)) / both
        steps = np.zeros(BINS * BINS + BINS + 1)
        steps[: BINS * BINS - 1] = np.diff(cells.ravel())
        slope = (1 - fixed_weight) * steps[cell] + fixed_weight * steps[cell + BINS]
        return single / both, slope * (BINS - 1) / overlap.value.size


def _bins(value: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Lower bin of values in 0..1 and the weight of the next one."""
    scaled = value * (BINS - 1)
    lower = np.clip(scaled.astype(np.int64), 0, BINS - 2)
    return lower, scaled - lower


def _trilinear(
    values: NDArray[np.float32], index: FloatArray, *, gradient: bool = False
) -> tuple[NDArray[np.float64], FloatArray]:
    """Trilinear values at (3, n) indices inside the array and, if asked for, their exact derivatives by index (3, n)."""
    strides = (values.shape[1] * values.shape[2], values.shape[2], 1)
    flat, base = values.ravel(), np.zeros(index.shape[1], dtype=np.int64)
    weight, step = [], []
    for along, count, stride in zip(index, values.shape, strides, strict=True):
        low = np.minimum(along.astype(np.int64), max(count - 2, 0))
        weight.append(along - low)
        step.append(stride if count > 1 else 0)
        base += low * stride
    (wz, wy, wx), (dz, dy, dx) = weight, step
    near_low, near_high = _edge(flat, base, dx, wx), _edge(flat, base + dy, dx, wx)
    far_low, far_high = _edge(flat, base + dz, dx, wx), _edge(flat, base + dz + dy, dx, wx)
    near = near_low[0] + wy * (near_high[0] - near_low[0])
    far = far_low[0] + wy * (far_high[0] - far_low[0])
    value = near + wz * (far - near)
    if not gradient:
        return value, np.zeros((3, 0))
    by_y = (1 - wz) * (near_high[0] - near_low[0]) + wz * (far_high[0] - far_low[0])
    slope_near = near_low[1] + wy * (near_high[1] - near_low[1])
    slope_far = far_low[1] + wy * (far_high[1] - far_low[1])
    return value, np.stack([far - near, by_y, slope_near + wz * (slope_far - slope_near)])


def _edge(
    flat: NDArray[np.float32], base: NDArray[np.int64], step: int, weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Value between two neighbouring columns, and their difference."""
    low: NDArray[np.float32] = flat.take(base)
    slope: NDArray[np.float32] = flat.take(base + step) - low
    value: NDArray[np.float64] = low + weight * slope
    return value, slope


def body_centre(level: Level) -> FloatArray:
    """Mean point of the body of a level, LPS mm."""
    centre: FloatArray = level.geometry.lps_from_index(np.argwhere(level.body)).mean(axis=0)
    return centre


def coarse_search(fixed: Level, moving: Level, centre: FloatArray, start: FloatArray, seed: int) -> list[Pose]:
    """The best trial transforms, best first: shifts up to 36 mm and turns up to 20 degrees around several starts.

    Starts are the given transform and the one that brings the centres of the bodies together. Trials go through
    shifts first, then turns around the best, then a descent by coordinate steps.
    """
    information = MutualInformation(fixed, moving, seed)
    to_body = body_centre(moving) - body_centre(fixed)
    bases = [start, about(centre, np.eye(3), to_body)]
    shifts = [np.array(s, dtype=np.float64) for s in np.ndindex(3, 3, 3)]
    trials = list(bases)
    for base in bases:
        trials += [_shifted(base, (s - 1) * 18.0) for s in shifts]
        trials += [_shifted(base, np.array([0, 0, z])) for z in (-54.0, -36.0, 36.0, 54.0)]
    ranked = sorted((Pose(t, information.score(t)) for t in trials), key=lambda p: -p.score)
    turned = ranked[:6]
    for pose in ranked[:6]:
        for axis in range(3):
            turned += [_scored(information, _turned(pose.matrix, centre, axis, angle)) for angle in (-14.0, 14.0)]
    turned.sort(key=lambda p: -p.score)
    found = [_descend(information, pose, centre) for pose in _apart(turned, centre)[:5]]
    # descents often meet in one place
    return _apart(sorted(found, key=lambda p: -p.score), centre, 3.0, 2.0)


def _scored(information: MutualInformation, matrix: FloatArray) -> Pose:
    return Pose(matrix, information.score(matrix))


def _shifted(matrix: FloatArray, shift: FloatArray) -> FloatArray:
    m = matrix.copy()
    m[:3, 3] += shift
    return m


def _turned(matrix: FloatArray, centre: FloatArray, axis: int, angle_deg: float) -> FloatArray:
    """A turn about the place where the centre has come to lie."""
    angles = [0.0, 0.0, 0.0]
    angles[axis] = angle_deg
    pivot = matrix[:3, :3] @ centre + matrix[:3, 3]
    turn = rotation_from_angles((angles[0], angles[1], angles[2]))
    turned: FloatArray = about(pivot, turn, np.zeros(3)) @ matrix
    return turned


def _apart(poses: list[Pose], centre: FloatArray, shift_mm: float = 12.0, turn_deg: float = 8.0) -> list[Pose]:
    """Poses that are not neighbours of a better one, by the shift at the centre and the turn."""
    kept: list[Pose] = []
    for pose in poses:
        def near(other: Pose, pose: Pose = pose) -> bool:
            shift = (pose.matrix - other.matrix)[:3, :3] @ centre + (pose.matrix - other.matrix)[:3, 3]
            return float(np.linalg.norm(shift)) < shift_mm and angle_deg(pose.matrix, other.matrix) < turn_deg

        if not any(near(other) for other in kept):
            kept.append(pose)
    return kept


def _descend(information: MutualInformation, pose: Pose, centre: FloatArray) -> Pose:
    """Coordinate steps, halved whenever none of the twelve helps."""
    step_mm, step_deg = 8.0, 7.0
    while step_mm > 0.9:
        trials = []
        for axis in range(3):
            for sign in (-1.0, 1.0):
                shift = np.zeros(3)
                shift[axis] = sign * step_mm
                trials.append(_scored(information, _shifted(pose.matrix, shift)))
                trials.append(_scored(information, _turned(pose.matrix, centre, axis, sign * step_deg)))
        best = max(trials, key=lambda p: p.score)
        if best.score > pose.score:
            pose = best
        else:
            step_mm, step_deg = step_mm / 2, step_deg / 2
    return pose
