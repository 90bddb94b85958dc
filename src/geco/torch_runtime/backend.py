"""A :class:`geco.backend.Backend` on torch: both families of networks, any device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from geco.backend import ModelCard, Sampling
from geco.errors import ConfigError
from geco.multiview.generate import GenerationSettings, Kind, generate_views
from geco.multiview.interface import MultiViewNetwork, ViewCodec
from geco.reconstruct.fields import SurfaceFields
from geco.types import Floats

# views (1, 6, 3, H, W) and condition picture (1, 3, S, S), both in [0, 1] -> fields
Reconstruct = Callable[[Tensor, Tensor], SurfaceFields]


class TorchBackend:
    """Networks, codec and settings of one model, joined.

    Args:
        card: what the pipeline asks.
        network: makes views, on ``device``; None for a regressor, which reads the picture alone.
        codec: between pictures and the network's space.
        generation: one step, or a sampler and its settings.
        reconstruct: views to fields.
        device: where the networks live.
        mixed: make views with float32 weights but products and convolutions in bfloat16 (autocast).
    """

    def __init__(
        self,
        card: ModelCard,
        network: MultiViewNetwork | None,
        codec: ViewCodec,
        generation: GenerationSettings,
        reconstruct: Reconstruct,
        device: torch.device,
        mixed: bool = False,
    ) -> None:
        self.card = card
        self.network, self.codec, self.generation = network, codec, generation
        self._reconstruct, self._device, self._mixed = reconstruct, device, mixed

    @property
    def sampling(self) -> Sampling:
        """The model's own: one pass of a generator, or its sampler (an Euler ancestral step is a
        DDIM step of eta 1).
        """
        own = self.generation
        if own.kind == "one-step":
            return Sampling(1, own.guidance_scale, 0.0, own.truncation)
        return Sampling(own.steps, own.guidance_scale, own.eta if own.kind == "ddim" else 1.0)

    @property
    def distilled(self) -> bool:
        """A one-step generator is, and a regressor cannot be a teacher either."""
        return (
            self.network is None
            or self.generation.kind == "one-step"
            or bool(self.card.facts.get("distilled", False))
        )

    @torch.no_grad()
    def generate(self, picture: Floats, seeds: Sequence[int], sampling: Sampling | None = None) -> Floats:
        """(S, S, 3) over white -> (len(seeds), 6, H, W, 3), all in [0, 1]; a regressor's one
        "view" is the picture itself.
        """
        if self.network is None:
            return np.repeat(picture[None, None], len(seeds), axis=0)
        settings = self.generation
        if sampling is not None:
            kind: Kind = "one-step" if settings.kind == "one-step" and sampling.steps == 1 else "ddim"
            if kind == "ddim" and sampling.truncation != 1:
                raise ConfigError(
                    f"{self.card.name} is no one-step generator: its noise stays whole",
                    "Leave truncation out.",
                )
            settings = replace(settings, kind=kind, **vars(sampling))
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._mixed):
            views = generate_views(self.network, self.codec, self._tensor(picture), seeds, settings)
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
