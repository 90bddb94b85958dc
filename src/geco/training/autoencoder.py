"""A small autoencoder of single renders, for its features: a perceptual distance where LPIPS' weights cannot
be fetched.

Pictures go in worsened (blurred, noisy, with pieces cut out) and shall come out as they were, through a
narrow bottleneck: so the features must know what renders look like, and cannot be the pixels themselves. The
embedded model works in pixels; nothing is generated in this network's latents.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from geco.checked import Checked, amount, count, decay, decays, inner, share, whole
from geco.data.dataset import GridViews, SixViewBatch
from geco.device import channels_last
from geco.metrics.features.network import Autoencoder
from geco.training.augment import Jitter, composite, photograph, recolor
from geco.training.grids import strips
from geco.training.inputs import Inputs
from geco.training.six_views import batch_tensors, to_tensors
from geco.training.state import rng_of, standard_normal
from geco.training.task import Loss, Part

GRADIENT_SCALES = 3  # of the gradient terms: full, half and quarter resolution
CHECKED_OBJECTS = 24  # as the teacher's validation
SHOWN_OBJECTS = 4


@dataclass(frozen=True)
class AutoencoderOptions(Checked):
    """Numbers of the stage, ours: there is no such stage in the paper.

    Attributes:
        objects: a step.
        targets: of each object, beside its condition picture; a step sees objects * (1 + targets) pictures.
        rate: AdamW's.
        gradient: weight of the gradient terms against L1: edges, which L1 alone leaves soft.
        color: weight of the L1 of what is not grey: renders' colours are weak, and grey is what is learned
            first.
        blur, noise, cut: part of the pictures that go in blurred, noisy, with a piece cut out; drawn
            independently.
        average: decay of the moving average. clip: largest gradient norm.
        jitter: of colours and condition pictures.
    """

    objects: int = count(8)
    targets: int = whole(3, 1, 6)
    rate: float = amount(2e-3)
    betas: tuple[float, float] = decays((0.9, 0.98))
    gradient: float = amount(1.0)
    color: float = amount(1.0)
    blur: float = share(0.3)
    noise: float = share(0.5)
    cut: float = share(0.3)
    average: float = decay(0.995)
    clip: float = amount(1.0)
    jitter: Jitter = inner(Jitter)


class AutoencoderTask:
    """A :class:`geco.training.task.Task`.

    Args:
        network: from scratch or from an earlier run.
        data: renders; their condition pictures and targets are used one by one.
        save: writes the run folder.
        validation: shards never trained on, by name.
    """

    def __init__(
        self,
        options: AutoencoderOptions,
        inputs: Inputs,
        network: Autoencoder,
        data: GridViews,
        save: Callable[[Autoencoder, Path], None],
        validation: dict[str, GridViews] | None = None,
    ) -> None:
        machine = inputs.machine
        self.network = network.to(machine.device)
        self.data, self.options, self.machine, self.seed = data, options, machine, inputs.seed
        self.batch = options.objects * (1 + options.targets)
        self.validation = validation or {}
        self._save = save
        channels_last(network)

    def parts(self) -> Sequence[Part]:
        o = self.options
        # not Muon: at 12 pictures of 32 px it took twice the time a step and was no better after 300
        # (measured)
        optimizer = torch.optim.AdamW(self.network.parameters(), lr=o.rate, betas=o.betas, weight_decay=0.0)
        return [Part("autoencoder", self.network, [optimizer], self.loss, average=o.average, clip=o.clip)]

    def loss(self, index: int, rng: torch.Generator) -> Loss:
        o, machine = self.options, self.machine
        pictures = batch_tensors(self.data, self.seed, index, o.objects)
        condition, targets = (part.to(rng.device) for part in pictures)
        chosen = torch.rand(targets.shape[:2], generator=rng, device=rng.device).argsort(1)[:, : o.targets]
        targets = targets[torch.arange(len(targets), device=chosen.device)[:, None], chosen]
        condition, targets = recolor(condition, targets, rng, o.jitter)
        truth = composite(torch.cat([photograph(condition, rng, o.jitter), targets.flatten(0, 1)]))
        worse = worsen(truth, o, rng).to(machine.device, memory_format=torch.channels_last)
        truth = truth.to(machine.device)
        with machine.autocast():
            reconstructed = self.network(worse)
        error = reconstructed.float() - truth
        l1, edges, color = (
            error.abs().mean(),
            gradient_error(error),
            (error - error.mean(1, keepdim=True)).abs().mean(),
        )
        values = {"l1": float(l1.detach()), "edges": float(edges.detach()), "color": float(color.detach())}
        return l1 + o.gradient * edges + o.color * color, values

    @torch.no_grad()
    def report(self) -> tuple[dict[str, Any], Image.Image | None]:
        """PSNR of reconstructions by shards; of each shown object the seven pictures above what comes out."""
        values = {name: reconstruction_psnr(self.network, shards) for name, shards in self.validation.items()}
        shown = [single_views(shards.fixed(SHOWN_OBJECTS)) for shards in self.validation.values()]
        rows = []
        for truth in (truth.to(self.machine.device) for pictures in shown for truth in pictures):
            rows += [truth, self.network(truth)]
        return values, strips(torch.stack(rows)) if rows else None

    def save_model(self, folder: Path) -> None:
        self._save(self.network, folder)


def single_views(batch: SixViewBatch) -> Tensor:
    """(N, 7, 3, S, S) in [0, 1] on white: each condition picture and its six targets."""
    condition, targets = to_tensors(batch)
    return composite(torch.cat([condition[:, None], targets], dim=1))


def worsen(pictures: Tensor, options: AutoencoderOptions, rng: torch.Generator) -> Tensor:
    """Pictures (N, 3, S, S) in [0, 1], some of them blurred, then with a rectangle cut out, then noisy."""
    count, size = len(pictures), pictures.shape[-1]

    def some(part: float) -> Tensor:
        return torch.rand(count, 1, 1, 1, generator=rng, device=rng.device) < part

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, 1, 1, 1, generator=rng, device=rng.device)

    soft = pictures
    for _ in range(2):  # two boxes of 3: about a Gaussian of 1.2 pixels
        soft = functional.avg_pool2d(functional.pad(soft, (1, 1, 1, 1), mode="replicate"), 3, 1)
    worse = torch.where(some(options.blur), soft.lerp(pictures, uniform(0.0, 0.5)), pictures)
    # a rectangle of a sixth to a third of the side, anywhere, in one grey
    place = torch.arange(size, device=pictures.device).float() / size
    high, wide, top, left = uniform(1 / 6, 1 / 3), uniform(1 / 6, 1 / 3), uniform(0.0, 0.8), uniform(0.0, 0.8)
    rows, columns = place[:, None], place[None, :]
    inside = (rows >= top) & (rows < top + high) & (columns >= left) & (columns < left + wide)
    worse = torch.where(some(options.cut) & inside, uniform(0.0, 1.0), worse)
    level = torch.where(some(options.noise), uniform(0.0, 0.1), 0.0)
    return (worse + level * standard_normal(pictures.shape, rng)).clamp(0, 1)


def gradient_error(error: Tensor) -> Tensor:
    """Mean absolute error of neighbouring pixels' differences, at full, half and quarter
    resolution, of an error (N, 3, S, S).
    """
    total = error.new_zeros(())
    for scale in range(GRADIENT_SCALES):
        if scale:
            error = functional.avg_pool2d(error, 2)
        total = total + (error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()) / GRADIENT_SCALES
    return total


@torch.no_grad()
def reconstruction_psnr(network: Autoencoder, shards: GridViews) -> dict[str, float]:
    """Mean dB on fixed pictures: ``psnr`` of what comes out; ``denoised`` of what comes out where the picture
    went in blurred, noisy and with a piece cut out, and ``worsened`` of that picture itself: what the
    features know of renders is the difference.
    """
    device = network.stem.weight.device
    truth = single_views(shards.fixed(CHECKED_OBJECTS)).flatten(0, 1)
    all_faults = AutoencoderOptions(blur=1.0, noise=1.0, cut=1.0)
    worse = worsen(truth, all_faults, rng_of(0, "validation")).to(device)
    truth = truth.to(device)

    def psnr(pictures: Tensor) -> float:
        error = (pictures.clamp(0, 1) - truth).square().flatten(1).mean(1)
        return round(float(-10 * error.clamp(min=1e-10).log10().mean()), 3)

    return {"psnr": psnr(network(truth)), "denoised": psnr(network(worse)), "worsened": psnr(worse)}
