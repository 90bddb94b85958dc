"""Samples of PixelNeRF's training: input views with their cameras, and rays of the same object's views with
what arrives along them.

The world of a sample is its condition picture's own. Prepared photos are framed by the object, not by the
world, so the unit is chosen such that the picture's camera looks as :data:`geco.cameras.INPUT_LENS` does at
the object's distance, azimuth 0 is the picture's, and the origin lies behind the middle of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from geco.cameras import INPUT_LENS, intrinsics
from geco.data.dataset import GridViews
from geco.data.dataset.grid import EXTRA, mirror_cameras
from geco.data.grid_views import AZIMUTHS
from geco.data.objects.types import BOUNDING_RADIUS
from geco.noise import stream
from geco.reconstruct.pixelnerf.seen import Cameras, pixel_rays
from geco.training.augment import Jitter, composite, photograph, recolor
from geco.training.six_views import Sample, sample_tensors
from geco.types import Doubles, Floats


@dataclass
class Objects:
    """One batch of objects, before their colours are changed.

    Attributes:
        condition: (B, 4, S, S) in [0, 1], straight alpha. others: (B, T, 4, S, S) likewise: six targets, then
            views from elsewhere.
        c2w: (B, 1 + T, 4, 4) and lenses: (B, 1 + T, 3) of condition and others, in the condition's world.
        centre: (B, 3) and radius: (B,) of a sphere that holds the object.
    """

    condition: Tensor
    others: Tensor
    c2w: Tensor
    lenses: Tensor
    centre: Tensor
    radius: Tensor

    @property
    def elevation(self) -> Tensor:
        """(B,) radians, of the condition's camera: how far its axis looks down."""
        return self.c2w[:, 0, 2, 2].clamp(-1, 1).asin()


@dataclass
class RayBatch:
    """What a step learns from.

    Attributes:
        pictures: (B, V, 3, S, S) in [0, 1] on white; cameras: theirs.
        origins, directions: (B, R, 3) of rays; colors: (B, R, 3) in [0, 1] on white; opacity: (B, R, 1).
        centre: (B, 3), radius: (B,) and elevation: (B,), as of :class:`Objects`.
    """

    pictures: Tensor
    cameras: Cameras
    origins: Tensor
    directions: Tensor
    colors: Tensor
    opacity: Tensor
    centre: Tensor
    radius: Tensor
    elevation: Tensor

    def to(self, device: torch.device) -> RayBatch:
        """Moved."""
        values = {name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)}
        cameras = Cameras(self.cameras.c2w.to(device), self.cameras.lenses.to(device))
        return RayBatch(cameras=cameras, **values)


def load_objects(data: GridViews, samples: Sequence[Sample], extra: Sequence[Sequence[int]]) -> Objects:
    """The pictures of ``samples``; ``extra``: which of the views from elsewhere each object has."""
    condition, targets = sample_tensors(data, samples)
    found = [_extra(data, sample, places) for sample, places in zip(samples, extra)]
    more = torch.from_numpy(np.stack([each[0] for each in found])).to(targets.device)
    others = torch.cat([targets, more.movedim(-1, -3).float() / 255], dim=1)
    worlds = []
    for sample, (_, poses, lens) in zip(samples, found):
        own, own_lenses = data.cameras(*sample)
        worlds.append(own_world(np.concatenate([own, poses]), np.concatenate([own_lenses, lens])))
    c2w, lenses, centre, radius = (
        torch.from_numpy(np.stack(part).astype(np.float32)).to(others.device) for part in zip(*worlds)
    )
    return Objects(condition, others, c2w, lenses, centre, radius)


def _extra(data: GridViews, sample: Sample, places: Sequence[int]) -> tuple[Floats, Floats, Floats]:
    """Pictures (E, S, S, 4) uint8, c2w (E, 4, 4) and lenses (E, 3) of views from elsewhere."""
    key, mirror = data.names[sample[0]], sample[3]
    if not len(places):
        size = data.size
        return np.zeros((0, size, size, 4), np.uint8), np.zeros((0, 4, 4)), np.zeros((0, 3))  # type: ignore
    pictures = data.pictures.get(key, EXTRA, list(places))
    c2w, lenses = (values[list(places)] for values in data.pictures.cameras(key, EXTRA))
    if mirror:
        pictures = np.ascontiguousarray(pictures[:, :, ::-1])
        c2w, lenses = mirror_cameras(c2w, lenses)
    return pictures, c2w, lenses


def own_world(c2w: Floats, lenses: Floats) -> tuple[Doubles, Floats, Doubles, float]:
    """Cameras in the first one's own world (see above).

    Args:
        c2w: (N, 4, 4); the object lies about the origin. lenses: (N, 3).

    Returns:
        c2w (N, 4, 4), the lenses as they are, and centre (3,) and radius of a sphere that holds the object.
    """
    poses = c2w.astype(np.float64)
    focal, cx, cy = lenses[0].astype(np.float64)
    eye = poses[0, :3, 3]
    distance = float(np.linalg.norm(eye))
    seen = (
        distance / focal * np.array([0.5 - cx, cy - 0.5, -focal])
    )  # the middle of the picture, at the object
    origin = eye + poses[0, :3, :3] @ seen
    unit = INPUT_LENS.radius / intrinsics(INPUT_LENS.fov)[0, 0] * focal / distance
    azimuth = np.arctan2(poses[0, 1, 2], poses[0, 0, 2])
    c, s = np.cos(azimuth), np.sin(azimuth)
    turn = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
    moved = poses.copy()
    moved[:, :3, :3] = turn @ poses[:, :3, :3]
    moved[:, :3, 3] = unit * (poses[:, :3, 3] - origin) @ turn.T
    return moved, lenses, unit * turn @ -origin, unit * BOUNDING_RADIUS


def draw_rays(
    objects: Objects, count: int, inside: float, views: int, rng: torch.Generator, jitter: Jitter
) -> RayBatch:
    """Colours changed, ``views`` inputs and ``count`` rays an object, a share ``inside`` of them through the
    silhouettes; the random numbers are drawn where ``rng`` is, the batch lies there.
    """
    at = rng.device
    condition, others = recolor(objects.condition.to(at), objects.others.to(at), rng, jitter)
    batch = len(condition)
    rows = torch.arange(batch, device=at)[:, None]
    chosen = torch.rand(batch, 6, generator=rng, device=at).argsort(1)[:, : views - 1]
    photos = composite(photograph(condition, rng, jitter))[:, None]
    pictures = torch.cat([photos, composite(others[rows, chosen])], dim=1)
    seen = torch.cat([torch.zeros_like(rows), chosen + 1], dim=1)
    c2w, lenses = objects.c2w.to(at), objects.lenses.to(at)
    cameras = Cameras(c2w[rows, seen], lenses[rows, seen])
    truth = torch.cat([condition[:, None], others], dim=1)
    picks = _pixels(truth[:, :, 3], count, inside, rng)
    size = truth.shape[-1]
    view, pixel = picks // size**2, picks % size**2
    places = torch.stack([pixel % size + 0.5, pixel // size + 0.5], dim=-1) / size
    origins, directions = pixel_rays(c2w[rows, view], lenses[rows, view], places)
    found = truth.movedim(2, -1).flatten(1, 3)[rows, picks]
    alpha = found[..., 3:]
    colors = found[..., :3] * alpha + 1 - alpha
    sphere = objects.centre.to(at), objects.radius.to(at)
    return RayBatch(pictures, cameras, origins, directions, colors, alpha, *sphere, objects.elevation.to(at))


def _pixels(alpha: Tensor, count: int, inside: float, rng: torch.Generator) -> Tensor:
    """(B, count) places in the flat pictures (B, T * S * S)."""
    flat = alpha.flatten(1)
    within = round(count * inside)
    weights = (flat > 0.5).float()
    weights[weights.sum(1) == 0] = 1.0
    bounds = weights.cumsum(1)
    wanted = torch.rand(len(flat), within, generator=rng, device=rng.device) * bounds[:, -1:]
    chosen = torch.searchsorted(bounds, wanted, right=True).clamp_max(flat.shape[1] - 1)
    anywhere = torch.randint(flat.shape[1], (len(flat), count - within), generator=rng, device=rng.device)
    return torch.cat([chosen, anywhere], dim=1)


def drawn_samples(data: GridViews, seed: int, index: int, size: int, extra: int) -> Objects:
    """Micro-batch ``index``: objects, sides and the views beside the targets follow from it and the seed."""
    rng = stream(seed, "pixelnerf", index)
    most = data.shards.sets[EXTRA]
    places = [rng.permutation(most)[: min(extra, most)].tolist() for _ in range(size)]
    return load_objects(data, data.draw(seed, index, size), places)


def fixed_samples(data: GridViews, count: int, seed: int = 0) -> Objects:
    """The same objects and views every time: for validation."""
    rng = stream(seed, "validation")
    numbers = rng.permutation(len(data))[:count]
    samples = [(int(number), int(rng.integers(AZIMUTHS)), 0, False) for number in numbers]
    return load_objects(data, samples, [[]] * len(samples))
