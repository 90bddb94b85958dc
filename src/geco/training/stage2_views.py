"""Where Stage II has the generator's views from: the networks, or the files that they were stored in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor

from geco.training.halves import Views
from geco.training.machine import Machine
from geco.training.pairs import Pairs

# A pair's row and its picture (3, S, S) in [0, 1] -> six views (6, 3, H, W) in [0, 1] on the device.
ViewsOf = Callable[[int, Tensor], Tensor]


@dataclass(frozen=True)
class StoredViews:
    """Views that lie with the pairs (:mod:`geco.training.pair_views`): the generator is not loaded.

    Attributes:
        pairs: they all have them. generator: its identity.
        about: what the family keeps beside the generator's weights, as :class:`Views` has it.
    """

    pairs: Pairs
    generator: str
    about: Mapping[str, Any] = field(default_factory=dict)


def views_of(given: Views | StoredViews, pairs: Pairs, machine: Machine, trained: bool) -> ViewsOf:
    """What draws or reads a pair's views.

    Args:
        trained: whether they carry gradients to the generator, where gradients are taken.
    """
    if isinstance(given, StoredViews):

        def stored(row: int, picture: Tensor) -> Tensor:
            return torch.from_numpy(pairs.generated(row, given.generator)).to(machine.device).float() / 255

        return stored

    network, codec = cast(Any, given.network), given.codec

    def drawn(row: int, picture: Tensor) -> Tensor:
        noise = pairs.source(row)
        z = noise((1, *network.sample_shape)).to(machine.device)
        with torch.set_grad_enabled(trained and torch.is_grad_enabled()), machine.autocast():
            condition = codec.condition(picture[None])
            x0 = given.generator().from_noise(z, condition, codec, noise).float()
            return codec.decode(x0)[0]

    return drawn
