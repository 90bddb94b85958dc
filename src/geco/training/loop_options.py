"""How long a training goes on, and where it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geco.errors import ConfigError


@dataclass(frozen=True)
class LoopOptions:
    """How long and where.

    Attributes:
        folder: the run folder: checkpoint.pt, log.jsonl, training.json, grids, and the model folder's files.
        budget_minutes: wall-clock training time, resumed pieces together; the learning rate reaches 0 at its
            end.
        steps: the same in steps; whichever ends first. One of the two is needed.
        seed: of batches, noise and dropout.
        accumulate: micro-batches a step, of all processes together.
        decay_part: the last part of the budget over which the rates fall linearly to 0; 0 keeps them constant
            (paper).
        warmup_steps: linear growth of the rates at the start.
        checkpoint_minutes, report_minutes: how often.
        log_steps: steps a line of the log.
        tensorboard: also write TensorBoard's event files (extra ``train``).
        settings: flat, what else the run depends on: kept in the checkpoint, and compared when the run goes
            on.
    """

    folder: Path
    budget_minutes: float | None = None
    steps: int | None = None
    seed: int = 0
    accumulate: int = 1
    decay_part: float = 1 / 3
    warmup_steps: int = 50
    checkpoint_minutes: float = 3.0
    report_minutes: float = 10.0
    log_steps: int = 10
    tensorboard: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.budget_minutes is None and self.steps is None:
            raise ConfigError("a training needs an end", "Give --budget-minutes or --steps.")
        counts = (self.accumulate, self.log_steps, self.warmup_steps)
        if min(counts) < 1 or not 0 <= self.decay_part <= 1:
            raise ConfigError(
                "accumulate, log_steps and warmup_steps count from 1, decay_part lies in [0, 1]",
                "Check the recipe.",
            )
