"""A model folder of the small multi-view network: config.json and network.safetensors."""

from __future__ import annotations

from pathlib import Path

import torch

from geco.errors import WeightsError
from geco.foreign import Fields, read_fields
from geco.model_files.folder import check_part, write_part
from geco.model_files.manifest import FILES
from geco.model_files.state import filled
from geco.multiview.small.config import SmallConfig
from geco.multiview.small.network import SmallMultiView

CONFIG_FILE = "config.json"
PART = "network"
WEIGHTS_FILE = f"{PART}.safetensors"
_REMEDY = "A model folder holds config.json and network.safetensors: fetch or train it again."


def save_small(network: SmallMultiView, folder: str | Path, dtype: torch.dtype = torch.float32) -> None:
    """Write the folder's two files; raises OutputError."""
    tensors = {name: value.detach().to(dtype) for name, value in network.state_dict().items()}
    write_part(folder, PART, tensors, network.config.to_dict())


def load_small(folder: str | Path, device: torch.device | str = "cpu") -> SmallMultiView:
    """The network in evaluation mode, float32.

    Raises:
        WeightsError: a file is missing, changed or broken, a setting is wrong, or a tensor is missing,
            unknown or of a wrong shape; it names which.
    """
    card = read_fields(Path(folder) / CONFIG_FILE, WeightsError, _REMEDY)
    settings = {name: value for name, value in card.values.items() if name != FILES}
    config = SmallConfig.from_fields(Fields(settings, card.where, WeightsError, _REMEDY))
    return filled(lambda: SmallMultiView(config), check_part(folder, card, PART)).to(device)
