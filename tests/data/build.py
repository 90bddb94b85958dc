"""Small folders of shards."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from geco.data.objects import TexturedObject
from geco.data.shards import PictureSet, Shards, ShardWriter, encode_object

SIZE = 8
SETTINGS = {
    "size": SIZE,
    "channels": ["rgba", "depth", "normal", "position"],
    "sets": [{"name": "ring-v1.2", "count": 3}, {"name": "single", "count": 1}],
    "seed": 0,
}
KEYS = ["cup", "a-very-long-name-" * 8 + "end", "chair", "lamp", "box"]


def pictures(key: str, count: int) -> PictureSet:
    rng = np.random.default_rng([*key.encode(), count])
    normals = rng.normal(size=(count, SIZE, SIZE, 3))
    hit = rng.random((count, SIZE, SIZE)) < 0.6
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    return PictureSet(
        c2w=rng.normal(size=(count, 4, 4)).astype(np.float32),
        lenses=rng.random((count, 3)).astype(np.float32),
        channels={
            "rgba": rng.integers(0, 256, (count, SIZE, SIZE, 4), dtype=np.uint8),
            "depth": (hit * rng.uniform(2, 6, hit.shape)).astype(np.float32),
            "normal": (hit[..., None] * normals).astype(np.float32),
            "position": (hit[..., None] * rng.uniform(-0.95, 0.95, (*hit.shape, 3))).astype(np.float32),
        },
        facts=[{"azimuth": float(index)} for index in range(count)],
    )


def piece(key: str) -> bytes:
    return encode_object(
        key, {"licence": "CC0-1.0", "faces": 12}, {name: pictures(key, n) for name, n in sets().items()}
    )


def sets() -> dict[str, int]:
    return {entry["name"]: entry["count"] for entry in SETTINGS["sets"]}  # type: ignore[attr-defined]


def write(
    folder: Path, keys: Sequence[str] = KEYS, order: Sequence[str] | None = None, **options: Any
) -> Shards:
    writer = ShardWriter(folder, SETTINGS, keys, objects_a_shard=2, **options)
    for key in order or keys:
        if key in writer.pending:
            writer.add(key, piece(key))
    writer.finish()
    return Shards(folder)


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


RED = (200, 10, 20)


def shades(obj: TexturedObject) -> list[tuple[int, ...]]:
    """The colour of each face's material: texture x vertex colour, 8 bits."""
    first = obj.colors[obj.faces[:, 0]]
    texels = np.stack([obj.textures[m][0, 0, :3] for m in obj.materials])
    return [tuple(int(v) for v in row) for row in np.rint(first * texels)]
