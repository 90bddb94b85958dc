"""The autoencoder's folder: config.json and network.safetensors; and the distance out of a run of
``geco train autoencoder``.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from geco.errors import WeightsError
from geco.metrics.features.config import AutoencoderConfig
from geco.metrics.features.distance import FeatureDistance
from geco.metrics.features.network import Autoencoder
from geco.model_files.card import AUTOENCODER
from geco.model_files.folder import write_folder
from geco.model_files.part import checked_weights, read_part_card
from geco.model_files.state import filled

FORMAT = "geco-autoencoder-1"
PART = "network"


def save_autoencoder(
    network: Autoencoder, folder: str | os.PathLike[str], licence: str, facts: dict[str, Any]
) -> None:
    """Write the folder's two files, float32, the card last; raises OutputError."""
    tensors = {name: value.detach().float() for name, value in network.state_dict().items()}
    write_folder(
        folder,
        {"format": FORMAT, "licence": licence, "config": asdict(network.config), "facts": facts},
        {PART: tensors},
    )


def load_autoencoder(folder: str | os.PathLike[str], device: torch.device | str = "cpu") -> Autoencoder:
    """The network in evaluation mode, float32.

    Raises:
        WeightsError: a file is missing, damaged or of another kind, or a tensor is missing, unknown or of a
            wrong shape.
    """
    card = read_part_card(folder, FORMAT)
    config = AutoencoderConfig.from_fields(card.fields("config"))
    return filled(lambda: Autoencoder(config), checked_weights(folder, card, PART)).to(device)


def load_distance(run: str | os.PathLike[str], device: torch.device | str = "cpu") -> FeatureDistance:
    """The distance by the features of a run of ``geco train autoencoder``.

    Raises:
        WeightsError: ``run`` holds no autoencoder, or a broken one.
    """
    folder = Path(run) / AUTOENCODER
    if not folder.is_dir():
        raise WeightsError(f"{run} holds no autoencoder", "Give the run folder of: geco train autoencoder.")
    return FeatureDistance(load_autoencoder(folder, device))
