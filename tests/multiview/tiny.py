"""Tiny networks with seeded random weights, and a network whose exact answer is known."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL
from torch import Tensor
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from geco.multiview.interface import Condition, ConditionState, PredictionType, Schedule
from geco.multiview.zero123plus.codec import Zero123PlusCodec
from geco.multiview.zero123plus.network import Zero123PlusNetwork
from geco.multiview.zero123plus.preprocess import Preprocess

UNET = {
    "sample_size": 8,
    "in_channels": 4,
    "out_channels": 4,
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "block_out_channels": (16, 32),
    "layers_per_block": 1,
    "cross_attention_dim": 24,
    "attention_head_dim": (2, 4),
    "use_linear_projection": True,
    "norm_num_groups": 4,
}
VAE = {
    "block_out_channels": (4, 8),
    "down_block_types": ("DownEncoderBlock2D",) * 2,
    "up_block_types": ("UpDecoderBlock2D",) * 2,
    "layers_per_block": 1,
    "latent_channels": 4,
    "norm_num_groups": 2,
    "sample_size": 32,
    "scaling_factor": 0.18215,
}
VISION = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 16,
    "patch_size": 8,
    "projection_dim": 24,
}
SHEET = (4, 12, 8)
FOR_VAE = Preprocess((0.5,) * 3, (0.8,) * 3, shortest=16, crop=(16, 16))
FOR_VISION = Preprocess.from_transformers({"size": {"shortest_edge": 16}, "crop_size": 16})


def network(noised_reference: bool = False, query_chunk: int | None = None) -> Zero123PlusNetwork:
    torch.manual_seed(0)
    made = Zero123PlusNetwork.from_config(
        UNET, sample_shape=SHEET, noised_reference=noised_reference, query_chunk=query_chunk
    )
    return made.eval().requires_grad_(False)


def codec(background: float = 1.0) -> Zero123PlusCodec:
    torch.manual_seed(1)
    vae, vision = AutoencoderKL(**VAE), CLIPVisionModelWithProjection(CLIPVisionConfig(**VISION))
    text, ramp = torch.randn(1, 7, 24), torch.linspace(0, 1, 7)
    return (
        Zero123PlusCodec(vae, vision, text, ramp, FOR_VAE, FOR_VISION, background)
        .eval()
        .requires_grad_(False)
    )


def condition(batch: int = 1, seed: int = 2) -> Condition:
    generator = torch.Generator().manual_seed(seed)
    return Condition(
        torch.randn(batch, 4, 8, 8, generator=generator), torch.randn(batch, 7, 24, generator=generator)
    )


class GaussianNetwork(torch.nn.Module):
    """The exact predictor for data that is N(mean, spread^2) in every number, mean being the
    condition's picture.
    """

    noised_reference = False

    def __init__(
        self, spread: float, schedule: Schedule, shape: tuple[int, ...] = (3,), native: PredictionType = "v"
    ) -> None:
        super().__init__()
        self.spread, self.schedule, self.sample_shape, self.native_prediction = (
            spread,
            schedule,
            shape,
            native,
        )
        self.encoded = 0

    def encode_condition(
        self, condition: Condition, t: Tensor | None = None, noise: Tensor | None = None
    ) -> ConditionState:
        assert condition.picture is not None
        self.encoded += len(condition.picture)
        return ConditionState({"mean": condition.picture})

    def predict(
        self, x_t: Tensor, t: Tensor, state: ConditionState, prediction_type: PredictionType
    ) -> Tensor:
        signal, level = self.schedule.levels(t, x_t)
        mean = state.tensors["mean"]
        gain = signal * self.spread**2 / (signal**2 * self.spread**2 + level**2)
        return self.schedule.convert(mean + gain * (x_t - signal * mean), x_t, t, "x0", prediction_type)
