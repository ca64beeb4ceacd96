"""Recipe files: round trip, schema, and messages that name the key, the value and what is allowed."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.figures.figure_cases import arrow, one_panel, panel
from tests.figures.phantom_head import head

from neuraxis.errors import NeuraxisError, ReadError
from neuraxis.figures import Recipe, RecipeError, read_recipe, recipe_schema, write_recipe
from neuraxis.figures.recipe import PicturePanel, caption_literal
from neuraxis.figures.recipe_file import dump_recipe, parse_recipe

Edit = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def good() -> dict[str, Any]:
    recipe, _ = one_panel(head(), marks=(arrow(),))
    picture = PicturePanel(letter="b", file="he.png", microns_per_pixel=0.5, scale_bar_um=100)
    whole = recipe.model_copy(update={"panels": (*recipe.panels, picture)})
    data: dict[str, Any] = yaml.safe_load(dump_recipe(whole))
    return data


def test_a_recipe_survives_being_written_and_read(tmp_path: Path, good: dict[str, Any]) -> None:
    recipe = parse_recipe(yaml.safe_dump(good))
    again = read_recipe(write_recipe(recipe, tmp_path / "recipe.yaml"))
    assert again == recipe
    assert dump_recipe(again) == dump_recipe(recipe)


def test_the_schema_accepts_what_is_written_and_refuses_unknown_keys(good: dict[str, Any]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(recipe_schema())
    validator.validate(good)
    assert not validator.is_valid({**good, "colour": 1})


def put(*path: Any, value: Any) -> Edit:
    def edit(data: dict[str, Any]) -> None:
        target: Any = data
        for step in path[:-1]:
            target = target[step]
        target[path[-1]] = value

    return edit


def drop(*path: Any) -> Edit:
    def edit(data: dict[str, Any]) -> None:
        target: Any = data
        for step in path[:-1]:
            target = target[step]
        del target[path[-1]]

    return edit


P0 = ("panels", 0)
MALFORMED: list[tuple[Edit, str, str, str]] = [
    # edit, key, what is found, what is allowed
    (drop("neuraxis_recipe"), "neuraxis_recipe", "missing", "neuraxis_recipe: 1"),
    (put("neuraxis_recipe", value=2), "neuraxis_recipe", "2", "version 1"),
    (put("neuraxis_recipe", value="one"), "neuraxis_recipe", "'one'", "version 1"),
    (put("neuraxis_recipe", value=True), "neuraxis_recipe", "True", "version 1"),
    (drop("panels"), "panels", "missing", "required"),
    (put("panels", value=[]), "panels", "[]", "at least 1"),
    (put("panels", value="a"), "panels", "'a'", "a list"),
    (put("panels", value=[7]), "panels[0]", "7", "keys and values"),
    (put("width_mm", value=-3), "width_mm", "-3", "at least 30"),
    (put("width_mm", value=1000), "width_mm", "1000", "at most 400"),
    (put("width_mm", value="wide"), "width_mm", "'wide'", "a number"),
    (put("width_mm", value=float("nan")), "width_mm", "nan", "a finite number"),
    (put("width_mm", value=None), "width_mm", "None", "a number"),
    (put("widht_mm", value=84), "widht_mm", "not a key", "width_mm (did you mean that?)"),
    (put("dpi", value=30), "dpi", "30", "at least 72"),
    (put("dpi", value=300.5), "dpi", "300.5", "a whole number"),
    (put("dpi", value=99999), "dpi", "99999", "at most 1200"),
    (put("font_size_pt", value=1), "font_size_pt", "1", "at least 4"),
    (put("background", value="pink"), "background", "'pink'", "'white' or 'black'"),
    (put("layout", value={"columns": 0}), "layout.columns", "0", "at least 1"),
    (put("layout", value={"columns": 2, "rows": [["a", "b"]]}), "layout", "columns or rows", "not both"),
    (put("layout", value={"rows": [["a", "b"], []]}), "layout", "rows", "at least one"),
    (put("layout", value={"rows": [["a", "c"]]}), "the recipe", "rows hold a, c", "panels are a, b"),
    (put("layout", value={"gap": 1}), "layout.gap", "not a key", "gap_mm"),
    (put(*P0, "kind", value="movie"), "panels[0].kind", "'movie'", "volume, picture, placeholder"),
    (drop(*P0, "kind"), "panels[0].kind", "missing", "volume, picture, placeholder"),
    (drop(*P0, "letter"), "panels[0].letter", "missing", "required"),
    (put(*P0, "letter", value=1), "panels[0].letter", "1", "quotes"),
    (put(*P0, "letter", value=""), "panels[0].letter", "''", "at least 1 character"),
    (put(*P0, "letter", value="b"), "the recipe", "used twice: b", "different letters"),
    (drop(*P0, "series"), "panels[0].series", "missing", "required"),
    (put(*P0, "series", "series_uid", value="abc"), "panels[0].series.series_uid", "'abc'", "DICOM UID"),
    (put(*P0, "series", "pixel_sha256", value="12"), "panels[0].series.pixel_sha256", "'12'", "64 hexadecimal"),
    (put(*P0, "series", "number", value=3), "panels[0].series.number", "not a key", "series_uid"),
    (put(*P0, "plane", "name", value="axail"), "panels[0].plane.name", "'axail'", "'axial'"),
    (put(*P0, "plane", "centre_lps_mm", value=[1, 2]), "panels[0].plane.centre_lps_mm[2]", "missing", "required"),
    (put(*P0, "plane", "centre_lps_mm", value=[1, 2, "x"]), "panels[0].plane.centre_lps_mm[2]", "'x'", "a number"),
    (put(*P0, "plane", "centre_lps_mm", 0, value=float("inf")), "panels[0].plane.centre_lps_mm[0]", "inf", "finite"),
    (put(*P0, "plane", "right", value=[2, 0, 0]), "panels[0].plane", "2.0000", "unit vector"),
    (put(*P0, "plane", "down", value=[1, 0, 0]), "panels[0].plane", "1.0000", "perpendicular"),
    (put(*P0, "plane", "field_of_view_mm", value=[0, 10]), "panels[0].plane.field_of_view_mm[0]", "0", "above 0"),
    (put(*P0, "plane", "slab_mm", value=-1), "panels[0].plane.slab_mm", "-1", "at least 0"),
    (put(*P0, "plane", "projection", value="median"), "panels[0].plane.projection", "'median'", "'mean'"),
    (put(*P0, "plane", "frame_of_reference_uid", value="x y"), "panels[0].plane.frame_of_reference_uid", "x y", "UID"),
    (put(*P0, "interpolation", value="lanczos"), "panels[0].interpolation", "'lanczos'", "'linear'"),
    (put(*P0, "window", "width", value=0), "panels[0].window.width", "0", "above 0"),
    (put(*P0, "window", "width", value=0.5), "panels[0].window", "LINEAR", "at least 1"),
    (put(*P0, "window", "function", value="GAMMA"), "panels[0].window.function", "'GAMMA'", "'SIGMOID'"),
    (put(*P0, "window", "level", value=40), "panels[0].window.level", "not a key", "center"),
    (put(*P0, "window", value=None), "panels[0].window", "None", "keys and values"),
    (put(*P0, "marks", 0, "kind", value="box"), "panels[0].marks[0]", "a box needs", "sides_mm"),
    (put(*P0, "marks", 0, "kind", value="line"), "panels[0].marks[0]", "a line needs", "end_lps_mm"),
    (put(*P0, "marks", 0, "sides_mm", value=[5]), "panels[0].marks[0].sides_mm[1]", "missing", "required"),
    (put(*P0, "marks", 0, "sides_mm", value=[5, 0]), "panels[0].marks[0].sides_mm[1]", "0", "above 0"),
    (put(*P0, "marks", 0, "end_lps_mm", value=[5, 0, ".nan"]), "panels[0].marks[0].end_lps_mm[2]", "nan", "number"),
    (put(*P0, "marks", 0, "kind", value="cloud"), "panels[0].marks[0].kind", "'cloud'", "'arrow'"),
    (put(*P0, "marks", 0, "length_mm", value=0), "panels[0].marks[0].length_mm", "0", "above 0"),
    (put(*P0, "marks", 0, "color", value="red;"), "panels[0].marks[0].color", "'red;'", "#rrggbb"),
    (drop(*P0, "marks", 0, "anchor_lps_mm"), "panels[0].marks[0]", "anchor_lps_mm", "exactly one"),
    (put(*P0, "marks", 0, value={"kind": "text", "anchor_lps_mm": [0, 0, 0]}), "panels[0].marks[0]", "text", "needs text"),
    (put(*P0, "marks", 0, value={"kind": "circle", "anchor_lps_mm": [0, 0, 0]}), "panels[0].marks[0]", "circle", "radius_mm"),
    (put(*P0, "marks", 0, value={"kind": "arrow", "anchor_px": [0, 0]}), "panels[0]", "marks[0]", "anchor_lps_mm"),
    (put(*P0, "scale_bar_mm", value=400), "panels[0]", "400", "does not fit"),
    (put(*P0, "scale_bar_corner", value="left"), "panels[0].scale_bar_corner", "'left'", "'top-left'"),
    (put(*P0, "orientation_letters", value="maybe"), "panels[0].orientation_letters", "'maybe'", "true or false"),
    (put(*P0, "inset", value={"plane": "frontal"}), "panels[0].inset.plane", "'frontal'", "'sagittal'"),
    (put("panels", 1, "file", value="/etc/x.png"), "panels[1].file", "'/etc/x.png'", "relative to the recipe"),
    (put("panels", 1, "file", value="../x.png"), "panels[1].file", "'../x.png'", "relative to the recipe"),
    (put("panels", 1, "crop_px", value=[0, 0, 0, 5]), "panels[1].crop_px", "[0, 0, 0, 5]", "width and height from 1"),
    (drop("panels", 1, "microns_per_pixel"), "panels[1]", "scale_bar_um", "microns_per_pixel"),
    (put("panels", 1, "sha256", value="Z" * 64), "panels[1].sha256", "ZZZ", "64 hexadecimal"),
    (put("caption", value="of {size}"), "the recipe", "{size}", "known:"),
    (put("caption", value=["x"]), "caption", "['x']", "text"),
    (put("measurements", value=["x"]), "measurements", "['x']", "keys and values"),
    (put("privacy_overrides", value=["everything"]), "privacy_overrides[0]", "'everything'", "'full_face'"),
]


@pytest.mark.parametrize(("edit", "key", "found", "allowed"), MALFORMED, ids=range(len(MALFORMED)))
def test_a_malformed_recipe_is_refused_with_key_value_and_what_is_allowed(
    good: dict[str, Any], edit: Edit, key: str, found: str, allowed: str
) -> None:
    data = copy.deepcopy(good)
    edit(data)
    with pytest.raises(RecipeError) as caught:
        parse_recipe(yaml.safe_dump(data, sort_keys=False))
    message = str(caught.value)
    assert key in message
    assert found in message
    assert allowed in message
    assert "pydantic" not in message
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_the_list_of_malformed_recipes_is_long_enough_and_the_unedited_one_is_good(good: dict[str, Any]) -> None:
    assert len(MALFORMED) >= 50
    assert isinstance(parse_recipe(yaml.safe_dump(good)), Recipe)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds nothing"), ("- a\n- b", "holds a list"), ("a: [1, 2", "no YAML in line"),
        ("neuraxis_recipe: 1\nwidth_mm: 84\nwidth_mm: 90", r"line 3.*'width_mm' stands twice"),
        ("neuraxis_recipe: &a 1\nwidth_mm: *a", "aliases"), ("!!python/object/apply:os.system ['true']", "no YAML"),
        ("a\tb:\x00", "no YAML"), ("[" * 5000, "no YAML"), ("neuraxis_recipe: 2026-13-45", "no YAML|neuraxis_recipe"),
    ],
)
def test_text_that_is_no_recipe_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        parse_recipe(text)


def test_several_mistakes_are_told_at_once(good: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=r"width_mm is -1.*also wrong: dpi is 3"):
        parse_recipe(yaml.safe_dump({**good, "width_mm": -1, "dpi": 3}))


def test_files_that_are_missing_binary_or_huge_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="cannot be read"):
        read_recipe(tmp_path / "none.yaml")
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(RecipeError, match="not UTF-8"):
        read_recipe(tmp_path / "b.yaml")
    (tmp_path / "h.yaml").write_bytes(b"#" * 2_000_001)
    with pytest.raises(NeuraxisError, match="larger than 2000 kB"):
        read_recipe(tmp_path / "h.yaml")


def test_caption_fields_are_filled_and_braces_of_a_legend_stay() -> None:
    only = (panel(head()),)
    recipe = Recipe(panels=only, caption="Lesion of {long_axis}, {{sic}}", measurements={"long_axis": "4.1 ± 0.4 mm"})
    assert recipe.caption_text() == "Lesion of 4.1 ± 0.4 mm, {sic}"
    hostile = "{0.__class__} {{x}} {"
    assert Recipe(panels=only, caption=caption_literal(hostile)).caption_text() == hostile


def test_the_published_schema_is_that_of_the_program() -> None:
    published = Path(__file__).resolve().parents[2] / "docs" / "recipe.schema.json"
    assert json.loads(published.read_text(encoding="utf-8")) == recipe_schema(), (
        "write it anew: json.dumps(recipe_schema(), indent=1, sort_keys=True)"
    )
