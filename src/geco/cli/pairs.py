"""``geco distill pairs``: options of its own, its work by one process or several, and views of a generator
stored with pairs that are there.
"""

from __future__ import annotations

import argparse
import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geco.errors import ConfigError

if TYPE_CHECKING:
    from geco.training.pair_work import Made

GB = 10**9
MADE_FROM = ("init", "data", "generator", "resolution")  # of what a run depends on: pairs.json has it too
YEAR = 365 * 86_400.0  # seconds: a worker's one job is all there is


def add_options(command: argparse.ArgumentParser) -> None:
    """Options of pairs alone."""
    argument = command.add_argument
    argument("--count", type=int, help="pairs (default: the recipe's)")
    first = "number of the first pair (default: 0), where several folders shall hold different ones"
    argument("--first", type=int, default=0, metavar="N", help=first)
    argument("--steps", type=int, help="of the teacher (default: the recipe's)")
    own = "Stage I's run: pairs of its own samples, which the teacher refines, instead of the teacher's"
    argument("--generator", type=Path, metavar="DIR", help=f"{own}; its views are stored with them")
    true = "reconstruct the data's own six views instead (small family)"
    argument("--true-views", action="store_true", help=true)
    views = "Stage I's run: store its views of all pairs in RUN_DIR, so that Stage II does not run it"
    argument("--add-generator-views", type=Path, metavar="DIR", help=views)
    many = "processes (default: 1); more may be started anywhere that sees RUN_DIR, by the same command"
    argument("--workers", type=int, default=1, metavar="N", help=many)
    disk = "stop before RUN_DIR takes more; the same command with more goes on"
    argument("--disk-budget", type=float, metavar="GB", help=disk)


def make(options: argparse.Namespace) -> int:
    """The pairs, or a generator's views of them."""
    for name, least in (("first", 0), ("workers", 1), ("count", 1)):
        if (value := getattr(options, name)) is not None and value < least:
            raise ConfigError(f"--{name} {value}", f"Give a number of at least {least}.")
    if options.disk_budget is not None and not options.disk_budget > 0:
        raise ConfigError(f"--disk-budget {options.disk_budget}", "Give gigabytes, more than 0.")
    if options.workers > 1:
        return _by_many(options)
    if options.add_generator_views is not None:
        return _add_views(options)
    made, leads = made_by_one(options)
    if leads:
        _tell(options, made)
    return 0


def made_by_one(options: argparse.Namespace, shown: bool = True) -> tuple[Made, bool]:
    """This process' part of the pairs; what the folder holds at the end, and whether it speaks for all."""
    from geco.cli.stages import check, inputs_of, local_model, pair_maker, read_recipe
    from geco.cli.train_run import settings_of
    from geco.training.machine import Machine
    from geco.training.pair_work import Bounds, foretold, make_pairs
    from geco.training.run_folder import joined

    init = local_model(options.init)
    recipe, overrides = read_recipe(options)
    check(options, init)
    settings = settings_of(options, recipe, init) | {"true_views": options.true_views}
    machine = Machine("no", options.device)
    numbers = range(options.first, options.first + recipe.pair_count)
    about = {name: settings[name] for name in MADE_FROM if name in settings}
    budget = None if options.disk_budget is None else round(options.disk_budget * GB)
    with joined(options.output, settings, begun_with="pairs.json"):
        if machine.leads and shown:
            print(foretold(recipe.pairs, numbers, options.output), flush=True)
        maker = pair_maker(recipe, inputs_of(options, recipe, overrides, init, machine))
        bounds = Bounds(budget, shown and machine.leads)
        made = make_pairs(replace(maker, about=about), recipe.pairs, numbers, options.output, bounds)
    if options.generator is not None and not made.full:
        _stored(options, options.generator, machine)
    machine.wait()
    return made, machine.leads


def _add_views(options: argparse.Namespace) -> int:
    from geco.training.machine import Machine

    given = [name for name in ("init", "data", "generator", "true_views") if getattr(options, name)]
    if given:
        raise ConfigError(
            f"--add-generator-views reads nothing but RUN_DIR and the generator; --{given[0]} is given",
            "Make the pairs first, then give --add-generator-views alone.",
        )
    machine = Machine("no", options.device)
    stored = _stored(options, options.add_generator_views, machine)
    machine.wait()
    if machine.leads:
        print(f"{options.output}: {stored} pairs with views of {options.add_generator_views}")
    return 0


def _stored(options: argparse.Namespace, run: Path, machine: Any) -> int:
    """Store the generator's views; how many pairs have them then."""
    from geco.cli.stages import family_of, local_model
    from geco.training.pair_views import add_views

    folder = local_model(run)
    assert folder is not None
    return add_views(family_of(folder), folder, options.output, machine, options.latents)


def _tell(options: argparse.Namespace, made: Made) -> None:
    line = f"{options.output}: {made.pairs} pairs, {made.empty} without a surface, {made.size / GB:.3g} GB"
    if made.full:
        line += f"; stopped at --disk-budget {options.disk_budget:g}: the same command with more goes on"
    print(line)


def _by_many(options: argparse.Namespace) -> int:
    """Several processes on this machine; each CUDA device is shared by as few as can be."""
    from geco.processes import Bounds, Workers

    places = _places(options.device, options.workers)
    jobs = []
    for number, place in enumerate(places):
        mine = copy.copy(options)
        mine.workers, mine.device = 1, place
        jobs.append((f"worker {number + 1}", (mine, number == 0)))
    with Workers(_work, options.workers, Bounds(seconds=YEAR, memory_gb=0)) as workers:
        outcomes = list(workers.run(jobs))
    if failed := [outcome for outcome in outcomes if outcome.reason is not None]:
        raise ConfigError(
            f"{failed[0].key} ended: {failed[0].message or failed[0].reason}",
            "Give the command again: what is there is kept.",
        )
    if options.add_generator_views is None:
        _tell(options, outcomes[0].value)
    return 0


def _work(job: tuple[argparse.Namespace, bool]) -> Made | None:
    """What each of several processes does."""
    options, shown = job
    if options.add_generator_views is not None:
        _add_views(options)
        return None
    return made_by_one(options, shown)[0]


def _places(device: str | None, workers: int) -> list[str | None]:
    """A device for each process."""
    if device not in (None, "cuda"):
        return [device] * workers
    import torch

    cards = torch.cuda.device_count()
    return [f"cuda:{number % cards}" if cards else device for number in range(workers)]
