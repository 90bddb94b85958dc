"""The small family's halves: views in pixels and a field of distances, loaded, saved, made into a mesh."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from geco.data.dataset import GridViews
from geco.errors import ConfigError
from geco.metrics.pyramid import PYRAMID, perceptual_loss
from geco.model_files.card import MULTIVIEW, RECONSTRUCTOR
from geco.multiview.small.codec import PixelCodec
from geco.multiview.small.network import SmallMultiView
from geco.multiview.small.weights import load_small, save_small
from geco.noise import seed_of
from geco.reconstruct.small.differentiable import soft_mesh
from geco.reconstruct.small.model import SmallReconstructor
from geco.training.augment import USUAL, Jitter, composite, photograph, recolor
from geco.training.halves import Distance, MakeMesh, SingleViews, Surfaces, Validation, Views
from geco.training.inputs import Inputs
from geco.training.machine import Machine
from geco.training.pairs import PairOptions
from geco.training.single_views import views_apart
from geco.training.six_views import batch_conditions, batch_tensors, open_views, to_tensors
from geco.training.stage1_options import Stage1Options
from geco.training.stage2_views import StoredViews
from geco.training.teacher import denoising_psnr

# of weights trained on objects that allow it; the objects' own licences are in the shards
LICENCE = "Apache-2.0"
SHOWN = 6  # condition pictures of Stage I's picture grid


class SmallConditions:
    """Condition pictures of the small recipe's grid, as a user's photos might look: a
    :class:`geco.training.halves.PictureSource`.
    """

    def __init__(self, data: GridViews, seed: int = 0, jitter: Jitter = USUAL) -> None:
        self.data, self.seed, self.jitter = data, seed, jitter

    def conditions(self, index: int, size: int, rng: torch.Generator) -> Tensor:
        """(size, 3, S, S) in [0, 1] on white."""
        condition = batch_conditions(self.data, self.seed, index, size).to(rng.device)
        condition, _ = recolor(condition, condition[:, None], rng, self.jitter)
        return composite(photograph(condition, rng, self.jitter))

    def views(self, index: int, size: int, rng: torch.Generator) -> Tensor:
        """(size, 6, 3, S, S): the true views of what :meth:`conditions` gives, for random numbers of the same
        seed.
        """
        condition, targets = (
            pictures.to(rng.device) for pictures in batch_tensors(self.data, self.seed, index, size)
        )
        return composite(recolor(condition, targets, rng, self.jitter)[1])

    def picture(self, number: int) -> tuple[str, Tensor]:
        """As the protocol says."""
        name = self.data.names[self.data.draw(self.seed, number, 1)[0][0]]
        return name, self.conditions(number, 1, self._rng(number))[0]

    def true_views(self, number: int) -> Tensor:
        """As the protocol says."""
        return self.views(number, 1, self._rng(number))[0]

    def _rng(self, number: int) -> torch.Generator:
        return torch.Generator().manual_seed(seed_of(self.seed, "picture", number))


class SmallFamily:
    """A :class:`geco.training.family.Family`."""

    name = "small"
    mixed = True

    def check(self, options: Stage1Options | PairOptions) -> None:
        if not isinstance(options, Stage1Options):
            return
        if options.checkpointing:
            raise ConfigError("checkpointing suits the full family only", "Set checkpointing to false.")
        if "at-t" in options.references:
            raise ConfigError(
                "the small network writes its reference without a timestep, so none can be written at t",
                "Set reference to clean or noised.",
            )
        if options.teacher_format != "float32":
            raise ConfigError("teacher_format suits the full family only", "Set it to float32.")

    def load_views(
        self, folder: Path, device: torch.device, inference: bool = False, latents: Path | None = None
    ) -> Views:
        if latents is not None:
            raise ConfigError(
                "latents are for the full family: this one reads pixels", "Leave --latents out."
            )
        network = load_small(folder / MULTIVIEW).to(device)
        return Views(network, PixelCodec(network.config.size))

    def about(self, folder: Path) -> dict[str, Any]:
        return {}

    def prepare(self, views: Views, options: Stage1Options) -> None:
        """Nothing to do."""

    def save_views(self, views: Views, folder: Path) -> None:
        save_small(cast(SmallMultiView, views.network), folder / MULTIVIEW)

    def load_surfaces(
        self, folder: Path, views: Views | StoredViews, resolution: int, machine: Machine, train: bool
    ) -> Surfaces:
        model = SmallReconstructor.load(folder / RECONSTRUCTOR).to(machine.device)
        return Surfaces(model.train() if train else model, small_mesh(model, resolution))

    def save_surfaces(self, network: nn.Module, folder: Path, origin: Path) -> None:
        cast(SmallReconstructor, network).save(folder / RECONSTRUCTOR)

    def source(
        self, data: Path, views: Views, seed: int, jitter: Jitter, device: torch.device
    ) -> SmallConditions:
        return SmallConditions(open_views(data, device), seed, jitter)

    def validation(self, inputs: Inputs, views: Views, options: Stage1Options) -> Validation:
        data = GridViews(inputs.held_out or inputs.shards)
        size = cast(SmallMultiView, views.network).config.size
        if data.size != size:
            raise ConfigError(
                f"the teacher in {inputs.init} sees views of {size} px, the shards hold {data.size} px",
                f"Render with --size {size}.",
            )
        held_out = composite(to_tensors(data.fixed(min(max(SHOWN, options.held_out), len(data))))[0])

        def measure(generator: SmallMultiView) -> dict[str, Any]:
            return {"x0_psnr": denoising_psnr(generator, data, levels=options.sampling.trained_at)}

        kept = held_out[: options.held_out] if options.held_out else None
        return Validation(held_out[:SHOWN], measure, kept)

    def single_views(self, folder: Path, views: Views, options: Stage1Options) -> SingleViews:
        return views_apart(folder, views)

    def distance(self, device: torch.device) -> tuple[Distance, str]:
        return perceptual_loss, PYRAMID

    def copy(self, source: str, target: str) -> str:
        return shutil.copy2(source, target)

    def licence(self, init: Path) -> str:
        return LICENCE


SMALL = SmallFamily()


def small_mesh(model: SmallReconstructor, resolution: int) -> MakeMesh:
    """Views (6, 3, H, W) and picture (3, S, S) in [0, 1] to a mesh that carries gradients."""

    def mesh(views: Tensor, picture: Tensor) -> Any:
        surface = soft_mesh(model, model.encode(views[None], picture[None]), resolution)
        return surface.vertices, surface.faces, surface.color

    return mesh
