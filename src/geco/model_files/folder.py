"""The parts of a model as torch sees them: written, and their tensors read (:mod:`geco.model_files.part`).

A part's card is written last, so a folder that has one is complete.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from geco.errors import OutputError, WeightsError
from geco.files import atomic_path, atomic_write, writing
from geco.foreign import Fields
from geco.memory import is_shortage
from geco.model_files.manifest import FILES, Manifest, entry, weights_size
from geco.model_files.part import CARD, REMEDY, checked_weights


@dataclass(frozen=True)
class Linked:
    """Weights that another folder of ours has already: its card, and the stems of the files."""

    folder: Path
    card: Fields
    stems: Sequence[str]


def write_folder(
    folder: str | os.PathLike[str],
    card: Mapping[str, Any],
    parts: Mapping[str, Mapping[str, Tensor]],
    linked: Linked | None = None,
) -> None:
    """Write a model folder whole.

    Args:
        card: JSON-able; must have "format" and "licence". The manifest is added under "files".
        parts: file stem -> its tensors, any device; each is written to ``STEM.safetensors``.
        linked: further files, that another folder has.

    Raises:
        OutputError: the folder cannot be written, or the disk is full.
    """
    if missing := {"format", "licence"} - card.keys():
        raise ValueError(f"the card lacks {sorted(missing)}")
    target = Path(folder)
    try:
        (target / CARD).unlink(missing_ok=True)  # from now on the folder is not complete
    except OSError as error:
        raise OutputError(
            f"cannot write {target}: {error.strerror or error}", "Choose another output folder."
        ) from error
    files = {}
    for stem, tensors in parts.items():
        path = target / f"{stem}.safetensors"
        with atomic_path(path) as temporary:
            save_tensors(tensors, temporary)
            files[path.name] = entry(temporary)
    for stem in linked.stems if linked else ():
        assert linked is not None
        path = target / f"{stem}.safetensors"
        Manifest(linked.card).check(linked.folder / path.name)
        link_or_copy(linked.folder / path.name, path)
        files[path.name] = linked.card.values[FILES][path.name]
    atomic_write(target / CARD, _json({**card, FILES: files}))


def link_or_copy(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> str:
    """The same file under another name, or a copy where the file system has no links; ``target``. Files of
    ours are replaced, never changed, so neither sees the other's changes.

    Raises:
        OutputError: it cannot be written.
    """
    path = Path(target)
    if path.exists() and path.samefile(source):
        return str(target)
    with writing(path):
        path.unlink(missing_ok=True)
    try:
        os.link(source, path)
    except OSError:
        with atomic_path(path) as temporary:
            shutil.copyfile(source, temporary)
    return str(target)


def write_part(
    folder: str | os.PathLike[str], stem: str, tensors: Mapping[str, Tensor], card: Mapping[str, Any]
) -> None:
    """Write a folder of one weights file and its card; a kill at any moment leaves a folder that loads, old
    or new.

    Raises:
        OutputError: the folder cannot be written, or the disk is full.
    """
    path = Path(folder) / f"{stem}.safetensors"
    with atomic_path(path) as temporary:
        save_tensors(tensors, temporary)
        new = entry(temporary, before=path)
        # Known before it is there, beside the one that still is; only then it takes that one's place.
        atomic_write(path.parent / CARD, _json({**card, FILES: {path.name: new}}))
    if "before" in new:
        del new["before"]
        atomic_write(path.parent / CARD, _json({**card, FILES: {path.name: new}}))


def save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """A safetensors file; it wants its own memory for every tensor, on the CPU and without strides."""
    save_file(
        {key: value.detach().cpu().contiguous() for key, value in tensors.items()}, path, {"format": "pt"}
    )


def read_part(
    folder: str | os.PathLike[str],
    card: Fields,
    stem: str,
    device: torch.device | str = "cpu",
    check_hash: bool = True,
) -> dict[str, Tensor]:
    """The tensors of one weights file; arguments and errors as
    :func:`geco.model_files.part.checked_weights`.
    """
    return read_safetensors(checked_weights(folder, card, stem, check_hash), device)


def read_safetensors(path: Path, device: torch.device | str = "cpu") -> dict[str, Tensor]:
    """All tensors of a safetensors file, memory-mapped on the CPU; WeightsError if it is missing
    or damaged.
    """
    weights_size(path)
    try:
        state = load_file(path, device="cpu")
    except Exception as error:
        # its own error, and what torch says to a format or a size that it does not know
        raise damaged(path, error) from error
    # What goes wrong from here on is the device's: safetensors would call it damage, and knows no "cpu:0".
    return {name: tensor.to(device) for name, tensor in state.items()}


def tensor_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Name -> shape of a safetensors file's tensors, from its header alone; WeightsError if it is damaged."""
    weights_size(path)
    try:
        with safe_open(path, framework="pt") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except Exception as error:
        raise damaged(path, error) from error


def damaged(path: Path, error: Exception) -> Exception:
    """What to raise for what safetensors says of a file: too little memory is no fault of the file."""
    if is_shortage(error):
        return error
    why = (str(error) or type(error).__name__).splitlines()[0]
    return WeightsError(f"weights file {path} is truncated or damaged: {why}", REMEDY)


def _json(card: Mapping[str, Any]) -> bytes:
    return (json.dumps(card, indent=1) + "\n").encode()
