"""Keys, hangings and settings as data."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tests.app.synthetic_study import head_study, series_of, study_of

from neuraxis.app.commands import COMMANDS, with_keys
from neuraxis.app.hanging import (
    best_hanging,
    hang,
    hanging,
    hanging_from_json,
    hanging_from_states,
    hanging_to_json,
    hangings,
)
from neuraxis.app.places import find_place, kept_place
from neuraxis.app.settings import Settings, load_settings, save_settings
from neuraxis.app.views import Orientation
from neuraxis.domain.study import Role
from neuraxis.domain.window import window_presets
from neuraxis.errors import UsageError, WriteError


def test_no_key_stands_for_two_commands_and_no_id_for_two() -> None:
    keys = [k for c in COMMANDS for k in c.keys]
    assert len(keys) == len(set(keys))
    ids = [c.id for c in COMMANDS]
    assert len(ids) == len(set(ids))


def test_every_preset_of_the_list_has_its_key_in_the_grid() -> None:
    by_id = {c.id: c for c in COMMANDS}
    for preset in window_presets():
        assert by_id[f"window.{preset.name}"].keys == (preset.key,)
        assert preset.key in by_id[f"window.{preset.name}"].tooltip


def test_keys_can_be_changed_but_not_doubled() -> None:
    changed = {c.id: c for c in with_keys({"tool.length": ("Ctrl+L",)})}
    assert changed["tool.length"].keys == ("Ctrl+L",)
    with pytest.raises(UsageError, match=r"both tool\.length and tool\.angle"):
        with_keys({"tool.angle": ("D",)})
    with pytest.raises(UsageError, match="not known"):
        with_keys({"tool.hammer": ("D",)})


def test_a_hanging_leaves_out_what_is_not_there() -> None:
    study = head_study()
    only_mr = [s for s in study.series if s.role.role is not Role.CT]
    states = hang(hanging("lesion"), only_mr)
    assert [s.series_id for s in states] == ["", "", "s3", "s4", "s5", "s6"]
    planes = hang(hanging("planes"), only_mr, chosen_id="s4")
    assert [(s.series_id, s.orientation) for s in planes] == [("s4", o) for o in Orientation]


def test_a_lone_series_opens_in_three_planes() -> None:
    series = head_study().series[0]
    protocol, states = best_hanging((series,))
    assert protocol.key == "planes"
    assert len(states) == 3


def test_every_hanging_has_as_many_cells_as_its_layout() -> None:
    for protocol in hangings():
        assert len(protocol.cells) == protocol.rows * protocol.columns
        assert protocol.rows <= 2
        assert protocol.columns <= 4


def test_a_series_of_unknown_role_is_not_hung_by_role() -> None:
    volume = head_study().series[0].volume()
    unknown = series_of(volume, Role.UNKNOWN, 1, "?")
    assert all(not s.series_id for s in hang(hanging("lesion"), study_of(unknown).series))


def test_settings_come_back_and_hold_no_name_of_a_patient(tmp_path: Path) -> None:
    path, study = tmp_path / "deep" / "settings.json", tmp_path / "DOE^JANE 1970" / "CT of Jane"
    study.mkdir(parents=True)
    settings = Settings(theme="light", keys={"tool.length": ("Ctrl+L",)}).with_recent(str(study), "CT, T1")
    settings = settings.with_hanging(replace(hanging("brain_bone"), key="own mine", name="mine"))
    save_settings(settings, path)
    assert "DOE" not in path.read_text()
    assert "Jane" not in path.read_text()
    again = load_settings(path)
    assert again == settings
    assert again.recent[0].find() == study
    for number in range(20):
        again = again.with_recent(f"/data/{number % 12}", "")
    assert len(again.recent) == 10, "a study opened twice stands there once"
    assert again.recent[0].find() is None
    shutil.rmtree(tmp_path / "DOE^JANE 1970")
    assert settings.recent[0].find() is None


def test_a_place_is_found_again_and_not_named(tmp_path: Path) -> None:
    place = tmp_path / "Mustermann" / "Schädel.zip"
    place.parent.mkdir()
    place.write_bytes(b"")
    kept = kept_place(place)
    assert find_place(kept) == place
    assert "Mustermann" not in kept
    assert kept_place(place) != kept, "a digest cannot be looked up in another file's"
    assert kept_place(place, like=kept) == kept
    assert find_place("") is None
    assert find_place('{"anchor": "/", "salt": 1}') is None


def test_a_saved_layout_hangs_another_study_the_same_way() -> None:
    study = head_study()
    states = hang(hanging("lesion"), study.series)
    own = hanging_from_states("mine", 2, 3, states, study.series)
    assert hanging_from_json(json.loads(json.dumps(hanging_to_json(own)))) == own
    assert hang(own, study.series) == states


@pytest.mark.parametrize("change", [{"rows": 5}, {"panels": []}, {"panels": [{"roles": ["T9"], "plane": "axial",
                                                                               "window": ""}], "rows": 1, "columns": 1}])
def test_a_hanging_that_makes_no_sense_is_refused(change: dict[str, object]) -> None:
    entry = {**hanging_to_json(hanging("brain_bone")), **change}
    with pytest.raises(UsageError, match="hanging"):
        hanging_from_json(entry)


@pytest.mark.parametrize("content", ["{\"hangings\": [{\"rows\": 7}]}", "", "[]", "{\"theme\": 5, \"recent\": [1], \"keys\": 7}", "\u0000"])
def test_broken_settings_fall_back_to_the_defaults(tmp_path: Path, content: str) -> None:
    path = tmp_path / "settings.json"
    path.write_text(content)
    assert load_settings(path) == Settings()


def test_settings_that_cannot_be_written_are_told(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(WriteError, match="NEURAXIS_SETTINGS"):
        save_settings(Settings(), blocked / "settings.json")
