"""A recipe by its name, or from a user's own file."""

from __future__ import annotations

import runpy
from pathlib import Path

from geco.errors import ConfigError
from geco.recipes.paper import paper
from geco.recipes.recipe import Recipe
from geco.recipes.small import small, small_gpu
from geco.recipes.tiny import tiny


def find_recipe(name: str) -> Recipe:
    """ "small", "small-gpu", "tiny" or "paper", or a Python file with a function ``recipe()`` that returns a
    :class:`Recipe`.

    Raises:
        ConfigError: there is none of that name, or the file does not hold one.
    """
    known = {"small": small, "small-gpu": small_gpu, "tiny": tiny, "paper": paper}
    if name in known:
        return known[name]()
    path = Path(name)
    if path.suffix == ".py" and path.is_file():
        found = runpy.run_path(str(path)).get("recipe")
        made = found() if callable(found) else None
        if isinstance(made, Recipe):
            return made
        raise ConfigError(
            f"{path} has no function recipe() that returns a Recipe", "See geco/recipes/small.py for one."
        )
    raise ConfigError(f"no recipe is called {name!r}", f"Known: {', '.join(known)}, or a file ending in .py.")
