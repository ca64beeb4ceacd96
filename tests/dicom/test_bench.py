"""The speed table measures what it says: right files, medians, ratios, and a note where a program cannot."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from neuraxis.dicom import open_study
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


def test_a_row_gives_the_median_and_the_ratio_and_names_failures(tmp_path: Path) -> None:
    write_series(tmp_path, 3, 32, 32)

    def fails(_: Path) -> None:
        raise RuntimeError("no decoder")

    rows = _interleaved(
        "task", tmp_path, {"Neuraxis": lambda _: time.sleep(0.01), "slow": lambda _: time.sleep(0.03), "raw": _raw_read, "broken": fails}, 3
    )
    by_name = {r.program: r for r in rows}
    assert by_name["Neuraxis"].ratio_to_neuraxis == 1
    assert 2 < by_name["slow"].ratio_to_neuraxis < 4
    assert "no decoder" in by_name["broken"].note
