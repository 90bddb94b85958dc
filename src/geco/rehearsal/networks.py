"""The networks of a model of the full family without their weights: of the public sizes, or as a folder's
cards say.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import nn
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from geco.model_files.card import MULTIVIEW, RECONSTRUCTOR
from geco.model_files.part import read_part_card
from geco.multiview.zero123plus.codec import Zero123PlusCodec
from geco.multiview.zero123plus.network import Zero123PlusNetwork
from geco.multiview.zero123plus.preprocess import Preprocess
from geco.multiview.zero123plus.public_size import TEXT_STATES
from geco.public_weights import instantmesh
from geco.public_weights.library_models import built, check_library_config
from geco.public_weights.zero123plus_folder import FORMAT
from geco.reconstruct.instantmesh.config import InstantMeshConfig
from geco.reconstruct.instantmesh.model import InstantMesh
from geco.torch_runtime.foreseen import Networks, public_size


def networks_of(folder: Path | None) -> Networks:
    """On ``meta``, of the sizes of the model folder; None: of the public weights'.

    Raises:
        WeightsError: a card is missing, or does not describe such a network.
    """
    if folder is None:
        return public_size(teacher=True)
    with torch.device("meta"):
        views = _views(folder / MULTIVIEW)
        card = read_part_card(folder / RECONSTRUCTOR, instantmesh.FORMAT)
        model = InstantMesh(InstantMeshConfig.from_fields(card.fields("config")))
        return replace(views, model=model.eval().requires_grad_(False))


def _views(folder: Path) -> Networks:
    card = read_part_card(folder, FORMAT)

    def module(name: str, build: Any) -> Any:
        settings = check_library_config(card.fields(name))
        return built(lambda: build(dict(settings.values)), settings)

    unet = module("unet", UNet2DConditionModel.from_config)
    vision = module("vision", lambda values: CLIPVisionModelWithProjection(CLIPVisionConfig(**values)))
    shape = tuple(card.integers("sample_shape", 1, 1024, 3))
    states = torch.zeros(1, TEXT_STATES[1], int(unet.config["cross_attention_dim"]))
    for_vae, for_vision = (Preprocess.from_fields(card.fields(key)) for key in ("for_vae", "for_vision"))
    vae = module("vae", AutoencoderKL.from_config)
    ramp = torch.linspace(0, 1, TEXT_STATES[1])
    codec = Zero123PlusCodec(vae, vision, states, ramp, for_vae, for_vision)
    network = Zero123PlusNetwork(unet, None, shape, card.flag("noised_reference"))
    return Networks(_still(network), _still(codec), nn.Identity())  # type: ignore[arg-type]


def _still(module: Any) -> Any:
    return module.eval().requires_grad_(False)
