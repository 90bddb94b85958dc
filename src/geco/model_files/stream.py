"""A safetensors file into another one, a tensor at a time: memory stays at the largest tensor, whatever the
file's size.

safetensors itself writes from tensors that are all there. The format is its own: the length of a JSON header
(8 bytes, little endian), the header, and the numbers one after the other (its README, "Format").
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any

import torch
from safetensors import safe_open
from torch import Tensor

from geco.errors import WeightsError
from geco.model_files.folder import damaged
from geco.model_files.manifest import weights_size

# the format's names of what is stored, as torch has them
_NAMES = {
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float64: "F64",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_TYPES = {name: dtype for dtype, name in _NAMES.items()}
# name, shape and type of a tensor -> the type to store it in
Format = Callable[[str, tuple[int, ...], torch.dtype], torch.dtype]


def rewrite(
    source: Path,
    target: Path,
    stored: Format,
    names: Mapping[str, str] | None = None,
    more: Mapping[str, Tensor] | None = None,
) -> None:
    """Write ``target`` with the tensors of ``source``, each in the format that ``stored`` says.

    Args:
        names: of the tensors that are taken -> what they are called from now on; None takes all as they are.
        more: tensors beside them.

    Raises:
        WeightsError: ``source`` is damaged, holds numbers of an unknown type, or one that is not finite once
            it is stored so.
    """
    weights_size(source)
    try:
        file: Any = safe_open(source, framework="pt")
    except Exception as error:
        raise damaged(source, error) from error
    with file, target.open("wb") as stream:
        taken = names or {name: name for name in file.keys()}  # noqa: SIM118
        read = {new: partial(file.get_tensor, old) for old, new in taken.items()}
        known = tensor_formats(source)
        shapes = {new: known[old][0] for old, new in taken.items()}
        formats = {new: stored(new, *known[old]) for old, new in taken.items()}
        for name, tensor in (more or {}).items():
            read[name], shapes[name], formats[name] = (
                partial(_same, tensor),
                tuple(tensor.shape),
                tensor.dtype,
            )
        _write(source, stream, read, shapes, formats)


def _same(tensor: Tensor) -> Tensor:
    return tensor


def tensor_formats(path: Path) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    """Name -> shape and type of a safetensors file's tensors, from its header alone; WeightsError if it is
    damaged, or a type is unknown.
    """
    weights_size(path)
    try:
        with safe_open(path, framework="pt") as file:
            parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            told = {name: (tuple(part.get_shape()), part.get_dtype()) for name, part in parts.items()}
    except Exception as error:
        raise damaged(path, error) from error
    for name, (_, kind) in told.items():
        if kind not in _TYPES:
            raise WeightsError(f"{path}: {name!r} is of the type {kind}", "It belongs to another model.")
    return {name: (shape, _TYPES[kind]) for name, (shape, kind) in told.items()}


def _write(
    source: Path,
    stream: IO[bytes],
    read: Mapping[str, Callable[[], Tensor]],
    shapes: Mapping[str, tuple[int, ...]],
    formats: Mapping[str, torch.dtype],
) -> None:
    # widest first, as the library does it, so that every tensor begins at a multiple of its numbers' size
    order = sorted(shapes, key=lambda name: (-formats[name].itemsize, name))
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in order:
        begin, end = end, end + math.prod(shapes[name]) * formats[name].itemsize
        header[name] = {
            "dtype": _NAMES[formats[name]],
            "shape": list(shapes[name]),
            "data_offsets": [begin, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    stream.write(len(text).to_bytes(8, "little") + text)
    for name in order:
        stream.write(_bytes(source, name, read[name](), formats[name]))


def _bytes(source: Path, name: str, tensor: Tensor, dtype: torch.dtype) -> Any:
    """Its numbers as something with a buffer; nothing is copied that has its format already."""
    kept = tensor.to(dtype).contiguous()
    if kept.is_floating_point() and not bool(torch.isfinite(kept).all()):
        before = "is not finite" if not bool(torch.isfinite(tensor).all()) else f"is too large for {dtype}"
        raise WeightsError(f"{source}: a number of {name!r} {before}", "Train it again with smaller rates.")
    return kept.reshape(-1).view(torch.uint8).numpy() if kept.numel() else b""
