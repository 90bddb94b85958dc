"""What ``geco train`` and ``geco distill`` ask for, built: a stage's task or pairs from the command's options
and a recipe.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geco.cli.train_run import NETWORKS
from geco.errors import ConfigError, WeightsError
from geco.model_files.card import AUTOENCODER, CARD, MULTIVIEW, RECONSTRUCTOR, read_model_card
from geco.recipes.find import find_recipe
from geco.recipes.override import OPTIONS, override

if TYPE_CHECKING:
    from geco.recipes.recipe import Recipe
    from geco.training.family import Family
    from geco.training.inputs import Inputs
    from geco.training.machine import Machine
    from geco.training.pair_maker import PairMaker
    from geco.training.task import Task

FAMILIES = ("small", "full")  # that can be distilled; the full family's teacher and reconstructor are public
ALONE = ("regressor", "pixelnerf")  # stages that carry nothing of --init along
# options that name folders, none of which may be the output
NAMED = ("data", "pairs", "perceptual", "generator", "second_teacher")
STARTS = {  # what --init of a distillation is
    "stage1": "the teacher",
    "stage2": "Stage I's run",
    "pairs": "the teacher and its reconstructor",
}


def read_recipe(options: argparse.Namespace) -> tuple[Recipe, dict[str, Any]]:
    """The recipe with what the command says of its stage, and what ``--set`` replaced."""
    recipe, overrides = override(find_recipe(options.recipe), options.stage, options.set)
    if options.stage != "pairs":
        return recipe, overrides
    # pairs.json holds every setting
    settings = replace(recipe.pairs, seed=options.seed, steps=options.steps or recipe.pairs.steps)
    return replace(recipe, pairs=settings, pair_count=options.count or recipe.pair_count), overrides


def local_model(init: Path | None) -> Path | None:
    """The folder that --init means: a model that ``geco get`` made ready by its name, a hub id fetched once,
    else the path as it is. Its weights are hashed anew: what hours go into shall not start from a bad disk.
    """
    from geco.getting import find_folder
    from geco.model_files.hub import is_hub_id
    from geco.model_files.products import find_product
    from geco.model_files.stamps import refresh

    if init is not None and not init.exists() and (is_hub_id(init) or find_product(init.as_posix())):
        init = find_folder(init.as_posix())
    if init is not None and init.is_dir():
        refresh(init)
    return init


def check(options: argparse.Namespace, init: Path | None) -> None:
    """Raise for what a stage needs and was not given, and for outputs that are its inputs, before
    any work.
    """
    stage = options.stage
    if stage != "stage2" and options.data is None:
        raise ConfigError(
            f"{stage} needs --data SHARDS", "Make some with: geco data render OBJECTS -o SHARDS."
        )
    if stage in STARTS:
        family = _family_name(stage, init)
        if (
            stage == "pairs"
            and options.true_views
            and (family == "full" or options.generator or options.steps)
        ):
            raise ConfigError(
                "--true-views is for the small family, without --generator and --steps",
                "Leave one of them out.",
            )
    _check_sizes(options, init)
    if getattr(options, "lpips_weights", None) is not None and options.perceptual is not None:
        raise ConfigError("--perceptual and --lpips-weights name two distances", "Leave one of them out.")
    given = {name: getattr(options, name, None) for name in NAMED}
    for name, value in ({"init": init} | given).items():
        for folder in value if isinstance(value, tuple) else (value,):
            both_there = isinstance(folder, Path) and folder.exists() and options.output.exists()
            if both_there and folder.samefile(options.output):
                raise ConfigError(
                    f"--{name} and -o are the same folder {folder}", "Choose another folder with -o."
                )


def _check_sizes(options: argparse.Namespace, init: Path | None) -> None:
    """Raise where ``--set`` gives sizes of a network that comes from --init, which has its own."""
    name = NETWORKS.get(options.stage, "")
    half = {"teacher": MULTIVIEW, "reconstructor": RECONSTRUCTOR, "autoencoder": AUTOENCODER}
    if init is None or options.stage not in half or not (init / half[options.stage]).exists():
        return
    if given := [text for text in options.set if text.strip().startswith(f"{name}.")]:
        raise ConfigError(
            f"--set {given[0]}: the network is that of --init {init}, whose sizes stand",
            "Leave one of the two out.",
        )


def inputs_of(
    options: argparse.Namespace,
    recipe: Recipe,
    overrides: dict[str, Any],
    init: Path | None,
    machine: Machine,
) -> Inputs:
    """What every builder is given beside the stage's numbers."""
    from geco.training.inputs import Inputs, Sizes

    facts = _facts(options.stage, recipe, overrides, init) | _data(options.stage, options.data, init)
    return Inputs(
        machine,
        options.data,
        init,
        getattr(options, "pairs", None),
        perceptual=getattr(options, "perceptual", None),
        lpips=getattr(options, "lpips_weights", None),
        generator=getattr(options, "generator", None),
        true_views=getattr(options, "true_views", False),
        latents=getattr(options, "latents", None),
        second_teacher=getattr(options, "second_teacher", None),
        seed=options.seed,
        resolution=recipe.resolution,
        facts=facts,
        sizes=Sizes(
            recipe.multiview, recipe.reconstructor, recipe.regressor, recipe.autoencoder, recipe.pixelnerf
        ),
    )


def build(stage: str, recipe: Recipe, inputs: Inputs) -> Task:
    """The stage's task; distillation takes the family of --init."""
    from geco.training import family, small_stages

    builders: dict[str, Callable[[Any, Inputs], Task]] = {
        "teacher": small_stages.teacher,
        "reconstructor": small_stages.reconstructor,
        "regressor": small_stages.regressor,
        "pixelnerf": small_stages.pixelnerf,
        "autoencoder": small_stages.autoencoder,
        "stage1": partial(family.stage1, _family(stage, inputs.init)),
        "stage2": partial(family.stage2, _family(stage, inputs.init)),
    }
    return builders[stage](getattr(recipe, OPTIONS[stage]), inputs)


def pair_maker(recipe: Recipe, inputs: Inputs) -> PairMaker:
    """What makes the pairs of either family."""
    from geco.training import family

    return family.pairs(_family("pairs", inputs.init), recipe.pairs, inputs)


def family_of(folder: Path) -> Family:
    """Of a model folder."""
    return _family("stage2", folder)


def _facts(stage: str, recipe: Recipe, overrides: dict[str, Any], init: Path | None) -> dict[str, Any]:
    """For the card: the recipe, each stage's ``--set`` from --init on, and how the model is used."""
    carried = init is not None and stage not in ALONE and (init / CARD).exists()
    known: dict[str, Any] = read_model_card(init)["facts"].get("overrides", {}) if init and carried else {}
    facts = {
        "recipe": recipe.name,
        "overrides": known | {stage: overrides},
        "resolution": recipe.resolution,
        "texture_size": recipe.texture_size,
    }
    return facts | ({"sampling": recipe.sampling.to_dict()} if stage == "teacher" else {})


def _data(stage: str, data: Path | None, init: Path | None) -> dict[str, Any]:
    """For the card: how many objects each stage from --init on was trained on, and their licences."""
    carried = init is not None and stage != "regressor" and (init / CARD).exists()
    known: dict[str, Any] = read_model_card(init)["facts"].get("data", {}) if init and carried else {}
    if data is None:
        return {"data": known} if known else {}
    from geco.data.shards import Shards

    shards = Shards(data)
    return {"data": known | {stage: {"objects": len(shards), "licences": shards.licences}}}


def is_full(stage: str, init: Path | None) -> bool:
    """Whether a stage is a distillation of the full family; errors as of building it."""
    return stage in STARTS and _family_name(stage, init) == "full"


def _family(stage: str, init: Path | None) -> Family:
    """Of --init; the small one for stages that only it has."""
    if is_full(stage, init):
        from geco.training.full_family import FULL

        return FULL
    from geco.training.small_family import SMALL

    return SMALL


def _family_name(stage: str, init: Path | None) -> str:
    """The family of the folder that a distillation starts from."""
    if init is None:
        raise WeightsError(f"{stage} starts from trained weights", f"Give {STARTS[stage]} as --init DIR.")
    family = str(read_model_card(init)["family"])
    if family not in FAMILIES:
        raise ConfigError(
            f"{init} is a model of the family {family!r}", f"Known are {' and '.join(FAMILIES)}."
        )
    return family
