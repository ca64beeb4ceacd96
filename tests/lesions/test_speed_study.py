"""The speed table: what is drawn is what the programs are asked to measure, and every program gets an answer."""

from __future__ import annotations

import numpy as np
import pytest

from neuraxis.lesions import measure, segment
from neuraxis.lesions.speed_study import make_task, run


def test_a_task_holds_lesions_of_the_size_it_names_and_bone_beside_them() -> None:
    task = make_task("two", 4.0, 2, slices=100, side=140)
    assert len(task.centres) == 2
    assert set(np.unique(task.labels)) == {0, 1, 2}
    result = measure(task.volume, segment(task.volume, task.centres[1]))
    assert result.long_axis is not None
    assert result.long_axis.quantity.value == pytest.approx(4.0, abs=0.15)
    assert result.distance_to_bone is not None
    assert result.distance_to_bone.value == pytest.approx(12.0, abs=0.5)


@pytest.mark.slow
def test_every_program_of_the_table_gets_a_time() -> None:
    lines = list(run(repeats=1, quick=True))
    assert len(lines) == 12
    assert all(line.seconds > 0 and line.times_ours > 0 for line in lines)
    assert [line.times_ours for line in lines if line.program.endswith("numbers")] == [1.0, 1.0, 1.0]
