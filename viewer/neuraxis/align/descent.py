"""Quasi-Newton descent (BFGS) with backtracking: few evaluations, no warnings, safe to run in threads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from neuraxis.domain.geometry import FloatArray

MOST_STEPS = 40
LONGEST_STEP = 4.0
SHORTEST_STEP = 2e-3
ENOUGH_DECREASE = 1e-4
"""Part of the decrease that the slope promises (Armijo)."""


def descend(loss: Callable[[FloatArray], tuple[float, FloatArray]], start: FloatArray) -> FloatArray:
    """The place of a local minimum near `start`.

    Parameters
    ----------
    loss : gives value and gradient; scaled so that a step of 1 is meaningful along every parameter
    start : first place, shape (n,)
    """
    x, inverse = start.copy(), np.eye(start.size)
    value, gradient = loss(x)
    for _ in range(MOST_STEPS):
        direction = -inverse @ gradient
        if float(direction @ gradient) >= 0:
            inverse, direction = np.eye(start.size), -gradient
        direction = direction * min(1.0, LONGEST_STEP / max(float(np.abs(direction).max()), 1e-12))
        slope, share = float(direction @ gradient), 1.0
        for _ in range(10):
            new_value, new_gradient = loss(x + share * direction)
            if new_value <= value + ENOUGH_DECREASE * share * slope:
                break
            share *= 0.4
        else:
            return x
        step, change = share * direction, new_gradient - gradient
        x, value, gradient = x + step, new_value, new_gradient
        if float(np.abs(step).max()) < SHORTEST_STEP:
            break
        inverse = _updated(inverse, step, change)
    return x


def _updated(inverse: FloatArray, step: FloatArray, change: FloatArray) -> FloatArray:
    """The inverse Hessian after a step (BFGS), unchanged where the curvature along it is not positive."""
    curvature = float(step @ change)
    if curvature <= 1e-12:
        return inverse
    left = np.eye(step.size) - np.outer(step, change) / curvature
    updated: FloatArray = left @ inverse @ left.T + np.outer(step, step) / curvature
    return updated
