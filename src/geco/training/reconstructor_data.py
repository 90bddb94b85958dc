"""Samples of the reconstructor's training: six views, the clean picture, labelled points; and
views made worse.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from geco.data.dataset import GridViews
from geco.data.grid_views import AZIMUTHS, INPUTS_PER_AZIMUTH
from geco.data.labels.files import LabelledPoints
from geco.multiview.interface import Condition
from geco.multiview.small.network import SmallMultiView
from geco.noise import stream
from geco.training.augment import composite, permutations, permute_channels
from geco.training.reconstructor_options import LEVELS, ViewFaults
from geco.training.six_views import Sample, sample_tensors
from geco.training.state import standard_normal
from geco.types import Floats, Longs

USUAL = ViewFaults()
# standard deviation of half of the coloured points' distance from the surface, each axis: a third of a pixel
OFF_SURFACE = 0.012


@dataclass
class ReconstructorBatch:
    """One batch.

    Attributes:
        views: (B, 6, 3, S, S) and picture: (B, 3, S, S), in [0, 1] on white.
        points: (B, P, 3) world units, the input camera at azimuth 0, and distance: (B, P) signed, negative
            inside.
        surface: (B, Q, 3) and colors: (B, Q, 3) in [0, 1].
    """

    views: Tensor
    picture: Tensor
    points: Tensor
    distance: Tensor
    surface: Tensor
    colors: Tensor

    def to(self, device: torch.device) -> ReconstructorBatch:
        """Moved."""
        return ReconstructorBatch(*(getattr(self, field.name).to(device) for field in fields(self)))


class ReconstructorData:
    """Views with their labelled points (geco.data.labels.carve).

    Args:
        views: finished, labelled shards; what lies in a GPU's memory (geco.training.six_views) is made into
            batches there.
    """

    def __init__(self, views: GridViews | Path) -> None:
        self.shards = GridViews(views) if isinstance(views, Path) else views
        self.labels = LabelledPoints(self.shards.shards)

    def __len__(self) -> int:
        return len(self.shards)

    def label(self, sample: Sample, points: Longs, surface: Longs) -> tuple[Floats, ...]:
        """Points (P, 3), their distance (P,), surface points (Q, 3) and their colours (Q, 3)
        before the sample's camera.
        """
        index, azimuth, _, mirror = sample
        labels = self.labels[index]
        labelled: Floats = labels.points[points].astype(np.float32)
        place: Floats = labels.surface[surface].astype(np.float32)
        colors: Floats = labels.colors[surface].astype(np.float32) / np.float32(255)
        flip = np.array([1.0, -1.0 if mirror else 1.0, 1.0], np.float32)
        turn = rotation(-30.0 * azimuth)
        turned = [
            np.asarray((positions * flip) @ turn.T, np.float32) for positions in (labelled[:, :3], place)
        ]
        return turned[0], labelled[:, 3], turned[1], colors

    def batch(self, seed: int, step: int, size: int, points: int, surface: int) -> ReconstructorBatch:
        """``size`` random samples that depend on (seed, step) only."""
        rng = stream(seed, "reconstructor", step)
        samples: list[Sample] = []
        found = []
        for _ in range(size):
            mirror = bool(rng.random() < 0.5)
            key = (
                int(rng.integers(len(self))),
                int(rng.integers(AZIMUTHS)),
                int(rng.integers(INPUTS_PER_AZIMUTH)),
            )
            labels = self.labels[key[0]]
            picks = (
                rng.integers(len(labels.points), size=points),
                rng.integers(len(labels.surface), size=surface),
            )
            samples.append((*key, mirror))
            item = self.label(samples[-1], *picks)
            # Colours are asked on surfaces that are not quite right, and on a lattice beside them.
            item[2][::2] += rng.normal(0.0, OFF_SURFACE, item[2][::2].shape)
            found.append(item)
        return self._collate(samples, found)

    def fixed(self, count: int, points: int, surface: int, seed: int = 0) -> ReconstructorBatch:
        """The first ``count`` objects from one fixed azimuth each, points from the uniform half
        only: for validation.
        """
        rng = stream(seed, "validation")
        samples: list[Sample] = []
        found = []
        for index in range(min(count, len(self))):
            labels = self.labels[index]
            half = len(labels.points) // 2
            picks = half + rng.integers(half, size=points), rng.integers(len(labels.surface), size=surface)
            samples.append((index, int(rng.integers(AZIMUTHS)), 0, False))
            found.append(self.label(samples[-1], *picks))
        return self._collate(samples, found)

    def _collate(self, samples: list[Sample], found: list[tuple[Floats, ...]]) -> ReconstructorBatch:
        condition, targets = sample_tensors(self.shards, samples)
        labels = (torch.from_numpy(np.stack(part)).to(condition.device) for part in zip(*found))
        return ReconstructorBatch(composite(targets), composite(condition), *labels)


def rotation(degrees: float) -> Floats:
    """(3, 3) about the z axis."""
    angle = np.radians(degrees)
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]], np.float32)


def worsen(
    batch: ReconstructorBatch,
    rng: torch.Generator,
    faults: ViewFaults = USUAL,
    share: float | Tensor = 0.65,
) -> ReconstructorBatch:
    """Views as a generator might draw them: each bent, shifted and scaled a little on its own, blurred,
    noisy, off in colour.

    Outlines that disagree must not carve the object away. ``share`` of the samples (or each with its own
    probability, (B,)) is changed, by a random amount each, up to ``faults``.
    The colour channels are permuted, in everything, for half of the samples. The batch lies where
    ``rng`` is.
    """
    views, picture = batch.views, batch.picture
    count, _, _, size, _ = views.shape

    def normal(*shape: int) -> Tensor:
        return standard_normal(shape, rng)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=rng, device=rng.device)

    chosen = uniform(count) < (share.to(views.device) if isinstance(share, Tensor) else share)
    amount = torch.where(chosen, uniform(count), 0.0)  # (B,)
    per_view = amount.repeat_interleave(6)[:, None, None, None]
    flat = _bent(views.flatten(0, 1), per_view, rng, faults)
    soft = F.avg_pool2d(F.pad(flat, (2, 2, 2, 2), mode="replicate"), 3, stride=1)
    soft = F.avg_pool2d(soft, 3, stride=1)
    blur = (per_view * uniform(count * 6, 1, 1, 1) * faults.blur).clamp(max=1)
    flat = flat + blur * (soft - flat)
    tint = 1 + per_view * faults.tint * (normal(count * 6, 3, 1, 1) + normal(count * 6, 1, 1, 1))
    # White stays white: only what is darker than the background changes colour.
    flat = 1 - (1 - flat) * tint + per_view * normal(count * 6, 3, size, size) * faults.noise
    views = torch.where(per_view > 0, flat, views.flatten(0, 1)).clamp(0, 1).unflatten(0, (count, 6))
    grain = amount[:, None, None, None] * faults.noise
    picture = (picture + grain * normal(count, 3, size, size)).clamp(0, 1)
    order = permutations(count, rng)
    views, picture = permute_channels(views, order), permute_channels(picture[:, None], order)[:, 0]
    colors = batch.colors.gather(2, order[:, None].expand_as(batch.colors))
    return ReconstructorBatch(views, picture, batch.points, batch.distance, batch.surface, colors)


def _bent(flat: Tensor, strength: Tensor, rng: torch.Generator, faults: ViewFaults) -> Tensor:
    """Views (N, 3, S, S), each pulled out of shape, shifted and scaled by ``strength`` (N, 1, 1, 1)."""
    count, _, size, _ = flat.shape
    places = standard_normal((count, 2, 5, 5), rng)
    bend = F.interpolate(places, size=(size, size), mode="bicubic", align_corners=True)
    shift = standard_normal((count, 2, 1, 1), rng) * faults.shift
    scale = standard_normal((count, 1, 1, 1), rng) * faults.scale
    axis = (torch.arange(size, device=flat.device) + 0.5) / size * 2 - 1
    identity = torch.stack(torch.meshgrid(axis, axis, indexing="xy"))[None]  # (1, 2, S, S)
    where = identity + strength * ((bend * faults.bend + shift) * (2 / size) + identity * scale)
    return F.grid_sample(flat, where.permute(0, 2, 3, 1), align_corners=False, padding_mode="border")


@torch.no_grad()
def predict_noised(
    network: SmallMultiView,
    picture: Tensor,
    views: Tensor,
    rng: torch.Generator,
    levels: tuple[int, int] = LEVELS,
) -> Tensor:
    """x0 in one pass from true views (B, 6, 3, S, S) in [0, 1] noised to a random one of
    ``levels`` each; in [0, 1].
    """
    t = torch.randint(*levels, (len(views),), generator=rng, device=rng.device).to(views.device)
    x_t = network.schedule.add_noise(views * 2 - 1, standard_normal(views.shape, rng).to(views.device), t)
    state = network.encode_condition(Condition(picture * 2 - 1))
    return (network.predict(x_t, t, state, "x0").clamp(-1, 1) + 1) / 2
