"""Zero123++ as a folder of ours: saved, and loaded with every weight checked."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from geco.cameras import RIGS
from geco.errors import ConfigError, WeightsError
from geco.foreign import Fields
from geco.model_files.folder import Linked, read_part, write_folder
from geco.model_files.manifest import Manifest
from geco.model_files.part import read_part_card
from geco.model_files.state import check_state
from geco.multiview.schedule import Schedule
from geco.multiview.zero123plus.codec import Zero123PlusCodec
from geco.multiview.zero123plus.network import Zero123PlusNetwork
from geco.multiview.zero123plus.preprocess import Preprocess
from geco.public_weights.library_models import MOST_WIDTH, Model, check_library_config, part

FORMAT = "geco-zero123plus-1"
FOREGROUND_RATIO = 0.85  # of InstantMesh's resize_foreground
CODEC = ("vae", "vision", "text")  # the parts that no training changes
CLIP_WIDTH = 512  # of a projection, where the card leaves it out: transformers' default
DECODER = ("decoder.", "post_quant_conv.")  # of the VAE, what decoding takes
_WRONG = (KeyError, TypeError, ValueError, RuntimeError, AttributeError, ConfigError)


@dataclass
class Zero123Plus:
    """A loaded model: network, codec and its card."""

    network: Zero123PlusNetwork
    codec: Zero123PlusCodec
    card: dict[str, Any]


def save_zero123plus(
    output: str | os.PathLike[str], model: Zero123Plus, unchanged: str | os.PathLike[str] | None = None
) -> dict[str, Any]:
    """Write a model, public or trained from one, as a model folder; the card as written.

    ``model.card`` gives licence, source, rig and whatever else shall be kept; the settings are taken from the
    networks.

    Args:
        unchanged: a folder of ours whose codec is the model's: VAE, CLIP and text states are then linked (or
            copied, where the file system has no links), neither written nor hashed again.
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
        "unet": _plain_config(network.unet.config),
    }
    parts: dict[str, Mapping[str, torch.Tensor]] = {"unet": network.unet.state_dict()}
    if unchanged is not None:
        known = read_part_card(unchanged, FORMAT)
        card |= {key: known.values[key] for key in ("for_vae", "for_vision", "vae", "vision")}
        write_folder(output, card, parts, Linked(Path(unchanged), known, CODEC))
        return read_part_card(output, FORMAT).values
    assert codec.vision is not None
    card |= {
        "for_vae": codec.for_vae.config(),
        "for_vision": codec.for_vision.config(),
        "vae": _plain_config(codec.vae.config),
        "vision": codec.vision.config.to_diff_dict(),
    }
    parts |= {
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
    encoders: bool = True,
) -> Zero123Plus:
    """A folder of :func:`convert_zero123plus` or :func:`save_zero123plus`, ready for inference.

    Args:
        encoders: without them the VAE's encoder and CLIP take no memory, and the codec only decodes.

    Raises:
        WeightsError: a file is missing, truncated, changed, or does not fit the card's settings.
    """
    parts = _Parts(Path(folder), device, dtype, check_hash)
    card = parts.card
    try:
        unet = parts.module("unet", UNet2DConditionModel.from_config)
        codec = _codec(parts, encoders)
        # Attention on Apple's GPU has no fused kernel: 9,600 queries at once would need gigabytes.
        chunk = 1024 if torch.device(device).type == "mps" else None
        schedule, shape = Schedule.from_config(card["schedule"]), tuple(card["sample_shape"])
        network = Zero123PlusNetwork(unet, schedule, shape, card["noised_reference"], chunk)
    except _WRONG as error:
        raise parts.wrong(error) from error
    for module in (network, codec):
        module.eval().requires_grad_(False)
    return Zero123Plus(network, codec, card)


def load_codec(
    folder: str | os.PathLike[str],
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    check_hash: bool = True,
) -> Zero123PlusCodec:
    """The codec of such a folder without the UNet; errors as :func:`load_zero123plus`."""
    parts = _Parts(Path(folder), device, dtype, check_hash)
    try:
        return _codec(parts, encoders=True).eval().requires_grad_(False)
    except _WRONG as error:
        raise parts.wrong(error) from error


class _Parts:
    """A folder's networks, one by one."""

    def __init__(
        self, folder: Path, device: torch.device | str, dtype: torch.dtype, check_hash: bool
    ) -> None:
        self.folder, self.device, self.dtype, self.check_hash = folder, device, dtype, check_hash
        self.fields = read_part_card(folder, FORMAT)
        self.card = _checked(self.fields)

    def module(
        self, stem: str, build: Callable[[dict[str, Any]], Model], only: tuple[str, ...] = ("",)
    ) -> Model:
        """One network, or of its weights those alone whose names begin so."""
        settings, path = check_library_config(self.fields.fields(stem)), self.folder / f"{stem}.safetensors"
        read = read_part(self.folder, self.fields, stem, "cpu", self.check_hash)  # memory-mapped there
        state = {
            key: value.to(self.device, self.dtype) for key, value in read.items() if key.startswith(only)
        }
        return part(lambda: build(dict(settings.values)), state, path, settings).to(self.device)

    def wrong(self, error: Exception) -> WeightsError:
        """The error to raise where the library does not take what the card says."""
        problem = f"{self.folder / 'config.json'} does not describe a Zero123++ model: {error!r}"
        return WeightsError(problem, "Convert the model again.")


def _codec(parts: _Parts, encoders: bool) -> Zero123PlusCodec:
    vision = None
    if encoders:
        vae = parts.module("vae", AutoencoderKL.from_config)
        vision = parts.module("vision", _vision)
    else:
        vae = parts.module("vae", _decoder_alone, DECODER)
    fields, card = parts.fields, parts.card
    text = read_part(parts.folder, fields, "text", parts.device, parts.check_hash)
    check_state(text, _text_like(text, fields), parts.folder / "text.safetensors")
    for_vae, for_vision = (Preprocess.from_fields(fields.fields(key)) for key in ("for_vae", "for_vision"))
    states, ramp = (text[key].to(parts.dtype) for key in ("text_states", "ramp"))
    return Zero123PlusCodec(vae, vision, states, ramp, for_vae, for_vision, card["background"])


def _vision(settings: dict[str, Any]) -> CLIPVisionModelWithProjection:
    return CLIPVisionModelWithProjection(CLIPVisionConfig(**settings))


def _decoder_alone(settings: dict[str, Any]) -> AutoencoderKL:
    vae: Any = AutoencoderKL.from_config(settings)
    vae.encoder = vae.quant_conv = None
    return cast(AutoencoderKL, vae)


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


def _text_like(text: Mapping[str, torch.Tensor], card: Fields) -> dict[str, torch.Tensor]:
    """What the file of the empty prompt's states must hold: (1, T, E) and the ramp (T,), E the
    width of CLIP's projection and of the UNet's cross attention.
    """
    width = card.fields("vision").integer("projection_dim", 1, MOST_WIDTH, CLIP_WIDTH)
    if width != (wanted := card.fields("unet").integer("cross_attention_dim", 1, MOST_WIDTH)):
        raise ValueError(f"the vision tower's width {width} is not the UNet's {wanted}")
    tokens = text["ramp"].numel() if "ramp" in text else 1
    return {"text_states": torch.empty(1, tokens, width), "ramp": torch.empty(tokens)}


def _plain_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """A diffusers config without its private entries, which name the machine it was made on."""
    return {key: value for key, value in config.items() if not key.startswith("_")}
