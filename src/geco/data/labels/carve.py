"""Supervision for a reconstructor without volume rendering: labelled points and coloured surface points of
each object.

``geco data label SHARDS`` and the training of a reconstructor read the depth maps of the sets grid-targets
and grid-extra and write the labels beside the shards (:mod:`geco.data.labels.files`). Shards already done
are skipped.

A point is outside if any camera sees past it, the idea of space carving; its distance is that to the nearest
point of the union of all depth maps, the sign that of carving.
"""

from __future__ import annotations

import numpy as np

from geco.cameras import INPUT_FOV, intrinsics, invert
from geco.data.dataset.grid import EXTRA, TARGETS
from geco.data.dataset.pictures import Pictures
from geco.data.grid_views import extra_cameras, target_cameras
from geco.data.labels.files import Labels
from geco.data.render import SUPERSAMPLE
from geco.errors import MissingExtraError
from geco.noise import stream
from geco.types import Bools, Bytes, Floats

POINTS = 8192  # labelled points kept an object: half near the surface, half anywhere
SURFACE = 4096  # coloured surface points kept an object
# A camera must see this much past a point to carve it away (world units, a third of a pixel at 64 px): sheets
# without thickness keep a little, and depth maps of 64 px are no better than this.
MARGIN = 0.012
COVERED = 0.25  # coverage under which a camera sees past the outline: the same third of a pixel
# a step of depth from pixel to pixel above this (80 degrees at 64 px) is an edge, not a slope
MOST_SLOPE = 0.2
# Standard deviations of the distance along the ray for points near the surface, and the part of them that
# takes the smaller. These and the next two: our own choice, kept from the prototype, not tuned.
NEAR_SPREAD, NEAREST = (0.015, 0.06), 0.6
# Of the points anywhere, the part that comes from the object's own box, this much wider: thin objects fill
# little of the cube.
BOXED, BOX_MARGIN = 0.4, 0.08
# Where the four pixels about a point differ by more than this in depth (world units, 4.5 pixels at 64 px),
# there is an edge between them: interpolation would invent a surface.
DEPTH_EDGE = 0.15
FARTHEST = 0.5  # world units; distances beyond it are all the same to a reconstructor
# The cloud is a sample of the surface: its nearest point lies this much beside the foot of the perpendicular.
# From the prototype; on a ball of radius 0.6 it is 0.005 at 64 px and 0.004 at 96 (measured, 36 depth maps).
CLOUD_OFFSET = 0.008


def shard_poses() -> Floats:
    """(36, 4, 4) camera-to-world of a shard's depth maps: the 24 targets, then the extra views."""
    return np.concatenate([target_cameras()[1], extra_cameras()[1]])


def centre_depth(depth: Floats, alpha: Floats) -> Floats:
    """Depth at pixel centres, 0 where less than half of the pixel is covered.

    The renderer keeps the nearest of a pixel's samples; on a slanted surface that lies before the centre by
    half the slope's change over the samples. The slope is the smaller of the two one-sided differences, so
    that depth edges do not count.

    Args:
        depth: (V, S, S), 0 where there is nothing. alpha: (V, S, S) in [0, 1].
    """
    solid = (depth > 0) & (alpha >= 0.5)
    slope = np.zeros_like(depth)
    for axis in (1, 2):
        step = np.abs(np.diff(depth, axis=axis))
        both = (
            np.concatenate([step, step.take([-1], axis)], axis),
            np.concatenate([step.take([0], axis), step], axis),
        )
        smaller = np.minimum(*both)
        slope += np.where(smaller < MOST_SLOPE, smaller, 0.0)
    return np.where(solid, depth + slope * (0.5 * (SUPERSAMPLE - 1) / SUPERSAMPLE), 0.0).astype(np.float32)


def unproject(depth: Floats, poses: Floats) -> tuple[Floats, Floats]:
    """World positions of pixel centres.

    Args:
        depth: (V, S, S) along the viewing axis, 0 where there is nothing.
        poses: (V, 4, 4).

    Returns:
        (V, S, S, 3) positions (the camera's own where depth is 0) and (V, S, S, 3) rays scaled to a depth of
        one.
    """
    size = depth.shape[1]
    focal = intrinsics(INPUT_FOV)[0, 0]
    axis = ((np.arange(size) + 0.5) / size - 0.5) / focal
    local = np.stack(np.broadcast_arrays(axis[None, :], -axis[:, None], -1.0), axis=-1)  # (S, S, 3)
    rays = np.einsum("vij,hwj->vhwi", poses[:, :3, :3], local).astype(np.float32)
    return poses[:, None, None, :3, 3] + rays * depth[..., None], rays


def seen_past(points: Floats, depth: Floats, alpha: Floats, poses: Floats, margin: float = MARGIN) -> Bools:
    """(N,) whether any camera sees past the point by more than ``margin``: the carving of space by depth
    maps.

    Args:
        points: (N, 3) world units.
        depth: (V, S, S), 0 where there is nothing. alpha: (V, S, S) in [0, 1], for silhouettes finer than a
            pixel.
        poses: (V, 4, 4).
    """
    size = depth.shape[1]
    focal = np.float32(intrinsics(INPUT_FOV)[0, 0])
    w2c = invert(poses)
    outside = np.zeros(len(points), bool)
    for view in range(len(poses)):
        local = points @ w2c[view, :3, :3].T + w2c[view, :3, 3]
        away = -local[:, 2]
        column = np.clip((focal * local[:, 0] / away + 0.5) * size - 0.5, 0, size - 1.001)
        row = np.clip((0.5 - focal * local[:, 1] / away) * size - 0.5, 0, size - 1.001)
        x, y = column.astype(np.int32), row.astype(np.int32)
        fx, fy = column - x, row - y
        corner = y * size + x
        weights = np.stack([(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy])
        index = corner[None] + np.array([0, 1, size, size + 1], np.int32)[:, None]
        near_depth = depth[view].reshape(-1)[index]  # (4, N)
        cover = (weights * alpha[view].reshape(-1)[index]).sum(axis=0)
        solid = near_depth > 0
        weights = weights * solid
        smooth = (weights * near_depth).sum(axis=0) / np.maximum(weights.sum(axis=0), 1e-6)
        lowest = np.where(solid, near_depth, np.inf).min(axis=0)
        nearest = np.take_along_axis(near_depth, weights.argmax(axis=0)[None], axis=0)[0]
        surface = np.where(near_depth.max(axis=0) - lowest > DEPTH_EDGE, nearest, smooth)
        outside |= (cover < COVERED) | ~solid.any(axis=0) | (away < surface - margin)
    return outside


def sample_object(
    color: Bytes,
    depth: Floats,
    poses: Floats,
    rng: np.random.Generator,
    points: int = POINTS,
    surface: int = SURFACE,
) -> tuple[Floats, Floats, Bytes]:
    """Labelled points (P, 4), surface points (S, 3) and their colours (S, 3) of one object.

    Args:
        color: (V, S, S, 4) RGBA, straight alpha. depth: (V, S, S), 0 where there is nothing. poses: (V, 4,
            4).
    """
    tree = _nearest_neighbours()
    alpha = (color[..., 3] / np.float32(255)).astype(np.float32)
    depth = centre_depth(depth, alpha)
    world, rays = unproject(depth, poses)
    solid = depth > 0
    cloud, directions = world[solid], rays[solid]
    clean = color[solid][:, 3] > 250  # pixels on the outline mix object and background
    near = points // 2
    pick = rng.integers(0, len(cloud), near)
    spread = np.where(rng.random(near) < NEAREST, *NEAR_SPREAD)
    offset = (rng.standard_normal(near) * spread).astype(np.float32)
    close = (
        cloud[pick]
        + directions[pick] / np.linalg.norm(directions[pick], axis=1, keepdims=True) * offset[:, None]
    )
    anywhere = rng.uniform(-1.0, 1.0, (points - near, 3)).astype(np.float32)
    boxed = rng.random(len(anywhere)) < BOXED
    low, high = cloud.min(axis=0) - BOX_MARGIN, cloud.max(axis=0) + BOX_MARGIN
    anywhere[boxed] = (low + (anywhere[boxed] + 1) / 2 * (high - low)).astype(np.float32)
    where = np.clip(np.concatenate([close, anywhere]), -1.0, 1.0)
    distance = tree(cloud).query(where, distance_upper_bound=FARTHEST)[0]
    distance = np.sqrt(np.maximum(np.minimum(distance, FARTHEST) ** 2 - CLOUD_OFFSET**2, 0.0))
    sign = np.where(seen_past(where, depth, alpha, poses), 1.0, -1.0)
    labelled = np.concatenate([where, (sign * distance)[:, None]], axis=1).astype(np.float32)
    shown = np.flatnonzero(clean) if clean.any() else np.arange(len(cloud))
    chosen = rng.choice(shown, surface)
    return labelled, cloud[chosen], color[solid][chosen, :3]


def label_object(pictures: Pictures, key: str, seed: int = 0) -> Labels:
    """The labels of one object of the shards. One that no camera sees gets points far outside and
    a white surface.
    """
    parts = [(name, range(pictures.shards.sets[name])) for name in (TARGETS, EXTRA)]
    depth = np.concatenate([pictures.get(key, name, every, "depth")[..., 0] for name, every in parts])
    if not (depth > 0).any():
        nothing = np.full((POINTS, 4), 0.5, np.float16), np.full((SURFACE, 3), 0.9, np.float16)
        return Labels(*nothing, np.full((SURFACE, 3), 255, np.uint8))
    color = np.concatenate([pictures.get(key, name, every) for name, every in parts])
    points, surface, colors = sample_object(color, depth, shard_poses(), stream(seed, "labels", key))
    return Labels(points.astype(np.float16), surface.astype(np.float16), colors)


def _nearest_neighbours() -> type:
    try:
        from scipy.spatial import cKDTree
    except ImportError as error:
        raise MissingExtraError("scipy", "data", "labelling points for the reconstructor") from error
    return cKDTree
