"""A tiny Zero123++ pipeline folder in the layout of the released ones, written by the public
classes themselves.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, EulerAncestralDiscreteScheduler, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPVisionConfig, CLIPVisionModelWithProjection

from tests.multiview import tiny

TOKENS = 9
VOCABULARY = {"!": 0, "a": 1, "a</w>": 2, "!</w>": 3, "<|startoftext|>": 4, "<|endoftext|>": 5}
TEXT = {
    "hidden_size": 24,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "vocab_size": 6,
    "max_position_embeddings": TOKENS,
    "bos_token_id": 4,
    "eos_token_id": 5,
    "pad_token_id": 0,
}
EXTRACTORS = {
    "vae": {
        "size": {"shortest_edge": 16},
        "crop_size": {"height": 16, "width": 16},
        "image_mean": [0.5] * 3,
        "image_std": [0.8] * 3,
    },
    "clip": {"size": {"shortest_edge": 16}, "crop_size": {"height": 16, "width": 16}},
}
SCHEDULER = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "linear",
    "prediction_type": "v_prediction",
}


def write(folder: Path) -> dict[str, Any]:
    """Write the folder; the modules whose weights are in it."""
    torch.manual_seed(0)
    parts = {
        "unet": UNet2DConditionModel(**tiny.UNET),
        "vae": AutoencoderKL(**tiny.VAE),
        "vision_encoder": CLIPVisionModelWithProjection(CLIPVisionConfig(**tiny.VISION)),
        "text_encoder": CLIPTextModel(CLIPTextConfig(**TEXT)),
    }
    for name in ("unet", "vae", "vision_encoder"):
        parts[name].eval().save_pretrained(folder / name)
    _write_text_encoder(folder / "text_encoder", parts["text_encoder"].eval())
    _write_tokenizer(folder / "tokenizer")
    EulerAncestralDiscreteScheduler(**SCHEDULER, timestep_spacing="trailing").save_pretrained(
        folder / "scheduler"
    )
    for kind, config in EXTRACTORS.items():
        write_json(folder / f"feature_extractor_{kind}" / "preprocessor_config.json", config)
    ramp = [index / TOKENS for index in range(TOKENS)]
    write_json(
        folder / "model_index.json", {"_class_name": "Zero123PlusPipeline", "ramping_coefficients": ramp}
    )
    return parts


def write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def _write_text_encoder(folder: Path, encoder: CLIPTextModel) -> None:
    # As transformers 4 wrote it: every key below "text_model.", and the position numbers among the weights.
    state = {
        "text_model." + key.removeprefix("text_model."): value for key, value in encoder.state_dict().items()
    }
    state["text_model.embeddings.position_ids"] = torch.arange(TOKENS)[None]
    write_json(
        folder / "config.json",
        {
            **TEXT,
            "architectures": ["CLIPTextModel"],
            "model_type": "clip_text_model",
            "torch_dtype": "float32",
        },
    )
    save_file(state, folder / "model.safetensors", {"format": "pt"})


def _write_tokenizer(folder: Path) -> None:
    write_json(folder / "vocab.json", VOCABULARY)
    (folder / "merges.txt").write_text("#version: 0.2\n")
    named = {
        "bos_token": "<|startoftext|>",
        "eos_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
        "pad_token": "!",
    }
    write_json(folder / "special_tokens_map.json", named)
    write_json(
        folder / "tokenizer_config.json",
        {**named, "tokenizer_class": "CLIPTokenizer", "model_max_length": TOKENS},
    )
