"""A model folder of the small multi-view network: config.json and network.safetensors."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from geco.errors import WeightsError
from geco.files import atomic_path, atomic_write
from geco.multiview.small.config import SmallConfig
from geco.multiview.small.network import SmallMultiView

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "network.safetensors"


def save_small(network: SmallMultiView, folder: str | Path, dtype: torch.dtype = torch.float32) -> None:
    """Write the folder's two files; raises OutputError."""
    tensors = {name: value.detach().to(dtype).contiguous() for name, value in network.state_dict().items()}
    with atomic_path(Path(folder) / WEIGHTS_FILE) as path:
        save_file(tensors, path)
    atomic_write(Path(folder) / CONFIG_FILE, json.dumps(network.config.to_dict(), indent=1).encode())


def load_small(folder: str | Path, device: torch.device | str = "cpu") -> SmallMultiView:
    """The network in evaluation mode, float32.

    Raises:
        WeightsError: a file is missing or broken, or a tensor is missing, unknown or of a wrong shape; it names which.
    """
    settings, weights = Path(folder) / CONFIG_FILE, Path(folder) / WEIGHTS_FILE
    try:
        config = SmallConfig.from_dict(json.loads(settings.read_text()))
        tensors = load_file(weights, device=str(device))
    except FileNotFoundError as error:
        raise WeightsError(
            f"{error.filename or weights} is missing", "A model folder holds config.json and network.safetensors."
        ) from error
    except (OSError, ValueError, SafetensorError) as error:
        raise WeightsError(f"cannot read the model in {folder}: {error}", "Fetch or train it again.") from error
    network = SmallMultiView(config).to(device)
    expected = network.state_dict()
    for name in sorted(expected.keys() | tensors.keys()):
        found = tuple(tensors[name].shape) if name in tensors else None
        wanted = tuple(expected[name].shape) if name in expected else None
        if found != wanted:
            raise WeightsError(
                f"{weights}: {name} is {found or 'missing'}, expected {wanted or 'nothing'}", "Fetch or train it again."
            )
    network.load_state_dict({name: value.float() for name, value in tensors.items()})
    return network.eval()
