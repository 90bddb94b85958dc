"""Zero123++ as a folder of ours: saved, and loaded with every weight checked."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from geco.cameras import RIGS
from geco.errors import ConfigError, WeightsError
from geco.foreign import Fields
from geco.model_files.folder import read_part, write_folder
from geco.model_files.manifest import Manifest
from geco.model_files.part import read_part_card
from geco.model_files.state import check_state
from geco.multiview.schedule import Schedule
from geco.multiview.zero123plus.codec import Zero123PlusCodec
from geco.multiview.zero123plus.network import Zero123PlusNetwork
from geco.multiview.zero123plus.preprocess import Preprocess
from geco.public_weights.library_models import Model, check_library_config, part

FORMAT = "geco-zero123plus-1"
FOREGROUND_RATIO = 0.85  # of InstantMesh's resize_foreground


@dataclass
class Zero123Plus:
    """A loaded model: network, codec and its card."""

    network: Zero123PlusNetwork
    codec: Zero123PlusCodec
    card: dict[str, Any]


def save_zero123plus(output: str | os.PathLike[str], model: Zero123Plus) -> dict[str, Any]:
    """Write a model, public or trained from one, as a model folder; the card as written.

    ``model.card`` gives licence, source, rig and whatever else shall be kept; the settings are taken from the
    networks.
    """
    network, codec = model.network, model.codec
    card = {
        "format": FORMAT,
        "licence": "that of the model it was trained from",
        "rig": "zero123plus-v1.2",
        "foreground_ratio": FOREGROUND_RATIO,
        **{key: value for key, value in model.card.items() if key not in ("format", "files")},
        "background": codec.background,
        "noised_reference": network.noised_reference,
        "sample_shape": list(network.sample_shape),
        "schedule": network.schedule.config,
        "for_vae": codec.for_vae.config(),
        "for_vision": codec.for_vision.config(),
        "unet": _plain_config(network.unet.config),
        "vae": _plain_config(codec.vae.config),
        "vision": codec.vision.config.to_diff_dict(),
    }
    parts = {
        "unet": network.unet.state_dict(),
        "vae": codec.vae.state_dict(),
        "vision": codec.vision.state_dict(),
        "text": {"text_states": codec.text_states, "ramp": codec.ramp},
    }
    write_folder(output, card, parts)
    return read_part_card(output, FORMAT).values


def load_zero123plus(
    folder: str | os.PathLike[str],
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    check_hash: bool = True,
) -> Zero123Plus:
    """A folder of :func:`convert_zero123plus` or :func:`save_zero123plus`, ready for inference.

    Raises:
        WeightsError: a file is missing, truncated, changed, or does not fit the card's settings.
    """
    source = Path(folder)
    fields = read_part_card(source, FORMAT)
    card = _checked(fields)

    def module(stem: str, build: Callable[[dict[str, Any]], Model]) -> Model:
        settings, path = check_library_config(fields.fields(stem)), source / f"{stem}.safetensors"
        state = {
            key: value.to(dtype) for key, value in read_part(source, fields, stem, device, check_hash).items()
        }
        return part(lambda: build(dict(settings.values)), state, path, settings).to(device)

    try:
        unet = module("unet", UNet2DConditionModel.from_config)
        vae = module("vae", AutoencoderKL.from_config)
        vision = module(
            "vision", lambda settings: CLIPVisionModelWithProjection(CLIPVisionConfig(**settings))
        )
        text = read_part(source, fields, "text", device, check_hash)
        check_state(text, _text_like(text, vision, unet), source / "text.safetensors")
        # Attention on Apple's GPU has no fused kernel: 9,600 queries at once would need gigabytes.
        chunk = 1024 if torch.device(device).type == "mps" else None
        schedule, shape = Schedule.from_config(card["schedule"]), tuple(card["sample_shape"])
        network = Zero123PlusNetwork(unet, schedule, shape, card["noised_reference"], chunk)
        for_vae, for_vision = (
            Preprocess.from_fields(fields.fields(key)) for key in ("for_vae", "for_vision")
        )
        states, ramp = (text[key].to(dtype) for key in ("text_states", "ramp"))
        codec = Zero123PlusCodec(vae, vision, states, ramp, for_vae, for_vision, card["background"])
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError, ConfigError) as error:
        raise WeightsError(
            f"{source / 'config.json'} does not describe a Zero123++ model: {error!r}",
            "Convert the model again.",
        ) from error
    for module in (network, codec):
        module.eval().requires_grad_(False)
    return Zero123Plus(network, codec, card)


def _checked(card: Fields) -> dict[str, Any]:
    """The card's values after a look at those that are used as they are; the fields' own error."""
    card.choice("rig", RIGS)
    card.number("foreground_ratio", 0.1, 1.0)
    card.number("background", 0.0, 1.0)
    card.flag("noised_reference")
    card.text("licence", 10_000)
    shape = card.integers("sample_shape", 1, 1024, 3)
    if len(shape) != 3 or shape[1] % 3 or shape[2] % 2:
        raise card.wrong("has no sample_shape of (channels, 3 h, 2 w)")
    Manifest(card)
    return card.values


def _text_like(text: Mapping[str, torch.Tensor], vision: Any, unet: Any) -> dict[str, torch.Tensor]:
    """What the file of the empty prompt's states must hold: (1, T, E) and the ramp (T,), E the
    width of both networks.
    """
    width = int(unet.config["cross_attention_dim"])
    if vision.config.projection_dim != width:
        raise ValueError(f"the vision tower's width {vision.config.projection_dim} is not the UNet's {width}")
    tokens = text["ramp"].numel() if "ramp" in text else 1
    return {"text_states": torch.empty(1, tokens, width), "ramp": torch.empty(tokens)}


def _plain_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """A diffusers config without its private entries, which name the machine it was made on."""
    return {key: value for key, value in config.items() if not key.startswith("_")}
