"""Codes that are what the published tables say, outlines of known area, identifiers that are valid."""

from __future__ import annotations

import datetime
import re

import numpy as np
import pytest
from numpy.typing import NDArray

from neuraxis.domain.lexicon import Code
from neuraxis.interop import concepts
from neuraxis.interop.identity import Author, Authorship, UidSource
from neuraxis.interop.outline import largest_outline, signed_area


def test_every_published_code_is_in_the_dictionaries_with_that_meaning() -> None:
    from pydicom.sr import _concepts_dict

    published = [c for c in vars(concepts).values() if isinstance(c, Code) and not c.is_private]
    assert len(published) > 15
    for code in published:
        entries: dict[str, dict[str, tuple[str, list[int]]]] = _concepts_dict.concepts[code.scheme]  # type: ignore[assignment]
        meanings = {entry[code.value][0] for entry in entries.values() if code.value in entry}
        assert meanings, f"{code.scheme} {code.value} is not in the tables"
        assert code.meaning.lower() in {m.lower() for m in meanings}, f"{code} is {meanings}"


def test_private_codes_keep_to_what_dicom_allows() -> None:
    private = [c for c in vars(concepts).values() if isinstance(c, Code) and c.is_private]
    private += list(concepts.VERDICTS.values())
    assert len({c.value for c in private}) == len(private)
    assert all(len(c.value) <= 16 and len(c.meaning) <= 64 for c in private)


@pytest.mark.parametrize(("value", "unit", "expected"), [
    (1.75, "cm", (17.5, "mm")), (2.0, "cm2", (200.0, "mm2")), (0.5, "ml", (500.0, "mm3")), (3.0, "cm3", (3000.0, "mm3")),
    (40.0, "[hnsf'U]", (40.0, "HU")), (7.0, "{SUVbw}g/ml", (7.0, "{SUVbw}g/ml")), (1.0, "{widgets}", (1.0, "widgets")),
])
def test_units_are_understood(value: float, unit: str, expected: tuple[float, str]) -> None:
    assert concepts.from_ucum(value, unit) == pytest.approx(expected)


@pytest.mark.parametrize("unit", ["mm", "mm2", "mm3", "HU", "ratio", "", "%", "rad", "ms", "signal", "odd unit"])
def test_units_come_back(unit: str) -> None:
    assert concepts.from_ucum(1.0, concepts.unit_code(unit).value) == (1.0, unit)


def test_the_outline_of_one_pixel_is_its_square() -> None:
    inside = np.zeros((4, 5), dtype=bool)
    inside[2, 3] = True
    assert largest_outline(inside).tolist() == [[3, 2], [4, 2], [4, 3], [3, 3], [3, 2]]


def test_the_outline_of_a_rectangle_has_four_corners() -> None:
    inside = np.zeros((10, 12), dtype=bool)
    inside[2:7, 3:11] = True
    points = largest_outline(inside)
    assert len(points) == 5
    assert signed_area(points) == 40


def test_pixels_that_touch_at_a_corner_are_two_parts() -> None:
    inside = np.array([[True, True, False], [False, False, True]])
    assert signed_area(largest_outline(inside)) == 2


def test_a_hole_does_not_take_the_outline_away() -> None:
    inside = np.ones((5, 5), dtype=bool)
    inside[2, 2] = False
    assert signed_area(largest_outline(inside)) == 25


@pytest.mark.parametrize("seed", range(20))
def test_outlines_of_any_shape_enclose_their_largest_part(seed: int) -> None:
    from scipy import ndimage

    inside: NDArray[np.bool_] = np.random.default_rng(seed).random((17, 13)) > 0.4
    labels, count = ndimage.label(inside)
    # pixels connect by their sides, so what is outside connects by corners too
    corners = np.ones((3, 3))
    filled = [int(ndimage.binary_fill_holes(labels == k, corners).sum()) for k in range(1, count + 1)]
    assert signed_area(largest_outline(inside)) == max(filled)


def test_identifiers_are_valid_and_depend_on_every_part() -> None:
    source = UidSource("seed")
    uids = {source.uid("a"), source.uid("b"), source.uid("a", "b"), source.uid("ab"), UidSource("other").uid("a")}
    assert len(uids) == 5
    assert source.uid("a") == UidSource("seed").uid("a")
    assert all(re.fullmatch(r"2\.25\.[1-9][0-9]*", uid) and len(uid) <= 64 for uid in uids)


def test_the_clock_stands_in_dicom_form() -> None:
    made = Authorship(Author("A^B"), datetime.datetime(2026, 1, 2, 3, 4, 5, 678), UidSource("s"))
    assert (made.content_date, made.content_time) == ("20260102", "030405")
