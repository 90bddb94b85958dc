"""The one source of random numbers: a seed and names to a stream of its own, the same in every runtime.

    stream(seed, "views")              # the noise that a sample's views are made from
    stream(seed, "pairs", number)      # that of one pair of the pseudo ground truth

numpy draws, on the CPU and in float32, whatever computes afterwards: so a seed is a fact of the model, not of
the runtime or the device. Names keep streams apart that would otherwise have to be told by bare numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from geco.errors import ConfigError
from geco.types import Floats


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """The random numbers of ``seed`` for one purpose.

    Args:
        seed: 0 or more.
        names: what the numbers are for, and which of many; ``("views",)`` and ``("views", 0)`` are two
            streams.

    PCG64 over a SeedSequence (O'Neill's seed_seq as numpy has it), named here so that numpy's default may
    change.
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(_words(seed, names))))


def seed_of(seed: int, *names: str | int) -> int:
    """63 bits of :func:`stream`'s beginning, for libraries that want a seed of their own (torch's
    generators).
    """
    return int(np.random.SeedSequence(_words(seed, names)).generate_state(1, np.uint64)[0] >> np.uint64(1))


class Noise:
    """Standard normal numbers for a batch, one stream an item: what a stream gives does not depend on the
    others.

    A request for a multiple of ``len(streams)`` items (guidance asks for two conditions a seed) is laid out
    block by block, each block holding one item a stream.

    Args:
        streams: at least one, usually :func:`stream` of each seed of a batch.
    """

    def __init__(self, streams: Sequence[np.random.Generator]) -> None:
        if not streams:
            raise ConfigError("no seed was given", "Give at least one.")
        self._streams = list(streams)

    def __call__(self, shape: Sequence[int]) -> Floats:
        """(B, ...) float32; B a multiple of the streams' number, else ConfigError."""
        batch, *item = shape
        blocks, rest = divmod(batch, len(self._streams))
        if rest or not blocks:
            raise ConfigError(
                f"{batch} items cannot be shared out to {len(self._streams)} seeds", "Give one seed an item."
            )
        draws = [each.standard_normal((blocks, *item), np.float32) for each in self._streams]
        return np.stack(draws, axis=1).reshape(batch, *item)


def _words(seed: int, names: Sequence[str | int]) -> list[int]:
    """Seed and names as 32 bit words; a text is hashed, a number stands for itself, and neither
    can be the other.
    """
    words = [_whole(seed)]
    for name in names:
        if isinstance(name, str):
            words += [1, int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little")]
        else:
            words += [2, _whole(name)]
    # A SeedSequence cuts its numbers into 32 bit words, so the length of each is told before it.
    return [part for word in words for part in (word.bit_length(), word)]


def _whole(number: int) -> int:
    if number < 0:
        raise ConfigError(f"the seed {number} is out of range", "Choose whole numbers from 0.")
    return int(number)
