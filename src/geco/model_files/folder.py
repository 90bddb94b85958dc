"""Model folders: ``config.json`` beside ``*.safetensors``.

``config.json`` is the folder's card: format, settings, source and licence, and a manifest with the size and
SHA-256 of every weights file. It is written last, so a folder that has one is complete. A damaged file is
found on loading.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from geco.errors import OutputError, WeightsError
from geco.files import atomic_path, atomic_write
from geco.foreign import Fields, read_fields
from geco.memory import is_shortage
from geco.model_files.manifest import FILES, Manifest, entry, weights_size

CARD = "config.json"
_WRITE_AGAIN = "Convert or download the model again."

Model = TypeVar("Model", bound=nn.Module)


def write_folder(
    folder: str | os.PathLike[str], card: Mapping[str, Any], parts: Mapping[str, Mapping[str, Tensor]]
) -> None:
    """Write a model folder whole.

    Args:
        card: JSON-able; must have "format" and "licence". The manifest is added under "files".
        parts: file stem -> its tensors, any device; each is written to ``STEM.safetensors``.

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
    atomic_write(target / CARD, _json({**card, FILES: files}))


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


def read_card(folder: str | os.PathLike[str], model_format: str | None = None) -> dict[str, Any]:
    """The card of a model folder.

    Raises:
        WeightsError: no folder, no card, a card that is no JSON object, or another format than
            ``model_format``.
    """
    return card_fields(folder, model_format).values


def card_fields(folder: str | os.PathLike[str], model_format: str | None = None) -> Fields:
    """The card of a model folder, to be asked field by field; errors as :func:`read_card`."""
    path = Path(folder) / CARD
    if not os.path.lexists(path):
        what = "is incomplete: it has no" if path.parent.is_dir() else "does not exist, so neither does its"
        raise WeightsError(
            f"model folder {folder} {what} {CARD}", "Give a folder that geco wrote, or write it again."
        )
    fields = read_fields(path, WeightsError, _WRITE_AGAIN)
    found = fields.text("format")
    if model_format is not None and found != model_format:
        raise WeightsError(
            f"{path} describes {found!r}, not {model_format!r}", "Give the folder of such a model."
        )
    return fields


def read_part(
    folder: str | os.PathLike[str],
    card: Mapping[str, Any],
    stem: str,
    device: torch.device | str = "cpu",
    check_hash: bool = True,
) -> dict[str, Tensor]:
    """The tensors of one weights file, checked against the card's manifest.

    Args:
        check_hash: compare the SHA-256 (about a second a gigabyte); the size is always compared.

    Raises:
        WeightsError: missing, truncated or changed file.
    """
    path = Path(folder) / f"{stem}.safetensors"
    _manifest(folder, card).check(path, check_hash)
    return read_safetensors(path, device)


def check_part(folder: str | os.PathLike[str], card: Fields, stem: str) -> Path:
    """The path of a weights file, checked against the card's manifest. A card without one (folders from
    before there were manifests) is taken as it is, and a line on standard error says so.

    Raises:
        WeightsError: missing, truncated or changed file.
    """
    path = Path(folder) / f"{stem}.safetensors"
    manifest = Manifest(card)
    if manifest.known:
        manifest.check(path)
    else:
        weights_size(path)
        print(
            f"{path}: not verified, its {CARD} has no manifest (written by an older version)", file=sys.stderr
        )
    return path


def read_safetensors(path: Path, device: torch.device | str = "cpu") -> dict[str, Tensor]:
    """All tensors of a safetensors file, memory-mapped on the CPU; WeightsError if it is missing
    or damaged.
    """
    weights_size(path)
    place = "cpu" if torch.device(device).type == "cpu" else str(device)  # safetensors knows no "cpu:0"
    try:
        return load_file(path, device=place)
    except Exception as error:
        # its own error, and what torch says to a format or a size that it does not know
        raise _damaged(path, error) from error


def tensor_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Name -> shape of a safetensors file's tensors, from its header alone; WeightsError if it is damaged."""
    weights_size(path)
    try:
        with safe_open(path, framework="pt") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except Exception as error:
        raise _damaged(path, error) from error


def _manifest(folder: str | os.PathLike[str], card: Mapping[str, Any]) -> Manifest:
    return Manifest(Fields(dict(card), os.fspath(Path(folder) / CARD), WeightsError, _WRITE_AGAIN))


def _damaged(path: Path, error: Exception) -> Exception:
    if is_shortage(error):
        return error
    why = (str(error) or type(error).__name__).splitlines()[0]
    return WeightsError(f"weights file {path} is truncated or damaged: {why}", _WRITE_AGAIN)


def _json(card: Mapping[str, Any]) -> bytes:
    return (json.dumps(card, indent=1) + "\n").encode()
