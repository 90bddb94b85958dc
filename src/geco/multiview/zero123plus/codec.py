"""Pictures to conditions and latents to views, as the public pipeline does it.

The condition is (a) the VAE latent of the picture, read by reference attention, and (b) text states: those of
the empty prompt plus ramp x CLIP image embedding. The text encoder is needed once in the life of a model, to
make the empty prompt's states; they are stored with the weights and the text encoder is never loaded again.
"""

from __future__ import annotations

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor, nn
from transformers import CLIPVisionModelWithProjection

from geco.multiview.interface import Condition, NoiseSource
from geco.multiview.zero123plus.latents import (
    decode_sheet,
    encode_posterior,
    encode_sheet,
    sheet_to_views,
    views_to_sheet,
)
from geco.multiview.zero123plus.preprocess import Preprocess
from geco.passes import Wrap, plainly

GREY = 127 / 255  # background of the original Zero123++; InstantMesh's fine-tune stands on white
WHITE = 1.0
TILE = 64  # latents a side of a tile: six of them cover the sheet, and each takes 43 % of its memory


class Zero123PlusCodec(nn.Module):
    """See :class:`geco.multiview.interface.ViewCodec`.

    Args:
        vae: Stable Diffusion's; one without encoder only decodes.
        vision: CLIP's vision tower with its projection; None for a codec that only decodes.
        text_states: (1, T, E) text encoder states of the empty prompt.
        ramp: (T,) how much of the image embedding each token gets.
        for_vae, for_vision: the preprocessing of the two encoders.
        background: grey level that the model's pictures stand on.

    Attributes:
        singly: encode the pictures of a batch one after the other, and in the weights' own format whatever
            autocast says: what a picture's condition is then depends on nothing else, to the last bit
            (kernels for other batches round otherwise), as those need it that are stored.
    """

    text_states: Tensor
    ramp: Tensor
    singly = False
    _grey: Tensor | None = None
    on_host = True  # Pillow resizes there; then each encoder's input goes to the device once

    def __init__(
        self,
        vae: AutoencoderKL,
        vision: CLIPVisionModelWithProjection | None,
        text_states: Tensor,
        ramp: Tensor,
        for_vae: Preprocess,
        for_vision: Preprocess,
        background: float = WHITE,
    ) -> None:
        super().__init__()
        self.vae, self.vision = vae, vision
        self.for_vae, self.for_vision = for_vae, for_vision
        self.background = background
        self.register_buffer("text_states", text_states)
        self.register_buffer("ramp", ramp)
        self.through(plainly)

    def through(self, wrap: Wrap) -> None:
        """Run the encoders and the decoder through ``wrap`` from now on."""
        self._mean, self._decoded = (wrap([self.vae], run) for run in (self._latent, self._picture))
        self._embedding = wrap([] if self.vision is None else [self.vision], self._seen)

    def tile(self) -> None:
        """Decode in overlapping tiles from now on, blended (diffusers'): less memory, and not the same
        picture, since the VAE's norms then see a tile each and its middle attention no further.
        """
        self.vae.enable_tiling()
        self.vae.tile_latent_min_size = TILE
        self.vae.tile_sample_min_size = TILE * self.reduction

    @property
    def device(self) -> torch.device:
        """Where it works; the encoders' weights may wait elsewhere."""
        return self.text_states.device

    @property
    def reduction(self) -> int:
        """Pixels a side of a latent's cell."""
        return int(2 ** (len(self.vae.config["block_out_channels"]) - 1))

    @property
    def ways(self) -> tuple[Preprocess, Preprocess]:
        """How a picture is prepared for the VAE and for CLIP."""
        return self.for_vae, self.for_vision

    def condition(self, picture: Tensor, noise: NoiseSource | None = None) -> Condition:
        """picture (B, 3, H, W) in [0, 1] over ``background`` -> latent (B, 4, h, w) and text states (B, T,
        E).

        With ``noise`` the latent is a posterior sample, as in the public pipeline; without, the posterior's
        mean.
        """
        vae_input, vision_input = (way(picture).to(self.device) for way in self.ways)
        if not self.singly or noise is not None:
            return self.assemble(vae_input, vision_input, noise)
        latent, embedding = self.encoded(vae_input, vision_input)
        return Condition(latent, self.text_with(embedding))

    @torch.no_grad()
    def encoded(self, vae_input: Tensor, vision_input: Tensor) -> tuple[Tensor, Tensor]:
        """Latents (B, 4, h, w), the posterior's means, and embeddings (B, E) of preprocessed pictures, as
        ``singly`` says.
        """
        with torch.autocast(self.device.type, enabled=False):
            latents = [self._encoded(each, None) for each in vae_input.split(1)]
            embeddings = [self.embed(each) for each in vision_input.split(1)]
        return torch.cat(latents).contiguous(), torch.cat(embeddings)  # dense: strides choose kernels too

    @torch.no_grad()
    def assemble(
        self, vae_input: Tensor, vision_input: Tensor, noise: NoiseSource | None = None
    ) -> Condition:
        """As :meth:`condition`, from inputs that are already preprocessed."""
        return Condition(self._encoded(vae_input, noise), self.text_with(self.embed(vision_input)))

    def embed(self, vision_input: Tensor) -> Tensor:
        """CLIP's projected image embedding (B, E)."""
        assert self.vision is not None
        return self._embedding(vision_input.to(self.vision.dtype))

    def text_with(self, embedding: Tensor) -> Tensor:
        """Text states (B, T, E) of the empty prompt plus ramp x ``embedding`` (B, E)."""
        return self.text_states + self.ramp[:, None] * embedding[:, None].to(self.ramp)

    @torch.no_grad()
    def unconditional(self, condition: Condition, noise: NoiseSource | None = None) -> Condition:
        """The latent of an all-zero (mid grey) picture as large as ``condition``'s, and the empty
        prompt's states.
        """
        if condition.picture is None:
            raise ValueError("the condition holds no picture")
        batch, _, height, width = condition.picture.shape
        if self.singly and noise is None:
            latent = self._remembered(height, width).expand(batch, -1, -1, -1)
        else:
            count = 1 if noise is None else batch  # without noise all are the same
            latent = self._encoded(self._zeros(count, height, width), noise).expand(batch, -1, -1, -1)
        return Condition(latent, self.text_states.expand(batch, -1, -1))

    def _remembered(self, height: int, width: int) -> Tensor:
        """The latent of one grey picture: nothing in a training changes it."""
        if self._grey is None or self._grey.shape[-2:] != (height, width):
            with torch.autocast(self.device.type, enabled=False):
                self._grey = self._encoded(self._zeros(1, height, width), None).contiguous()
        return self._grey

    def _zeros(self, count: int, height: int, width: int) -> Tensor:
        """The VAE's inputs of grey pictures, for latents of ``height`` x ``width``."""
        return torch.zeros(count, 3, height * self.reduction, width * self.reduction, device=self.device)

    def encode(self, views: Tensor, noise: NoiseSource | None = None) -> Tensor:
        """views (B, 6, 3, S, S) in [0, 1] -> x0 (B, 4, 3 S / 8, 2 S / 8), with gradients where views carry
        some.
        """
        with torch.set_grad_enabled(torch.is_grad_enabled() and views.requires_grad):
            return encode_sheet(self.vae, views_to_sheet(views), noise)

    def decode(self, x0: Tensor) -> Tensor:
        """x0 (B, 4, 3h, 2w) -> views (B, 6, 3, 8h, 8w) in [0, 1]; one sheet at a time, to save memory."""
        return torch.cat([sheet_to_views(self._decoded(item)) for item in x0.split(1)])

    def _encoded(self, image: Tensor, noise: NoiseSource | None) -> Tensor:
        if noise is None:
            return self._mean(image.to(self.vae.dtype))
        return encode_posterior(self.vae, image, noise)

    def _latent(self, image: Tensor) -> Tensor:
        return encode_posterior(self.vae, image, None)

    def _picture(self, x0: Tensor) -> Tensor:
        return decode_sheet(self.vae, x0)

    def _seen(self, vision_input: Tensor) -> Tensor:
        assert self.vision is not None
        return self.vision(vision_input).image_embeds
