"""The one training loop: any stage, any machine; budget in minutes or steps, checkpoints, log, pictures,
resume.

A step is ``accumulate`` micro-batches, numbered through the whole run and shared out over the processes; what
is random in one follows from (seed, number), never from who computes it. So a killed run that is started
again repeats exactly what the first would have done (bit for bit on the CPU, with a budget in steps: with one
in minutes the learning rate follows the clock), and any number of processes takes the same steps, but for the
rounding of sums.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor

from geco.files import sweep_below, writing
from geco.training.average import MovingAverage
from geco.training.checkpoints import Checkpoints
from geco.training.gradients import clip, step, sum_gradients
from geco.training.loop_options import LoopOptions
from geco.training.machine import Machine
from geco.training.record import Record
from geco.training.run_folder import agree, plain
from geco.training.state import rng_of
from geco.training.task import Task
from geco.training.totals import Totals, describe, mean_values

__all__ = ["LoopOptions", "train"]

Values = dict[str, list[float | Tensor]]  # of one step: one entry a micro-batch


def train(
    task: Task, options: LoopOptions, machine: Machine | None = None, resume: bool = True, quiet: bool = False
) -> None:
    """Train until the budget ends; continues from the folder's checkpoint when there is one and ``resume``.

    Raises:
        OutputError: the run folder cannot be written. WeightsError: the checkpoint is broken or of another
            stage.
        ConfigError: the checkpoint was begun with another seed or other settings.
    """
    _Loop(task, options, machine or Machine(device="cpu"), quiet).run(resume)


class _Loop:
    def __init__(self, task: Task, options: LoopOptions, machine: Machine, quiet: bool) -> None:
        self.task, self.options, self.machine, self.quiet = task, options, machine, quiet
        self.parts = list(task.parts())
        self.rates = [
            [[group["lr"] for group in optimizer.param_groups] for optimizer in part.optimizers]
            for part in self.parts
        ]
        self.averages = [
            MovingAverage(part.network, part.average, part.average_on) if part.average else None
            for part in self.parts
        ]
        self.step, self.before = 0, 0.0  # steps done; seconds of earlier pieces
        self.samples = task.batch * options.accumulate  # a step, of all processes
        self.mine = [machine.share(options.accumulate * part.pieces) for part in self.parts]
        self.totals = Totals()
        self.checkpoints = Checkpoints(options.folder, machine, self.parts, self.averages)
        self.record = Record(options.folder, machine.leads, quiet, options.tensorboard)
        self.started = time.monotonic()

    def run(self, resume: bool) -> None:
        with writing(self.options.folder):
            self.options.folder.mkdir(parents=True, exist_ok=True)
        if self.machine.leads:
            sweep_below(self.options.folder)
        if resume and self.checkpoints.exist:
            self._load()
        self.record.resume(self.step)
        self.started = saved = reported = time.monotonic()
        while (progress := self.machine.agree(self.progress)) < 1:
            self._one_step(progress)
            now = self.machine.agree(time.monotonic())
            if now - saved > 60 * self.options.checkpoint_minutes:
                self._save()
                saved = now
            if now - reported > 60 * self.options.report_minutes:
                if not self.checkpoints.exist:
                    self._save()  # a model without one could not be told from somebody else's
                self._report()
                reported = now
        self._save()
        self._report()
        self.record.close()
        if self.machine.leads and not self.quiet:
            print(describe(self.totals.facts(self.elapsed)), flush=True)

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

    def _one_step(self, progress: float) -> None:
        began = time.monotonic()
        rate = min(1.0, (self.step + 1) / self.options.warmup_steps)
        if self.options.decay_part:
            rate = min(rate, (1 - progress) / self.options.decay_part)
        values: Values = {}
        for index, part in enumerate(self.parts):
            for turn in range(part.repeats):
                found = self._update(index, turn, max(rate, 0.0))
            prefix = f"{part.name}_" if len(self.parts) > 1 else ""
            values |= {prefix + name: value for name, value in found.items()}
        self.step += 1
        logs = self.step % self.options.log_steps == 0 or self.step == 1
        plain_values = self._means(values) if logs else {}  # waits for the device
        self.totals.add(self.samples, time.monotonic() - began)
        if logs:
            line = {"step": self.step, "samples": self.totals.samples, "elapsed": round(self.elapsed, 1)}
            facts = {"rate": round(rate, 6), "samples_s": round(self.totals.samples_a_second(), 2)}
            self.record.step(line | plain_values | facts, progress, self.elapsed)

    def _means(self, values: Values) -> dict[str, float]:
        """Means over the micro-batches of all processes, for the log. One that had no sample to take a value
        from (NaN) is left out, a loss never.
        """
        plain_values = {name: [float(value) for value in found] for name, found in values.items()}
        return mean_values(self.machine.gathered(plain_values))

    def _update(self, index: int, turn: int, rate: float) -> Values:
        """One update of one part; of this process's micro-batches the losses and values, and the gradient's
        norm.
        """
        part, o = self.parts[index], self.options
        part.network.train()
        found: Values = {}
        count = o.accumulate * part.pieces
        for micro in self.mine[index]:
            at = (self.step * part.repeats + turn) * count + micro
            # of (seed, part, number): whoever draws, draws the same; the last name is a constant of old
            rng = rng_of(o.seed, "step", part.name, at, 0, device=self.machine.draws)
            loss, values = part.loss(at, rng)
            self.machine.backward(loss / count)
            for name, value in {"loss": loss.detach(), **values}.items():
                found.setdefault(name, []).append(value)
        sum_gradients(self.machine, part.parameters)
        norm = clip(self.machine, part)
        for optimizer, rates in zip(part.optimizers, self.rates[index]):
            for group, base in zip(optimizer.param_groups, rates):
                group["lr"] = base * rate
        step(self.machine, part.optimizers)
        if average := self.averages[index]:
            average.update(part.network)
        # a step is known by its loss and norm first
        return {"loss": found.pop("loss"), "norm": [norm], **found}

    def _report(self) -> None:
        """Show and save with the averaged weights in place; every process waits for the first, or helps it
        with its pieces of the networks.
        """
        if self.machine.leads or self.machine.shards:
            with self._averaged():
                values, picture = self.task.report()
                self.machine.settle()
                self.task.save_model(self.options.folder)
        if self.machine.leads:
            self.totals.seen_on(self.machine.describe(), self.machine.peak_memory())
            self.record.report(self.step, self.elapsed, values, picture, self.totals.facts(self.elapsed))
        self.machine.wait()

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        with ExitStack() as swaps:
            for part, average in zip(self.parts, self.averages):
                part.network.eval()
                if average:
                    swaps.enter_context(average.swapped(part.network))
            yield

    def _save(self) -> None:
        if self.machine.leads:
            self.totals.seen_on(self.machine.describe(), self.machine.peak_memory())
        # The step is also the data position and the state of the random numbers: both follow from it.
        self.checkpoints.save(
            {
                "step": self.step,
                "elapsed": self.elapsed,
                "totals": self.totals.state_dict(),
                "settings": json.dumps(self._settings()),
            }
        )

    def _settings(self) -> dict[str, Any]:
        own = ("seed", "accumulate", "decay_part", "warmup_steps")
        return plain(dict(self.options.settings) | {name: getattr(self.options, name) for name in own})

    def _load(self) -> None:
        """Go on where the folder's checkpoint was written, if it may."""

        def may(facts: Mapping[str, Any]) -> None:
            before = json.loads(facts.get("settings", "{}"))
            agree(self.options.folder, before, self._settings(), say=False)

        facts = self.checkpoints.load(may)
        self.step, self.before = facts["step"], facts["elapsed"]
        self.totals = Totals.from_state(facts.get("totals", {}), self.step, self.before, self.samples)
