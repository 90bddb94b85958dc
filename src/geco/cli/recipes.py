"""``geco recipes``: every recipe in a line, and what one takes of a card before anything is loaded."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geco.rehearsal.account import Account

STAGES = ("stage1", "pairs", "stage2")


def add(commands: Any) -> None:
    """Add the command's arguments."""
    command: argparse.ArgumentParser = commands.add_parser(
        "recipes",
        help="what there is to train by, and what it takes of a card",
        description="Without a name every recipe in a line. With names: what the stages of the full family "
        "take of a card by them, counted on fake tensors: nothing is loaded, half a minute a stage.",
        epilog="Example: geco recipes card24 --stage stage1 --set batch=2 --max-memory 24GiB",
    )
    command.add_argument("names", nargs="*", metavar="NAME", help="of a recipe, or a .py file with recipe()")
    command.add_argument("--stage", choices=STAGES, help="only this one (default: all)")
    another = "a number of the stage other than the recipe's, e.g. batch=4; repeatable; needs --stage"
    command.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help=another)
    with_latents = "Stage I from latents, as geco data encode makes them"
    command.add_argument("--latents", action="store_true", help=with_latents)
    command.add_argument(
        "--max-memory", metavar="SIZE", help="of the card, e.g. 24GiB: refuse what does not fit"
    )
    command.add_argument("--json", action="store_true", help="one JSON object a recipe and stage instead")
    command.set_defaults(function=recipes)


def recipes(options: argparse.Namespace) -> int:
    """List, or simulate."""
    from geco.errors import ConfigError, MissingExtraError

    try:
        import accelerate  # noqa: F401
        import diffusers  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(str(error.name), "train", "geco recipes") from error
    from geco.recipes.find import RECIPES

    if options.set and not options.stage:
        raise ConfigError("--set is of one stage", f"Add --stage and one of: {', '.join(STAGES)}.")
    if not options.names:
        if options.set or options.max_memory or options.json:
            raise ConfigError("no recipe was named", f"Known: {', '.join(RECIPES)}.")
        for name, recipe in RECIPES.items():
            print(f"{name:12} {(recipe.__doc__ or '').strip().splitlines()[0]}")
        return 0
    for name in options.names:
        for stage in (options.stage,) if options.stage else STAGES:
            _show(name, stage, options)
    return 0


def _show(name: str, stage: str, options: argparse.Namespace) -> None:
    """One recipe's stage; what does not fit is an error."""
    from geco.memory import size_of
    from geco.recipes.find import find_recipe
    from geco.recipes.override import override
    from geco.rehearsal.fits import described, refuse_misfit
    from geco.rehearsal.networks import networks_of
    from geco.rehearsal.stages import foresee

    memory = size_of(options.max_memory) if options.max_memory else None
    networks = networks_of(None)

    def ask(other: str) -> Account:
        return foresee(stage, override(find_recipe(other), stage, options.set)[0], networks, options.latents)

    account = ask(name)
    if options.json:
        print(json.dumps({"recipe": name, "stage": stage, **_plain(account)}), flush=True)
    else:
        print("\n".join(described(account, f"{stage} by recipe {name}")), flush=True)
    if memory:
        refuse_misfit(name, stage, account, memory, ask)


def _plain(account: Account) -> dict[str, Any]:
    return {**asdict(account), "peak": account.peak, "needed": account.needed}
