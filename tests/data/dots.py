"""Shards of objects that are one small dot: its place in every picture is known, so any wrong
camera or picture shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from geco.cameras import ZERO123PLUS_V12, invert, orbit_poses, random_poses
from geco.data import grid_views
from geco.data.dataset.needs import family
from geco.data.render import lens
from geco.data.shards import PictureSet, ShardWriter, encode_object

SIZE = 32


def dot_of(number: int) -> np.ndarray:
    """(3,) where object ``number``'s dot is."""
    return np.random.default_rng([7, number]).uniform(-0.45, 0.45, 3)


def color_of(number: int) -> np.ndarray:
    """(3,) uint8, another one for every object."""
    return np.array([40 + 8 * number, 250 - 9 * number, 120], np.uint8)


def project(point: np.ndarray, c2w: np.ndarray, lenses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2) image positions in [0, 1] from the top left and (N,) depths of a point."""
    local = invert(c2w)[:, :3, :3] @ point + invert(c2w)[:, :3, 3]
    depth = -local[:, 2]
    return np.stack(
        [
            lenses[:, 0] * local[:, 0] / depth + lenses[:, 1],
            lenses[:, 2] - lenses[:, 0] * local[:, 1] / depth,
        ],
        1,
    ), depth


def picture(place: np.ndarray, color: np.ndarray, size: int = SIZE) -> np.ndarray:
    """(size, size, 4) uint8 of a soft dot at ``place`` in [0, 1]."""
    axis = (np.arange(size) + 0.5) / size
    distance = np.hypot(axis[None] - place[0], axis[:, None] - place[1]) * size
    alpha = np.clip(3.0 - distance, 0, 1)
    return np.concatenate(
        [np.broadcast_to(color, (size, size, 3)) * (alpha[..., None] > 0), 255 * alpha[..., None]], -1
    ).astype(np.uint8)


def centre(rgba: np.ndarray) -> np.ndarray:
    """(2,) image position in [0, 1] of what is visible in (S, S, 4)."""
    weight, axis = rgba[..., 3].astype(np.float64), (np.arange(rgba.shape[0]) + 0.5) / rgba.shape[0]
    return np.array([(weight.sum(0) * axis).sum(), (weight.sum(1) * axis).sum()]) / weight.sum()


def cameras(set_name: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """c2w and lenses in the layout of the named set; inputs have lenses of their own, off the middle."""
    if set_name in ("grid-targets", "grid-extra"):
        made = grid_views.target_cameras() if set_name == "grid-targets" else grid_views.extra_cameras()
        return made[1], made[2]
    if set_name == "zero123plus-v1.2":
        return orbit_poses(ZERO123PLUS_V12.azimuths, ZERO123PLUS_V12.elevations, 4.0), lens(30.0, 6)
    if set_name == "grid-inputs":
        poses = orbit_poses(
            np.repeat(np.arange(12) * 30.0, 2), rng.uniform(-10, 30, 24), rng.uniform(3, 6, 24)
        )
        return poses, lens(30.0, 24) + rng.uniform(-0.05, 0.05, (24, 3)).astype(np.float32)
    count = int(set_name.rpartition("-")[2])
    if family(set_name) != "pairs":
        return random_poses(count, rng), lens(30.0, count)
    azimuths, elevations = rng.uniform(0, 360, count), rng.uniform(-80, 80, count)
    poses = [
        np.concatenate(
            [
                orbit_poses([azimuth], [elevation], 4.0),
                orbit_poses(np.array(ZERO123PLUS_V12.azimuths) + azimuth, ZERO123PLUS_V12.elevations, 4.0),
            ]
        )
        for azimuth, elevation in zip(azimuths, elevations)
    ]
    return np.concatenate(poses), np.tile(np.concatenate([lens(40.0, 1), lens(30.0, 6)]), (count, 1))


def write_dots(
    folder: Path, sets: Sequence[str], objects: int = 5, size: int = SIZE, depth: bool = True
) -> Path:
    """Finished shards of ``objects`` dots."""
    made = {
        name: [cameras(name, np.random.default_rng([number, place])) for number in range(objects)]
        for place, name in enumerate(sets)
    }
    channels = ["rgba", "depth"] if depth else ["rgba"]
    described = [{"name": name, "count": len(made[name][0][0])} for name in sets]
    writer = ShardWriter(
        folder,
        {"size": size, "channels": channels, "sets": described},
        [f"dot{number}" for number in range(objects)],
        3,
    )
    for number in range(objects):
        found = {}
        for name in sets:
            c2w, lenses = made[name][number]
            places, depths = project(dot_of(number), c2w, lenses)
            rgba = np.stack([picture(place, color_of(number), size) for place in places])
            each = {
                "rgba": rgba,
                "depth": np.where(rgba[..., 3] > 127, depths[:, None, None], 0).astype(np.float32),
            }
            found[name] = PictureSet(c2w, lenses, {channel: each[channel] for channel in channels})
        writer.add(f"dot{number}", encode_object(f"dot{number}", {}, found))
    writer.finish()
    return folder
