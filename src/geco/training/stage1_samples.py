"""The generator's samples in Stage I: as they are trained, by one of its steps, and as they are used."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from geco.multiview.few_step import FewStepGenerator, generator_of
from geco.multiview.interface import Condition, MultiViewNetwork, ViewCodec
from geco.multiview.noise import NoiseSource, SeededNoise
from geco.training.held_out import SEED
from geco.training.stage1_options import Stage1Options
from geco.training.state import standard_normal


class Samples:
    """Of ``network``, float32 x0 (B, *sample_shape) each; never truncated.

    Args:
        codec: of the conditions.
        device: of the network.
    """

    def __init__(
        self, network: MultiViewNetwork, codec: ViewCodec, options: Stage1Options, device: torch.device
    ) -> None:
        self._codec, self._device, self._shape = codec, device, network.sample_shape
        self._generator = generator_of(network, replace(options.sampling, truncation=1.0))
        self._steps = options.steps

    def fresh(self, condition: Condition, rng: torch.Generator) -> Tensor:
        """Of new noise, by one of the generator's steps."""
        return self.of_a_step(self._z(condition, rng), condition, rng)

    def of_a_step(self, z: Tensor, condition: Condition, rng: torch.Generator) -> Tensor:
        """Of noise z by one of the generator's steps, drawn for each sample where there are several."""
        generator = self._generator
        if not isinstance(generator, FewStepGenerator):
            return generator.from_noise(z, condition, self._codec)
        chosen = torch.randint(self._steps, (len(z),), generator=rng, device=rng.device)
        return generator.at_steps(z, condition, self._codec, _drawn_by(rng), chosen)

    def used(self, condition: Condition, rng: torch.Generator) -> Tensor:
        """Of new noise, by all of its steps."""
        z = self._z(condition, rng)
        return self._generator.from_noise(z, condition, self._codec, _drawn_by(rng))

    def of_noise(self, z: Tensor, condition: Condition) -> Tensor:
        """Of noise z by all of its steps, whose own noise is always the same."""
        return self._generator.from_noise(z, condition, self._codec, SeededNoise([SEED], "further steps"))

    def _z(self, condition: Condition, rng: torch.Generator) -> Tensor:
        assert condition.picture is not None
        return standard_normal((len(condition.picture), *self._shape), rng).to(self._device)


def _drawn_by(rng: torch.Generator) -> NoiseSource:
    return lambda shape: standard_normal(tuple(shape), rng)
