"""Foreign torch checkpoints, read without running anything in them, and checked key by key before use."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from geco.errors import WeightsError

_DOWNLOAD_AGAIN = "Download it again: the copy is damaged or incomplete."


def read_torch_file(path: str | Path) -> dict[str, object]:
    """The dictionary in a ``torch.save`` file, tensors memory-mapped where the format allows.

    Only tensors and plain containers are unpickled (weights_only).

    Raises:
        WeightsError: missing, truncated, not a torch file, or holding objects other than weights.
    """
    source = Path(path)
    if not source.is_file():
        raise WeightsError(f"weights file {source} does not exist", "Give the path of a downloaded checkpoint.")
    try:
        try:
            found = torch.load(source, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError as error:
            if "mmap can only be used" not in str(error):
                raise
            # The format before torch 1.6 is no zip archive and cannot be mapped.
            found = torch.load(source, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "Weights only load failed" in str(error) and "Unsupported" in str(error):
            raise WeightsError(
                f"{source} holds objects other than weights", "It is not the published checkpoint; not loaded."
            ) from error
        raise WeightsError(f"{source} is not a readable torch checkpoint", _DOWNLOAD_AGAIN) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise WeightsError(f"{source} is not a readable torch checkpoint", _DOWNLOAD_AGAIN) from error
    if not isinstance(found, dict):
        raise WeightsError(f"{source} holds a {type(found).__name__}, not a dictionary of weights", "Is it the published file?")
    return found


def check_state(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor], source: str | Path) -> None:
    """Compare a state with a model's (which may be on the meta device).

    Raises:
        WeightsError: the first missing key, unexpected key or wrong shape, with the file and the number of others.
    """
    missing = [key for key in wanted if key not in state]
    unexpected = [key for key in state if key not in wanted]
    shapes = [key for key in wanted if key in state and state[key].shape != wanted[key].shape]
    if missing:
        raise WeightsError(
            f"{source} lacks {missing[0]!r}{_others(missing)}",
            "It is incomplete, or belongs to another model: check which one it is.",
        )
    if unexpected:
        raise WeightsError(
            f"{source} has a key that the model does not know, {unexpected[0]!r}{_others(unexpected)}",
            "It belongs to another model or a newer version.",
        )
    if shapes:
        key = shapes[0]
        raise WeightsError(
            f"{source}: {key!r} has shape {tuple(state[key].shape)}, the model wants {tuple(wanted[key].shape)}{_others(shapes)}",
            "It belongs to another size of the model.",
        )


def _others(keys: list[str]) -> str:
    return f" and {len(keys) - 1} more" if len(keys) > 1 else ""
