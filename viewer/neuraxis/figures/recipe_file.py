"""Recipes as YAML files: reading with messages that name key, value and what is allowed; writing; JSON schema."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from neuraxis.errors import ReadError, UsageError
from neuraxis.figures.recipe import RECIPE_VERSION, Recipe
from neuraxis.output import write_text

MAXIMUM_RECIPE_BYTES = 2_000_000
"""A recipe is written by hand or by the program; anything larger is not one."""


class RecipeError(UsageError):
    """A recipe that cannot be used: `key` names the place in the file."""

    def __init__(self, found: str, *, key: str = "", expected: str = "", remedy: str = "") -> None:
        super().__init__(found, expected=expected, remedy=remedy)
        self.key = key


def recipe_schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of recipe files."""
    schema = Recipe.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = f"Neuraxis figure recipe, version {RECIPE_VERSION}"
    return schema


def dump_recipe(recipe: Recipe) -> str:
    """The recipe as YAML text; the same recipe gives the same text."""
    import yaml

    data = recipe.model_dump(mode="json", exclude_none=True)
    if not data["layout"]:
        del data["layout"]
    text: str = yaml.dump(
        data, Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=110, default_flow_style=None
    )
    return f"# Neuraxis figure recipe. For teaching and research; not a medical device.\n{text}"


def write_recipe(recipe: Recipe, path: str | Path) -> Path:
    """Write the recipe as YAML; WriteError when that is impossible, nothing half-written left."""
    write_text(Path(path), dump_recipe(recipe))
    return Path(path)


def read_recipe(path: str | Path) -> Recipe:
    """The recipe in a YAML file.

    Raises
    ------
    ReadError
        When the file cannot be read.
    RecipeError
        When its content is no recipe; the message names the key, the value and what is allowed.
    """
    file = Path(path)
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAXIMUM_RECIPE_BYTES + 1)
    except OSError as error:
        raise ReadError(
            f"recipe {file.name!r} cannot be read: {error.strerror or error}", remedy="check the path and its rights"
        ) from None
    if len(raw) > MAXIMUM_RECIPE_BYTES:
        raise RecipeError(
            f"recipe {file.name!r} is larger than {MAXIMUM_RECIPE_BYTES // 1000} kB", expected="a YAML recipe",
            remedy="give the recipe file, not a picture or a volume",
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError(
            f"recipe {file.name!r} is not UTF-8 text (byte {error.start})", expected="a YAML file in UTF-8"
        ) from None
    return parse_recipe(text)


def parse_recipe(text: str) -> Recipe:
    """The recipe in a YAML text; RecipeError as in `read_recipe`."""
    data = _yaml(text)
    if not isinstance(data, dict):
        kind = "nothing" if data is None else f"a {type(data).__name__}"
        raise RecipeError(
            f"the recipe holds {kind}", expected="keys such as neuraxis_recipe, width_mm, panels",
            remedy="start from a recipe that `neuraxis figure` wrote",
        )
    version = data.get("neuraxis_recipe")
    if version is None:
        raise RecipeError(
            "neuraxis_recipe is missing", key="neuraxis_recipe", expected=f"neuraxis_recipe: {RECIPE_VERSION}",
            remedy="add the line, or give a file that `neuraxis figure` wrote",
        )
    if version != RECIPE_VERSION or isinstance(version, bool):
        raise RecipeError(
            f"neuraxis_recipe is {_shown(version)}", key="neuraxis_recipe",
            expected=f"version {RECIPE_VERSION}", remedy="use the version of neuraxis that wrote it",
        )
    return recipe_from_data(data)


def recipe_from_data(data: dict[str, Any]) -> Recipe:
    """A recipe from plain values; RecipeError that names each wrong key."""
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        raise _translated(error) from None


def _yaml(text: str) -> Any:
    """Plain values of a YAML text, without aliases (they can blow up a small file) and double keys."""
    import yaml

    class Loader(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.events.AliasEvent):
                event: Any = self.peek_event()  # type: ignore[no-untyped-call]
                raise yaml.MarkedYAMLError(problem="aliases (*name) are not allowed", problem_mark=event.start_mark)
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            seen: set[str] = set()
            for key_node, _ in node.value:
                if key_node.value in seen if isinstance(key_node.value, str) else False:
                    raise yaml.MarkedYAMLError(
                        problem=f"key {key_node.value!r} stands twice", problem_mark=key_node.start_mark
                    )
                seen.add(str(key_node.value))
            return dict(super().construct_mapping(node, deep))

    try:
        return yaml.load(text, Loader=Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        raise RecipeError(f"the recipe is no YAML{where}: {error.problem}", expected="valid YAML") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error).splitlines()[0]
        raise RecipeError(f"the recipe is no YAML: {reason}", expected="valid YAML") from None


def _dumper() -> Any:
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, _data: Any) -> bool:
            return True

    return Dumper


_KINDS = ("volume", "picture", "placeholder")
_SINGLE_MESSAGE = {
    "missing": "a value: this key is required",
    "finite_number": "a finite number",
    "string_type": "text (put it in quotes)",
    "float_type": "a number", "float_parsing": "a number", "int_type": "a whole number",
    "int_parsing": "a whole number", "int_from_float": "a whole number", "bool_type": "true or false",
    "bool_parsing": "true or false", "tuple_type": "a list", "model_type": "keys and values",
    "model_attributes_type": "keys and values", "dict_type": "keys and values",
}


def _translated(error: ValidationError) -> RecipeError:
    """One message for all that is wrong, the first in full."""
    found = []
    for item in error.errors(include_url=False):
        key = _key_path(item["loc"])
        found.append((key, *_found_and_expected(key, item)))
    key, first, expected = found[0]
    more = [f"{other}" for _, other, _ in found[1:6]]
    remedy = "correct the recipe"
    if more:
        rest = f" and {len(found) - 6} more" if len(found) > 6 else ""
        remedy += f"; also wrong: {'; '.join(more)}{rest}"
    return RecipeError(first, key=key, expected=expected, remedy=remedy)


def _found_and_expected(key: str, item: Any) -> tuple[str, str]:
    kind, value, context = item["type"], item.get("input"), item.get("ctx") or {}
    if kind == "missing":
        return f"{key} is missing", _SINGLE_MESSAGE[kind]
    if kind == "extra_forbidden":
        known = _known_keys(item["loc"])
        name = str(item["loc"][-1])
        near = difflib.get_close_matches(name, known, 1)
        hint = f"{near[0]} (did you mean that?), or one of: " if near else "one of: "
        return f"{key} is not a key of a recipe (value {_shown(value)})", hint + ", ".join(known)
    if kind == "value_error":
        message = str(context.get("error", item["msg"]))
        place = key or "the recipe"
        return (f"{place}: {message}" if isinstance(value, dict) else f"{place} is {_shown(value)}"), message
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        shown = _shown(value.get("kind")) if isinstance(value, dict) and "kind" in value else "missing"
        return f"{key}.kind is {shown}", f"one of: {', '.join(_KINDS)}"
    return f"{key} is {_shown(value)}", _expected(kind, context, item["msg"])


def _expected(kind: str, context: dict[str, Any], message: str) -> str:
    if kind in _SINGLE_MESSAGE:
        return _SINGLE_MESSAGE[kind]
    if kind == "literal_error":
        return f"one of: {context['expected']}"
    bounds = {
        "greater_than": ("a number above {gt}",), "greater_than_equal": ("a number of at least {ge}",),
        "less_than": ("a number below {lt}",), "less_than_equal": ("a number of at most {le}",),
        "too_short": ("at least {min_length} entries",), "too_long": ("at most {max_length} entries",),
        "string_too_short": ("at least {min_length} character",), "string_too_long": ("at most {max_length} characters",),
    }
    if kind in bounds:
        return bounds[kind][0].format(**context)
    if kind == "string_pattern_mismatch":
        return _pattern_in_words(str(context["pattern"]))
    return message


def _pattern_in_words(pattern: str) -> str:
    if "64}" in pattern and "a-f" in pattern:
        return "64 hexadecimal digits in lower case"
    if "0-9." in pattern:
        return "a DICOM UID: digits and dots, at most 64"
    if "white" in pattern:
        return "one of: white, black, yellow, cyan, magenta, or #rrggbb"
    return f"text that matches {pattern}"


def _key_path(location: tuple[Any, ...]) -> str:
    """'panels[2].window.width'; the tag of the chosen kind of panel is left out."""
    path = ""
    for index, part in enumerate(location):
        if isinstance(part, int):
            path += f"[{part}]"
        elif index == 2 and part in _KINDS and location[0] == "panels":
            continue
        else:
            path += f".{part}" if path else str(part)
    return path


def _known_keys(location: tuple[Any, ...]) -> list[str]:
    """The keys allowed where an unknown one stands: the models are walked along the path."""
    from neuraxis.figures import recipe as models

    model: type[BaseModel] = Recipe
    steps: dict[str, type[BaseModel]] = {
        "volume": models.VolumePanel, "picture": models.PicturePanel, "placeholder": models.PlaceholderPanel,
        "layout": models.Layout, "series": models.SeriesReference, "plane": models.PlaneSpec,
        "window": models.WindowSpec, "marks": models.Mark, "inset": models.Inset,
    }
    for part in location[:-1]:
        model = steps.get(part, model) if isinstance(part, str) else model
    return list(model.model_fields)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
