"""A :class:`geco.backend.Backend` on torch: both families of networks, any device."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from geco.backend import ModelCard
from geco.multiview.generate import generate_views
from geco.multiview.interface import MultiViewNetwork, ViewCodec
from geco.reconstruct.fields import SurfaceFields
from geco.sampling import Sampling
from geco.types import Floats

# views (1, 6, 3, H, W) and condition picture (1, 3, S, S), both in [0, 1] -> fields
Reconstruct = Callable[[Tensor, Tensor], SurfaceFields]


class TorchBackend:
    """Networks, codec and settings of one model, joined.

    Args:
        card: what the pipeline asks.
        network: makes views, on ``device``; None for a regressor, which reads the picture alone.
        codec: between pictures and the network's space.
        sampling: how views are sampled where nobody says otherwise; None for a regressor.
        reconstruct: views to fields.
        device: where the networks live.
        mixed: make views with float32 weights but products and convolutions in bfloat16 (autocast).
    """

    def __init__(
        self,
        card: ModelCard,
        network: MultiViewNetwork | None,
        codec: ViewCodec,
        sampling: Sampling | None,
        reconstruct: Reconstruct,
        device: torch.device,
        mixed: bool = False,
    ) -> None:
        self.card = card
        self.network, self.codec, self.sampling = network, codec, sampling
        self._reconstruct, self._device, self._mixed = reconstruct, device, mixed

    @property
    def distilled(self) -> bool:
        """A one-step generator is, and a regressor cannot be a teacher either."""
        return (
            self.sampling is None
            or self.sampling.kind == "one-step"
            or bool(self.card.facts.get("distilled", False))
        )

    @torch.no_grad()
    def generate(self, picture: Floats, seeds: Sequence[int], sampling: Sampling | None = None) -> Floats:
        """(S, S, 3) over the card's background -> (len(seeds), 6, H, W, 3), all in [0, 1]; a regressor's one
        "view" is the picture itself.
        """
        how = sampling or self.sampling
        if self.network is None or how is None:
            return np.repeat(picture[None, None], len(seeds), axis=0)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._mixed):
            views = generate_views(self.network, self.codec, self._tensor(picture)[None], seeds, how)
        return _numpy(views)

    @torch.no_grad()
    def reconstruct(self, views: Floats, picture: Floats) -> SurfaceFields:
        """(6, H, W, 3) and (S, S, 3) in [0, 1] -> the surface's fields."""
        return self._reconstruct(self._tensor(views)[None], self._tensor(picture)[None])

    def _tensor(self, pictures: Floats) -> Tensor:
        """(..., H, W, 3) numpy -> (..., 3, H, W) on the device."""
        return torch.from_numpy(np.ascontiguousarray(np.moveaxis(pictures, -1, -3))).to(
            self._device, torch.float32
        )


def _numpy(pictures: Tensor) -> Floats:
    """(..., 3, H, W) -> (..., H, W, 3) float32 on the CPU, contiguous."""
    return np.ascontiguousarray(np.moveaxis(pictures.float().cpu().numpy(), -3, -1))
