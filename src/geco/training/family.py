"""The distillation of either family, once: the teacher in --init to a one-step generator (Stage I), pairs,
and the reconstructor fine-tuned on its views (Stage II).

A :class:`Family` knows how its two halves are loaded, saved, and made into a mesh; everything else is here.
A run folder is a model folder at any time: what a stage does not train is carried along from --init.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from geco.cameras import INPUT_FOV
from geco.errors import ConfigError
from geco.files import writing
from geco.metrics.features.distance import NAME
from geco.metrics.features.weights import load_distance
from geco.metrics.lpips import LPIPS, load_lpips
from geco.metrics.pyramid import PYRAMID, perceptual_loss
from geco.model_files.card import CARD, MULTIVIEW, RECONSTRUCTOR, read_model_card, write_model_card
from geco.multiview.interface import ViewCodec
from geco.multiview.one_step import OneStepGenerator
from geco.noise import seed_of
from geco.render.shade_torch import render_mesh
from geco.training.augment import Jitter
from geco.training.generators import generator_id, generator_sampling
from geco.training.halves import Distance, PictureSource, SingleViews, Surfaces, Validation, Views
from geco.training.inputs import Inputs
from geco.training.machine import Machine
from geco.training.optimizers import check_installed
from geco.training.pair_maker import PairMaker
from geco.training.pairs import PairOptions, Pairs
from geco.training.single_views import find_second
from geco.training.stage1 import Stage1Task
from geco.training.stage1_options import Stage1Options
from geco.training.stage2 import Stage2Options, Stage2Task
from geco.training.stage2_views import StoredViews
from geco.training.teacher_pairs import find_pairs

CAMERAS_AT_ONCE = 10  # of a pair's renders: 50 of 512 px would hold 13 million pixels of features at once


class Family(Protocol):
    """What differs between the small and the full family.

    Attributes:
        name: in cards.
        mixed: whether its teacher makes pairs in bfloat16 where the device has it.
    """

    name: str
    mixed: bool

    def check(self, options: Stage1Options | PairOptions) -> None:
        """Raise ConfigError for numbers that suit the other family only."""

    def load_views(
        self, folder: Path, device: torch.device, inference: bool = False, latents: Path | None = None
    ) -> Views:
        """The multi-view half in ``folder``, in float32 or, for inference, in the device's own format; with
        ``latents`` of its condition pictures without what would encode them.
        """

    def about(self, folder: Path) -> Mapping[str, Any]:
        """What is kept beside the weights of the multi-view half in ``folder``, without loading them."""

    def prepare(self, views: Views, options: Stage1Options) -> None:
        """Make a loaded teacher ready for Stage I, in place."""

    def save_views(self, views: Views, folder: Path) -> None:
        """Write the multi-view half."""

    def load_surfaces(
        self, folder: Path, views: Views | StoredViews, resolution: int, machine: Machine, train: bool
    ) -> Surfaces:
        """The reconstructor half in ``folder``, for ``views``; ready to be trained, or as it is used."""

    def save_surfaces(self, network: nn.Module, folder: Path, origin: Path) -> None:
        """Write the reconstructor half, described as the one in ``origin``."""

    def source(
        self, data: Path, views: Views, seed: int, jitter: Jitter, device: torch.device
    ) -> PictureSource:
        """Condition pictures of shards."""

    def validation(self, inputs: Inputs, views: Views, options: Stage1Options) -> Validation:
        """How Stage I is looked at."""

    def single_views(self, folder: Path, views: Views, options: Stage1Options) -> SingleViews:
        """A second teacher, for ``views``; raises WeightsError or ConfigError where it cannot be one."""

    def distance(self, device: torch.device) -> tuple[Distance, str]:
        """Stage II's perceptual distance where none is asked for, and its name."""

    def copy(self, source: str, target: str) -> str:
        """Bring one file of a half that is carried along; as :func:`shutil.copy2`."""

    def licence(self, init: Path) -> str:
        """Of what is trained from ``init``."""


def stage1(family: Family, options: Stage1Options, inputs: Inputs) -> Stage1Task:
    """The teacher in ``inputs.init`` distilled."""
    init, device = teacher_of(inputs), inputs.machine.device
    family.check(options)
    check_installed(options.optimizer, options.rank)
    views = family.load_views(init, device, latents=inputs.latents)
    found = find_pairs(options, inputs.pairs, views.network.sample_shape, inputs.seed)
    views = find_second(family.single_views, options, inputs.second_teacher, views)
    family.prepare(views, options)
    sampling = options.sampling
    facts = {**inputs.facts, "stage": "stage1", "distilled": True, "sampling": sampling.to_dict()}
    facts |= {"pairs": found.facts} if found else {}

    def save(network: Any, folder: Path, about: Mapping[str, Any]) -> None:
        family.save_views(replace(views, network=network, sampling=sampling), folder)
        finish(family, folder, init, {**facts, **about})

    source = family.source(inputs.shards, views, inputs.seed, options.jitter, device)
    checks = family.validation(inputs, views, options)
    return Stage1Task(options, inputs, views, source, save, found, checks)


def pairs(family: Family, options: PairOptions, inputs: Inputs) -> PairMaker:
    """The pseudo ground truth of the teacher in ``inputs.init`` with its reconstructor; of
    ``inputs.generator``'s own samples where given, or of the data's own six views.
    """
    init, device = teacher_of(inputs), inputs.machine.device
    family.check(options)
    views = family.load_views(init, device, inference=True, latents=inputs.latents)
    surfaces = family.load_surfaces(init, views, inputs.resolution, inputs.machine, train=False)
    seed = seed_of(options.seed, "pairs", "pictures")
    source = family.source(inputs.shards, views, seed, options.jitter, torch.device("cpu"))

    def picture(number: int) -> tuple[str, Tensor]:
        name, found = source.picture(number)
        return name, found.to(device)

    def truth(number: int) -> Tensor:
        return source.true_views(number).to(device)

    def render(generated: Tensor, condition: Tensor, poses: Tensor) -> dict[str, Tensor]:
        vertices, faces, color = surfaces.mesh(generated, condition)
        rendered = [
            render_mesh(vertices, faces, part, INPUT_FOV, options.size, color)
            for part in poses.split(CAMERAS_AT_ONCE)
        ]
        kept = ("rgb", "mask", *(("normal", "depth") if options.geometry else ()))
        return {name: torch.cat([getattr(each, name).cpu() for each in rendered]) for name in kept}

    generator = None
    if (run := inputs.generator) is not None:
        generator, _ = load_generator(family, run, device, inputs.latents)
    own = truth if inputs.true_views else None
    return PairMaker(views.network, views.codec, picture, render, generator, own, family.mixed)


def stage2(family: Family, options: Stage2Options, inputs: Inputs) -> Stage2Task:
    """The reconstructor in ``inputs.init`` fine-tuned on its generator's views and ``inputs.pairs``."""
    init, device = inputs.start, inputs.machine.device
    sampling = generator_sampling(init)
    distance, name = perceptual_distance(family, inputs)
    if inputs.pairs is None:
        raise ConfigError("Stage II learns from pairs", "Give --pairs DIR, made by geco distill pairs.")
    found, own = Pairs(inputs.pairs), generator_id(init)
    views: Views | StoredViews
    if options.generator_rate is None and found.has_generated(own):
        views = StoredViews(found, own, family.about(init))
    else:
        views = replace(family.load_views(init, device), sampling=sampling)
        if options.generator_rate is None and inputs.machine.leads:
            hint = f"geco distill pairs --add-generator-views {init} -o PAIRS"
            print(f"the generator runs for every pair; to store its views: {hint}", file=sys.stderr)
    surfaces = family.load_surfaces(init, views, inputs.resolution, inputs.machine, train=True)
    facts = {**inputs.facts, "stage": "stage2", "distilled": True, "sampling": sampling.to_dict()}
    facts |= {"perceptual": name, "pairs": found.facts}

    def save(generator: Any, reconstructor: nn.Module, folder: Path) -> None:
        if options.generator_rate is not None:
            assert isinstance(views, Views)
            family.save_views(replace(views, network=generator), folder)
        family.save_surfaces(reconstructor, folder, init)
        finish(family, folder, init, facts)

    return Stage2Task(options, inputs, views, surfaces, found, distance, save)


def teacher_of(inputs: Inputs) -> Path:
    """``inputs.init``; raises ConfigError where it is distilled already."""
    if read_model_card(inputs.start)["facts"].get("distilled"):
        raise ConfigError(
            f"{inputs.start} is a one-step generator, not a teacher",
            "Give the run of the reconstructor, or the converted public model, as --init.",
        )
    return inputs.start


def load_generator(
    family: Family, folder: Path, device: torch.device, latents: Path | None = None
) -> tuple[OneStepGenerator, ViewCodec]:
    """The one-step generator in ``folder`` as it is used, and its codec; ConfigError where it is none."""
    sampling = generator_sampling(folder)
    views = replace(family.load_views(folder, device, True, latents), sampling=sampling)
    return views.generator(), views.codec


def perceptual_distance(family: Family, inputs: Inputs) -> tuple[Distance, str]:
    """What was asked for, an autoencoder's features, "pyramid" or LPIPS with weights from a folder, else the
    family's own; and its name.
    """
    if inputs.lpips is not None:
        return load_lpips("vgg", inputs.lpips, inputs.machine.device), LPIPS
    if inputs.perceptual is None:
        return family.distance(inputs.machine.device)
    if inputs.perceptual == PYRAMID:
        return perceptual_loss, PYRAMID
    return load_distance(Path(inputs.perceptual), inputs.machine.device), NAME


def finish(family: Family, folder: Path, init: Path | None, facts: Mapping[str, Any]) -> None:
    """Make a run folder a model folder: a half that was not trained comes from ``init``; the card, with what
    ``init``'s says too, is written last.
    """
    known: dict[str, Any] = read_model_card(init)["facts"] if init and (init / CARD).exists() else {}
    for half in (MULTIVIEW, RECONSTRUCTOR):
        if init is not None and (init / half).exists() and not (folder / half).exists():
            carry_along(init / half, folder / half, family.copy)
    write_model_card(folder, family.name, family.licence(init or folder), known | dict(facts))


def carry_along(source: Path, target: Path, copy: Callable[[str, str], str] = shutil.copy2) -> None:
    """Copy a folder whole or not at all; raises OutputError."""
    temporary = target.with_name(f".{target.name}-partial")
    try:
        with writing(target):
            shutil.rmtree(temporary, ignore_errors=True)
            shutil.copytree(source, temporary, copy_function=copy)
            temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
