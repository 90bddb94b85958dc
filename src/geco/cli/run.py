"""``geco run``: pictures in, textured meshes out."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geco.choices import sort
from geco.cli import choice_options, run_options
from geco.errors import ConfigError, one_line

if TYPE_CHECKING:
    from geco.many.manifest import Manifest
    from geco.many.pool import Hands


def add(commands: Any) -> None:
    """Add the command with its arguments."""
    run_options.add(commands).set_defaults(function=run)


def run(options: argparse.Namespace) -> int:
    """Plan every output first (so that a bad path costs no work), load the model, then do picture
    by picture.
    """
    # Before numpy is loaded: its products are small here, and threads for them cost 90 ms of CPU time.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from geco.batches import MOST_SAMPLES, bound_of, candidates
    from geco.cli.offer import make_ready
    from geco.cli.pictures import find_pictures
    from geco.cli.plan import first_seeds, plan
    from geco.cli.run_work import Work
    from geco.many.results import Setup

    if not 1 <= options.samples <= MOST_SAMPLES:
        raise ConfigError(f"--samples {options.samples} is out of range", f"Ask for 1 to {MOST_SAMPLES}.")
    asked = sort(choice_options.values(options))
    seeds = first_seeds(options)
    candidates(seeds, options.best_of)
    bound_of(options.max_memory)
    hands = _hands(options)
    found = find_pictures(options.pictures)
    with contextlib.ExitStack() as stack:
        manifest = _manifest(options)
        if manifest is not None:
            stack.enter_context(manifest.held())
        jobs = plan(found.pictures, options, manifest)
        if found.skipped:
            print(f"geco: {one_line(found.note())}", file=sys.stderr)
        make_ready(options.model, options.get, options.quiet, options.device)
        digests = manifest is not None
        setup = Setup(options.model, options.device, options.max_memory, asked, options.overwrite, digests)
        return Work(setup, seeds, jobs, options, manifest).do(hands)


def _hands(options: argparse.Namespace) -> Hands | None:
    """The workers that were asked for; None: this process. Raises ConfigError."""
    if options.workers is None and options.ray is None:
        for name in ("time_limit", "memory"):
            if getattr(options, name) is not None:
                option = f"--{name.replace('_', '-')}"
                raise ConfigError(f"{option} bounds workers, and there are none", "Add --workers N.")
        if options.retry_failed and options.manifest is None:
            raise ConfigError("--retry-failed needs a manifest", "Name it with --manifest.")
        return None
    if options.workers is not None and options.workers < 1:
        raise ConfigError(f"--workers {options.workers}", "Give at least one.")
    from geco.many.pool import Hands
    from geco.processes import MEMORY_GB, SECONDS, Bounds

    seconds = SECONDS if options.time_limit is None else options.time_limit
    memory = MEMORY_GB if options.memory is None else options.memory
    return Hands(options.workers, options.ray, Bounds(seconds, memory))


def _manifest(options: argparse.Namespace) -> Manifest | None:
    """The one that was named; beside the results where workers make them."""
    if options.manifest is None and options.workers is None and options.ray is None:
        return None
    from geco.many.manifest import NAME, Manifest

    if options.manifest is not None:
        if not options.manifest.strip():
            raise ConfigError("the name behind --manifest is empty", "Is a variable of the shell unset?")
        return Manifest(Path(options.manifest))
    output = Path(options.output or ".")
    is_file = output.suffix and not output.is_dir() and not str(options.output).endswith(("/", os.sep))
    return Manifest((output.parent if is_file else output) / NAME)
