"""Exit codes and messages: 0 done, 1 could not with one clear message, 2 wrong usage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Neuraxis = Callable[..., Any]  # the fixture of conftest.py

COMMANDS = [
    "demo", "sample", "scan", "open", "export", "segment", "measure", "tag", "legend", "audit", "figure", "report", "deidentify", "find", "pull",
    "push", "bench",
]


def test_help_lists_every_command(neuraxis: Neuraxis) -> None:
    run = neuraxis("--help")
    assert run.code == 0
    assert [c for c in COMMANDS if c not in run.out] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(neuraxis: Neuraxis, command: str) -> None:
    run = neuraxis(command, "--help")
    assert run.code == 0
    assert f"Example: neuraxis {command}" in " ".join(run.out.split())


def test_an_unknown_option_is_wrong_usage(neuraxis: Neuraxis, tmp_path: Path) -> None:
    assert neuraxis("scan", tmp_path, "--nonsense").code == 2


@pytest.mark.parametrize("point", ["1,2", "a,b,c", "1;2;3", ""])
def test_a_point_that_is_no_point_is_wrong_usage(neuraxis: Neuraxis, tmp_path: Path, point: str) -> None:
    run = neuraxis("measure", tmp_path, "--at", point)
    assert run.code == 2
    assert "L,P,S" in run.err


def test_a_missing_folder_is_named(neuraxis: Neuraxis, tmp_path: Path) -> None:
    run = neuraxis("scan", tmp_path / "nowhere")
    assert run.code == 1
    assert "nowhere" in run.err
    assert run.out == ""


def test_a_folder_without_dicom_says_so_and_lists_what_it_saw(neuraxis: Neuraxis, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing here")
    run = neuraxis("scan", tmp_path, "--json")
    assert run.code == 1
    assert "no DICOM" in run.err
    assert [Path(s["path"]).name for s in run.json["skipped"]] == ["notes.txt"]


def test_a_legend_comes_from_standard_input_too(neuraxis: Neuraxis) -> None:
    run = neuraxis("legend", "-", "--json", stdin="(a) Axial CT, bone window: no erosion of the adjacent bone.")
    assert run.code == 0
    panel = run.json["figures"][0]["panels"][0]
    assert (panel["plane"], panel["window"]) == ("axial", "bone")


def test_an_empty_legend_is_refused(neuraxis: Neuraxis, tmp_path: Path) -> None:
    empty = tmp_path / "legend.txt"
    empty.write_text("")
    run = neuraxis("legend", empty)
    assert run.code == 1
    assert "empty" in run.err
