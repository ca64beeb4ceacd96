"""The teaching page: embedded voxels are the voxels, nothing is fetched, all of it can be operated without a mouse."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.figures.figure_cases import SAGITTAL, arrow, panel, plane, reference
from tests.figures.phantom_head import FRAME_MR, head, series_of, study_of

from neuraxis.domain.study import Role
from neuraxis.figures import Recipe, draw_figure
from neuraxis.figures.privacy import PrivacyError
from neuraxis.figures.recipe import PlaceholderPanel
from neuraxis.figures.sampling import PixelGrid, sample_grid

HOSTILE = "</script><script>alert(1)</script>\" onload=x"


@pytest.fixture(scope="module")
def page() -> str:
    ct, mr = head(), head(hu=False, frame=FRAME_MR, series_id="t2", lesion_value=60.0)
    small = plane(field=(60.0, 60.0))
    recipe = Recipe(
        panels=(
            panel(ct, "a", plane=small, marks=(arrow(),)),
            panel(mr, "b", plane=plane(field=(60.0, 60.0), frame=FRAME_MR), series=reference(mr, "T2"), text="<i>T2"),
            PlaceholderPanel(letter="c", reason=HOSTILE),
        ),
        caption=f"Legend {HOSTILE}", width_mm=174,
    )
    study = study_of(series_of(ct, Role.CT), series_of(mr, Role.T2, modality="MR"))
    return draw_figure(recipe, study).to_bytes(".html").decode("utf-8")


def stacks(page: str) -> list[tuple[dict[str, Any], NDArray[np.int16]]]:
    found = []
    pattern = r'class="settings">(.*?)</script>\s*<script type="text/plain" class="stack">(.*?)</script>'
    for settings_text, stack in re.findall(pattern, page, re.S):
        settings = json.loads(settings_text)
        packed = np.frombuffer(zlib.decompress(base64.b64decode(stack)), dtype=np.uint8)
        low, high = packed.reshape(2, -1).astype(np.uint16)
        values = (low | (high << 8)).view(np.int16)
        found.append((settings, values.reshape(len(settings["offsets"]), settings["rows"], settings["columns"])))
    return found


def test_the_stack_holds_the_voxels_of_the_planes_around_the_panel(page: str) -> None:
    settings, stored = stacks(page)[0]
    assert settings["slope"] == 1.0
    assert settings["offsets"][settings["home"]] == 0.0
    volume = head()
    for index in (0, settings["home"], len(settings["offsets"]) - 1):
        offset = settings["offsets"][index]
        # right x down of an axial plane points to the head
        spec = plane(field=(60.0, 60.0), centre=(-20.0, 10.0, 5.0 + offset))
        expected = sample_grid(volume, PixelGrid(spec, settings["columns"], settings["rows"]))
        assert np.abs(stored[index] - expected).max() <= 0.5


def test_signal_without_a_scale_is_kept_to_a_fraction_of_the_window(page: str) -> None:
    settings, stored = stacks(page)[1]
    values = stored[settings["home"]] * settings["slope"] + settings["intercept"]
    expected = sample_grid(
        head(hu=False, frame=FRAME_MR, series_id="t2", lesion_value=60.0),
        PixelGrid(plane(field=(60.0, 60.0), frame=FRAME_MR), settings["columns"], settings["rows"]),
    )
    assert np.abs(values - expected).max() <= settings["windows"][0]["width"] / 500


def test_ct_offers_the_presets_and_the_figures_own_window_first(page: str) -> None:
    names = [w["name"] for w in stacks(page)[0][0]["windows"]]
    assert names[0] == "figure: W 80 L 40"
    assert "bone W 2000 L 500" in names


def test_nothing_is_fetched_and_only_our_script_may_run(page: str) -> None:
    assert not re.search(r"(?:src|href)=\"(?!data:)[^\"]*\"", page.replace("xmlns:xlink", ""))
    scripts = re.findall(r"<script>(.*?)</script>", page, re.S)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
    assert "alert(1)</script>" not in page
    assert "<i>T2" not in page
    assert not re.search(r"\bhttps?://(?!www\.w3\.org/)", page)


def test_every_control_has_a_name_and_marks_can_be_hidden(page: str) -> None:
    ids = set(re.findall(r' id="([^"]+)"', page))
    assert len(ids) == len(re.findall(r' id="([^"]+)"', page))
    for target in re.findall(r'<label for="([^"]+)"', page) + re.findall(r'aria-labelledby="([^"]+)"', page):
        assert target in ids
    controls = re.findall(r'<(?:input|select)[^>]* id="([^"]+)"', page)
    assert len(controls) == 4
    assert all(f'<label for="{c}"' in page for c in controls)
    assert page.count("<canvas tabindex=\"0\" role=\"img\" aria-label=") == 2
    assert 'aria-live="polite"' in page
    marks = re.findall(r'<g class="marks">(.*?)</g>', page, re.S)
    assert 'data-name="arrow"' in marks[0]
    assert not marks[1]


def test_a_stack_that_would_pass_the_face_is_refused() -> None:
    volume = head(nose=True)
    beside = plane("sagittal", SAGITTAL, (230.0, 150.0), centre=(20.0, 0.0, 0.0))
    recipe = Recipe(panels=(panel(volume, plane=beside),), width_mm=84)
    figure = draw_figure(recipe, study_of(series_of(volume, Role.CT)))
    with pytest.raises(PrivacyError, match="full_face"):
        figure.to_bytes(".html")
