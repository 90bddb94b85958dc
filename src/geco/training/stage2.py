"""Stage II: the reconstructor fine-tuned on the one-step generator's views, with the teacher's
reconstructions as the truth.

The generator draws six views from the same picture and z as the teacher did; the reconstructor's mesh of them
is rendered where the teacher's was, and the pictures shall agree: MSE + lambda * perceptual (GECO, section
3.2), with InstantMesh's other terms where they are asked for. G is frozen unless asked otherwise.

Every pair has a backward pass of its own, and every one is seen once an epoch, in an order that follows from
seed and epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from geco.cameras import INPUT_FOV
from geco.errors import ConfigError, MeshError
from geco.noise import stream
from geco.render.shade_torch import Rendered, render_mesh
from geco.training.copies import moved
from geco.training.halves import Distance, EmptyShapeError, Shape, Surfaces, Views
from geco.training.inputs import Inputs
from geco.training.optimizers import adam
from geco.training.pairs import Pairs
from geco.training.stage2_options import Stage2Options
from geco.training.stage2_terms import TERMS, picture_terms, weighed
from geco.training.stage2_views import StoredViews, views_of
from geco.training.task import Loss, Part

__all__ = ["Stage2Options", "Stage2Task"]

CHECKED_VIEWS = 4  # renders of a validation pair that are compared
CAMERA = (6, 16)  # the numbers that tell the reconstructor of its views' cameras


@dataclass(frozen=True)
class Draw:
    """What one step makes of one pair: its row, the renders it is compared in, and what is added to the
    cameras (6, 16), or None.
    """

    row: int
    cameras: Sequence[int]
    off: Tensor | None = None


class Stage2Task:
    """A :class:`geco.training.task.Task`.

    Args:
        views: Stage I's generator, or its views stored with the pairs. surfaces: the reconstructor.
        pairs: the teacher's pseudo ground truth; its last few are kept for validation.
        perceptual: the distance.
        save: writes the run folder (generator, None where its views are stored, and reconstructor).

    Raises:
        ConfigError: the options ask for more views than the pairs have renders, or for terms that pairs or
            reconstructor do not have.
    """

    def __init__(
        self,
        options: Stage2Options,
        inputs: Inputs,
        views: Views | StoredViews,
        surfaces: Surfaces,
        pairs: Pairs,
        perceptual: Distance,
        save: Callable[[Any, Any, Path], None],
    ) -> None:
        if options.views > (renders := int(pairs.settings["renders"])):
            raise ConfigError(
                f"{options.views} views a pair and step, but the pairs have {renders} renders", "Lower views."
            )
        self.geometry = bool(pairs.settings["geometry"])
        options.fit(self.geometry, surfaces.shape is not None)
        machine = inputs.machine
        self.options, self.machine, self.seed, self.batch = options, machine, inputs.seed, options.batch
        self.network, self.surfaces = moved(surfaces.network, machine.device), surfaces
        self.pairs, self.perceptual, self._save = pairs, perceptual, save
        trained = options.generator_rate is not None
        self.generator: Any = None if isinstance(views, StoredViews) else cast(Any, views.network)
        if self.generator is not None:
            moved(self.generator.requires_grad_(trained), machine.device)
        self._views = views_of(views, pairs, machine, trained)
        self.train_rows, self.check = pairs.split()
        self._order: tuple[int, np.ndarray] | None = None

    def parts(self) -> Sequence[Part]:
        o = self.options
        module: torch.nn.Module = self.network
        groups: list[dict[str, Any]] = [{"params": list(self.network.parameters()), "lr": o.rate}]
        if o.generator_rate is not None:
            module = torch.nn.ModuleDict({"reconstructor": self.network, "generator": self.generator})
            groups.append({"params": list(self.generator.parameters()), "lr": o.generator_rate})
        how: Any = {"pieces": o.batch, "average_on": o.average_on}
        optimizers = [adam(groups, o.optimizer, o.betas)]
        return [Part("reconstructor", module, optimizers, self.loss, 1, o.average, o.clip, **how)]

    def draw(self, index: int) -> Draw:
        """The pair of number ``index``, counted from the beginning of the training."""
        o, count = self.options, len(self.train_rows)
        epoch, place = divmod(index, count)
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, stream(self.seed, "stage2", "epoch", epoch).permutation(count)
        row = self.train_rows[int(self._order[1][place])]
        rng = stream(self.seed, "stage2", index)
        cameras = rng.choice(int(self.pairs.settings["renders"]), o.views, replace=False)
        off = torch.from_numpy(rng.uniform(-o.jitter, o.jitter, CAMERA)) if o.jitter else None
        return Draw(row, [int(camera) for camera in cameras], off)

    def loss(self, index: int, _: torch.Generator) -> Loss:
        """Of one pair; one whose surface is gone teaches nothing, or to have one again, and is counted."""
        try:
            terms, _rendered = self._terms(self.draw(index))
        except MeshError as error:
            penalty = error.penalty if isinstance(error, EmptyShapeError) else None
            if penalty is not None and self.options.empty:
                total = self.options.empty * penalty
            else:  # a zero that still has a graph
                total = sum((p.sum() for p in self.network.parameters()), torch.zeros(())) * 0.0
            return total, {"lost": 1.0}
        return weighed(terms, self.options), {name: term.detach() for name, term in terms.items()} | {
            "lost": 0.0
        }

    @torch.no_grad()
    def report(self) -> tuple[dict[str, Any], Image.Image | None]:
        """Terms on the validation pairs from four fixed views; truth above rendered."""
        sums: dict[str, list[float]] = {name: [] for name in TERMS}
        strips = []
        cameras = range(min(CHECKED_VIEWS, int(self.pairs.settings["renders"])))
        for row in self.check:
            try:
                terms, rendered = self._terms(Draw(row, cameras))
            except MeshError:
                continue
            for name, value in terms.items():
                sums[name].append(float(value))
            truth = torch.from_numpy(self.pairs[row].renders(cameras, ["rgb"])["rgb"]).float() / 255
            strips.append(torch.cat([truth, rendered.rgb.cpu()], dim=1))
        values = {name: float(np.mean(found)) for name, found in sums.items() if found} | {
            "surfaces": len(strips)
        }
        if not strips:
            return values, None
        sheet = torch.cat([torch.cat(list(strip), dim=1) for strip in strips[:8]])
        return values, Image.fromarray((sheet.clamp(0, 1) * 255).round().byte().numpy())

    def save_model(self, folder: Path) -> None:
        self._save(self.generator, self.network, folder)

    def _terms(self, draw: Draw) -> tuple[dict[str, Tensor], Rendered]:
        """The terms of one pair, unweighted, and its renders."""
        pair, device = self.pairs[draw.row], self.machine.device
        picture = torch.from_numpy(pair["picture"]).to(device).float() / 255
        shape = self._shape(self._views(draw.row, picture), picture, draw.off)
        truth = self._truth(pair.renders(draw.cameras, self._names))
        poses = torch.from_numpy(pair["poses"][list(draw.cameras)]).to(device)
        size = truth["rgb"].shape[1]
        rendered = render_mesh(shape.vertices, shape.faces, poses, INPUT_FOV, size, shape.color)
        return picture_terms(rendered, truth, self.perceptual) | dict(shape.penalties), rendered

    @property
    def _names(self) -> Sequence[str]:
        return ("rgb", "mask", "normal", "depth") if self.geometry else ("rgb", "mask")

    def _truth(self, renders: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
        found = {name: torch.from_numpy(values).to(self.machine.device) for name, values in renders.items()}
        return {name: v.float() / 255 if v.dtype == torch.uint8 else v for name, v in found.items()}

    def _shape(self, views: Tensor, picture: Tensor, off: Tensor | None) -> Shape:
        if self.surfaces.shape is not None:
            return self.surfaces.shape(views, off)
        return Shape(*self.surfaces.mesh(views, picture))
