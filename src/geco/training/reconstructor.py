"""Training of the small reconstructor on labelled points; part of each batch has views made worse or
predicted.

Supervision stays true throughout: the second stage's idea, a reconstructor that has seen what a generator
really draws. The shards need their labelled points first (geco.data.labels.carve). The run folder is a
model folder at any time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from geco.data.dataset import Loader
from geco.device import channels_last
from geco.multiview.small.network import SmallMultiView
from geco.reconstruct.small.field import DISTANCE_SCALE
from geco.reconstruct.small.model import SmallReconstructor
from geco.training.inputs import Inputs
from geco.training.muon import MATRIX_RATE, RATE, make_optimizers
from geco.training.reconstructor_data import ReconstructorBatch, ReconstructorData, predict_noised, worsen
from geco.training.reconstructor_options import ReconstructorOptions
from geco.training.state import rng_of
from geco.training.task import Loss, Part

# The heads' last layers and the point network are thin: Adam's step by element suits them.
ADAM_NAMES = ("encoder.stem", "encoder.fine", "volume_net.head", "field")
TRUNCATION = 0.1  # world units; distances beyond it are all the same to the network
LOADING_THREADS = 6  # that make batches for a GPU
# Width of the soft occupancy around the surface (world units, two thirds of a pixel at 64 px).
SOFTNESS = 0.02


def losses(
    model: SmallReconstructor,
    batch: ReconstructorBatch,
    options: ReconstructorOptions,
    autocast: AbstractContextManager[Any],
) -> Loss:
    """Weighted sum and its parts: occupancy and distance of the fine and of the coarse field, colour.

    ``autocast`` is entered for pictures and volume; the point network stays in float32.
    """
    with autocast:
        features = model.encode(batch.views, batch.picture)
    field = model.field
    inside, seen, depth = field.sample(features.volume, features.maps, batch.points)
    fine = field.shape(field.mix(inside, seen, depth)[1], inside)
    coarse = inside[..., 0] * DISTANCE_SCALE
    target = batch.distance.clamp(-TRUNCATION, TRUNCATION)
    solid = (batch.distance < 0).float()
    weight = torch.tensor(options.inside_weight, device=fine.device)
    occupancy = F.binary_cross_entropy_with_logits(-fine / SOFTNESS, solid, pos_weight=weight)
    distance = (fine.clamp(-TRUNCATION, TRUNCATION) - target).abs().mean()
    rough = (
        F.binary_cross_entropy_with_logits(-coarse / (2 * SOFTNESS), solid, pos_weight=weight)
        + options.distance_weight * (coarse - target).abs().mean()
    )
    color = (model.color(features, batch.surface) - batch.colors).abs().mean()
    total = (
        occupancy
        + options.distance_weight * distance
        + options.coarse_weight * rough
        + options.color_weight * color
    )
    parts = {"occupancy": occupancy, "distance": distance, "coarse": rough, "color": color}
    return total, {name: float(value.detach()) for name, value in parts.items()}


@torch.no_grad()
def validate(model: SmallReconstructor, batch: ReconstructorBatch, chunk: int = 5) -> dict[str, float]:
    """IoU of points (uniform ones), of the coarse field too, and colour PSNR in dB, means over objects."""
    rows: list[tuple[float, float, float]] = []
    for start in range(0, len(batch.views), chunk):
        part = slice(start, start + chunk)
        features = model.encode(batch.views[part], batch.picture[part])
        inside, seen, depth = model.field.sample(features.volume, features.maps, batch.points[part])
        fine = model.field.shape(model.field.mix(inside, seen, depth)[1], inside)
        colors = model.color(features, batch.surface[part]).clamp(0, 1)
        truth = batch.distance[part] < 0
        for item in range(len(fine)):
            ious = [overlap(values[item] < 0, truth[item]) for values in (fine, inside[..., 0])]
            error = float((colors[item] - batch.colors[part][item]).square().mean())
            rows.append((*ious, -10 * math.log10(max(error, 1e-10))))  # type: ignore[arg-type]
    means = torch.tensor(rows).mean(dim=0).tolist()
    return dict(zip(("iou", "iou_coarse", "color_psnr"), (round(value, 4) for value in means)))


def overlap(first: Tensor, second: Tensor) -> float:
    """Intersection over union of two boolean sets; 1 where both are empty."""
    union = (first | second).sum()
    return float((first & second).sum() / union) if union else 1.0


@dataclass(frozen=True)
class _Batches:
    """The data as a :class:`geco.data.dataset.Loader` asks for it."""

    data: ReconstructorData
    options: ReconstructorOptions

    def __len__(self) -> int:
        return len(self.data)

    def batch(self, seed: int, step: int, size: int, rank: int = 0, world: int = 1) -> ReconstructorBatch:
        o = self.options
        assert world == 1  # a micro-batch is one process's
        return self.data.batch(seed, step, size, o.points, o.surface)


class ReconstructorTask:
    """A :class:`geco.training.task.Task`; ``teacher`` is needed for options.predicted_share."""

    def __init__(
        self,
        options: ReconstructorOptions,
        inputs: Inputs,
        network: SmallReconstructor,
        data: ReconstructorData,
        save: Callable[[SmallReconstructor, Path, dict[str, Any]], None] = SmallReconstructor.save,
        checks: dict[str, ReconstructorBatch] | None = None,
        teacher: SmallMultiView | None = None,
    ) -> None:
        machine, seed = inputs.machine, inputs.seed
        self.network = network.to(machine.device)
        self.data, self.options, self.machine, self.seed = data, options, machine, seed
        self.batch = options.batch
        self.checks = {name: check.to(machine.device) for name, check in (checks or {}).items()}
        self._save = save
        self.results: dict[str, Any] = {}
        self.samples = 0
        self.teacher = teacher.to(machine.device).eval().requires_grad_(False) if teacher else None
        self.predicted = round(options.predicted_share * options.batch) if teacher else 0
        # A GPU would wait for one thread; on the CPU threads would only take the training's cores.
        threads = LOADING_THREADS if machine.device.type == "cuda" else 0
        self.loader = Loader(_Batches(data, options), self.batch, seed, threads=threads)
        channels_last(network)

    def parts(self) -> list[Part]:
        scale = self.options.rate_scale
        optimizers = make_optimizers(self.network, ADAM_NAMES, MATRIX_RATE * scale, RATE * scale)
        return [
            Part(
                "reconstructor",
                self.network,
                optimizers,
                self.loss,
                average=self.options.average,
                clip=self.options.clip,
            )
        ]

    def loss(self, index: int, rng: torch.Generator) -> Loss:
        o, machine = self.options, self.machine
        self.samples = (index + machine.world) * o.batch  # of the first process, which writes: by all of them
        count = self.predicted  # these come first, and are not made worse besides
        share = torch.cat([torch.zeros(count), torch.full((o.batch - count,), o.worsen)])
        batch = worsen(self.loader.at(index, machine.world).to(rng.device), rng, o.faults, share).to(
            machine.device
        )
        if self.teacher is not None and count:
            with machine.autocast():
                predicted_views = predict_noised(
                    self.teacher, batch.picture[:count], batch.views[:count], rng, o.predicted_levels
                )
            batch = replace(batch, views=torch.cat([predicted_views.float(), batch.views[count:]]))
        return losses(self.network, batch, o, machine.autocast())

    def report(self) -> tuple[dict[str, Any], Image.Image | None]:
        self.results = {name: validate(self.network, check) for name, check in self.checks.items()}
        return self.results, slices(self.network, self.checks["true"]) if "true" in self.checks else None

    def save_model(self, folder: Path) -> None:
        self._save(
            self.network,
            folder,
            {"samples": self.samples, "validation": self.results, **asdict(self.options)},
        )


@torch.no_grad()
def slices(
    model: SmallReconstructor, batch: ReconstructorBatch, count: int = 8, size: int = 96
) -> Image.Image:
    """A picture of the first objects, one a row: picture, two views, and the field cut through
    the middle three ways.
    """
    axis = (torch.arange(size, device=batch.views.device) + 0.5) / size * 2 - 1
    high, wide = torch.meshgrid(-axis, axis, indexing="ij")
    zero = torch.zeros_like(high)
    planes = [
        torch.stack(plane, dim=-1).reshape(-1, 3)
        for plane in ((zero, wide, high), (-wide, zero, high), (wide, -high, zero))
    ]
    features = model.encode(batch.views[:count], batch.picture[:count])
    points = torch.cat(planes)[None].expand(len(features.volume), -1, -1)
    inside = (
        torch.sigmoid(-model.sdf(features, points) / SOFTNESS)
        .reshape(-1, 3, 1, size, size)
        .expand(-1, -1, 3, -1, -1)
    )
    pictures = torch.stack(
        [batch.picture[:count], batch.views[:count, 0], batch.views[:count, 3]], dim=1
    ).flatten(0, 1)
    shown = F.interpolate(pictures, size=(size, size)).unflatten(0, (-1, 3))
    grid = torch.cat([shown, 1 - inside], dim=1)  # (n, 6, 3, size, size)
    sheet = grid.permute(0, 3, 1, 4, 2).reshape(len(grid) * size, 6 * size, 3)
    return Image.fromarray((sheet.clamp(0, 1) * 255).byte().cpu().numpy())


def validation_batches(folder: Path) -> dict[str, ReconstructorBatch]:
    """30 fixed samples with true views, and with those made worse."""
    true = ReconstructorData(folder).fixed(30, 2048, 1024)
    return {"true": true, "worse": worsen(true, rng_of(0, "validation", "worse"), share=1.0)}
