"""The full family's halves: a converted Zero123++ and InstantMesh, loaded, saved, made into a mesh.

The teacher is public and only read. What a stage does not train is linked, not copied.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from geco.data.dataset import ConditionPictures
from geco.device import choose
from geco.errors import ConfigError, WeightsError
from geco.images.prepare import prepare
from geco.metrics.lpips import LPIPS, load_lpips
from geco.metrics.pyramid import PYRAMID
from geco.model_files.card import MULTIVIEW, RECONSTRUCTOR, read_model_card
from geco.model_files.folder import link_or_copy, write_folder
from geco.model_files.part import read_part_card
from geco.multiview.zero123plus.network import Zero123PlusNetwork
from geco.public_weights import instantmesh, zero123plus_folder
from geco.public_weights.zero123plus_folder import Zero123Plus, load_zero123plus, save_zero123plus
from geco.reconstruct.instantmesh.model import InstantMesh
from geco.sampling import Reference
from geco.training.ahead import Ahead
from geco.training.augment import USUAL, Jitter
from geco.training.full_surfaces import differentiable_mesh, trained_shape
from geco.training.halves import Distance, SingleViews, Surfaces, Validation, Views
from geco.training.inputs import Inputs
from geco.training.latent_codec import LatentCodec
from geco.training.latents import Latents
from geco.training.machine import Machine
from geco.training.pairs import PairOptions
from geco.training.single_views import tiles_of_sheet
from geco.training.stage1_options import Stage1Options
from geco.training.stage2_views import StoredViews
from geco.types import Bytes

PICTURE_SIZE = 512  # of the condition picture; as the pipeline gives it to the full model
SHOWN = 2  # pictures of the grid: a sheet of 960 x 640 each, four times over


class FullConditions:
    """Rendered condition pictures as the pipeline prepares a user's photo: a source for Stage I and for
    pairs.

    Args:
        data: finished shards with a set ``condition[-N]`` or the like.
        ratio, background: how the model's pictures are framed and what they stand on.
        seed: of the order.
    """

    def __init__(self, data: Path, ratio: float, background: float, seed: int = 0) -> None:
        self.data, self.ratio, self.background, self.seed = ConditionPictures(data), ratio, background, seed
        self._ahead: dict[int, Ahead[Tensor]] = {}  # by the size of a micro-batch

    def conditions(self, index: int, size: int, rng: torch.Generator) -> Tensor:
        """(size, 3, 512, 512) in [0, 1] at the 256 levels of a picture file; the pictures are not
        augmented. A thread makes the next ones meanwhile.
        """
        if size not in self._ahead:
            self._ahead[size] = Ahead(lambda number: self.batch(number, size))
        return self._ahead[size](index)

    def batch(self, index: int, size: int) -> Tensor:
        """As :meth:`conditions`, made here and now."""
        return torch.stack([picture for _, picture in self._items(index, size)])

    def picture(self, number: int) -> tuple[str, Tensor]:
        """Picture ``number`` of the order, (3, 512, 512), and its object's name."""
        return self._items(number, 1)[0]

    def true_views(self, number: int) -> Tensor:
        """There are none."""
        raise ConfigError("true views are for the small family only", "Leave --true-views out.")

    def number(self, place: int) -> Tensor:
        """Picture ``place`` of the data itself, (3, 512, 512): 0 to ``len(data) - 1``, in no order."""
        return self._prepared(self.data.picture(place))

    def _items(self, index: int, size: int) -> list[tuple[str, Tensor]]:
        batch = self.data.batch(self.seed, index, size)
        names = [self.data.shards.objects[int(number)] for number in batch.objects]
        return [(name, self._prepared(rgba)) for name, rgba in zip(names, batch.condition)]

    def _prepared(self, rgba: Bytes) -> Tensor:
        picture = prepare(
            rgba.astype(np.float32) / np.float32(255), PICTURE_SIZE, self.ratio, self.background
        )
        levels = np.rint(picture.rgb * 255).astype(np.float32) / 255
        return torch.from_numpy(levels).permute(2, 0, 1).contiguous()


class FullFamily:
    """A :class:`geco.training.family.Family`."""

    name = "full"
    mixed = False

    def check(self, options: Stage1Options | PairOptions) -> None:
        pixels = options.jitter != USUAL
        if isinstance(options, Stage1Options):
            pixels = pixels or options.teacher_clip is not None
        else:
            pixels = pixels or options.clip is not None
        if pixels:
            raise ConfigError(
                "the recipe bounds |x0| or jitters pictures, which suits the small family",
                "Take --recipe paper.",
            )

    def load_views(
        self, folder: Path, device: torch.device, inference: bool = False, latents: Path | None = None
    ) -> Views:
        dtype = choose(str(device)).dtype if inference else torch.float32
        known = None if latents is None else Latents(latents, folder / MULTIVIEW)
        model = load_zero123plus(folder / MULTIVIEW, device, dtype, encoders=known is None)
        model.codec.singly = True
        codec = model.codec if known is None else LatentCodec(model.codec, known)
        return Views(model.network, codec, about=model.card, origin=folder / MULTIVIEW)

    def about(self, folder: Path) -> dict[str, Any]:
        return read_part_card(folder / MULTIVIEW, zero123plus_folder.FORMAT).values

    def prepare(self, views: Views, options: Stage1Options) -> None:
        network = cast(Zero123PlusNetwork, views.network).requires_grad_(True)
        network.noised_reference = False  # of all three networks, from here on (GECO, section 3.1)
        if options.checkpointing:
            network.recompute()

    def save_views(self, views: Views, folder: Path) -> None:
        network, codec = cast(Zero123PlusNetwork, views.network), cast(Any, views.codec)
        model = Zero123Plus(network, codec, dict(views.about))
        save_zero123plus(folder / MULTIVIEW, model, unchanged=views.origin)

    def load_surfaces(
        self, folder: Path, views: Views | StoredViews, resolution: int, machine: Machine, train: bool
    ) -> Surfaces:
        """All of InstantMesh is trained, as its own mesh training does (model_mesh.py)."""
        model = instantmesh.load(folder / RECONSTRUCTOR, machine.device)
        if train:
            model.requires_grad_(True)
            # a layer's activations too are computed again: 2.6 GB in place of 4.7 for one pair's planes
            model.transformer.gradient_checkpointing = True
        own = (model, views.about["rig"], resolution, machine if train else None)
        return Surfaces(model, differentiable_mesh(*own), trained_shape(*own))

    def save_surfaces(self, network: nn.Module, folder: Path, origin: Path) -> None:
        model, known = cast(InstantMesh, network), read_part_card(origin / RECONSTRUCTOR, instantmesh.FORMAT)
        card = {key: value for key, value in known.values.items() if key != "files"}
        tensors = {instantmesh.PART: model.state_dict()}
        write_folder(folder / RECONSTRUCTOR, card | {"config": model.config.to_dict()}, tensors)

    def source(
        self, data: Path, views: Views, seed: int, jitter: Jitter, device: torch.device
    ) -> FullConditions:
        if isinstance(views.codec, LatentCodec):
            views.codec.latents.check_shards(data)
        return FullConditions(data, views.about["foreground_ratio"], views.codec.background, seed)

    def validation(self, inputs: Inputs, views: Views, options: Stage1Options) -> Validation:
        source = self.source(inputs.held_out or inputs.shards, views, 0, USUAL, inputs.machine.device)
        count = min(max(SHOWN, options.held_out), len(source.data))
        pictures = source.batch(0, count)
        kept = pictures[: options.held_out] if options.held_out else None
        own: Reference = "noised" if views.about["noised_reference"] else "clean"  # of the public teacher
        return Validation(pictures[:SHOWN], held_out=kept, reference=own)

    def single_views(self, folder: Path, views: Views, options: Stage1Options) -> SingleViews:
        return tiles_of_sheet(folder, views, options)

    def distance(self, device: torch.device) -> tuple[Distance, str]:
        """LPIPS (VGG), as the paper. Raises WeightsError where its weights are not there: another distance,
        whose lambda is another, is taken only when asked for.
        """
        try:
            return load_lpips("vgg", device=device), LPIPS
        except WeightsError as error:
            remedy = f"{error.remedy} Then: --lpips-weights DIR. Or compare without trained weights: "
            remedy += f"--perceptual {PYRAMID}."
            raise WeightsError(error.problem, remedy) from error

    def copy(self, source: str, target: str) -> str:
        """The same file under another name, or a copy where the file system has no links."""
        return link_or_copy(source, target)

    def licence(self, init: Path) -> str:
        return str(read_model_card(init)["licence"])


FULL = FullFamily()
