"""PixelNeRF from nothing: rays of an object's views, rendered from one or several pictures of it, against the
pictures. Deterministic, as the regressor is, on the same data.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from geco.data.dataset import GridViews
from geco.device import channels_last
from geco.reconstruct.instantmesh.volume import Draws
from geco.reconstruct.pixelnerf.model import PixelNeRF
from geco.reconstruct.pixelnerf.render import Rays, Rendered, render
from geco.reconstruct.pixelnerf.seen import Cameras, pixel_rays
from geco.training.augment import composite
from geco.training.grids import strips
from geco.training.inputs import Inputs
from geco.training.pixelnerf_data import Objects, RayBatch, draw_rays, drawn_samples, fixed_samples
from geco.training.pixelnerf_options import PixelNeRFOptions
from geco.training.state import rng_of
from geco.training.task import Loss, Part

CHECKED_OBJECTS, SHOWN_OBJECTS = 60, 4
RAYS_AT_ONCE = 1024


class PixelNeRFTask:
    """A :class:`geco.training.task.Task`.

    Args:
        network: from nothing.
        data: shards of the small recipe.
        save: writes the run folder; takes what the reconstructor's card shall say, too.
        validation: shards never trained on, by name.
    """

    def __init__(
        self,
        options: PixelNeRFOptions,
        inputs: Inputs,
        network: PixelNeRF,
        data: GridViews,
        save: Callable[[PixelNeRF, Path, dict[str, Any]], None],
        validation: dict[str, GridViews] | None = None,
    ) -> None:
        machine = inputs.machine
        self.network = network.to(machine.device)
        self.data, self.options, self.machine, self.seed = data, options, machine, inputs.seed
        self.batch = options.batch
        self.checks = {
            name: fixed_samples(shards, CHECKED_OBJECTS) for name, shards in (validation or {}).items()
        }
        self._save = save
        self.results: dict[str, Any] = {}
        channels_last(network.encoder)

    def parts(self) -> list[Part]:
        o = self.options
        # not Muon: at the regressor's rates its gradients grew thirtyfold in 800 steps of 8 objects while the
        # losses stood still; at a fifth of them it was slower than this from the start (docs/log.md)
        optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=o.rate, betas=(0.9, 0.98), weight_decay=0.0
        )
        return [Part("pixelnerf", self.network, [optimizer], self.loss, average=o.average, clip=o.clip)]

    def loss(self, index: int, rng: torch.Generator) -> Loss:
        o = self.options
        objects = drawn_samples(self.data, self.seed, index, o.batch, o.extra)
        views = 1
        if o.views > 1 and float(torch.rand((), generator=rng, device=rng.device)) >= o.single:
            views = int(torch.randint(2, o.views + 1, (), generator=rng, device=rng.device))
        batch = draw_rays(objects, o.rays, o.inside, views, rng, o.jitter)
        config = self.network.config
        draws = Draws.random(batch.origins, config.coarse, config.fine, rng)
        batch = batch.to(self.machine.device)
        draws = Draws(draws.coarse.to(self.machine.device), draws.fine.to(self.machine.device))
        with self.machine.autocast():
            rendered, elevations = rendered_batch(self.network, batch, draws)
        return losses(rendered, elevations[:, 0], batch, o)

    @torch.no_grad()
    def report(self) -> tuple[dict[str, Any], Image.Image | None]:
        """PSNR of rays of held-out objects from one picture, overlap of silhouettes, error of the elevation
        in degrees; of some objects the picture, two views, and what is rendered of them.
        """
        self.results = {name: validate(self.network, check) for name, check in self.checks.items()}
        shown = [sheet(self.network, check) for check in self.checks.values()]
        return self.results, strips(torch.cat(shown)) if shown else None

    def save_model(self, folder: Path) -> None:
        facts = {"validation": self.results, "batch": self.batch, "rays": self.options.rays}
        self._save(self.network, folder, facts)


def rendered_batch(model: PixelNeRF, batch: RayBatch, draws: Draws) -> tuple[Rendered, Tensor]:
    """What arrives along the batch's rays, and the elevations (B, V) read off its pictures."""
    scene, elevations = model.encode(batch.pictures, batch.cameras)
    rays = Rays(batch.origins, batch.directions, batch.centre, batch.radius)
    return render(model, scene, rays, draws), elevations


def losses(rendered: Rendered, elevation: Tensor, batch: RayBatch, options: PixelNeRFOptions) -> Loss:
    """Weighted sum and its parts; ``elevation`` (B,) is what was read off the condition pictures."""
    color = (rendered.rgb - batch.colors).square().mean()
    mask = (rendered.opacity - batch.opacity).square().mean()
    coarse = (rendered.coarse_rgb - batch.colors).square().mean() + options.mask_weight * (
        rendered.coarse_opacity - batch.opacity
    ).square().mean()
    angle = (elevation - batch.elevation).square().mean()
    total = (
        color + options.mask_weight * mask + options.coarse_weight * coarse + options.elevation_weight * angle
    )
    parts = {"color": color, "mask": mask, "coarse": coarse, "elevation": angle}
    return total, {name: value.detach() for name, value in parts.items()}


@torch.no_grad()
def validate(model: PixelNeRF, objects: Objects, count: int = 256, chunk: int = 4) -> dict[str, float]:
    """Of ``count`` pixels of each object's views from one picture of it: PSNR (the mean of the objects'),
    intersection over union of silhouettes, and the elevation's mean error in degrees.
    """
    device, rows = model.encoder.stem.weight.device, []
    for start in range(0, len(objects.condition), chunk):
        part = Objects(*(value[start : start + chunk] for value in vars(objects).values()))
        rng = rng_of(0, "validation", start)
        batch = _plain_batch(part, count, rng).to(device)
        draws = Draws.middle(batch.origins, model.config.coarse, model.config.fine)
        rendered, elevations = rendered_batch(model, batch, draws)
        error = (rendered.rgb - batch.colors).square().mean(dim=(1, 2))
        found, truth = rendered.opacity > 0.5, batch.opacity > 0.5
        overlap = (found & truth).sum((1, 2)) / (found | truth).sum((1, 2)).clamp_min(1)
        angle = (elevations[:, 0] - batch.elevation).abs().rad2deg()
        rows.append(torch.stack([-10 * error.clamp_min(1e-10).log10(), overlap, angle], dim=1))
    means = torch.cat(rows).mean(dim=0).tolist()
    return dict(zip(("psnr", "mask_iou", "elevation_error"), (round(value, 4) for value in means)))


def _plain_batch(objects: Objects, count: int, rng: torch.Generator) -> RayBatch:
    """One picture an object, no colours changed, pixels from anywhere in its other views."""
    condition, others = composite(objects.condition), objects.others
    views, size = others.shape[1], others.shape[-1]
    picks = torch.randint(views * size**2, (len(others), count), generator=rng)
    rows = torch.arange(len(others))[:, None]
    view, pixel = picks // size**2, picks % size**2
    places = torch.stack([pixel % size + 0.5, pixel // size + 0.5], dim=-1) / size
    rays = pixel_rays(objects.c2w[rows, view + 1], objects.lenses[rows, view + 1], places)
    found = others.movedim(2, -1).flatten(1, 3)[rows, picks]
    alpha = found[..., 3:]
    return RayBatch(
        condition[:, None],
        Cameras(objects.c2w[:, :1], objects.lenses[:, :1]),
        *rays,
        found[..., :3] * alpha + 1 - alpha,
        alpha,
        objects.centre,
        objects.radius,
        objects.elevation,
    )


@torch.no_grad()
def sheet(model: PixelNeRF, objects: Objects, count: int = SHOWN_OBJECTS) -> Tensor:
    """(N, 7, 3, S, S): the picture, three true views, and the same rendered from the picture alone."""
    device = model.encoder.stem.weight.device
    objects = Objects(*(value[:count] for value in vars(objects).values()))
    size, shown = objects.condition.shape[-1], (1, 3, 5)
    picture = composite(objects.condition).to(device)
    cameras = Cameras(objects.c2w[:, :1].to(device), objects.lenses[:, :1].to(device))
    scene, _ = model.encode(picture[:, None], cameras)
    steps = (torch.arange(size, device=device) + 0.5) / size
    places = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), dim=-1).reshape(1, -1, 2)
    rows = []
    for view in shown:
        c2w, lenses = objects.c2w[:, view, None].to(device), objects.lenses[:, view, None].to(device)
        parts = []
        for some in places.split(RAYS_AT_ONCE, dim=1):
            origins, directions = pixel_rays(c2w, lenses, some)
            rays = Rays(origins, directions, objects.centre.to(device), objects.radius.to(device))
            draws = Draws.middle(origins, model.config.coarse, model.config.fine)
            parts.append(render(model, scene, rays, draws).rgb)
        rows.append(torch.cat(parts, dim=1).transpose(1, 2).reshape(-1, 3, size, size))
    truth = composite(objects.others[:, [view - 1 for view in shown]]).to(device)
    return torch.cat([picture[:, None], truth, torch.stack(rows, dim=1)], dim=1)
