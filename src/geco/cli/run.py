"""``geco run``: pictures in, textured meshes out."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geco.choices import choice, sort
from geco.cli import choice_options, progress, run_options
from geco.cli.ahead import Ahead
from geco.cli.ending import LOWER
from geco.errors import ConfigError, GecoError, one_line
from geco.marks import mark_text
from geco.memory import device_peak, is_shortage, peak, shortage

if TYPE_CHECKING:
    from geco.asset import Asset
    from geco.choices import Asked
    from geco.cli.plan import Job
    from geco.outputs import Output
    from geco.pipeline import GecoPipeline
    from geco.seen import Seen, Views


def add(commands: Any) -> None:
    """Add the command with its arguments."""
    run_options.add(commands).set_defaults(function=run)


def run(options: argparse.Namespace) -> int:
    """Plan every output first (so that a bad path costs no work), load the model, then do picture
    by picture.
    """
    # Before numpy is loaded: its products are small here, and threads for them cost 90 ms of CPU time.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from geco.batches import MOST_SAMPLES, bound_of, check_seeds
    from geco.cli.offer import make_ready
    from geco.cli.pictures import find_pictures
    from geco.cli.plan import plan
    from geco.pipeline import GecoPipeline

    if not 1 <= options.samples <= MOST_SAMPLES:
        raise ConfigError(f"--samples {options.samples} is out of range", f"Ask for 1 to {MOST_SAMPLES}.")
    check_seeds(range(options.seed, options.seed + options.samples))
    asked = sort(choice_options.values(options))
    bound_of(options.max_memory)
    found = find_pictures(options.pictures)
    jobs = plan(found.pictures, options)
    if found.skipped:
        print(f"geco: {one_line(found.note())}", file=sys.stderr)

    make_ready(options.model, options.get, options.quiet, options.device)
    pipeline = GecoPipeline.from_pretrained(options.model, options.device, options.max_memory)
    work = _Work(pipeline, asked, options, jobs)
    failures = made = 0
    for job in progress.pictures(jobs, options.quiet):
        files: list[Path] = []
        try:
            _one(work, job, files)
        except Exception as error:
            ours = _ours(error)
            if ours is None:
                raise
            if files:  # the samples before the one that failed, or the mesh whose turntable failed
                ours.args = (f"{ours} Written before that: {', '.join(map(str, files))}",)
            if options.debug or len(jobs) == 1:
                raise ours from error
            failures += 1
            print(f"geco: {one_line(str(ours))}", file=sys.stderr)
        finally:
            work.on_step.close()
            made += sum(path.suffix.lower().removeprefix(".") in choice("format").values for path in files)
    if not options.quiet and len(jobs) > 1:
        print(f"{made} written, {failures} of {len(jobs)} pictures failed", file=sys.stderr)
    return 2 if failures else 0


def _ours(error: Exception) -> GecoError | None:
    """The error of one picture that the others need not suffer from: one of ours, or too little
    memory for this one.
    """
    if is_shortage(error):
        return shortage(error, LOWER["run"])
    return error if isinstance(error, GecoError) else None


class _Work:
    """What all pictures of a run have in common."""

    def __init__(
        self,
        pipeline: GecoPipeline,
        asked: Asked,
        options: argparse.Namespace,
        jobs: list[Job],
    ) -> None:
        self.pipeline, self.asked, self.options = pipeline, asked, options
        self.on_step = progress.Steps(options.quiet)
        sampling = pipeline.sampling(**asked.views.asked)
        at_once = pipeline.at_once(asked.mesh, sampling)
        self.ahead = Ahead(pipeline, jobs, asked.picture["cutout"], sampling, self.on_step, at_once)


def _one(work: _Work, job: Job, files: list[Path]) -> None:
    """All samples of one picture, each saved before it is reported; ``files`` collects what was written."""
    options = work.options
    seen, drawn = work.ahead.of(job)
    _warn(job, seen)
    written = [] if job.steps is None else seen.save_steps(job.steps)
    files += written
    for number, (output, views) in enumerate(zip(job.outputs, drawn)):
        if job.steps is not None:
            path = job.steps / f"views-{number}.png"
            views.save(path, "step")
            written.append(path)
            files.append(path)
        asset = work.pipeline.finish(views, seen, work.asked.mesh)
        for path in _save(asset, views, output, job, work.asked.file):
            written.append(path)
            files.append(path)
        _report(job, output, asset, written, options)
        written = []


def _warn(job: Job, seen: Seen) -> None:
    """One line on standard error where the cut-out is doubtful, also for a quiet run."""
    doubt = seen.facts.get("cutout_doubt")
    if doubt:
        remedy = "look at it with --save-steps DIR, or give a picture with a transparent background"
        print(
            f"geco: {one_line(job.picture.label)}: the cut-out is doubtful ({doubt}); {remedy}",
            file=sys.stderr,
        )


def _save(asset: Asset, views: Views, output: Output, job: Job, file: dict[str, Any]) -> Iterator[Path]:
    """Write the files of one sample, each after a last look at what is there; yields them as they
    are done.
    """
    start = time.perf_counter()
    job.check([output.mesh])
    yield from asset.save(output.mesh, **file)
    asset.timings["save"] = time.perf_counter() - start
    asset.timings["total"] += asset.timings["save"]
    if output.views is not None:
        job.check([output.views])
        views.save(output.views)
        yield output.views
    if output.turntable is not None:
        from geco.render.turntable import save_turntable

        job.check([output.turntable])
        save_turntable(asset.mesh, output.turntable, mark=mark_text("turntable", asset.source))
        yield output.turntable


def _report(job: Job, output: Output, asset: Asset, files: list[Path], options: argparse.Namespace) -> None:
    if options.json:
        line = {
            "picture": job.picture.label,
            "output": str(output.mesh),
            "files": [str(path) for path in files],
            "seed": asset.seed,
            "model": asset.model,
            "peak_memory": {"host_bytes": peak(), "device_bytes": device_peak()},
            "timings": {name: round(seconds, 4) for name, seconds in asset.timings.items()},
            **asset.facts,
        }
        print(json.dumps(line), flush=True)
    elif not options.quiet:
        stages = " · ".join(
            f"{name} {seconds:.2f}" for name, seconds in asset.timings.items() if name != "total"
        )
        facts = f"{asset.facts['faces']:,} faces  seed {asset.seed}  {asset.timings['total']:.2f} s"
        print(f"{one_line(str(output.mesh))}  {facts} ({stages})", flush=True)
