"""The stages of the small family put together: data and starting weights to a task, its run
folder to a model folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from geco.cameras import INPUT_FOV
from geco.data.dataset import GridViews
from geco.data.labels.shards import label_shards
from geco.device import choose
from geco.errors import ConfigError
from geco.metrics.features.config import AutoencoderConfig
from geco.metrics.features.distance import NAME
from geco.metrics.features.network import Autoencoder
from geco.metrics.features.weights import load_autoencoder, load_distance, save_autoencoder
from geco.metrics.pyramid import PYRAMID, perceptual_loss
from geco.model_files.card import AUTOENCODER, CARD, MULTIVIEW, RECONSTRUCTOR, read_card, usage_of, write_card
from geco.multiview.small.codec import PixelCodec
from geco.multiview.small.config import SmallConfig
from geco.multiview.small.network import SmallMultiView
from geco.multiview.small.weights import load_small, save_small
from geco.reconstruct.small.config import SmallReconstructorConfig
from geco.reconstruct.small.differentiable import soft_mesh
from geco.reconstruct.small.model import SmallReconstructor
from geco.render.shade_torch import render_mesh
from geco.sampling import Sampling
from geco.training.augment import USUAL, Jitter, composite, photograph, recolor
from geco.training.autoencoder import AutoencoderOptions, AutoencoderTask
from geco.training.machine import Machine
from geco.training.pair_maker import PairMaker, make_pairs
from geco.training.pairs import PairOptions, Pairs
from geco.training.reconstructor import ReconstructorTask, validation_batches
from geco.training.reconstructor_data import ReconstructorData
from geco.training.reconstructor_options import ReconstructorOptions
from geco.training.six_views import batch_conditions, batch_tensors, open_views, to_tensors
from geco.training.small_folders import LICENCE, check_size, check_teacher, finish, one_step
from geco.training.stage1 import Stage1Task
from geco.training.stage1_options import Stage1Options
from geco.training.stage2 import Stage2Options, Stage2Task
from geco.training.teacher import TeacherOptions, TeacherTask, denoising_psnr
from geco.training.teacher_pairs import find_pairs

HELD_OUT = "held_out"  # shards beside the training shards, never trained on
LOADING_THREADS = 6  # that make the reconstructor's batches for a GPU
CHECKED_PAIRS = 8  # validation pairs of Stage II


class SmallConditions:
    """Condition pictures of the small recipe's grid, as a user's photos might look: a source for Stage I."""

    def __init__(self, data: GridViews, seed: int = 0, jitter: Jitter = USUAL) -> None:
        self.data, self.seed, self.jitter = data, seed, jitter

    def conditions(self, index: int, size: int, generator: torch.Generator) -> Tensor:
        """(size, 3, S, S) in [0, 1] on white."""
        condition = batch_conditions(self.data, self.seed, index, size).to(generator.device)
        condition, _ = recolor(condition, condition[:, None], generator, self.jitter)
        return composite(photograph(condition, generator, self.jitter))

    def views(self, index: int, size: int, generator: torch.Generator) -> Tensor:
        """(size, 6, 3, S, S): the true views of what :meth:`conditions` shows, for a generator of
        the same seed.
        """
        condition, targets = (
            pictures.to(generator.device) for pictures in batch_tensors(self.data, self.seed, index, size)
        )
        return composite(recolor(condition, targets, generator, self.jitter)[1])


def teacher(
    config: SmallConfig,
    options: TeacherOptions,
    data: Path,
    init: Path | None,
    machine: Machine,
    seed: int,
    facts: dict[str, Any],
) -> TeacherTask:
    """Stage 0, from scratch or from ``init``'s multi-view half."""
    torch.manual_seed(seed)
    shards = open_views(data, machine.device)
    network = load_small(init / MULTIVIEW) if init else SmallMultiView(replace(config, size=shards.size))
    check_size(network.config.size, shards, init)
    checks = {HELD_OUT: GridViews(data / HELD_OUT)} if (data / HELD_OUT).exists() else {}

    def save(trained: SmallMultiView, folder: Path) -> None:
        save_small(trained, folder / MULTIVIEW)
        finish(folder, init, facts | {"stage": "teacher"})

    return TeacherTask(network.train(), shards, options, machine, seed, checks, save)


def reconstructor(
    config: SmallReconstructorConfig,
    options: ReconstructorOptions,
    data: Path,
    init: Path | None,
    machine: Machine,
    seed: int,
    facts: dict[str, Any],
) -> ReconstructorTask:
    """Six views (or, for a regressor's config, the picture) to a surface; labels the shards first
    where that is not done.
    """
    torch.manual_seed(seed)
    for folder in (data, data / HELD_OUT):
        if folder.exists():
            label_shards(folder, 0, lambda line: print(line, flush=True), os.cpu_count() or 1)
    found = init is not None and (init / RECONSTRUCTOR).exists() and config.views > 1
    views = ReconstructorData(open_views(data, machine.device))
    fresh = replace(config, view_size=views.shards.size)
    network = SmallReconstructor.load(init / RECONSTRUCTOR) if found and init else SmallReconstructor(fresh)
    check_size(network.config.view_size, views.shards, init)
    checks = validation_batches(data / HELD_OUT) if (data / HELD_OUT).exists() else None
    alone = config.views == 1

    def save(trained: SmallReconstructor, folder: Path, about: dict[str, Any]) -> None:
        trained.save(folder / RECONSTRUCTOR, about)
        stage = "regressor" if alone else "reconstructor"
        finish(
            folder, None if alone else init, facts | {"stage": stage} | ({"views": False} if alone else {})
        )

    threads = LOADING_THREADS if machine.device.type == "cuda" else 0
    guide = None
    if options.predicted_share:
        if init is None or not (init / MULTIVIEW).exists():
            raise ConfigError(
                "predicted_share needs a network that predicts views",
                "Give --init TEACHER, or --set predicted_share=0.",
            )
        guide = load_small(init / MULTIVIEW)
    return ReconstructorTask(network.train(), views, options, machine, seed, checks, save, threads, guide)


def autoencoder(
    config: AutoencoderConfig,
    options: AutoencoderOptions,
    data: Path,
    init: Path | None,
    machine: Machine,
    seed: int,
    facts: dict[str, Any],
) -> AutoencoderTask:
    """The features of Stage II's perceptual distance, from scratch or from an earlier run ``init``. The run
    is no model.

    Raises:
        ConfigError: the views' side is no multiple of the network's factor.
    """
    torch.manual_seed(seed)
    shards = open_views(data, machine.device)
    network = load_autoencoder(init / AUTOENCODER) if init else Autoencoder(config)
    if shards.size % network.config.factor:
        raise ConfigError(
            f"views of {shards.size} px do not halve into {network.config.factor}", "Render another --size."
        )
    checks = {HELD_OUT: GridViews(data / HELD_OUT)} if (data / HELD_OUT).exists() else {}
    about = facts | {"stage": "autoencoder", "view_size": shards.size}

    def save(trained: Autoencoder, folder: Path) -> None:
        save_autoencoder(trained, folder / AUTOENCODER, LICENCE, about)
        write_card(folder, AUTOENCODER, LICENCE, about)

    return AutoencoderTask(network.train(), shards, options, machine, save, seed, checks)


def stage1(
    options: Stage1Options, data: Path, init: Path, machine: Machine, seed: int, facts: dict[str, Any],
    pairs_folder: Path | None = None,
) -> Stage1Task:  # fmt: skip
    """The teacher in ``init`` distilled; the run folder carries ``init``'s reconstructor along."""
    check_teacher(init)
    network = load_small(init / MULTIVIEW)
    found = find_pairs(options, pairs_folder, network.sample_shape)
    facts = facts | ({"pairs": found.facts} if found else {})
    codec = PixelCodec(network.config.size)
    shown = GridViews(data / HELD_OUT) if (data / HELD_OUT).exists() else GridViews(data)
    checks = composite(to_tensors(shown.fixed(min(6, len(shown))))[0])

    sampling = Sampling(
        guidance_scale=options.generator_guidance, timestep=options.timestep, truncation=options.truncation
    )

    def save(made: SmallMultiView, folder: Path) -> None:
        save_small(made, folder / MULTIVIEW)
        drawn = {"sampling": sampling.to_dict()}
        finish(folder, init, facts | {"stage": "stage1", "distilled": True} | drawn)

    def measure(made: SmallMultiView) -> dict[str, Any]:
        level = made.schedule.last if options.timestep is None else options.timestep
        return {"x0_psnr": denoising_psnr(made, shown, levels=(level,))}

    conditions = SmallConditions(open_views(data, machine.device), seed, options.jitter)
    return Stage1Task(network, codec, conditions, options, machine, save, found, checks, measure)


def pairs(
    options: PairOptions,
    count: int,
    resolution: int,
    data: Path,
    init: Path,
    output: Path,
    device: str | None = None,
    generator: Path | None = None,
    true_views: bool = False,
) -> dict[str, int]:
    """The teacher's pseudo ground truth with ``init``'s two halves; of ``generator``'s own samples (Stage I's
    run) where given, or the reconstruction of the data's own six views.
    """
    check_teacher(init)
    place = choose(device).device
    network, model = (
        load_small(init / MULTIVIEW).to(place),
        SmallReconstructor.load(init / RECONSTRUCTOR).to(place),
    )
    conditions = SmallConditions(GridViews(data), options.seed + 1, options.jitter)
    mesh = small_mesh(model, resolution)

    def random(number: int) -> torch.Generator:
        return torch.Generator().manual_seed(options.seed * 1_000_003 + number)

    def picture(number: int) -> tuple[str, Tensor]:
        name = conditions.data.names[conditions.data.draw(conditions.seed, number, 1)[0][0]]
        return name, conditions.conditions(number, 1, random(number))[0].to(place)

    def truth(number: int) -> Tensor:
        return conditions.views(number, 1, random(number))[0].to(place)

    def render(views: Tensor, shown: Tensor, poses: Tensor) -> tuple[Tensor, Tensor]:
        vertices, faces, color = mesh(views, shown)
        drawn = render_mesh(vertices, faces, poses, INPUT_FOV, options.size, color)
        return drawn.rgb, drawn.mask

    own = one_step(load_small(generator / MULTIVIEW).to(place), generator) if generator else None
    codec = PixelCodec(network.config.size)
    maker = PairMaker(network, codec, picture, render, own, truth if true_views else None, mixed=True)
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
    """``init``'s generator frozen (or not), its reconstructor fine-tuned on ``pairs_folder``.

    ``perceptual`` is an autoencoder's run, whose features then take the pyramid distance's place.
    """
    card = read_card(init)
    if not card["facts"].get("distilled"):
        raise ConfigError(
            f"{init} is not a one-step generator", "Stage II follows Stage I: give its run folder as --init."
        )
    network, model = load_small(init / MULTIVIEW), SmallReconstructor.load(init / RECONSTRUCTOR)
    found = Pairs(pairs_folder)
    check = list(range(len(found)))[-min(CHECKED_PAIRS, len(found) // 4) :] if len(found) >= 4 else []
    sampling = usage_of(card, init).drawing(str(init / CARD))
    distance, name = (
        (perceptual_loss, PYRAMID)
        if perceptual in (None, PYRAMID)
        else (load_distance(Path(perceptual), machine.device), NAME)
    )
    about = facts | {
        "stage": "stage2",
        "distilled": True,
        "sampling": sampling.to_dict(),
        "perceptual": name,
        "pairs": found.facts,
    }

    def save(made: SmallMultiView, trained: SmallReconstructor, folder: Path) -> None:
        save_small(made, folder / MULTIVIEW)
        trained.save(folder / RECONSTRUCTOR)
        finish(folder, init, about)

    return Stage2Task(
        network,
        PixelCodec(network.config.size),
        model.train(),
        small_mesh(model, resolution),
        found,
        distance,
        options,
        machine,
        save,
        check,
        sampling,
        seed,
    )


def small_mesh(
    model: SmallReconstructor, resolution: int
) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Callable[[Tensor], Tensor]]]:
    """Views (6, 3, H, W) and picture (3, S, S) in [0, 1] to a mesh that carries gradients."""

    def mesh(views: Tensor, picture: Tensor) -> tuple[Tensor, Tensor, Callable[[Tensor], Tensor]]:
        surface = soft_mesh(model, model.encode(views[None], picture[None]), resolution)
        return surface.vertices, surface.faces, surface.color

    return mesh
