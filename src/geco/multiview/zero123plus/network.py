"""Zero123++'s UNet behind the multi-view interface: write pass, read pass, any prediction type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn

from geco.errors import ConfigError
from geco.multiview.interface import Condition, ConditionState, PredictionType
from geco.multiview.schedule import Schedule
from geco.multiview.zero123plus.attention import Read, Write, install_reference_attention
from geco.passes import Wrap, plainly

TEXT = "text"  # the name of the cross-attention states among a ConditionState's tensors
SHEET_LATENT = (4, 120, 80)  # of the released models: a 960 x 640 sheet through a VAE that divides by 8
# a clean reference is written at the cleanest timestep; the paper is silent (our decision)
CLEAN_TIMESTEP = 0

# Layout of the released UNet: Stable Diffusion 2's, 865,910,724 parameters. A folder's own config takes
# precedence.
ZERO123PLUS_UNET: Mapping[str, Any] = {
    "sample_size": 96,
    "in_channels": 4,
    "out_channels": 4,
    "down_block_types": (
        "CrossAttnDownBlock2D",
        "CrossAttnDownBlock2D",
        "CrossAttnDownBlock2D",
        "DownBlock2D",
    ),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
    "block_out_channels": (320, 640, 1280, 1280),
    "layers_per_block": 2,
    "cross_attention_dim": 1024,
    "attention_head_dim": (5, 10, 20, 20),
    "use_linear_projection": True,
}


class Zero123PlusNetwork(nn.Module):
    """See :class:`geco.multiview.interface.MultiViewNetwork`.

    Args:
        unet: its attention processors are replaced; its weights and their names are untouched.
        schedule: Zero123++'s linear one unless given.
        sample_shape: (4, 3h, 2w), the latents of a sheet.
        noised_reference: True for the public teacher, False for a GECO generator.
        query_chunk: see :class:`ReferenceAttention`; worth setting on MPS, whose attention has no fused
            kernel.
    """

    native_prediction: PredictionType = "v"

    def __init__(
        self,
        unet: UNet2DConditionModel,
        schedule: Schedule | None = None,
        sample_shape: tuple[int, ...] = SHEET_LATENT,
        noised_reference: bool = True,
        query_chunk: int | None = None,
    ) -> None:
        super().__init__()
        self.unet = unet
        self.schedule = schedule or Schedule.linear()
        self.sample_shape = tuple(sample_shape)
        self.noised_reference = noised_reference
        self.self_attentions = install_reference_attention(unet, query_chunk)
        self.through(plainly)

    def through(self, wrap: Wrap) -> None:
        """Run both passes through ``wrap`` from now on."""
        self._write, self._read = (wrap([self.unet], run) for run in (self._tokens, self._prediction))

    def recompute(self, run: Callable[..., Any] | None = None) -> None:
        """Keep no activations of the blocks for a backward pass, which computes them again.

        Args:
            run: ``run(block, *tensors)`` calls a block so; None for torch's own checkpointing.
        """
        self.unet.enable_gradient_checkpointing(run)

    @classmethod
    def from_config(
        cls, unet_config: Mapping[str, Any] = ZERO123PLUS_UNET, **settings: Any
    ) -> Zero123PlusNetwork:
        """A network with untrained weights; inside ``torch.device("meta")`` nothing is allocated."""
        return cls(UNet2DConditionModel(**unet_config), **settings)

    @property
    def units(self) -> list[nn.Module]:
        """What a sharded training gathers one after the other, in the order of a pass."""
        return [*self.unet.down_blocks, self.unet.mid_block, *self.unet.up_blocks]

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights; inputs are cast to it."""
        return self.unet.dtype

    def encode_condition(
        self, condition: Condition, t: Tensor | None = None, noise: Tensor | None = None
    ) -> ConditionState:
        """The write pass. A noised reference is written at ``t``, a clean one at timestep 0, or at ``t`` too
        where that is given without noise.

        Args:
            condition: picture (B, 4, h, w) VAE latents (no scaling factor, no :func:`scale_latents`) and text
                (B, T, E); without a picture nothing is written and the read pass attends to its own tokens
                only.
            t: (B,) or (); with ``noise``, of the picture's shape, of a noised reference.

        Raises:
            ConfigError: no text states, or noise without a timestep.
        """
        if condition.text is None:
            raise ConfigError(
                "Zero123++ needs text states beside the picture", "Make the condition with Zero123PlusCodec."
            )
        if t is None and noise is not None:
            raise ConfigError(
                "a noised reference needs both a timestep and noise", "Give both, or neither for a clean one."
            )
        text = condition.text.to(self.dtype)
        if condition.picture is None:
            return ConditionState({TEXT: text})
        picture = condition.picture
        if t is None:
            t = torch.full((picture.shape[0],), CLEAN_TIMESTEP, device=picture.device)
        elif noise is not None:
            # The public code adds noise in its sampler's own form and then scales the model input: the same
            # thing.
            picture = self.schedule.add_noise(picture.float(), noise, t)
        tokens = self._write(picture.to(self.dtype), t, text)
        return ConditionState({TEXT: text, **dict(zip(self.self_attentions, tokens, strict=True))})

    def predict(
        self, x_t: Tensor, t: Tensor, state: ConditionState, prediction_type: PredictionType
    ) -> Tensor:
        """The read pass; x_t (B, 4, 3h, 2w), t (B,) or ()."""
        tokens = [state.tensors[name] for name in self.self_attentions] if len(state.tensors) > 1 else []
        v = self._read(x_t.to(self.dtype), t, state.tensors[TEXT], *tokens).to(x_t.dtype)
        return self.schedule.convert(v, x_t, t, self.native_prediction, prediction_type)

    forward = predict

    def _tokens(self, sample: Tensor, t: Tensor, text: Tensor) -> tuple[Tensor, ...]:
        """What every self-attention was given, in their order."""
        tokens: dict[str, Tensor] = {}
        self._unet(sample, t, text, Write(tokens))
        return tuple(tokens[name] for name in self.self_attentions)

    def _prediction(self, sample: Tensor, t: Tensor, text: Tensor, *tokens: Tensor) -> Tensor:
        """The network's own output; without ``tokens`` no reference is attended."""
        return self._unet(sample, t, text, Read(dict(zip(self.self_attentions, tokens))))

    def _unet(self, sample: Tensor, t: Tensor, text: Tensor, reference: Write | Read) -> Tensor:
        return self.unet(
            sample,
            t,
            encoder_hidden_states=text,
            cross_attention_kwargs={"reference": reference},
            return_dict=False,
        )[0]
