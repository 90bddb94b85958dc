"""A folder of the small multi-view network: config.json and network.safetensors."""

from __future__ import annotations

from pathlib import Path

import torch

from geco.model_files.folder import write_part
from geco.model_files.part import checked_weights, read_part_card
from geco.model_files.state import filled
from geco.multiview.small.config import FORMAT, PART, SmallConfig
from geco.multiview.small.network import SmallMultiView


def save_small(network: SmallMultiView, folder: str | Path, dtype: torch.dtype = torch.float32) -> None:
    """Write the folder's two files; raises OutputError."""
    tensors = {name: value.detach().to(dtype) for name, value in network.state_dict().items()}
    write_part(folder, PART, tensors, {"format": FORMAT, "config": network.config.to_dict()})


def load_small(folder: str | Path, device: torch.device | str = "cpu") -> SmallMultiView:
    """The network in evaluation mode, float32.

    Raises:
        WeightsError: a file is missing, changed or broken, a setting is wrong, or a tensor is missing,
            unknown or of a wrong shape; it names which.
    """
    card = read_part_card(folder, FORMAT)
    config = SmallConfig.from_fields(card.fields("config"))
    return filled(lambda: SmallMultiView(config), checked_weights(folder, card, PART)).to(device)
