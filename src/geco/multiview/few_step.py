"""The generator of few steps: noise to x0, x0 noised again to a lower level, x0 once more (arXiv 2405.14867,
DMD2, section 4.4).

A later step sees nothing but the x0 before it, noised; so in training its input can be what it is in use: the
generator's own output.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from geco.errors import ConfigError
from geco.multiview.guidance import without_picture
from geco.multiview.interface import Condition, MultiViewNetwork, ViewCodec
from geco.multiview.noise import NoiseSource
from geco.multiview.one_step import OneStepGenerator
from geco.sampling import OnStep, Sampling


def generator_of(network: MultiViewNetwork, sampling: Sampling) -> OneStepGenerator:
    """A distilled network as ``sampling``, one of a generator, says it is used."""
    how = (sampling.guidance_scale, sampling.truncation)
    if sampling.kind == "one-step":
        return OneStepGenerator(network, sampling.timestep, *how)
    return FewStepGenerator(network, sampling.trained_at, *how)


class FewStepGenerator(OneStepGenerator):
    """As :class:`OneStepGenerator`, at several timesteps.

    Args:
        timesteps: falling; z stands at the first.
    """

    def __init__(
        self,
        network: MultiViewNetwork,
        timesteps: Sequence[int],
        guidance_scale: float = 1.0,
        truncation: float = 1.0,
    ) -> None:
        super().__init__(network, timesteps[0], guidance_scale, truncation)
        self.further = tuple(timesteps[1:])

    def at_steps(
        self, z: Tensor, condition: Condition, codec: ViewCodec, noise: NoiseSource, chosen: Tensor
    ) -> Tensor:
        """x0 (B, *sample_shape) of one step of each sample, as Stage I trains it: only this pass carries
        gradients, its input is what the steps before it made.

        Args:
            z: (B, *sample_shape) standard normal.
            noise: of the further steps.
            chosen: (B,) which step, from 0. All samples go through all steps before the last, so that a batch
                takes the same passes whatever was chosen, in every process.
        """
        states, scale = self._written(condition, without_picture(codec, condition, self.guidance_scale))
        walked, t = self._start(z)
        x_t, at = walked, t
        for number, timestep in enumerate(self.further, 1):
            with torch.no_grad():
                walked, t = self._again(self._read(walked, t, states, scale), timestep, noise)
            reached = chosen.to(z.device) >= number
            x_t = torch.where(reached.reshape(-1, *(1 for _ in z.shape[1:])), walked, x_t)
            at = torch.where(reached, t, at)
        return self._read(x_t, at, states, scale)

    def _drawn(
        self,
        z: Tensor,
        condition: Condition,
        unconditional: Condition | None,
        noise: NoiseSource | None,
        per_picture: int = 1,
        on_step: OnStep | None = None,
    ) -> Tensor:
        if noise is None:
            raise ConfigError("a generator of few steps needs noise for the later ones", "Give its source.")
        states, scale = self._written(condition, unconditional, per_picture)
        steps = 1 + len(self.further)
        x_t, t = self._start(z)
        x0 = self._read(x_t, t, states, scale)
        for number, timestep in enumerate(self.further, 1):
            if on_step is not None:
                on_step(number, steps)
            x_t, t = self._again(x0, timestep, noise)
            x0 = self._read(x_t, t, states, scale)
        if on_step is not None:
            on_step(steps, steps)
        return x0

    def _again(self, x0: Tensor, timestep: int, noise: NoiseSource) -> tuple[Tensor, Tensor]:
        """x0 noised to ``timestep``, and that for each sample."""
        t = torch.full((len(x0),), timestep, device=x0.device, dtype=torch.long)
        return self.network.schedule.add_noise(x0, noise(x0.shape).to(x0), t), t
