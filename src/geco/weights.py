"""Model folders: ``config.json`` beside ``*.safetensors``, and files fetched from the hub.

``config.json`` is the model's card: format, settings, source and licence, and a manifest with the size and SHA-256 of
every weights file. It is written last, so a folder that has one is complete. A damaged file is found on loading.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from geco.errors import OutputError, WeightsError
from geco.files import atomic_path, atomic_write, sha256_of

CARD = "config.json"
_WRITE_AGAIN = "Convert or download the model again."


def write_folder(folder: str | os.PathLike[str], card: Mapping[str, Any], parts: Mapping[str, Mapping[str, Tensor]]) -> None:
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
        raise OutputError(f"cannot write {target}: {error.strerror or error}", "Choose another output folder.") from error
    files = {}
    for stem, tensors in parts.items():
        path = target / f"{stem}.safetensors"
        # safetensors wants its own memory for every tensor and no strides
        plain = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
        with atomic_path(path) as temporary:
            save_file(plain, temporary, {"format": "pt"})
            files[path.name] = {"bytes": temporary.stat().st_size, "sha256": sha256_of(temporary)}
    atomic_write(target / CARD, (json.dumps({**card, "files": files}, indent=1) + "\n").encode())


def read_card(folder: str | os.PathLike[str], model_format: str | None = None) -> dict[str, Any]:
    """The card of a model folder.

    Raises:
        WeightsError: no folder, no card, a card that is no JSON object, or another format than ``model_format``.
    """
    path = Path(folder) / CARD
    if not path.is_file():
        what = "is incomplete: it has no" if path.parent.is_dir() else "does not exist, so neither does its"
        raise WeightsError(f"model folder {folder} {what} {CARD}", "Give a folder that geco wrote, or write it again.")
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise WeightsError(f"{path} is not readable JSON: {error}", _WRITE_AGAIN) from error
    if not isinstance(card, dict) or "format" not in card:
        raise WeightsError(f"{path} does not describe a model", "Give a folder that geco wrote.")
    if model_format is not None and card["format"] != model_format:
        raise WeightsError(f"{path} describes {card['format']!r}, not {model_format!r}", "Give the folder of such a model.")
    return card


def read_part(
    folder: str | os.PathLike[str], card: Mapping[str, Any], stem: str, device: torch.device | str = "cpu", check_hash: bool = True
) -> dict[str, Tensor]:
    """The tensors of one weights file, checked against the card's manifest.

    Args:
        check_hash: compare the SHA-256 (about a second a gigabyte); the size is always compared.

    Raises:
        WeightsError: missing, truncated or changed file.
    """
    path = Path(folder) / f"{stem}.safetensors"
    check_file(path, card.get("files", {}).get(path.name), check_hash)
    return read_safetensors(path, device)


def verify(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Check size and hash of every file in the manifest; the card. Raises :class:`WeightsError`."""
    card = read_card(folder)
    for name, facts in card.get("files", {}).items():
        check_file(Path(folder) / name, facts, check_hash=True)
    return card


def check_file(path: Path, facts: Mapping[str, Any] | None, check_hash: bool) -> None:
    """Raise WeightsError unless ``path`` is the file that the manifest's entry ``facts`` describes."""
    if not path.is_file():
        raise WeightsError(f"weights file {path} is missing", _WRITE_AGAIN)
    if facts is None:
        raise WeightsError(f"weights file {path} is not in the manifest of {CARD}", _WRITE_AGAIN)
    size = path.stat().st_size
    if size != facts["bytes"]:
        what = "truncated" if size < facts["bytes"] else "too long"
        raise WeightsError(f"weights file {path} is {what}: {size} bytes instead of {facts['bytes']}", _WRITE_AGAIN)
    if check_hash and sha256_of(path) != facts["sha256"]:
        raise WeightsError(f"weights file {path} is damaged: its SHA-256 is not that of {CARD}", _WRITE_AGAIN)


def read_safetensors(path: Path, device: torch.device | str = "cpu") -> dict[str, Tensor]:
    """All tensors of a safetensors file, memory-mapped on the CPU; WeightsError if it is missing or damaged."""
    if not path.is_file():
        raise WeightsError(f"weights file {path} is missing", _WRITE_AGAIN)
    try:
        return load_file(path, device=str(device))
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"weights file {path} is truncated or damaged: {error}", _WRITE_AGAIN) from error


def tensor_names(path: Path) -> list[str]:
    """Names in a safetensors file, without reading the tensors; WeightsError if it is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            return list(file.keys())
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"weights file {path} is truncated or damaged: {error}", _WRITE_AGAIN) from error


def is_hub_id(name: str) -> bool:
    """Whether ``name`` looks like OWNER/NAME and is no existing path."""
    return re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", name) is not None and not Path(name).exists()


def fetch_file(hub_id: str, filename: str, licence: str, revision: str | None = None) -> Path:
    """One file of a hub repository, from the hub's cache where it is there; its licence is printed to stderr.

    Raises:
        MissingExtraError: huggingface_hub is not installed.
        WeightsError: not reachable, not found, or not what the hub says it is.
    """
    return _fetch(hub_id, licence, [filename], revision) / filename


def fetch_folder(hub_id: str, patterns: Sequence[str], licence: str, revision: str | None = None) -> Path:
    """A local copy of a hub repository's files that match ``patterns``; errors as :func:`fetch_file`."""
    return _fetch(hub_id, licence, list(patterns), revision)


def _fetch(hub_id: str, licence: str, patterns: list[str], revision: str | None) -> Path:
    from geco.errors import MissingExtraError

    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    except ImportError as error:
        raise MissingExtraError("huggingface_hub", "torch", f"fetching {hub_id}") from error
    print(f"{hub_id}: licence {licence}", file=sys.stderr)
    by_hand = f"Fetch it where there is a network and give the folder: hf download {hub_id} --local-dir DIR."
    try:
        folder = Path(snapshot_download(hub_id, allow_patterns=patterns, revision=revision))
    except LocalEntryNotFoundError as error:
        raise WeightsError(f"{hub_id} is not in the cache and the hub cannot be reached", by_hand) from error
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", "no")
        raise WeightsError(
            f"the hub refused {hub_id} (HTTP status {status})", "Check the name, and access if it is gated."
        ) from error
    except (HFValidationError, OSError) as error:
        raise WeightsError(f"cannot fetch {hub_id}: {error}", by_hand) from error
    files = [path for path in folder.rglob("*") if path.is_file() and any(path.relative_to(folder).match(p) for p in patterns)]
    if not files:
        raise WeightsError(f"{hub_id} has no file {', '.join(patterns)}", "Check the name of the model.")
    for path in files:
        # The cache names the content of large files by their SHA-256.
        expected = path.resolve().name
        if re.fullmatch(r"[0-9a-f]{64}", expected) and sha256_of(path) != expected:
            raise WeightsError(f"{path} is damaged: its SHA-256 is not the hub's", f"Delete {path.resolve()} and fetch it again.")
    return folder
