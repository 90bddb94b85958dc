"""The one-step generator: noise and a picture in, six views out, after one read pass."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from geco.multiview.guidance import guided, read, without_picture, write
from geco.multiview.interface import Condition, ConditionState, MultiViewNetwork, ViewCodec
from geco.multiview.noise import NoiseSource
from geco.sampling import OnStep


class OneStepGenerator:
    """z at the last timestep, prediction -> x0, reference always clean (GECO, section 3).

    The write pass of a picture is computed once (:meth:`encode`) and reused for every seed; seeds run as one
    batch. Everything is differentiable, so Stage I trains through it.

    Args:
        network: either family; its weights are the generator's.
        timestep: where z stands; None for the last one, as in the paper (DMD2 found 399 better for another
            teacher).
        guidance_scale: 1 where guidance is baked into the weights, so that one pass is enough (our default);
            the paper applies 4 to the generator.
        truncation: factor of z, 0 to 1: less keeps samples near the likeliest one (BigGAN's trick, arXiv
            1809.11096). Training sees all of the noise.
    """

    def __init__(
        self,
        network: MultiViewNetwork,
        timestep: int | None = None,
        guidance_scale: float = 1.0,
        truncation: float = 1.0,
    ) -> None:
        self.network = network
        self.truncation = truncation
        self.timestep = network.schedule.last if timestep is None else timestep
        self.guidance_scale = guidance_scale

    def encode(self, condition: Condition) -> ConditionState:
        """The write pass of clean references; batch B."""
        return self.network.encode_condition(condition)

    def __call__(
        self, z: Tensor, state: ConditionState, unconditional: ConditionState | None = None
    ) -> Tensor:
        """x0 (B, *sample_shape) float32 from standard normal z of that shape and states of batch B."""
        z, t = self._start(z)
        return guided(self.network, z, t, state, unconditional, self.guidance_scale, "x0").float()

    def from_noise(
        self, z: Tensor, condition: Condition, codec: ViewCodec, noise: NoiseSource | None = None
    ) -> Tensor:
        """x0 (B, *sample_shape) of B pictures, a sample each, with this generator's own guidance; ``noise``
        is of further steps, where there are some.
        """
        return self._drawn(z, condition, without_picture(codec, condition, self.guidance_scale), noise)

    def generate(
        self,
        condition: Condition,
        noise: NoiseSource,
        per_picture: int = 1,
        unconditional: Condition | None = None,
        on_step: OnStep | None = None,
    ) -> Tensor:
        """x0 (B * per_picture, *sample_shape): ``per_picture`` samples of each of B pictures, as
        one batch. ``on_step`` hears of several steps.
        """
        like = condition.picture if condition.picture is not None else condition.text
        assert like is not None
        z = noise((len(like) * per_picture, *self.network.sample_shape)).to(like.device)
        return self._drawn(z, condition, unconditional, noise, per_picture, on_step)

    def _drawn(
        self,
        z: Tensor,
        condition: Condition,
        unconditional: Condition | None,
        noise: NoiseSource | None,
        per_picture: int = 1,
        on_step: OnStep | None = None,
    ) -> Tensor:
        states, scale = self._written(condition, unconditional, per_picture)
        z, t = self._start(z)
        return self._read(z, t, states, scale)

    def _written(
        self, condition: Condition, unconditional: Condition | None, per_picture: int = 1
    ) -> tuple[list[ConditionState], float]:
        """The write pass of every sample, and the scale to read it with."""
        guided_by = unconditional is not None and self.guidance_scale != 1.0
        told = [unconditional, condition] if guided_by and unconditional is not None else [condition]
        states = [state.expand(per_picture) for state in write(self.network, told)]
        return states, self.guidance_scale if guided_by else 1.0

    def _read(self, x_t: Tensor, t: Tensor, states: Sequence[ConditionState], scale: float) -> Tensor:
        return read(self.network, x_t, t, states, scale, "x0").float()

    def _start(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Where the read pass begins: the noise, truncated, and its timestep."""
        return z * self.truncation, z.new_full((z.shape[0],), self.timestep).long()
