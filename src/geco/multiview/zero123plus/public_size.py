"""The networks of the public models at their true sizes without their weights: for simulations and
benchmarks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from geco.multiview.zero123plus.codec import Zero123PlusCodec
from geco.multiview.zero123plus.network import SHEET_LATENT, ZERO123PLUS_UNET, Zero123PlusNetwork
from geco.multiview.zero123plus.preprocess import Preprocess

# Stable Diffusion 2's VAE and OpenCLIP's ViT-H/14, which Zero123++ is built on.
VAE: Mapping[str, Any] = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
    "sample_size": 768,
    "scaling_factor": 0.18215,
}
VISION: Mapping[str, Any] = {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 16,
    "patch_size": 14,
    "projection_dim": 1024,
    "hidden_act": "gelu",
}
TEXT_STATES = (1, 77, 1024)  # of the empty prompt: CLIP's tokens, the UNet's width
PICTURE_SIZE = 512  # side of the condition picture in pixels


def public_networks(
    noised_reference: bool = False, narrower: int = 1, sheet: tuple[int, ...] = SHEET_LATENT
) -> tuple[Zero123PlusNetwork, Zero123PlusCodec]:
    """UNet and codec of Zero123++'s size, untrained, in torch's default format and on its default device;
    in ``torch.device("meta")`` they take no memory.

    Args:
        noised_reference: True for the teacher, False for a one-step generator.
        narrower: what the layers' widths are divided by, 1, 2 or 4; their depth stays.
        sheet: (4, 3h, 2w), of the sheet's latents.
    """
    groups = {"norm_num_groups": 32 if narrower == 1 else 16}
    unet, vae, vision = ({**layout} for layout in (ZERO123PLUS_UNET, VAE, VISION))
    for layout, key in ((unet, "block_out_channels"), (vae, "block_out_channels")):
        layout |= {key: tuple(width // narrower for width in layout[key]), **groups}
    vision |= {key: vision[key] // narrower for key in ("hidden_size", "intermediate_size")}
    network = Zero123PlusNetwork.from_config(unet, noised_reference=noised_reference, sample_shape=sheet)
    codec = Zero123PlusCodec(
        AutoencoderKL(**vae),
        CLIPVisionModelWithProjection(CLIPVisionConfig(**vision)),
        torch.zeros(TEXT_STATES),
        torch.linspace(0, 1, TEXT_STATES[1]),
        Preprocess((0.5,) * 3, (0.8,) * 3, shortest=PICTURE_SIZE, crop=(PICTURE_SIZE, PICTURE_SIZE)),
        Preprocess.from_transformers({}),
    )
    return network.eval().requires_grad_(False), codec.eval().requires_grad_(False)
