"""The released InstantMesh checkpoints: from the hub or a local .ckpt to our folder (config.json,
model.safetensors), and loaded.

A checkpoint is a dictionary with ``state_dict``; the reconstructor's keys start with ``lrm_generator.``,
others (the LPIPS network of its training) are left out. Everything else about it must be exactly as expected.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from geco.errors import WeightsError
from geco.model_files.card import RECONSTRUCTOR
from geco.model_files.folder import read_part, write_folder
from geco.model_files.hub import INSTANTMESH, fetch_file, revision_of
from geco.model_files.manifest import weights_size
from geco.model_files.part import CARD, checked_weights, read_part_card
from geco.model_files.products import DEFAULT_RECONSTRUCTOR as DEFAULT
from geco.model_files.products import checkpoint_file
from geco.model_files.state import check_state, loaded
from geco.public_weights.ckpt import read_torch_file
from geco.public_weights.instantmesh_yaml import settings_beside
from geco.public_weights.licences import LICENCES
from geco.reconstruct.instantmesh.config import RELEASED, InstantMeshConfig
from geco.reconstruct.instantmesh.model import InstantMesh

FILES = {name: checkpoint_file(name) for name in RELEASED}
PREFIX = "lrm_generator."
FORMAT = "geco-instantmesh-1"
PART = "model"


def find(source: str | Path) -> Path:
    """The .ckpt that ``source`` means: a path, one of the four names, a folder that holds it (then
    :data:`DEFAULT`; ``FOLDER/NAME`` for another), or the hub id (then :data:`DEFAULT`); fetched if needed.
    Of a model folder of ours its own file.

    Raises:
        WeightsError: no such file, or the hub cannot be reached.
    """
    name = DEFAULT if str(source) == INSTANTMESH else str(source)
    if name in FILES:
        return fetch_file(INSTANTMESH, FILES[name], LICENCES[INSTANTMESH])
    return local(source)


def local(source: str | Path) -> Path:
    """:func:`find` of what is on this machine."""
    path = Path(source)
    if (own := own_half(path)) is not None:
        return own / f"{PART}.safetensors"
    if path.is_dir():
        return _in_folder(path)
    if not os.path.lexists(path) and path.name in FILES and path.parent.is_dir():
        path = path.parent / FILES[path.name]
    if not os.path.lexists(path):
        raise WeightsError(
            f"InstantMesh weights {path} do not exist",
            f"Give the path of a .ckpt or of a folder with it, {INSTANTMESH}, or one of {', '.join(FILES)}.",
        )
    weights_size(path)
    return path


def own_half(folder: Path) -> Path | None:
    """Where a folder of ours has its InstantMesh: a whole model, or that half alone; None for others."""
    for half in (folder / RECONSTRUCTOR, folder):
        if (half / CARD).is_file() and read_part_card(half).values.get("format") == FORMAT:
            return half
    return None


def _in_folder(folder: Path) -> Path:
    there = sorted(path.name for path in folder.glob("*.ckpt") if path.is_file())
    if FILES[DEFAULT] in there:
        return folder / FILES[DEFAULT]
    if len(there) == 1:
        return folder / there[0]
    found = f"{len(there)} of them and not {FILES[DEFAULT]}" if there else "none"
    raise WeightsError(
        f"{folder} was looked through for a .ckpt and holds {found}",
        f"Name the file, {folder / (there[0] if there else FILES[DEFAULT])}.",
    )


def licence_of(source: str | os.PathLike[str]) -> str:
    """The licence of what ``source`` means for :func:`find`."""
    public = str(source) == INSTANTMESH or str(source) in FILES
    return (
        LICENCES[INSTANTMESH]
        if public
        else f"that of {Path(source).name} (as released, {LICENCES[INSTANTMESH]})"
    )


def read(path: str | Path) -> dict[str, Tensor]:
    """The reconstructor's state in a released checkpoint, prefix removed; raises :class:`WeightsError`."""
    content = read_torch_file(path)
    state = content.get("state_dict")
    if not isinstance(state, Mapping):
        raise WeightsError(f"{path} has no 'state_dict'", "Give a released InstantMesh .ckpt.")
    named = {key: value for key, value in state.items() if isinstance(key, str)}
    own = {key.removeprefix(PREFIX): value for key, value in named.items() if key.startswith(PREFIX)}
    if not own:
        raise WeightsError(
            f"{path} has no key starting with {PREFIX!r}", "Give a released InstantMesh .ckpt."
        )
    for key, value in own.items():
        if not isinstance(value, Tensor):
            raise WeightsError(f"{path}: {PREFIX + key!r} is no tensor", "Give a released InstantMesh .ckpt.")
    return own


def recognize(state: Mapping[str, Tensor], source: str | Path) -> str:
    """Which released model a state belongs to, by its fields and its number of blocks.

    Raises:
        WeightsError: none of them.
    """
    kind = "mesh" if any(".net_sdf." in key for key in state) else "nerf"
    blocks = {"".join(key.split(".")[2:3]) for key in state if key.startswith("transformer.layers.")}
    for name, config in RELEASED.items():
        if config.kind == kind and config.transformer_layers == len(blocks):
            return name
    raise WeightsError(
        f"{source} is a {kind} reconstructor of {len(blocks)} transformer blocks, which none of the "
        f"released ones is",
        f"Released are {', '.join(RELEASED)}; for another one give its settings.",
    )


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that fits its settings, its tensors still in the file, and what its card shall say."""

    path: Path
    settings: InstantMeshConfig
    state: Mapping[str, Tensor]
    facts: dict[str, Any]


def open_checkpoint(source: str | Path, config: InstantMeshConfig | None = None) -> Checkpoint:
    """Find a checkpoint and compare every name, shape and number with its settings.

    Args:
        source: as for :func:`find`.
        config: settings of a checkpoint of other sizes; None takes those of the .yaml beside it, else
            recognises the released ones by their shapes. What is in a model folder of ours has its own.

    Raises:
        WeightsError: missing, damaged or foreign checkpoint.
    """
    if (own := own_half(Path(source))) is not None:
        return _of_ours(own)
    path = find(source)
    state = read(path)
    settings = config or settings_beside(path)
    name = recognize(state, path) if settings is None else path.stem
    settings = settings or RELEASED[name]
    check_state(state, InstantMesh.on_meta(settings).state_dict(), path)
    facts = {"name": name, "source": INSTANTMESH, "revision": revision_of(path)}
    return Checkpoint(path, settings, state, {**facts, "licence": licence_of(source)})


def _of_ours(half: Path) -> Checkpoint:
    card = read_part_card(half, FORMAT)
    settings = InstantMeshConfig.from_fields(card.fields("config"))
    state = read_part(half, card, PART)
    check_state(state, InstantMesh.on_meta(settings).state_dict(), half / f"{PART}.safetensors")
    names = ("name", "source", "revision", "licence")
    facts = {name: card.text(name, 10_000, default="") for name in names if name in card}
    return Checkpoint(half / f"{PART}.safetensors", settings, state, {"licence": "", **facts})


def write(checkpoint: Checkpoint, folder: str | Path) -> None:
    """Write a checkpoint as our folder; its config.json comes last, so that a folder with one is complete.

    Raises:
        OutputError: the folder cannot be written.
    """
    card = {"format": FORMAT, **checkpoint.facts, "config": checkpoint.settings.to_dict()}
    write_folder(folder, card, {PART: checkpoint.state})


def convert(
    source: str | Path, folder: str | Path, config: InstantMeshConfig | None = None
) -> InstantMeshConfig:
    """:func:`open_checkpoint` and :func:`write` in one; nothing is written when anything is wrong with it."""
    checkpoint = open_checkpoint(source, config)
    write(checkpoint, folder)
    return checkpoint.settings


def load(
    folder: str | Path, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> InstantMesh:
    """A model folder of :func:`convert`, ready for inference.

    Args:
        dtype: of the products (:meth:`InstantMesh.halve`); all else is float32.

    Raises:
        WeightsError: a file is missing, damaged, or does not fit its settings.
    """
    card = read_part_card(folder, FORMAT)
    config = InstantMeshConfig.from_fields(card.fields("config"))
    model = loaded(InstantMesh.on_meta(config), checked_weights(folder, card, PART), device)
    return model if dtype == torch.float32 else model.halve(dtype)
