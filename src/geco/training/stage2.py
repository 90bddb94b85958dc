"""Stage II: the reconstructor fine-tuned on the one-step generator's views, with the teacher's
reconstructions as the truth.

The generator draws six views from the same picture and z as the teacher did; the reconstructor's mesh of them
is rendered where the teacher's was, and the pictures shall agree: MSE + lambda * perceptual (GECO, section
3.2). G is frozen unless asked otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from geco.cameras import INPUT_FOV
from geco.checked import Checked, amount, count, decay, decays, or_none
from geco.errors import ConfigError, MeshError
from geco.multiview.interface import Condition
from geco.noise import stream
from geco.render.shade_torch import render_mesh
from geco.training.halves import Distance, Surfaces, Views
from geco.training.inputs import Inputs
from geco.training.pairs import Pairs
from geco.training.task import Loss, Part

CHECKED_VIEWS = 4  # renders of a validation pair that are compared


@dataclass(frozen=True)
class Stage2Options(Checked):
    """Numbers of the stage; defaults are the paper's appendix where it names them.

    Attributes:
        batch: pairs a step (4 a card in the appendix, 8 in the main text).
        views: random renders a pair and step (GECO: 4 of 50).
        rate: Adam's (1e-6 in the paper, for InstantMesh).
        perceptual: lambda against the squared error of pictures in [0, 1]; the paper gives none.
            InstantMesh's 2 stands against pictures in [-1, 1], whose squared error is four times ours: 0.5
            here. 2 is the small recipe's, with another distance.
        mask: weight of the silhouettes' MSE; InstantMesh's 1 is 0.25 here, the paper names RGB only.
        generator_rate: of G where it is trained too; None freezes it (our decision: the paper is silent).
        average: decay of the moving averages. clip: largest gradient norm.
    """

    batch: int = count(4)
    views: int = count(4)
    rate: float = amount(1e-6)
    betas: tuple[float, float] = decays((0.9, 0.999))
    perceptual: float = amount(2.0)
    mask: float = amount(1.0)
    generator_rate: float | None = amount(None)
    average: float | None = or_none(decay(0.99))
    clip: float = amount(1.0)


class Stage2Task:
    """A :class:`geco.training.task.Task`.

    Args:
        views: Stage I's generator. surfaces: the reconstructor.
        pairs: the teacher's pseudo ground truth; its last few are kept for validation.
        perceptual: the distance.
        save: writes the run folder (generator and reconstructor).

    Raises:
        ConfigError: the options ask for more views than the pairs have renders.
    """

    def __init__(
        self,
        options: Stage2Options,
        inputs: Inputs,
        views: Views,
        surfaces: Surfaces,
        pairs: Pairs,
        perceptual: Distance,
        save: Callable[[Any, Any, Path], None],
    ) -> None:
        if options.views > (renders := int(pairs.settings["renders"])):
            raise ConfigError(
                f"{options.views} views a pair and step, but the pairs have {renders} renders", "Lower views."
            )
        machine = inputs.machine
        self.options, self.machine, self.seed, self.batch = options, machine, inputs.seed, options.batch
        self.views, self.codec, self.generator = views, views.codec, cast(Any, views.network)
        self.network, self.mesh = surfaces.network.to(machine.device), surfaces.mesh
        self.pairs, self.perceptual, self._save = pairs, perceptual, save
        self.generator.requires_grad_(options.generator_rate is not None).to(machine.device)
        self.train_rows, self.check = pairs.split()

    def parts(self) -> Sequence[Part]:
        o = self.options
        module: torch.nn.Module = self.network
        groups: list[dict[str, Any]] = [{"params": list(self.network.parameters()), "lr": o.rate}]
        if o.generator_rate is not None:
            module = torch.nn.ModuleDict({"reconstructor": self.network, "generator": self.generator})
            groups.append({"params": list(self.generator.parameters()), "lr": o.generator_rate})
        optimizer = torch.optim.AdamW(groups, betas=o.betas, weight_decay=0.0)
        return [Part("reconstructor", module, [optimizer], self.loss, 1, o.average, o.clip)]

    def loss(self, index: int, _: torch.Generator) -> Loss:
        """Mean over the batch; pairs whose surface is gone are left out and counted."""
        o = self.options
        rng = stream(self.seed, "stage2", index)
        total: Tensor | float = 0.0
        lost, sums = 0, {"mse": 0.0, "perceptual": 0.0, "mask": 0.0}
        for row in rng.choice(self.train_rows, o.batch):
            cameras = rng.choice(len(self.pairs[int(row)]["poses"]), o.views, replace=False)
            try:
                terms = self._terms(int(row), cameras)
            except MeshError:
                lost += 1
                continue
            total = total + terms["mse"] + o.perceptual * terms["perceptual"] + o.mask * terms["mask"]
            for name, value in terms.items():
                sums[name] += float(value.detach())
        kept = o.batch - lost
        if kept == 0:  # nothing to learn from: a zero that still has a graph
            total = sum(parameter.sum() for parameter in self.network.parameters()) * 0.0
        assert isinstance(total, Tensor)
        return total / max(kept, 1), {name: value / max(kept, 1) for name, value in sums.items()} | {
            "lost": float(lost)
        }

    @torch.no_grad()
    def report(self) -> tuple[dict[str, Any], Image.Image | None]:
        """Loss terms on the validation pairs from four fixed views; truth above rendered."""
        sums: dict[str, list[float]] = {"mse": [], "perceptual": [], "mask": []}
        strips = []
        for row in self.check:
            cameras = np.arange(min(CHECKED_VIEWS, len(self.pairs[row]["poses"])))
            truth = torch.from_numpy(self.pairs[row]["rgb"][cameras]).float() / 255
            try:
                kept: list[Tensor] = []
                terms = self._terms(row, cameras, kept)
            except MeshError:
                continue
            for name, value in terms.items():
                sums[name].append(float(value))
            strips.append(torch.cat([truth, kept[0].cpu()], dim=1))
        values = {name: float(np.mean(found)) for name, found in sums.items() if found} | {
            "surfaces": len(strips)
        }
        if not strips:
            return values, None
        sheet = torch.cat([torch.cat(list(strip), dim=1) for strip in strips[:8]])
        return values, Image.fromarray((sheet.clamp(0, 1) * 255).round().byte().numpy())

    def save_model(self, folder: Path) -> None:
        self._save(self.generator, self.network, folder)

    def _terms(self, row: int, cameras: np.ndarray, keep: list[Tensor] | None = None) -> dict[str, Tensor]:
        item, device = self.pairs[row], self.machine.device
        picture = torch.from_numpy(item["picture"]).to(device).float() / 255
        z = self.pairs.noise(row, self.generator.sample_shape).to(device)
        with (
            torch.set_grad_enabled(self.options.generator_rate is not None and torch.is_grad_enabled()),
            self.machine.autocast(),
        ):
            views = self.codec.decode(self._one_step(z, self.codec.condition(picture[None])))[0]
        vertices, faces, color = self.mesh(views, picture)
        poses = torch.from_numpy(item["poses"][cameras]).to(device)
        truth = torch.from_numpy(item["rgb"][cameras]).to(device).float() / 255
        mask = torch.from_numpy(item["mask"][cameras]).to(device).float() / 255
        rendered = render_mesh(vertices, faces, poses, INPUT_FOV, truth.shape[1], color)
        if keep is not None:
            keep.append(rendered.rgb)
        near = self.perceptual(rendered.rgb.permute(0, 3, 1, 2), truth.permute(0, 3, 1, 2)).mean()
        return {
            "mse": (rendered.rgb - truth).square().mean(),
            "perceptual": near,
            "mask": (rendered.mask - mask).square().mean(),
        }

    def _one_step(self, z: Tensor, condition: Condition) -> Tensor:
        """x0 (1, *sample_shape), as the generator was made to be used."""
        return self.views.generator().from_noise(z, condition, self.codec).float()
