"""Outline of a mask in one slice along pixel edges, so that its area is that of the pixels inside."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def largest_outline(inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Closed outer outline of the largest 4-connected part.

    Parameters
    ----------
    inside : (rows, columns), at least one True

    Returns
    -------
    (n, 2) points (column, row) in DICOM image coordinates: 0, 0 is the outer corner of the first pixel, whose centre is
    0.5, 0.5. First and last point are equal; the inside is on the right hand (clockwise as seen on screen).
    """
    loops = [np.array(loop, dtype=np.float64) for loop in _loops(inside)]
    return max(loops, key=signed_area)


def signed_area(points: NDArray[np.float64]) -> float:
    """Area in square pixels of a closed polygon of (column, row) points; positive where clockwise on screen."""
    x, y = points[:, 0], points[:, 1]
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2)


Point = tuple[int, int]


def _loops(inside: NDArray[np.bool_]) -> list[list[Point]]:
    ends = _edges(inside)
    loops = []
    while ends:
        start = min(ends)
        point, heading = start, ends[start][0]
        loop: list[Point] = []
        while not loop or point != start:
            target, step = _take(ends, point, heading)
            if not loop or step != heading:
                loop.append(point)  # a corner; straight runs of edges are one line
            point, heading = target, step
        loops.append([*loop, start])
    return loops


def _edges(inside: NDArray[np.bool_]) -> dict[Point, list[Point]]:
    """Directed pixel edges between inside and outside, by start point; values are steps (column, row)."""
    padded = np.pad(inside, 1)
    ends: dict[Point, list[Point]] = {}
    rules = (  # neighbour (row, column) that is outside; where the edge starts; its step
        ((-1, 0), (0, 0), (1, 0)), ((0, 1), (1, 0), (0, 1)), ((1, 0), (1, 1), (-1, 0)), ((0, -1), (0, 1), (0, -1)),
    )
    rows, columns = inside.shape
    for (dr, dc), (start_c, start_r), step in rules:
        beside = padded[1 + dr : 1 + dr + rows, 1 + dc : 1 + dc + columns]
        for row, column in np.argwhere(inside & ~beside):
            ends.setdefault((int(column) + start_c, int(row) + start_r), []).append(step)
    return ends


def _take(ends: dict[Point, list[Point]], point: Point, heading: Point) -> tuple[Point, Point]:
    """End and step of the edge that leads on, which is removed; where two meet, turn right: that keeps to one pixel."""
    steps = ends[point]
    right = (-heading[1], heading[0])
    step = right if right in steps else steps[0]
    steps.remove(step)
    if not steps:
        del ends[point]
    return (point[0] + step[0], point[1] + step[1]), step
