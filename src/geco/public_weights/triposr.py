"""TripoSR's released weights: from the hub or a local folder to our model folder, and loaded.

The release is ``model.ckpt``, a bare dictionary of tensors, beside ``config.yaml``. Everything about both
must be exactly as expected: names and shapes of all tensors follow from the settings.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from geco.errors import WeightsError
from geco.model_files.card import CARD, RECONSTRUCTOR, Usage, is_model, write_model_card
from geco.model_files.folder import write_folder
from geco.model_files.hub import TRIPOSR, fetch, is_hub_id, revision_of
from geco.model_files.manifest import weights_size
from geco.model_files.part import checked_weights, read_part_card
from geco.model_files.state import check_state, loaded
from geco.model_files.swap import check_apart, swapped
from geco.outputs import check_folder
from geco.public_weights.ckpt import read_torch_file
from geco.public_weights.licences import LICENCES
from geco.public_weights.triposr_settings import read_settings
from geco.reconstruct.triposr.config import TripoSRConfig
from geco.reconstruct.triposr.model import TripoSR

SETTINGS, WEIGHTS = "config.yaml", "model.ckpt"
FORMAT, PART, FAMILY = "geco-triposr-1", "model", "triposr"
# The public code's marching cubes has 256 points a side; a texture as of the other full models.
USAGE = Usage(256, 1024)


def find(source: str | os.PathLike[str], revision: str | None = None) -> Path:
    """The folder of config.yaml and model.ckpt that ``source`` means: itself, that of a model.ckpt, or a hub
    id's, fetched if needed.

    Raises:
        WeightsError: no such folder, one of the two is missing, or the hub cannot be reached.
    """
    name = os.fspath(source)
    if is_hub_id(name):
        folder = fetch(name, [SETTINGS, WEIGHTS, "*/config.json"], licence_of(name), revision).folder
    elif not os.path.lexists(name):
        raise WeightsError(
            f"TripoSR weights {name} do not exist",
            f"Give a folder with {SETTINGS} and {WEIGHTS}, or {TRIPOSR}.",
        )
    else:
        folder = Path(name) if Path(name).is_dir() else Path(name).parent
    for each in (SETTINGS, WEIGHTS):
        if not os.path.lexists(folder / each):
            raise WeightsError(
                f"{folder} has no {each}", f"TripoSR's release is {SETTINGS} and {WEIGHTS}, side by side."
            )
    weights_size(folder / WEIGHTS)
    return folder


def licence_of(source: str | os.PathLike[str]) -> str:
    """The licence of what ``source`` means for :func:`find`."""
    name = os.fspath(source)
    if name == TRIPOSR:
        return LICENCES[TRIPOSR]
    shown = name if is_hub_id(name) else Path(name).name
    return f"that of {shown} (as released, {LICENCES[TRIPOSR]})"


def read(path: Path) -> dict[str, Tensor]:
    """The state in a model.ckpt; raises :class:`WeightsError`."""
    state = read_torch_file(path)
    if isinstance(state.get("state_dict"), Mapping):
        raise WeightsError(
            f"{path} is a checkpoint of a training, not TripoSR's weights", f"Give the released {WEIGHTS}."
        )
    for key, value in state.items():
        if not isinstance(value, Tensor):
            raise WeightsError(f"{path}: {key!r} is no tensor", f"Give the released {WEIGHTS}.")
    return state  # type: ignore[return-value]


def convert(
    source: str | os.PathLike[str], folder: str | os.PathLike[str], revision: str | None = None
) -> dict[str, Any]:
    """Write TripoSR as a model folder; returns its card. After a failure the folder is as it was.

    Args:
        source: as for :func:`find`.
        revision: commit of a hub id instead of the pinned one.

    Raises:
        WeightsError: missing, damaged or foreign weights. OutputError: the folder cannot be written, holds
            something else's config.json, or is the source.
    """
    target = Path(folder)
    check_folder(target, [CARD], is_model)
    found = find(source, revision)
    check_apart([found], target)
    config = read_settings(found / SETTINGS)
    weights = found / WEIGHTS
    state = read(weights)
    check_state(state, TripoSR.on_meta(config).state_dict(), weights)
    licence = licence_of(source)
    card = {
        "format": FORMAT,
        "name": "triposr",
        "source": os.fspath(source) if is_hub_id(source) else Path(source).resolve().name,
        "revision": revision_of(weights),
        "licence": licence,
        "config": config.to_dict(),
    }
    with swapped(target) as work:
        write_folder(work / RECONSTRUCTOR, card, {PART: state})
        return write_model_card(work, FAMILY, licence, {**USAGE.to_dict(), "views": False})


def load(folder: str | os.PathLike[str], device: torch.device | str = "cpu") -> TripoSR:
    """The reconstructor's folder of :func:`convert`, in float32, ready for inference.

    Raises:
        WeightsError: a file is missing, damaged, or does not fit its settings.
    """
    card = read_part_card(folder, FORMAT)
    config = TripoSRConfig.from_fields(card.fields("config"))
    return loaded(TripoSR.on_meta(config), checked_weights(folder, card, PART), device)
