"""``geco train`` and ``geco distill``: every stage of GECO by one command, resumable, with a budget."""

from __future__ import annotations

import argparse
import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geco.cli import pairs, rehearse
from geco.cli.model_options import NAMES

if TYPE_CHECKING:
    pass

TRAIN = {
    "teacher": "the multi-view diffusion model, from condition pictures and their six views",
    "reconstructor": "six views to a surface, from views and labelled points; --init carries the teacher "
    "along",
    "regressor": "one picture to a surface, deterministic: the baseline (LRM, TripoSR kind)",
    "pixelnerf": "one or several pictures to a radiance field, deterministic: the other baseline",
    "autoencoder": "the features of a perceptual distance for stage2, where LPIPS' weights cannot be had; "
    "no generator",
}
DISTILL = {
    "stage1": "the teacher in --init to a one-step generator (VSD), from condition pictures; --pairs if "
    "the recipe asks for them",
    "pairs": "the teacher's pseudo ground truth for Stage II: views, reconstruction, renders",
    "stage2": "the reconstructor in --init fine-tuned on its generator's views and the teacher's --pairs",
}
OUTPUTS = {"pairs": "becomes a folder of pairs", "autoencoder": "holds the distance; no model for geco run"}


def add(commands: Any) -> None:
    """Add ``geco train`` and ``geco distill`` with a command a stage."""
    from geco.cli import train_pack

    for name, stages, text in (
        ("train", TRAIN, "train a stage from data"),
        ("distill", DISTILL, "distill a teacher"),
    ):
        command: argparse.ArgumentParser = commands.add_parser(name, help=text)
        inner = command.add_subparsers(dest="stage", metavar="STAGE", required=True)
        for stage, about in stages.items():
            _add_stage(inner, stage, about)
        if name == "train":
            train_pack.add(inner)


def _add_stage(commands: Any, stage: str, about: str) -> None:
    command: argparse.ArgumentParser = commands.add_parser(stage, help=about, description=about)
    add_argument = command.add_argument
    add_argument(
        "--recipe",
        default="small",
        help="one of geco recipes, or a .py file with recipe() (default: small)",
    )
    add_argument("--data", type=Path, metavar="SHARDS", help="made by geco data render")
    becomes = OUTPUTS.get(stage, "becomes a model folder")
    add_argument("-o", "--output", type=Path, required=True, metavar="RUN_DIR", help=becomes)
    add_argument("--init", type=Path, metavar="NAME|DIR", help=f"to start from: {NAMES}")
    add_argument("--seed", type=int, default=0)
    another = "a number of the stage other than the recipe's, e.g. batch=4; repeatable"
    add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help=another)
    add_argument("--device", help="cpu, cuda, cuda:1, mps; left out: what is there")
    if stage in ("stage1", "pairs"):
        kept = "of the condition pictures, made by geco data encode (full family): less memory, less work"
        add_argument("--latents", type=Path, metavar="DIR", help=kept)
    if stage == "pairs":
        pairs.add_options(command)
        _add_dry(command)
        command.set_defaults(function=make)
        return
    if stage in ("stage1", "stage2"):
        what = "" if stage == "stage2" else ", for regression_steps and adversarial_weight"
        text = f"made by geco distill pairs; several as one: A,B{what}"
        add_argument("--pairs", type=_folders, required=not what, metavar="DIR", help=text)
    if stage == "stage1":
        second = "scores every view by itself, for second_weight: a small teacher with multiview.apart, or a "
        second += "folder of Stable Diffusion 2 (full family)"
        add_argument("--second-teacher", type=Path, metavar="DIR", help=second)
    if stage == "stage2":
        add_argument(
            "--perceptual",
            type=_distance,
            metavar="DIR|pyramid",
            help="run of geco train autoencoder: compare by its features; pyramid: without trained weights "
            "(default: small models pyramid, full ones LPIPS, as the paper)",
        )
        weights = "VGG16: compare by LPIPS, either family (default: cache, network)"
        add_argument("--lpips-weights", type=Path, metavar="DIR", help=weights)
    _add_run(command)


def _add_run(command: argparse.ArgumentParser) -> None:
    """How long a training goes on, and where it is computed."""
    add_argument = command.add_argument
    add_argument("--resume", action="store_true", help="continue the run in RUN_DIR from its checkpoint")
    minutes = "wall-clock minutes, resumed pieces together"
    add_argument("--budget-minutes", type=float, metavar="N", help=minutes)
    add_argument("--steps", type=int, metavar="N", help="steps instead of minutes")
    part = "of the end over which the rates fall to 0; 0 keeps them, for a run that is to be prolonged"
    add_argument("--decay-part", type=float, metavar="P", help=f"part {part} (default: the recipe's)")
    _add_dry(command)
    add_argument("--threads", type=int, help="of the CPU")
    compiles = "compile the teacher's network first (minutes): more samples a second, mostly on a GPU"
    add_argument("--compile", action="store_true", help=compiles)
    add_argument("--tensorboard", action="store_true", help="write TensorBoard's files too (extra train)")
    command.set_defaults(function=run)


def _add_dry(command: argparse.ArgumentParser) -> None:
    """What it would take."""
    dry = "what it takes, nothing kept: small family two real steps; full one on fake tensors, nothing loaded"
    command.add_argument("--dry-run", action="store_true", help=dry)
    memory = "of the card, for --dry-run, which refuses what does not fit (default: the card's that is here)"
    command.add_argument("--max-memory", metavar="SIZE", help=memory)


def _folders(text: str) -> Path | tuple[Path, ...]:
    """One folder, or several between commas."""
    if "," not in text or Path(text).exists():
        return Path(text)
    return tuple(Path(part) for part in text.split(","))


def _distance(text: str) -> Path | str:
    """The word, or a folder (one of that name: ./pyramid)."""
    return text if text == "pyramid" else Path(text)


def run(options: argparse.Namespace) -> int:
    """One stage to its end."""
    _need_torch()
    from geco.cli.stages import build, check, inputs_of, is_full, local_model, read_recipe
    from geco.cli.train_run import free_settings, length_of, next_step, settings_of
    from geco.training.loop import LoopOptions, train
    from geco.training.machine import Machine
    from geco.training.run_folder import claimed

    init = local_model(options.init)
    recipe, overrides = read_recipe(options)
    length = recipe.length(options.stage)
    if options.decay_part is not None:
        length = replace(length, decay_part=options.decay_part)
        recipe = replace(recipe, lengths={**recipe.lengths, options.stage: length})
    minutes, steps = options.budget_minutes, options.steps
    if minutes is None and steps is None:
        minutes, steps = length.budget_minutes, length.steps
    check(options, init)
    if options.dry_run and is_full(options.stage, init):
        return rehearse.foreseen(options, recipe, init)
    parallel = recipe.stage1.parallel if options.stage == "stage1" else "ddp"
    machine = Machine(recipe.precision, options.device, options.threads, options.compile, parallel)
    machine.share(length.accumulate)  # an uneven one is refused before anything is loaded
    settings = settings_of(options, recipe, init)
    everything = settings | length_of(recipe, options.stage) | free_settings(minutes, steps, machine)
    keeps = machine.leads and not options.dry_run
    with claimed(options.output, everything, options.resume) if keeps else contextlib.nullcontext():
        machine.wait()  # a folder that is refused costs no process its loading
        task = build(options.stage, recipe, inputs_of(options, recipe, overrides, init, machine))
        loop = LoopOptions(
            options.output,
            minutes,
            steps,
            seed=options.seed,
            accumulate=length.accumulate,
            decay_part=length.decay_part,
            warmup_steps=length.warmup_steps,
            checkpoint_minutes=length.checkpoint_minutes,
            tensorboard=options.tensorboard,
            settings=settings,
        )
        if options.dry_run:
            print(rehearse.steps(task, loop, machine))
            return 0
        train(task, loop, machine, resume=options.resume)
    if machine.leads:
        print(next_step(options))
    return 0


def make(options: argparse.Namespace) -> int:
    """The pairs."""
    _need_torch()
    return rehearse.pairs(options) if options.dry_run else pairs.make(options)


def _need_torch() -> None:
    from geco.errors import MissingExtraError

    try:
        import accelerate  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("torch", "train", "training") from error
