"""``--dry-run`` of a training: two real steps or, at full size, what it takes before anything is loaded."""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geco.recipes.recipe import Recipe
    from geco.rehearsal.account import Account
    from geco.training.machine import Machine
    from geco.training.task import Task

STEPS = 2


def foreseen(options: argparse.Namespace, recipe: Recipe, init: Path | None) -> int:
    """Print what a stage of the full family takes; an error with a recipe that fits where it does not fit."""
    from geco.rehearsal.fits import described, refuse_misfit
    from geco.rehearsal.networks import networks_of
    from geco.rehearsal.stages import foresee

    memory = _memory(options)
    networks, latents = networks_of(init), getattr(options, "latents", None) is not None
    stage = options.stage

    def ask(name: str) -> Account:
        from geco.recipes.find import find_recipe

        return foresee(stage, find_recipe(name), networks, latents)

    account = foresee(stage, recipe, networks, latents)
    print("\n".join(described(account, f"dry run: {stage} by recipe {recipe.name}")), flush=True)
    if memory:
        refuse_misfit(recipe.name, stage, account, memory, ask)
    return 0


def pairs(options: argparse.Namespace) -> int:
    """As :func:`foreseen`, of pairs."""
    from geco.cli.stages import check, is_full, local_model, read_recipe
    from geco.errors import ConfigError

    init = local_model(options.init)
    recipe, _ = read_recipe(options)
    check(options, init)
    if not is_full(options.stage, init):
        raise ConfigError("--dry-run of pairs is for the full family", "Leave it out.")
    return foreseen(options, recipe, init)


def _memory(options: argparse.Namespace) -> int | None:
    """Bytes of the card: as asked, or of the one that would be trained on."""
    from geco.memory import size_of

    if options.max_memory:
        return size_of(options.max_memory)
    import torch

    from geco.training.machine import training_device

    place = training_device(options.device, 1)
    return torch.cuda.get_device_properties(place).total_memory if place.type == "cuda" else None


def steps(task: Task, loop: Any, machine: Machine) -> str:
    """Two steps in a folder that is thrown away; what the whole would take."""
    from geco.training.loop import train

    with tempfile.TemporaryDirectory() as folder:
        short = replace(
            loop, folder=Path(folder), budget_minutes=None, steps=STEPS, warmup_steps=1, tensorboard=False
        )
        began = time.monotonic()
        train(task, short, machine, resume=False, quiet=True)
        seconds = (time.monotonic() - began) / STEPS
    samples = task.batch * loop.accumulate
    memory = f"peak memory {machine.peak_memory() / 2**20:.0f} MiB"
    lines = [f"dry run: {seconds:.2f} s a step of {samples} samples (report included), {memory}"]
    if loop.steps is not None:
        lines.append(f"{loop.steps} steps would take about {loop.steps * seconds / 60:.0f} minutes")
    if loop.budget_minutes is not None:
        lines.append(
            f"{loop.budget_minutes:g} minutes would be about {loop.budget_minutes * 60 / seconds:.0f} steps"
        )
    return "\n".join(lines)
