"""Shards of a ball off the centre: what its points and colours must be is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from geco.cameras import INPUT_FOV, intrinsics
from geco.data.dataset.grid import GRID_SETS
from geco.data.grid_views import INPUTS_PER_AZIMUTH
from geco.data.labels.carve import shard_poses
from geco.data.render import lens
from geco.data.shards import PictureSet, ShardWriter, encode_object

RADIUS = 0.6
CENTRE = np.array([0.2, 0.0, 0.1])


def ball_views(size: int) -> tuple[np.ndarray, np.ndarray]:
    """RGBA (36, S, S, 4) and depth (36, S, S) of a ball off the centre, red on its +y half and
    blue on the other.
    """
    poses = shard_poses()
    axis = ((np.arange(size) + 0.5) / size - 0.5) / intrinsics(INPUT_FOV)[0, 0]
    local = np.stack(np.broadcast_arrays(axis[None, :], -axis[:, None], -1.0), axis=-1)
    rays = np.einsum("vij,hwj->vhwi", poses[:, :3, :3], local)
    start = poses[:, None, None, :3, 3] - CENTRE
    a, b, c = (rays**2).sum(-1), (rays * start).sum(-1), (start**2).sum(-1) - RADIUS**2
    under = b**2 - a * c
    depth = np.where(under > 0, (-b - np.sqrt(np.maximum(under, 0))) / a, 0.0)
    hit = start + rays * depth[..., None]
    color = np.where(hit[..., 1:2] > 0, [200, 30, 30], [30, 30, 200])
    return np.concatenate([color, 255 * (depth[..., None] > 0)], axis=-1).astype(np.uint8), depth.astype(
        np.float32
    )


def write_balls(folder: Path, objects: int = 2) -> Path:
    """Shards of one ball each at 16 px; the inputs are the first ring of targets."""
    color, depth = ball_views(16)
    poses = shard_poses()
    parts = dict(
        zip(GRID_SETS, (np.arange(24), np.arange(24, 36), np.repeat(np.arange(12), INPUTS_PER_AZIMUTH)))
    )
    sets = {
        name: PictureSet(poses[part], lens(INPUT_FOV, len(part)), {"rgba": color[part], "depth": depth[part]})
        for name, part in parts.items()
    }
    described = [{"name": name, "count": len(part)} for name, part in parts.items()]
    keys = [f"ball-{number}" for number in range(objects)]
    writer = ShardWriter(
        folder, {"size": 16, "channels": ["rgba", "depth"], "sets": described}, keys, objects_a_shard=1
    )
    for key in keys:
        writer.add(key, encode_object(key, {}, sets))
    writer.finish()
    return folder
