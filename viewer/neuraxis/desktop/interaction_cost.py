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
    return InteractionCost(name, len(grid.panels), median(cpu), median(wall))


def measure(width: int = 1920, height: int = 1080) -> tuple[InteractionCost, ...]:
    """Costs on int16 volumes of 300 x 512 x 512 in a grid of `width` x `height` pixels, software rendering."""
    app = QApplication.instance() or QApplication(sys.argv[:1])
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
            app.processEvents()
            found += _linked(grid, session, first)
        found += _resampled(grid)
    finally:
        grid.detach()
        grid.close()
        session.close()
        grid.deleteLater()
    return tuple(found)


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
    for name, coarse in (("oblique plane, dragging", True), ("oblique plane, refined", False)):
        panel.scene.coarse = coarse
        found.append(_measured(name, grid, lambda turn: panel.set_state(
            PanelState("s1", rotation_degrees=(10.0 + turn, 5.0)))))
    return found


def main() -> int:
    """Print the table."""
    for cost in measure():
        print(f"{cost.name:26s} {cost.panels} panels  cpu {cost.cpu_ms:6.1f} ms  wall {cost.wall_ms:6.1f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
