"""The same interactions on napari canvases: one ViewerModel and QtViewer a panel, linked through their sliders."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QCoreApplication, QEvent
from qtpy.QtWidgets import QApplication, QGridLayout, QWidget

from neuraxis.domain.volume import Volume

PLANE_ORDERS = ((0, 1, 2), (1, 0, 2), (2, 0, 1))
"""Axis orders of the axial, coronal and sagittal plane of a (z, y, x) array."""
WARM_UP = 3


class CanvasGrid:
    """napari canvases in a grid, each with one image layer in a plane of its own."""

    def __init__(self, volumes: list[Volume], panels: int, columns: int, size: tuple[int, int]) -> None:
        from napari.components import ViewerModel
        from napari.qt import QtViewer, get_qapp

        get_qapp()
        self.widget = QWidget()
        self.widget.resize(*size)
        layout = QGridLayout(self.widget)
        layout.setContentsMargins(0, 0, 0, 0)
        self.models: list[Any] = []
        self.canvases: list[Any] = []
        for number in range(panels):
            model = ViewerModel()
            canvas = QtViewer(model)
            volume = volumes[number // len(PLANE_ORDERS) % len(volumes)]
            z, y, x = reversed(volume.geometry.spacing_xyz_mm)
            model.add_image(volume.array, scale=(z, y, x), units=("mm",) * 3, contrast_limits=(0.0, 80.0))
            model.dims.order = PLANE_ORDERS[number % len(PLANE_ORDERS)]
            layout.addWidget(canvas, number // columns, number % columns)
            self.models.append(model)
            self.canvases.append(canvas)
        self.widget.show()
        QApplication.processEvents()
        for model in self.models:
            model.reset_view()
        QApplication.processEvents()

    def move(self, point: NDArray[np.float64]) -> None:
        """All sliders to a point of the world, in mm."""
        for model in self.models:
            axis = model.dims.order[0]
            model.dims.set_point(axis, float(point[axis]))

    def set_window(self, low: float, high: float) -> None:
        """Contrast limits of every layer."""
        for model in self.models:
            model.layers[0].contrast_limits = (low, high)

    def close(self) -> None:
        """Let go of canvases and layers."""
        for canvas, model in zip(self.canvases, self.models, strict=True):
            model.layers.clear()
            canvas.close()
            canvas.deleteLater()
        self.widget.close()
        self.widget.deleteLater()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)

    def measured(self, act: Callable[[int], object], repeats: int) -> tuple[float, float]:
        """Median CPU and wall time in ms of an interaction with the drawing of all canvases."""
        cpu, wall = [], []
        for turn in range(repeats + WARM_UP):
            start_cpu, start = time.process_time(), time.perf_counter()
            act(turn)
            for canvas in self.canvases:
                canvas.canvas.native.update()
            QApplication.processEvents()
            cpu.append((time.process_time() - start_cpu) * 1e3)
            wall.append((time.perf_counter() - start) * 1e3)
        return median(cpu[WARM_UP:]), median(wall[WARM_UP:])


def canvas_costs(
    volumes: list[Volume], panels: int, columns: int, size: tuple[int, int], repeats: int
) -> dict[str, tuple[float, float]]:
    """(CPU ms, wall ms) of a slice step, a crosshair drag and a window drag on napari canvases."""
    grid = CanvasGrid(volumes, panels, columns, size)
    spacing = np.asarray(volumes[0].geometry.spacing_xyz_mm[::-1])
    middle = (np.asarray(volumes[0].array.shape) // 2) * spacing
    step = np.array([spacing[0], 0.0, 0.0])
    try:
        return {
            "slice step": grid.measured(lambda turn: grid.move(middle + step * (turn % 10)), repeats),
            "crosshair drag": grid.measured(lambda turn: grid.move(middle + spacing * (turn % 10)), repeats),
            "window drag": grid.measured(lambda turn: grid.set_window(0.0, 80.0 + turn), repeats),
        }
    finally:
        grid.close()
