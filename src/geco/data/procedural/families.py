"""The kinds of procedural objects and how often each is made."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from geco.data.procedural import (
    craft,
    creatures,
    food,
    furniture,
    household,
    ornaments,
    places,
    plants,
    vehicles,
    vessels,
    wings_and_fins,
)
from geco.data.procedural.assembly import Assembly
from geco.mesh.types import Mesh

# How often, relative to the others; abstract shapes (stack, column, knot) are kept, since they show what no
# real class does.
FAMILIES: dict[Callable[[Assembly], None], float] = {
    vessels.vessel: 7,
    vessels.teapot: 2,
    vessels.bottle: 4,
    furniture.chair: 6,
    furniture.table: 4,
    furniture.cabinet: 4,
    furniture.lamp: 4,
    household.gadget: 6,
    household.bag: 3,
    household.tool: 4,
    vehicles.car: 7,
    vehicles.train: 2,
    craft.plane: 4,
    craft.boat: 3,
    craft.rocket: 2,
    vehicles.bicycle: 1,
    creatures.quadruped: 8,
    creatures.biped: 8,
    wings_and_fins.bird: 4,
    wings_and_fins.fish: 3,
    wings_and_fins.insect: 3,
    creatures.snowman: 2,
    places.house: 5,
    places.tower: 4,
    places.fence: 3,
    plants.plant: 7,
    food.cake: 3,
    food.snack: 4,
    ornaments.stack: 6,
    ornaments.blocks: 3,
    ornaments.column: 3,
    ornaments.knot: 2,
    ornaments.trophy: 3,
}
_STRETCH = 0.1  # standard deviation of the logarithm: slim and stout ones of every kind


def make_object(seed: int) -> Mesh:
    """One object; the same seed gives the same bytes in every process.

    Args:
        seed: 0 or larger.

    Returns:
        A mesh with normals, UVs and a 512 x 512 texture, in the world (z up, its front on +x), normalised as
        every object of the data room is: bounding box centred, farthest vertex at ``BOUNDING_RADIUS``. It is
        a union of closed pieces that overlap.
    """
    assembly = Assembly(np.random.default_rng(seed))
    _choose(assembly.rng)(assembly)
    assembly.stretch(*np.exp(assembly.rng.normal(0.0, _STRETCH, 3)))
    return assembly.mesh()


def family_of(seed: int) -> str:
    """The name of the kind of object that :func:`make_object` makes of a seed."""
    return _choose(Assembly(np.random.default_rng(seed)).rng).__name__


def _choose(rng: np.random.Generator) -> Callable[[Assembly], None]:
    weights = np.array(list(FAMILIES.values()))
    return list(FAMILIES)[int(rng.choice(len(weights), p=weights / weights.sum()))]
