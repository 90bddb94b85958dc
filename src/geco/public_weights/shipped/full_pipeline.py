"""Six views of an object from one picture, in one step or in many: GECO's generator, or Zero123++, as a
diffusers pipeline.

    sheet = DiffusionPipeline.from_pretrained(FOLDER, trust_remote_code=True)(picture, seeds=[0]).images[0]

Self-contained: diffusers, transformers, torch, numpy and Pillow. A seed gives the views that GECO gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from diffusers import DiffusionPipeline
from torch import Tensor

from geco.public_weights.shipped.attention import ReferenceAttention
from geco.public_weights.shipped.layout import settle
from geco.public_weights.shipped.pictures import GecoViews, picture_of, pil_of, prepared, sheet_views
from geco.public_weights.shipped.sampling import (
    Levels,
    SeedNoise,
    generated,
    is_generator,
    settings,
    start,
    walk,
)

# of Zero123++'s pipeline: latents to zero mean and unit variance, pictures with less contrast for the VAE
LATENT_MEAN, LATENT_SCALE, IMAGE_SCALE = 0.22, 0.75, 0.5 / 0.8


class GecoFullPipeline(DiffusionPipeline):
    """See the file's text. The settings of the model (how it samples, its cameras, the grey that its pictures
    stand on) are in model_index.json.
    """

    model_cpu_offload_seq = "vision_encoder->prompt->unet->vae"
    unet: Any
    vae: Any
    vision_encoder: Any
    prompt: Any
    scheduler: Any
    feature_extractor_vae: Any
    feature_extractor_clip: Any
    config: Any
    register_modules: Any
    register_to_config: Any
    _execution_device: torch.device

    def __init__(
        self,
        unet: Any,
        vae: Any,
        vision_encoder: Any,
        prompt: Any,
        scheduler: Any,
        feature_extractor_vae: Any,
        feature_extractor_clip: Any,
        ramping_coefficients: Sequence[float] = (),
        sampling: Mapping[str, Any] | None = None,
        sample_shape: Sequence[int] = (4, 120, 80),
        background: float = 1.0,
        noised_reference: bool = True,
        rig: str = "zero123plus-v1.2",
        foreground_ratio: float = 0.85,
        licence: str = "",
    ) -> None:
        super().__init__()
        self.register_modules(
            unet=unet,
            vae=vae,
            vision_encoder=vision_encoder,
            prompt=prompt,
            scheduler=scheduler,
            feature_extractor_vae=feature_extractor_vae,
            feature_extractor_clip=feature_extractor_clip,
        )
        self.register_to_config(
            ramping_coefficients=list(ramping_coefficients),
            sampling=dict(sampling or {}),
            sample_shape=list(sample_shape),
            background=background,
            noised_reference=noised_reference,
            rig=rig,
            foreground_ratio=foreground_ratio,
            licence=licence,
        )
        names = [name.removesuffix(".processor") for name in unet.attn_processors]
        unet.set_attn_processor({f"{name}.processor": ReferenceAttention(name) for name in names})

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
            image: Pillow picture or tensor (3, H, W) in [0, 1], square, the object over the model's
                background, its longer side ``foreground_ratio`` of the picture's. What is transparent is
                laid on that background.
            seeds: the noise of each sample.
            latents: (N, 4, 3h, 2w) standard normal z in place of the seeds' first draw.
            num_inference_steps, guidance_scale: in place of the model's own; a generator takes no steps.
            output_type: "pil", or "pt" for sheets (N, 3, 3 S, 2 S).
        """
        for part in (self.unet, self.vae, self.vision_encoder):
            settle(part, channels_last=part is not self.vision_encoder)
        how = settings(self.config.sampling, num_inference_steps, guidance_scale)
        levels = Levels(
            {"kind": "linear", **{k: self.scheduler.config[k] for k in ("beta_start", "beta_end")}}
        )
        noise = SeedNoise(seeds)
        shape = (len(seeds), *self.config.sample_shape)
        z = noise(shape) if latents is None else latents
        x = start(how, levels.alphas, z.to(self._execution_device).float())
        conditions = self._conditions(picture_of(image, self.config.background), how["guidance_scale"])
        if is_generator(how):
            state = self._write(*conditions, len(x))
            predict = partial(self._x0, state, how["guidance_scale"], levels)
            x = generated(how, levels, x, predict, noise)
        else:
            x = walk(how, levels, x, self._denoise(conditions, how, levels, noise, len(x)), noise)
        sheets = torch.cat([self._decode(item) for item in x.split(1)])
        images = [pil_of(sheet) for sheet in sheets] if output_type == "pil" else sheets
        return GecoViews(images=images, views=sheet_views(sheets), latents=x)

    def _denoise(
        self,
        conditions: tuple[Tensor, Tensor],
        how: Mapping[str, Any],
        levels: Levels,
        noise: SeedNoise,
        how_many: int,
    ) -> Any:
        """A function from x_t (``how_many`` samples) and timestep to x0 and eps."""
        own = "noised" if self.config.noised_reference else "clean"
        noised = (how.get("reference") or own) == "noised"
        latents, text = conditions
        clean = None if noised else self._write(latents, text, how_many)

        def denoise(x: Tensor, t: int) -> tuple[Tensor, Tensor]:
            signal, level = levels.at(t, x)
            state = clean
            if state is None:
                pictures = latents.repeat_interleave(len(x), 0)
                pictures = signal * pictures.float() + level * noise(pictures.shape).to(x.device)
                state = self._write(pictures, text.repeat_interleave(len(x), 0), 1, t)
            v = self._guided(x, t, state, how["guidance_scale"], levels, "v").float()
            return signal * x - level * v, level * x + signal * v

        return denoise

    def _conditions(self, picture: Tensor, scale: float) -> tuple[Tensor, Tensor]:
        """Latents (G, ...) and text states (G, ...) of the picture, and before it, where there is guidance,
        of a grey one.
        """
        for_vae, for_clip = (
            prepared(picture, each.to_dict()).to(self._execution_device)
            for each in (self.feature_extractor_vae, self.feature_extractor_clip)
        )
        latent = self._latent(for_vae)
        embedding = self.vision_encoder(for_clip.to(self.vision_encoder.dtype)).image_embeds
        states = self.prompt.states
        ramp = torch.tensor(self.config.ramping_coefficients).to(states)
        text = states + ramp[:, None] * embedding[:, None].to(ramp)
        if scale == 1.0:
            return latent, text
        height, width = (2 ** (len(self.vae.config.block_out_channels) - 1) * n for n in latent.shape[2:])
        grey = torch.zeros(1, 3, height, width, device=self._execution_device)
        return torch.cat([self._latent(grey), latent]), torch.cat([states, text])

    def _latent(self, image: Tensor) -> Tensor:
        return self.vae.encode(image.to(self.vae.dtype)).latent_dist.mean

    def _write(
        self, latent: Tensor, text: Tensor, count: int, t: int = 0
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Every self-attention's tokens of a reference, ``count`` times, and its text."""
        kept: dict[str, Tensor] = {}
        text, times = text.to(self.unet.dtype), torch.full((len(latent),), t, device=latent.device)
        self._unet(latent.to(self.unet.dtype), times, text, kept, True)
        tokens = {name: value.repeat_interleave(count, 0) for name, value in kept.items()}
        return tokens, text.repeat_interleave(count, 0)

    def _guided(
        self,
        x: Tensor,
        t: int,
        state: tuple[dict[str, Tensor], Tensor],
        scale: float,
        levels: Levels,
        kind: str,
    ) -> Tensor:
        """The prediction, v or x0, pushed from what is said without the picture; both as one batch."""
        kept, text = state
        both = torch.cat([x] * (len(text) // len(x)))
        times = torch.full((len(both),), t, device=x.device)
        v = self._unet(both.to(self.unet.dtype), times, text, kept, False).to(x.dtype)
        signal, level = levels.at(t, x)
        said = v if kind == "v" else signal * both - level * v.float()
        if len(both) == len(x):
            return said
        without, seen = said.chunk(2)
        return without + scale * (seen - without)

    def _x0(self, state: Any, scale: float, levels: Levels, x: Tensor, t: int) -> Tensor:
        return self._guided(x, t, state, scale, levels, "x0").float()

    def _unet(self, x: Tensor, t: Tensor, text: Tensor, kept: dict[str, Tensor], write: bool) -> Tensor:
        told = {"kept": kept, "write": write}
        return self.unet(x, t, encoder_hidden_states=text, cross_attention_kwargs=told, return_dict=False)[0]

    def _decode(self, x0: Tensor) -> Tensor:
        """(1, 4, 3h, 2w) -> sheet (1, 3, 3 S, 2 S) in [0, 1]."""
        latents = (x0 / LATENT_SCALE + LATENT_MEAN) / float(self.vae.config.scaling_factor)
        decoded = self.vae.decode(latents.to(self.vae.dtype), return_dict=False)[0]
        return (decoded.float() / IMAGE_SCALE / 2 + 0.5).clamp(0, 1)
