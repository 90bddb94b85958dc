"""Shape of the autoencoder; part of its folder's config.json. No torch here."""

from __future__ import annotations

from dataclasses import dataclass

from geco.errors import ConfigError


@dataclass(frozen=True)
class AutoencoderConfig:
    """Every size of the network; the defaults have 0.57 million parameters.

    Attributes:
        widths: channels at full, half, quarter ... resolution; each level after the first halves the picture.
        blocks: residual blocks a level, in the encoder and again in the decoder.
        latent: channels of the bottleneck at the lowest resolution. With three halvings 16 are a twelfth of the picture's
            numbers: few enough that copying does not pay.
    """

    widths: tuple[int, ...] = (16, 32, 64, 80)
    blocks: int = 1
    latent: int = 16

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", tuple(self.widths))  # a list, where it comes from JSON
        if len(self.widths) < 2 or min(*self.widths, self.blocks, self.latent) < 1:
            raise ConfigError(
                f"an autoencoder of widths {self.widths}, {self.blocks} blocks and {self.latent} latent channels cannot be built",
                "It takes two levels or more, and at least one of everything: the defaults are (16, 32, 64, 80), 1, 16.",
            )

    @property
    def factor(self) -> int:
        """How many pixels a side one latent stands for."""
        return 2 ** (len(self.widths) - 1)
