"""The released InstantMesh checkpoints: from the hub or a local .ckpt to our folder (config.json, model.safetensors), and loaded.

A checkpoint is a dictionary with ``state_dict``; the reconstructor's keys start with ``lrm_generator.``, others (the
LPIPS network of its training) are left out. Everything else about it must be exactly as expected.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from geco.errors import ConfigError, WeightsError
from geco.files import atomic_path, atomic_write
from geco.public_weights.ckpt import check_state, read_torch_file
from geco.public_weights.licences import LICENCES
from geco.reconstruct.instantmesh.config import RELEASED, InstantMeshConfig
from geco.reconstruct.instantmesh.model import InstantMesh

HUB_ID = "TencentARC/InstantMesh"
FILES = {name: f"{name.replace('-', '_')}.ckpt" for name in RELEASED}
PREFIX = "lrm_generator."
FORMAT = "geco-instantmesh-1"
CONFIG, WEIGHTS = "config.json", "model.safetensors"


def fetch(name: str) -> Path:
    """Download one of the four checkpoints from the hub (or find it in the hub's cache); its licence is printed.

    Raises:
        WeightsError: the name is not one of them, or the hub cannot be reached.
    """
    if name not in FILES:
        raise WeightsError(f"no InstantMesh checkpoint is called {name!r}", f"Known: {', '.join(FILES)}.")
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    print(f"{HUB_ID}: {LICENCES[HUB_ID]}")
    try:
        return Path(hf_hub_download(HUB_ID, FILES[name]))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise WeightsError(
            f"cannot fetch {FILES[name]} from {HUB_ID}: {type(error).__name__}", "Download it by hand and give its path."
        ) from error


def read(path: str | Path) -> dict[str, Tensor]:
    """The reconstructor's state in a released checkpoint, prefix removed; raises :class:`WeightsError`."""
    content = read_torch_file(path)
    state = content.get("state_dict")
    if not isinstance(state, Mapping):
        raise WeightsError(f"{path} has no 'state_dict'", "Give a released InstantMesh .ckpt.")
    own = {key.removeprefix(PREFIX): value for key, value in state.items() if key.startswith(PREFIX)}
    if not own:
        raise WeightsError(f"{path} has no key starting with {PREFIX!r}", "Give a released InstantMesh .ckpt.")
    for key, value in own.items():
        if not isinstance(value, Tensor):
            raise WeightsError(f"{path}: {PREFIX + key!r} is no tensor", "Give a released InstantMesh .ckpt.")
    return own


def recognize(state: Mapping[str, Tensor], source: str | Path) -> str:
    """Which released model a state belongs to: by its fields, its number of blocks and its plane channels.

    Raises:
        WeightsError: none of them.
    """
    kind = "mesh" if any(".net_sdf." in key for key in state) else "nerf"
    blocks = {key.split(".")[2] for key in state if key.startswith("transformer.layers.")}
    bias = state.get("transformer.deconv.bias")
    for name, config in RELEASED.items():
        if config.kind == kind and config.transformer_layers == len(blocks):
            if bias is None:
                raise WeightsError(f"{source} lacks 'transformer.deconv.bias'", "It is incomplete: download it again.")
            return name
    raise WeightsError(
        f"{source} is a {kind} reconstructor of {len(blocks)} transformer blocks, which none of the released ones is",
        f"Released are {', '.join(RELEASED)}; for another one give its settings.",
    )


def convert(source: str | Path, folder: str | Path, config: InstantMeshConfig | None = None, name: str = "") -> InstantMeshConfig:
    """Write a checkpoint as our folder; nothing is written when anything is wrong with it.

    Args:
        source: a .ckpt, or the name of a released one ("instant-mesh-large"), which is fetched.
        folder: written whole; config.json last, so that a folder with one is complete.
        config: settings of a checkpoint of our own making; None recognises the released ones by their shapes.
        name: kept in config.json; None takes the recognised one.

    Raises:
        WeightsError: missing, damaged or foreign checkpoint.
        OutputError: the folder cannot be written.
    """
    from safetensors.torch import save_file

    path = fetch(str(source)) if str(source) in FILES else Path(source)
    state = read(path)
    if config is None:
        name = recognize(state, path)
        config = RELEASED[name]
    check_state(state, InstantMesh.on_meta(config).state_dict(), path)
    target = Path(folder)
    # Rows of one file may share memory or be strided; safetensors wants neither.
    with atomic_path(target / WEIGHTS) as temporary:
        save_file({key: value.contiguous() for key, value in state.items()}, temporary, {"format": FORMAT})
    card = {"format": FORMAT, "name": name, "source": HUB_ID, "licence": LICENCES[HUB_ID], "config": config.to_dict()}
    atomic_write(target / CONFIG, json.dumps(card, indent=1).encode())
    return config


def load(folder: str | Path, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> InstantMesh:
    """A model folder of :func:`convert`, ready for inference.

    Raises:
        WeightsError: a file is missing, damaged, or does not fit its settings.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    source = Path(folder)
    config = read_config(source)
    weights = source / WEIGHTS
    if not weights.is_file():
        raise WeightsError(f"{weights} does not exist", "Convert the checkpoint again.")
    try:
        state = load_file(weights, device=str(device))
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{weights} is damaged: {error}", "Convert the checkpoint again.") from error
    model = InstantMesh.on_meta(config)
    check_state(state, model.state_dict(), weights)
    model.load_state_dict(state, strict=True, assign=True)
    return model.to(dtype=dtype).eval().requires_grad_(False)


def read_config(folder: str | Path) -> InstantMeshConfig:
    """The settings in a model folder; raises :class:`WeightsError` naming the file and what is wrong."""
    path = Path(folder) / CONFIG
    if not path.is_file():
        raise WeightsError(f"{path} does not exist", "Give a folder written by geco convert.")
    try:
        card = json.loads(path.read_text())
        if card["format"] != FORMAT:
            raise WeightsError(f"{path} describes format {card['format']!r}, not {FORMAT!r}", "Give a folder of an InstantMesh model.")
        return InstantMeshConfig.from_dict(card["config"])
    except (ValueError, KeyError, TypeError, ConfigError) as error:
        raise WeightsError(f"{path} is not a model description: {error}", "Convert the checkpoint again.") from error
