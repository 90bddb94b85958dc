"""Condition pictures, alone (Stage I) or each with its six views (a teacher, regressors)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from geco.data.dataset.augment import Augmentation
from geco.data.dataset.batches import ConditionBatch, SixViewBatch, stack
from geco.data.dataset.needs import family, of_family
from geco.data.dataset.order import Order, sample_rng, share
from geco.data.dataset.pictures import Pictures
from geco.data.shards import Shards
from geco.types import Bytes

PAIR = 7  # pictures of a pair: the condition view, then its six targets
PAIR_FAMILIES = ("pairs", "pairs-instantmesh")
CONDITION_FAMILIES = ("condition", "condition-instantmesh", *PAIR_FAMILIES)


class _Places:
    """What both datasets share: the shards, their decoded pictures, and one item for every
    (object, place in a set).
    """

    def __init__(
        self,
        folder: str | Path,
        augmentation: Augmentation | None,
        memory: int,
        stage: str,
        families: Sequence[str],
        wanted: str,
    ) -> None:
        self.shards = Shards(folder)
        self.pictures = Pictures(self.shards, memory)
        self.augmentation = augmentation or Augmentation()
        sets = of_family(self.shards, stage, families, wanted)
        steps = {name: PAIR if family(name) in PAIR_FAMILIES else 1 for name in sets}
        self.places = [
            (name, index) for name in sets for index in range(0, self.shards.sets[name], steps[name])
        ]
        self.order = Order(len(self))

    def __len__(self) -> int:
        return len(self.shards.objects) * len(self.places)

    def _items(
        self, seed: int, step: int, size: int, rank: int, world: int
    ) -> Iterator[tuple[int, int, np.random.Generator]]:
        """(number of the object, of the place, random numbers) of each sample of this process."""
        first = step * size + share(size, rank, world).start
        for place, item in enumerate(self.order.items(seed, step, size, rank, world), first):
            yield *divmod(int(item), len(self.places)), sample_rng(seed, place)


class ConditionPictures(_Places):
    """Every condition picture of every object once an epoch.

    Reads all sets ``condition[-N]`` and ``condition-instantmesh[-N]``, and the condition views of
    ``pairs-N``.

    Args:
        folder: finished shards.
        augmentation: drawn anew for each sample.
        memory: bytes of decoded pictures to keep.

    Raises:
        MissingViewsError: the shards have none of these sets.
    """

    def __init__(self, folder: str | Path, augmentation: Augmentation | None = None, memory: int = 0) -> None:
        super().__init__(folder, augmentation, memory, "Stage I", CONDITION_FAMILIES, "condition")

    def picture(self, item: int) -> Bytes:
        """(S, S, 4) uint8: item 0 to ``len(self) - 1``, objects in the shards' order; not augmented."""
        number, place = divmod(item, len(self.places))
        name, index = self.places[place]
        return self.pictures.get(self.shards.objects[number], name, [index])[0]

    def batch(self, seed: int, step: int, size: int, rank: int = 0, world: int = 1) -> ConditionBatch:
        """Process ``rank``'s part of step ``step``'s batch of ``size``; depends on the arguments only."""
        samples = []
        for number, picture, rng in self._items(seed, step, size, rank, world):
            key, (name, index) = self.shards.objects[number], self.places[picture]
            c2w, lenses = self.pictures.cameras(key, name)
            seen = self.pictures.get(key, name, [index])[0]
            rgba, lens, background = self.augmentation.condition(seen, lenses[index], rng)
            samples.append((rgba, background, c2w[index], lens, number, picture))
        return stack(ConditionBatch, samples)


class PairedViews(_Places):
    """Every pair of every object once an epoch: sets ``pairs-N`` and ``pairs-instantmesh-N``.

    Arguments and errors as for :class:`ConditionPictures`.
    """

    def __init__(self, folder: str | Path, augmentation: Augmentation | None = None, memory: int = 0) -> None:
        super().__init__(folder, augmentation, memory, "training on six views", PAIR_FAMILIES, "pairs-6")

    def batch(self, seed: int, step: int, size: int, rank: int = 0, world: int = 1) -> SixViewBatch:
        """Process ``rank``'s part of step ``step``'s batch of ``size``; depends on the arguments only."""
        samples = []
        for number, picture, rng in self._items(seed, step, size, rank, world):
            key, (name, index) = self.shards.objects[number], self.places[picture]
            pair = slice(index, index + PAIR)
            c2w, lenses = (values[pair].copy() for values in self.pictures.cameras(key, name))
            views = self.pictures.get(key, name, range(index, index + PAIR))
            rgba, lenses[0], behind = self.augmentation.condition(views[0], lenses[0], rng)
            samples.append(
                (rgba, views[1:], np.stack([behind, self.augmentation.others(behind)]), c2w, lenses, number)
            )
        return stack(SixViewBatch, samples)
