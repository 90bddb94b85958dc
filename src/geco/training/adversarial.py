"""Stage I's optional adversarial term: a discriminator of noised samples, the teacher's against the
generator's.

After DMD2 (arXiv 2405.14867, section 4.3), where a head on the student's features tells noised pictures
apart; a small network of its own serves every family. "Real" are the teacher's samples of the pairs: GECO has
no ground-truth views.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from geco.training.state import first_weights

WIDTHS = (32, 64, 128)  # channels of the discriminator, each at half the last one's resolution
SLOPE = 0.2  # of the leaky rectifier, as is usual for discriminators


class Discriminator(nn.Module):
    """Logits of patches: above 0 where they look like the teacher's.

    Args:
        channels: of a sample. widths: of the layers.
        seed: of the first weights, which leave torch's own random state alone.
    """

    def __init__(self, channels: int, widths: tuple[int, ...] = WIDTHS, seed: int = 0) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        with first_weights(seed, "discriminator"):
            before = channels + 1  # and the noise level
            for width in widths:
                layers += [nn.Conv2d(before, width, 4, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
                before = width
            self.layers = nn.Sequential(*layers, nn.Conv2d(before, 1, 1))

    def forward(self, x_t: Tensor, level: Tensor) -> Tensor:
        """
        Args:
            x_t: (B, ..., C, H, W) noised samples; several views of one sample are judged one by one.
            level: broadcastable to (B, 1, ..., 1): the noise in them, in [0, 1].

        Returns:
            (B, P) float32 logits of all patches of all views.
        """
        level_map = level.reshape(len(x_t), *(1 for _ in x_t.shape[1:])).expand_as(x_t.narrow(-3, 0, 1))
        joined = torch.cat([x_t, level_map.to(x_t)], dim=-3)
        logits: Tensor = self.layers(joined.flatten(0, -4))
        return logits.reshape(len(x_t), -1).float()


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Cross entropy of both answers, from logits; 2 log 2 for one that cannot tell."""
    return functional.softplus(-real).mean() + functional.softplus(fake).mean()


def generator_term(network: Discriminator, x_t: Tensor, level: Tensor) -> Tensor:
    """The non-saturating loss of noised generated samples; gradients reach x_t only, not the
    discriminator's weights.
    """
    network.requires_grad_(False)
    try:
        return functional.softplus(-network(x_t, level)).mean()
    finally:
        network.requires_grad_(True)
