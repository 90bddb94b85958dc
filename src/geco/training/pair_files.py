"""One pair on disk: every picture a file of its own, so that four renders of fifty cost four small reads.

``NUMBER/`` holds ``picture.webp``; ``views.webp``, the six below each other; ``x0.npy`` (float16) and
``poses.npy``; a file a render, ``00.webp`` ...: its colours, and its mask as the fourth channel. With
``geometry`` also ``00.normal.png`` and ``00.depth.png`` ... as :mod:`geco.data.shards` encodes them. All
pictures are lossless.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from geco.arrays import open_array
from geco.data.shards.format import check_header, decode_picture, depth_scale, encode_picture
from geco.errors import ConfigError
from geco.reading import read_regular

PICTURE, VIEWS, X0, POSES = "picture.webp", "views.webp", "x0.npy", "poses.npy"
DEEPEST = 8.0  # world units that the depth of a render can hold; viewpoints are 4 away (geco.cameras)
MOST = 1 << 28  # bytes of one picture's file
REMEDY = "Delete its folder of pairs and make them again: geco distill pairs."
# Measured on 16 renders of scans (Pillow 13): at 512 px 5 ms and 131 kB, at 64 px 0.2 ms and 3.5 kB. Method 2
# of quality 50 takes 36 ms for 68 kB, PNG of level 3 12 ms for 125 kB.
WEBP = {"lossless": True, "quality": 0, "method": 0, "exact": True}


def encode_pair(item: Mapping[str, NDArray[Any]]) -> dict[str, bytes]:
    """Name -> content of every file of a pair.

    Args:
        item: picture (3, S, S), views (6, 3, H, W), rgb (N, R, R, 3), mask (N, R, R), all uint8; x0, kept as
            float16; poses (N, 4, 4); normal (N, R, R, 3) unit vectors and depth (N, R, R) world units where
            they are to be kept.
    """
    files = {
        PICTURE: encode(item["picture"].transpose(1, 2, 0)),
        VIEWS: encode_views(item["views"]),
        X0: _array(item["x0"], np.float16),
        POSES: _array(item["poses"], np.float32),
    }
    for index, (rgb, mask) in enumerate(zip(item["rgb"], item["mask"])):
        files[f"{index:02d}.webp"] = encode(np.concatenate([rgb, mask[..., None]], axis=-1))
    for name in ("normal", "depth"):
        for index, values in enumerate(item.get(name, ())):
            files[f"{index:02d}.{name}.png"] = _encode_geometry(name, values)
    return files


def encode_views(views: NDArray[np.uint8]) -> bytes:
    """Views (6, 3, H, W) as one picture."""
    return encode(views.transpose(0, 2, 3, 1).reshape(-1, views.shape[-1], 3))


def decode_views(path: Path) -> NDArray[np.uint8]:
    """The other way round; raises ConfigError."""
    picture = decode(path, 3)
    if len(picture) % 6:
        raise ConfigError(f"{path} does not hold six views", REMEDY)
    return picture.reshape(6, -1, *picture.shape[1:]).transpose(0, 3, 1, 2)


def encode(picture: NDArray[np.uint8]) -> bytes:
    """(H, W, 3 or 4) as lossless WebP; colours where nothing is opaque are kept too."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(buffer, "WEBP", **WEBP)
    return buffer.getvalue()


def decode(path: Path, channels: int, size: int | None = None) -> NDArray[np.uint8]:
    """(H, W, channels); raises ConfigError where it is none, or not ``size`` pixels a side."""
    data = read_regular(path, MOST, ConfigError)
    try:
        with Image.open(io.BytesIO(data), formats=("WEBP",)) as opened:
            if size is not None and opened.size != (size, size):
                raise ValueError(f"{opened.size} pixels, not {size} a side")
            # a picture that is opaque everywhere is written without its fourth channel
            return np.array(opened.convert("RGB" if channels == 3 else "RGBA"))
    except Exception as error:  # Pillow's plug-ins raise whatever comes
        raise ConfigError(f"cannot read {path}: {str(error).splitlines()[0][:200]}", REMEDY) from error


class Pair(Mapping[str, NDArray[Any]]):
    """One pair; every array is read when it is asked for.

    picture (3, S, S), views (6, 3, H, W), rgb (N, R, R, 3), mask (N, R, R), all uint8; x0 float16; poses (N,
    4, 4) float32; with ``geometry`` normal (N, R, R, 3) and depth (N, R, R), float32, 0 where nothing is.
    """

    def __init__(self, folder: Path, renders: int, size: int, geometry: bool = False) -> None:
        self.folder, self.count, self.size = folder, renders, size
        more = ("normal", "depth") if geometry else ()
        self._names = ("picture", "views", "x0", "poses", "rgb", "mask", *more)

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._names:
            raise KeyError(name)
        if name == "picture":
            return decode(self.folder / PICTURE, 3).transpose(2, 0, 1)
        if name == "views":
            return decode_views(self.folder / VIEWS)
        if name == "x0":
            return np.array(open_array(self.folder / X0, None, np.float16, ConfigError, REMEDY))
        if name == "poses":
            shape = (self.count, 4, 4)
            return np.array(open_array(self.folder / POSES, shape, np.float32, ConfigError, REMEDY))
        return self.renders(range(self.count), [name])[name]

    def renders(self, cameras: Sequence[int], names: Sequence[str] = ("rgb", "mask")) -> dict[str, Any]:
        """Some renders alone: rgb, mask, normal and depth as they are asked for, the cameras' first axis."""
        found: dict[str, list[Any]] = {name: [] for name in names}
        for camera in cameras:
            if "rgb" in found or "mask" in found:
                both = decode(self.folder / f"{camera:02d}.webp", 4, self.size)
                parts = {"rgb": both[..., :3], "mask": both[..., 3]}
                for name in parts.keys() & found.keys():
                    found[name].append(parts[name])
            for name in ("normal", "depth"):
                if name in found:
                    path = self.folder / f"{camera:02d}.{name}.png"
                    found[name].append(_decode_geometry(name, path, self.size))
        return {name: np.stack(values) for name, values in found.items()}


def _encode_geometry(channel: str, values: NDArray[Any]) -> bytes:
    if channel == "normal":
        return encode_picture(channel, values)[0]
    levels = np.where(values > 0, np.clip(np.rint(values / depth_scale(DEEPEST)), 1, 65535), 0)
    buffer = io.BytesIO()
    Image.fromarray(levels.astype(np.uint16)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _decode_geometry(channel: str, path: Path, size: int) -> NDArray[np.float32]:
    data = read_regular(path, MOST, ConfigError)
    try:
        check_header(channel, data, size)
        return decode_picture(channel, data, depth_scale(DEEPEST))
    except Exception as error:
        raise ConfigError(f"cannot read {path}: {str(error).splitlines()[0][:200]}", REMEDY) from error


def _array(values: NDArray[Any], dtype: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(values, dtype))
    return buffer.getvalue()
