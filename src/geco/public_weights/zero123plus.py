"""Zero123++ v1.1 / v1.2 from the hub or a diffusers folder, optionally with InstantMesh's white-background
UNet.

:func:`convert_zero123plus` writes one folder of ours: UNet, VAE, CLIP vision tower, and the text states of
the empty prompt, made once with the text encoder, which is not needed afterwards. :func:`load_zero123plus`
reads it.
"""

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
from geco.model_files.hub import fetch, is_hub_id
from geco.model_files.manifest import Manifest
from geco.model_files.part import read_part_card
from geco.model_files.state import check_state
from geco.multiview.schedule import Schedule
from geco.multiview.zero123plus.codec import GREY, WHITE, Zero123PlusCodec
from geco.multiview.zero123plus.network import Zero123PlusNetwork
from geco.multiview.zero123plus.preprocess import Preprocess
from geco.public_weights.diffusers_folder import read_diffusers_folder, read_state, weights_file
from geco.public_weights.library_models import Model, check_library_config, part
from geco.public_weights.licences import LICENCES
from geco.sampling import Sampling

FORMAT = "geco-zero123plus-1"
INSTANTMESH_UNET = "diffusion_pytorch_model.bin"
SHEET = (960, 640)  # height, width of the public pipeline's output
FOREGROUND_RATIO = 0.85  # of InstantMesh's resize_foreground
# As InstantMesh runs it: Euler ancestral, 75 steps, guidance 4.
TEACHER = Sampling("euler-ancestral", 75, 4.0)
_PATTERNS = ["model_index.json"] + [
    f"{part}/*"
    for part in (
        "unet",
        "vae",
        "vision_encoder",
        "text_encoder",
        "tokenizer",
        "scheduler",
        "feature_extractor_*",
    )
]


@dataclass
class Zero123Plus:
    """A loaded model: network, codec and its card."""

    network: Zero123PlusNetwork
    codec: Zero123PlusCodec
    card: dict[str, Any]


def convert_zero123plus(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    unet: str | os.PathLike[str] | None = None,
    rig: str | None = None,
    revision: str | None = None,
) -> dict[str, Any]:
    """Write a public model as one folder of ours; nothing is left behind that loads if anything is wrong.

    Args:
        source: a hub id (``sudo-ai/zero123plus-v1.2``) or a diffusers folder.
        output: the folder to write.
        unet: another UNet: ``TencentARC/InstantMesh`` (fetched), or its diffusion_pytorch_model.bin, or a
            .safetensors file; it is taken to paint a white background, as InstantMesh's does.
        rig: name of the camera rig; None reads v1.1 off the source's name and takes v1.2 otherwise.
        revision: of the hub's repository, where it shall not be the pinned one.

    Returns:
        The card.

    Raises:
        WeightsError: a part is missing, damaged or of another model. OutputError: the folder cannot be
            written.
    """
    name = str(source)
    licence = LICENCES.get(name, "that of the source folder (as released, Zero123++ is CC-BY-NC-4.0)")
    fetched = fetch(name, _PATTERNS, licence, revision) if is_hub_id(name) else None
    folder = fetched.folder if fetched else Path(source)
    if not folder.is_dir():
        raise WeightsError(
            f"{name} is neither a folder nor a hub id",
            "Give a diffusers folder, or a hub id such as sudo-ai/zero123plus-v1.2.",
        )
    found = read_diffusers_folder(folder)
    background, unet_revision = GREY, ""
    if unet is not None:
        unet_licence, unet_revision = _replace_unet(found.unet, unet)
        licence = f"{licence}; UNet: {unet_licence}"
        background = WHITE
    reduction = 2 ** (len(found.vae.config["block_out_channels"]) - 1)
    shape = (found.vae.config["latent_channels"], SHEET[0] // reduction, SHEET[1] // reduction)
    network = Zero123PlusNetwork(found.unet, found.schedule, shape)
    codec = Zero123PlusCodec(
        found.vae, found.vision, found.text_states, found.ramp, found.for_vae, found.for_vision, background
    )
    rig = rig or ("zero123plus-v1.1" if "v1.1" in name else "zero123plus-v1.2")
    card = {
        "source": _origin(source),
        "unet_source": None if unet is None else _origin(unet),
        "licence": licence,
    }
    card |= {"rig": rig, "revision": fetched.revision if fetched else "", "unet_revision": unet_revision}
    return save_zero123plus(output, Zero123Plus(network, codec, card))


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


def _replace_unet(unet: UNet2DConditionModel, source: str | os.PathLike[str]) -> tuple[str, str]:
    """Load another UNet's weights into ``unet``, strictly; the licence that applies to it, and
    the hub's commit.
    """
    name, revision = str(source), ""
    licence = LICENCES.get(name, "that of the file (as released, a derivative of Zero123++, CC-BY-NC-4.0)")
    path = Path(source)
    if is_hub_id(name):
        fetched = fetch(name, [INSTANTMESH_UNET], licence)
        path, revision = fetched.folder / INSTANTMESH_UNET, fetched.revision
    if path.is_dir():
        path = weights_file(path)
    state = read_state(path)
    check_state(state, unet.state_dict(), path)
    unet.load_state_dict(state, strict=True, assign=True)
    return licence, revision


def _origin(source: str | os.PathLike[str]) -> str:
    """A hub id, or the name of the local folder or file: where that lies is no business of a card
    that travels.
    """
    return str(source) if is_hub_id(source) else Path(source).name


def _plain_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """A diffusers config without its private entries, which name the machine it was made on."""
    return {key: value for key, value in config.items() if not key.startswith("_")}
