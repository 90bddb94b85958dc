"""What ``geco run`` says of each result."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from geco.errors import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from geco.cli.plan import Job
    from geco.many.results import Result, Sample


def doubt(job: Job, result: Result) -> None:
    """One line on standard error where the cut-out is doubtful, also for a quiet run."""
    if result.doubt:
        remedy = "look at it with --save-steps DIR, or give a picture with a transparent background"
        label = one_line(job.picture.label)
        print(f"geco: {label}: the cut-out is doubtful ({result.doubt}); {remedy}", file=sys.stderr)


def sample(job: Job, made: Sample, options: argparse.Namespace) -> None:
    """One line on standard output, for people or for programs."""
    if options.json:
        print(json.dumps(made.line(job.picture.label)), flush=True)
    elif not options.quiet:
        stages = " · ".join(f"{name} {spent:.2f}" for name, spent in made.seconds.items() if name != "total")
        seed = f"seed {made.seed}"
        if "best_of" in made.facts:
            seed += f", best of {len(made.facts['best_of'])} (agreement {made.facts['agreement']:.2f})"
        facts = f"{made.facts['faces']:,} faces  {seed}  {made.seconds['total']:.2f} s"
        print(f"{one_line(str(made.mesh))}  {facts} ({stages})", flush=True)


def failure(problem: str) -> None:
    """One line on standard error."""
    print(f"geco: {one_line(problem)}", file=sys.stderr)


def with_written(problem: str, files: list[Path]) -> str:
    """What went wrong, and which files there are all the same: the samples before the one that failed, or the
    mesh whose turntable failed.
    """
    return f"{problem} Written before that: {', '.join(map(str, files))}" if files else problem
