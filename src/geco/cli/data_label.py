"""``geco data label``: what a reconstructor of the small family learns from, beside its shards."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from geco.errors import ConfigError


def add(commands: Any) -> None:
    """Add the command's arguments."""
    command: argparse.ArgumentParser = commands.add_parser(
        "label",
        help="label points of space beside shards, for training a reconstructor",
        description="Read the depth maps of SHARDS (views grid-targets and grid-extra) and write labelled "
        "points and coloured surface points beside each shard. geco train does it by itself where it is not "
        "done. A stopped run goes on: shards that are labelled are left as they are.",
        epilog="Example: geco data label shards --workers 4",
    )
    command.add_argument("shards", type=Path, metavar="SHARDS", help="a folder made by geco data render")
    command.add_argument(
        "--seed", type=int, default=0, metavar="S", help="of the points (default: 0, which geco train takes)"
    )
    command.add_argument("--workers", type=int, metavar="N", help="processes (default: one a core)")
    command.set_defaults(function=label)


def label(options: argparse.Namespace) -> int:
    """Label what is not labelled yet, the held-out shards in the folder too."""
    from tqdm import tqdm

    from geco.data.labels.shards import label_shards, unlabelled
    from geco.data.shards import HELD_OUT

    if options.seed < 0:
        raise ConfigError(f"--seed {options.seed} is below 0", "Give a number of at least 0.")
    workers = (os.cpu_count() or 1) if options.workers is None else options.workers
    if workers < 1:
        raise ConfigError(f"--workers {workers}", "Give a number of at least one.")
    folders = [options.shards]
    if (options.shards / HELD_OUT).exists():
        folders.append(options.shards / HELD_OUT)
    pending = {folder: unlabelled(folder, options.seed) for folder in folders}
    todo = sum(map(len, pending.values()))
    with tqdm(total=todo, unit="shard", disable=not sys.stderr.isatty()) as bar:
        for folder in folders:
            label_shards(folder, options.seed, lambda shard: bar.update(), workers)
    for folder, shards in pending.items():
        print(f"{folder}: {len(shards)} shards labelled")
    return 0
