"""Every real volume in every plane: what is drawn under a click is the voxel at that point, and letters are right."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QCoreApplication, QEvent, QPoint, QRect, Qt
from qtpy.QtTest import QTest
from scipy.ndimage import map_coordinates

from neuraxis.app.layers import ResampledPlanes, image_layer, lps_from_world
from neuraxis.app.open_study import default_window
from neuraxis.app.options import Marks, ReadingChoices, ReadingOptions
from neuraxis.app.panel_state import PanelState
from neuraxis.app.session import StudySession
from neuraxis.app.views import Orientation
from neuraxis.dicom import open_study
from neuraxis.domain.study import Series
from neuraxis.domain.volume import Volume
from neuraxis.domain.window import Window, WindowFunction
from neuraxis.errors import NeuraxisError
from neuraxis.ui.slice_panel import SlicePanel

pytestmark = pytest.mark.gui
EXPECTED = {Orientation.AXIAL: "RLAP", Orientation.CORONAL: "RLHF", Orientation.SAGITTAL: "APHF"}
PLACES = ((0.3, 0.4, 0.6), (0.5, 0.5, 0.5), (0.8, 0.7, 0.3))
OBLIQUE = (20.0, -12.0)


def shown_panel(session: StudySession, state: PanelState) -> SlicePanel:
    options = ReadingOptions(ReadingChoices(marks=Marks.NONE, crosshair=False, masks=False))
    panel = SlicePanel(session, options, replace(state, smooth=False))
    panel.resize(256, 200)
    panel.show()
    return panel


def drawn_grey(panel: SlicePanel, at: QPoint) -> int:
    return int(panel.grab(QRect(at, at)).toImage().pixelColor(0, 0).red())


def under(panel: SlicePanel, point: Any) -> QPoint:
    view = panel.scene.view()
    assert view is not None
    x, y = view.screen_from_lps(point)
    return QPoint(int(x), int(y))


def click_voxels(session: StudySession, series: Series, volume: Volume, window: Window) -> int:
    """Three voxels in each of the three planes: drawn in their grey, and found again by a click."""
    geometry, clicks = volume.geometry, 0
    for orientation in Orientation:
        panel = shown_panel(session, PanelState(series.id, orientation, window=window))
        view = panel.scene.view()
        assert view is not None
        assert "".join(text[0] for text in view.letters) == EXPECTED[orientation], series.title
        for place in PLACES:
            index = tuple(int(share * (n - 1)) for share, n in zip(place, geometry.shape_zyx, strict=True))
            x, y, z = (float(v) for v in geometry.lps_from_index(index))
            session.set_point(series, (x, y, z))
            panel.scene.show_at((x, y, z), min(geometry.spacing_xyz_mm) / 5)
            at = under(panel, (x, y, z))
            wanted = int(window.to_grey(np.asarray(volume.array[index]), inverted=series.inverted))
            assert abs(drawn_grey(panel, at) - wanted) <= 1, (series.title, orientation, place)
            QTest.mouseClick(panel, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)
            point = session.point_in(series)
            assert point is not None
            assert geometry.nearest_index(point) == index, (series.title, orientation, place)
            clicks += 1
        panel.detach()
        panel.deleteLater()
    return clicks


def click_oblique(session: StudySession, series: Series, volume: Volume, window: Window) -> None:
    """A turned plane: the grey under a click is the interpolated value at the point that the click takes."""
    geometry = volume.geometry
    middle = [(n - 1) / 2 for n in geometry.shape_zyx]
    x, y, z = (float(v) for v in geometry.lps_from_index(middle))
    session.set_point(series, (x, y, z))
    panel = shown_panel(session, PanelState(series.id, rotation_degrees=OBLIQUE, window=window))
    picture = panel.scene.picture()
    assert picture is not None
    rows, columns = picture.values.shape
    values = volume.array.astype(np.float64)
    for row, column in ((rows // 2, columns // 2), (rows // 3, columns // 2), (rows // 2, columns * 2 // 3)):
        there = picture.lps_from_pixel((row, column))
        at = under(panel, there)
        value = float(picture.values[row, column])
        index = geometry.index_from_lps(there)
        if np.isnan(value) or not geometry.contains(there):
            continue
        expected = float(map_coordinates(values, index.reshape(3, 1), order=1, mode="nearest")[0])
        spread = float(np.ptp(values))
        assert value == pytest.approx(expected, abs=0.005 * spread + 1), series.title
        reading = panel.scene.reading_at(at.x(), at.y())
        assert reading is not None
        view = panel.scene.view()
        assert view is not None
        assert np.linalg.norm(np.asarray(reading.point_lps_mm) - there) < 2 * view.mm_per_pixel
    panel.detach()
    panel.deleteLater()


def check_layer(series: Series, volume: Volume) -> None:
    """The napari layer shares the voxels and puts them at the same points."""
    data, arguments, _ = image_layer(series, volume, default_window(series, volume))
    if not isinstance(data, ResampledPlanes):
        assert np.shares_memory(data, volume.array)
        at = tuple(n // 3 for n in data.shape)
        world = np.asarray(arguments["translate"]) + np.array(at) * arguments["scale"]
        assert data[at] == volume.array[volume.geometry.nearest_index(lps_from_world(world))]


@pytest.mark.slow
def test_real_volumes_are_drawn_where_they_lie(shared_real: Path, qapp: Any, flush_deleted: None) -> None:
    checked = clicks = 0
    for folder in sorted(p for p in shared_real.iterdir() if p.is_dir()):
        session = StudySession(deliver=lambda f: f())
        session.set_study(open_study(folder))
        for series in session.series:
            if not series.is_volume or series.frames > 400:
                continue
            try:
                volume = series.volume()
            except NeuraxisError:
                continue  # what cannot be decoded is the reader's test
            session.adopt_volume(series.id, volume)
            low, high = float(np.nanmin(volume.array)), float(np.nanmax(volume.array))
            window = Window((low + high) / 2, max(high - low, 1.0), WindowFunction.LINEAR_EXACT)
            clicks += click_voxels(session, series, volume, window)
            click_oblique(session, series, volume, window)
            check_layer(series, volume)
            checked += 1
        session.close()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert checked >= 10
    assert clicks == 9 * checked
