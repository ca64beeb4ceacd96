"""The plugin in a real napari viewer."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication
from tests.app.synthetic_study import head_study

from neuraxis.app.layers import study_layers, world_from_lps
from neuraxis.app.open_study import default_window
from neuraxis.domain.study import Study
from neuraxis.domain.window import window_preset

SCREENSHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"
pytestmark = [
    pytest.mark.gui,
    # napari and vispy warn about themselves; what they do is not ours to change
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore:.*:UserWarning"),
]


def add_study(viewer: Any, study: Study) -> None:
    loaded = []
    for series in study.series:
        volume = series.volume()
        loaded.append((series, volume, default_window(series, volume)))
    for data, arguments, kind in study_layers(study, loaded):
        getattr(viewer, f"add_{kind}")(data, **arguments)


def test_the_manifest_offers_what_napari_users_look_for() -> None:
    from npe2 import PluginManifest

    manifest = PluginManifest.from_distribution("neuraxis")
    contributions = manifest.contributions
    assert [s.key for s in contributions.sample_data or []] == ["capnon"]
    assert any(r.accepts_directories for r in contributions.readers or [])
    names = {w.display_name for w in contributions.widgets or []}
    assert {"Open study", "Reading grid", "Window presets", "Lesions", "Tags and evidence"} <= names
    for known in contributions.commands or []:
        module, _, name = str(known.python_name).partition(":")
        assert callable(getattr(importlib.import_module(module), name))


def test_folders_without_dicom_are_left_to_other_readers(tmp_path: Path) -> None:
    from napari_neuraxis.reading import get_reader

    (tmp_path / "notes.txt").write_text("no picture")
    assert get_reader(str(tmp_path)) is None
    fake = tmp_path / "fake.dcm"
    fake.write_text("no DICOM at all")
    assert get_reader(str(fake)) is None
    real = tmp_path / "real.dcm"
    real.write_bytes(b"\0" * 128 + b"DICM")
    assert get_reader(str(real)) is not None
    assert get_reader(str(tmp_path)) is not None


def test_docks_take_the_study_of_the_layers_and_share_one_session(
    make_napari_viewer: Callable[..., Any], flush_deleted: None
) -> None:
    from napari_neuraxis import sessions
    from napari_neuraxis.widgets import LesionDock, ReadingDock, StudyDock, TagDock, WindowDock

    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1500, 950)
    add_study(viewer, head_study())
    docks = [kind(viewer) for kind in (StudyDock, ReadingDock, WindowDock, LesionDock, TagDock)]
    for dock, area in zip(docks, ("left", "bottom", "left", "right", "right"), strict=True):
        viewer.window.add_dock_widget(dock, area=area)
    QApplication.processEvents()
    assert len({id(d.session) for d in docks}) == 1
    session = docks[0].session
    assert len(session.series) == 5
    assert all(session.volume(s.id) is not None for s in session.series), "nothing is read twice"
    layer = viewer.layers["2 CT head 0.6 H31"]
    viewer.layers.selection = {layer}
    docks[2].apply(window_preset("bone"))
    assert tuple(layer.contrast_limits) == pytest.approx(window_preset("bone").limits)
    assert session.window("s1") == window_preset("bone")
    QApplication.processEvents()
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    viewer.window.screenshot(str(SCREENSHOTS / "napari_docks.png"), flash=False, canvas_only=False)
    for dock in docks:
        viewer.window.remove_dock_widget(dock)
        dock.deleteLater()
    from qtpy.QtCore import QCoreApplication, QEvent

    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert not sessions._sessions, "the session ends with its last dock"


def test_moving_the_point_moves_the_sliders(make_napari_viewer: Callable[..., Any], flush_deleted: None) -> None:
    from napari_neuraxis.widgets import StudyDock

    viewer = make_napari_viewer()
    add_study(viewer, head_study())
    dock = StudyDock(viewer)
    series = dock.session.find_series("s1")
    assert series is not None
    dock.session.set_point(series, (-10.0, 8.0, 4.0))
    assert viewer.dims.point == pytest.approx(tuple(world_from_lps((-10.0, 8.0, 4.0))))
    value = viewer.layers[0].get_value(viewer.dims.point, world=True)
    assert value == pytest.approx(700, abs=20)
    dock.detach()
    dock.deleteLater()


def test_a_lesion_becomes_a_labels_layer_and_a_brush_stroke_one_step(
    make_napari_viewer: Callable[..., Any], flush_deleted: None, qtbot: Any
) -> None:
    from napari_neuraxis.widgets import LesionDock

    viewer = make_napari_viewer()
    add_study(viewer, head_study())
    dock = LesionDock(viewer)
    session = dock.session
    session.segment_at("s1", (-10.0, 8.0, 4.0))
    qtbot.waitUntil(lambda: bool(session.case.lesions) and not session.jobs.jobs, timeout=20000)
    lesion = session.case.lesions[0]
    labels = next(layer for layer in viewer.layers if layer.metadata.get("neuraxis", {}) and layer.ndim == 3
                  and "unit" not in layer.metadata["neuraxis"])
    assert int((np.asarray(labels.data) > 0).sum()) == lesion.mask.voxel_count
    index = tuple(int(v) for v in np.argwhere(np.asarray(labels.data) > 0)[0])
    labels.paint(index, 0)
    qtbot.waitUntil(lambda: session.undo_label == "edit mask", timeout=3000)
    assert session.case.lesions[0].mask.voxel_count < lesion.mask.voxel_count
    session.undo()
    QApplication.processEvents()
    assert session.undo_label == "segment lesion", "showing the old mask again is no step of its own"
    assert session.case.lesions[0].mask.voxel_count == lesion.mask.voxel_count
    assert int((np.asarray(labels.data) > 0).sum()) == lesion.mask.voxel_count
    dock.detach()
    dock.deleteLater()


def test_napari_opens_a_dicom_folder_through_the_plugin(
    make_napari_viewer: Callable[..., Any], capnon_folder: Path
) -> None:
    viewer = make_napari_viewer()
    t1 = next(p for p in sorted(capnon_folder.iterdir()) if p.is_dir() and p.name.endswith("t1"))
    (layer,) = viewer.open(str(t1), plugin="neuraxis")
    assert layer.name.startswith("3 T1")
    assert {str(u) for u in layer.units} == {"millimeter"}
    volume = layer.metadata["neuraxis"]["volume"]
    assert np.shares_memory(layer.data, volume.array)
    middle = volume.geometry.lps_from_index([n // 2 for n in volume.array.shape])
    value = layer.get_value(tuple(world_from_lps(middle)), world=True)
    assert value == volume.array[tuple(n // 2 for n in volume.array.shape)]


@pytest.mark.slow
def test_open_sample_brings_the_capnon_study(
    make_napari_viewer: Callable[..., Any], capnon_folder: Path, monkeypatch: pytest.MonkeyPatch, flush_deleted: None
) -> None:
    from napari_neuraxis.widgets import StudyDock

    monkeypatch.setattr("neuraxis.app.sample.sample_folder", lambda case: capnon_folder)
    viewer = make_napari_viewer()
    dock = StudyDock(viewer)
    layers = viewer.open_sample("neuraxis", "capnon")
    assert len(layers) == 10
    assert [layer.visible for layer in layers] == [True] + [False] * 9
    assert layers[0].name.startswith("1 CT")
    assert len(dock.session.series) == 10
    assert all(dock.session.volume(s.id) is not None for s in dock.session.series)
    dock.detach()
    dock.deleteLater()


def test_a_folder_that_cannot_be_a_volume_is_refused_in_words(tmp_path: Path) -> None:
    from tests.app.synthetic_study import study_of

    from napari_neuraxis.reading import layers_of
    from neuraxis.errors import ReadError

    with pytest.raises(ReadError, match="no series"):
        layers_of(study_of())
