"""What a training step gets: pictures with their cameras, as numpy arrays."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np

from geco.data.dataset.augment import over
from geco.types import Bytes, Floats, Longs

AnyBatch = TypeVar("AnyBatch")


@dataclass
class ConditionBatch:
    """Condition pictures alone: all that Stage I trains on.

    Attributes:
        condition: (B, S, S, 4) uint8, straight alpha.
        background: (B, 3) in [0, 1], what they are meant to stand on.
        c2w: (B, 4, 4) camera-to-world. lenses: (B, 3) focal length, cx, cy, normalised by the image size.
        objects: (B,) index of the object. pictures: (B,) which of its condition pictures.
    """

    condition: Bytes
    background: Floats
    c2w: Floats
    lenses: Floats
    objects: Longs
    pictures: Longs

    def rgb(self) -> Floats:
        """(B, S, S, 3) in [0, 1] on the background."""
        return over(self.condition, self.background)


@dataclass
class SixViewBatch:
    """Condition pictures with their six views.

    Attributes:
        condition: (B, S, S, 4) uint8, straight alpha. targets: (B, 6, S, S, 4) likewise.
        background: (B, 2, 3) in [0, 1]: the condition's and the targets'.
        c2w: (B, 7, 4, 4) and lenses: (B, 7, 3) of the condition and the targets.
        objects: (B,) index of the object.
    """

    condition: Bytes
    targets: Bytes
    background: Floats
    c2w: Floats
    lenses: Floats
    objects: Longs

    def rgb(self) -> tuple[Floats, Floats]:
        """(B, S, S, 3) and (B, 6, S, S, 3) in [0, 1] on the backgrounds."""
        return over(self.condition, self.background[:, 0]), over(self.targets, self.background[:, 1:])


@dataclass
class RandomViewBatch:
    """Six input views and views from other places, for a reconstructor and for Stage II; azimuth 0 is the
    condition camera's.

    Attributes:
        inputs: (B, 6, S, S, 4) uint8, straight alpha. condition: (B, S, S, 4), or (B, 0, 0, 4) where the
            shards hold six fixed views instead of pairs.
        targets: (B, V, S, S, 4) uint8. depth: (B, V, S, S) float32 along the viewing axis, 0 = nothing.
        background: (B, 2, 3) in [0, 1]: the condition's, and that of inputs and targets.
        c2w: (B, V, 4, 4) and lenses: (B, V, 3) of the targets.
        input_c2w: (B, 6, 4, 4) and input_lenses: (B, 6, 3).
        objects: (B,) index of the object.
    """

    inputs: Bytes
    condition: Bytes
    targets: Bytes
    depth: Floats
    background: Floats
    c2w: Floats
    lenses: Floats
    input_c2w: Floats
    input_lenses: Floats
    objects: Longs


def stack(kind: type[AnyBatch], samples: list[tuple[Any, ...]]) -> AnyBatch:
    """Samples (tuples in the order of the batch's fields) as one batch."""
    return kind(*(np.stack(column) for column in zip(*samples)))


def join(batches: list[AnyBatch]) -> AnyBatch:
    """Parts of a batch as one."""
    kind = type(batches[0])
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    return kind(*(np.concatenate([getattr(batch, name) for batch in batches]) for name in names))
