"""Six views of an object from one picture by GECO's small network, as a diffusers pipeline.

    pipe = DiffusionPipeline.from_pretrained(FOLDER, trust_remote_code=True)
    sheet = pipe(picture, seeds=[0]).images[0]

Self-contained: diffusers, torch, numpy and Pillow. A seed gives the views that GECO gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from diffusers import DiffusionPipeline
from torch import Tensor
from torch.nn import functional

from geco.public_weights.shipped.layout import settle
from geco.public_weights.shipped.pictures import GecoViews, picture_of, pil_of, sheet_of
from geco.public_weights.shipped.sampling import (
    Levels,
    SeedNoise,
    generated,
    is_generator,
    settings,
    start,
    walk,
)

BACKGROUND = 1.0  # white, of the condition picture and of the views


class GecoSmallPipeline(DiffusionPipeline):
    """See the file's text. How the model samples is in model_index.json."""

    model_cpu_offload_seq = "network"
    network: Any
    config: Any
    register_modules: Any
    register_to_config: Any
    _execution_device: Any

    def __init__(self, network: Any, sampling: Mapping[str, Any] | None = None, licence: str = "") -> None:
        super().__init__()
        self.register_modules(network=network)
        self.register_to_config(sampling=dict(sampling or {}), licence=licence)

    @torch.no_grad()
    def __call__(
        self,
        image: Any,
        seeds: Sequence[int] = (0,),
        latents: Tensor | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        output_type: str = "pil",
    ) -> GecoViews:
        """Six views a seed.

        Args:
            image: Pillow picture or tensor (3, H, W) in [0, 1], square, the object over white, its longer
                side ``network.config.foreground_ratio`` of the picture's. What is transparent is laid on
                white.
            seeds: the noise of each sample.
            latents: (N, 6, 3, S, S) standard normal z in place of the seeds' first draw.
            num_inference_steps, guidance_scale: in place of the model's own; a generator takes no steps.
            output_type: "pil", or "pt" for sheets (N, 3, 3 S, 2 S).
        """
        settle(self.network, channels_last=False)
        size = self.network.config.size
        how = settings(self.config.sampling, num_inference_steps, guidance_scale)
        levels, noise = Levels(self.network.config.schedule), SeedNoise(seeds)
        z = noise((len(seeds), 6, 3, size, size)) if latents is None else latents
        device, scale = self._execution_device, how["guidance_scale"]
        x = start(how, levels.alphas, z.to(device).float())
        picture = picture_of(image, BACKGROUND).to(device)
        if picture.shape[-2:] != (size, size):
            picture = functional.interpolate(picture, (size, size), mode="bilinear", antialias=True)
        told = picture * 2 - 1
        if scale != 1.0:
            told = torch.cat([told * 0, told])
        state = _repeated(self.network.write(told.to(self.network.dtype)), len(x))

        def predict(x: Tensor, t: int) -> Tensor:
            return self._guided(x, t, state, scale).float()

        if is_generator(how):
            x = generated(how, levels, x, predict, noise).float()
        else:
            x = walk(how, levels, x, partial(_denoise, predict, levels), noise)
        views = (x.clamp(-1, 1) + 1) / 2
        sheets = sheet_of(views)
        images = [pil_of(sheet) for sheet in sheets] if output_type == "pil" else sheets
        return GecoViews(images=images, views=views, latents=x)

    def _guided(self, x: Tensor, t: int, state: Mapping[str, Any], scale: float) -> Tensor:
        """x0, pushed from what is said without the picture; both as one batch."""
        both = torch.cat([x] * (len(state["patches"]) // len(x)))
        times = torch.full((len(both),), t, device=x.device)
        said: Tensor = self.network(both.to(self.network.dtype), times, state)
        if len(both) == len(x):
            return said
        without, seen = said.chunk(2)
        return without + scale * (seen - without)


def _denoise(predict: Any, levels: Levels, x: Tensor, t: int) -> tuple[Tensor, Tensor]:
    """x0 and eps."""
    signal, level = levels.at(t, x)
    x0 = predict(x, t).float()
    return x0, (x - signal * x0) / level


def _repeated(state: Mapping[str, Any], count: int) -> dict[str, Any]:
    """A write pass's result for ``count`` samples of each condition."""
    stored = [each.repeat_interleave(count, 0) for each in state["stored"]]
    parts = {name: state[name].repeat_interleave(count, 0) for name in ("patches", "fine")}
    return {**parts, "stored": stored}
