"""The distillation of the full family put together: a converted Zero123++ and InstantMesh to the paper's two
stages.

The teacher is public and only read. Run folders are model folders of the family "full"; what a stage does not
train is carried along from ``init``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from geco.cameras import INPUT_FOV, camera_vectors, rig
from geco.data.dataset import ConditionPictures
from geco.device import choose
from geco.errors import ConfigError, MeshError, WeightsError
from geco.images.prepare import prepare
from geco.metrics.features.distance import NAME
from geco.metrics.features.weights import load_distance
from geco.metrics.lpips import load_lpips
from geco.metrics.pyramid import PYRAMID, perceptual_loss
from geco.model_files.card import CARD, MULTIVIEW, RECONSTRUCTOR, read_card, usage_of, write_card
from geco.model_files.folder import write_folder
from geco.model_files.part import read_part_card
from geco.multiview.zero123plus.network import Zero123PlusNetwork
from geco.public_weights import instantmesh
from geco.public_weights.zero123plus import Zero123Plus, load_zero123plus, save_zero123plus
from geco.reconstruct.instantmesh.mesh import POINTS_AT_ONCE, MeshSynthesizer
from geco.reconstruct.instantmesh.model import InstantMesh
from geco.render.shade_torch import render_mesh
from geco.sampling import Sampling
from geco.training.augment import USUAL
from geco.training.machine import Machine
from geco.training.pair_maker import PairMaker, make_pairs
from geco.training.pairs import PairOptions, Pairs
from geco.training.small_folders import carry_along, one_step
from geco.training.small_stages import CHECKED_PAIRS, HELD_OUT
from geco.training.stage1 import Stage1Task
from geco.training.stage1_options import Stage1Options
from geco.training.stage2 import Stage2Options, Stage2Task
from geco.training.teacher_pairs import find_pairs

PICTURE_SIZE = 512  # of the condition picture; as the pipeline gives it to the full model
SHOWN = 2  # pictures of the grid: a sheet of 960 x 640 each, four times over
CAMERAS_AT_ONCE = 10  # of a pair's renders: 50 of 512 px would hold 13 million pixels of features at once

Color = Callable[[Tensor], Tensor]
Mesh = Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Color]]
Perceptual = Callable[[Tensor, Tensor], Tensor]


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

    def conditions(self, index: int, size: int, generator: torch.Generator) -> Tensor:
        """(size, 3, 512, 512) in [0, 1] at the 256 levels of a picture file; the pictures are not
        augmented.
        """
        return torch.stack([picture for _, picture in self._items(index, size)])

    def named(self, number: int) -> tuple[str, Tensor]:
        """Picture ``number`` of the order, (3, 512, 512), and its object's name."""
        return self._items(number, 1)[0]

    def _items(self, index: int, size: int) -> list[tuple[str, Tensor]]:
        batch = self.data.batch(self.seed, index, size)
        items = []
        for rgba, number in zip(batch.condition, batch.objects):
            prepared = prepare(rgba.astype(np.float32) / 255, PICTURE_SIZE, self.ratio, self.background)
            levels = np.rint(prepared.rgb * 255).astype(np.float32) / 255
            items.append(
                (
                    self.data.shards.objects[int(number)],
                    torch.from_numpy(levels).permute(2, 0, 1).contiguous(),
                )
            )
        return items


def stage1(
    options: Stage1Options,
    data: Path,
    init: Path,
    machine: Machine,
    seed: int,
    facts: dict[str, Any],
    pairs_folder: Path | None = None,
) -> Stage1Task:
    """The public UNet in ``init`` distilled, in float32 weights under the machine's autocast.

    Args:
        pairs_folder: teacher pairs, where the options ask for them.

    Raises:
        ConfigError: settings of pixels, checkpointing together with low-rank adapters, or pairs that do not
            fit.
    """
    if options.checkpointing and options.rank:
        raise ConfigError(
            "activation checkpointing and low-rank adapters do not go together: one network has three roles",
            "Set checkpointing to false, or rank to None.",
        )
    if options.teacher_clip is not None or options.drop or options.jitter != USUAL:
        raise ConfigError(
            "the recipe bounds |x0|, drops conditions or jitters pictures, which suits the small family only",
            "Take --recipe paper.",
        )
    model = load_zero123plus(init / MULTIVIEW, machine.device)
    network, codec = model.network.requires_grad_(True), model.codec
    found = find_pairs(options, pairs_folder, network.sample_shape)
    facts = facts | ({"pairs": found.facts} if found else {})
    network.noised_reference = False  # of all three networks, from here on (GECO, section 3.1)
    if options.checkpointing:
        network.unet.enable_gradient_checkpointing()
    sampling = Sampling(
        guidance_scale=options.generator_guidance, timestep=options.timestep, truncation=options.truncation
    )

    def save(made: Zero123PlusNetwork, folder: Path) -> None:
        save_zero123plus(folder / MULTIVIEW, Zero123Plus(made, codec, model.card))
        finish(folder, init, facts | {"stage": "stage1", "distilled": True, "sampling": sampling.to_dict()})

    ratio = model.card["foreground_ratio"]
    shown = FullConditions(data / HELD_OUT if (data / HELD_OUT).exists() else data, ratio, codec.background)
    checks = shown.conditions(0, min(SHOWN, len(shown.data)), torch.Generator())
    conditions = FullConditions(data, ratio, codec.background, seed)
    return Stage1Task(network, codec, conditions, options, machine, save, found, checks)


def pairs(
    options: PairOptions,
    count: int,
    resolution: int,
    data: Path,
    init: Path,
    output: Path,
    device: str | None = None,
    generator: Path | None = None,
) -> dict[str, int]:
    """The public teacher's pseudo ground truth with the frozen InstantMesh; a shape without a surface is left
    out.

    ``generator`` is Stage I's run whose own samples are refined instead.

    Raises:
        ConfigError: settings of pixels, or ``init`` is distilled already. Others as
            :func:`geco.training.pair_maker.make_pairs`.
    """
    if options.clip is not None or options.jitter != USUAL:
        raise ConfigError(
            "the recipe bounds |x0| or jitters pictures, which suits the small family only",
            "Take --recipe paper.",
        )
    if read_card(init)["facts"].get("distilled"):
        raise ConfigError(
            f"{init} is a one-step generator, not a teacher", "Give the converted public model as --init."
        )
    place = choose(device)
    teacher = load_zero123plus(init / MULTIVIEW, place.device, place.dtype)
    model = instantmesh.load(init / RECONSTRUCTOR, place.device)
    mesh = differentiable_mesh(model, teacher.card["rig"], resolution)
    source = FullConditions(
        data, teacher.card["foreground_ratio"], teacher.codec.background, options.seed + 1
    )

    def render(views: Tensor, shown: Tensor, poses: Tensor) -> tuple[Tensor, Tensor]:
        vertices, faces, color = mesh(views, shown)
        drawn = [
            render_mesh(vertices, faces, part, INPUT_FOV, options.size, color)
            for part in poses.split(CAMERAS_AT_ONCE)
        ]
        return torch.cat([part.rgb.cpu() for part in drawn]), torch.cat([part.mask.cpu() for part in drawn])

    own = None
    if generator is not None:
        own = one_step(load_zero123plus(generator / MULTIVIEW, place.device, place.dtype).network, generator)
    mixed = place.device.type == "cuda"
    maker = PairMaker(teacher.network, teacher.codec, source.named, render, own, mixed=mixed)
    return make_pairs(maker, options, count, output)


def stage2(
    options: Stage2Options,
    resolution: int,
    pairs_folder: Path,
    init: Path,
    machine: Machine,
    facts: dict[str, Any],
    seed: int = 0,
    perceptual: Path | str | None = None,
) -> Stage2Task:
    """All of InstantMesh trained, as its own mesh training does (model_mesh.py), on ``init``'s generator and
    ``pairs_folder``.

    ``perceptual``: see :func:`perceptual_distance`.
    """
    card = read_card(init)
    if not card["facts"].get("distilled"):
        raise ConfigError(
            f"{init} is not a one-step generator", "Stage II follows Stage I: give its run folder as --init."
        )
    sampling = usage_of(card, init).drawing(str(init / CARD))
    views = load_zero123plus(init / MULTIVIEW, machine.device)
    model = instantmesh.load(init / RECONSTRUCTOR, machine.device).requires_grad_(True)
    found = Pairs(pairs_folder)
    check = list(range(len(found)))[-min(CHECKED_PAIRS, len(found) // 4) :] if len(found) >= 4 else []
    distance, name = perceptual_distance(machine.device, perceptual)
    about = facts | {
        "stage": "stage2",
        "distilled": True,
        "sampling": sampling.to_dict(),
        "perceptual": name,
        "pairs": found.facts,
    }

    def save(made: Zero123PlusNetwork, trained: InstantMesh, folder: Path) -> None:
        if options.generator_rate is not None:
            save_zero123plus(folder / MULTIVIEW, Zero123Plus(made, views.codec, views.card))
        save_instantmesh(trained, folder / RECONSTRUCTOR, init / RECONSTRUCTOR)
        finish(folder, init, about)

    mesh = differentiable_mesh(model, views.card["rig"], resolution, machine)
    return Stage2Task(
        views.network,
        views.codec,
        model,
        mesh,
        found,
        distance,
        options,
        machine,
        save,
        check,
        sampling,
        seed,
    )


def differentiable_mesh(
    model: InstantMesh, rig_name: str, resolution: int, machine: Machine | None = None
) -> Mesh:
    """Views (6, 3, H, W) in [0, 1] to a mesh whose places and colours carry gradients to every weight of
    ``model``.

    Where gradients are taken, quads are split as FlexiCubes does in training, and the way to the planes is
    computed again in the backward pass, as InstantMesh's training does. ``machine`` gives its autocast to
    encoder and transformer; the fields stay in float32.

    Raises:
        ConfigError: ``model`` is the NeRF variant. MeshError, from what is returned: the shape has no
            surface.
    """
    synthesizer = model.synthesizer
    if not isinstance(synthesizer, MeshSynthesizer):
        raise ConfigError(
            "InstantMesh's NeRF variant has no differentiable mesh", "Convert instant-mesh-large or -base."
        )
    cameras = rig(rig_name)
    vectors = torch.from_numpy(camera_vectors(cameras.poses(), cameras.fov))[None].to(model.device)

    def planes_of(views: Tensor) -> Tensor:
        if machine is None:
            return model.planes(views[None], vectors)
        with machine.autocast():
            return model.planes(views[None], vectors)

    def mesh(views: Tensor, _: Tensor) -> tuple[Tensor, Tensor, Color]:
        training, views = torch.is_grad_enabled(), views.to(model.device).float()
        planes = (checkpoint(planes_of, views, use_reentrant=False) if training else planes_of(views)).float()
        geometry = synthesizer.geometry(planes, resolution, training=training)
        if float(geometry.fields.empty_penalty.detach()[0]) > 0 or not len(geometry.faces[0]):
            raise MeshError("the reconstruction has no surface", "Another seed or picture may have one.")

        def color(points: Tensor) -> Tensor:
            return torch.cat(
                [synthesizer.color(planes, part[None])[0] for part in points.split(POINTS_AT_ONCE)]
            )

        return geometry.vertices[0], geometry.faces[0], color

    return mesh


def perceptual_distance(device: torch.device, asked: Path | str | None = None) -> tuple[Perceptual, str]:
    """With its name: the features of an autoencoder's run or "pyramid", where asked for; else LPIPS (VGG) as
    in the paper.

    Raises:
        WeightsError: LPIPS' weights are not there; another distance, whose lambda is another, is taken only
            when asked for.
    """
    if asked == PYRAMID:
        return perceptual_loss, PYRAMID
    if asked is not None:
        return load_distance(Path(asked), device), NAME
    try:
        return load_lpips("vgg").to(device), "lpips-vgg"
    except WeightsError as error:
        remedy = f"{error.remedy} Or compare without trained weights: --perceptual {PYRAMID}."
        raise WeightsError(error.problem, remedy) from error


def save_instantmesh(model: InstantMesh, folder: Path, origin: Path) -> None:
    """Write a trained reconstructor in the layout of
    :func:`geco.public_weights.instantmesh.load`, described as ``origin`` is.
    """
    known = read_part_card(origin, instantmesh.FORMAT).values
    card = {key: value for key, value in known.items() if key != "files"}
    write_folder(folder, card | {"config": model.config.to_dict()}, {instantmesh.PART: model.state_dict()})


def finish(folder: Path, carry: Path, facts: dict[str, Any]) -> None:
    """Make a run folder a model folder: a half that was not trained comes from ``carry``; the
    card is written last.
    """
    known = read_card(carry)
    for half in (MULTIVIEW, RECONSTRUCTOR):
        if not (folder / half).exists():
            carry_along(carry / half, folder / half, _link)
    write_card(folder, "full", known["licence"], known["facts"] | facts)


def _link(source: str, target: str) -> str:
    """The same file under another name, or a copy where the file system has no links. Files of
    ours are replaced, never changed.
    """
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target
