"""TripoSR's release in small: config.yaml and model.ckpt, as the public code reads them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml

from geco.public_weights.triposr_settings import ENCODER
from geco.reconstruct.triposr.config import TripoSRConfig
from geco.reconstruct.triposr.model import TripoSR
from geco.reconstruct.vit_config import ViTConfig

Change = Callable[[dict[str, Any]], None]


def settings(config: TripoSRConfig) -> dict[str, Any]:
    """A config.yaml as the release has it; it names its image encoder, and refers to a number by its
    place.
    """
    return {
        "cond_image_size": config.cond_image_size,
        "image_tokenizer_cls": "tsr.models.tokenizers.image.DINOSingleImageTokenizer",
        "image_tokenizer": {
            "pretrained_model_name_or_path": ENCODER if config.vit == ViTConfig() else "encoder"
        },
        "tokenizer_cls": "tsr.models.tokenizers.triplane.Triplane1DTokenizer",
        "tokenizer": {"plane_size": config.plane_size, "num_channels": config.channels},
        "backbone_cls": "tsr.models.transformer.transformer_1d.Transformer1D",
        "backbone": {
            "in_channels": "${tokenizer.num_channels}",
            "num_attention_heads": config.heads,
            "attention_head_dim": config.head_dim,
            "num_layers": config.layers,
            "norm_num_groups": config.norm_groups,
            "cross_attention_dim": config.vit.hidden_size,
        },
        "post_processor_cls": "tsr.models.network_utils.TriplaneUpsampleNetwork",
        "post_processor": {"in_channels": config.channels, "out_channels": config.plane_channels},
        "decoder_cls": "tsr.models.network_utils.NeRFMLP",
        "decoder": {
            "in_channels": config.features,
            "n_neurons": config.neurons,
            "n_hidden_layers": config.hidden_layers,
            "activation": config.activation,
        },
        "renderer_cls": "tsr.models.nerf_renderer.TriplaneNeRFRenderer",
        "renderer": {
            "radius": config.radius,
            "feature_reduction": config.feature_reduction,
            "density_activation": config.density_activation,
            "density_bias": config.density_bias,
            "num_samples_per_ray": config.samples_per_ray,
        },
    }


def write(
    folder: Path,
    model: TripoSR,
    change: Change = lambda state: None,
    change_settings: Change = lambda values: None,
) -> Path:
    """The two files, after the changes, and the settings of an image encoder as small."""
    folder.mkdir(parents=True, exist_ok=True)
    state: dict[str, Any] = dict(model.state_dict())
    values = settings(model.config)
    change(state)
    change_settings(values)
    torch.save(state, folder / "model.ckpt")
    (folder / "config.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    (folder / "encoder").mkdir(exist_ok=True)
    encoder = {"architectures": ["ViTModel"], "hidden_act": "gelu", **model.config.vit.to_dict()}
    (folder / "encoder" / "config.json").write_text(json.dumps(encoder))
    return folder
