"""Stages at tiny width for several processes: ``python -m tests.training.cluster KIND ROOM RUN OPTIONS``.

OPTIONS is JSON: steps, accumulate, parallel, set (numbers of the stage), and what happens to a process once:
``kill`` [rank, micro-batch] or ``kill_writing`` [rank, step].
"""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from geco.metrics.pyramid import PYRAMID
from geco.recipes.find import find_recipe
from geco.training import family
from geco.training.full_family import FULL
from geco.training.inputs import Inputs
from geco.training.loop import LoopOptions, train
from geco.training.machine import Machine
from geco.training.run_folder import claimed
from geco.training.small_family import SMALL
from geco.training.task import Part, Task

STAGES = {"small": "stage1", "full": "stage1", "stage2": "stage2"}


def make(kind: str, room: Path, machine: Machine, numbers: dict[str, Any]) -> Task:
    """Stage I of either family, or Stage II of the full one, from a room of :func:`full_room` or
    :func:`small_room`.
    """
    recipe = find_recipe(str(room / "recipe.py")) if kind != "small" else find_recipe("tiny")
    inputs = Inputs(machine, room / "shards", room / "init", seed=3, resolution=recipe.resolution)
    if kind == "stage2":
        inputs = replace(inputs, init=room / "one", pairs=room / "pairs", perceptual=PYRAMID)
        return family.stage2(FULL, replace(recipe.stage2, **numbers), inputs)
    options = replace(recipe.stage1, parallel=machine.parallel, held_out=0, **numbers)
    return family.stage1(SMALL if kind == "small" else FULL, options, inputs)


def once(run: Path) -> bool:
    """Whether it is the first time that this is asked of a run."""
    try:
        (run.parent / f"{run.name}.killed").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fated(part: Part, at: int, run: Path) -> Part:
    """The part, whose micro-batch ``at`` kills its process, once."""
    loss = part.loss

    def deadly(index: int, rng: Any) -> Any:
        if index == at and once(run):
            die()
        return loss(index, rng)

    return replace(part, loss=deadly)


def dies_writing(run: Path, at: int) -> None:
    """The process ends after it has written its pieces of step ``at``'s checkpoint, once."""
    import torch.distributed.checkpoint as dcp

    write = dcp.FileSystemWriter.write_data

    def deadly(self: Any, plan: Any, planner: Any) -> Any:
        found = write(self, plan, planner)
        found.wait()
        if json.loads((run / ".checkpoint.part" / "facts.json").read_text())["step"] == at and once(run):
            die()
        return found

    dcp.FileSystemWriter.write_data = deadly


def main(kind: str, room: Path, run: Path, asked: dict[str, Any]) -> None:
    machine = Machine(device="cpu", threads=1, parallel=asked.get("parallel", "ddp"))
    settings: dict[str, Any] = {"kind": kind}
    loop = LoopOptions(
        run,
        steps=asked["steps"],
        accumulate=asked.get("accumulate", 4),
        decay_part=0.0,
        warmup_steps=1,
        log_steps=1,
        checkpoint_minutes=0.0 if asked.get("often") else 60,
        settings=settings,
    )
    rank, at = asked.get("kill", (-1, 0))
    writer, step = asked.get("kill_writing", (-1, 0))
    if writer == machine.rank:
        dies_writing(run, step)
    task = make(kind, room, machine, asked.get("set", {}))
    if rank == machine.rank:
        parts = task.parts()
        task.parts = lambda: [*parts[:-1], fated(parts[-1], at, run)]  # type: ignore[method-assign]
    if machine.leads:
        with claimed(run, settings, resume=True):
            train(task, loop, machine, quiet=True)
    else:
        train(task, loop, machine, quiet=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), json.loads(sys.argv[4]))
