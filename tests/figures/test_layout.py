"""Panels on the page: widths are met to the pixel, equal panels are equal, nothing overlaps."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuraxis.figures.layout import Page, automatic_columns, lay_out
from neuraxis.figures.recipe import Layout


def overlaps(page: Page) -> bool:
    for a, b in combinations(page.boxes.values(), 2):
        beside = a.x_px + a.width_px <= b.x_px or b.x_px + b.width_px <= a.x_px
        above = a.y_px + a.height_px <= b.y_px or b.y_px + b.height_px <= a.y_px
        if not beside and not above:
            return True
    return False


@given(
    aspects=st.lists(st.floats(0.4, 2.5), min_size=1, max_size=9), columns=st.integers(1, 6), dpi=st.sampled_from([150, 300, 600]),
    width_mm=st.sampled_from([84.0, 174.0]), gap=st.floats(0, 5),
)
def test_columns_fill_the_width_without_overlap(
    aspects: list[float], columns: int, dpi: int, width_mm: float, gap: float
) -> None:
    letters = [chr(97 + i) for i in range(len(aspects))]
    page = lay_out(letters, aspects, Layout(columns=columns, gap_mm=gap), width_mm, dpi)
    assert page.width_px == round(width_mm / 25.4 * dpi)
    assert not overlaps(page)
    assert len({b.width_px for b in page.boxes.values()}) == 1
    if len(letters) >= columns:
        last = page.boxes[letters[columns - 1]]
        assert last.x_px + last.width_px == page.width_px or columns == 1
    assert max(b.y_px + b.height_px for b in page.boxes.values()) == page.height_px


def test_rows_have_one_height_and_fill_the_width() -> None:
    page = lay_out("abcde", [1, 1, 1, 1.5, 0.7], Layout(rows=(("a", "b", "c"), ("d", "e"))), 174, 300)
    boxes = page.boxes
    assert boxes["a"].width_px == boxes["b"].width_px == boxes["c"].width_px
    assert boxes["d"].height_px == boxes["e"].height_px
    assert boxes["d"].width_px / boxes["d"].height_px == pytest.approx(1.5, rel=0.01)
    for last in "ce":
        assert boxes[last].x_px + boxes[last].width_px == 2055
    assert not overlaps(page)


@pytest.mark.parametrize(
    ("panels", "width_mm", "columns"), [(1, 84, 1), (3, 84, 2), (4, 174, 4), (5, 174, 3), (6, 174, 3), (7, 174, 4), (9, 174, 3)]
)
def test_columns_are_chosen_for_the_number_of_panels(panels: int, width_mm: float, columns: int) -> None:
    assert automatic_columns(panels, width_mm) == columns
