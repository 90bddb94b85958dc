"""Six input views with views from random places, their depth and cameras: a reconstructor's and
Stage II's batches.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from geco.cameras import ZERO123PLUS_V12
from geco.data.dataset.augment import Augmentation
from geco.data.dataset.batches import RandomViewBatch, stack
from geco.data.dataset.conditions import PAIR, PAIR_FAMILIES
from geco.data.dataset.needs import family, of_family, require
from geco.data.dataset.order import Order, sample_rng, share
from geco.data.dataset.pictures import Pictures
from geco.data.shards import Shards
from geco.errors import ConfigError
from geco.types import Floats

FIXED_INPUTS = "zero123plus-v1.2"


class RandomViews:
    """Every object once an epoch, with ``views`` different ones of its ``random-N`` pictures.

    The inputs are a pair's six targets where the shards have ``pairs-N`` (then the condition picture comes
    along, and the world is turned so that the condition camera stands at azimuth 0), else the set
    ``zero123plus-v1.2``.

    Raises:
        MissingViewsError: no ``random-N``, neither kind of inputs, or no depth.
        ConfigError: ``views`` is more than there are.
    """

    def __init__(
        self, folder: str | Path, views: int = 4, augmentation: Augmentation | None = None, memory: int = 0
    ) -> None:
        self.shards = Shards(folder)
        self.pictures = Pictures(self.shards, memory)
        self.augmentation = augmentation or Augmentation()
        stage = "a reconstructor"
        self.random = of_family(self.shards, stage, ["random"], "random-16")[0]
        require(self.shards, stage, [self.random], ("rgba", "depth"))
        pairs = [name for name in self.shards.sets if family(name) in PAIR_FAMILIES]
        if not pairs:
            require(self.shards, stage, [FIXED_INPUTS])
        self.places = [(name, index) for name in pairs for index in range(0, self.shards.sets[name], PAIR)]
        if not 1 <= views <= self.shards.sets[self.random]:
            raise ConfigError(
                f"{views} views of the {self.shards.sets[self.random]} in {self.random!r}",
                "Ask for fewer, or render more.",
            )
        self.views = views
        self.order = Order(len(self))

    def __len__(self) -> int:
        return len(self.shards.objects)

    def batch(self, seed: int, step: int, size: int, rank: int = 0, world: int = 1) -> RandomViewBatch:
        """Process ``rank``'s part of step ``step``'s batch of ``size``; depends on the arguments only."""
        items = self.order.items(seed, step, size, rank, world)
        first = step * size + share(size, rank, world).start
        return stack(
            RandomViewBatch,
            [self._sample(int(item), sample_rng(seed, place)) for place, item in enumerate(items, first)],
        )

    def _sample(self, number: int, rng: np.random.Generator) -> tuple[object, ...]:
        key = self.shards.objects[number]
        chosen = rng.choice(self.shards.sets[self.random], self.views, replace=False)
        name, index = self.places[rng.integers(len(self.places))] if self.places else (FIXED_INPUTS, -1)
        inputs = np.arange(index + 1, index + PAIR)
        input_c2w, input_lenses = (values[inputs] for values in self.pictures.cameras(key, name))
        c2w, lenses = (values[chosen] for values in self.pictures.cameras(key, self.random))
        condition, behind = np.zeros((0, 0, 4), np.uint8), np.ones(3, np.float32)
        if self.places:
            taken = self.pictures.get(key, name, [index])[0]
            condition, _, behind = self.augmentation.condition(
                taken, self.pictures.cameras(key, name)[1][index], rng
            )
            turn = _turn(-azimuth_of_input(input_c2w))
            input_c2w, c2w = turn @ input_c2w, turn @ c2w
        return (
            self.pictures.get(key, name, inputs),
            condition,
            self.pictures.get(key, self.random, chosen),
            self.pictures.get(key, self.random, chosen, "depth")[..., 0],
            np.stack([behind, self.augmentation.others(behind)]),
            c2w,
            lenses,
            input_c2w,
            input_lenses,
            number,
        )


def azimuth_of_input(targets: Floats) -> float:
    """Degrees; where the input of six targets (6, 4, 4) stands. Read off a target: the input's
    camera may stand at a pole.
    """
    x, y = targets[0, :2, 3]
    return float(np.degrees(np.arctan2(y, x)) - ZERO123PLUS_V12.azimuths[0])


def _turn(degrees: float) -> Floats:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], np.float32)
