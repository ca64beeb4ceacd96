"""One head shared by the phantom's tests; crops of it are imaged, not whole studies."""

from __future__ import annotations

import pytest

from neuraxis_phantom.head import Head
from neuraxis_phantom.lesions import CASES
from neuraxis_phantom.place import PlacedLesion, build_head


@pytest.fixture(scope="session")
def capnon_head() -> tuple[Head, PlacedLesion]:
    """The head of the CAPNON case with its lesion settled in it."""
    return build_head(CASES["capnon"], 0)
