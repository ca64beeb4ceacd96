"""Figures of Neuraxis: recipes, panels, layout, export and report."""

from __future__ import annotations

from neuraxis.figures.figure import Figure, draw_figure
from neuraxis.figures.from_legend import recipe_at_point, recipe_from_legend
from neuraxis.figures.pictures import picture_panel
from neuraxis.figures.recipe import Recipe
from neuraxis.figures.recipe_file import RecipeError, read_recipe, recipe_schema, write_recipe
from neuraxis.figures.report import write_report

__all__ = [
    "Figure", "Recipe", "RecipeError", "draw_figure", "picture_panel", "read_recipe", "recipe_at_point", "recipe_from_legend", "recipe_schema",
    "write_recipe", "write_report",
]
