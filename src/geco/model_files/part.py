"""One half of a model on disk: a card ``config.json`` beside weights in ``*.safetensors``. No torch here.

The one way in for everything this project reads of its own: the card gives format, settings, and a manifest
with the size and SHA-256 of every file, and nothing is used that is not as the manifest says.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from geco.errors import WeightsError
from geco.foreign import Fields, read_fields
from geco.json_text import parse_json
from geco.model_files.manifest import Manifest
from geco.types import Array

CARD = "config.json"
REMEDY = "Convert, train or export the model again."
_TYPES: dict[str, np.dtype[Any]] = {"F16": np.dtype(np.float16), "F32": np.dtype(np.float32)}
_HEADER = 64 * 2**20  # bytes of a safetensors file's header at most
_LARGEST = 2**40  # of a tensor's side, and of a place in a file


def read_part_card(folder: str | os.PathLike[str], part_format: str | None = None) -> Fields:
    """The card of one part, to be asked field by field.

    Raises:
        WeightsError: no folder, no card, a card that is no JSON object, or another format than
            ``part_format``.
    """
    path = Path(folder) / CARD
    if not os.path.lexists(path):
        what = "is incomplete: it has no" if path.parent.is_dir() else "does not exist, so neither does its"
        raise WeightsError(
            f"model folder {folder} {what} {CARD}", "Give a folder that geco wrote, or write it again."
        )
    fields = read_fields(path, WeightsError, REMEDY)
    found = fields.text("format", default="")
    if part_format is not None and found != part_format:
        raise WeightsError(
            f"{path} describes {found!r}, not {part_format!r}", f"Is it of another model? {REMEDY}"
        )
    return fields


def checked_weights(folder: str | os.PathLike[str], card: Fields, stem: str, check_hash: bool = True) -> Path:
    """The path of a weights file, after a comparison with the card's manifest.

    Args:
        check_hash: compare the SHA-256 (about a second a gigabyte); the size is always compared.

    Raises:
        WeightsError: missing, truncated or changed file.
    """
    path = Path(folder) / f"{stem}.safetensors"
    Manifest(card).check(path, check_hash)
    return path


def read_arrays(folder: str | os.PathLike[str], card: Fields, stem: str) -> dict[str, Array]:
    """The tensors of a weights file as numpy arrays on its checked bytes; nothing is copied.

    Raises:
        WeightsError: missing, truncated or changed file, or one that is no safetensors file of floats.
    """
    path = Path(folder) / f"{stem}.safetensors"
    data = Manifest(card).read(path)
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or not 0 < length <= min(len(data) - 8, _HEADER):
        raise WeightsError(f"weights file {path} is damaged: its header is cut off", REMEDY)
    header = parse_json(data[8 : 8 + length], f"the header of {path}", WeightsError, REMEDY)
    entries = Fields(header, f"the header of {path}", WeightsError, REMEDY)
    body = memoryview(data)[8 + length :]
    return {name: _array(entries.fields(name), body) for name in entries if name != "__metadata__"}


def _array(entry: Fields, body: memoryview) -> Array:
    dtype = _TYPES[entry.choice("dtype", _TYPES)]
    shape = tuple(entry.integers("shape", 0, _LARGEST, 8))
    places = entry.integers("data_offsets", 0, _LARGEST, 2)
    if (
        len(places) != 2
        or places[1] > len(body)
        or places[1] - places[0] != dtype.itemsize * math.prod(shape)
    ):
        raise entry.wrong("has data_offsets that do not fit its shape and the file")
    return np.frombuffer(body[places[0] : places[1]], dtype).reshape(shape)
