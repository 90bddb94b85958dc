"""A run's state in small parts: what must travel so that a training goes on elsewhere.

A checkpoint holds every number three times in float32: weight, average, momentum. Here the large tensors of
weights and averages are stored in float16, as published models are, and Muon's momentum in 8 bits with one
scale a row: 56 MB instead of 129 for the network of small-gpu (measured), in files of a bounded size.

Going on from it is not bit for bit what the checkpoint would have given: weights are rounded once, to 1 part
in 2048, which is less than a step of training moves them.

    FOLDER/config.json            what stands where, and a manifest of the parts
    FOLDER/part-00.safetensors    tensors, cut where a file would become too large
    FOLDER/run.json, log.jsonl, training.json    of the run
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from geco.errors import ConfigError, OutputError, WeightsError
from geco.files import atomic_write
from geco.model_files.card import HALF_ABOVE
from geco.model_files.folder import read_safetensors, write_folder
from geco.model_files.manifest import Manifest
from geco.model_files.part import CARD, checked_weights, read_part_card
from geco.public_weights.ckpt import read_torch_file
from geco.training.run_folder import CHECKPOINT, FILE
from geco.training.state import save_checkpoint

FORMAT = "geco-state-1"
PART_BYTES = 15 * 2**20  # of a file: below the 16 MiB that some places take at most
CARRIED = (FILE, "log.jsonl", "training.json")  # files of the run that come along
MOMENTUM = "momentum"  # the key of Muon's buffers
LEVELS = 127  # of a signed byte, either way
MOST_DEPTH = 16  # of nested containers; a checkpoint has 7
LARGEST_HALF = 65504.0  # of float16
LINE = 256  # bytes of a tensor in a file's header: name, type, shape and place


def pack(run: Path, folder: Path, part_bytes: int = PART_BYTES) -> dict[str, int]:
    """Write the run's last checkpoint as ``folder``; returns ``bytes`` and ``parts``.

    Args:
        run: a run folder with a checkpoint. folder: new or empty.
        part_bytes: at most, of a file; a row of a tensor is never cut.

    Raises:
        ConfigError: no checkpoint is there. WeightsError: it is damaged. OutputError: ``folder`` holds
            something.
    """
    if not (run / CHECKPOINT).exists():
        raise ConfigError(f"{run} holds no {CHECKPOINT}", "Give the folder of a run that has begun.")
    if folder.exists() and any(folder.iterdir()):
        raise OutputError(f"{folder} is not empty", "Give a new folder with -o.")
    tensors: dict[str, Tensor] = {}
    layout = _take_apart(read_torch_file(run / CHECKPOINT), "", tensors)
    parts = _in_parts(tensors, part_bytes)
    for name in CARRIED:
        if (run / name).is_file():
            atomic_write(folder / name, (run / name).read_bytes())
    stems = {f"part-{number:02}": part for number, part in enumerate(parts)}
    # The layout nests deeper than cards may, so it travels as text within the card.
    card = {"format": FORMAT, "licence": "Apache-2.0", "layout": json.dumps(layout)}
    write_folder(folder, card, stems)
    return {"bytes": sum(path.stat().st_size for path in folder.iterdir()), "parts": len(parts)}


def unpack(folder: Path, run: Path) -> int:
    """Write the state in ``folder`` as the run folder ``run``; returns its number of steps.

    Raises:
        WeightsError: a part is missing or damaged. OutputError: ``run`` holds a checkpoint already.
    """
    if (run / CHECKPOINT).exists():
        raise OutputError(f"{run} holds a run already", "Choose another folder with -o.")
    fields = read_part_card(folder, FORMAT)
    tensors: dict[str, Tensor] = {}
    for name in sorted(Manifest(fields).entries):
        tensors |= read_safetensors(checked_weights(folder, fields, Path(name).stem))
    try:
        state = _put_together(json.loads(fields.text("layout", 2**24)), _joined(tensors), 0)
        step = int(state["step"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(
            f"{folder / CARD} does not fit its parts: {error}", "Pack the run again."
        ) from error
    for name in CARRIED:
        if (folder / name).is_file():
            atomic_write(run / name, (folder / name).read_bytes())
    save_checkpoint(run / CHECKPOINT, state)
    return step


def _take_apart(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """A JSON-able layout of nested containers; their tensors go into ``tensors``, made small."""
    if isinstance(value, Tensor):
        return {"tensor": path, "as": _store(value.detach(), path, tensors)}
    if isinstance(value, dict):
        pairs = [[key, _take_apart(item, f"{path}/{key}", tensors)] for key, item in value.items()]
        return {"dict": pairs}
    if isinstance(value, list | tuple):
        items = [_take_apart(item, f"{path}/{index}", tensors) for index, item in enumerate(value)]
        return {"tuple" if isinstance(value, tuple) else "list": items}
    return {"value": value}


def _store(value: Tensor, path: str, tensors: dict[str, Tensor]) -> str:
    """Put a tensor where it is kept; how it is: "plain", "half" or "levels"."""
    large = value.dtype == torch.float32 and value.numel() > HALF_ABOVE
    if large and path.endswith("/" + MOMENTUM) and value.ndim > 1:
        rows = value.flatten(1)
        scale = rows.abs().amax(dim=1, keepdim=True).clamp(min=1e-30) / LEVELS
        tensors[path] = (rows / scale).round().to(torch.int8).reshape(value.shape)
        tensors[f"{path}:scale"] = scale[:, 0]
        return "levels"
    # Second moments are squares: many would be nothing in float16.
    weights = "/network/" in path or "/average/" in path
    if large and weights and float(value.abs().max()) <= LARGEST_HALF:
        tensors[path] = value.half()
        return "half"
    tensors[path] = value
    return "plain"


def _put_together(layout: Any, tensors: dict[str, Tensor], depth: int) -> Any:
    """What :func:`_take_apart` was given, large tensors as near as they were kept."""
    if depth > MOST_DEPTH:
        raise ValueError("it nests too deeply")
    ((kind, content), *more) = layout.items()
    if kind == "tensor":
        value, how = tensors[content], dict(more)["as"]
        if how == "levels":
            scale = tensors[f"{content}:scale"].reshape(-1, *[1] * (value.ndim - 1))
            return value.float() * scale
        return value.float() if how == "half" else value
    if kind == "dict":
        return {key: _put_together(item, tensors, depth + 1) for key, item in content}
    if kind in ("list", "tuple"):
        items = [_put_together(item, tensors, depth + 1) for item in content]
        return tuple(items) if kind == "tuple" else items
    if kind == "value":
        return content
    raise ValueError(f"it has an entry of the kind {kind!r}")


def _in_parts(tensors: dict[str, Tensor], part_bytes: int) -> list[dict[str, Tensor]]:
    """The tensors in files of at most ``part_bytes``; a large one is cut between rows and its
    pieces are numbered.
    """
    parts: list[dict[str, Tensor]] = [{}]
    room = part_bytes
    for name, value in tensors.items():
        rows = value if value.ndim else value[None]
        row = max(1, rows[:1].numel() * rows.element_size())
        room -= LINE
        start = piece = 0
        while start < len(rows) or not len(rows):
            if room < row and parts[-1]:
                parts.append({})
                room = part_bytes
            count = max(1, min(len(rows) - start, room // row))
            whole = count == len(rows) and start == 0
            parts[-1][name if whole else f"{name}#{piece}"] = value if whole else rows[start : start + count]
            room -= count * row
            start, piece = start + count, piece + 1
            if not len(rows):
                break
    return parts


def _joined(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    pieces: dict[str, dict[int, Tensor]] = {}
    for name, value in tensors.items():
        whole, cut, number = name.rpartition("#")
        pieces.setdefault(whole if cut else name, {})[int(number) if cut else 0] = value
    return {
        name: found[0] if len(found) == 1 else torch.cat([found[number] for number in sorted(found)])
        for name, found in pieces.items()
    }
