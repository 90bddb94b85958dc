"""The one-step generator: noise and a picture in, six views out, after one read pass."""

from __future__ import annotations

from torch import Tensor

from geco.multiview.guidance import guided, without_picture
from geco.multiview.interface import Condition, ConditionState, MultiViewNetwork, ViewCodec
from geco.multiview.noise import NoiseSource


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
        t = z.new_full((z.shape[0],), self.timestep).long()
        network, z = self.network, z * self.truncation
        if unconditional is None or self.guidance_scale == 1.0:
            return network.predict(z, t, state, "x0").float()
        return guided(network, z, t, state, unconditional, self.guidance_scale, "x0").float()

    def from_noise(self, z: Tensor, condition: Condition, codec: ViewCodec) -> Tensor:
        """x0 (B, *sample_shape) of B pictures, a sample each, with this generator's own guidance."""
        without = without_picture(codec, condition, self.guidance_scale)
        return self(z, self.encode(condition), None if without is None else self.encode(without))

    def generate(
        self,
        condition: Condition,
        noise: NoiseSource,
        per_picture: int = 1,
        unconditional: Condition | None = None,
    ) -> Tensor:
        """x0 (B * per_picture, *sample_shape): ``per_picture`` samples of each of B pictures, as
        one batch.
        """
        state = self.encode(condition).expand(per_picture)
        without = (
            self.encode(unconditional).expand(per_picture)
            if unconditional and self.guidance_scale != 1.0
            else None
        )
        like = next(iter(state.tensors.values()))
        z = noise((state.batch, *self.network.sample_shape)).to(like.device)
        return self(z, state, without)
