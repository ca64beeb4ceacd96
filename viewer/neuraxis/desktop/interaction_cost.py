"""What one interaction costs: CPU milliseconds for steps, window, crosshair, oblique planes and slabs, drawing included."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
from qtpy.QtWidgets import QApplication

from neuraxis.align.planes import Projection
from neuraxis.app.open_study import HeldVolume
from neuraxis.app.panel_state import PanelState
from neuraxis.app.session import StudySession
from neuraxis.app.views import Orientation
from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.study import (
    Confidence,
    LoadReport,
    Role,
    RoleAssignment,
    Series,
    Study,
)
from neuraxis.domain.volume import ValueKind, Volume
from neuraxis.domain.window import Window
from neuraxis.ui.reading_grid import ReadingGrid

SHAPE = (300, 512, 512)
SERIES = 3
PANELS = 7
REPEATS = 25
CANVAS_REPEATS = 11
SIZE = (1920, 1080)


@dataclass(frozen=True)
class InteractionCost:
    """Medians over `REPEATS`: CPU time of the process and wall time, in ms, with the drawing of all panels."""

    name: str
    panels: int
    cpu_ms: float
    wall_ms: float

    def to_json(self) -> dict[str, object]:
        """Rounded to a tenth of a millisecond."""
        return {"name": self.name, "panels": self.panels, "cpu_ms": round(self.cpu_ms, 1),
                "wall_ms": round(self.wall_ms, 1)}


def _study() -> Study:
    geometry = VolumeGeometry.axis_aligned(SHAPE, (0.45, 0.45, 0.6), (-115.0, -115.0, -90.0), "1.2")
    noise = np.random.default_rng(0).integers(-50, 120, SHAPE, dtype=np.int16)
    series = []
    for number in range(1, SERIES + 1):
        volume = Volume(noise + np.int16(number), geometry, ValueKind.HU, slice_thickness_mm=0.6, series_id=f"s{number}")
        series.append(Series(
            id=f"s{number}", series_uid=f"1.{number}", study_uid="1", frame_of_reference_uid="1.2", number=number,
            description="noise", modality="CT", role=RoleAssignment(Role.CT, Confidence.CERTAIN, "made"), instances=(),
            frames=SHAPE[0], rows=SHAPE[1], columns=SHAPE[2], geometry=geometry, refusal=None,
            source=HeldVolume(volume),
        ))
    return Study("memory", tuple(series), LoadReport())


def _measured(name: str, grid: ReadingGrid, act: Callable[[int], object]) -> InteractionCost:
    cpu, wall = [], []
    for turn in range(REPEATS):
        start_cpu, start = time.process_time(), time.perf_counter()
        act(turn)
        for panel in grid.panels:
            panel.update()
        QApplication.processEvents()
        cpu.append((time.process_time() - start_cpu) * 1e3)
        wall.append((time.perf_counter() - start) * 1e3)
    shown = sum(bool(panel.state.series_id) for panel in grid.panels)
    return InteractionCost(name, shown, median(cpu), median(wall))


def measure(width: int = SIZE[0], height: int = SIZE[1]) -> tuple[InteractionCost, ...]:
    """Costs on int16 volumes of 300 x 512 x 512 in a grid of `width` x `height` pixels, software rendering."""
    app = QApplication.instance() or QApplication(sys.argv[:1])
    app.setApplicationName("Neuraxis")
    session = StudySession(lambda function: function())
    session.set_study(_study())
    for series in session.series:
        session.adopt_volume(series.id, series.volume())
    grid = ReadingGrid(session)
    grid.resize(width, height)
    planes = tuple(Orientation)
    states = [PanelState(f"s{1 + k // len(planes)}", planes[k % len(planes)]) for k in range(PANELS)]
    first = session.series[0]
    try:
        found = []
        for rows, columns, shown in ((1, 1, states[:1]), (2, 4, states)):
            grid.set_layout(rows, columns, shown)
            grid.show()
            _settle(session)
            found += _linked(grid, session, first)
        found += _resampled(grid)
    finally:
        grid.detach()
        grid.close()
        session.close()
        grid.deleteLater()
    return tuple(found)


def _settle(session: StudySession) -> None:
    """Until the window is on the screen and nothing runs beside it."""
    from qtpy.QtTest import QTest

    QTest.qWait(300)
    while session.jobs.jobs:
        QTest.qWait(50)


def _linked(grid: ReadingGrid, session: StudySession, first: Series) -> list[InteractionCost]:
    panel = grid.panels[0]
    return [
        _measured("redraw", grid, lambda _turn: None),
        _measured("slice step", grid, lambda turn: panel.scene.step(1 if turn % 10 < 5 else -1)),
        _measured("crosshair drag", grid, lambda turn: session.set_point(first, (turn - 10.0, 5.0 - turn, turn))),
        _measured("window drag", grid, lambda turn: _drag_windows(session, turn)),
    ]


def _drag_windows(session: StudySession, turn: int) -> None:
    for series in session.series:
        session.set_window(series.id, Window(40.0, 80.0 + turn))


def _resampled(grid: ReadingGrid) -> list[InteractionCost]:
    grid.set_layout(1, 1, (PanelState("s1"),))
    QApplication.processEvents()
    panel = grid.panels[0]
    slab = replace(panel.state, slab_mm=16.0, projection=Projection.MIP)
    panel.set_state(slab)
    found = [_measured("16 mm slab", grid, lambda turn: panel.scene.step(1 if turn % 10 < 5 else -1))]
    for name, coarse in (("16 mm oblique slab, dragging", True), ("16 mm oblique slab, refined", False)):
        panel.scene.coarse = coarse
        found.append(_measured(name, grid, lambda turn: panel.set_state(
            replace(slab, rotation_degrees=(10.0 + turn, 5.0)))))
    panel.set_state(slab)
    for name, coarse in (("oblique plane, dragging", True), ("oblique plane, refined", False)):
        panel.scene.coarse = coarse
        found.append(_measured(name, grid, lambda turn: panel.set_state(
            PanelState("s1", rotation_degrees=(10.0 + turn, 5.0)))))
    return found


def beside_napari(size: tuple[int, int] = SIZE) -> dict[tuple[str, int], tuple[float, float]]:
    """(CPU ms, wall ms) of the same interactions on napari canvases, by name and number of panels."""
    from neuraxis.desktop.canvas_cost import canvas_costs

    volumes = [series.volume() for series in _study().series]
    found: dict[tuple[str, int], tuple[float, float]] = {}
    for panels, columns in ((1, 1), (PANELS, 4)):
        costs = canvas_costs(volumes, panels, columns, size, CANVAS_REPEATS)
        found |= {(name, panels): cost for name, cost in costs.items()}
    return found


AIMS_MS = {
    ("slice step", PANELS): 35, ("slice step", 1): 8, ("crosshair drag", PANELS): 35, ("window drag", PANELS): 40,
    ("16 mm slab", 1): 16, ("16 mm oblique slab, refined", 1): 100,
    ("16 mm oblique slab, dragging", 1): 16, ("oblique plane, dragging", 1): 16,
}
"""CPU ms that an interaction may cost."""


def main() -> int:
    """Print the table: our panels, the aim, napari canvases; then the opening of a long CT."""
    from neuraxis.desktop.opening_cost import measure_opening

    ours = measure()
    canvases = beside_napari()
    for cost in ours:
        key = (cost.name, cost.panels)
        aim = f"aim {AIMS_MS[key]:3d} ms" if key in AIMS_MS else ""
        peer = canvases.get(key)
        beside = f"napari canvases {peer[0]:6.1f} ms, {peer[0] / cost.cpu_ms:.1f} x" if peer else ""
        print(f"{cost.name:26s} {cost.panels} panels  cpu {cost.cpu_ms:6.1f} ms  {aim:10s}  {beside}".rstrip())
    opening = measure_opening()
    print(f"512 x 512 x 600 CT: first picture {opening.first_picture_s:.2f} s after the click (aim 0.5 s), all of it "
          f"{opening.whole_s:.2f} s; from opening the folder {opening.open_whole_s:.2f} s, {opening.ratio:.2f} x the "
          f"reader's own {opening.reader_s:.2f} s (aim 1.2 x)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
