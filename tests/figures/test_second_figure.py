"""FIG. 2: pictures composed into a figure, from the sample's synthetic ones and from the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from neuraxis.app.demo import write_second_figure
from neuraxis.app.picture_figures import no_study, picture_panels, recipe_of_pictures
from neuraxis.cli import app
from neuraxis.errors import ReadError, UsageError
from neuraxis.figures import draw_figure, read_recipe
from neuraxis.figures.recipe import PlaceholderPanel
from neuraxis.figures.scene import Polygon, Text
from neuraxis_phantom import histology

LEGEND = (
    "FIG. 1. (a) Axial CT. FIG. 2. Photomicrographs, H&E stain. (a) Nodule, original magnification x40. "
    "(b) Rim of palisading cells, x100. (c) Calcification, x100."
)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for name, size in (("a.png", (400, 300)), ("b.png", (400, 300)), ("c.jpg", (300, 300))):
        Image.fromarray(np.full((size[1], size[0], 3), 180, np.uint8)).save(tmp_path / name)
    return tmp_path


def test_three_synthetic_pictures_make_a_figure_that_says_what_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(histology, "SIZE_PX", (90, 120))
    files = write_second_figure(tmp_path)
    assert [f.name for f in files] == ["figure2.png", "figure2.pdf", "figure2.recipe.yaml"]
    recipe = read_recipe(files[2])
    figure = draw_figure(recipe, no_study(), folder=tmp_path)
    texts = [i.text for i in figure.scene.items if isinstance(i, Text)]
    assert [t for t in texts if "synthetic" in t] == ["synthetic ×40", "synthetic ×100", "synthetic ×100"]
    assert "no tissue" in recipe.caption
    assert figure.to_bytes(".png") == files[0].read_bytes()
    with Image.open(tmp_path / "histology" / "synthetic_he_x40.png") as picture:
        assert "synthetic" in picture.info["Description"]
    with Image.open(files[0]) as picture:
        assert picture.size == (2055, figure.page.height_px)


def test_the_same_seed_draws_the_same_nodule_at_every_magnification(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histology, "SIZE_PX", (60, 80))
    view = histology.VIEWS[1]
    assert np.array_equal(histology.draw_view(view), histology.draw_view(view))
    assert not np.array_equal(histology.draw_view(view), histology.draw_view(view, seed=1))
    # one place seen twice: the mean colour of the small field is that of its part of the large one
    near = histology.View("near", "", (700.0, 300.0), 0.5)
    far = histology.View("far", "", (700.0, 300.0), 2.0)
    part = histology.draw_view(far)[22:38, 30:50].reshape(-1, 3).mean(axis=0)
    assert histology.draw_view(near).reshape(-1, 3).mean(axis=0) == pytest.approx(part, abs=12)


def test_pictures_named_on_the_command_line_become_the_legends_second_figure(pictures: Path) -> None:
    (pictures / "legend.txt").write_text(LEGEND)
    out = pictures / "fig2.png"
    app(
        ["figure", "--legend", str(pictures / "legend.txt"), "--picture", f"a={pictures / 'a.png'}@1.6", "--picture",
         f"b={pictures / 'b.png'}", "-o", str(out)], standalone_mode=False,
    )
    recipe = read_recipe(pictures / "fig2.recipe.yaml")
    assert [p.letter for p in recipe.panels] == ["a", "b", "c"]
    assert isinstance(recipe.panels[2], PlaceholderPanel)
    assert recipe.caption.startswith("FIG. 2.")
    figure = draw_figure(recipe, no_study(), folder=pictures)
    assert figure.to_bytes(".png") == out.read_bytes()
    bar = next(i for i in figure.scene.of_panel("a") if isinstance(i, Polygon))
    left, _, right, _ = bar.box_mm()
    # 400 pixels of 1.6 um are 640 um wide: the longest bar below 30 % is 100 um
    assert right - left == pytest.approx(figure.page.boxes["a"].width_mm * 100 / 640)
    # the recipe alone draws it again, without a study
    again = pictures / "again.png"
    app(["figure", "--recipe", str(pictures / "fig2.recipe.yaml"), "-o", str(again)], standalone_mode=False)
    assert again.read_bytes() == out.read_bytes()


def test_a_wrong_picture_argument_says_what_is_wanted(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(UsageError, match="LABEL=FILE"):
        picture_panels(["a.png"], pictures)
    with pytest.raises(ReadError, match=r"nothing\.png"):
        picture_panels(["a=nothing.png"], pictures)
    with pytest.raises(UsageError, match="lies outside the folder of the recipe"):
        picture_panels([f"a={pictures / 'a.png'}"], tmp_path_factory.mktemp("other"))
    with pytest.raises(UsageError, match="at most 10000"):
        picture_panels([f"a={pictures / 'a.png'}@-3"], pictures)
    with pytest.raises(UsageError, match=r"no figure with pictures z.*a, b, c"):
        recipe_of_pictures(LEGEND, picture_panels([f"z={pictures / 'a.png'}"], pictures))
