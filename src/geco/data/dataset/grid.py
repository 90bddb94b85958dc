"""The small recipe's pictures: one input on a grid of 30 degrees and its six of 24 shared
targets, or their mirror images.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from geco.data.dataset.augment import WHITE
from geco.data.dataset.batches import SixViewBatch, stack
from geco.data.dataset.needs import require
from geco.data.dataset.order import Order, share
from geco.data.dataset.packed import PackedPictures
from geco.data.dataset.pictures import Pictures
from geco.data.grid_views import AZIMUTHS, INPUTS_PER_AZIMUTH
from geco.data.shards import Shards
from geco.noise import stream
from geco.types import Bytes, Floats, Longs

TARGETS, EXTRA, INPUTS = "grid-targets", "grid-extra", "grid-inputs"
GRID_SETS = (TARGETS, EXTRA, INPUTS)


class GridViews:
    """Sets ``grid-targets`` and ``grid-inputs`` of finished shards.

    Args:
        folder: finished shards.
        memory: bytes of decoded pictures to keep; an object's 48 take 0.8 MB at 64 px.
        packed: decode all into files beside the shards first, and read those.

    Raises:
        MissingViewsError: the shards lack these sets.
    """

    def __init__(self, folder: str | Path, memory: int = 0, packed: bool = False) -> None:
        self.shards = Shards(folder)
        require(self.shards, "the small recipe", GRID_SETS)
        self.pictures = PackedPictures(self.shards) if packed else Pictures(self.shards, memory)
        self.names = self.shards.objects
        self.order = Order(len(self))

    def __len__(self) -> int:
        return len(self.names)

    @property
    def size(self) -> int:
        """Pixels of a side."""
        return self.shards.size

    def sample(self, index: int, azimuth: int, variant: int, mirror: bool) -> tuple[Bytes, Bytes]:
        """One input picture (S, S, 4) and its six views (6, S, S, 4), of the object or of its
        mirror image.
        """
        key = self.names[index]
        picture, views = places(azimuth, variant, mirror)
        condition, targets = (
            self.pictures.get(key, INPUTS, [picture])[0],
            self.pictures.get(key, TARGETS, views),
        )
        return (condition[:, ::-1], targets[:, :, ::-1]) if mirror else (condition, targets)

    def condition(self, index: int, azimuth: int, variant: int, mirror: bool) -> Bytes:
        """The input picture (S, S, 4) of :meth:`sample`."""
        picture, _ = places(azimuth, variant, mirror)
        found = self.pictures.get(self.names[index], INPUTS, [picture])[0]
        return found[:, ::-1] if mirror else found

    def cameras(self, index: int, azimuth: int, variant: int, mirror: bool) -> tuple[Floats, Floats]:
        """c2w (7, 4, 4) and lenses (7, 3) of :meth:`sample`'s pictures, the input first; of the
        mirror image in its own world.
        """
        key = self.names[index]
        picture, views = places(azimuth, variant, mirror)
        inputs, targets = self.pictures.cameras(key, INPUTS), self.pictures.cameras(key, TARGETS)
        c2w, lenses = (
            np.concatenate([first[picture][None], others[views]]) for first, others in zip(inputs, targets)
        )
        return mirror_cameras(c2w, lenses) if mirror else (c2w, lenses)

    def batch(self, seed: int, step: int, size: int, rank: int = 0, world: int = 1) -> SixViewBatch:
        """``size`` samples: objects in a fresh permutation each epoch, azimuth, variant and
        mirror at random.
        """
        return self._stack(self.draw(seed, step, size, rank, world))

    def draw(
        self, seed: int, step: int, size: int, rank: int = 0, world: int = 1
    ) -> list[tuple[int, int, int, bool]]:
        """Which samples (object, azimuth, variant, mirror) make up :meth:`batch`."""
        rng = stream(seed, "grid", step)
        azimuths, variants = rng.integers(AZIMUTHS, size=size), rng.integers(INPUTS_PER_AZIMUTH, size=size)
        mirrors = rng.random(size) < 0.5
        mine = share(size, rank, world)
        items = self.order.items(seed, step, size, rank, world)
        return list(zip(items, azimuths[mine], variants[mine], mirrors[mine]))

    def fixed(self, count: int, seed: int = 0) -> SixViewBatch:
        """The same ``count`` samples every time, without mirrors: for validation and for picture grids."""
        rng = stream(seed, "validation")
        objects = (
            rng.permutation(len(self))[:count] if count <= len(self) else rng.integers(len(self), size=count)
        )
        return self._stack([(index, int(rng.integers(AZIMUTHS)), 0, False) for index in objects])

    def _stack(self, samples: list[tuple[int, int, int, bool]]) -> SixViewBatch:
        behind = np.stack([WHITE, WHITE])
        return stack(
            SixViewBatch, [(*self.sample(*item), behind, *self.cameras(*item), item[0]) for item in samples]
        )


def target_indices(azimuth: int) -> Longs:
    """(6,) which of the 24 targets are the six views of the input at ``azimuth`` (an index).

    View k stands 30 + 60 k degrees further, at elevations 20 and -10 in turn.
    """
    k = np.arange(6)
    return (k % 2) * AZIMUTHS + (azimuth + 1 + 2 * k) % AZIMUTHS


def mirror_azimuth(azimuth: int) -> int:
    """The azimuth whose flipped picture shows the mirrored object (y -> -y) at ``azimuth``."""
    return -azimuth % AZIMUTHS


def mirrored_target_indices(azimuth: int) -> Longs:
    """(6,) as :func:`target_indices`, of the mirrored object: flip these pictures left-right."""
    index = target_indices(azimuth)
    return index // AZIMUTHS * AZIMUTHS + -index % AZIMUTHS


def mirror_cameras(c2w: Floats, lenses: Floats) -> tuple[Floats, Floats]:
    """The cameras (N, 4, 4), (N, 3) that see the mirrored object (y -> -y) as the flipped
    pictures show it.
    """
    flip = np.array([1, -1, 1, 1], np.float32)[:, None] * np.array([-1, 1, 1, 1], np.float32)
    return c2w * flip, lenses * np.array([1, -1, 1], np.float32) + np.array([0, 1, 0], np.float32)


def places(azimuth: int, variant: int, mirror: bool) -> tuple[int, Longs]:
    """Which of the inputs, and which six of the targets, show a sample; flip them for the mirrored object."""
    if mirror:
        return mirror_azimuth(azimuth) * INPUTS_PER_AZIMUTH + variant, mirrored_target_indices(azimuth)
    return azimuth * INPUTS_PER_AZIMUTH + variant, target_indices(azimuth)
