"""The speed table measures what it says: right files, medians, ratios, and a note where a program cannot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from neuraxis.dicom import bench, open_study
from neuraxis.dicom.bench import SYNTAXES, _decode_alone, _interleaved, _raw_read, write_series


@pytest.mark.parametrize("codec", ["", *SYNTAXES])
def test_the_files_that_are_timed_hold_the_same_series_in_each_syntax(codec: str, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    write_series(tmp_path / "plain", 5, 64, 64)
    (tmp_path / "coded").mkdir()
    write_series(tmp_path / "coded", 5, 64, 64, codec=codec)
    plain, coded = (open_study(tmp_path / n).series[0].volume() for n in ("plain", "coded"))
    assert np.array_equal(plain.array, coded.array)
    assert plain.geometry == coded.geometry
    if codec:
        assert len(_decode_alone(tmp_path / "coded", codec)) == 5


def test_a_row_gives_the_median_and_the_ratio_and_names_failures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_series(tmp_path, 3, 32, 32)
    clock = [0.0]
    monkeypatch.setattr(bench, "time", SimpleNamespace(perf_counter=lambda: clock[0]))

    def lasts(*seconds: float) -> Callable[[Path], None]:
        left = list(seconds)

        def program(_: Path) -> None:
            clock[0] += left.pop(0)

        return program

    def fails(_: Path) -> None:
        raise RuntimeError("no decoder")

    # the first run warms up and does not count
    programs = {"Neuraxis": lasts(99, 1, 2, 9), "slow": lasts(99, 50, 6, 5), "raw": _raw_read, "broken": fails}
    rows = _interleaved("task", tmp_path, programs, 3)
    by_name = {r.program: r for r in rows}
    assert (by_name["Neuraxis"].seconds, by_name["Neuraxis"].ratio_to_neuraxis) == (2, 1)
    assert (by_name["slow"].seconds, by_name["slow"].ratio_to_neuraxis) == (6, 3)
    assert "no decoder" in by_name["broken"].note
