"""The training loop of the small recipes: time or step budget, two optimisers, moving average, checkpoints, log, picture grids."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from PIL import Image
from torch import Tensor, nn

from geco.files import atomic_path
from geco.training.muon import make_optimizers
from geco.training.state import MovingAverage, global_norm, load_checkpoint, save_checkpoint, step_generator


class Task(Protocol):
    """One stage: what a step's loss is and what to show.

    Attributes:
        network: what is trained.
        adam_names: prefixes of parameters that Muon should leave alone (stems, heads, embeddings).
        batch: samples a step.
    """

    @property
    def network(self) -> nn.Module: ...

    @property
    def adam_names(self) -> tuple[str, ...]: ...

    @property
    def batch(self) -> int: ...

    def loss(self, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """The loss of step ``step`` (its batch follows from the number), and values for the log."""

    def report(self) -> tuple[dict[str, Any], Image.Image | None]:
        """Validation numbers and a picture, with the averaged weights in place."""

    def save_model(self, folder: Path) -> None:
        """Write the network as a model folder, with the averaged weights in place."""


@dataclass(frozen=True)
class LoopOptions:
    """How long and where.

    Attributes:
        folder: the run folder: checkpoint.pt, log.jsonl, grids, and the model folder's files.
        budget_minutes: wall-clock training time, resumed pieces together; the learning rate reaches 0 at its end.
        steps: the same in steps; whichever ends first. One of the two is needed.
        seed: of batches, noise and dropout.
        ema_decay: 0.998, as runs of a few thousand steps are too short for the usual 0.999.
        decay_part: the last part of the budget over which the rates fall linearly to 0 (prototype: a third).
        warmup_steps: linear growth of the rates at the start.
        clip: largest gradient norm (AdamW's part is sensitive to it, Muon's is not).
    """

    folder: Path
    budget_minutes: float | None = None
    steps: int | None = None
    seed: int = 0
    ema_decay: float = 0.998
    decay_part: float = 1 / 3
    warmup_steps: int = 50
    clip: float = 1.0
    checkpoint_minutes: float = 3.0
    report_minutes: float = 10.0
    log_steps: int = 10


def train(task: Task, options: LoopOptions, resume: bool = True) -> MovingAverage:
    """Train until the budget ends; continues from the folder's checkpoint when there is one and ``resume``."""
    return _Loop(task, options).run(resume)


class _Loop:
    def __init__(self, task: Task, options: LoopOptions) -> None:
        self.task, self.options = task, options
        self.step, self.before = 0, 0.0  # steps done; seconds of earlier pieces
        self.parameters = [p for p in task.network.parameters() if p.requires_grad]
        self.optimizers = make_optimizers(task.network, task.adam_names)
        self.rates = [[group["lr"] for group in optimizer.param_groups] for optimizer in self.optimizers]
        self.average = MovingAverage(task.network, options.ema_decay)
        self.checkpoint = options.folder / "checkpoint.pt"
        self.started = time.monotonic()

    def run(self, resume: bool) -> MovingAverage:
        self.options.folder.mkdir(parents=True, exist_ok=True)
        if resume and self.checkpoint.exists():
            self._load()
        self.started = saved = reported = time.monotonic()
        while self.progress < 1:
            self._one_step()
            now = time.monotonic()
            if now - saved > 60 * self.options.checkpoint_minutes:
                self._save()
                saved = now
            if now - reported > 60 * self.options.report_minutes:
                self._report()
                reported = now
        self._save()
        self._report()
        return self.average

    @property
    def elapsed(self) -> float:
        return self.before + time.monotonic() - self.started

    @property
    def progress(self) -> float:
        """0 at the start, 1 at the end of the budget."""
        parts = [0.0]
        if self.options.budget_minutes is not None:
            parts.append(self.elapsed / (60 * self.options.budget_minutes))
        if self.options.steps is not None:
            parts.append(self.step / self.options.steps)
        return max(parts)

    def _one_step(self) -> None:
        began = time.monotonic()
        rate = min(1.0, (self.step + 1) / self.options.warmup_steps, (1 - self.progress) / self.options.decay_part)
        self.task.network.train()
        loss, values = self.task.loss(self.step, step_generator(self.options.seed, self.step))
        loss.backward()
        norm = global_norm(self.parameters)
        torch.nn.utils.clip_grads_with_norm_(self.parameters, self.options.clip, norm)
        for optimizer, rates in zip(self.optimizers, self.rates):
            for group, base in zip(optimizer.param_groups, rates):
                group["lr"] = base * max(rate, 0.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.average.update(self.task.network)
        self.step += 1
        if self.step % self.options.log_steps == 0 or self.step == 1:
            speed = self.task.batch / (time.monotonic() - began)
            self._log({"loss": loss.item(), "norm": norm.item(), "rate": rate, "samples_s": round(speed, 2), **values})

    def _report(self) -> None:
        trained = {name: parameter.detach().clone() for name, parameter in self.task.network.named_parameters()}
        self.average.copy_to(self.task.network)
        self.task.network.eval()
        values, picture = self.task.report()
        self.task.save_model(self.options.folder)
        with torch.no_grad():
            for name, parameter in self.task.network.named_parameters():
                parameter.copy_(trained[name])
        self._log({"report": values})
        if picture is not None:
            with atomic_path(self.options.folder / f"grid_{self.step:06d}.png") as path:
                picture.save(path)

    def _log(self, values: dict[str, Any]) -> None:
        line = {"step": self.step, "samples": self.step * self.task.batch, "elapsed": round(self.elapsed, 1), **values}
        with (self.options.folder / "log.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")

    def _save(self) -> None:
        state = {
            "step": self.step,  # also the data position and the state of the random numbers: both follow from it
            "elapsed": self.elapsed,
            "network": self.task.network.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "average": self.average.state_dict(),
        }
        save_checkpoint(self.checkpoint, state)

    def _load(self) -> None:
        state = load_checkpoint(self.checkpoint)
        self.step, self.before = state["step"], state["elapsed"]
        self.task.network.load_state_dict(state["network"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"]):
            optimizer.load_state_dict(saved)
        self.average.load_state_dict(state["average"])
