"""What a training command remembers of itself, and what it tells the user to do next."""

from __future__ import annotations

import argparse
import hashlib
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geco.model_files.card import MULTIVIEW, RECONSTRUCTOR
from geco.version import __version__

if TYPE_CHECKING:
    from geco.recipes.recipe import Recipe
    from geco.training.machine import Machine

NETWORKS = {
    "teacher": "multiview",
    "reconstructor": "reconstructor",
    "regressor": "regressor",
    "pixelnerf": "pixelnerf",
    "autoencoder": "autoencoder",
}
# options that name what a run starts from
FOLDERS = ("init", "pairs", "perceptual", "generator", "second_teacher")


def settings_of(options: argparse.Namespace, recipe: Recipe, init: Path | None) -> dict[str, Any]:
    """Everything that decides the weights of a stage (or the pairs), flat: names as ``--set`` knows them."""
    from geco.metrics.lpips import LPIPS
    from geco.recipes.override import OPTIONS
    from geco.training.pairs import pairs_digest
    from geco.training.run_folder import fingerprint

    stage = options.stage
    found: dict[str, Any] = {"stage": stage, "recipe": recipe.name, "precision": recipe.precision}
    found |= _flat(asdict(getattr(recipe, OPTIONS[stage]))) | {"seed": options.seed}
    if stage in NETWORKS:
        found["network"] = asdict(getattr(recipe, NETWORKS[stage]))
    if stage in ("pairs", "stage2"):
        found["resolution"] = recipe.resolution
    if stage == "teacher":
        found["sampling"] = recipe.sampling.to_dict()
    if options.data is not None:
        found["data"] = _shards(options.data)
    if getattr(options, "lpips_weights", None) is not None:
        found["perceptual"] = LPIPS
    if getattr(options, "latents", None) is not None:
        found["latents"] = _shards(options.latents)
    for name in FOLDERS:
        given = init if name == "init" else getattr(options, name, None)
        if given is not None and name == "pairs":
            found[name] = _content(pairs_digest(given if isinstance(given, tuple) else (given,)))
        elif given is not None:
            found[name] = _content(fingerprint(given)) if isinstance(given, Path) else given
    return found


def _flat(values: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Settings inside settings by dotted names."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= _flat(value, f"{before}{name}.") if isinstance(value, dict) else {before + name: value}
    return found


def length_of(recipe: Recipe, stage: Any) -> dict[str, Any]:
    """How the rates of a stage run, and how often it is saved; its budget apart, which the
    command line may overrule.
    """
    found = asdict(recipe.length(stage))
    return {name: value for name, value in found.items() if name not in ("budget_minutes", "steps")}


def free_settings(minutes: float | None, steps: int | None, machine: Machine) -> dict[str, Any]:
    """What may be another when the run goes on."""
    import torch

    where = {"device": str(machine.device), "threads": torch.get_num_threads(), "processes": machine.world}
    return {
        "budget_minutes": minutes,
        "budget_steps": steps,
        **where,
        "geco": __version__,
        "torch": torch.__version__,
    }


def next_step(options: argparse.Namespace) -> str:
    """What the finished run is, and a command that goes on from there; words in capitals are to
    be filled in.
    """
    folder, stage = Path(options.output), options.stage
    here = shlex.quote(str(folder))
    recipe = f"--recipe {shlex.quote(options.recipe)}"
    if stage == "autoencoder":
        use = f"geco distill stage2 {recipe} --pairs PAIRS --init STAGE1_RUN --perceptual {here} -o RUN_DIR"
        return f"{here} holds a perceptual distance: {use}"
    if stage in ("regressor", "pixelnerf") or (
        (folder / MULTIVIEW).exists() and (folder / RECONSTRUCTOR).exists()
    ):
        return f"{here} is a model folder: geco run PICTURE --model {here}"
    data = shlex.quote(str(options.data)) if options.data is not None else "SHARDS"
    if stage == "reconstructor":
        rest = f"geco train teacher {recipe} --data {data} -o TEACHER_RUN"
        return f"{here} holds a reconstructor without a teacher; train one and give it as --init: {rest}"
    rest = f"geco train reconstructor {recipe} --data {data} --init {here} -o RUN_DIR"
    return f"{here} holds views without a reconstructor; train it next: {rest}"


def _shards(folder: Path) -> str:
    """By the index, which holds every shard's hash; trainings put files of their own beside the shards."""
    from geco.data.shards import HELD_OUT

    digest = hashlib.sha256()
    for path in (folder / "index.json", folder / HELD_OUT / "index.json"):
        digest.update(path.read_bytes() if path.is_file() else b"-")
    return _content(digest.hexdigest()[:12])


def _content(digits: str | None) -> str:
    return f"(content {digits})"
