"""A codec of the full family that looks conditions up and computes none: neither the VAE's encoder nor CLIP
is loaded.
"""

from __future__ import annotations

from torch import Tensor, nn

from geco.errors import ConfigError
from geco.multiview.interface import Condition, NoiseSource
from geco.multiview.zero123plus.codec import Zero123PlusCodec
from geco.training.latents import Latents


class LatentCodec(nn.Module):
    """A :class:`geco.multiview.interface.ViewCodec`.

    Args:
        decoder: the model's codec, which needs no encoders.
        latents: what its encoders made of the pictures.
    """

    on_host = True  # a picture's name is a hash, taken there

    def __init__(self, decoder: Zero123PlusCodec, latents: Latents) -> None:
        super().__init__()
        self.decoder, self.latents, self.background = decoder, latents, decoder.background

    def condition(self, picture: Tensor, noise: NoiseSource | None = None) -> Condition:
        """As the encoders would give it, for a picture that was encoded; ConfigError for another one."""
        latent, embedding = self.latents.of(picture)
        return Condition(self._here(latent), self.decoder.text_with(self._here(embedding)))

    def unconditional(self, condition: Condition, noise: NoiseSource | None = None) -> Condition:
        """The latent of a mid grey picture, stored too, and the empty prompt's states."""
        if condition.picture is None:
            raise ValueError("the condition holds no picture")
        batch = len(condition.picture)
        latent = self._here(self.latents.grey.float()).expand(batch, -1, -1, -1)
        return Condition(latent, self.decoder.text_states.expand(batch, -1, -1))

    def encode(self, views: Tensor, noise: NoiseSource | None = None) -> Tensor:
        """Views are not stored."""
        raise ConfigError("views cannot be encoded without the VAE's encoder", "Leave --latents out.")

    def decode(self, x0: Tensor) -> Tensor:
        """As the protocol says."""
        return self.decoder.decode(x0)

    def _here(self, values: Tensor) -> Tensor:
        states = self.decoder.text_states
        return values.to(states.device, states.dtype, non_blocking=True)
