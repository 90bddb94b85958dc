"""What ``geco train`` and ``geco distill`` ask for, built: a stage's task or pairs from the
command's options and a recipe.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geco.errors import ConfigError, WeightsError
from geco.model_files.card import CARD, read_card
from geco.recipes.find import find_recipe
from geco.recipes.override import override

if TYPE_CHECKING:
    from geco.recipes.recipe import Recipe, Stage
    from geco.training.machine import Machine
    from geco.training.task import Task

FAMILIES = ("small", "full")  # that can be distilled; the full family's teacher and reconstructor are public


def build(options: argparse.Namespace, recipe: Recipe, machine: Machine) -> Task:
    """The stage's task; distillation takes the family of --init."""
    from geco.training import small_stages as small

    stage: Stage = options.stage
    about = _about(options, recipe)
    facts = about | {"sampling": recipe.sampling.to_dict()}
    match stage:
        case "teacher":
            return small.teacher(
                recipe.multiview, recipe.teacher, _data(options), options.init, machine, options.seed, facts
            )
        case "reconstructor":
            return small.reconstructor(
                recipe.reconstructor,
                recipe.reconstruction,
                _data(options),
                options.init,
                machine,
                options.seed,
                about,
            )
        case "regressor":
            return small.reconstructor(
                recipe.regressor, recipe.regression, _data(options), None, machine, options.seed, about
            )
        case "autoencoder":
            return small.autoencoder(
                recipe.autoencoder,
                recipe.autoencoding,
                _data(options),
                options.init,
                machine,
                options.seed,
                about,
            )
        case "stage1" | "stage2":
            return distillation(options, recipe, machine)


def distillation(options: argparse.Namespace, recipe: Recipe, machine: Machine) -> Task:
    """Stage I or II of either family."""
    about, first = _about(options, recipe), options.stage == "stage1"
    init, family = _init(options, "the teacher" if first else "Stage I's run")
    if family == "full":
        from geco.training import full_stages as full

        if first:
            return full.stage1(
                recipe.stage1,
                _data(options),
                init,
                machine,
                options.seed,
                about,
                options.pairs,
            )
        return full.stage2(
            recipe.stage2,
            recipe.resolution,
            options.pairs,
            init,
            machine,
            about,
            options.seed,
            options.perceptual,
        )
    from geco.training import small_stages as small

    if first:
        return small.stage1(recipe.stage1, _data(options), init, machine, options.seed, about, options.pairs)
    return small.stage2(
        recipe.stage2,
        recipe.resolution,
        options.pairs,
        init,
        machine,
        about,
        options.seed,
        options.perceptual,
    )


def pairs_recipe(options: argparse.Namespace) -> Recipe:
    """The recipe with what the command says of pairs."""
    # pairs.json holds every setting
    recipe, _ = override(find_recipe(options.recipe), options.stage, options.set)
    settings = replace(recipe.pairs, seed=options.seed, steps=options.steps or recipe.pairs.steps)
    return replace(recipe, pairs=settings, pair_count=options.count or recipe.pair_count)


def check(options: argparse.Namespace) -> None:
    """Raise for what a stage needs and was not given, and for outputs that are its inputs, before
    any work.
    """
    stage = options.stage
    if stage != "stage2":
        _data(options)
    if stage in ("stage1", "stage2", "pairs"):
        what = {"stage1": "the teacher", "stage2": "Stage I's run"}.get(
            stage, "the teacher and its reconstructor"
        )
        _, family = _init(options, what)
        if (
            stage == "pairs"
            and options.true_views
            and (family == "full" or options.generator or options.steps)
        ):
            raise ConfigError(
                "--true-views is for the small family, without --generator and --steps",
                "Leave one of them out.",
            )
    for name in ("data", "init", "pairs", "perceptual", "generator"):
        given = getattr(options, name, None)
        if (
            isinstance(given, Path)
            and given.exists()
            and options.output.exists()
            and given.samefile(options.output)
        ):
            raise ConfigError(
                f"--{name} and -o are the same folder {given}", "Choose another folder with -o."
            )


def make_pairs(options: argparse.Namespace, recipe: Recipe) -> dict[str, int]:
    """The pairs of either family, by a recipe of :func:`pairs_recipe`; how many there are, and
    how many were left out.
    """
    settings, count = recipe.pairs, recipe.pair_count
    init, family = _init(options, "the teacher and its reconstructor")
    sizes = (count, recipe.resolution)
    if family == "full":
        from geco.training import full_stages

        return full_stages.pairs(
            settings, *sizes, _data(options), init, options.output, options.device, options.generator
        )
    from geco.training import small_stages

    return small_stages.pairs(
        settings,
        *sizes,
        _data(options),
        init,
        options.output,
        options.device,
        options.generator,
        options.true_views,
    )


def _about(options: argparse.Namespace, recipe: Recipe) -> dict[str, Any]:
    """Facts for the card: the recipe, and each stage's ``--set`` from --init on."""
    carried = options.init is not None and options.stage != "regressor" and (options.init / CARD).exists()
    known: dict[str, Any] = read_card(options.init)["facts"].get("overrides", {}) if carried else {}
    return {
        "recipe": recipe.name,
        "overrides": known | {options.stage: options.overrides},
        "resolution": recipe.resolution,
        "texture_size": recipe.texture_size,
    }


def _data(options: argparse.Namespace) -> Path:
    if options.data is None:
        raise ConfigError(
            f"{options.stage} needs --data SHARDS", "Make some with: geco data render OBJECTS -o SHARDS."
        )
    return Path(options.data)


def _init(options: argparse.Namespace, what: str) -> tuple[Path, str]:
    """The folder that distillation starts from, and its family."""
    if options.init is None:
        raise WeightsError(f"{options.stage} starts from trained weights", f"Give {what} as --init DIR.")
    family = read_card(options.init)["family"]
    if family not in FAMILIES:
        raise ConfigError(
            f"{options.init} is a model of the family {family!r}", f"Known are {' and '.join(FAMILIES)}."
        )
    return Path(options.init), family
