"""Which samples a step holds: endless shuffled epochs, shared out over processes, from (seed, step) alone."""

from __future__ import annotations

import threading

import numpy as np

from geco.errors import ConfigError
from geco.noise import stream
from geco.types import Longs


class Order:
    """Places in an endless run through ``count`` items: every epoch is a fresh permutation.

    A batch that reaches over the end of an epoch goes on in the next one's permutation, so no batch is
    smaller than the others.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._kept: dict[tuple[int, int], Longs] = {}
        self._lock = threading.Lock()

    def items(self, seed: int, step: int, size: int, rank: int = 0, world: int = 1) -> Longs:
        """(size / world,) indices of the items that process ``rank`` of ``world`` sees in ``step``."""
        places = step * size + np.arange(size)[share(size, rank, world)]
        return np.array(
            [self._permutation(seed, int(place) // self.count)[int(place) % self.count] for place in places],
            np.int64,
        )

    def _permutation(self, seed: int, epoch: int) -> Longs:
        with self._lock:  # prefetching threads may stand on either side of an epoch's end
            if (seed, epoch) not in self._kept:
                while len(self._kept) >= 2:
                    self._kept.pop(next(iter(self._kept)))
                self._kept[seed, epoch] = stream(seed, "order", epoch).permutation(self.count)
            return self._kept[seed, epoch]


def share(size: int, rank: int, world: int) -> slice:
    """The part of a global batch that is process ``rank``'s; the parts joined in the order of ranks are the
    batch.

    Raises:
        ConfigError: ``size`` does not divide evenly (a mean over uneven parts would weigh samples
            differently), or no such rank.
    """
    if not 0 <= rank < world:
        raise ConfigError(f"rank {rank} is not among {world} processes", "Ranks count from 0.")
    if size % world:
        raise ConfigError(
            f"a batch of {size} cannot be shared evenly by {world} processes",
            f"Choose a batch that is a multiple of {world}.",
        )
    part = size // world
    return slice(rank * part, (rank + 1) * part)


def sample_rng(seed: int, place: int) -> np.random.Generator:
    """Random numbers of the sample at one place of the run: the same whichever process makes it,
    and whenever.
    """
    return stream(seed, "sample", place)
