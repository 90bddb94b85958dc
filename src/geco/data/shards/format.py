"""What lies in a shard: names of members, lossless pictures and the exact bytes of both.

A piece is one object's members as consecutive tar records, a shard is pieces joined end to end; so the bytes
of a shard depend on its objects and the settings only, never on who rendered them or when. Pages:
``docs/data-shards.md``.
"""

from __future__ import annotations

import io
import json
import math
import tarfile
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from geco.errors import ConfigError

FORMAT = "geco-shards-1"
HELD_OUT = "held_out"  # in a folder of shards: a folder of shards that no training sees
# channel -> how many values a pixel, as read back
CHANNELS = {"rgba": 4, "depth": 1, "normal": 3, "position": 3}
# Measured at 128 px: level 1 6.9 kB and 0.53 ms a picture, 3 6.5 kB and 0.64 ms, 6 6.1 kB and 1.3 ms, 9 5.8
# kB and 8 ms.
PNG_LEVEL = 3
POSITION_SCALE = 1 / 32767  # positions lie in [-1, 1]; 0 = nothing, 32768 = 0.0
TAR_END = b"\0" * 1024  # two empty records, POSIX.1-1988 ustar
# channel -> Pillow's modes of it; 16 bits are "I;16" or, in older versions, "I"
_MODES = {"rgba": ("RGBA",), "depth": ("I;16", "I"), "normal": ("RGB",), "position": ("I;16", "I")}
_RECORD = 512
_DEPTH_LEVELS = 65535


def member_name(set_name: str, index: int, channel: str) -> str:
    """The name of one picture in a shard, after ``KEY.``."""
    return f"{set_name}.{index:02d}.{channel}.png"


def encode_picture(channel: str, values: NDArray[Any]) -> tuple[bytes, dict[str, float]]:
    """One picture as PNG, and what must be known to read it back.

    Args:
        channel: ``rgba`` (S, S, 4) uint8; ``depth`` (S, S) float, 0 = nothing; ``normal`` (S, S, 3) unit
            vectors, 0 = nothing; ``position`` (S, S, 3) in [-1, 1], exactly 0 = nothing.
    """
    if channel == "rgba":
        return _png(np.ascontiguousarray(values)), {}
    if channel == "depth":
        scale = depth_scale(float(values.max(initial=0.0)))
        levels = np.where(values > 0, np.clip(np.rint(values / scale), 1, _DEPTH_LEVELS), 0)
        return _png(levels.astype(np.uint16)), {"depth_scale": scale}
    nothing = (values == 0).all(axis=-1, keepdims=True)
    if channel == "normal":
        return _png(np.where(nothing, 0, np.rint(values * 127 + 128)).astype(np.uint8)), {}
    if channel == "position":
        levels = np.where(nothing, 0, np.clip(np.rint(values / POSITION_SCALE), -32767, 32767) + 32768)
        return _png(np.concatenate([levels[..., axis] for axis in range(3)]).astype(np.uint16)), {}
    raise ConfigError(f"unknown channel {channel!r}", f"Known: {', '.join(CHANNELS)}.")


def check_header(channel: str, data: bytes, size: int) -> None:
    """Raise ValueError unless ``data`` begins as a PNG of the channel's kind and of a picture of ``size``
    pixels a side.

    Nothing is decoded: what a header says is known before its pixels take memory.
    """
    with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
        wanted = (size, 3 * size) if channel == "position" else (size, size)
        if picture.size != wanted or picture.mode not in _MODES[channel]:
            raise ValueError(
                f"a {picture.mode} picture of {picture.size}, not the {channel} of {size} pixels"
            )


def decode_picture(channel: str, data: bytes, scale: float = 1.0) -> NDArray[Any]:
    """The picture back: ``rgba`` (S, S, 4) uint8, ``depth`` (S, S) float32, ``normal`` and ``position`` (S,
    S, 3) float32.

    Depth is within ``scale / 2``, normals within 0.004 an axis, positions within 1.6e-5; ``rgba`` is exact.
    """
    with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
        levels = np.asarray(picture)
    if channel == "rgba":
        return levels
    if channel == "depth":
        return levels.astype(np.float32) * np.float32(scale)
    if channel == "normal":
        return np.where(
            levels.any(axis=-1, keepdims=True), (levels.astype(np.float32) - 128) / 127, 0
        ).astype(np.float32)
    size = levels.shape[1]
    axes = np.moveaxis(levels.reshape(3, size, size), 0, -1).astype(np.float32)
    return np.where(axes.any(axis=-1, keepdims=True), (axes - 32768) * np.float32(POSITION_SCALE), 0).astype(
        np.float32
    )


def depth_scale(deepest: float) -> float:
    """World units a level: the smallest power of two that holds ``deepest`` in 16 bits (1.2e-4
    for depths from 4 to 8).
    """
    return 2.0 ** math.ceil(math.log2(max(deepest, 1e-3) / _DEPTH_LEVELS))


def encode_json(value: Any) -> bytes:
    """Compact JSON whose bytes depend on the value only."""
    return (
        json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()
        + b"\n"
    )


def plain(values: NDArray[Any]) -> Any:
    """A float32 array as nested lists of the shortest decimals that give the same float32 back."""
    array = np.asarray(values, np.float32)
    flat = [float(str(value)) for value in array.reshape(-1)]
    return np.array(flat, np.float64).reshape(array.shape).tolist()


def tar_record(name: str, data: bytes) -> bytes:
    """One member as a tar reader expects it, without anything that varies: no owner, no time."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o644
    return info.tobuf(tarfile.PAX_FORMAT) + data + b"\0" * (-len(data) % _RECORD)


def tar_members(data: bytes) -> dict[str, tuple[int, int]]:
    """Name -> (offset, bytes) of the members of joined records.

    Raises:
        tarfile.TarError: the records are cut off or damaged.
    """
    members: dict[str, tuple[int, int]] = {}
    end = 0
    with tarfile.open(fileobj=io.BytesIO(data + TAR_END), mode="r:") as archive:
        for info in archive:
            members[info.name] = (info.offset_data, info.size)
            end = info.offset_data + info.size + -info.size % _RECORD
    if end != len(data):
        raise tarfile.ReadError(f"records end at byte {end} of {len(data)}")
    return members


def _png(values: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "PNG", compress_level=PNG_LEVEL)
    return stream.getvalue()
