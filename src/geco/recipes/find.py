"""A recipe by its name, or from a user's own file."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Mapping
from pathlib import Path

from geco.errors import ConfigError
from geco.recipes.cards import card12, card24, card80
from geco.recipes.cluster import cluster
from geco.recipes.few_step import few_step
from geco.recipes.paper import paper
from geco.recipes.recipe import Recipe
from geco.recipes.small import small, small_gpu
from geco.recipes.tiny import tiny

# By name, in the order of the help; the first line of each one's docstring says what it is.
RECIPES: Mapping[str, Callable[[], Recipe]] = {
    "small": small,
    "small-gpu": small_gpu,
    "tiny": tiny,
    "card12": card12,
    "card24": card24,
    "paper": paper,
    "card80": card80,
    "cluster": cluster,
    "few-step": few_step,
}


def find_recipe(name: str) -> Recipe:
    """One of :data:`RECIPES`, or a Python file with a function ``recipe()`` that returns a :class:`Recipe`.

    Raises:
        ConfigError: there is none of that name, or the file does not hold one.
    """
    if name in RECIPES:
        return RECIPES[name]()
    path = Path(name)
    if path.suffix == ".py" and path.is_file():
        found = runpy.run_path(str(path)).get("recipe")
        made = found() if callable(found) else None
        if isinstance(made, Recipe):
            return made
        raise ConfigError(
            f"{path} has no function recipe() that returns a Recipe", "See geco/recipes/small.py for one."
        )
    raise ConfigError(
        f"no recipe is called {name!r}", f"Known: {', '.join(RECIPES)}, or a file ending in .py."
    )
