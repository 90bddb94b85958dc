"""Stage 0: the small multi-view diffusion model, by plain denoising of the six views."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from geco.checked import Checked, amount, count, decay, inner, share
from geco.data.dataset import GridViews
from geco.device import autocast_bf16, channels_last
from geco.multiview.generate import generate_views
from geco.multiview.interface import Condition
from geco.multiview.small.codec import PixelCodec
from geco.multiview.small.network import SmallMultiView
from geco.multiview.small.weights import save_small
from geco.sampling import Sampling
from geco.training.augment import Jitter, composite, photograph, recolor
from geco.training.grids import picture_rows
from geco.training.inputs import Inputs
from geco.training.muon import make_optimizers
from geco.training.six_views import batch_tensors, to_tensors
from geco.training.state import rng_of, standard_normal
from geco.training.task import Loss, Part

# How the pictures of the training's course are drawn, at several step counts.
PICTURED = Sampling("ddim", guidance_scale=1.5, eta=1.0, clip=1.0)
# Thin or first and last layers, which Adam's step by element suits better than Muon's.
ADAM_NAMES = (
    "stem",
    "head",
    "camera",
    "position",
    "time",
    "clean",
    "bridge.lift",
    "bridge.out",
    "bridge.leave",
)


@dataclass(frozen=True)
class TeacherOptions(Checked):
    """Numbers of the small recipe; from the prototype unless said otherwise.

    Attributes:
        batch: samples a step (one sample = one picture and its six views).
        last_part: part of the samples that train at exactly the last timestep, where generation starts. The
            prototype had 5 %; few-step sampling lives on that first prediction, by far the worst, and it is
            all that one step has.
        drop_part: part of the samples without condition, for guidance.
        weight_limit: clip of the loss weight 1 / noise_level^2 of x0 (which makes it the v loss).
        opacity_weight: of the cross entropy between the shared volume's opacity and the silhouettes, where
            there is a volume.
        average: decay of the weights' moving average: 0.998, as runs of a few thousand steps are too short
            for the usual 0.999.
        jitter: of colours and condition pictures.
    """

    batch: int = count(16)
    last_part: float = share(0.4)
    drop_part: float = share(0.1)
    weight_limit: float = amount(5.0)
    opacity_weight: float = amount(0.2)
    average: float = decay(0.998)
    jitter: Jitter = inner(Jitter)


class TeacherTask:
    """A :class:`geco.training.task.Task`."""

    def __init__(
        self,
        options: TeacherOptions,
        inputs: Inputs,
        network: SmallMultiView,
        data: GridViews,
        save: Callable[[SmallMultiView, Path], None] = save_small,
        validation: dict[str, GridViews] | None = None,
    ) -> None:
        machine = inputs.machine
        self.network = network.to(machine.device)
        self.data, self.options, self.machine, self.seed = data, options, machine, inputs.seed
        self.batch = options.batch
        self.validation = validation or {}
        self._save = save
        self._predict = machine.compiled(self._both_passes)
        channels_last(network)

    def parts(self) -> list[Part]:
        optimizers = make_optimizers(self.network, ADAM_NAMES)
        return [Part("multiview", self.network, optimizers, self.loss, average=self.options.average)]

    def loss(self, index: int, rng: torch.Generator) -> Loss:
        machine = self.machine
        pictures = batch_tensors(self.data, self.seed, index, self.batch)
        condition, targets = (part.to(rng.device) for part in pictures)
        condition, targets = recolor(condition, targets, rng, self.options.jitter)
        picture = composite(photograph(condition, rng, self.options.jitter)) * 2 - 1
        x0, alpha = composite(targets) * 2 - 1, targets[:, :, 3:]
        schedule, options = self.network.schedule, self.options
        at = rng.device
        t = torch.randint(schedule.last + 1, (self.batch,), generator=rng, device=at)
        t = torch.where(
            torch.rand(self.batch, generator=rng, device=at) < options.last_part, schedule.last, t
        )
        keep = torch.rand(self.batch, generator=rng, device=at) >= options.drop_part
        noise = standard_normal(x0.shape, rng)
        picture, x0, alpha, t, keep, noise = (
            part.to(machine.device) for part in (picture, x0, alpha, t, keep, noise)
        )
        x_t = schedule.add_noise(x0, noise, t)
        prediction, opacity = self._predict(picture, keep, x_t, t)
        level = schedule.levels(t, x0)[1]
        # Of t alone: a weight that depends on x0 (as more for the object) moves the prediction away from
        # the mean of x0 given x_t, and silhouettes grow (measured: 1.3-1.4 times the true area).
        weight = (1 / level**2).clamp(max=options.weight_limit)
        error = (prediction.float() - x0) ** 2
        loss = (weight * error).mean()
        at_last = ((t == schedule.last) & keep).float()
        errors = error.detach().flatten(1).mean(1)
        values: dict[str, float | Tensor] = {"mse_last": (errors * at_last).sum() / at_last.sum()}
        if opacity is not None:
            covered = opacity_loss(opacity, alpha[:, :, 0])
            values["opacity"] = covered.detach()
            loss = loss + options.opacity_weight * covered
        return loss, values

    def _both_passes(
        self, picture: Tensor, keep: Tensor, x_t: Tensor, t: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        with self.machine.autocast():
            state = self.network.encode_condition(Condition(picture, keep=keep))
            return self.network.predict_opacity(x_t, t, state)

    @torch.no_grad()
    def report(self) -> tuple[dict[str, Any], Image.Image | None]:
        values = {name: denoising_psnr(self.network, shards) for name, shards in self.validation.items()}
        rows = [sample_rows(self.network, shards, 4) for shards in self.validation.values()]
        return values, Image.fromarray(np.concatenate(rows)) if rows else None

    def save_model(self, folder: Path) -> None:
        self._save(self.network, folder)


def opacity_loss(opacity: Tensor, alpha: Tensor) -> Tensor:
    """Cross entropy of the volume's opacity (B, 6, h, h) with the silhouettes' coverage (B, 6, S,
    S) of its pixels.
    """
    wanted = functional.avg_pool2d(alpha, alpha.shape[-1] // opacity.shape[-1])
    return functional.binary_cross_entropy(opacity.float().clamp(1e-4, 1 - 1e-4), wanted)


def denoising_psnr(
    network: SmallMultiView, shards: GridViews, count: int = 24, levels: Sequence[int] = (249, 499, 749, 999)
) -> dict[str, float]:
    """x0-PSNR (dB, images in [0, 1]) of single predictions by timestep, on fixed samples and noise."""
    device = network.view_angles.device
    condition, targets = (part.to(device) for part in to_tensors(shards.fixed(count)))
    x0 = composite(targets) * 2 - 1
    noise = torch.randn(x0.shape, generator=rng_of(0, "validation")).to(device)
    result = {}
    with torch.no_grad(), autocast_bf16(device):
        state = network.encode_condition(Condition(composite(condition) * 2 - 1))
        for level in levels:
            t = torch.full((len(x0),), level, device=device)
            x = network.predict(network.schedule.add_noise(x0, noise, t), t, state, "x0").float().clamp(-1, 1)
            per_object = ((x - x0) / 2).square().flatten(1).mean(1)
            result[str(level)] = round(float(-10 * per_object.log10().mean()), 3)
    return result


def sample_rows(network: SmallMultiView, shards: GridViews, count: int, steps: Sequence[int] = (1, 2)) -> Any:
    """Pictures (H, W, 3) uint8: per object, input and true views, then input and generated views
    for each step count.
    """
    device = network.view_angles.device
    condition, targets = (part.to(device) for part in to_tensors(shards.fixed(count)))
    picture = composite(condition)
    rows = [composite(targets)]
    codec = PixelCodec(network.config.size)
    with autocast_bf16(device):
        rows += [
            generate_views(network, codec, picture, range(len(picture)), replace(PICTURED, steps=number))
            for number in steps
        ]
    return np.asarray(picture_rows(picture, rows))
