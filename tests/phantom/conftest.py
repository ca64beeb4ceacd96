"""One head shared by the phantom's tests; crops of it are imaged, not whole studies."""

from __future__ import annotations

import pytest

from neuraxis_phantom.anatomy import Anatomy, Scene
from neuraxis_phantom.head import Head
from neuraxis_phantom.lesions import CASES
from neuraxis_phantom.place import PlacedLesion
from neuraxis_phantom.scene import build_scene


@pytest.fixture(scope="session")
def anatomy() -> Anatomy:
    """The head of seed 0 without a lesion."""
    return Anatomy(0, keep=True)


@pytest.fixture(scope="session")
def capnon_scene(anatomy: Anatomy) -> Scene:
    """The CAPNON case with its lesion settled in the head."""
    return build_scene(CASES["capnon"], 0, anatomy)


@pytest.fixture(scope="session")
def capnon_head(capnon_scene: Scene) -> tuple[Head, PlacedLesion]:
    """Head and lesion of the CAPNON case."""
    return capnon_scene.head, capnon_scene.placed
