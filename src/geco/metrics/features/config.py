"""Shape of the autoencoder; part of its folder's config.json. No torch here."""

from __future__ import annotations

from dataclasses import dataclass

from geco.checked import Checked, whole, wholes


@dataclass(frozen=True)
class AutoencoderConfig(Checked):
    """Every size of the network; the defaults have 0.57 million parameters.

    Attributes:
        widths: channels at full, half, quarter ... resolution; each level after the first halves the picture.
        blocks: residual blocks a level, in the encoder and again in the decoder.
        latent: channels of the bottleneck at the lowest resolution. With three halvings 16 are a twelfth of
            the picture's numbers: few enough that copying does not pay.
    """

    widths: tuple[int, ...] = wholes((16, 32, 64, 80), 1, 2048, 2, 8)
    blocks: int = whole(1, 1, 32)
    latent: int = whole(16, 1, 4096)

    @property
    def factor(self) -> int:
        """How many pixels a side one latent stands for."""
        return 2 ** (len(self.widths) - 1)
