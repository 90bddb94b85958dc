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
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor

from geco.errors import WeightsError
from geco.files import sweep_below, writing
from geco.memory import is_shortage
from geco.training.average import MovingAverage
from geco.training.loop_options import LoopOptions
from geco.training.machine import Machine
from geco.training.record import Record
from geco.training.run_folder import agree, plain
from geco.training.state import load_checkpoint, rng_of, save_checkpoint
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
        self.optimizers = [[machine.wrap(optimizer) for optimizer in part.optimizers] for part in self.parts]
        self.rates = [
            [[group["lr"] for group in o.param_groups] for o in optimizers] for optimizers in self.optimizers
        ]
        self.averages = [
            MovingAverage(part.network, part.average, part.average_on) if part.average else None
            for part in self.parts
        ]
        self.step, self.before = 0, 0.0  # steps done; seconds of earlier pieces
        self.samples = task.batch * options.accumulate  # a step, of all processes
        self.mine = machine.share(options.accumulate)
        self.totals = Totals()
        self.checkpoint = options.folder / "checkpoint.pt"
        self.record = Record(options.folder, machine.leads, quiet, options.tensorboard)
        self.started = time.monotonic()

    def run(self, resume: bool) -> None:
        with writing(self.options.folder):
            self.options.folder.mkdir(parents=True, exist_ok=True)
        if self.machine.leads:
            sweep_below(self.options.folder)
        if resume and self.checkpoint.exists():
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
                if not self.checkpoint.exists():
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
        part, optimizers, o = self.parts[index], self.optimizers[index], self.options
        part.network.train()
        found: Values = {}
        for micro in self.mine:
            at = (self.step * part.repeats + turn) * o.accumulate + micro
            # of (seed, part, number): whoever draws, draws the same; the last name is a constant of old
            rng = rng_of(o.seed, "step", part.name, at, 0, device=self.machine.draws)
            loss, values = part.loss(at, rng)
            self.machine.backward(loss / o.accumulate)
            for name, value in {"loss": loss.detach(), **values}.items():
                found.setdefault(name, []).append(value)
        parameters = part.parameters
        self.machine.sum_gradients(parameters)
        norm = self.machine.clip(parameters, part.clip)
        for optimizer, rates in zip(optimizers, self.rates[index]):
            for group, base in zip(optimizer.param_groups, rates):
                group["lr"] = base * rate
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        if average := self.averages[index]:
            average.update(part.network)
        # a step is known by its loss and norm first
        return {"loss": found.pop("loss"), "norm": [norm], **found}

    def _report(self) -> None:
        """Show and save with the averaged weights in place; every process waits for the first."""
        if self.machine.leads:
            with self._averaged():
                values, picture = self.task.report()
                self.task.save_model(self.options.folder)
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
            save_checkpoint(self.checkpoint, self._state())
        self.machine.wait()

    def _state(self) -> dict[str, Any]:
        parts = {
            part.name: {
                "network": part.network.state_dict(),
                "optimizers": [optimizer.state_dict() for optimizer in optimizers],
                "average": average.state_dict() if average else None,
            }
            for part, optimizers, average in zip(self.parts, self.optimizers, self.averages)
        }
        # The step is also the data position and the state of the random numbers: both follow from it.
        state = {
            "step": self.step,
            "elapsed": self.elapsed,
            "parts": parts,
            "totals": self.totals.state_dict(),
        }
        return state | {"settings": json.dumps(self._settings())}

    def _settings(self) -> dict[str, Any]:
        own = ("seed", "accumulate", "decay_part", "warmup_steps")
        return plain(dict(self.options.settings) | {name: getattr(self.options, name) for name in own})

    def _load(self) -> None:
        state = load_checkpoint(self.checkpoint, {part.name for part in self.parts})
        try:
            self._restore(state)
        except (KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
            if is_shortage(error):
                raise
            problem = (
                f"the checkpoint {self.checkpoint} is damaged, or of another version "
                f"({type(error).__name__}: {error})"
            )
            raise WeightsError(problem, "Delete it to start again.") from error

    def _restore(self, state: dict[str, Any]) -> None:
        agree(self.options.folder, json.loads(state.get("settings", "{}")), self._settings(), say=False)
        self.step, self.before = state["step"], state["elapsed"]
        self.totals = Totals.from_state(state.get("totals", {}), self.step, self.before, self.samples)
        for part, optimizers, average in zip(self.parts, self.optimizers, self.averages):
            saved = state["parts"][part.name]
            part.network.load_state_dict(saved["network"])
            for optimizer, values in zip(optimizers, saved["optimizers"]):
                optimizer.load_state_dict(values)
            if average:
                average.load_state_dict(saved["average"])
