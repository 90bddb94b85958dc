"""A run's state on disk, in one of two forms: ``checkpoint.pt``, whole, by the process that leads; or a
folder with every process's pieces (:mod:`geco.training.sharded_checkpoint`). Either holds weights,
optimisers, averages, the loss scale of float16, and plain facts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from geco.errors import ConfigError, WeightsError
from geco.memory import is_shortage
from geco.training import sharded_checkpoint as pieces
from geco.training.average import MovingAverage
from geco.training.machine import Machine
from geco.training.run_folder import CHECKPOINT
from geco.training.state import load_checkpoint, save_checkpoint
from geco.training.task import Part


class Checkpoints:
    """Of one run.

    Args:
        run: its folder.
        machine: says in which form it is written: in pieces where networks are to be (``parallel``), also by
            one process, so that any number goes on with it.
        parts, averages: what is trained, and the moving averages beside.
    """

    def __init__(
        self,
        run: Path,
        machine: Machine,
        parts: Sequence[Part],
        averages: Sequence[MovingAverage | None],
    ) -> None:
        self.run, self.machine, self.parts, self.averages = run, machine, parts, averages
        self.whole = run / CHECKPOINT

    @property
    def exist(self) -> bool:
        return self.whole.exists() or pieces.newest(self.run) is not None

    def save(self, facts: Mapping[str, Any]) -> None:
        """Write all at this moment; every process calls, and goes on when it is done. Raises OutputError."""
        scaler = self.machine.scaler
        facts = {**facts, "scale": scaler.state_dict() if scaler else None}
        if self.machine.parallel == "fsdp":
            pieces.save(self.run, facts, self.parts, self.averages, self.machine)
            if self.machine.leads:
                self.whole.unlink(missing_ok=True)
        elif self.machine.leads:
            save_checkpoint(self.whole, {**facts, "parts": self._state()})
            pieces.forget(self.run)
        self.machine.wait()

    def load(self, may: Callable[[Mapping[str, Any]], None]) -> dict[str, Any]:
        """Put the newest in place; its facts. ``may`` is asked before, and raises what speaks against it.

        Raises:
            WeightsError: it is damaged, or of another stage. ConfigError: it holds whole networks, which are
                to be pieces here.
        """
        folder, state = pieces.newest(self.run), {}
        if self.whole.exists():  # memory-mapped: what is read is read where it is put in place
            state = load_checkpoint(self.whole, {part.name for part in self.parts})
        if folder is not None and pieces.steps_of(folder) >= state.get("step", 0):
            state = pieces.read_facts(folder, self.parts)
            may(state)
            pieces.load(folder, self.parts, self.averages, self.machine)
        elif self.machine.shards:
            raise ConfigError(
                f"{self.whole} holds whole networks, not pieces",
                "Go on with --set parallel=ddp, or let one process go on, which then writes pieces.",
            )
        else:
            may(state)
            self._restore(state)
        if self.machine.scaler and state.get("scale"):
            self.machine.scaler.load_state_dict(state["scale"])
        return state

    def _state(self) -> dict[str, Any]:
        return {
            part.name: {
                "network": part.network.state_dict(),
                "optimizers": [optimizer.state_dict() for optimizer in part.optimizers],
                "average": average.state_dict() if average else None,
            }
            for part, average in zip(self.parts, self.averages)
        }

    def _restore(self, state: dict[str, Any]) -> None:
        try:
            saved = state.pop("parts")
            for part, average in zip(self.parts, self.averages):
                of_part = saved.pop(part.name)
                part.network.load_state_dict(of_part["network"])
                for optimizer, values in zip(part.optimizers, of_part["optimizers"]):
                    optimizer.load_state_dict(values)
                if average:
                    average.load_state_dict(of_part["average"])
            state["step"], state["elapsed"] = int(state["step"]), float(state["elapsed"])
        except (KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
            if is_shortage(error):
                raise
            problem = (
                f"the checkpoint {self.whole} is damaged, or of another version "
                f"({type(error).__name__}: {error})"
            )
            raise WeightsError(problem, "Delete it to start again.") from error
