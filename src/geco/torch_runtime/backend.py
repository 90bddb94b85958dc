"""A :class:`geco.backend.Backend` on torch: both families of networks, any device."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import torch
from torch import Tensor

from geco.backend import Footprint, ModelCard
from geco.multiview.generate import generate_views
from geco.multiview.interface import MultiViewNetwork, ViewCodec
from geco.reconstruct.fields import SurfaceFields
from geco.sampling import OnStep, Sampling
from geco.torch_runtime.pictures import DevicePictures
from geco.types import Floats, Pictures

# views (1, 6, 3, H, W) on the device and condition picture (S, S, 3), both in [0, 1] -> fields
Reconstruct = Callable[[Tensor, DevicePictures], SurfaceFields]


class TorchBackend:
    """Networks, codec and settings of one model, joined.

    Args:
        card: what the pipeline asks.
        network: makes views, on ``device``; None for a regressor, which reads the picture alone.
        codec: between pictures and the network's space.
        sampling: how views are sampled where nobody says otherwise; None for a regressor.
        reconstruct: views to fields.
        device: where the networks live.
        within: the context in which views are made, such as autocast.
    """

    def __init__(
        self,
        card: ModelCard,
        network: MultiViewNetwork | None,
        codec: ViewCodec,
        sampling: Sampling | None,
        reconstruct: Reconstruct,
        device: torch.device,
        within: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self.card = card
        self.network, self.codec, self.sampling = network, codec, sampling
        self._reconstruct, self._device, self._within = reconstruct, device, within
        self._footprints: dict[Sampling | None, Footprint] = {}
        self.coming = 0  # bytes of the largest network, where they take turns and wait on the host
        self.keeps = device.type == "cpu"  # what drawing took: a heap does, and so do recordings

    @property
    def device(self) -> torch.device:
        """Where the networks live."""
        return self._device

    @property
    def distilled(self) -> bool:
        """A generator of one step or few is, and a regressor cannot be a teacher either."""
        return (
            self.sampling is None
            or self.sampling.is_generator
            or bool(self.card.facts.get("distilled", False))
        )

    @property
    def joins_pictures(self) -> bool:
        """On any device but a CPU, where eight of the small teacher take 7.1 seconds together, 5.1 alone."""
        return self._device.type != "cpu"

    def place(self, pictures: Floats) -> DevicePictures:
        """Still on the host: they go to the device when a network asks, and once."""
        return DevicePictures(pictures)

    @torch.no_grad()
    def generate(
        self,
        pictures: Sequence[Pictures],
        seeds: Sequence[int],
        sampling: Sampling | None = None,
        on_step: OnStep | None = None,
    ) -> DevicePictures:
        """Each (S, S, 3) over the card's background -> (len(seeds), 6, H, W, 3), all in [0, 1], on the
        device, as one batch; a regressor's one "view" is the picture itself.
        """
        how, shown = sampling or self.sampling, [DevicePictures.of(picture) for picture in pictures]
        if self.network is None or how is None:
            each = len(seeds) // len(pictures)
            copied = torch.stack([picture.on(self._device) for picture in shown])
            return DevicePictures(copied.repeat_interleave(each, 0)[:, None])
        with self._within():
            read = torch.device("cpu") if self.codec.on_host else self._device
            told = torch.stack([picture.on(read) for picture in shown])
            views = generate_views(self.network, self.codec, told, seeds, how, on_step)
        return DevicePictures(views)

    def footprint(self, sampling: Sampling | None) -> Footprint:
        """By simulation, once for each way of drawing: a few CPU seconds at full size."""
        how = sampling or self.sampling
        if how not in self._footprints:
            self._footprints[how] = self._simulated(how)
        return self._footprints[how]

    def _simulated(self, how: Sampling | None) -> Footprint:
        from geco.torch_runtime.footprint import drawing, measured, rebuilding

        on_cpu, size = self._device.type == "cpu", self.card.picture_size
        side = self.card.view_size or size
        shape = (1, 1, 3, size, size) if self.network is None else (1, 6, 3, side, side)

        def rebuild() -> None:
            views, picture = (torch.empty(wanted, device=self._device) for wanted in (shape, (3, size, size)))
            self._reconstruct(views, DevicePictures(picture))

        draw = None
        if self.network is not None and how is not None:
            draw = drawing(self.network, self.codec, size, how, on_cpu)
        with self._within():
            found = measured(draw, 4 * math.prod(shape), rebuilding(rebuild, on_cpu), self._device)
        most = {"first": found.first + self.coming, "rebuilding": found.rebuilding + self.coming}
        return replace(found, keeps=self.keeps, **most)

    @torch.no_grad()
    def reconstruct(self, views: Pictures, picture: Pictures) -> SurfaceFields:
        """(6, H, W, 3) and (S, S, 3) in [0, 1] -> the surface's fields; views of :meth:`generate` are taken
        where they are.
        """
        return self._reconstruct(DevicePictures.of(views).on(self._device)[None], DevicePictures.of(picture))
